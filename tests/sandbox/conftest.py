"""Fixtures for the tests of the sandbox."""

from collections.abc import Iterator

import boto3
import pytest

from amicopy.sandbox.http.server import Sandbox
from tests.sandbox.over_http import Aws
from tests.sandbox.simulated_ec2 import Ec2
from tests.support.clock import FakeClock


@pytest.fixture
def ec2() -> Ec2:
    return Ec2()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(clock=FakeClock(), samples=False) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session()


@pytest.fixture
def aws(running: Sandbox, session: boto3.Session) -> Iterator[Aws]:
    made = Aws(running, session)
    yield made
    made.close()
