"""Faults to order: each goes wrong as ordered, as often as ordered, and nothing else does."""

import re
from typing import Any

import pytest

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.faults import (
    THROTTLED,
    ConnectionCut,
    Dead,
    Effect,
    ErrorResponse,
    Fail,
    Fault,
    Flap,
    HtmlPage,
    Lost,
    ProxyPage,
    Stuck,
    Truncated,
    TruncatedResponse,
    Unseen,
    Vanish,
    known_fault,
    parse_fault,
)
from amicopy.sandbox.world import World
from tests.support.clock import FakeClock

HOME, AWAY = "us-east-1", "eu-west-1"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(clock: FakeClock) -> World:
    made = World(clock)
    made.register(HOME, name="web", image_id="ami-0a11ce5a3b1e00001")
    return made


def copy(world: World, region: str = AWAY) -> str:
    params = {"Name": "web", "SourceImageId": "ami-0a11ce5a3b1e00001", "SourceRegion": HOME, "ClientToken": "t"}
    return str(world.call("CopyImage", params, region=region)["ImageId"])


def states(world: World, image_id: str) -> list[str]:
    answer = world.call("DescribeImages", {"Filters": [{"Name": "image-id", "Values": [image_id]}]}, region=AWAY)
    return [image["State"] for image in answer["Images"]]


def test_refusals_come_as_often_as_ordered_and_change_nothing(world: World) -> None:
    world.inject(parse_fault("CopyImage@eu-west-1=throttle*2"))
    for _ in range(2):
        with pytest.raises(Ec2Error, match="Request limit exceeded"):
            copy(world)
    assert world.images(AWAY) == []
    assert copy(world)


def test_fault_of_one_region_leaves_others_alone(world: World) -> None:
    world.inject(parse_fault("*@eu-west-1=dead"))
    assert copy(world, "eu-west-2")
    for _ in range(3):
        with pytest.raises(ConnectionCut):
            copy(world)


def test_calls_that_shall_go_well_first_do(world: World) -> None:
    world.inject(parse_fault("DescribeImages=500 after 2"))
    for _ in range(2):
        world.call("DescribeImages", {}, region=HOME)
    with pytest.raises(Ec2Error) as caught:
        world.call("DescribeImages", {}, region=HOME)
    assert (caught.value.code, caught.value.status) == ("InternalError", 500)
    world.call("DescribeImages", {}, region=HOME)


def test_lost_reply_means_that_the_call_took_effect(world: World) -> None:
    world.inject(parse_fault("copy=lost"))
    with pytest.raises(ConnectionCut):
        copy(world)
    (image,) = world.images(AWAY)
    assert copy(world) == image.image_id
    assert [request.error for request in world.requests] == ["connection cut", ""]


def test_page_of_a_proxy_has_no_effect_and_a_truncated_answer_has(world: World) -> None:
    world.inject(parse_fault("copy=html:200"))
    world.inject(parse_fault("copy=truncated"))
    with pytest.raises(ProxyPage):
        copy(world)
    assert world.images(AWAY) == []
    with pytest.raises(TruncatedResponse):
        copy(world)
    assert len(world.images(AWAY)) == 1


def test_failing_copy_is_pending_first_and_tells_its_reason(world: World, clock: FakeClock) -> None:
    world.inject(parse_fault("copy@eu-west-1=fail:Client.InternalError: no luck | key gone"))
    image_id = copy(world)
    clock.advance(1)
    assert states(world, image_id) == ["pending"]
    clock.advance(60)
    assert states(world, image_id) == ["failed"]
    assert world.image(AWAY, image_id).state_reason == ("Client.InternalError", "no luck")
    assert [row.state_message for row in world.snapshots(AWAY)] == ["key gone"]


def test_stuck_copy_stays_pending_for_ever(world: World, clock: FakeClock) -> None:
    world.inject(parse_fault("copy=stuck"))
    image_id = copy(world)
    clock.advance(1e6)
    assert states(world, image_id) == ["pending"]
    assert [row.progress for row in world.snapshots(AWAY)] == ["50%"]


def test_vanishing_copy_is_not_found_afterwards(world: World, clock: FakeClock) -> None:
    world.inject(parse_fault("copy=vanish"))
    image_id = copy(world)
    clock.advance(1)
    assert states(world, image_id) == ["pending"]
    clock.advance(60)
    with pytest.raises(Ec2Error, match=r"InvalidAMIID\.NotFound"):
        world.call("DescribeImages", {"ImageIds": [image_id]}, region=AWAY)


def test_flapping_copy_is_pending_again_after_it_was_available(world: World, clock: FakeClock) -> None:
    world.inject(parse_fault("copy=flap:2"))
    image_id = copy(world)
    clock.advance(60)
    assert [states(world, image_id)[0] for _ in range(4)] == ["available", "pending", "pending", "available"]


def test_flapping_copy_refuses_to_be_shared_and_then_lets_it(world: World, clock: FakeClock) -> None:
    world.inject(parse_fault("copy=flap:1"))
    image_id = copy(world)
    clock.advance(60)
    states(world, image_id)
    share: dict[str, Any] = {"ImageId": image_id, "LaunchPermission": {"Add": [{"UserId": "111122223333"}]}}
    with pytest.raises(Ec2Error, match="currently pending"):
        world.call("ModifyImageAttribute", share, region=AWAY)
    world.call("ModifyImageAttribute", share, region=AWAY)


