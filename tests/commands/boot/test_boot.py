"""``amicopy boot``: each copy is launched, watched and terminated, whatever happens."""

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto.ec2.models import ec2_backends

from amicopy.aws.session import Session
from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.parallel import Stop
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.settings import KEY_PREFIX
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, writes

LAUNCH = "RunInstances"


@pytest.fixture
def source(amicopy: Run, world: World) -> Image:
    """A source with a copy in two regions; an instance takes two minutes to pass its checks."""
    volumes = [Volume(device="/dev/sda1", gib=8), Volume(device="/dev/sdf", gib=8, delete_on_termination=False)]
    image = a_source(world, volumes=volumes)
    assert amicopy("copy", image.image_id, "--to", f"{WEST},{EAST}").code == 0
    world.state.timing = replace(world.state.timing, running_seconds=10, checked_seconds=120)
    world.requests.clear()
    return image


def instances(region: str = WEST) -> list[Any]:
    """Return every instance in a region, terminated ones included."""
    found = Session().client("ec2", region).describe_instances()["Reservations"]
    return [instance for one in found for instance in one["Instances"]]


def running(*regions: str) -> list[str]:
    """Return the instances that still cost something."""
    ended = {"shutting-down", "terminated"}
    found = [one for region in regions or (WEST, EAST) for one in instances(region)]
    return [one["InstanceId"] for one in found if one["State"]["Name"] not in ended]


def launches(world: World) -> list[Any]:
    """Return the parameters of every launch."""
    return [one.params for one in asked(world, LAUNCH)]


def test_every_copy_is_launched_and_passes_and_nothing_runs_afterwards(
    amicopy: Run, world: World, clock: FakeClock, source: Image
) -> None:
    begun = clock.now()
    ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err
    [west], [east] = world.images(WEST), world.images(EAST)
    assert ran.out == f"{WEST} {west.image_id} passed\n{EAST} {east.image_id} passed\n"
    assert (running(), len(instances(WEST)), len(instances(EAST))) == ([], 1, 1)
    assert (clock.now() - begun).total_seconds() >= 120


def test_what_is_launched_has_no_key_and_no_address_and_goes_with_everything(
    amicopy: Run, world: World, source: Image
) -> None:
    assert amicopy("boot", "--yes", source.image_id, "--in", WEST).code == 0
    [sent] = launches(world)
    [copy] = world.images(WEST)
    assert sent["ImageId"] == copy.image_id
    assert "KeyName" not in sent
    [network] = sent["NetworkInterfaces"]
    assert (network["AssociatePublicIpAddress"], network["DeleteOnTermination"]) == (False, True)
    assert sent["MetadataOptions"]["HttpTokens"] == "required"
    assert sent["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert {one["DeviceName"]: one["Ebs"] for one in sent["BlockDeviceMappings"]} == {
        "/dev/sda1": {"DeleteOnTermination": True},
        "/dev/sdf": {"DeleteOnTermination": True},
    }
    tags = {one["ResourceType"]: one["Tags"] for one in sent["TagSpecifications"]}
    kinds = {kind: {tag["Key"]: tag["Value"] for tag in some} for kind, some in tags.items()}
    assert kinds["instance"]["amicopy:boot"] == kinds["volume"]["amicopy:boot"] == copy.image_id
    assert len(sent["ClientToken"]) <= 64


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, "t3.micro"),
        ({"architecture": "arm64"}, "t4g.micro"),
        ({"platform": "windows"}, "t3.medium"),
        ({"ena": False}, "t2.micro"),
        ({"supported_instance_types": ["m5.*", "c5.large"]}, "m5.large"),
        ({"supported_instance_types": ["c5.large"]}, "c5.large"),
        ({"unsupported_instance_types": ["t3.*"]}, "t3a.micro"),
    ],
    ids=str,
)
def test_the_instance_type_suits_the_image(amicopy: Run, world: World, members: dict[str, Any], expected: str) -> None:
    image = a_source(world, **members)
    ran = amicopy("boot", "--yes", image.image_id, "--in", HOME)
    assert ran.code == 0, ran.err
    assert [one["InstanceType"] for one in launches(world)] == [expected]


