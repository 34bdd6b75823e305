"""The policy that is printed for the Lambda function is enough for its passes, and the smallest."""

import json
from pathlib import Path

import pytest

from amicopy.aws_lambda import dispatcher, handler
from amicopy.aws_lambda.one_pass import PassFailed
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.functions.conftest import Remaining, manifest
from tests.support.clock import FakeClock
from tests.support.fan_out import deployed
from tests.support.iam import EVERYTHING, Caller, denied, each_action, printed, without
from tests.support.manifests import parameter
from tests.support.scenes import HOME, SOMEBODY, WEST, the_copy

# Each of these is called by a pass that makes a copy of this image, completes and publishes it.
NEEDED = (
    *("ec2:CopyImage", "ec2:CreateTags", "ec2:DescribeImages", "ec2:DescribeImageAttribute"),
    *("ec2:DescribeSnapshotAttribute", "ec2:DescribeSnapshots", "ec2:EnableImageDeprecation"),
    *("ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "ssm:GetParameter", "ssm:PutParameter"),
)


@pytest.fixture
def guarded(bundle: Path, sandbox: Sandbox, clock: FakeClock) -> World:
    """A world with an image, in which every call is held against the function's policy."""
    world = sandbox.reset(clock=clock, enforce_iam=True)
    volumes = [
        Volume(device="/dev/sda1", gib=8, tags={"Name": "root"}, shared_with=frozenset({SOMEBODY})),
        Volume(device="/dev/sdf", gib=8, tags={"Name": "data"}),
    ]
    date = clock.now().replace(year=2028)
    world.register(HOME, name="web", volumes=volumes, launch_permissions={SOMEBODY}, deprecate_at=date)
    manifest(bundle, WEST, "publish: {ssm: /images/web}")
    return world


def passes(clock: FakeClock) -> list[str]:
    """Make passes until the copy is published, or one fails; return what failed."""
    for _ in range(4):
        try:
            document = handler({}, Remaining())
        except PassFailed as failed:
            return [str(failed)]
        if document["complete"]:
            return []
        clock.advance(600)
    return ["it never ends"]


@pytest.fixture
def caller(guarded: World, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """The one whose credentials the function has."""
    assert guarded is sandbox.world
    return Caller(sandbox, monkeypatch)


def test_the_printed_policy_suffices(
    amicopy: Run, caller: Caller, guarded: World, bundle: Path, clock: FakeClock
) -> None:
    caller.may(printed(amicopy, "--for", "lambda", str(bundle / "amis.yaml")))
    assert passes(clock) == []
    assert denied(guarded) == []
    assert parameter(WEST, "/images/web") == the_copy(guarded, WEST).image_id
    caller.close()


@pytest.mark.parametrize("action", NEEDED)
def test_without_one_action_a_pass_fails_and_names_it(
    amicopy: Run, caller: Caller, bundle: Path, clock: FakeClock, action: str
) -> None:
    document = printed(amicopy, "--for", "lambda", str(bundle / "amis.yaml"))
    assert action in {name for _, name in each_action(document)}, json.dumps(document)
    caller.may(without(document, action))
    [failed] = passes(clock)
    assert action in failed
    caller.close()


def dispatched(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> int:
    """Let the dispatcher send messages; return how many."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    count: int = dispatcher({}, Remaining())["dispatched"]
    return count


def test_the_printed_policy_suffices_for_the_dispatcher(
    amicopy: Run, caller: Caller, guarded: World, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = printed(amicopy, "--for", "lambda-dispatcher", str(bundle / "amis.yaml"))
    caller.may(EVERYTHING)
    with deployed(HOME) as queue:
        caller.may(without(document, "sqs:SendMessage"))
        with pytest.raises(PassFailed, match="sqs:SendMessage "):
            dispatched(monkeypatch, queue.environment)
        guarded.requests.clear()
        caller.may(document)
        assert dispatched(monkeypatch, queue.environment) == 1
        assert denied(guarded) == []
    caller.close()
