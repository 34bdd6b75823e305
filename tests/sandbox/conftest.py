"""Fixtures for the tests of the sandbox."""

import pytest

from tests.sandbox.simulated_ec2 import Ec2


@pytest.fixture
def ec2() -> Ec2:
    return Ec2()