def test_the_console_is_waited_for_and_shown(amicopy: Run, world: World, source: Image) -> None:
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--expect", r"login:\s*$", "--output", "json")
    [image] = ran.json["images"]
    assert (ran.code, image["state"], image["ending"]) == (0, "passed", r"showed 'login:\\s*$' on its console")
    assert image["console"][-1] == "sandbox login: "
    assert asked(world, "DescribeInstanceStatus") == []


def test_an_instance_that_fails_its_check_is_explained_by_its_console(
    amicopy: Run, world: World, source: Image
) -> None:
    order(world, f"launch@{WEST}=unhealthy")
    ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},{EAST}")
    assert (ran.code, running()) == (3, [])
    assert "did not pass the instance status check" in ran.err
    assert "Kernel panic - not syncing" in ran.err


def test_an_instance_that_never_passes_ends_with_the_time_limit(amicopy: Run, world: World, source: Image) -> None:
    order(world, "launch=unchecked")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--timeout", "4m")
    assert (ran.code, running()) == (1, [])
    assert "did not pass both status checks within 4m (system: initializing, instance: initializing)" in ran.err
    order(world, "launch=unchecked")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST, "--timeout", "4m", "--expect", "login")
    assert "did not show 'login' on its console within 4m" in ran.err


def test_an_instance_that_ends_by_itself_is_said_so(amicopy: Run, world: World, source: Image) -> None:
    order(world, "launch=dies:40")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST)
    assert (ran.code, running()) == (1, [])
    assert "ended by itself" in ran.err
    assert "Instance initiated shutdown" in ran.err


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("InsufficientInstanceCapacity", "EC2 has no capacity for this instance type at the moment"),
        ("VcpuLimitExceeded", "The account's quota of vCPUs is used up"),
        ("VPCIdNotSpecified", "The account has no default VPC there"),
    ],
)
def test_a_refused_launch_says_why_and_what_to_do(
    amicopy: Run, world: World, source: Image, code: str, advice: str
) -> None:
    order(world, f"{LAUNCH}@{WEST}=error:{code}: no*always after 1")  # the first is the rehearsal
    ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},{EAST}")
    assert (ran.code, running()) == (3, [])
    assert (code in ran.err, advice in ran.err) == (True, True)


def test_what_can_be_known_is_refused_before_the_first_launch(amicopy: Run, world: World, source: Image) -> None:
    for options, words in (
        (("--instance-type", "t9.tiny"), f"{WEST} has no instance type t9.tiny."),
        (("--subnet", f"{WEST}=subnet-0123456789abcdef0"), f"{WEST} has no subnet subnet-0123456789abcdef0."),
    ):
        ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},{EAST}", *options)
        assert (ran.code, words in ran.err) == (1, True), ran.err
    order(world, f"{LAUNCH}@{WEST}=error:403 UnauthorizedOperation: no")
    ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},{EAST}")
    assert (ran.code, "Allow ec2:RunInstances" in ran.err) == (6, True)
    assert launches(world) == []


def test_without_a_default_vpc_nothing_is_launched(amicopy: Run, world: World, source: Image) -> None:
    ec2 = boto3.client("ec2", WEST)
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.close()
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST)
    assert (ran.code, f"{WEST} has no default VPC." in ran.err, launches(world)) == (1, True, [])


def test_bad_options_are_refused_without_a_call(amicopy: Run, world: World) -> None:
    for options in (
        ("--expect", "("),
        ("--instance-type", "huge"),
        ("--subnet", "subnet-x"),
        ("--timeout", "5s"),
    ):
        ran = amicopy("boot", "--yes", "ami-0abcdef1234567890", "--in", WEST, *options)
        assert (ran.code, "[usage]" in ran.err) == (2, True)
    assert world.requests == []


def test_the_dry_run_shows_cost_and_permissions_and_launches_nothing(amicopy: Run, world: World, source: Image) -> None:
    ran = amicopy("boot", source.image_id, "--in", f"{WEST},{EAST}", "--dry-run")
    assert (ran.code, launches(world)) == (0, [])
    assert "costs: 2 instances for at most 15 minutes, volumes included; about 0.021 USD an hour" in ran.err
    assert "amicopy iam-policy boot" in ran.err


def test_nothing_is_launched_without_a_yes(amicopy: Run, world: World, source: Image) -> None:
    ran = amicopy("boot", source.image_id, "--in", f"{WEST},{EAST}", "--quiet")
    assert (ran.code, launches(world)) == (2, [])
    assert f"Launch 2 instances in {WEST}, {EAST}, about 0.021 USD an hour (price in us-east-1 for Linux)?" in ran.err
    assert amicopy("boot", source.image_id, "--in", WEST, "--yes", "--dry-run").code == 2


