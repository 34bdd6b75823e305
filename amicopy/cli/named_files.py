"""Files that a user names on the command line."""

import sys
from pathlib import Path

from amicopy.core.errors import UsageError
from amicopy.core.files import read_bounded, read_stream


def named_file(what: str, path: str) -> bytes:
    """Return the content of a file that the user named; ``what`` says which one it is. ``-`` is standard input.

    Raises:
        UsageError: it cannot be read, or is larger than ten million bytes.
    """
    try:
        return read_stream(sys.stdin.buffer) if path == "-" else read_bounded(Path(path))
    except OSError as error:
        raise UsageError(
            f"{what} cannot be read.", why=f"{error.strerror}.", next_step="Check its path and its mode."
        ) from error
    except ValueError as error:
        raise UsageError(f"{what} cannot be read: {error}.", next_step="Check its path.") from error


def manifest_content(path: str) -> bytes:
    """Return a manifest's bytes.

    Raises:
        UsageError: it cannot be read.
    """
    return named_file(f"The manifest {path}", path)
