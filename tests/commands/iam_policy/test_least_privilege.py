"""Least privilege, proven: whole commands under IAM's enforcement, with exactly the printed policy and with less."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.plan.iam_policy import Needs, actions_for
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.commands.copy.test_copy import writes
from tests.conftest import Run
from tests.support.clock import FakeClock

SHARED_WITH = "111122223333"


@pytest.fixture
def guarded(sandbox: Sandbox, clock: FakeClock) -> World:
    """A world in which every call is held against the caller's policies."""
    return sandbox.reset(clock=clock, enforce_iam=True)


@pytest.fixture
def source(guarded: World) -> str:
    """An image that needs every kind of write."""
    volumes = [
        Volume(device="/dev/sda1", gib=8, tags={"Name": "root"}, shared_with=frozenset({SHARED_WITH})),
        Volume(device="/dev/sdf", gib=8, tags={"Name": "data"}),
    ]
    image = guarded.register(
        "us-east-1",
        name="web",
        volumes=volumes,
        launch_permissions={SHARED_WITH},
        supported_instance_types=["t3.*"],
        deprecate_at=guarded.state.clock.now().replace(year=2028),
    )
    return image.image_id


class Caller:
    """A user of the account, who may do what one policy says."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        root = boto3.Session(**sandbox.credentials("123456789012"), region_name="us-east-1")
        self._iam: Any = root.client("iam", endpoint_url=sandbox.endpoint_url)
        self._iam.create_user(UserName="pipeline")
        keys = self._iam.create_access_key(UserName="pipeline")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])

    def may(self, document: Any) -> None:
        """Let the user do what the policy document says, and nothing else."""
        self._iam.put_user_policy(UserName="pipeline", PolicyName="amicopy", PolicyDocument=json.dumps(document))

    def close(self) -> None:
        """End the connection."""
        self._iam.close()


@pytest.fixture
def caller(guarded: World, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The one whose credentials the commands use."""
    one = Caller(sandbox, monkeypatch)
    yield one
    one.close()


def without(document: Any, action: str) -> Any:
    """Return the policy with one action taken away."""
    statements = [
        statement | {"Action": left}
        for statement in document["Statement"]
        if (left := [name for name in statement["Action"] if name != action])
    ]
    return document | {"Statement": statements}


ONLY_LATER = {"DeregisterImage", "DeleteSnapshot", "AttachImageWatermark"}  # no first copy comes to these
COPY = ("--from", "us-east-1", "--to", "us-west-2,eu-west-1")


def printed(amicopy: Run, *argv: str) -> Any:
    """Return the policy that the command prints for these options."""
    return json.loads(amicopy("iam-policy", *argv).out)


def test_the_printed_policy_is_enough(amicopy: Run, guarded: World, caller: Caller, source: str) -> None:
    caller.may(printed(amicopy, source, *COPY))
    ran = amicopy("copy", source, *COPY)
    assert ran.code == 0, ran.err
    assert amicopy("copy", source, *COPY).err.startswith("nothing to do")
    for region in ("us-west-2", "eu-west-1"):
        [copy] = guarded.images(region)
        assert copy.launch_permissions == {SHARED_WITH}


@pytest.mark.parametrize(
    "action",
    [one.name for one in actions_for(Needs()) if one.operation not in ONLY_LATER],
)
def test_with_one_action_less_it_fails_naming_it_before_anything_is_started(
    amicopy: Run, guarded: World, caller: Caller, source: str, action: str
) -> None:
    caller.may(without(printed(amicopy, source, *COPY), action))
    ran = amicopy("copy", source, *COPY, "--output", "json")
    if next(one.optional for one in actions_for(Needs()) if one.name == action):  # done without; if used, said so
        assert ran.code == 0
        assert (action in ran.out) is any(one.error == "UnauthorizedOperation" for one in guarded.requests)
        return
    assert action in ran.out
    assert ran.code == 6, ran.err
    assert f"Allow {action}" in ran.err
    assert guarded.images("us-west-2") == guarded.images("eu-west-1") == []


def test_removing_a_failed_attempt_needs_its_actions_from_the_start(
    amicopy: Run, guarded: World, caller: Caller, source: str
) -> None:
    document = printed(amicopy, source, *COPY)
    caller.may(document)
    guarded.inject(parse_fault("copy@us-west-2=fail"))
    assert amicopy("copy", source, *COPY).code == 3
    guarded.requests.clear()
    caller.may(without(document, "ec2:DeregisterImage"))
    ran = amicopy("copy", source, "--to", "us-west-2")
    assert ran.code == 6
    assert "Allow ec2:DeregisterImage" in ran.err
    assert [one for one in writes(guarded) if one == "CopyImage"] == []


@pytest.mark.parametrize(
    ("options", "spared"),
    [
        (("--no-permissions",), {"ModifySnapshotAttribute", "DescribeImageAttribute"}),
        (("--share", SHARED_WITH), set[str]()),
        (("--dry-run",), {"CopyImage", "CreateTags", "DeregisterImage"}),
    ],
)
def test_the_policy_follows_the_options(
    amicopy: Run, guarded: World, caller: Caller, source: str, options: Sequence[str], spared: set[str]
) -> None:
    document = printed(amicopy, source, *COPY, *options)
    allowed = {name for statement in document["Statement"] for name in statement["Action"]}
    assert allowed.isdisjoint(f"ec2:{operation}" for operation in spared)
    caller.may(document)
    ran = amicopy("copy", source, *COPY, *options)
    assert ran.code == 0, ran.err


