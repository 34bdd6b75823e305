"""Callers of the sandbox with exactly one policy, policies with something taken away, and what was denied."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from amicopy.sandbox.world import World
from tests.conftest import Run

DENIALS = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}


class Caller:
    """A user of the account, who may do what one policy says; commands use the credentials."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sandbox = sandbox
        self._monkeypatch = monkeypatch
        self._root = boto3.Session(**sandbox.credentials(DEFAULT_ACCOUNT), region_name="us-east-1")
        self._iam: Any = self.root("iam")
        self._clients: list[Any] = [self._iam]
        self._iam.create_user(UserName="pipeline")
        keys = self._iam.create_access_key(UserName="pipeline")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
        self._own = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")

    def root(self, service: str, region: str = "us-east-1") -> Any:
        """Return a client that may do everything."""
        return self._root.client(service, region_name=region, endpoint_url=self._sandbox.endpoint_url)

    def own(self, service: str, region: str) -> Any:
        """Return a client that may do what the policy says."""
        made = self._own.client(service, region_name=region, endpoint_url=self._sandbox.endpoint_url)
        self._clients.append(made)
        return made

    def may(self, document: Any) -> None:
        """Let the user do what the policy document says, and nothing else."""
        self._iam.put_user_policy(UserName="pipeline", PolicyName="amicopy", PolicyDocument=json.dumps(document))

    def close(self) -> None:
        """End the connections."""
        for client in self._clients:
            client.close()


EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "All", "Effect": "Allow", "Action": ["*"], "Resource": ["*"]}],
}


def printed(amicopy: Run, *argv: str) -> Any:
    """Return the policy that the command prints for these options."""
    return json.loads(amicopy("iam-policy", *argv).out)


def actions_of(document: Any) -> set[str]:
    """Return every action of a policy."""
    return {name for statement in document["Statement"] for name in statement["Action"]}


def without(document: Any, action: str, sid: str = "") -> Any:
    """Return the policy with one action taken away: from all statements, or from one."""
    statements = [
        statement | {"Action": left}
        for statement in document["Statement"]
        if (left := [name for name in statement["Action"] if name != action or sid not in {"", statement["Sid"]}])
    ]
    return document | {"Statement": statements}


def each_action(document: Any) -> Iterator[tuple[str, str]]:
    """Yield every action of every statement, with the statement's Sid."""
    for statement in document["Statement"]:
        for action in statement["Action"]:
            yield statement["Sid"], action


def denied(world: World) -> list[str]:
    """Return the operations that were denied, rehearsals (DryRun) left out."""
    return [one.operation for one in world.requests if one.error in DENIALS and not one.params.get("DryRun")]
