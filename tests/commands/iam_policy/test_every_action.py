"""The printed policies are enough, and the smallest: each command runs with its own, and with every part taken away.

A scene needs every call that its command can come to. Something breaks with less if a call is denied, or if a copy
fails because EC2 may not use a key in the caller's name.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from amicopy.sandbox.content import DiskImage, MadeUp
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import FakeClock
from tests.support.disks import make_ext, write_tree
from tests.support.iam import EVERYTHING, Caller, denied, each_action, printed, without
from tests.support.scenes import HOME, SOMEBODY, WEST

TO = ("--from", HOME, "--to", WEST)
# EC2 looks at these in the caller's name, with DescribeImageReferences; what it does without one is not documented.
# Nor are the keys with which it attaches volumes in the caller's name.
NOT_ENFORCED = {"AmicopyFindReferences", "AmicopyKmsBoot", "AmicopyKmsBootGrant"}

Act = Callable[[], list[Ran]]
Scene = Callable[["Stage"], Act]


class Stage:
    """What a scene is made of. Until the policy is set the caller may do everything."""

    def __init__(self, amicopy: Run, world: World, caller: Caller, clock: FakeClock, folder: Path) -> None:
        self.amicopy, self.world, self.caller, self.clock, self.folder = amicopy, world, caller, clock, folder
        self.arguments: list[str] = []  # of iam-policy

    def key(self, region: str, alias: str = "") -> str:
        """Return the ARN of a new KMS key."""
        kms = self.caller.root("kms", region)
        arn: str = kms.create_key()["KeyMetadata"]["Arn"]
        if alias:
            kms.create_alias(AliasName=alias, TargetKeyId=arn)
        kms.close()
        return arn

    def source(self, name: str = "web", **members: Any) -> Image:
        """Return an image that needs every kind of write but watermarks."""
        volumes = [
            Volume(device="/dev/sda1", gib=8, tags={"Name": "root"}, shared_with=frozenset({SOMEBODY})),
            Volume(device="/dev/sdf", gib=8, tags={"Name": "data"}),
        ]
        given: dict[str, Any] = {
            "name": name,
            "volumes": volumes,
            "launch_permissions": {SOMEBODY},
            "supported_instance_types": ["t3.*"],
            "deprecate_at": self.clock.now().replace(year=2028),
        }
        return self.world.register(HOME, **given | members)

    def encrypted(self) -> Image:
        """Return an encrypted image, with a file system on it."""
        tree = write_tree(self.folder / "tree", {"etc/hostname": "web\n"})
        content = DiskImage.open(make_ext(self.folder / "disk.img", tree, (), size="8M"))
        volume = Volume(gib=1, encrypted=True, kms_key_id=self.key(HOME), content=content)
        return self.world.register(HOME, name="secret", volumes=[volume])

    def watermark(self, image: Image) -> None:
        """Attach a watermark to an image that was copied before."""
        parameters = {"ImageId": image.image_id, "WatermarkName": "approved"}
        self.world.call("AttachImageWatermark", parameters, region=image.region)

    def left_by_a_boot_test(self, image: Image) -> None:
        """Launch an instance as a killed boot test has left it."""
        ec2 = self.caller.root("ec2", image.region)
        tags = [{"Key": "amicopy:boot", "Value": image.image_id}]
        ec2.run_instances(
            ImageId=image.image_id,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        ec2.close()

    def has_fast_restore(self, copy: Image) -> None:
        """Leave a copy as a manifest with ``fast_restore`` does."""
        zone = f"{copy.region}a"
        parameters = {"SourceSnapshotIds": copy.snapshot_ids, "AvailabilityZones": [zone]}
        self.world.call("EnableFastSnapshotRestores", parameters, region=copy.region)
        copy.tags["amicopy:fast-restore"] = zone

    def has_fast_launch(self, copy: Image) -> None:
        """Leave a copy as a manifest with ``fast_launch`` does."""
        copy.platform = "windows"
        self.world.call("EnableFastLaunch", {"ImageId": copy.image_id}, region=copy.region)
        copy.tags["amicopy:fast-launch"] = "snapshots=5 launches=6"

    def launch_template(self) -> None:
        """Create a launch template in the region of the copies."""
        ec2 = self.caller.root("ec2", WEST)
        ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro"})
        ec2.close()

    def runs_with_fast_launch(self) -> Act:
        """Return what runs the command line, of which the policy is for copies that have EC2 Fast Launch."""
        line = tuple(self.arguments)
        self.arguments.append("--fast-launch")
        return self.runs(line)

    def runs(self, *lines: tuple[str, ...]) -> Act:
        """Return what runs these command lines one after the other."""
        return lambda: [self.amicopy(*line) for line in lines]


def copying(stage: Stage) -> Act:
    """Everything that copy can come to but encryption: a failed attempt, a watermark, one public image of many."""
    stage.world.settings(WEST).public_images_limit = 20
    for number in range(6):
        stage.world.register(WEST, name=f"public-{number}", launch_permissions={"all"})
    source = stage.source()
    public = stage.world.register(
        HOME, name="public", launch_permissions={"all"}, volumes=[Volume(shared_with=frozenset({"all"}))]
    )
    stage.arguments = ["copy", *TO]
    stage.world.inject(parse_fault(f"copy@{WEST}=fail"))
    stage.amicopy("copy", source.image_id, *TO)
    copy = ("copy", source.image_id, public.image_id, *TO)

    def act() -> list[Ran]:
        first = stage.amicopy(*copy)
        stage.watermark(source)
        return [first, stage.amicopy(*copy)]

    return act


def encrypting_with_defaults(stage: Stage) -> Act:
    """An encrypted source, and a default key of the account's own."""
    stage.world.settings(WEST).default_kms_key = stage.key(WEST)
    volume = Volume(encrypted=True, kms_key_id=stage.key(HOME))
    source = stage.world.register(HOME, name="secret", volumes=[volume], launch_permissions={SOMEBODY})
    stage.arguments = ["copy", *TO, "--encrypt"]
    return stage.runs(("copy", source.image_id, *TO, "--encrypt"))


