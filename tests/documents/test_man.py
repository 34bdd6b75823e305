"""The manual pages: one for each command, without a word that a roff processor stumbles over."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from amicopy.cli.main import COMMANDS
from amicopy.cli.main import amicopy as group

WRITER = Path(__file__).parents[2] / "docs" / "man.py"
GROFF = shutil.which("groff") or ""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages, written once, by name."""
    directory = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, str(WRITER), str(directory)], check=True)
    return {path.name: path for path in directory.iterdir()}


def test_every_command_has_a_page(pages: dict[str, Path]) -> None:
    assert pages.keys() == {"amicopy.1", *(f"amicopy-{name}.1" for name in COMMANDS)}


def test_every_page_has_its_sections_and_no_line_that_roff_takes_for_a_request(pages: dict[str, Path]) -> None:
    for path in pages.values():
        lines = path.read_text("ascii").splitlines()
        assert [line for line in lines if line.startswith(".TH ")] == lines[:1]
        assert [line for line in lines if line.startswith(".SH ")][:4] == [
            ".SH NAME",
            ".SH SYNOPSIS",
            ".SH DESCRIPTION",
            ".SH OPTIONS",
        ]
        requests = {line.split()[0] for line in lines if line.startswith((".", "'"))}
        assert requests <= {".TH", ".SH", ".PP", ".SS", ".TP", ".B", ".BR", ".nf", ".fi", ".nh", ".ad"}
        assert lines.count(".nf") == lines.count(".fi")


def test_every_option_is_on_its_commands_page(pages: dict[str, Path]) -> None:
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        text = pages[f"amicopy-{name}.1"].read_text().replace("\\-", "-")
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert all(option in text for option in parameter.opts)


@pytest.mark.skipif(not GROFF, reason="there is no groff")
def test_groff_renders_every_page_without_a_warning(pages: dict[str, Path]) -> None:
    for path in pages.values():
        ran = subprocess.run([GROFF, "-man", "-Tutf8", "-ww", str(path)], capture_output=True, text=True, check=True)
        assert ran.stderr == ""
        assert "amicopy" in ran.stdout
