"""What is written holds: every command shown runs, every option has its variable, help stays quick."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import click
import pytest

from amicopy.cli.main import COMMANDS
from amicopy.cli.main import amicopy as group
from amicopy.execute.report import Report
from amicopy.manifest.read import read_manifest
from amicopy.render.exports import EXPORTS
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.reports import a_row, an_image, begin, finish, report_of

ROOT = Path(__file__).parents[2]
COMMAND = r"(amicopy (?:copy|sync|status|cancel|retire|boot|verify|iam-policy)\b[^#>&|`\n]*)"
SHOWN = re.compile(r"^\s*(?:\$ |- |run: )?(?:echo \S+ \| )?" + COMMAND, re.MULTILINE)
SOURCE = "ami-0abcdef1234567890"
RUN = {"packer_run_uuid": "1", "artifact_id": f"us-east-1:{SOURCE}"}


def a_smoke_test(directory: Path) -> None:
    """Write the program that the documents check copies with."""
    path = directory / "smoke-test"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def pages() -> list[Path]:
    """Return the README and every page of the documents."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands_shown() -> Iterator[str]:
    """Yield every command line in the README, the documents and the examples."""
    examples = sorted(path for path in (ROOT / "examples").rglob("*") if path.is_file())
    for path in [*pages(), *examples]:
        for match in SHOWN.finditer(path.read_text()):
            line = match.group(1).strip()
            if "…" not in line and "[" not in line and "AMI" not in line and "$" not in line:
                yield line


