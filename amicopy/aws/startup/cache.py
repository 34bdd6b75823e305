"""Files that may be lost at any time, under ``~/.cache/amicopy``: kept whole, and believed only when they are ours.

Refuses to fail: what cannot be read is not there, and what cannot be written is made again by the next run.
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

_UNUSED_SECONDS = 90 * 24 * 3600  # what was written so long ago belongs to a release that has been replaced


def read(name: str) -> Any:
    """Return what was kept under this name; None if nothing was, or it is damaged, or others could have written it."""
    directory = _directory()
    if not directory:
        return None
    try:
        with os.fdopen(os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not _ours(os.fstat(file.fileno())):
                return None
            digest, _, text = file.read().partition(b"\n")
        return json.loads(text) if digest == _digest(name, text) else None
    except (OSError, ValueError):
        return None


def write(name: str, value: Any) -> None:
    """Keep a value that JSON can express under this name, for this user only; files of replaced releases go."""
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
        _forget_replaced(directory)


def _directory() -> Path | None:
    """Return the directory, whether or not it exists; None where the user has no home."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():  # a relative one is to be ignored (XDG Base Directory Specification)
        return configured / "amicopy"
    try:
        return Path.home() / ".cache" / "amicopy"
    except RuntimeError:
        return None


def _ours(status: os.stat_result) -> bool:
    """Tell whether nobody but this user can have written the file: what it says decides what is sent to EC2."""
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not others_write


def _digest(name: str, text: bytes) -> bytes:
    """Return what tells a damaged file, or one that was kept under another name, from a whole one."""
    return hashlib.sha256(name.encode() + b"\n" + text).hexdigest().encode()


def _forget_replaced(directory: Path) -> None:
    for path in directory.iterdir():
        if time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
            path.unlink(missing_ok=True)
