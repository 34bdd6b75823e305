"""``amicopy cancel`` and ``amicopy status`` as whole commands against the sandbox."""

import json
import signal
from collections import Counter
from datetime import timedelta

import pytest

from amicopy.aws.session import Session
from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.clock import Wakes
from amicopy.core.errors import CopyFinished
from amicopy.core.parallel import Stop
from amicopy.execute.cancel import TargetState
from amicopy.jobs.cancel import CancelJob
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Volume
from amicopy.sandbox.world import World
from tests.commands.copy.test_copy import writes
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import copied_by_hand

VOLUMES = [
    Volume(device="/dev/sda1", gib=8, tags={"Name": "root"}),
    Volume(device="/dev/sdf", gib=20, tags={"Name": "data"}),
]


@pytest.fixture
def source(world: World) -> str:
    """A private two-volume image in us-east-1."""
    return world.register("us-east-1", name="web", volumes=VOLUMES).image_id


def pending_copy(amicopy: Run, clock: FakeClock, source: str, region: str = "us-west-2") -> str:
    """Start a copy and leave it pending; return its id."""
    started = amicopy("copy", source, "--to", region, "--no-wait")
    assert started.code == 0, started.err
    clock.advance(3)
    return started.out.split()[1]


def test_a_pending_copy_and_its_snapshots_are_removed_with_a_verdict_each(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    copy = pending_copy(amicopy, clock, source)
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == f"us-west-2 {copy} cancelled"
    assert [line.split()[2] for line in lines[1:]] == ["deleted", "deleted"]
    assert world.images("us-west-2") == []
    assert world.snapshots("us-west-2") == []


def test_snapshots_that_appear_after_the_copy_was_stopped_are_removed_too(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    world.state.timing = Timing(snapshots_listed_after=8)
    pending_copy(amicopy, clock, source)
    assert world.call("DescribeSnapshots", {"OwnerIds": ["self"]}, region="us-west-2")["Snapshots"] == []
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes")
    assert ran.code == 0, ran.err
    assert "cancelled" in ran.out
    assert world.snapshots("us-west-2") == []


def test_snapshots_of_a_copy_that_failed_a_moment_ago_are_removed_once_they_appear(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    world.state.timing = Timing(snapshots_listed_after=25)
    world.state.unconfirmed = Unconfirmed(pending_mappings_omit_snapshots=False)
    world.inject(parse_fault("copy=fail:Client.InternalError: no"))
    assert amicopy("copy", source, "--to", "us-west-2").code == 1
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes")
    assert ran.code == 0, ran.err
    assert world.images("us-west-2") == []
    assert world.snapshots("us-west-2") == []


def test_snapshots_of_a_copy_that_failed_long_ago_are_not_waited_for(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    world.inject(parse_fault("copy=fail:Client.InternalError: no"))
    assert amicopy("copy", source, "--to", "us-west-2").code == 1
    clock.advance(3600)
    for snapshot_id in world.images("us-west-2")[0].snapshot_ids:
        del world.state.snapshots["us-west-2"][snapshot_id]
    begun = clock.now()
    assert amicopy("cancel", source, "--in", "us-west-2", "--yes").code == 0
    assert clock.now() == begun


def test_snapshots_left_behind_by_an_earlier_removal_are_found_by_our_tag(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    copy = pending_copy(amicopy, clock, source)
    world.call("DeregisterImage", {"ImageId": copy}, region="us-west-2")
    assert len(world.snapshots("us-west-2")) == 2
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes")
    assert ran.code == 0, ran.err
    assert world.snapshots("us-west-2") == []
    assert f"it was made for {copy}, which is gone" in ran.err


def test_a_snapshot_that_another_image_uses_is_kept_and_said_so(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    done = amicopy("copy", source, "--to", "us-west-2")
    copy = world.image("us-west-2", done.out.split()[1])
    used = copy.snapshot_ids[0]
    world.call(
        "RegisterImage",
        {
            "Name": "built on it",
            "RootDeviceName": "/dev/sda1",
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": used}}],
        },
        region="us-west-2",
    )
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes", "--available")
    assert ran.code == 3
    assert f"{used} in us-west-2 is still there, kept: another AMI uses it" in ran.err
    assert [one.snapshot_id for one in world.snapshots("us-west-2")] == [used]


def test_a_protected_copy_is_explained_and_left(amicopy: Run, world: World, source: str) -> None:
    done = amicopy("copy", source, "--to", "us-west-2")
    copy = done.out.split()[1]
    world.call("EnableImageDeregistrationProtection", {"ImageId": copy}, region="us-west-2")
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes", "--available")
    assert ran.code == 1
    assert "deregistration protection is on" in ran.err
    assert len(world.images("us-west-2")) == 1


def test_a_finished_copy_is_left_alone_unless_asked(amicopy: Run, world: World, source: str) -> None:
    amicopy("copy", source, "--to", "us-west-2")
    world.requests.clear()
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes")
    assert ran.code == 0
    assert "only with --available" in ran.err
    assert writes(world) == []
    removed = amicopy("cancel", source, "--in", "us-west-2", "--yes", "--available")
    assert removed.code == 0
    assert world.images("us-west-2") == []


def test_a_copy_that_becomes_available_while_cancel_asks_is_left_alone(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    copy = pending_copy(amicopy, clock, source)
    job = CancelJob(Environment(clock=clock).context(Session()), [source], ["us-west-2"])
    found = job.find()
    assert [target.state for target in found.targets] == [TargetState.CANCEL]
    clock.advance(60)
    removed = job.remove(found)
    assert [(one.state, one.reason) for one in removed.targets] == [
        (TargetState.KEEP, "it is available; finished copies are removed only with --available")
    ]
    assert removed.exit_code == 1
    [error] = [one.error for one in removed.targets]
    assert isinstance(error, CopyFinished)
    assert error.next_step.endswith(f"amicopy cancel --copy {copy} --in us-west-2 --available")
    assert [image.image_id for image in world.images("us-west-2")] == [copy]


def test_a_copy_that_something_uses_stays_unless_that_is_said(amicopy: Run, world: World, source: str) -> None:
    amicopy("copy", source, "--to", "us-west-2,eu-west-1")
    [used] = [image.image_id for image in world.images("us-west-2")]
    world.state.references[used] = [("ec2:LaunchTemplate", "arn:aws:ec2:us-west-2:1:launch-template/lt-1")]
    ran = amicopy("cancel", source, "--in", "us-west-2,eu-west-1", "--available", "--yes")
    assert ran.code == 3, ran.err
    assert "launch template lt-1 uses it; to remove it anyway: --in-use" in ran.err
    assert [image.image_id for image in world.images("us-west-2")] == [used]
    assert world.images("eu-west-1") == []
    forced = amicopy("cancel", "--copy", used, "--in", "us-west-2", "--available", "--in-use", "--yes")
    assert (forced.code, world.images("us-west-2")) == (0, [])


def test_where_nobody_knows_what_uses_a_copy_that_is_said(amicopy: Run, world: World, source: str) -> None:
    amicopy("copy", source, "--to", "us-west-2")
    [copy] = [image.image_id for image in world.images("us-west-2")]
    world.inject(parse_fault("DescribeImageReferences=error:403 UnauthorizedOperation: no*always"))
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert (ran.code, world.images("us-west-2")) == (0, [])
    assert f"note: {copy} in us-west-2: ec2:DescribeImageReferences is not allowed, so it is not known" in ran.err


def test_what_uses_a_copy_is_asked_again_while_ec2_throttles(amicopy: Run, world: World, source: str) -> None:
    amicopy("copy", source, "--to", "us-west-2")
    [used] = [image.image_id for image in world.images("us-west-2")]
    world.state.references[used] = [("ec2:LaunchTemplate", "arn:aws:ec2:us-west-2:1:launch-template/lt-1")]
    world.inject(parse_fault("DescribeImageReferences=throttle*2"))
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert (ran.code, [image.image_id for image in world.images("us-west-2")]) == (1, [used]), ran.err


def test_in_use_is_about_available_copies(amicopy: Run, source: str) -> None:
    ran = amicopy("cancel", source, "--in", "us-west-2", "--in-use")
    assert (ran.code, "--in-use requires --available" in ran.err) == (2, True)


def test_what_was_not_made_from_the_named_source_is_never_touched(amicopy: Run, world: World, source: str) -> None:
    """Same name, our tag by hand, made from an instance: none of these is a copy."""
    tag = {"amicopy:source": f"us-east-1/{source}"}
    other = world.register("us-east-1", name="other", volumes=VOLUMES)
    amicopy("copy", other.image_id, "--to", "us-west-2")
    stranger = world.images("us-west-2")[0]
    stranger.tags |= tag
    same_name = world.register("us-west-2", name="web", volumes=VOLUMES)
    from_instance = world.register(
        "us-west-2", name="web-2", volumes=VOLUMES, tags=tag, source_instance_id="i-0123456789abcdef0"
    )
    world.requests.clear()
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes", "--available")
    assert ran.code == 0
    assert writes(world) == []
    assert {image.image_id for image in world.images("us-west-2")} == {
        stranger.image_id,
        same_name.image_id,
        from_instance.image_id,
    }


@pytest.mark.parametrize("seconds", [0, 60])
@pytest.mark.parametrize("tags", [{}, {"amicopy:source": "", "aws:backup:source-resource": "x"}])
def test_copies_that_others_made_are_kept_unless_they_are_named_themselves(
    amicopy: Run, world: World, clock: FakeClock, source: str, seconds: int, tags: dict[str, str]
) -> None:
    theirs = copied_by_hand(world, world.image("us-east-1", source), "us-west-2")
    world.image("us-west-2", theirs).tags = {key: value or f"us-east-1/{source}" for key, value in tags.items()}
    ours = pending_copy(amicopy, clock, source)
    clock.advance(seconds)
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert ran.code == 0, ran.err
    assert f"us-west-2 {ours} cancelled" in ran.out
    assert f"amicopy did not make it; to remove it: amicopy cancel --copy {theirs} --in us-west-2" in ran.err
    assert [image.image_id for image in world.images("us-west-2")] == [theirs]
    assert amicopy("cancel", "--copy", theirs, "--in", "us-west-2", "--available", "--yes").code == 0
    assert world.images("us-west-2") == []


def test_a_copy_of_ours_that_only_its_snapshots_show_to_be_ours_is_removed(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    copy = pending_copy(amicopy, clock, source)
    del world.image("us-west-2", copy).tags["amicopy:source"]
    assert amicopy("cancel", source, "--in", "us-west-2", "--yes").code == 0
    assert world.images("us-west-2") == []


@pytest.mark.parametrize("named", [("{}",), ("--copy", "{}"), ("{}", "--from", "us-west-2")])
def test_an_image_that_is_not_a_copy_is_never_removed(
    amicopy: Run, world: World, source: str, named: tuple[str, ...]
) -> None:
    ran = amicopy("cancel", *(word.format(source) for word in named), "--in", "us-east-1", "--yes", "--available")
    assert ran.code == 0
    assert world.image("us-east-1", source)


def chain(amicopy: Run, source: str) -> tuple[str, str]:
    """Copy a copy: us-east-1 to us-west-2 to eu-west-1; return the ids of both copies."""
    second = amicopy("copy", source, "--to", "us-west-2").out.split()[1]
    third = amicopy("copy", second, "--from", "us-west-2", "--to", "eu-west-1").out.split()[1]
    return second, third


@pytest.mark.parametrize("where", ["all", "us-west-2"])
def test_a_source_that_is_a_copy_itself_is_never_removed(amicopy: Run, world: World, source: str, where: str) -> None:
    second, third = chain(amicopy, source)
    ran = amicopy("cancel", second, "--from", "us-west-2", "--in", where, "--available", "--yes")
    assert ran.code == 0, ran.err
    assert f"amicopy cancel --copy {second} --in us-west-2" in ran.err
    assert world.image("us-west-2", second)
    assert [image.image_id for image in world.images("eu-west-1")] == ([] if where == "all" else [third])


@pytest.mark.parametrize("named", [("{}",), ("--copy", "{}")])
def test_a_copy_that_is_the_source_of_others_is_not_removed_by_its_own_id(
    amicopy: Run, world: World, source: str, named: tuple[str, ...]
) -> None:
    second, _ = chain(amicopy, source)
    ran = amicopy("cancel", *(word.format(second) for word in named), "--in", "all", "--available", "--yes")
    assert ran.code == 0, ran.err
    assert "it is the source of other copies" in ran.err
    assert world.image("us-west-2", second)


def test_copy_removes_a_copy_of_the_source_region_and_nothing_else(amicopy: Run, world: World, source: str) -> None:
    copy = amicopy("copy", source, "--to", "us-east-1,us-west-2", "--encrypt").out.split()[1]
    ran = amicopy("cancel", "--copy", copy, "--in", "us-east-1", "--available", "--yes")
    assert ran.code == 0, ran.err
    assert [image.image_id for image in world.images("us-east-1")] == [source]
    assert len(world.images("us-west-2")) == 1


def test_all_pending_spares_a_copy_of_our_copy_that_carries_our_tag(
    amicopy: Run, world: World, source: str, clock: FakeClock
) -> None:
    second = amicopy("copy", source, "--to", "us-west-2").out.split()[1]
    theirs = {"SourceRegion": "us-west-2", "SourceImageId": second, "Name": "theirs", "CopyImageTags": True}
    answer = world.call("CopyImage", theirs, region="eu-west-1")
    clock.advance(1)  # until EC2 shows it
    ran = amicopy("cancel", "--all-pending", "--in", "eu-west-1", "--yes")
    assert ran.code == 0, ran.err
    assert [image.image_id for image in world.images("eu-west-1")] == [answer["ImageId"]]


def test_all_pending_spares_a_backup_services_copy_that_carries_our_tag(
    amicopy: Run, world: World, source: str, clock: FakeClock
) -> None:
    theirs = copied_by_hand(world, world.image("us-east-1", source), "us-west-2")
    tags = {"amicopy:source": f"us-east-1/{source}", "aws:backup:source-resource": "x"}
    world.image("us-west-2", theirs).tags = tags
    clock.advance(1)  # until EC2 shows it
    assert amicopy("cancel", "--all-pending", "--in", "us-west-2", "--yes").code == 0
    assert [image.image_id for image in world.images("us-west-2")] == [theirs]


def test_an_available_image_that_ec2_records_no_source_for_is_not_removed(
    amicopy: Run, world: World, source: str
) -> None:
    tags = {"amicopy:source": f"us-east-1/{source}"}
    restored = world.register("us-west-2", name="restored", volumes=VOLUMES, tags=tags)
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert (ran.code, "EC2 records no source for it" in ran.err) == (0, True)
    assert world.image("us-west-2", restored.image_id)


def test_a_copy_is_removed_by_its_own_id(amicopy: Run, world: World, clock: FakeClock, source: str) -> None:
    copy = pending_copy(amicopy, clock, source)
    ran = amicopy("cancel", copy, "--in", "us-west-2", "--yes")
    assert ran.code == 0, ran.err
    assert world.images("us-west-2") == []


def test_without_a_terminal_cancel_needs_to_be_told_yes(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    pending_copy(amicopy, clock, source)
    world.requests.clear()
    ran = amicopy("cancel", source, "--in", "us-west-2")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert writes(world) == []


def test_a_rehearsed_cancel_removes_nothing(amicopy: Run, world: World, clock: FakeClock, source: str) -> None:
    copy = pending_copy(amicopy, clock, source)
    world.requests.clear()
    ran = amicopy("cancel", source, "--in", "us-west-2", "--dry-run")
    assert ran.code == 0
    assert f"us-west-2 {copy} cancel" in ran.out
    assert writes(world) == []


def test_nothing_to_cancel_is_no_failure(amicopy: Run, source: str) -> None:
    ran = amicopy("cancel", source, "--in", "us-west-2,eu-west-1", "--yes")
    assert ran.code == 0
    assert "nothing to cancel" in ran.err


def test_one_region_that_refuses_does_not_stop_the_others(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    pending_copy(amicopy, clock, source)
    pending_copy(amicopy, clock, source, "eu-west-1")
    world.inject(parse_fault("DeregisterImage@eu-west-1=error:403 UnauthorizedOperation: You are not authorized."))
    ran = amicopy("cancel", source, "--in", "us-west-2,eu-west-1", "--yes", "--output", "json")
    assert ran.code == 3
    assert [target["state"] for target in ran.json["targets"]] == ["cancelled", "failed"]
    assert "ec2:DeregisterImage" in ran.err
    assert world.images("us-west-2") == []


def test_status_shows_every_copy_its_progress_and_what_is_missing(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    done = amicopy("copy", source, "--to", "us-west-2")
    pending = pending_copy(amicopy, clock, source, "eu-west-1")
    world.image("us-east-1", source).launch_permissions.add("111122223333")
    ran = amicopy("status", source, "--output", "json")
    assert ran.code == 0, ran.err
    copies = {one["region"]: one for one in ran.json["copies"]}
    assert copies["us-west-2"]["image_id"] == done.out.split()[1]
    assert copies["us-west-2"]["missing"] == [f"{done.out.split()[1]} is not shared with 111122223333"]
    assert copies["eu-west-1"]["image_id"] == pending
    assert copies["eu-west-1"]["state"] == "pending"
    assert 0 < copies["eu-west-1"]["percent"] < 100


def test_status_of_a_source_that_is_gone_still_shows_its_copies(amicopy: Run, world: World, source: str) -> None:
    done = amicopy("copy", source, "--to", "us-west-2")
    world.call("DeregisterImage", {"ImageId": source}, region="us-east-1")
    ran = amicopy("status", source, "--output", "text")
    assert ran.code == 0
    assert ran.out == f"us-west-2 {done.out.split()[1]} {source} available\n"
    assert "compared with each other" in ran.err


def test_watching_ends_when_nothing_is_pending_any_more(amicopy: Run, clock: FakeClock, source: str) -> None:
    copy = pending_copy(amicopy, clock, source)
    ran = amicopy("status", source, "--watch", "--output", "text", "--in", "us-west-2")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"us-west-2 {copy} {source} pending"
    assert ran.out.splitlines()[-1] == f"us-west-2 {copy} {source} available"


def test_watching_asks_for_states_alone_until_one_changes(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    world.state.timing = Timing(copy_seconds=120)
    pending_copy(amicopy, clock, source)
    world.requests.clear()
    assert amicopy("status", source, "--watch", "--in", "us-west-2").code == 0
    asked = Counter(one.operation for one in world.requests)
    assert asked["DescribeImages"] > 20
    assert asked["DescribeImageAttribute"] <= 4
    assert asked["DescribeSnapshotAttribute"] <= 8


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_before_ec2_has_listed_all_snapshots_says_how_to_remove_them(
    amicopy: Run,
    capsys: pytest.CaptureFixture[str],
    world: World,
    clock: FakeClock,
    source: str,
    number: int,
    code: int,
) -> None:
    world.state.timing = Timing(snapshots_listed_after=25)
    copy = pending_copy(amicopy, clock, source)
    stop = Stop()

    class Interrupting(FakeClock):
        def sleep(self, seconds: float, until: Wakes | None = None) -> None:
            stop.signal_number = number
            stop.set()

    command = ("cancel", source, "--in", "us-west-2", "--yes", "--output", "json")
    assert main(command, Environment(clock=Interrupting(clock.now()), stop=stop)) == code
    said = capsys.readouterr()
    assert f"{copy} in us-west-2 was deregistered, but before EC2 listed 2 of its 2 snapshots" in said.err
    [target] = json.loads(said.out)["targets"]
    assert (target["state"], target["error"]["slug"]) == ("cancelled", "interrupted")
    clock.advance(600)
    advice = target["error"]["next"].partition("amicopy ")[2]
    assert advice == f"cancel --copy {copy} --in us-west-2 --available"
    assert amicopy(*advice.split(), "--yes").code == 0
    assert world.snapshots("us-west-2") == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("form", ["table", "json"])
def test_watching_is_stopped_without_an_error(
    amicopy: Run,
    capsys: pytest.CaptureFixture[str],
    clock: FakeClock,
    source: str,
    number: int,
    code: int,
    form: str,
) -> None:
    """What was shown last stays, and is all that there is on stdout."""
    pending_copy(amicopy, clock, source)
    stop = Stop()

    class Interrupting(FakeClock):
        def sleep(self, seconds: float, until: Wakes | None = None) -> None:
            stop.signal_number = number
            stop.set()

    command = ("status", source, "--watch", "--in", "us-west-2", "--output", form)
    assert main(command, Environment(clock=Interrupting(clock.now()), stop=stop)) == code
    said = capsys.readouterr()
    assert said.err == "stopped watching; EC2 is still copying 1 of 1 copy\n"
    states = [one["state"] for one in json.loads(said.out)["copies"]] if form == "json" else said.out.split()
    assert "pending" in states


def test_watching_waits_for_a_copy_that_ec2_does_not_show_yet(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    world.state.timing = Timing(visible_after=20)
    started = amicopy("copy", source, "--to", "us-west-2", "--no-wait")
    ran = amicopy("status", source, "--watch", "--output", "text", "--in", "us-west-2")
    assert ran.out.splitlines()[-1] == f"us-west-2 {started.out.split()[1]} {source} available"


def test_watching_for_a_copy_that_nobody_made_ends_after_a_minute(amicopy: Run, clock: FakeClock, source: str) -> None:
    began = clock.now()
    ran = amicopy("status", source, "--watch", "--in", "us-west-2")
    assert "no copy yet" in ran.err
    assert timedelta(minutes=1) <= clock.now() - began < timedelta(minutes=2)


def test_every_pending_copy_of_ours_is_found_without_naming_its_source(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    world.state.timing = Timing(copy_seconds=60)
    other = world.register("us-east-1", name="other", volumes=VOLUMES).image_id
    for one in (source, other):
        pending_copy(amicopy, clock, one)
    world.call(
        "CopyImage", {"Name": "by hand", "SourceImageId": source, "SourceRegion": "us-east-1"}, region="us-west-2"
    )
    clock.advance(1)
    ran = amicopy("cancel", "--all-pending", "--in", "us-west-2", "--yes")
    assert ran.code == 0, ran.err
    assert [image.name for image in world.images("us-west-2")] == ["by hand"]


def test_the_account_is_shown_before_anything_is_removed(amicopy: Run, clock: FakeClock, source: str) -> None:
    pending_copy(amicopy, clock, source)
    refused = amicopy("cancel", source, "--in", "us-west-2")
    assert f"Remove 1 copy from account {DEFAULT_ACCOUNT}?" in refused.err
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes", "--output", "json")
    assert f"removing 1 copy from account {DEFAULT_ACCOUNT}\n" in ran.err
    assert [target["account"] for target in ran.json["targets"]] == [DEFAULT_ACCOUNT]


def test_a_snapshot_whose_deletion_is_throttled_is_deleted_later(
    amicopy: Run, world: World, clock: FakeClock, source: str
) -> None:
    """An orphan, and a snapshot that EC2 does not list as the image's own yet: both need DeleteSnapshot."""
    pending_copy(amicopy, clock, source)
    [image] = world.images("us-west-2")
    world.call("DeregisterImage", {"ImageId": image.image_id}, region="us-west-2")
    assert len(world.snapshots("us-west-2")) == 2
    world.inject(parse_fault("DeleteSnapshot@us-west-2=throttle*3"))
    ran = amicopy("cancel", source, "--in", "us-west-2", "--yes")
    assert (ran.code, "kept" in ran.out) == (0, False), ran.err
    assert world.snapshots("us-west-2") == []


def deregistered_by_hand(amicopy: Run, world: World, source: str) -> str:
    """Finish a copy and deregister it without its snapshots, as the console does; return its id."""
    assert amicopy("copy", source, "--to", "us-west-2", "-q").code == 0
    [image] = world.images("us-west-2")
    world.call("DeregisterImage", {"ImageId": image.image_id}, region="us-west-2")
    return image.image_id


def test_snapshots_of_an_ami_in_the_recycle_bin_are_kept(amicopy: Run, world: World, source: str) -> None:
    world.settings("us-west-2").image_retention_days = 7
    gone = deregistered_by_hand(amicopy, world, source)
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert f"it was made for {gone}, which is in the Recycle Bin" in ran.err
    world.call("RestoreImageFromRecycleBin", {"ImageId": gone}, region="us-west-2")
    assert [image.image_id for image in world.images("us-west-2")] == [gone]


def test_if_the_recycle_bin_may_not_be_looked_at_finished_snapshots_are_kept(
    amicopy: Run, world: World, source: str
) -> None:
    deregistered_by_hand(amicopy, world, source)
    world.inject(parse_fault("ListImagesInRecycleBin=error:403 UnauthorizedOperation: You are not authorized."))
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert (ran.code, ran.out, len(world.snapshots("us-west-2"))) == (0, "", 2)
    assert "ec2:ListImagesInRecycleBin is not allowed" in ran.err


@pytest.mark.parametrize("fault", ["", "ListImagesInRecycleBin=error:InvalidAction: There is no such action."])
def test_without_a_recycle_bin_finished_snapshots_of_an_ami_that_is_gone_are_removed(
    amicopy: Run, world: World, source: str, fault: str
) -> None:
    deregistered_by_hand(amicopy, world, source)
    if fault:
        world.inject(parse_fault(fault))
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert (ran.code, world.snapshots("us-west-2")) == (0, []), ran.err


def test_a_snapshot_that_is_in_the_recycle_bin_itself_is_kept(amicopy: Run, world: World, source: str) -> None:
    deregistered_by_hand(amicopy, world, source)
    for snapshot in world.snapshots("us-west-2"):
        snapshot.state = "recoverable"
    ran = amicopy("cancel", source, "--in", "us-west-2", "--available", "--yes")
    assert (ran.out, len(world.snapshots("us-west-2"))) == ("", 2)
    assert "it is recoverable" in ran.err
