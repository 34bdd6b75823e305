"""What is written holds: every command shown runs, every option has its variable, help stays quick."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from amicopy.cli.main import COMMANDS
from amicopy.cli.main import amicopy as group
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run

ROOT = Path(__file__).parent.parent
SHOWN = re.compile(r"^\s*(?:\$ )?(amicopy (?:copy|status|cancel|verify|iam-policy)\b[^#>&|`\n]*)", re.MULTILINE)


def commands_shown() -> Iterator[str]:
    """Yield every command line in the README, the documents and the examples."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*"))]:
        for match in SHOWN.finditer(path.read_text()):
            line = match.group(1).strip()
            if "…" not in line and "[" not in line and "AMI" not in line and "$" not in line:
                yield line


@pytest.mark.parametrize("line", sorted(set(commands_shown())))
def test_every_command_shown_runs(amicopy: Run, world: World, line: str) -> None:
    for image_id in re.findall(r"ami-[0-9a-f]{17}", line):
        world.register("us-east-1", image_id=image_id, name="web", volumes=[Volume(device="/dev/sda1", gib=8)])
    arguments = [word for word in shlex.split(line)[1:] if word != "--sandbox"]
    ran = amicopy(*arguments)
    # Nothing was copied before, which is what verify says of these.
    assert ran.code == (4 if arguments[0] == "verify" else 0), ran.err


def test_there_are_commands_to_run() -> None:
    assert len(set(commands_shown())) > 10


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command by name."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        yield name, command


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    for name, command in commands():
        assert COMMANDS[name][1] == (command.help or "").split("\n")[0]


def test_every_option_can_be_set_by_a_variable() -> None:
    for _, command in commands():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                long = next(name for name in parameter.opts if name.startswith("--"))
                assert parameter.envvar == "AMICOPY_" + long[2:].replace("-", "_").upper()


def test_every_option_says_what_it_does() -> None:
    for name, command in commands():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.opts)


def test_a_variable_sets_its_option(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = world.register("us-east-1", name="web", volumes=[Volume(device="/dev/sda1", gib=8)])
    monkeypatch.setenv("AMICOPY_TO", "us-west-2,eu-west-1")
    monkeypatch.setenv("AMICOPY_TAG", "Release=2026.11\nNote=two words, and a comma")
    monkeypatch.setenv("AMICOPY_SHARE", "111122223333,444455556666")
    ran = amicopy("copy", source.image_id)
    assert ran.code == 0, ran.err
    [copy] = world.images("us-west-2")
    assert copy.tags["Note"] == "two words, and a comma"
    assert copy.launch_permissions == {"111122223333", "444455556666"}


HEAVY = ("boto3", "botocore", "rich", "moto", "flask", "tenacity", "urllib3")


@pytest.mark.parametrize("argv", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS), ["copy", "x"]])
def test_what_needs_no_aws_loads_nothing_heavy(argv: list[str]) -> None:
    program = (
        "import sys; from amicopy.cli.main import main; from amicopy.cli.runtime import Runtime;"
        f"main({argv!r}, Runtime.real()); print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "[]"


def test_the_demonstration_is_a_shell_script_that_a_shell_can_read() -> None:
    subprocess.run(["sh", "-n", str(ROOT / "examples" / "demo.sh")], check=True)