def test_the_policy_is_limited_to_the_named_regions(amicopy: Run, guarded: World, caller: Caller, source: str) -> None:
    caller.may(printed(amicopy, source, "--from", "us-east-1", "--to", "us-west-2"))
    looked = amicopy("copy", source, *COPY, "--dry-run")
    assert "may not call ec2:CopyImage in eu-west-1" in looked.out
    assert "ec2:CopyImage in us-west-2" not in looked.out
    ran = amicopy("copy", source, *COPY)
    # The region that is not allowed says so itself, at once; the other's copy is what was asked for (ADR 0007).
    assert (ran.code, guarded.images("eu-west-1")) == (3, [])
    assert "may not call ec2:CopyImage in eu-west-1" in ran.err
    [copy] = guarded.images("us-west-2")
    assert copy.state == "available"


def test_status_and_cancel_get_by_with_theirs(amicopy: Run, guarded: World, caller: Caller, source: str) -> None:
    caller.may(printed(amicopy, source, *COPY))
    amicopy("copy", source, *COPY)
    caller.may(printed(amicopy, "--for", "status"))
    shown = amicopy("status", source, "--output", "json")
    assert shown.code == 0, shown.err
    assert len(shown.json["copies"]) == 2
    caller.may(printed(amicopy, "--for", "cancel"))
    ran = amicopy("cancel", source, "--in", "us-west-2,eu-west-1", "--yes", "--available")
    assert ran.code == 0, ran.err
    assert guarded.images("us-west-2") == guarded.images("eu-west-1") == []


def test_what_is_in_use_is_seen_only_through_ec2(amicopy: Run) -> None:
    [looks] = [
        one for one in printed(amicopy, "--for", "sync")["Statement"] if "ec2:DescribeInstances" in one["Action"]
    ]
    assert looks["Condition"] == {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}}


MANIFEST = """\
name: web
images:
  - source: {name: "web*"}
    from: us-east-1
    to: us-west-2
    publish: {ssm: /images/web, include_source: true}
    keep: {newest: 1, min_age: 60s, shared: true}
"""


def test_sync_gets_by_with_its_policy_and_not_without_each_of_its_own_actions(
    amicopy: Run, guarded: World, caller: Caller, source: str, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "amis.yaml").write_text(MANIFEST)
    sync = ("sync", str(tmp_path / "amis.yaml"))
    document = printed(amicopy, "--for", "sync", "--from", "us-east-1", "--to", "us-west-2")
    caller.may(document)
    first = amicopy(*sync)
    assert first.code == 0, first.err
    [old] = guarded.images("us-west-2")
    clock.advance(3600)
    guarded.register("us-east-1", name="web-2", volumes=[Volume(device="/dev/sda1", gib=8)])
    caller.may(without(document, "ssm:GetParameter"))
    assert amicopy(*sync).code == 6
    caller.may(without(document, "ssm:PutParameter"))
    unpublished = amicopy(*sync)
    assert unpublished.code != 0
    assert "ssm:PutParameter" in unpublished.err
    assert old.image_id in {image.image_id for image in guarded.images("us-west-2")}
    caller.may(without(document, "ec2:DescribeImageReferences"))
    spared = amicopy(*sync)
    assert spared.code == 0, spared.err
    assert old.image_id in {image.image_id for image in guarded.images("us-west-2")}
    caller.may(document)
    last = amicopy(*sync)
    assert last.code == 0, last.err
    assert old.image_id not in {image.image_id for image in guarded.images("us-west-2")}


def kms_statements(document: Any) -> dict[str, Any]:
    """Return the conditions of the statements about KMS by their names."""
    return {one["Sid"]: one.get("Condition") for one in document["Statement"] if one["Action"][0].startswith("kms:")}


def test_keys_may_be_used_through_ec2_only(amicopy: Run) -> None:
    document = printed(amicopy, "--from", "us-east-1", "--to", "us-west-2")
    via = {"kms:ViaService": ["ec2.us-east-1.amazonaws.com*", "ec2.us-west-2.amazonaws.com*"]}
    assert kms_statements(document) == {
        "AmicopyLooksAtKeys": None,
        "AmicopyEncrypts": {"StringLike": via},
        "AmicopyGrantsKeysToEC2": {"StringLike": via, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    }


@pytest.mark.parametrize("command", ["status", "cancel"])
def test_who_does_not_copy_needs_no_keys(amicopy: Run, command: str) -> None:
    assert kms_statements(printed(amicopy, "--for", command)) == {}


@pytest.mark.parametrize(
    ("options", "partition"),
    [
        (("--from", "cn-north-1", "--to", "all"), "aws-cn"),
        (("--from", "us-gov-west-1", "--to", "us-gov-*"), "aws-us-gov"),
        (("--to", "us-iso-east-1"), "aws-iso"),
        (("--to", "eu-west-1"), "aws"),
    ],
)
def test_resources_are_in_the_partition_of_the_named_regions(
    amicopy: Run, options: Sequence[str], partition: str
) -> None:
    document = printed(amicopy, *options)
    resources = [one for statement in document["Statement"] for one in statement["Resource"] if one != "*"]
    assert {one.split(":")[1] for one in resources} == {partition}
