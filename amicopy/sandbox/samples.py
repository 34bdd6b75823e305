"""Sample images in us-east-1, with ids that never change, and images of the user's own disks."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from amicopy.sandbox.content import DiskImage, Packed
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume

if TYPE_CHECKING:
    from amicopy.sandbox.world import World

REGION = "us-east-1"
SHARED_WITH = "111122223333"
ALSO_SHARED_WITH = "444455556666"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-exampleorgid"
OTHER_ACCOUNT = "210987654321"
UNIT, TEST_UNIT = "workloads", "workloads/test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample image, and what it demonstrates."""

    image_id: str
    name: str
    shows: str


WEB_SERVER = Sample(
    image_id="ami-0a11ce5a3b1e00001",
    name="web-server-2026.11",
    shows="three volumes with different tags; shared with two accounts and an organization; scanned yesterday",
)
BATCH_WORKER = Sample(image_id="ami-0a11ce5a3b1e00002", name="batch-worker", shows="one volume, private")
WINDOWS = Sample(image_id="ami-0a11ce5a3b1e00003", name="build-worker-windows", shows="Windows, one volume")
ENCRYPTED = Sample(
    image_id="ami-0a11ce5a3b1e00004",
    name="payments-encrypted",
    shows="encrypted with the AWS managed key, so it can't be shared",
)
INSTANCE_STORE = Sample(
    image_id="ami-0a11ce5a3b1e00005",
    name="legacy-instance-store",
    shows="instance store-backed: stored in S3, without snapshots",
)
SHARED = Sample(
    image_id="ami-0a11ce5a3b1e00006",
    name="partner-base",
    shows="shared by another account with its snapshots: can be copied",
)
SHARED_WITHOUT_STORAGE = Sample(
    image_id="ami-0a11ce5a3b1e00007",
    name="partner-appliance",
    shows="shared by another account without its snapshots: can't be copied",
)
APP_SERVER = Sample(
    image_id="ami-0a11ce5a3b1e00008",
    name="app-server",
    shows="a file system with files that name us-east-1, and a secret: for scan",
)
APP_SERVER_DISK = Path(__file__).with_name("app-server.disk.xz")  # tests/support/sample_disk.py makes it
APP_SERVER_GIB = 8
SAMPLES = [WEB_SERVER, BATCH_WORKER, WINDOWS, ENCRYPTED, INSTANCE_STORE, SHARED, SHARED_WITHOUT_STORAGE, APP_SERVER]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAccount:
    """One sample account: its organizational unit, and whether it is closed."""

    account_id: str
    name: str
    unit: str
    suspended: bool = False


CLOSED = SampleAccount(account_id="999900001111", name="closed", unit=TEST_UNIT, suspended=True)


def sample_accounts(count: int) -> list[SampleAccount]:
    """Return this many active accounts, in the unit ``workloads`` and in ``workloads/test``, and a closed one."""
    ids = [SHARED_WITH, ALSO_SHARED_WITH, *(f"5{number:011}" for number in range(3, count + 1))][:count]
    active = [
        SampleAccount(
            account_id=account_id,
            name=f"{'test' if number % 2 == 0 else 'production'}-{(number + 1) // 2}",
            unit=TEST_UNIT if number % 2 == 0 else UNIT,
        )
        for number, account_id in enumerate(ids, start=1)
    ]
    return [*active, CLOSED] if active else []


def populate(world: "World") -> None:
    """Add the samples to the world."""
    _web_server(world)
    world.register(
        REGION,
        name=BATCH_WORKER.name,
        image_id=BATCH_WORKER.image_id,
        description="Nightly batch jobs",
        architecture="arm64",
        tags={"Name": "batch-worker", "Team": "data"},
        volumes=[Volume(device="/dev/xvda", gib=8, tags={"Name": "batch-worker root"})],
    )
    world.register(
        REGION,
        name=WINDOWS.name,
        image_id=WINDOWS.image_id,
        platform="windows",
        platform_details="Windows",
        usage_operation="RunInstances:0002",
        boot_mode="uefi",
        tpm="v2.0",
        tags={"Name": "build-worker-windows"},
        volumes=[Volume(gib=30)],
    )
    world.register(
        REGION,
        name=ENCRYPTED.name,
        image_id=ENCRYPTED.image_id,
        tags={"Name": "payments", "Team": "payments"},
        volumes=[Volume(device="/dev/xvda", gib=16, encrypted=True)],
    )
    world.register(
        REGION, name=INSTANCE_STORE.name, image_id=INSTANCE_STORE.image_id, root_device_type="instance-store"
    )
    for sample, snapshots_shared_with in (
        (SHARED, frozenset({DEFAULT_ACCOUNT})),
        (SHARED_WITHOUT_STORAGE, frozenset[str]()),
    ):
        world.register(
            REGION,
            name=sample.name,
            image_id=sample.image_id,
            account=OTHER_ACCOUNT,
            tags={"Name": "visible to its owner only"},
            launch_permissions={DEFAULT_ACCOUNT},
            volumes=[Volume(gib=10, shared_with=snapshots_shared_with)],
        )

    disk = Volume(  # with ids of its own, so that those of the copies in our pages stay as they are
        device="/dev/xvda",
        gib=APP_SERVER_GIB,
        content=Packed(APP_SERVER_DISK),
        snapshot_id="snap-0a11ce5a3b1e00008",
        volume_id="vol-0a11ce5a3b1e00008",
    )
    world.register(
        REGION,
        name=APP_SERVER.name,
        image_id=APP_SERVER.image_id,
        description="Application server",
        tags={"Name": "app-server", "Team": "web"},
        volumes=[disk],
    )


def register_disk(world: "World", path: Path) -> Image:
    """Add an image whose only volume is a raw disk image; it has the file's name.

    Raises:
        OSError: the file can't be read.
        ValueError: it is empty; the message is for the user.
    """
    disk = DiskImage.open(path)
    name = re.sub(r"[^A-Za-z0-9()\[\]. \-/'@_]", "-", path.stem)[:128].ljust(3, "-")
    return world.register(
        REGION,
        name=name,
        description=f"Content of {path.name}",
        tags={"Name": name},
        volumes=[Volume(device="/dev/xvda", gib=disk.gib, content=disk)],
    )


def _web_server(world: "World") -> None:
    shared = frozenset({SHARED_WITH})
    devices = (("/dev/sda1", 8, "root"), ("/dev/sdf", 20, "data"), ("/dev/sdg", 30, "logs"))
    world.register(
        REGION,
        name=WEB_SERVER.name,
        image_id=WEB_SERVER.image_id,
        description="Web server, release 2026.11",
        imds="v2.0",
        severity="medium",
        scanned_at=world.clock.now() - timedelta(days=1),
        tags={"Name": "web-server", "Team": "web", "Release": "2026.11"},
        launch_permissions={SHARED_WITH, ALSO_SHARED_WITH, ORGANIZATION},
        deprecate_at=(world.clock.now() + timedelta(days=365)).replace(second=0, microsecond=0),
        volumes=[
            Volume(device=device, gib=gib, shared_with=shared, tags={"Name": f"web-server {role}", "Role": role})
            for device, gib, role in devices
        ],
        ephemeral=["/dev/sdb"],
    )