def encrypting_with_an_arn(stage: Stage) -> Act:
    """An encrypted source, and a named key."""
    arn = stage.key(WEST)
    source = stage.world.register(HOME, name="secret", volumes=[Volume(encrypted=True, kms_key_id=stage.key(HOME))])
    stage.arguments = ["copy", *TO, "--kms-key", f"{WEST}={arn}"]
    return stage.runs(("copy", source.image_id, *TO, "--kms-key", f"{WEST}={arn}"))


def encrypting_with_an_alias(stage: Stage) -> Act:
    """A key that is named by its alias."""
    stage.key(WEST, "alias/images")
    source = stage.world.register(HOME, name="secret", volumes=[Volume(encrypted=True, kms_key_id=stage.key(HOME))])
    stage.arguments = ["copy", *TO, "--kms-key", "alias/images"]
    return stage.runs(("copy", source.image_id, *TO, "--kms-key", "alias/images"))


def adopting(stage: Stage) -> Act:
    """A copy that another tool made gets our tag first, then the rest."""
    source = stage.source()
    given = {"Name": "web", "SourceRegion": HOME, "SourceImageId": source.image_id}
    stage.world.call("CopyImage", given, region=WEST)
    stage.clock.advance(3600)
    stage.arguments = ["copy", *TO, "--adopt", "--protect"]
    return stage.runs(("copy", source.image_id, *TO, "--adopt", "--protect"))


MANIFEST = """\
name: web
images:
  - source: {name: "web*"}
    from: us-east-1
    to: us-west-2
    publish: {ssm: "/images/{region}/web", launch_templates: {name: web, in: us-west-2}, include_source: true}
    fast_restore: {us-west-2: [us-west-2a, us-west-2b]}
    keep: {newest: 1, min_age: 60s}
  - source: {ssm: /build/latest}
    from: us-east-1
    to: us-west-2
    fast_restore: {us-west-2: []}
    share: []
  - source: {name: windows-on}
    from: us-east-1
    to: us-west-2
    fast_launch: {us-west-2: {launch_template: {name: web, version: 1}}}
  - source: {name: windows-off}
    from: us-east-1
    to: us-west-2
    fast_launch: {us-west-2: false}
"""


