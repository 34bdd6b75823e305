"""A cache under ``~/.cache/amicopy``, whose files may be deleted at any time.

Never raises: an unreadable file counts as missing, and what can't be written is computed again by the next run.
"""

import hashlib
import json
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_UNUSED_SECONDS = 90 * 24 * 3600  # a file this old belongs to a release that has been replaced


def read(name: str) -> Any:
    """Return the value stored under this name; None if missing, damaged, or writable by other users."""
    directory = _directory()
    if not directory:
        return None
    try:
        with os.fdopen(os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not _only_user_can_write(os.fstat(file.fileno())):
                return None
            digest, _, text = file.read().partition(b"\n")
        return json.loads(text) if digest == _digest(name, text) else None
    except (OSError, ValueError):
        return None


def write(name: str, value: Any) -> None:
    """Store a JSON value under this name, readable by this user only, and delete files of replaced releases."""
    directory = _directory()
    if not directory:
        return
    text = json.dumps(value, separators=(",", ":")).encode()
    with suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=f"{name}.")  # readable by this user only
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_digest(name, text) + b"\n" + text)
            Path(temporary).replace(directory / name)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        _delete_replaced(directory)


def _directory() -> Path | None:
    """Return the directory, whether or not it exists; None if the user has no home directory.

    None on Windows, too: who may write a file can't be told there as below.
    """
    if not hasattr(os, "geteuid"):
        return None
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():  # "All paths set in these environment variables must be absolute" (XDG)
        return configured / "amicopy"
    try:
        return Path.home() / ".cache" / "amicopy"
    except RuntimeError:
        return None


def _only_user_can_write(status: os.stat_result) -> bool:
    """Return True if only this user can have written the file: its content decides what is sent to EC2."""
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not others_write


def _digest(name: str, text: bytes) -> bytes:
    """Return the checksum that reveals a damaged or renamed file."""
    return hashlib.sha256(name.encode() + b"\n" + text).hexdigest().encode()


def _delete_replaced(directory: Path) -> None:
    for path in directory.iterdir():
        if time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
            path.unlink(missing_ok=True)
