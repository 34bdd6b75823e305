"""What a command shows on a terminal: folded to its width, failures in red, and that AWS is being read."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import EAST, WEST, a_source, order

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
RED = "\x1b[1;31m"


def on_terminal(*argv: str, columns: int = 60, **variables: str) -> str:
    """Return what ``amicopy ARGV`` writes to a terminal, control sequences included."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "amicopy", *argv],
        env=environment | {"TERM": "xterm"} | variables,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while piece := terminal.read(4096):
                written += piece
        except OSError:  # Linux: the other end is closed
            pass
    process.wait(timeout=20)
    return written.decode()


def lines_of(text: str) -> list[str]:
    """Return the lines of a terminal as they stand in the end."""
    kept = [line.rpartition("\x1b[2K")[2] for line in text.replace("\r\n", "\n").split("\n")]
    return [ESCAPES.sub("", line) for line in kept if line]


@pytest.mark.parametrize("columns", [60, 80])
def test_a_plan_and_its_notes_are_folded_between_words(amicopy: Run, world: World, columns: int) -> None:
    source = a_source(world, tags={"Team": "web"}, launch_permissions={"111122223333"})
    amicopy("copy", source.image_id, "--to", WEST, "--name", "web")
    world.images(WEST)[0].tags["Team"] = "other"
    lines = lines_of(on_terminal("copy", source.image_id, "--to", f"{WEST},{EAST}", "--dry-run", columns=columns))
    assert max(map(len, lines)) <= columns
    assert f"note: at most 8 GiB to {EAST} will be copied" in " ".join(" ".join(lines).split())


def test_a_terminal_shows_that_aws_is_being_read_and_then_no_more(amicopy: Run, world: World) -> None:
    source = a_source(world)
    text = on_terminal("copy", source.image_id, "--to", f"{WEST},{EAST}", "--dry-run")
    assert "looking at the source and 2 regions…" in text
    assert not any("looking at" in line for line in lines_of(text))
    assert "looking at" not in amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--dry-run").err


def test_what_is_refused_is_red_on_a_terminal_that_has_colors(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"DescribeImages@{EAST}=error:UnauthorizedOperation: no*always")
    arguments = ["copy", source.image_id, "--to", f"{WEST},{EAST}"]
    text = on_terminal(*arguments)
    assert f"{RED}refuse\x1b[0m  {EAST}" in text
    assert f"{RED}error\x1b[0m: " in text
    assert RED not in on_terminal(*arguments, NO_COLOR="1")
    assert RED not in on_terminal(*arguments, TERM="dumb")


def test_a_status_table_fits_its_terminal(amicopy: Run, world: World) -> None:
    source = a_source(world, tags={"Team": "web", "Role": "a role of many words that has to be folded somewhere"})
    amicopy("copy", source.image_id, "--to", WEST)
    world.images(WEST)[0].tags.pop("Team")
    lines = lines_of(on_terminal("status", source.image_id, "--in", WEST))
    assert lines[1].split() == ["REGION", "COPY", "STATE"]
    assert max(map(len, lines)) <= 60
    assert world.images(WEST)[0].image_id in " ".join(lines)


def test_relative_files_in_a_directory_that_is_gone_are_a_usage_error(
    amicopy: Run, world: World, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(world)
    gone = os.path.join(tmp_path, "gone")  # noqa: PTH118
    os.mkdir(gone)  # noqa: PTH102
    monkeypatch.chdir(gone)
    os.rmdir(gone)  # noqa: PTH106
    ran = amicopy("copy", source.image_id, "--to", WEST, "--write", "json=x.json")
    assert (ran.code, "Traceback" in ran.err) == (2, False)
    assert "The current directory no longer exists" in ran.err


def test_every_frame_of_the_live_view_is_marked_as_one(world: World) -> None:
    source = a_source(world)
    text = on_terminal("copy", source.image_id, "--to", f"{WEST},{EAST}", "--no-wait")
    begins, ends = text.count("\x1b[?2026h"), text.count("\x1b[?2026l")
    assert begins == ends > 0
    assert "\x1b[?2026" not in on_terminal("copy", source.image_id, "--to", WEST, "--no-wait", TERM="dumb")
