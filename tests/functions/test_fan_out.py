"""``amicopy.aws_lambda.dispatcher`` and ``worker``: messages lost, doubled, out of order, and what is done once."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.aws.client import CallCounter
from amicopy.aws.round_table import RoundTable
from amicopy.aws.sent_notifications import SentNotifications
from amicopy.aws.session import Session
from amicopy.aws_lambda import dispatcher, fan_out, handler, worker
from amicopy.aws_lambda.one_pass import PassFailed
from amicopy.sandbox.world import World
from tests.functions.conftest import Remaining, answered_in_time, manifest
from tests.support.accounts import OWN
from tests.support.clock import FakeClock
from tests.support.fan_out import TABLE, Deployed, deployed, event_of
from tests.support.manifests import parameter
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, the_copy, writes
from tests.support.schema import check_document

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


@pytest.mark.parametrize("denied", ["CopyImage", "DescribeImages"])
def test_a_unit_that_always_fails_costs_one_pass_over_all_units_and_no_message_of_it(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock, denied: str
) -> None:
    """A pass over all units is repeated when a unit has come to something else."""
    a_source(world)
    manifest(bundle, TO, TOGETHER)
    order(world, f"{denied}@{WEST}=error:UnauthorizedOperation: You are not authorized.*99")
    failed = []
    for _ in range(4):
        dispatcher({}, Remaining())
        failed += work_off(queue)
        clock.advance(600)
    assert failed == [WEST] * 4
    taken = [
        one for one in world.requests if one.operation == "UpdateItem" and "taken_until = :until" in str(one.params)
    ]
    assert len(taken) <= 2 * 2  # when the other unit was copying, and when it was up to date; each is given back
    assert published(world) == []
    world.clear_faults()
    assert until_nothing_is_sent(queue, clock) == []
    assert sorted(published(world)) == [EAST, WEST]


@pytest.mark.parametrize("is_dispatched_again", [False, True])
def test_a_message_for_a_region_that_has_left_the_manifest_ends_well(
    queue: Deployed,
    bundle: Path,
    world: World,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    is_dispatched_again: bool,
) -> None:
    a_source(world)
    manifest(bundle, TO)
    dispatcher({}, Remaining())
    manifest(bundle, WEST)
    old = queue.received()
    if is_dispatched_again:
        dispatcher({}, Remaining())
    capsys.readouterr()
    for message in old:
        assert worker(event_of(message), Remaining()) == {"batchItemFailures": []}
        queue.deleted(message)
    notes = [line["notes"] for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["unit"] == EAST]
    assert ("another round" if is_dispatched_again else "does not copy to eu-west-1 anymore") in notes[0][0]
    assert work_off(queue) == []
    clock.advance(600)
    assert until_nothing_is_sent(queue, clock) == []
    assert (world.images(EAST), the_copy(world, WEST).state) == ([], "available")


def test_what_cannot_be_planned_in_its_time_is_not_tried_again_in_vain(
    queue: Deployed, bundle: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    order(world, f"DescribeImages@{WEST}=hang:30")
    dispatcher({}, Remaining())
    [message] = queue.received()
    assert worker(event_of(message), Remaining(3.0))["batchItemFailures"] != []
    world.requests.clear()
    capsys.readouterr()
    assert worker(event_of(message), Remaining(3.0))["batchItemFailures"] != []
    assert [one.operation for one in world.requests] == ["GetItem"]
    [line] = lines(capsys)
    assert "has only looked, for 2 seconds" in line["errors"][0]["what"]
    assert "split the manifest" in line["errors"][0]["next"]
    world.clear_faults()
    assert worker(event_of(message), Remaining(3.0))["batchItemFailures"] != []
    assert worker(event_of(message), Remaining())["batchItemFailures"] == []  # it has been given more time
    assert the_copy(world, WEST).state == "pending"


def test_a_dispatcher_answers_in_time_whatever_hangs(queue: Deployed, bundle: Path, world: World) -> None:
    a_source(world)
    manifest(bundle, WEST)
    order(world, f"DescribeImages@{HOME}=hang:30")
    with answered_in_time():
        dispatcher({}, Remaining(3.0))


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
    rounds = RoundTable(Session(), HOME, CallCounter(), table=TABLE, manifest="amis.yaml")
    round_id = json.loads(whole["Body"])["round"]
    assert rounds.take(round_id, now=now, until=now + 60)  # as another worker would
    assert not rounds.take(round_id, now=now, until=now + 90)
    worker(event_of(whole), Remaining())
    assert published(world) == []
    assert rounds.take(round_id, now=now + 60, until=now + 70)  # that worker was killed, and its time is over
    rounds.give_back(round_id, until=now + 60)  # what it took is not its own anymore
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


def two_images(bundle: Path, *names: str) -> None:
    """Write a manifest with an entry for each name."""
    lines = [f"  - {{source: {{name: '{name}'}}, from: {HOME}, to: {WEST}}}" for name in names]
    (bundle / "amis.yaml").write_text("\n".join(["images:", *lines]) + "\n")


def test_what_a_worker_reports_does_not_count_for_another_manifest(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    """The manifest changes between the dispatcher's reading and the worker's, and changes back."""
    a_source(world, name="web")
    a_source(world, name="data")
    two_images(bundle, "web")
    until_nothing_is_sent(queue, clock)
    two_images(bundle, "web", "data")
    dispatcher({}, Remaining())
    two_images(bundle, "web")
    work_off(queue)
    two_images(bundle, "web", "data")
    until_nothing_is_sent(queue, clock)
    assert {image.name for image in world.images(WEST)} == {"web", "data"}


def test_a_manifest_that_changes_back_is_applied_again(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    """What another round did meanwhile is not what the first one had left."""
    a_source(world)
    for stage in ("prod", "test", "prod"):
        manifest(bundle, WEST, f"tags: {{stage: {stage}}}")
        assert until_nothing_is_sent(queue, clock) == []
        assert the_copy(world, WEST).tags["stage"] == stage


def test_a_result_of_other_settings_does_not_count_and_the_line_says_so(
    queue: Deployed,
    bundle: Path,
    world: World,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The worker has another value of a variable than the dispatcher."""
    a_source(world)
    manifest(bundle, WEST, "publish: {ssm: '/images/${RELEASE}'}")
    for _ in range(3):
        monkeypatch.setenv("RELEASE", "1")
        dispatcher({}, Remaining())
        monkeypatch.setenv("RELEASE", "2")
        capsys.readouterr()
        assert work_off(queue) == []
        [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert "compare the configuration of the two functions" in line["notes"][0]
        clock.advance(600)
    assert [item.keys() & {"done", "finished_at"} for item in queue.rounds()] == [set()]


def test_a_new_value_of_a_variable_is_a_new_round(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_source(world)
    manifest(bundle, WEST, "publish: {ssm: '/images/${RELEASE}'}")
    for release in ("1", "2"):
        monkeypatch.setenv("RELEASE", release)
        assert until_nothing_is_sent(queue, clock) == []
        assert parameter(WEST, f"/images/{release}") == the_copy(world, WEST).image_id


def test_who_is_to_be_notified_from_now_on_is_told_what_is_done_already(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    until_nothing_is_sent(queue, clock)
    sns: Any = boto3.client("sns", EAST)
    monkeypatch.setenv("AMICOPY_NOTIFY", sns.create_topic(Name="releases")["TopicArn"])
    sns.close()
    until_nothing_is_sent(queue, clock)
    [message] = told(world)
    assert [one["image_id"] for one in message["copies"]] == [the_copy(world, WEST).image_id]


def test_a_region_that_opens_and_matches_a_pattern_is_a_new_round(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, f"{WEST}, ap-east-*")
    until_nothing_is_sent(queue, clock)
    assert world.images("ap-east-1") == []
    world.opt_in("ap-east-1")
    until_nothing_is_sent(queue, clock)
    assert the_copy(world, "ap-east-1").state == "available"


def test_two_dispatchers_at_once_start_one_round(queue: Deployed) -> None:
    rounds = RoundTable(Session(), HOME, CallCounter(), table=TABLE, manifest="amis.yaml")
    before = rounds.read()
    first = rounds.start(before, "new", now=1.0, expires_at=2.0)
    assert first is not None
    assert rounds.start(before, "new", now=1.0, expires_at=2.0) is None
    second = rounds.start(first, "newer", now=3.0, expires_at=4.0)
    assert second is not None
    assert rounds.report(first.round_id, WEST) is None
    assert not rounds.take(first.round_id, now=3.0, until=9.0)
    rounds.finish(first.round_id, now=3.0)
    assert rounds.read() == second


def test_a_round_expires_and_every_unit_is_looked_at_again(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    for _ in range(2):
        dispatcher({}, Remaining())
        work_off(queue)
        clock.advance(600)
    queue.passed("expires_at")
    assert dispatcher({}, Remaining())["dispatched"] == 1
    world.requests.clear()
    work_off(queue)
    assert {"PutItem", "UpdateItem"} & set(writes(world)) == {"UpdateItem"}
    assert dispatcher({}, Remaining())["dispatched"] == 0


def lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """Return the lines that were logged since."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_only_passes_that_have_looked_at_copies_write_metrics_of_copies(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    a_source(world)
    manifest(bundle, WEST, TOGETHER)
    before = time.time()
    dispatcher({}, Remaining())
    [sent] = queue.received()
    worker(event_of(sent), Remaining())
    queue.deleted(sent)
    first, pending = lines(capsys)
    assert (first["status"], first["complete"], first["unfinished_seconds"]) == ("pending", False, 0)
    assert first.keys() & {"CopiesUpToDate", "OldestUnfinished"} == set()
    assert (pending["CopiesInProgress"], pending["Function"], pending["Unit"]) == (1, "worker", WEST)
    of_function, of_copies = pending["_aws"]["CloudWatchMetrics"]
    assert of_function["Dimensions"] == [["Manifest", "Function"]]
    assert of_copies["Dimensions"] == [["Manifest", "Function", "Unit"]]
    clock.advance(600)
    until_nothing_is_sent(queue, clock)
    capsys.readouterr()
    worker(event_of(sent), Remaining())
    [again] = lines(capsys)
    assert (again["complete"], again["notes"]) == (True, ["this was done before"])
    assert again.keys() & {"CopiesUpToDate", "OldestUnfinished"} == set()
    done = dispatcher({}, Remaining())
    assert (done["status"], done["complete"], done["unfinished_seconds"]) == ("ok", True, 0)
    check_document(done)
    [round_item] = queue.rounds()
    assert before <= float(round_item["started_at"]["N"]) <= time.time()


def test_the_dispatcher_says_for_how_long_something_is_left_to_do(
    queue: Deployed, bundle: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    dispatcher({}, Remaining())
    queue.passed("started_at")
    capsys.readouterr()
    assert dispatcher({}, Remaining())["unfinished_seconds"] > 1_000_000
    [line] = lines(capsys)
    assert line["Unfinished"] == line["unfinished_seconds"]


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


def until_nothing_is_sent(queue: Deployed, clock: FakeClock) -> list[str]:
    """Let dispatchers and workers run until everything is up to date; return the units that failed."""
    failed: list[str] = []
    for _ in range(5):
        if not dispatcher({}, Remaining())["dispatched"]:
            return failed
        failed += work_off(queue)
        clock.advance(600)
    raise AssertionError("it never ends")


def told(world: World) -> list[dict[str, Any]]:
    """Return the messages that were published to topics."""
    return [json.loads(one.params["Message"]) for one in world.requests if one.operation == "Publish" and not one.error]


@pytest.fixture
def topic(queue: Deployed, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic that is to be notified."""
    assert queue
    sns: Any = boto3.client("sns", EAST)
    arn: str = sns.create_topic(Name="releases")["TopicArn"]
    sns.close()
    monkeypatch.setenv("AMICOPY_NOTIFY", arn)
    return arn


def test_others_are_told_once_that_everything_is_done(
    queue: Deployed, topic: str, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world, name="web-1")
    manifest(bundle, TO, TOGETHER)
    assert until_nothing_is_sent(queue, clock) == []
    [message] = told(world)
    check_document(message)
    copies = {one["region"]: one["image_id"] for one in message["copies"]}
    assert copies == {region: the_copy(world, region).image_id for region in (WEST, EAST)}
    assert (message["command"], message["status"], {one["state"] for one in message["parameters"]}) == (
        "sync",
        "ok",
        {"done"},
    )
    queue.passed("expires_at")  # everything is compared again, and is as it was
    assert until_nothing_is_sent(queue, clock) == []
    assert len(told(world)) == 1
    a_source(world, name="web-2")
    assert until_nothing_is_sent(queue, clock) == []
    first, second = told(world)
    assert first["notification_id"] != second["notification_id"]


def test_a_worker_that_ends_while_it_sends_leaves_it_to_another_who_sends_the_same(
    queue: Deployed, topic: str, bundle: Path, world: World, clock: FakeClock
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    sent = SentNotifications(Session(), HOME, CallCounter(), table=TABLE, manifest="amis.yaml")
    assert sent.take(topic, "another", as_of=time.time() - 50, until=time.time() + 50)
    for _ in range(3):
        dispatcher({}, Remaining())
        assert work_off(queue) == []
        clock.advance(600)
    assert (told(world), [item.keys() & {"finished_at"} for item in queue.rounds()]) == ([], [set()])
    queue.passed("sending_until")
    assert until_nothing_is_sent(queue, clock) == []
    [message] = told(world)
    assert [item["sent"]["S"] for item in queue.notifications()] == [message["notification_id"]]


def test_an_older_state_is_not_sent_after_a_newer_one(queue: Deployed) -> None:
    sent = SentNotifications(Session(), HOME, CallCounter(), table=TABLE, manifest="amis.yaml")
    assert sent.take("topic", "new", as_of=100, until=160)
    sent.record("topic", "new", as_of=100, until=160)
    assert not sent.take("topic", "old", as_of=90, until=150)
    assert not sent.take("topic", "new", as_of=200, until=260)
    assert sent.take("topic", "newer", as_of=200, until=260)
    assert not sent.take("topic", "newest", as_of=210, until=270)
    sent.give_back("topic", until=260)
    assert sent.take("topic", "newest", as_of=210, until=270)
    assert sent.is_sent("topic", "new")


def test_a_topic_that_is_not_there_fails_until_it_is(
    queue: Deployed, bundle: Path, world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    monkeypatch.setenv("AMICOPY_NOTIFY", f"arn:aws:sns:{EAST}:{OWN}:late")
    for _ in range(2):
        dispatcher({}, Remaining())
        work_off(queue)
        clock.advance(600)
    dispatcher({}, Remaining())
    assert work_off(queue) == ["all"]
    assert the_copy(world, WEST).state == "available"
    sns: Any = boto3.client("sns", EAST)
    topic = sns.create_topic(Name="late")["TopicArn"]
    url = queue.sqs.create_queue(QueueName="delivered")["QueueUrl"]
    arn = queue.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.close()
    assert until_nothing_is_sent(queue, clock) == []
    assert len(queue.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 1


@pytest.mark.parametrize(
    ("targets", "words"),
    [("tee told.json", "a function runs no commands"), ("arn:aws:sns:us-east-1:1:x", "is not the ARN")],
)
def test_who_cannot_be_notified_is_refused_before_anything(
    queue: Deployed, bundle: Path, world: World, monkeypatch: pytest.MonkeyPatch, targets: str, words: str
) -> None:
    manifest(bundle, WEST)
    monkeypatch.setenv("AMICOPY_NOTIFY", targets)
    world.requests.clear()
    with pytest.raises(PassFailed, match=words):
        dispatcher({}, Remaining())
    assert world.requests == []


def test_one_function_alone_tells_once_too_and_needs_the_table(
    queue: Deployed, topic: str, bundle: Path, world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_source(world)
    manifest(bundle, WEST, TOGETHER)
    for _ in range(4):
        handler({}, Remaining())
        clock.advance(600)
    assert len(told(world)) == 1
    monkeypatch.setenv("AMICOPY_TABLE", "")
    with pytest.raises(PassFailed, match="AMICOPY_TABLE"):
        handler({}, Remaining())
