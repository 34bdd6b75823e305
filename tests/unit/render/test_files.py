"""Results in files: complete or not at all, and refused early where that cannot work."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from amicopy.core.errors import UsageError
from amicopy.render import files
from amicopy.render.files import check_writable, write_atomically


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_there_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old and longer")
    reader = path.open()
    write_atomically(path, "new\n")
    assert (path.read_text(), reader.read()) == ("new\n", "old and longer")
    reader.close()


def test_nothing_else_is_left_in_the_directory(tmp_path: Path) -> None:
    write_atomically(tmp_path / "result.json", "new\n")
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half \ud800")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("result.json", "old")]


def test_a_new_file_has_the_mode_that_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "result.json", "")
    finally:
        os.umask(before)
    assert mode(tmp_path / "result.json") == 0o640


def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.touch()
    path.chmod(0o604)
    write_atomically(path, "new")
    assert mode(path) == 0o604


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "result.json"
    link.symlink_to("there/real.json")
    write_atomically(link, "first")
    write_atomically(link, "second")
    assert (link.is_symlink(), (tmp_path / "there" / "real.json").read_text()) == (True, "second")


def test_text_is_written_as_utf_8(tmp_path: Path) -> None:
    write_atomically(tmp_path / "report.html", "ä\n")
    assert (tmp_path / "report.html").read_bytes() == b"\xc3\xa4\n"


PROGRAM = (
    "from amicopy.render.files import *; check_writable('/dev/stdout'); write_atomically('/dev/stdout', 'text\\n')"
)


def test_a_pipe_is_written_to() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout == "text\n"


def test_standard_output_that_is_a_file_keeps_what_else_is_said_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("a") as log:
        program = f"print('before', flush=True); {PROGRAM}; print('after')"
        subprocess.run([sys.executable, "-c", program], stdout=log, check=True)
    assert path.read_text() == "before\ntext\nafter\n"


def test_looking_creates_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    check_writable(path)
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    check_writable(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("result.json", "old")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing/result.json", "There is no directory"),
        ("", "It is a directory"),
        ("file/result.json", "There is no directory"),
        ("dangling", "There is no directory"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_reason(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere/result.json")
    with pytest.raises(UsageError) as refused:
        check_writable(tmp_path / name)
    assert why in refused.value.why


def test_a_directory_that_takes_no_file_is_refused() -> None:
    # Even root can create nothing there.
    with pytest.raises(UsageError, match=r"^/proc/self/result\.json cannot be written"):
        check_writable("/proc/self/result.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every file")
def test_a_file_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.touch(mode=0o444)
    with pytest.raises(UsageError) as refused:
        check_writable(path)
    assert refused.value.why == "It is there, and may not be written to."


@pytest.mark.parametrize(
    ("mode", "owner", "is_followed"), [(0o1777, 4711, False), (0o755, 4711, True), (0o1777, None, True)]
)
def test_a_link_that_somebody_else_put_into_a_shared_directory_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int | None, is_followed: bool
) -> None:
    shared, target = tmp_path / "shared", tmp_path / "target"
    shared.mkdir()
    shared.chmod(mode)
    target.write_text("old")
    (shared / "result.json").symlink_to(target)
    if owner is not None:
        monkeypatch.setattr(files, "_owner", lambda _link: owner)
    if is_followed:
        check_writable(shared / "result.json")
        write_atomically(shared / "result.json", "new")
    else:
        with pytest.raises(UsageError, match="cannot be written"):
            check_writable(shared / "result.json")
        with pytest.raises(OSError, match="another user's link"):
            write_atomically(shared / "result.json", "new")
    assert target.read_text() == ("new" if is_followed else "old")