def test_unseen_copy_hides_from_so_many_describes(world: World, clock: FakeClock) -> None:
    world.inject(parse_fault("copy=unseen:3"))
    image_id = copy(world)
    clock.advance(60)
    assert [len(states(world, image_id)) for _ in range(5)] == [0, 0, 0, 1, 1]


def test_fault_is_not_used_up_by_a_repeated_token(world: World) -> None:
    first = copy(world)
    world.inject(parse_fault("copy=stuck"))
    assert copy(world) == first
    assert copy(world, "eu-west-2")
    assert world.state.pending_copies["eu-west-2"][0].stuck


def test_standing_order_meets_every_copy(world: World) -> None:
    world.inject(parse_fault("copy=stuck*always"))
    for region in (AWAY, "eu-west-2"):
        copy(world, region)
        assert world.state.pending_copies[region][0].stuck


def test_orders_can_be_forgotten(world: World) -> None:
    world.inject(parse_fault("*=dead"))
    world.clear_faults()
    assert copy(world)


@pytest.mark.parametrize(
    ("text", "operation", "region", "times", "skip", "effect"),
    [
        ("CopyImage@eu-west-1=throttle*5", "CopyImage", AWAY, 5, 0, THROTTLED),
        ("copy=fail", "CopyImage", None, 1, 0, Fail()),
        ("copy@*=fail:A.B: a: b | s", "CopyImage", None, 1, 0, Fail(code="A.B", message="a: b", snapshot_message="s")),
        ("*@ap-south-1=dead", "*", "ap-south-1", None, 0, Dead()),
        ("*=dead*2", "*", None, 2, 0, Dead()),
        ("DescribeImages=hang:30", "DescribeImages", None, None, 0, Dead(hang_seconds=30)),
        ("DescribeImages=html:200*always after 3", "DescribeImages", None, None, 3, HtmlPage(status=200)),
        ("X=error:403 Denied: No.", "X", None, 1, 0, ErrorResponse(code="Denied", message="No.", status=403)),
        ("X=error:A.NotFound: gone*3", "X", None, 3, 0, ErrorResponse(code="A.NotFound", message="gone")),
        ("copy=lost", "CopyImage", None, 1, 0, Lost()),
        ("copy=truncated", "CopyImage", None, 1, 0, Truncated()),
        ("copy=stuck", "CopyImage", None, 1, 0, Stuck()),
        ("copy=vanish", "CopyImage", None, 1, 0, Vanish()),
        ("copy=flap:4", "CopyImage", None, 1, 0, Flap(describes=4)),
        ("copy=unseen:2", "CopyImage", None, 1, 0, Unseen(describes=2)),
    ],
)  # fmt: skip
def test_text_of_a_fault_is_read(
    text: str, operation: str, region: str | None, times: int | None, skip: int, effect: Effect
) -> None:
    expected = Fault(operation=operation, region=region, times=times, skip=skip, effect=effect)
    assert parse_fault(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("CopyImage", "is not a valid fault. Write OPERATION"),
        ("CopyImage=explode", "The effects are: 500"),
        ("copy=hang", "needs a whole number"),
        ("copy=flap:x", "needs a whole number"),
        ("copy=throttle:3", "takes no value after a colon"),
        ("copy=error", "needs a code and a message"),
        ("DescribeImages=stuck", "use it with CopyImage, not with DescribeImages"),
    ],
)
def test_wrong_text_of_a_fault_is_explained(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_fault(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CopyImgae=fail", "unknown operation 'CopyImgae'. Did you mean CopyImage?"),
        ("COPYIMAGE=throttle", "unknown operation 'COPYIMAGE'. Did you mean CopyImage?"),
        ("copy-image@us-west-2=stuck", "unknown operation 'copy-image'. Did you mean CopyImage?"),
        ("coppy=fail", "unknown operation 'coppy'. Did you mean copy?"),
        ("Copy=fail", "unknown operation 'Copy'. Did you mean copy?"),
        ("Lanch=unhealthy", "unknown operation 'Lanch'. Did you mean launch?"),
        ("getsnapshotblok=corrupt", "unknown operation 'getsnapshotblok'. Did you mean GetSnapshotBlock?"),
        ("xyz=fail", "unknown operation 'xyz'."),
        ("copy@us-wst-2=fail", "unknown region 'us-wst-2'. Did you mean us-west-2?"),
        ("copy=throttel", "unknown effect 'throttel'. Did you mean throttle? The effects are: 500, "),
        ("copy=errors:X: y", "unknown effect 'errors'. Did you mean error? The effects are: 500, "),
    ],
)
def test_a_misspelled_name_is_refused_with_the_nearest(text: str, said: str) -> None:
    """Also where the effect is one that few operations have."""
    operations = ["CopyImage", "CreateImage", "RunInstances", "DescribeImages", "GetSnapshotBlock"]
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        known_fault(text, operations, ["us-west-2", "eu-west-1"])


@pytest.mark.parametrize(
    "text", ["copy=fail", "*@eu-west-1=dead", "launch@*=unhealthy", "DescribeImages@us-west-2=500"]
)
def test_a_name_that_is_known_is_a_fault(text: str) -> None:
    assert known_fault(text, ["CopyImage", "DescribeImages"], ["us-west-2", "eu-west-1"]) == parse_fault(text)
