"""Reading files that a user names."""

from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 10_000_000


def read_bounded(path: Path) -> bytes:
    """Return the content of a file, a device or a pipe, up to ten million bytes.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger.
    """
    with path.open("rb") as file:
        return read_stream(file)


def read_stream(stream: BinaryIO) -> bytes:
    """Return the rest of a stream, by the same limit.

    Raises:
        ValueError: it is larger.
    """
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 1_000_000} MB")
    return content