RELEASES = """\
images:
  - source: {name: "web*"}
    from: us-east-1
    to: us-west-2
    publish: {ssm: "/images/{region}/web"}
    fast_restore: {us-west-2: us-west-2a}
    fast_launch: {us-west-2: {launch_template: {name: web, version: 1}}}
"""


def syncing(stage: Stage) -> Act:
    """A second release: publish it, and remove the first."""
    manifest = stage.folder / "amis.yaml"
    before = MANIFEST.replace("us-west-2: []", "us-west-2: us-west-2c").replace("us-west-2: false", "us-west-2: true")
    manifest.write_text(before.replace("fast_launch: {us-west-2: {launch", "tags: {launch: no} #"))
    stage.world.register(HOME, name="windows-on", platform="windows")
    stage.world.register(HOME, name="windows-off", platform="windows")
    built = stage.world.register(HOME, name="latest")
    ssm = stage.caller.root("ssm", HOME)
    ssm.put_parameter(Name="/build/latest", Value=built.image_id, Type="String")
    ssm.close()
    stage.launch_template()
    stage.world.register(HOME, name="web-1")
    stage.amicopy("sync", str(manifest))
    stage.clock.advance(3600)
    stage.world.register(HOME, name="web-2")
    manifest.write_text(MANIFEST)  # some copies do not have fast snapshot restore or fast launch any more
    stage.world.state.fast_launch_roles.clear()  # EC2 creates the role once more
    stage.arguments = ["sync", str(manifest)]
    return stage.runs(("sync", str(manifest)))


def repairing(stage: Stage) -> Act:
    """A copy that lacks everything that can be written, and has what can be pruned."""
    source = stage.source()
    stage.amicopy("copy", source.image_id, *TO)
    [copy] = stage.world.images(WEST)
    copy.tags["extra"] = "1"
    copy.launch_permissions = {"444455556666"}
    copy.supported_instance_types = []
    copy.deprecate_at = None
    for snapshot in stage.world.snapshots(WEST):
        snapshot.tags.pop("Name")
        snapshot.shared_with = set()
    stage.watermark(source)
    stage.arguments = ["verify", source.image_id, "--from", HOME, "--in", WEST, "--repair", "--prune", "--yes"]
    return stage.runs(tuple(stage.arguments))


def checking_keys(stage: Stage) -> Act:
    """Verify looks at a named key."""
    arn = stage.key(WEST)
    source = stage.source()
    stage.amicopy("copy", source.image_id, *TO, "--kms-key", arn)
    stage.arguments = ["verify", source.image_id, "--from", HOME, "--in", WEST, "--kms-key", arn]
    return stage.runs(tuple(stage.arguments))


def cancelling(stage: Stage) -> Act:
    """Remove a finished copy and its snapshots, and those of one that was deregistered without them."""
    source = stage.source()
    stage.amicopy("copy", source.image_id, *TO)
    [first] = stage.world.images(WEST)
    stage.world.call("DeregisterImage", {"ImageId": first.image_id}, region=WEST)
    stage.amicopy("copy", source.image_id, *TO)
    last = stage.world.images(WEST)[0]
    stage.has_fast_restore(last)
    stage.has_fast_launch(last)
    stage.left_by_a_boot_test(last)
    stage.arguments = ["cancel", source.image_id, "--from", HOME, "--in", "us-*", "--available", "--yes"]
    return stage.runs_with_fast_launch()


def retiring(stage: Stage) -> Act:
    """Take the last of several published releases back."""
    [_, _, last] = published(stage)
    stage.arguments = ["retire", last.image_id, "--from", HOME, "--in", f"{HOME},us-west-*", "--yes"]
    return stage.runs_with_fast_launch()


