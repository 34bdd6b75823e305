"""The tutorial and pages with transcripts are followed literally: commands run, and they say what is shown."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amicopy.sandbox.samples import populate
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
HOW_TO = TUTORIAL.parent / "howto"
README = TUTORIAL.parents[1] / "README.md"
TRANSCRIPT = re.compile(r"^<!-- transcript: .* -->\n```text\n\$ (amicopy .*)\n((?:.*\n)*?)```$", re.MULTILINE)
BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def followed(text: str, amicopy: Run, clock: FakeClock, directory: Path) -> Iterator[tuple[str, str, str]]:
    """Do what the tutorial says, step by step; yield each command, what is shown of it, and what it said."""
    for kind, block in BLOCK.findall(text):
        first, _, rest = block.partition("\n")
        if kind == "yaml":
            (directory / first.removeprefix("# ")).write_text(block)
            continue
        clock.advance(20)
        command = shlex.split(first.removeprefix("$ "))
        if command[0] == "amicopy":
            ran = amicopy(*command[1:])
            assert ran.code == 0, (first, ran.err)
            yield first, rest, ran.err + ran.out
        else:
            assert command[0] == "python"
            said = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=True)
            yield first, rest, said.stdout


def lines(text: str) -> list[str]:
    """Return the lines of a text, without what differs from run to run, or by the terminal's width."""
    text = re.sub(r"\b(ami|snap)-[0-9a-f]{17}\b", r"\1-ID", text)
    text = re.sub(r"\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\d", "DATE", text)
    text = re.sub(r"[ ─]+", " ", text)
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip() != "…"]


def untrue(shown: str, said: str) -> tuple[list[str], list[str]]:
    """Return what is shown and was not said, and what was said and is left out without an ellipsis.

    An ellipsis between lines stands for more lines of progress, not for notes; one at the top stands for anything.
    """
    missing = [line for line in lines(shown) if line not in lines(said)]
    left_out = [line for line in lines(said) if line not in lines(shown)]
    if shown.startswith("…"):
        left_out = []
    elif "\n…\n" in shown:
        left_out = [line for line in left_out if re.match("note:|warning:|error:", line)]
    return missing, left_out


def test_the_transcript_of_the_readme_is_real(amicopy: Run, world: World) -> None:
    populate(world)
    [(command, shown)] = TRANSCRIPT.findall(README.read_text())
    ran = amicopy(*shlex.split(command)[1:])
    assert ran.code == 0
    assert untrue(shown, ran.err + ran.out) == ([], [])


@pytest.mark.parametrize("page", ["compare-content.md"])
def test_transcripts_of_a_page_are_real(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    populate(world)
    monkeypatch.chdir(tmp_path)
    taken = list(followed((HOW_TO / page).read_text(), amicopy, clock, tmp_path))
    assert taken
    for command, shown, said in taken:
        assert untrue(shown, said) == ([], []), command


def test_the_tutorial_leads_where_it_says(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(world)
    monkeypatch.chdir(tmp_path)
    taken = list(followed(TUTORIAL.read_text(), amicopy, clock, tmp_path))
    for command, shown, said in taken:
        assert lines(shown), command
        assert untrue(shown, said) == ([], []), command
    # What a newcomer is to have in the end: an applied manifest.
    assert sum("sync" in command for command, _, _ in taken) >= 4
    assert all(world.images(region) for region in ("us-west-2", "eu-west-1", "ap-southeast-2"))
