"""Writing result files: each is replaced as a whole, and checked before a run starts."""

import errno
import os
import secrets
import stat
from pathlib import Path

from amicopy.core.errors import UsageError


def write_atomically(path: str | Path, text: str) -> None:
    """Put ``text`` where ``path`` is: readers see the old content or the new, never a part of it.

    A link is followed and stays; an existing file keeps its mode; a device or a pipe is written to as it is.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    if _is_stream(path):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(text)
        return
    if _is_anothers_link(Path(path)):
        raise OSError(errno.EACCES, "it is another user's link in a shared directory")
    target = Path(os.path.realpath(path))
    descriptor, temporary = _beside(target)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_writable(path: str | Path) -> None:
    """Find out whether `write_atomically` will be able to write there; the file itself is not touched.

    Raises:
        UsageError: it is a directory, its directory is missing or takes no new file, or it may not be written to.
    """
    if _is_anothers_link(Path(path)):
        raise _cannot(path, "It is another user's link in a directory that everybody may write to.")
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise _cannot(path, "It is a directory.")
    if not target.parent.is_dir():
        raise _cannot(path, f"There is no directory {target.parent}.")
    if target.exists() and not os.access(target, os.W_OK):
        raise _cannot(path, "It is there, and may not be written to.")
    if _is_stream(path):
        return
    try:
        descriptor, temporary = _beside(target)
    except OSError as error:
        raise _cannot(path, f"{target.parent} takes no new file: {error.strerror}.") from error
    os.close(descriptor)
    temporary.unlink()


def _cannot(path: str | Path, why: str) -> UsageError:
    return UsageError(f"{path} cannot be written.", why=why, next_step="Name another file; nothing was started.")


def _beside(target: Path) -> tuple[int, Path]:
    """Create an empty file in the same directory, so that it can take the target's place; mode as the umask says."""
    temporary = target.with_name(f".amicopy-{secrets.token_hex(8)}")
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666), temporary


def _is_anothers_link(path: Path) -> bool:
    """Return whether Linux would not follow the link either: proc(5), /proc/sys/fs/protected_symlinks."""
    if not path.is_symlink() or not hasattr(os, "geteuid"):  # Windows has no such directories
        return False
    directory = path.parent.stat()
    is_shared = bool(directory.st_mode & stat.S_ISVTX and directory.st_mode & stat.S_IWOTH)
    return is_shared and _owner(path) not in {os.geteuid(), directory.st_uid}


def _owner(link: Path) -> int:
    return link.lstat().st_uid


def _is_stream(path: str | Path) -> bool:
    """Return whether it is not a regular file of its own, but a pipe, a device, or an open descriptor.

    ``/dev/stdout`` may lead to a regular file that the shell keeps open: replacing it would lose later output.
    """
    name = str(path)
    if name in {"/dev/stdout", "/dev/stderr"} or name.startswith(("/dev/fd/", "/proc/self/fd/")):
        return True
    return Path(path).exists() and not Path(path).is_file()
