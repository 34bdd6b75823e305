"""Files that may be lost: kept whole, believed only when they are ours, never a reason to fail."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from amicopy.aws.startup import cache

NAME = "ec2.json"
VALUE = {"operations": ["CopyImage", "ü"]}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file of a value that was kept."""
    cache.write(NAME, VALUE)
    return tmp_path / ".cache" / "amicopy" / NAME


def test_what_was_kept_is_read_back(kept: Path) -> None:
    assert cache.read(NAME) == VALUE


def test_what_was_not_kept_is_not_there() -> None:
    assert cache.read(NAME) is None


def test_only_the_user_may_look(kept: Path) -> None:
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_else_is_left_in_the_directory(kept: Path) -> None:
    cache.write(NAME, VALUE)
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_believed(kept: Path, mode: int) -> None:
    kept.chmod(mode)
    assert cache.read(NAME) is None


def test_a_file_of_another_user_is_not_believed(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = kept.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert cache.read(NAME) is None


def test_a_link_is_not_followed(kept: Path) -> None:
    elsewhere = kept.with_name("elsewhere")
    kept.rename(elsewhere)
    kept.symlink_to(elsewhere)
    assert cache.read(NAME) is None


def test_a_pipe_is_not_waited_for(kept: Path) -> None:
    kept.unlink()
    os.mkfifo(kept, 0o600)
    assert cache.read(NAME) is None


def test_a_file_that_was_kept_under_another_name_is_not_believed(kept: Path) -> None:
    kept.rename(kept.with_name("other.json"))
    assert cache.read("other.json") is None


def damages(whole: bytes) -> Iterator[bytes]:
    """Yield what may become of a file."""
    yield b""
    yield b"\n"
    yield b"\0" * len(whole)
    yield whole + b" "
    yield from (whole[:length] for length in range(0, len(whole), 7))
    yield from (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole)))


def test_a_damaged_file_is_not_there_and_is_replaced(kept: Path) -> None:
    whole = kept.read_bytes()
    for damaged in damages(whole):
        kept.write_bytes(damaged)
        assert cache.read(NAME) is None
    cache.write(NAME, VALUE)
    assert kept.read_bytes() == whole


def test_the_configured_directory_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    cache.write(NAME, VALUE)
    assert (tmp_path / "mine" / "amicopy" / NAME).is_file()
    assert cache.read(NAME) == VALUE


@pytest.mark.parametrize("relative", ["", "mine"])
def test_a_relative_directory_is_ignored(relative: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", relative)
    cache.write(NAME, VALUE)
    assert [path.name for path in tmp_path.iterdir()] == [".cache"]


def test_a_user_without_a_home_goes_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", no_home)
    cache.write(NAME, VALUE)
    assert cache.read(NAME) is None
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_gone_without(tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file")
    cache.write(NAME, VALUE)
    assert cache.read(NAME) is None


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    taken = tmp_path / ".cache" / "amicopy" / NAME
    (taken / "inside").mkdir(parents=True)
    cache.write(NAME, VALUE)
    assert cache.read(NAME) is None
    assert list(taken.parent.iterdir()) == [taken]


def test_files_of_releases_long_replaced_go(kept: Path) -> None:
    old, recent = kept.with_name("old.json"), kept.with_name("recent.json")
    for path, days in ((old, 91), (recent, 89)):
        path.touch()
        written = kept.stat().st_mtime - days * 24 * 3600
        os.utime(path, (written, written))
    cache.write(NAME, VALUE)
    assert set(kept.parent.iterdir()) == {kept, recent}