@pytest.mark.parametrize("line", sorted(set(commands_shown())))
def test_every_command_shown_runs(
    amicopy: Run, world: World, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    monkeypatch.setenv("RELEASE", "2026.11")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SOURCE}\n"))
    monkeypatch.setenv("GITHUB_OUTPUT", "output")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary")
    a_smoke_test(tmp_path)
    Path("packer-manifest.json").write_text(json.dumps({"last_run_uuid": "1", "builds": [RUN]}))
    for manifest in (ROOT / "examples").glob("*.yaml"):
        shutil.copy(manifest, tmp_path)
    shutil.copy("simple.yaml", "amis.yaml")
    for alias in re.findall(r"(alias/\w+)", line):
        for region in ("us-west-2", "eu-west-1"):
            kms: Any = boto3.client("kms", region)
            kms.create_alias(AliasName=alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
            kms.close()
    Path("prices.csv").write_text("price,region,usd\nstorage,eu-north-1,0.05\n")
    home = next(iter(re.findall(r"--from (\S+)", line)), "us-east-1")
    for image_id in {SOURCE, "ami-0a11ce5a3b1e00001", *re.findall(r"ami-[0-9a-f]{17}", line)}:
        world.register(
            home,
            image_id=image_id,
            name="web-server-1",
            volumes=[Volume(device="/dev/sda1", gib=8)],
            scanned_at=world.clock.now(),
        )
    if "--parameter" in line:
        ssm: Any = boto3.client("ssm", home)
        for image_id in (world.register(home, name="web-server-0").image_id, SOURCE):
            ssm.put_parameter(Name="/images/web", Value=image_id, Type="String", Overwrite=True)
        ssm.close()
    for accounts in re.findall(
        r"^amicopy boot .*--account (\S+)", line
    ):  # copies there can only be named by their source
        assert amicopy("copy", SOURCE, "--from", home, "--to", home, "--account", accounts).code == 0
    arguments = [word for word in shlex.split(line)[1:] if word != "--sandbox"]
    ran = amicopy(*arguments)
    # Nothing was copied before, which is what verify says of these.
    expected = 4 if arguments[0] == "verify" else 0
    if "--exit-code" in arguments:
        expected = 4 if "--dry-run" in arguments else 5
    assert ran.code == expected, ran.err


PIPED = re.compile(rf"^{COMMAND}\| ((jq|awk|cut) .*)$", re.MULTILINE)


def piped() -> list[tuple[str, str, str]]:
    """Return every command line shown whose output goes to a filter: the command, the filter, the filter's program."""
    return [match.groups() for path in pages() for match in PIPED.finditer(path.read_text())]  # type: ignore[misc]


@pytest.mark.parametrize(("line", "pipe", "program"), piped())
def test_what_filters_the_output_finds_the_copy_on_every_run(
    amicopy: Run, world: World, line: str, pipe: str, program: str
) -> None:
    if not shutil.which(program):
        pytest.skip(f"there is no {program}")
    world.register("us-east-1", image_id=SOURCE, name="web-server-1", volumes=[Volume(device="/dev/sda1", gib=8)])
    found = []
    for again in range(2):
        out = amicopy(*shlex.split(line)[1:]).out
        assert ("unchanged" in out) == bool(again)
        found.append(subprocess.run(["sh", "-c", pipe], input=out, capture_output=True, text=True, check=True).stdout)
    copies = [image.image_id for image in world.images("us-west-2")]
    assert found == ["".join(f"{image_id}\n" for image_id in copies)] * 2


def test_the_filters_of_both_formats_are_shown() -> None:
    assert {program for _, _, program in piped()} >= {"jq", "awk"}


def test_there_are_commands_to_run() -> None:
    assert len(set(commands_shown())) > 10


def of_one_source() -> Report:
    """Return the report of the run that docs/outputs.md shows."""
    source = an_image("ami-0a11ce5a3b1e00001", "web-server-2026.11")
    report = report_of(*(a_row(region, source) for region in ("us-west-2", "eu-west-1")))
    for outcome, image_id in zip(report.outcomes, ("ami-0309d9dd07df8fbcc", "ami-0f2139d229788b0cf"), strict=True):
        finish(report, outcome.row, image_id)
    return report


def of_two_sources() -> Report:
    """Return the report of the same run with a second source, one copy of which is still being made."""
    database = an_image("ami-0a11ce5a3b1e00002", "database-2026.11")
    first = of_one_source()
    rows = [a_row(region, database) for region in ("us-west-2", "eu-west-1")]
    report = report_of(*first.plan.rows, *rows)
    report.by_key.update(first.by_key)
    finish(report, rows[0], "ami-0c4d5e6f708192a3b")
    begin(report, rows[1], "ami-0c5e6f708192a3b4c")
    return report


EXAMPLE = re.compile(r"<!-- (\w+) of (one source|two sources) -->\n```\w+\n(.*?)```", re.DOTALL)
EXAMPLES = EXAMPLE.findall((ROOT / "docs" / "outputs.md").read_text())


@pytest.mark.parametrize(("output", "sources", "text"), EXAMPLES)
def test_every_output_shown_is_what_is_written(output: str, sources: str, text: str) -> None:
    assert EXPORTS[output](of_one_source() if sources == "one source" else of_two_sources()) == text


def test_every_format_is_shown() -> None:
    assert {output for output, _, _ in EXAMPLES} == EXPORTS.keys()


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


def test_every_option_but_yes_can_be_set_by_a_variable() -> None:
    for _, command in commands():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                long = next(name for name in parameter.opts if name.startswith("--"))
                variable = "AMICOPY_" + long[2:].replace("-", "_").upper()
                assert parameter.envvar == (None if long == "--yes" else variable)


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
        "import sys; from amicopy.cli.main import main; from amicopy.cli.environment import Environment;"
        f"main({argv!r}, Environment.real());"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "[]"


def test_the_demonstration_is_a_shell_script_that_a_shell_can_read() -> None:
    subprocess.run(["sh", "-n", str(ROOT / "examples" / "demo.sh")], check=True)


def test_every_manifest_shown_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a_smoke_test(tmp_path)
    blocks = [
        (page.name, block)
        for page in pages()
        for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
        if re.search(r"^images:$", block, re.MULTILINE)
    ]
    assert {name for name, _ in blocks} >= {"README.md", "tutorial.md"}
    for name, block in blocks:
        assert read_manifest(name, block.encode(), {})


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_begins_as_its_page_says(shell: str) -> None:
    [variable] = set(re.findall(rf"(_\w+)={shell}_source amicopy", (ROOT / "docs/howto/completion.md").read_text()))
    program = Path(sys.executable).parent / "amicopy"
    ran = subprocess.run([program], env=os.environ | {variable: f"{shell}_source"}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert f"{variable}={shell}_complete" in ran.stdout


def test_the_python_shown_runs(amicopy: Run, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.register("us-east-1", image_id=SOURCE, name="web", volumes=[Volume(device="/dev/sda1", gib=8)])
    amicopy("copy", SOURCE, "--to", "us-west-2,eu-west-1")  # so that there is nothing to wait for
    program = re.findall(
        r"^```python\n(import .*?)^```$", (ROOT / "docs/python.md").read_text(), re.DOTALL | re.MULTILINE
    )
    exec(program[0], {})
    assert re.fullmatch(r"(?:(us-west-2|eu-west-1) ami-[0-9a-f]{17} unchanged\n){2}", capsys.readouterr().out)


def test_every_included_file_is_linked_above_it() -> None:
    """The repository's own pages show nothing of an included file; the site shows both."""
    for page in (ROOT / "docs").rglob("*.md"):
        for before, path in re.findall(r"((?:.*\n){3}) *```\{literalinclude\} (\S+)", page.read_text()):
            assert f"]({path})" in before, f"{page} includes {path} without a link"
            assert (page.parent / path).is_file()
