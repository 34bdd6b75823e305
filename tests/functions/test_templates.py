"""The CloudFormation templates: their roles are what `iam-policy` prints, and their patterns match recorded events.

After a change, run ``cfn-lint examples/lambda/*.yaml``. Nothing here deploys them.
"""

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from amicopy.aws_lambda import dispatcher, handler, worker
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.functions.conftest import EVENTS
from tests.support.scenes import HOME

TEMPLATES = Path(__file__).parents[2] / "examples" / "lambda"
FUNCTIONS = {f"amicopy.aws_lambda.{one.__name__}": one for one in (handler, dispatcher, worker)}


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short functions as what they are for: an attribute or a name."""


def _short(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return f"!{suffix} {loader.construct_scalar(node)}"
    if isinstance(node, yaml.SequenceNode):
        return {f"!{suffix}": loader.construct_sequence(node, deep=True)}
    return {f"!{suffix}": loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _short)


def resources(name: str) -> dict[str, Any]:
    """Return the resources of a template."""
    found: dict[str, Any] = yaml.load((TEMPLATES / f"{name}.yaml").read_text(), Loader)["Resources"]
    return found


def of_type(name: str, kind: str) -> list[Any]:
    """Return the properties of every resource of a type."""
    return [one["Properties"] for one in resources(name).values() if one["Type"] == kind]


@pytest.mark.parametrize(
    ("name", "role", "function"),
    [
        ("function", "Role", "lambda"),
        ("fan-out", "DispatcherRole", "lambda-dispatcher"),
        ("fan-out", "WorkerRole", "lambda-worker"),
    ],
)
def test_a_role_has_exactly_the_printed_policy(amicopy: Run, name: str, role: str, function: str) -> None:
    properties = resources(name)[role]["Properties"]
    [policy] = properties["Policies"]
    printed = amicopy("iam-policy", "--for", function, "--from", HOME, "ssm:/amicopy/manifest").json
    assert policy["PolicyDocument"] == printed
    assert f"amicopy iam-policy --for {function} --from us-east-1" in (TEMPLATES / f"{name}.yaml").read_text()
    assert "ManagedPolicyArns" not in properties


@pytest.mark.parametrize(
    ("name", "role", "function"), [("function", "Role", "lambda"), ("fan-out", "WorkerRole", "lambda-worker")]
)
def test_what_notifications_need_is_what_is_printed(amicopy: Run, name: str, role: str, function: str) -> None:
    added = [one for one in of_type(name, "AWS::IAM::RolePolicy") if one["RoleName"] == f"!Ref {role}"]
    statements = {one["Sid"]: one["Action"] for added_one in added for one in added_one["PolicyDocument"]["Statement"]}
    targets = [f"arn:aws:sns:{HOME}:123456789012:t", f"arn:aws:events:{HOME}:123456789012:event-bus/b"]
    notify = [word for target in targets for word in ("--notify", target)]
    plain = amicopy("iam-policy", "--for", function, "--from", HOME, "ssm:/amicopy/manifest").json["Statement"]
    printed = amicopy("iam-policy", "--for", function, "--from", HOME, *notify, "ssm:/amicopy/manifest").json
    more = {one["Sid"]: one["Action"] for one in printed["Statement"] if one not in plain}
    assert statements == more
    assert {"AmicopyNotifySns", "AmicopyNotifyEvents"} <= set(more)


@pytest.mark.parametrize("name", ["function", "fan-out"])
def test_functions_are_there_and_have_enough_time(name: str) -> None:
    text = (TEMPLATES / f"{name}.yaml").read_text()
    shared = yaml.load(text, Loader).get("Globals", {}).get("Function", {})
    for properties in of_type(name, "AWS::Serverless::Function"):
        assert properties["Handler"] in FUNCTIONS
        whole = shared | properties
        only_sends = properties["Handler"].endswith("dispatcher")
        assert (whole["MemorySize"], whole["Timeout"]) == ((512, 120) if only_sends else (1769, 900))
        assert whole["Environment"]["Variables"]["AMICOPY_MANIFEST"] == "!Ref Manifest"


def test_a_message_is_invisible_for_longer_than_a_worker_may_run_and_fails_before_it_expires() -> None:
    """Lambda refuses a queue whose messages come back while the function may still run."""
    found = resources("fan-out")
    units = found["Units"]["Properties"]
    assert units["VisibilityTimeout"] > found["Worker"]["Properties"]["Timeout"] + 30
    assert units["MessageRetentionPeriod"] > units["VisibilityTimeout"] * units["RedrivePolicy"]["maxReceiveCount"]
    assert units["FifoQueue"] is True


NAMED_BY = ("FunctionName", "QueueName", "TableName", "LogGroupName", "AlarmName", "Name")


@pytest.mark.parametrize("name", ["function", "fan-out"])
def test_a_template_can_be_deployed_once_for_each_manifest(name: str) -> None:
    """Every name that can exist once in an account has the stack's in it; no manifest is written anywhere."""
    found = resources(name)
    for resource, content in found.items():
        if content["Type"] != "AWS::Lambda::Permission":
            names = [content.get("Properties", {}).get(one) for one in NAMED_BY]
            assert all("${Name}" in one or one == "!Ref Name" for one in names if one), resource
    roles = ("AWS::IAM::Role", "AWS::IAM::RolePolicy")
    assert "/amicopy/manifest" not in json.dumps([one for one in found.values() if one["Type"] not in roles])
    parameters = yaml.load((TEMPLATES / f"{name}.yaml").read_text(), Loader)["Parameters"]
    assert (parameters["Name"]["Default"], parameters["Manifest"]["Default"]) == ("amicopy", "ssm:/amicopy/manifest")
    for allowed, text in [(True, "amicopy"), (True, "amicopy-web"), (False, "web"), (False, "amicopy_web")]:
        assert bool(re.fullmatch(parameters["Name"]["AllowedPattern"], text)) is allowed


