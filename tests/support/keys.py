"""KMS keys of the run's own account in the sandbox, with policies that let others use them."""

import json
from typing import Any

import boto3

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from tests.support.scenes import HOME

USES = ("kms:DescribeKey", "kms:Decrypt", "kms:ReEncrypt*", "kms:CreateGrant")
_OWNER = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{DEFAULT_ACCOUNT}:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def letting(account: str, actions: tuple[str, ...] = USES, **more: Any) -> dict[str, Any]:
    """Return a statement of a key policy that lets an account do this."""
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    return {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": "*", **more}


class Keys:
    """KMS as an administrator of the run's own account uses it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._clients: dict[str, Any] = {}

    def kms(self, region: str = HOME) -> Any:
        """Return a client."""
        if region not in self._clients:
            session = boto3.Session(**self._sandbox.credentials(DEFAULT_ACCOUNT), region_name=region)
            self._clients[region] = session.client("kms", endpoint_url=self._sandbox.endpoint_url)
        return self._clients[region]

    def make(self, *statements: dict[str, Any], region: str = HOME) -> str:
        """Make a key whose policy has these statements beside that for its own account; return its ARN."""
        policy = {"Version": "2012-10-17", "Statement": [_OWNER, *statements]}
        arn: str = self.kms(region).create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        return arn

    def grants(self, arn: str, region: str = HOME) -> list[dict[str, Any]]:
        """Return the grants on a key."""
        found: list[dict[str, Any]] = self.kms(region).list_grants(KeyId=arn)["Grants"]
        return found

    def close(self) -> None:
        """End the connections."""
        for client in self._clients.values():
            client.close()
