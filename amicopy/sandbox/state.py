"""The state of a sandbox, and one call on its way through it.

Refuses to answer any call: the operations do, each in the file of its subject.
"""

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from amicopy.core.clock import Clock
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.pending_copies import CopyJob, settle
from amicopy.sandbox.records import Image, KeyFacts, Snapshot
from amicopy.sandbox.settings import KERNELS, OPT_IN, PV_GRUB, Settings, partition_of

AWS_MANAGED_KEY = "alias/aws/ebs"
KeyLookup = Callable[[str, str, str], KeyFacts | None]
VolumeLookup = Callable[[str, str, str], int | None]


def any_key(account: str, region: str, key: str) -> KeyFacts:
    """Take every key for an existing, healthy one: what a world without a KMS beside it does."""
    if key.startswith("arn:") and ":key/" in key:
        return KeyFacts(arn=key)
    if key.startswith("arn:"):
        key = key.split(":", 5)[5]
    managed = key == AWS_MANAGED_KEY
    if key.startswith("alias/"):
        digest = hashlib.blake2b(f"{account}/{region}/{key}".encode(), digest_size=16).hexdigest()
        key = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
    arn = f"arn:{partition_of(region)}:kms:{region}:{account}:key/{key}"
    return KeyFacts(arn=arn, aws_managed=managed)


def no_volume(_account: str, _region: str, _volume_id: str) -> int | None:
    """Know no volume: a world without instances beside it has none."""
    return None


def default_kernels() -> dict[str, dict[str, str]]:
    """Return the kernels of each region: id → what it is."""
    return {region: {kernel_id: PV_GRUB} for region, kernel_id in KERNELS.items()}


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that outlives a call."""

    clock: Clock
    timing: Timing
    unconfirmed: Unconfirmed
    seed: int
    images: dict[str, dict[str, Image]] = field(default_factory=lambda: defaultdict(dict))
    deregistered: dict[str, dict[str, Image]] = field(default_factory=lambda: defaultdict(dict))
    snapshots: dict[str, dict[str, Snapshot]] = field(default_factory=lambda: defaultdict(dict))
    jobs: dict[str, list[CopyJob]] = field(default_factory=lambda: defaultdict(list))
    settings: dict[tuple[str, str], Settings] = field(default_factory=dict)
    tokens: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    organizations: dict[str, set[str]] = field(default_factory=dict)
    kernels: dict[str, dict[str, str]] = field(default_factory=default_kernels)
    references: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    keys: KeyLookup = any_key
    volumes: VolumeLookup = no_volume
    ids_given: int = 0
    unseen_answers: int = 0

    def settings_of(self, account: str, region: str) -> Settings:
        """Return the account's switches there, made when first asked for."""
        found = self.settings.get((account, region))
        if found is None:
            found = self.settings[account, region] = Settings(opted_in=region not in OPT_IN)
        return found

    def settle(self, region: str) -> datetime:
        """Let everything happen in the region that was due by now; return now."""
        now = self.clock.now()
        if self.jobs[region]:
            self.jobs[region] = settle(
                self.jobs[region], images=self.images[region], snapshots=self.snapshots[region], now=now
            )
        return now

    def new_id(self, prefix: str) -> str:
        """Return an id that was not given before; the same seed gives the same ids again."""
        self.ids_given += 1
        digest = hashlib.blake2b(f"{self.seed}/{self.ids_given}".encode(), digest_size=8).hexdigest()
        return f"{prefix}-0{digest}"

    def vary(self, seconds: float) -> float:
        """Return a duration a little longer or shorter, and the same one for the same seed."""
        spread = self.timing.variation
        # Not for secrets: a demonstration that looks alive, a test that repeats.
        return seconds * random.Random(f"{self.seed}/{self.ids_given}").uniform(1 - spread, 1 + spread)  # noqa: S311


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, with what every operation asks of it."""

    state: State
    operation: str
    params: Mapping[str, Any]
    region: str
    account: str
    now: datetime
    denied: frozenset[str] = frozenset()

    @property
    def settings(self) -> Settings:
        """Return the caller's switches in the region."""
        return self.state.settings_of(self.account, self.region)

    def required(self, name: str) -> Any:
        """Return a parameter, or refuse the request for lacking it."""
        value = self.params.get(name)
        if value is None or value in ("", []):
            raise errors.missing(name)
        return value

    def principals(self) -> set[str]:
        """Return every name under which a launch permission reaches the caller."""
        return {"all", self.account} | self.state.organizations.get(self.account, set())

    def sees(self, image: Image) -> bool:
        """Say whether DescribeImages would show the image to the caller at this moment."""
        if self.now < image.visible_at:
            return False
        return image.owner == self.account or not image.launch_permissions.isdisjoint(self.principals())

    def image(self, image_id: str, region: str = "") -> Image:
        """Return an image that the caller can see, or refuse as EC2 does for an id that it does not know."""
        region = region or self.region
        found = self.state.images[region].get(image_id)
        if found is not None and self.sees(found):
            return found
        dead = self.state.deregistered[region].get(image_id)
        if found is None and dead is not None and dead.owner == self.account:
            raise errors.image_gone(image_id)
        if found is None and not re.fullmatch(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", image_id):
            raise errors.image_malformed(image_id)
        raise errors.image_not_found(image_id)

    def own_image(self, image_id: str) -> Image:
        """Return an image of the caller's own."""
        image = self.image(image_id)
        if image.owner != self.account:
            raise errors.not_authorized_for_image(image_id)
        return image

    def sees_snapshot(self, snapshot: Snapshot) -> bool:
        """Say whether DescribeSnapshots would show the snapshot to the caller at this moment."""
        if self.now < snapshot.listed_at:
            return False
        return snapshot.owner == self.account or not snapshot.shared_with.isdisjoint({"all", self.account})

    def snapshot(self, snapshot_id: str, region: str = "") -> Snapshot:
        """Return a snapshot that the caller can see, or refuse."""
        found = self.state.snapshots[region or self.region].get(snapshot_id)
        if found is not None and self.sees_snapshot(found):
            return found
        if found is None and not re.fullmatch(r"snap-([0-9a-f]{8}|[0-9a-f]{17})", snapshot_id):
            raise errors.snapshot_malformed(snapshot_id)
        raise errors.snapshot_not_found(snapshot_id)

    def own_snapshot(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot of the caller's own."""
        snapshot = self.snapshot(snapshot_id)
        if snapshot.owner != self.account:
            # The wording is that of images: what EC2 says of snapshots is not on record.
            raise errors.Ec2Error("AuthFailure", f"Not authorized for snapshot:{snapshot_id}")
        return snapshot
