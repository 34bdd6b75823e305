"""Where results go beside stdout: files, a page, GitHub's, and what is in them however the run ends."""

import json
from pathlib import Path

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.parallel import Stop
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import a_manifest
from tests.support.scenes import EAST, HOME, WEST, a_source, first, order, the_copy, writes
from tests.support.schema import check_output

GONE = "ami-0123456789abcdef0"


@pytest.mark.parametrize("form", ["tfvars", "cfn", "env", "markdown"])
def test_a_map_on_stdout_and_in_a_file_is_the_same(amicopy: Run, world: World, tmp_path: Path, form: str) -> None:
    source = a_source(world)
    path = tmp_path / "map"
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", form, "--write", f"{form}={path}")
    assert ran.code == 0
    assert the_copy(world, WEST).image_id in ran.out
    assert path.read_text() == ran.out


def test_several_files_are_written_in_one_run(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    paths = {form: tmp_path / form for form in ("text", "table", "json", "tfvars", "cfn", "env", "markdown")}
    page = tmp_path / "page.html"
    files = [word for form, path in paths.items() for word in ("--write", f"{form}={path}")]
    assert amicopy("copy", source.image_id, "--to", WEST, *files, "--html", str(page)).code == 0
    copy = the_copy(world, WEST).image_id
    assert all(copy in path.read_text() for path in (*paths.values(), page))
    check_output(paths["json"].read_text())


def test_of_a_run_that_failed_in_part_the_files_hold_what_is_usable(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    order(world, f"copy@{WEST}=fail*always")
    tfvars, document = tmp_path / "a.tfvars", tmp_path / "a.json"
    files = ("--write", f"tfvars={tfvars}", "--write", f"json={document}")
    assert amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", *files).code == 3
    assert the_copy(world, EAST).image_id in tfvars.read_text()
    assert f'"{WEST}"' not in tfvars.read_text()
    assert json.loads(document.read_text())["exit_code"] == 3


def test_of_a_refused_plan_the_files_are_written_too(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world)
    world.call("DisableImage", {"ImageId": source.image_id}, region=HOME)
    world.requests.clear()
    document = tmp_path / "a.json"
    ran = amicopy("copy", source.image_id, "--to", WEST, "--write", f"json={document}")
    assert ran.code == 1
    assert json.loads(document.read_text())["copies"][0]["state"] == "refused"
    assert writes(world) == []


def test_of_an_interrupted_run_the_files_are_written_too(world: World, clock: FakeClock, tmp_path: Path) -> None:
    source = a_source(world)
    stop = Stop()
    stop.signal_number = 2
    document = tmp_path / "a.json"
    argv = ("copy", source.image_id, "--to", WEST, "--write", f"json={document}")
    assert main(argv, Environment(clock=clock, drive=first(stop.set), stop=stop)) == 130
    assert json.loads(document.read_text())["exit_code"] == 130


@pytest.mark.parametrize("command", ["copy", "sync"])
def test_without_a_plan_json_tells_of_the_failure_and_a_map_stays_as_it_was(
    amicopy: Run, world: World, tmp_path: Path, command: str
) -> None:
    document, tfvars, page = tmp_path / "a.json", tmp_path / "a.tfvars", tmp_path / "a.html"
    tfvars.write_text("of the last run")
    page.write_text("of the last run")
    manifest = a_manifest(tmp_path, f"images: [{{source: {GONE}, from: {HOME}, to: {WEST}}}]\n")
    what = (GONE, "--to", WEST) if command == "copy" else (manifest,)
    files = ("--write", f"json={document}", "--write", f"tfvars={tfvars}", "--html", str(page))
    ran = amicopy(command, *what, *files)
    assert ran.code == 1
    failure = json.loads(document.read_text())
    check_output(document.read_text())
    assert (failure["command"], failure["exit_code"], failure["error"]["slug"]) == (command, 1, "image-not-found")
    assert (tfvars.read_text(), page.read_text()) == ("of the last run", "of the last run")


@pytest.mark.parametrize("command", ["copy", "sync"])
@pytest.mark.parametrize("where", ["nowhere/a.json", "."])
def test_a_file_that_cannot_be_written_is_found_before_aws_is_asked(
    amicopy: Run, world: World, tmp_path: Path, command: str, where: str
) -> None:
    source = a_source(world)
    manifest = a_manifest(tmp_path, f"images: [{{source: {source.image_id}, from: {HOME}, to: {WEST}}}]\n")
    what = (source.image_id, "--to", WEST) if command == "copy" else (manifest,)
    world.requests.clear()
    ran = amicopy(command, *what, "--write", f"json={tmp_path / where}")
    assert (ran.code, world.requests) == (2, [])
    assert "cannot be written" in ran.err


def test_one_file_for_two_formats_is_refused(amicopy: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "a"
    ran = amicopy("copy", GONE, "--to", WEST, "--write", f"json={path}", "--write", f"env={path}")
    assert (ran.code, world.requests) == (2, [])
    assert "is named twice" in ran.err


@pytest.mark.parametrize("said", ["json", "json=", "yaml=x", "=x"])
def test_a_format_that_is_none_is_told(amicopy: Run, said: str) -> None:
    ran = amicopy("copy", GONE, "--to", WEST, "--write", said)
    assert ran.code == 2
    assert "FORMAT one of" in ran.err


@pytest.mark.parametrize("files", [("--write", "env=x"), ("--html", "x"), ("--output", "env")])
def test_a_dry_run_writes_no_files_of_copies(
    amicopy: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = amicopy("copy", GONE, "--to", WEST, "--dry-run", *files)
    assert (ran.code, "--dry-run makes no copies" in ran.err, list(tmp_path.iterdir())) == (2, True, [])


def test_github_is_told_of_ids_results_and_failures(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"
    outputs.write_text("of=another step\n")
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    source = a_source(world)
    order(world, f"copy@{WEST}=fail*always")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--github")
    assert ran.code == 3
    copy = the_copy(world, EAST).image_id
    assert outputs.read_text().startswith("of=another step\n")
    assert f"ami-{EAST}<<" in outputs.read_text()
    assert f"ami-{WEST}<<" not in outputs.read_text()
    assert copy in summary.read_text()
    assert "::error title=" in ran.err


@pytest.mark.parametrize("command", ["copy", "sync", "sync a faulty manifest"])
def test_what_fails_before_the_plan_is_seen_in_github_too(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    paths = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for name, path in paths.items():
        monkeypatch.setenv(name, str(path))
    image = f"images: [{{source: {GONE}, from: {HOME}, to: {WEST}}}]\n"
    text = image if command == "sync" else "images: [{source: nothing, to: mars}]\n"
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(text)
    argv = ("copy", GONE, "--to", WEST) if command == "copy" else ("sync", str(manifest))
    ran = amicopy(*argv, "--github")
    assert ran.code in {1, 2}
    assert "::error title=amicopy" in ran.err
    said = paths["GITHUB_OUTPUT"].read_text()
    assert "result<<" in said
    assert f"\n{ran.code}\n" in said
    summary = paths["GITHUB_STEP_SUMMARY"].read_text()
    assert f"### amicopy {argv[0]} failed" in summary
    assert GONE in summary or "nothing" in summary


@pytest.mark.parametrize("missing", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
def test_outside_of_github_it_is_refused(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in {"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} - {missing}:
        monkeypatch.setenv(name, str(tmp_path / name))
    ran = amicopy("copy", GONE, "--to", WEST, "--github")
    assert (ran.code, world.requests) == (2, [])
    assert missing in ran.err