def test_a_subnet_of_a_region_that_is_not_tested_is_refused(amicopy: Run, world: World, source: Image) -> None:
    subnet = f"{EAST}=subnet-0123456789abcdef0"
    ran = amicopy("boot", source.image_id, "--in", WEST, "--subnet", subnet, "--yes")
    assert (ran.code, world.requests) == (2, [])
    assert f"--subnet {subnet}: {EAST} is not tested." in ran.err
    ran = amicopy("boot", source.image_id, "--in", WEST, "--subnet", "us-wset-2=subnet-0123456789abcdef0", "--yes")
    assert (ran.code, world.requests, "Did you mean us-west-2" in ran.err) == (2, [], True), ran.err
    ran = amicopy("copy", source.image_id, "--to", "ap-south-1", "--check", f"boot --subnet {subnet}")
    assert (ran.code, asked(world, "CopyImage")) == (2, [])
    assert f"--check: --subnet {subnet}: {EAST} is not tested." in ran.err


def test_an_unknown_image_is_an_error(amicopy: Run, world: World) -> None:
    ran = amicopy("boot", "--yes", "ami-0abcdef1234567890", "--in", WEST)
    assert (ran.code, launches(world)) == (1, [])


def test_a_named_region_without_a_copy_is_an_error_and_the_others_are_tested(
    amicopy: Run, world: World, source: Image
) -> None:
    ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},ap-south-1", "--output", "json")
    words = f"{source.image_id} is not in ap-south-1, and there is no copy of it that can be launched."
    assert (ran.code, ran.json["status"], [one["what"] for one in ran.json["unread"]]) == (3, "partial", [words])
    assert [(one["region"], one["state"]) for one in ran.json["images"]] == [(WEST, "passed")]
    assert f"error: {words}" in ran.err
    assert ran.err.index(f"not tested: {words}") < ran.err.index("needs:")
    assert amicopy("boot", "--yes", source.image_id, "--in", "us-west-*").code == 0


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_a_copy_in_a_named_region_that_cannot_be_launched_is_an_error(
    amicopy: Run, world: World, source: Image, state: str
) -> None:
    [copy] = world.images(EAST)
    copy.state = state
    ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},{EAST}")
    assert (ran.code, f"{copy.image_id} in {EAST} is {state}" in ran.err) == (3, True), ran.err
    ran = amicopy("boot", "--yes", source.image_id, "--in", EAST)
    assert (ran.code, f"{copy.image_id} in {EAST} is {state}" in ran.err) == (1, True), ran.err


def test_copies_that_are_named_themselves_are_tested_each_where_it_is(
    amicopy: Run, world: World, source: Image
) -> None:
    [west], [east] = world.images(WEST), world.images(EAST)
    ran = amicopy("boot", "--yes", west.image_id, east.image_id, "--in", f"{WEST},{EAST}")
    assert (ran.code, len(launches(world))) == (0, 2), ran.err
    ran = amicopy("boot", "--yes", west.image_id, "--in", f"{WEST},{EAST}")
    assert (ran.code, f"{west.image_id} is not in {EAST}" in ran.err) == (3, True), ran.err


def test_each_instance_and_how_its_test_ended_is_said_meanwhile(amicopy: Run, world: World, source: Image) -> None:
    order(world, f"launch@{EAST}=unhealthy")
    ran = amicopy("boot", "--yes", source.image_id, "--in", f"{WEST},{EAST}")
    [west], [east] = world.images(WEST), world.images(EAST)
    assert f"testing {west.image_id} in {WEST} with the instance {instances(WEST)[0]['InstanceId']}\n" in ran.err
    assert f"passed: {west.image_id} in {WEST} after " in ran.err
    assert f"failed: {east.image_id} in {EAST} after " in ran.err
    assert "testing" not in amicopy("boot", "--yes", source.image_id, "--in", WEST, "--quiet").err


def test_the_advice_for_an_unknown_image_in_a_sandbox_is_in_sentences(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"{KEY_PREFIX}{'A' * 12}")
    ran = amicopy("boot", "--yes", "ami-0abcdef1234567890", "--in", WEST)
    words = "Check the ids and the regions (amicopy status AMI). A sandbox has only its own AMIs:"
    assert words in " ".join(ran.err.split()), ran.err


