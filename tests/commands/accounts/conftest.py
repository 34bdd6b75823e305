"""Fixtures of the tests with several accounts."""

from collections.abc import Iterator

import pytest

from amicopy.sandbox.http.server import Sandbox
from tests.support.keys import Keys


@pytest.fixture
def keys(sandbox: Sandbox) -> Iterator[Keys]:
    """KMS of the run's own account."""
    one = Keys(sandbox)
    yield one
    one.close()
