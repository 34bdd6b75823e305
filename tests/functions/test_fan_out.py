"""``amicopy.aws_lambda.dispatcher`` and ``worker``: messages lost, doubled, out of order, and what is done once."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from amicopy.aws.client import CallCounter
from amicopy.aws.round_table import RoundTable
from amicopy.aws.session import Session
from amicopy.aws_lambda import dispatcher, fan_out, worker
from amicopy.aws_lambda.one_pass import PassFailed
from amicopy.sandbox.world import World
from tests.functions.conftest import Remaining, manifest
from tests.support.clock import FakeClock
from tests.support.fan_out import TABLE, Deployed, deployed, event_of
from tests.support.manifests import parameter
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, the_copy, writes

TO = f"{WEST},{EAST}"
TOGETHER = "publish: {ssm: /images/web, when: all}"


@pytest.fixture
def queue(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """The queue and the table, which the functions know."""
    assert bundle
    with deployed(HOME) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(fan_out, "_SAME_SECONDS", 1e-6)  # no two dispatches of a test are in the same minute
        yield made


def work_off(queue: Deployed) -> list[str]:
    """Let a worker handle every message that can be received; return the units that failed."""
    failed = []
    while messages := queue.received():
        for message in messages:
            if worker(event_of(message), Remaining())["batchItemFailures"]:
                failed.append(json.loads(message["Body"])["unit"])
            queue.deleted(message)
    return failed


def published(world: World) -> list[str]:
    """Return the regions in which a parameter was written, in the order of the writes."""
    return [one.region for one in world.requests if one.operation == "PutParameter"]


def test_units_are_dispatched_until_they_are_up_to_date_and_then_no_more(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, TO)
    assert dispatcher({}, Remaining())["dispatched"] == 2
    assert work_off(queue) == []
    clock.advance(600)
    assert dispatcher({}, Remaining())["dispatched"] == 2
    assert work_off(queue) == []
    assert dispatcher({}, Remaining())["dispatched"] == 0
    assert [the_copy(world, region).state for region in (WEST, EAST)] == ["available", "available"]
    world.requests.clear()
    assert dispatcher({}, Remaining())["calls"] == {"DescribeImages": 1, "GetItem": 1}


def test_what_needs_all_units_is_done_once_when_the_last_has_ended(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, TO, TOGETHER)
    dispatcher({}, Remaining())
    work_off(queue)
    clock.advance(600)
    dispatcher({}, Remaining())
    [first, second] = queue.received()
    worker(event_of(first), Remaining())
    queue.deleted(first)
    assert published(world) == []
    worker(event_of(second), Remaining())
    queue.deleted(second)
    assert published(world) == []  # by a message of its own
    work_off(queue)
    assert sorted(published(world)) == [EAST, WEST]
    assert [parameter(region, "/images/web") for region in (WEST, EAST)] == [
        the_copy(world, region).image_id for region in (WEST, EAST)
    ]
    assert dispatcher({}, Remaining())["dispatched"] == 0


def test_a_doubled_message_changes_nothing(queue: Deployed, bundle: Path, world: World, clock: FakeClock) -> None:
    a_source(world)
    manifest(bundle, WEST, TOGETHER)
    for _ in range(3):
        dispatcher({}, Remaining())
        for message in queue.received():
            for _ in range(2):
                worker(event_of(message), Remaining())
            queue.deleted(message)
        clock.advance(600)
    assert len(world.images(WEST)) == 1
    assert len(asked(world, "CopyImage")) <= 2  # the second before EC2 showed the first one's copy: the same token
    assert published(world) == [WEST]
    world.requests.clear()
    worker(event_of(message), Remaining())
    assert [one.operation for one in world.requests] == ["GetItem"]


def test_the_lost_last_message_is_made_up_for_by_the_dispatcher(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, TO, TOGETHER)
    for _ in range(2):
        dispatcher({}, Remaining())
        for message in queue.received():
            worker(event_of(message), Remaining())
            queue.deleted(message)
        clock.advance(600)
    for lost in queue.received():
        queue.deleted(lost)
    assert published(world) == []
    assert dispatcher({}, Remaining())["dispatched"] == 1
    work_off(queue)
    assert sorted(published(world)) == [EAST, WEST]


def test_a_unit_that_fails_comes_back_and_nothing_is_published_before_it_is_up_to_date(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, TO, TOGETHER)
    order(world, f"copy@{WEST}=fail")
    dispatcher({}, Remaining())
    work_off(queue)
    clock.advance(600)
    dispatcher({}, Remaining())
    assert work_off(queue) == [WEST]
    assert published(world) == []
    clock.advance(600)
    dispatcher({}, Remaining())
    assert work_off(queue) == []
    assert sorted(published(world)) == [EAST, WEST]


def test_only_one_worker_at_a_time_does_what_needs_all_units(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, WEST, TOGETHER)
    for _ in range(2):
        dispatcher({}, Remaining())
        for message in queue.received():
            worker(event_of(message), Remaining())
            queue.deleted(message)
        clock.advance(600)
    [whole] = queue.received()
    now = time.time()
    rounds = RoundTable(Session(), HOME, CallCounter(), TABLE)
    round_id = json.loads(whole["Body"])["round"]
    assert rounds.take(round_id, now=now, until=now + 60)  # as another worker would
    assert not rounds.take(round_id, now=now, until=now + 90)
    worker(event_of(whole), Remaining())
    assert published(world) == []
    assert rounds.take(round_id, now=now + 60, until=now + 70)  # that worker was killed, and its time is over
    rounds.give_back(round_id, until=now + 60)  # what it took is not its own any more
    assert not rounds.take(round_id, now=now, until=now + 90)
    rounds.give_back(round_id, until=now + 70)
    worker(event_of(whole), Remaining())
    assert published(world) == [WEST]


def test_a_new_image_is_a_new_round(queue: Deployed, bundle: Path, world: World, clock: FakeClock) -> None:
    a_source(world, name="web-1")
    manifest(bundle, WEST)
    for _ in range(3):
        dispatcher({}, Remaining())
        work_off(queue)
        clock.advance(600)
    a_source(world, name="web-2")
    assert dispatcher({}, Remaining())["dispatched"] == 1
    work_off(queue)
    assert {image.name for image in world.images(WEST)} == {"web-1", "web-2"}


def test_a_round_expires_and_every_unit_is_looked_at_again(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    for _ in range(2):
        dispatcher({}, Remaining())
        work_off(queue)
        clock.advance(600)
    [item] = queue.rounds()
    queue.dynamodb.update_item(
        TableName=TABLE,
        Key={"round": item["round"]},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert dispatcher({}, Remaining())["dispatched"] == 1
    world.requests.clear()
    work_off(queue)
    assert {"PutItem", "UpdateItem"} & set(writes(world)) == {"UpdateItem"}
    assert dispatcher({}, Remaining())["dispatched"] == 0


def test_nothing_is_sent_while_workers_are_behind(queue: Deployed, bundle: Path, world: World) -> None:
    a_source(world)
    manifest(bundle, TO)
    assert dispatcher({}, Remaining())["dispatched"] == 2
    assert dispatcher({}, Remaining())["dispatched"] == 0


def test_a_message_of_somebody_else_fails_and_the_rest_is_handed_back(
    queue: Deployed, bundle: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest(bundle, WEST)
    messages = [{"MessageId": "1", "Body": "hello"}, {"MessageId": "2", "Body": "{}"}]
    answer = worker(event_of(*messages), Remaining())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["errors"][0]["what"] == "The message is not one of the dispatcher's."


def test_functions_without_a_queue_say_so(bundle: Path, world: World) -> None:
    manifest(bundle, WEST)
    with pytest.raises(PassFailed, match="AMICOPY_QUEUE_URL and no AMICOPY_TABLE"):
        dispatcher({}, Remaining())
    assert world.requests == []