def test_an_image_can_be_tested_where_it_is(amicopy: Run, world: World, source: Image) -> None:
    [copy] = world.images(EAST)
    ran = amicopy("boot", "--yes", copy.image_id, "--in", EAST)
    assert (ran.code, ran.out) == (0, f"{EAST} {copy.image_id} passed\n")


def test_a_second_test_launches_another_instance(amicopy: Run, world: World, clock: FakeClock, source: Image) -> None:
    for number in range(1, 4):
        assert amicopy("boot", "--yes", source.image_id, "--in", WEST).code == 0
        assert (len(instances()), running()) == (number, [])
        clock.advance(3600)


def test_a_token_that_ec2_has_seen_for_a_terminated_instance_is_followed_by_the_next(
    amicopy: Run, world: World, source: Image
) -> None:
    """EC2 shows terminated instances for an hour, and remembers tokens for longer."""
    assert amicopy("boot", "--yes", source.image_id, "--in", WEST).code == 0
    assert running() == []
    backend = ec2_backends["123456789012"][WEST]
    for reservation in backend.reservations.values():
        reservation.instances = []
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST)
    assert ran.code == 0, ran.err
    assert [one.error for one in asked(world, LAUNCH)][-2:] == ["IdempotentInstanceTerminated", ""]


def test_a_lost_answer_to_the_launch_makes_no_second_instance(amicopy: Run, world: World, source: Image) -> None:
    order(world, f"{LAUNCH}@{WEST}=lost after 1", f"TerminateInstances@{WEST}=lost")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST)
    assert (ran.code, len(instances()), running()) == (0, 1, [])


def test_a_launch_that_is_never_answered_leaves_nothing(amicopy: Run, world: World, source: Image) -> None:
    order(world, f"{LAUNCH}@{WEST}=lost after 1", f"{LAUNCH}@{WEST}=dead after 1")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST)
    assert (ran.code, len(instances()), running()) == (1, 1, []), ran.err


def test_what_cannot_be_terminated_is_named(amicopy: Run, world: World, source: Image) -> None:
    order(world, f"TerminateInstances@{WEST}=error:UnauthorizedOperation: no*always")
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST)
    [instance_id] = running(WEST)
    assert f"error: {instance_id} in {WEST} could not be terminated: terminate it" in ran.err


def interrupted(world: World, clock: FakeClock, *argv: str) -> int:
    """Return the exit code of a boot test that a signal interrupts as soon as an instance is launched."""
    stop = Stop()

    class Impatient(FakeClock):
        def sleep(self, seconds: float, until: Any = None) -> None:
            clock.sleep(seconds, until)
            if launches(world):
                stop.set()

        def now(self) -> Any:
            return clock.now()

    return main(["boot", "--yes", *argv], Environment(clock=Impatient(), stop=stop))


