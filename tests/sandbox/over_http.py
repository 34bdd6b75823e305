"""Clients of a sandbox that serves over HTTP."""

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image
from amicopy.sandbox.world import World
from tests.support.clock import FakeClock

HOME, AWAY, OTHER_ACCOUNT = "us-east-1", "eu-west-1", "111122223333"
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})


class Aws:
    """A freshly reset sandbox with clients for it, all closed in the end."""

    def __init__(self, sandbox: Sandbox, session: boto3.Session) -> None:
        self.sandbox, self.session, self.clock = sandbox, session, FakeClock()
        self.world: World = sandbox.reset(clock=self.clock)
        self.opened: list[Any] = []

    def client(self, service: str = "ec2", region: str = AWAY, account: str = DEFAULT_ACCOUNT, **options: Any) -> Any:
        keys = {} if "aws_access_key_id" in options else self.sandbox.credentials(account)
        options.setdefault("config", ONE_ATTEMPT)
        made = self.session.client(
            service, region_name=region, endpoint_url=self.sandbox.endpoint_url, **keys, **options
        )
        self.opened.append(made)
        return made

    def source(self, **members: Any) -> Image:
        return self.world.register(HOME, name="web", **members)

    def close(self) -> None:
        for client in self.opened:
            client.close()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def asked(source: Image, **params: Any) -> dict[str, Any]:
    return {"Name": "web", "SourceImageId": source.image_id, "SourceRegion": source.region, **params}