def restoring(stage: Stage) -> Act:
    """The same, undone: one image had a deprecation date, and one had none."""
    [_, second, last] = published(stage)
    second.deprecate_at = None
    stage.amicopy("retire", second.image_id, last.image_id, "--from", HOME, "--yes")
    places = ("--from", HOME, "--in", f"{HOME},us-west-*")
    stage.arguments = ["retire", second.image_id, last.image_id, *places, "--undo", "--yes"]
    stage.clock.advance(60)  # EC2 has removed the snapshots of fast launch
    stage.world.state.fast_launch_roles.clear()
    return stage.runs_with_fast_launch()


def published(stage: Stage) -> list[Image]:
    """Return three releases, published one after the other."""
    manifest = stage.folder / "amis.yaml"
    manifest.write_text(RELEASES)
    stage.launch_template()
    stage.world.settings(WEST).fast_restore_limit = 10
    sources = []
    for name in ("web-1", "web-2", "web-3"):
        sources.append(stage.source(name, platform="windows"))
        stage.amicopy("sync", str(manifest))
        stage.clock.advance(3600)
    return sources


def booting(stage: Stage) -> Act:
    """Launch the copy; what a killed run has left is terminated, too."""
    source = stage.source("web", supported_instance_types=[])
    stage.amicopy("copy", source.image_id, *TO)
    stage.arguments = ["boot", source.image_id, "--from", HOME, "--in", "us-west-*", "--yes"]
    return stage.runs(tuple(stage.arguments))


def checking_boot(stage: Stage) -> Act:
    """Launch the copy before it is shared."""
    source = stage.source("web", supported_instance_types=[])
    stage.arguments = ["copy", source.image_id, *TO, "--check", "boot"]
    return stage.runs(tuple(stage.arguments))


def showing(stage: Stage) -> Act:
    """Show copies in every region."""
    source = stage.source()
    stage.amicopy("copy", source.image_id, *TO)
    stage.arguments = ["status", source.image_id, "--from", HOME]
    return stage.runs(tuple(stage.arguments))


def comparing_content(stage: Stage) -> Act:
    """The data of encrypted volumes, with another key on either side."""
    arn = stage.key(WEST)
    volume = Volume(gib=1, encrypted=True, kms_key_id=stage.key(HOME), content=MadeUp("x", 2))
    source = stage.world.register(HOME, name="secret", volumes=[volume])
    stage.amicopy("copy", source.image_id, *TO, "--kms-key", f"{WEST}={arn}")
    stage.arguments = ["verify", source.image_id, "--from", HOME, "--in", WEST, "--content", "sample"]
    return stage.runs(tuple(stage.arguments))


def scanning(stage: Stage) -> Act:
    """The content of an encrypted AMI."""
    stage.arguments = ["scan", stage.encrypted().image_id, "--from", HOME, "--fail-on", "never"]
    return stage.runs(tuple(stage.arguments))


def scanning_before_copying(stage: Stage) -> Act:
    """The same, and it is recorded on the source."""
    source = stage.encrypted()
    stage.arguments = ["copy", *TO, "--scan=refuse"]
    return stage.runs(("copy", source.image_id, *stage.arguments[1:]))


ALL = ""
# For each scene the statements whose actions it proves to be needed, by the beginning of their Sids. A scene of copy or
# sync need not prove what another one does: the actions are the same. Together they prove everything.
SCENES: dict[Scene, tuple[str, ...]] = {
    copying: ("AmicopyCopy", "AmicopyTagNew", "AmicopyManage", "AmicopySet", "AmicopyRead"),  # and quotas
    encrypting_with_defaults: ("AmicopyKms", "AmicopyRead"),
    encrypting_with_an_arn: ("AmicopyKms",),
    encrypting_with_an_alias: ("AmicopyKms",),
    adopting: ("AmicopyTagAdopted", "AmicopyManage"),
    syncing: ("AmicopyReadParameters", "AmicopyPublish", "AmicopyFast", "AmicopyRead"),
    repairing: (ALL,),
    checking_keys: ("AmicopyKms",),
    comparing_content: ("AmicopyReadBlocks", "AmicopyKmsReadBlocks"),
    scanning: (ALL,),
    scanning_before_copying: ("AmicopyReadBlocks", "AmicopyKmsReadBlocks", "AmicopyRecordScan"),
    cancelling: (ALL,),
    retiring: (ALL,),
    restoring: (ALL,),
    booting: (ALL,),
    checking_boot: ("AmicopyRead", "AmicopyBoot", "AmicopyTagInstances"),
    showing: (ALL,),
}