def test_an_interrupted_test_that_cannot_terminate_its_instance_names_it(
    world: World, source: Image, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    order(world, f"TerminateInstances@{WEST}=error:UnauthorizedOperation: no*always")
    code = interrupted(world, clock, source.image_id, "--in", WEST)
    [instance_id] = running(WEST)
    said = capsys.readouterr().err
    assert (code, f"error: {instance_id} in {WEST} could not be terminated" in said) == (130, True), said
    assert "error: Interrupted; an instance could not be terminated." in said


def test_an_interrupted_test_terminates_its_instance(
    world: World, source: Image, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    code = interrupted(world, clock, source.image_id, "--in", WEST, "--output", "json")
    said = capsys.readouterr()
    assert (code, len(launches(world)), running()) == (130, 1, [])
    document = json.loads(said.out)  # one document
    [image] = document["images"]
    assert (document["exit_code"], document["error"]["slug"], image["state"]) == (130, "interrupted", "interrupted")
    assert (image["instance_id"], image["error"]) == (instances()[0]["InstanceId"], None)
    assert said.err.count("error:") == 1
    assert "error: Interrupted; the instances are terminated." in said.err
    assert "before anything was started" not in said.err


def test_two_runs_at_once_share_one_instance(amicopy: Run, world: World, source: Image, clock: FakeClock) -> None:
    """The second one begins while the first one waits, and ends before it."""
    inner: list[Any] = []

    class Crowded(FakeClock):
        def sleep(self, seconds: float, until: Any = None) -> None:
            clock.sleep(seconds, until)
            if launches(world) and not inner:
                inner.append(None)
                inner[0] = main(["boot", "--yes", source.image_id, "--in", WEST, "--quiet"], Environment(clock=clock))

        def now(self) -> Any:
            return clock.now()

    outer = main(["boot", "--yes", source.image_id, "--in", WEST], Environment(clock=Crowded()))
    assert (outer, inner, len(instances()), running()) == (0, [0], 1, [])


def test_what_a_killed_run_with_other_options_has_left_is_terminated(
    amicopy: Run, world: World, source: Image, clock: FakeClock
) -> None:
    order(world, f"TerminateInstances@{WEST}=dead*always")
    assert amicopy("boot", "--yes", source.image_id, "--in", WEST, "--timeout", "20m").code == 0
    assert len(running(WEST)) == 1
    world.clear_faults()
    clock.advance(7200)
    ran = amicopy("boot", "--yes", source.image_id, "--in", WEST)
    assert (ran.code, running()) == (0, []), ran.err
    assert "left by a run that was killed" in ran.err


def left_by_a_killed_run(amicopy: Run, world: World, clock: FakeClock, source: Image) -> str:
    """Return an instance that a boot test could not terminate."""
    order(world, f"TerminateInstances@{WEST}=dead*always", f"CreateTags@{WEST}=dead*always")
    assert amicopy("boot", source.image_id, "--in", WEST, "--yes").code == 0
    world.clear_faults()
    world.requests.clear()
    [instance_id] = running(WEST)
    return instance_id


@pytest.mark.parametrize("by", ["source", "copy", "all-pending"])
def test_cancel_terminates_what_a_killed_run_has_left(
    amicopy: Run, world: World, clock: FakeClock, source: Image, by: str
) -> None:
    instance_id = left_by_a_killed_run(amicopy, world, clock, source)
    copy = world.images(WEST)[0].image_id
    named = {"source": (source.image_id,), "copy": ("--copy", copy), "all-pending": ("--all-pending",)}[by]
    ran = amicopy("cancel", *named, "--in", f"{WEST},{EAST}", "--yes")
    assert (ran.code, running()) == (0, []), ran.err
    assert f"{WEST} {instance_id} cancelled" in ran.out
    assert f"for a boot test of {copy}, which a run may still be waiting for" in ran.err
    assert "terminating 1 instance" in ran.err
    assert world.images(WEST)[0].state == "available"
    again = amicopy("cancel", *named, "--in", f"{WEST},{EAST}", "--yes")
    assert (again.code, asked(world, "TerminateInstances")[1:]) == (0, [])


def test_cancel_leaves_the_instances_of_other_images_alone(
    amicopy: Run, world: World, clock: FakeClock, source: Image
) -> None:
    left = left_by_a_killed_run(amicopy, world, clock, source)
    other = a_source(world, name="other")
    assert amicopy("copy", other.image_id, "--to", WEST, "--no-wait").code == 0
    assert amicopy("cancel", other.image_id, "--in", WEST, "--yes").code == 0
    assert running() == [left]
    dry = amicopy("cancel", source.image_id, "--in", WEST, "--dry-run")
    assert (dry.code, running(), left in dry.err) == (0, [left], True)


def test_cancel_works_without_the_permission_to_look_for_instances(
    amicopy: Run, world: World, clock: FakeClock, source: Image
) -> None:
    left_by_a_killed_run(amicopy, world, clock, source)
    order(world, f"DescribeInstances@{WEST}=error:UnauthorizedOperation: no*always")
    kept = amicopy("cancel", source.image_id, "--in", WEST, "--available", "--yes")
    assert (kept.code, "uses it; to remove it anyway: --in-use" in kept.err) == (1, True)  # whose it is: unknown
    ran = amicopy("cancel", source.image_id, "--in", WEST, "--available", "--in-use", "--yes")
    assert (ran.code, world.images(WEST)) == (0, []), ran.err
    assert (
        f"{WEST}: it is not known whether a boot test has left an instance: ec2:DescribeInstances is not allowed"
        in (ran.err)
    )
    world.clear_faults()
    order(world, f"TerminateInstances@{EAST}=error:UnauthorizedOperation: no*always")
    assert amicopy("cancel", source.image_id, "--in", EAST, "--yes").code == 0


def test_copying_can_end_with_a_boot_test_before_anything_is_shared(amicopy: Run, world: World) -> None:
    image = a_source(world, launch_permissions={"111122223333"})
    order(world, f"launch@{EAST}=unhealthy")
    ran = amicopy("copy", image.image_id, "--to", f"{WEST},{EAST}", "--check", "boot --expect login:")
    assert (ran.code, running()) == (3, []), ran.err
    [west], [east] = world.images(WEST), world.images(EAST)
    assert (west.launch_permissions, east.launch_permissions) == ({"111122223333"}, set())
    again = amicopy("copy", image.image_id, "--to", f"{WEST},{EAST}", "--check", "boot --expect login:")
    assert (again.code, running(), len(instances(WEST)), len(instances(EAST))) == (0, [], 1, 2), again.err
    assert east.launch_permissions == {"111122223333"}


def test_the_plan_of_a_gate_shows_what_its_instances_cost(amicopy: Run, world: World) -> None:
    image, windows = a_source(world), a_source(world, name="windows", platform="windows")
    copy = ("copy", image.image_id, "--to", f"{WEST},{EAST}", "--check", "boot")
    words = (
        "2 instances for at most 30 minutes, volumes included; about 0.021 USD an hour (price in us-east-1 for Linux)"
    )
    for planned in (amicopy(*copy, "--dry-run"), amicopy(*copy)):
        assert f"note: --check boot costs: {words}" in planned.out + planned.err
    assert "boot costs" not in amicopy(*copy, "--dry-run").out  # both have passed
    unknown = amicopy("copy", windows.image_id, "--to", WEST, "--check", "boot", "--check-timeout", "1h", "--dry-run")
    assert "1 instance for at most 60 minutes, volumes included; at a price that amicopy does not know" in unknown.out
    typed = amicopy("copy", windows.image_id, "--to", WEST, "--check", "true", "--dry-run")
    assert "boot costs" not in typed.out


@pytest.mark.parametrize("check", ["boot --expect (", "boot --nonsense", "boot --instance-type huge"])
def test_a_boot_test_that_is_not_one_is_refused_before_the_first_copy(
    amicopy: Run, world: World, source: Image, check: str
) -> None:
    ran = amicopy("copy", source.image_id, "--to", "ap-south-1", "--check", check)
    assert (ran.code, world.requests) == (2, []), ran.err


@pytest.mark.parametrize(
    ("check", "words", "advice"),
    [
        ("boot --instance-type t99.huge", "eu-west-1 has no instance type t99.huge", "boot --instance-type"),
        ("boot --subnet subnet-0123456789abcdef0", "has no subnet subnet-0123456789abcdef0", "boot --subnet"),
        ("boot", "eu-west-1 has no default VPC", "Give one in the check: boot --subnet eu-west-1=SUBNET"),
    ],
)
def test_a_boot_test_that_cannot_be_made_is_refused_before_the_first_copy(
    amicopy: Run, world: World, source: Image, check: str, words: str, advice: str
) -> None:
    if check == "boot":
        ec2_backends["123456789012"][EAST].subnets.clear()
    argv = ("copy", source.image_id, "--to", f"ap-south-1,{EAST}", "--check", check)
    for ran in (amicopy(*argv, "--dry-run"), amicopy(*argv)):
        assert (ran.code, world.images("ap-south-1"), writes(world)) == (1, [], []), ran.err
        assert words in ran.err + ran.out
        assert advice in " ".join((ran.err + ran.out).split())
    if check == "boot":
        alone = amicopy(*argv, "--best-effort", EAST)
        assert (alone.code, len(world.images("ap-south-1"))) == (0, 1), alone.err


def test_what_may_not_be_read_of_a_boot_test_is_left_to_the_launch(amicopy: Run, world: World, source: Image) -> None:
    order(world, "DescribeSubnets=error:UnauthorizedOperation: no*always")
    order(world, "DescribeInstanceTypeOfferings=error:UnauthorizedOperation: no*always")
    ran = amicopy("copy", source.image_id, "--to", "ap-south-1", "--check", "boot")
    assert (ran.code, len(world.images("ap-south-1"))) == (0, 1), ran.err
