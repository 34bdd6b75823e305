"""Whole commands: a plan as Markdown, in files, and in a step of GitHub Actions."""

import json
import re
from pathlib import Path

import pytest

from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import EAST, WEST, a_source, writes

BOTH = f"{WEST},{EAST}"


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step of GitHub Actions: the directory of its files."""
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def output(directory: Path, name: str) -> str:
    """Return an output of the step."""
    text = (directory / "GITHUB_OUTPUT").read_text()
    [found] = re.findall(rf"^{name}<<(\S+)\n(.*?)\n\1$", text, re.MULTILINE | re.DOTALL)
    return str(found[1])


def test_a_plan_can_be_a_comment_on_a_pull_request(amicopy: Run, world: World, github: Path) -> None:
    source = a_source(world, name="web (1) [2]")
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", BOTH, "--dry-run", "--github", "--output", "markdown")
    assert (ran.code, writes(world)) == (0, [])
    assert ran.out.startswith("### amicopy: 1 to copy, 1 up to date\n")
    assert f"| copy | {EAST} | `{source.image_id}` | no copy yet |" in ran.out.replace("\\", "")
    assert (output(github, "has-changes"), output(github, "result")) == ("true", "ok")
    assert output(github, "plan") == ran.out.rstrip("\n")
    assert (github / "GITHUB_STEP_SUMMARY").read_text() == ran.out


def test_a_plan_of_nothing_says_that_nothing_changes(amicopy: Run, world: World, github: Path) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    amicopy("copy", source.image_id, "--to", WEST, "--dry-run", "--github", "-q")
    assert output(github, "has-changes") == "false"


def test_a_refused_plan_says_why(amicopy: Run, world: World, github: Path) -> None:
    source = a_source(world, state="disabled")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--dry-run", "--github", "--output", "markdown")
    assert ran.code == 1
    assert "### amicopy: refused, 1 copy of 1" in ran.out
    assert f"- **{WEST}** refused: The source" in ran.out.replace("\\", "")
    assert "::error title=" in ran.err
    assert (output(github, "result"), output(github, "exit-code")) == ("failed", "1")


def test_a_plan_is_written_to_files(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    files = {form: tmp_path / form for form in ("text", "table", "json", "markdown")}
    written = [word for form, path in files.items() for word in ("--write", f"{form}={path}")]
    ran = amicopy("copy", source.image_id, "--to", WEST, "--dry-run", *written)
    assert ran.code == 0, ran.err
    assert files["text"].read_text() == ran.out
    assert json.loads(files["json"].read_text())["status"] == "planned"
    assert files["markdown"].read_text().startswith("### amicopy: 1 to copy")


def test_a_manifests_plan_shows_what_it_publishes(amicopy: Run, world: World, tmp_path: Path) -> None:
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(
        f"images: [{{source: {a_source(world).image_id}, from: us-east-1, to: {WEST}, publish: {{ssm: /images/web}}}}]"
    )
    ran = amicopy("sync", str(manifest), "--dry-run", "--output", "markdown")
    assert ran.code == 0, ran.err
    rows = [line.replace("\\", "") for line in ran.out.splitlines() if line.startswith("| \\+")]
    assert [row.split(" | ")[2] for row in rows][1] == "/images/web"


@pytest.mark.parametrize("options", [["--output", "tfvars"], ["--write", "env=x"], ["--html", "x"]])
def test_a_plan_has_no_ids_to_write(amicopy: Run, world: World, options: list[str]) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--dry-run", *options)
    assert (ran.code, "there are no ids" in ran.err) == (2, True)