@pytest.fixture
def new_stage(
    amicopy: Run, sandbox: Sandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[], Stage]]:
    """Return what starts over, with an empty world in which policies are enforced."""
    callers: list[Caller] = []

    def start() -> Stage:
        world = sandbox.reset(clock=clock, enforce_iam=True)
        caller = Caller(sandbox, monkeypatch)
        callers.append(caller)
        caller.may(EVERYTHING)
        return Stage(amicopy, world, caller, clock, tmp_path)

    yield start
    for caller in callers:
        caller.close()


def outcome(stage: Stage, act: Act, document: Any) -> tuple[list[str], list[Ran]]:
    """Return what goes wrong with a policy, and the runs: calls that were denied, exit codes, copies that failed."""
    stage.caller.may(document)
    stage.world.requests.clear()
    ran = act()
    failed = [image.image_id for image in stage.world.images(WEST) if image.state == "failed"]
    return [*denied(stage.world), *failed, *(f"exit {one.code}" for one in ran if one.code)], ran


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_command_runs_with_its_policy(new_stage: Callable[[], Stage], scene: Scene) -> None:
    stage = new_stage()
    act = scene(stage)
    wrong, ran = outcome(stage, act, printed(stage.amicopy, *stage.arguments))
    assert wrong == [], ran[-1].err


def needed(
    new_stage: Callable[[], Stage], scene: Scene, proven: Collection[tuple[str, str]] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the actions without which a scene goes wrong, with the Sids of their statements; not those ``proven``."""
    stage = new_stage()
    scene(stage)
    for sid, action in each_action(printed(stage.amicopy, *stage.arguments)):
        if not sid.startswith(SCENES[scene]) or (sid, action) in proven:
            continue
        stage = new_stage()
        act = scene(stage)
        wrong, _ = outcome(stage, act, without(printed(stage.amicopy, *stage.arguments), action, sid))
        if wrong:
            yield sid, action


def allowed(new_stage: Callable[[], Stage], scene: Scene) -> set[tuple[str, str]]:
    """Return every action of a scene's policy that the sandbox enforces."""
    stage = new_stage()
    scene(stage)
    return {one for one in each_action(printed(stage.amicopy, *stage.arguments)) if one[0] not in NOT_ENFORCED}


def test_nothing_in_the_policies_of_copies_can_be_spared(new_stage: Callable[[], Stage]) -> None:
    scenes = [scene for scene in SCENES if ALL not in SCENES[scene] and scene is not checking_keys]
    proven: set[tuple[str, str]] = set()
    for scene in scenes:
        proven |= set(needed(new_stage, scene, proven))
    assert {scene.__name__: allowed(new_stage, scene) - proven for scene in scenes} == {
        scene.__name__: set() for scene in scenes
    }


@pytest.mark.parametrize(
    "scene", [repairing, scanning, cancelling, retiring, restoring, booting, showing], ids=lambda scene: scene.__name__
)
def test_nothing_in_a_policy_can_be_spared(new_stage: Callable[[], Stage], scene: Scene) -> None:
    assert allowed(new_stage, scene) - set(needed(new_stage, scene)) == set()


def test_verify_needs_to_look_at_a_named_key(new_stage: Callable[[], Stage]) -> None:
    assert set(needed(new_stage, checking_keys)) == {("AmicopyKmsDescribeKeys", "kms:DescribeKey")}
