"""Opens raw files as disks, for one test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from amicopy.scan.device import Disk, RawFile

OpenDisk = Callable[[Path], Disk]


@pytest.fixture
def disk() -> Iterator[OpenDisk]:
    """Return a function that opens a raw file."""
    with ExitStack() as stack:
        yield lambda image: Disk(stack.enter_context(RawFile(image)))
