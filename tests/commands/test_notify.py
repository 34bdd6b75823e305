"""Whole commands: others are told how a run has ended, once, when everything is written."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.awsrequest
import botocore.session
import pytest

from amicopy.aws.session import Session
from amicopy.core.notification import Notification
from amicopy.jobs.context import Context
from amicopy.jobs.notify import _bounded, notify
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import EAST, HOME, WEST, a_source, order, writes

Messages = Callable[[], list[Any]]


@pytest.fixture
def queue(world: World) -> Iterator[tuple[str, Messages]]:
    """A topic in another region whose messages go to a queue: its ARN, and what has arrived."""
    sns: Any = boto3.client("sns", "eu-central-1")
    sqs: Any = boto3.client("sqs", "eu-central-1")
    topic = sns.create_topic(Name="releases")["TopicArn"]
    url = sqs.create_queue(QueueName="releases")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def messages() -> list[Any]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(one["Body"]) for one in found]

    yield topic, messages
    sns.close()
    sqs.close()


def test_a_topic_gets_the_result_once(amicopy: Run, world: World, queue: tuple[str, Messages]) -> None:
    topic, messages = queue
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--notify", topic, "--output", "json")
    assert ran.code == 0, ran.err
    [message] = messages()
    assert message["Subject"] == "amicopy copy: ok"
    assert json.loads(message["Message"]) == ran.json
    again = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--notify", topic)
    assert (again.code, messages()) == (0, [])


def test_a_failure_is_told_too(amicopy: Run, world: World, queue: tuple[str, Messages]) -> None:
    topic, messages = queue
    order(world, f"copy@{WEST}=fail:Client.InternalError: no luck")
    amicopy("copy", a_source(world).image_id, "--to", WEST, "--notify", topic)
    [message] = messages()
    assert "no luck" in message["Message"]


def test_a_command_gets_the_result_after_everything_is_published(amicopy: Run, world: World, tmp_path: Path) -> None:
    command = tmp_path / "tell"
    command.write_text(f'#!/bin/sh\necho "$AMICOPY_STATUS $AMICOPY_EXIT_CODE" >{tmp_path}/env; cat >>{tmp_path}/told\n')
    command.chmod(0o755)
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(
        f"images: [{{source: {a_source(world).image_id}, from: {HOME}, to: {WEST}, publish: {{ssm: /images/web}}}}]"
    )
    assert amicopy("sync", str(manifest), "--notify", str(command)).code == 0
    [told] = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert (told["command"], [one["state"] for one in told["parameters"]]) == ("sync", ["done"])
    assert (tmp_path / "env").read_text() == "ok 0\n"
    assert amicopy("sync", str(manifest), "--notify", str(command)).code == 0
    assert len((tmp_path / "told").read_text().splitlines()) == 1


def test_a_bus_gets_an_event(amicopy: Run, world: World) -> None:
    events: Any = boto3.client("events", HOME)
    bus = events.create_event_bus(Name="releases")["EventBusArn"]
    events.close()
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--notify", bus)
    assert ran.code == 0, ran.err


def test_a_fifo_topic_gets_a_group_and_an_id_by_which_it_drops_repetitions(amicopy: Run, world: World) -> None:
    sns: Any = boto3.client("sns", HOME)
    topic = sns.create_topic(Name="releases.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    sns.close()
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--notify", topic)
    assert ran.code == 0, ran.err
    [sent] = [one.params for one in world.requests if one.operation == "Publish"]
    assert (sent["MessageGroupId"], len(sent["MessageDeduplicationId"])) == ("amicopy", 64)


@pytest.mark.parametrize("error", ["", "InternalFailure"])
def test_an_event_has_the_result_as_its_detail_and_one_that_is_not_taken_is_an_error(world: World, error: str) -> None:
    """PutEvents answers with 200 for an event that it does not take."""
    bus = "arn:aws:events:eu-central-1:123456789012:event-bus/releases"
    session = botocore.session.get_session()
    sent: list[Any] = []

    def answer(model: Any, params: Any, **_rest: Any) -> Any:
        sent.append(json.loads(params["body"])["Entries"][0])
        entry = {"ErrorCode": error, "ErrorMessage": "no"} if error else {"EventId": "1"}
        return botocore.awsrequest.AWSResponse("", 200, {}, None), {"FailedEntryCount": 0, "Entries": [entry]}

    session.register("before-call.eventbridge.PutEvents", answer)
    session.register("before-call.events.PutEvents", answer)
    context = Context(session=Session(session=session))
    document = {"schema": "amicopy/1", "command": "copy", "status": "ok", "exit_code": 0, "copies": []}
    errors = notify(context, [Notification.parse(bus)], document)
    assert [(one["Source"], one["DetailType"], one["EventBusName"]) for one in sent] == [
        ("amicopy", "amicopy run ended", bus)
    ]
    assert json.loads(sent[0]["Detail"]) == document
    assert [one.why for one in errors] == ([f"{error}: no"] if error else [])


@pytest.mark.parametrize(
    "target", ["arn:aws:sns:us-east-1:123456789012:nobody", "false"], ids=["a topic that is not there", "a command"]
)
def test_who_cannot_be_told_fails_the_run_and_no_copy(amicopy: Run, world: World, target: str) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--notify", target)
    assert (ran.code, world.images(WEST)[0].state) == (1, "available")
    assert target in ran.err
    assert "[output]" in ran.err


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("arn:aws:sqs:us-east-1:123456789012:queue", "is not the ARN of an SNS topic"),
        ("arn:aws:events:us-east-1:123456789012:rule/x", "is not the ARN of an SNS topic"),
        ("arn:aws:sns:us-east-1:1234:x", "is not the ARN of an SNS topic"),
        ("no-such-program", "there is no program 'no-such-program' on the PATH"),
    ],
)
def test_what_nobody_can_be_told_by_is_refused_before_anything(
    amicopy: Run, world: World, target: str, said: str
) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--notify", target)
    assert (ran.code, said in ran.err, writes(world)) == (2, True, []), ran.err


def test_a_dry_run_tells_nobody(amicopy: Run, world: World, queue: tuple[str, Messages]) -> None:
    topic, messages = queue
    amicopy("copy", a_source(world).image_id, "--to", WEST, "--notify", topic, "--dry-run")
    assert messages() == []


def test_a_result_that_is_too_large_is_sent_without_its_details() -> None:
    copy = {"source_id": "ami-1", "region": "us-west-2", "state": "done", "image_id": "ami-2", "notes": ["x" * 1000]}
    document = {"schema": "amicopy/1", "command": "sync", "status": "ok", "exit_code": 0, "copies": [copy] * 1000}
    brief = _bounded(document)
    assert (brief["truncated"], brief["states"], len(brief["copies"])) == (True, {"done": 1000}, 1000)
    assert "notes" not in brief["copies"][0]
    assert _bounded(document | {"copies": [copy] * 9000})["copies"] == []


def test_the_policy_names_the_topic_and_the_bus(amicopy: Run) -> None:
    topic, bus = "arn:aws:sns:us-east-1:123456789012:t", "arn:aws:events:us-east-1:123456789012:event-bus/b"
    assert [Notification.parse(one).service for one in (topic, bus)] == ["sns", "events"]
    ran = amicopy("iam-policy", "copy", "--from", HOME, "--to", WEST, "--notify", topic, "--notify", bus)
    found = {one["Sid"]: one for one in ran.json["Statement"]}
    assert (found["AmicopyNotifySns"]["Action"], found["AmicopyNotifySns"]["Resource"]) == (["sns:Publish"], [topic])
    assert found["AmicopyNotifyEvents"]["Resource"] == [bus]


def test_a_topic_in_a_region_that_is_none_is_refused_before_the_first_copy(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--notify", "arn:aws:sns:eu-wset-1:123456789012:releases")
    assert (ran.code, world.requests) == (2, []), ran.err
    assert "eu-wset-1" in ran.err
    assert "eu-west-1" in ran.err