@pytest.mark.parametrize("name", ["function", "fan-out"])
def test_a_manifest_in_s3_may_be_read(amicopy: Run, name: str) -> None:
    [policy] = of_type(name, "AWS::IAM::Policy")
    [statement] = policy["PolicyDocument"]["Statement"]
    printed = amicopy("iam-policy", "--for", "lambda", "--from", HOME, "s3://BUCKET/KEY").json["Statement"]
    assert [(one["Sid"], one["Action"]) for one in printed if "Manifest" in one["Sid"]] == [
        (statement["Sid"], statement["Action"])
    ]
    assert sorted(policy["Roles"]) == sorted(
        f"!Ref {key}" for key in resources(name) if key.endswith("Role") and "Sch" not in key
    )


@pytest.mark.parametrize(
    ("name", "metric", "function"),
    [("function", "OldestUnfinished", "handler"), ("fan-out", "Unfinished", "dispatcher")],
)
def test_an_alarm_fires_if_something_takes_too_long_or_nothing_runs(name: str, metric: str, function: str) -> None:
    """The metrics are those that the functions write: test_handler.py and test_fan_out.py."""
    [alarm] = [one for one in of_type(name, "AWS::CloudWatch::Alarm") if one["Namespace"] == "amicopy"]
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    assert (alarm["MetricName"], alarm["TreatMissingData"]) == (metric, "breaching")
    assert dimensions == {"Manifest": "!Ref Manifest", "Function": function}


@pytest.mark.parametrize("name", ["function", "state-changes"])
def test_event_patterns_let_through_what_a_pass_can_do_something_about(
    name: str, sandbox: Sandbox, world: World
) -> None:
    """moto's rules select recorded events and put them into a queue, as EventBridge does."""
    pytest.importorskip("jsonpath_ng", reason="moto's EventBridge needs jsonpath-ng, a development dependency")
    [rule] = of_type(name, "AWS::Events::Rule")
    events: Any = boto3.client("events", HOME)
    sqs: Any = boto3.client("sqs", HOME)
    queue = sqs.create_queue(QueueName="matched")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="rule", EventPattern=json.dumps(rule["EventPattern"]))
    events.put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": arn}])
    for path in sorted(EVENTS.glob("ami-*.json")):
        event = json.loads(path.read_text())
        entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    assert sorted(json.loads(one["Body"])["detail"]["State"] for one in found) == ["available", "failed"]
    events.close()
    sqs.close()
