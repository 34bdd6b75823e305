"""Fixtures of several commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.support.accounts import There
from tests.support.pinned import Pinned, maker


@pytest.fixture
def pinned(tmp_path: Path, world: World) -> Pinned:
    """Return a function that registers an AMI whose volume has these files; it returns the file of the disk, too."""
    return maker(tmp_path, world)


@pytest.fixture
def there(sandbox: Sandbox) -> Iterator[There]:
    """The other accounts."""
    one = There(sandbox)
    yield one
    one.close()
