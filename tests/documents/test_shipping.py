"""What ships amicopy: the action's script, release notes, the package's metadata, the examples for many machines.

``make ship`` builds and lints what takes longer.
"""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from amicopy.core.version import __version__
from amicopy.sandbox.samples import populate
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import EAST, WEST, the_copy

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "examples" / "units"
AMI = "ami-0a11ce5a3b1e00001"
BASH, PARALLEL, JQ = (shutil.which(name) for name in ("bash", "parallel", "jq"))


def document(name: str) -> Any:
    """Return a YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text())


@pytest.fixture
def acted(world: World, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run the action's script as a step of GitHub does, with this environment's amicopy as the one it has installed."""
    populate(world)
    installed = tmp_path / f"amicopy-{re.sub('[^0-9A-Za-z]', '-', str(ROOT))}" / "bin"
    installed.mkdir(parents=True)
    command = installed / "amicopy"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m amicopy "$@"\n')
    command.chmod(0o755)

    def act(**inputs: str) -> "subprocess.CompletedProcess[str]":
        given = {name: one.get("default", "") for name, one in document("action.yml")["inputs"].items()}
        assert inputs.keys() <= given.keys()
        variables = {f"INPUT_{name.upper()}": value for name, value in (given | inputs).items()}
        runner = {"RUNNER_TEMP": str(tmp_path), "ACTION_PATH": str(ROOT), "PYTHONPATH": str(ROOT)}
        files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        return subprocess.run(
            [BASH or "bash", str(ROOT / "packaging" / "action.sh")],
            env={**os.environ, **runner, **files, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return act


@pytest.mark.skipif(not BASH, reason="there is no bash")
def test_the_action_copies_and_hands_on_the_ids(
    acted: Callable[..., "subprocess.CompletedProcess[str]"], world: World, tmp_path: Path
) -> None:
    arguments = "--tag\nNote=two words; and a $(command)\n--no-wait"
    ran = acted(command="copy", ami=AMI, to=f"{WEST},{EAST}", args=arguments)
    assert ran.returncode == 0, ran.stderr
    assert the_copy(world, WEST).tags["Note"] == "two words; and a $(command)"
    assert acted(command="copy", ami=AMI, to=f"{WEST},{EAST}", args="--dry-run").returncode == 0
    outputs = (tmp_path / "GITHUB_OUTPUT").read_text()
    named = document("action.yml")["outputs"]
    assert all(re.search(rf"^{name}(=|<<)", outputs, re.MULTILINE) for name in named), outputs


@pytest.mark.skipif(not BASH, reason="there is no bash")
def test_the_action_fails_as_the_command_does(acted: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    assert acted(command="status", ami="ami-1").returncode == 2
    assert acted(manifest="missing.yaml").returncode == 2


@pytest.mark.skipif(not BASH, reason="there is no bash")
@pytest.mark.parametrize(
    "inputs",
    [
        {"command": "copy", "ami": f"{AMI} --notify ./evil", "to": WEST},
        {"command": "copy", "ami": "*", "to": WEST},
        {"command": "copy", "ami": f"{AMI}\n--yes", "to": WEST},
        {"command": "copy --notify=./evil", "ami": AMI, "to": WEST},
        {"command": "--help"},
        {"command": "copy", "ami": AMI, "to": "--notify=./evil"},
        {"command": "sync", "manifest": "--schema"},
        {"command": "sync", "manifest": "amis.yaml", "version": "0.1.0 --index-url=https://evil.example"},
    ],
)
def test_no_input_of_the_action_becomes_an_option(
    acted: Callable[..., "subprocess.CompletedProcess[str]"], world: World, tmp_path: Path, inputs: dict[str, str]
) -> None:
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/done\n")
    evil.chmod(0o755)
    ran = acted(**inputs)
    assert (ran.returncode, world.images(WEST), (tmp_path / "done").exists()) == (2, [], False), ran.stderr


def test_the_action_hands_its_inputs_over_as_variables() -> None:
    """An expression inside a script would let an input become a command."""
    [step] = document("action.yml")["runs"]["steps"]
    assert "${{" not in step["run"]
    assert {f"INPUT_{name.upper()}" for name in document("action.yml")["inputs"]} <= step["env"].keys()


def test_release_notes_are_the_section_of_the_tag() -> None:
    notes = runpy.run_path(str(ROOT / "packaging" / "release_notes.py"))["release_notes"]
    changelog = "# Changelog\n\n## [Unreleased]\n\n- c\n\n## [1.2.3] - 2026-11-29\n\n- b\n\n## [1.2.2]\n\n- a\n"
    assert notes("v1.2.3", changelog, "1.2.3") == "- b\n"
    assert notes("v1.2.2", changelog, "1.2.2") == "- a\n"
    for tag, version in (("v1.2.3", "1.2.4"), ("v1.2.4", "1.2.4"), ("1.2.3", "1.2.3")):
        with pytest.raises(ValueError, match=r"tag|section"):
            notes(tag, changelog, version)


def test_the_package_says_what_it_is_and_where_it_comes_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"Homepage", "Issues", "Changelog", "Documentation"} <= project["urls"].keys()
    versions = {line.rpartition(" ")[2] for line in project["classifiers"] if ":: 3." in line}
    workflow = document(".github/workflows/release.yml")
    assert versions == set(workflow["jobs"]["test"]["strategy"]["matrix"]["python"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_no_container_may_write_or_become_more() -> None:
    for path in (ROOT / "examples" / "kubernetes" / "cronjob.yaml", UNITS / "indexed-job.yaml"):
        for one in yaml.safe_load_all(path.read_text()):
            template = one.get("spec", {}).get("jobTemplate", one).get("spec", {}).get("template")
            for container in template["spec"]["containers"] if template else ():
                limits = container["securityContext"]
                assert (limits["readOnlyRootFilesystem"], limits["allowPrivilegeEscalation"]) == (True, False)
                assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert "USER 65532" in (ROOT / "packaging" / "Dockerfile").read_text()


def test_two_runs_of_the_cron_job_never_overlap() -> None:
    kinds = {one["kind"]: one for one in yaml.safe_load_all((ROOT / "examples/kubernetes/cronjob.yaml").read_text())}
    assert kinds["CronJob"]["spec"]["concurrencyPolicy"] == "Forbid"


def test_the_cron_job_s_manifest_and_command_run(amicopy: Run, world: World, tmp_path: Path) -> None:
    populate(world)
    found = {one["kind"]: one for one in yaml.safe_load_all((ROOT / "examples/kubernetes/cronjob.yaml").read_text())}
    (tmp_path / "amis.yaml").write_text(found["ConfigMap"]["data"]["amis.yaml"])
    [container] = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    words = [word.replace("/etc/amicopy", str(tmp_path)) for word in container["args"]]
    ran = amicopy(*words)
    assert ran.code == 0, ran.err
    assert len(world.images(WEST)) == 1


def test_the_indexed_job_works_on_the_unit_of_its_index(world: World, tmp_path: Path) -> None:
    populate(world)
    [container] = document("examples/units/indexed-job.yaml")["spec"]["template"]["spec"]["containers"]
    shutil.copy(ROOT / "examples" / "simple.yaml", tmp_path / "amis.yaml")
    (tmp_path / "units").write_text(f"{EAST}\n{WEST}\n")
    script = container["args"][0].replace("/etc/amicopy", str(tmp_path)).replace("--unit", "--no-wait --unit")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "JOB_COMPLETION_INDEX": "1"}
    ran = subprocess.run([*container["command"], script], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (len(world.images(WEST)), len(world.images(EAST))) == (1, 0)


def test_a_pod_without_a_unit_starts_nothing(world: World, tmp_path: Path) -> None:
    """`completions` may be higher than the number of units, and a run without a unit is one for all of them."""
    [container] = document("examples/units/indexed-job.yaml")["spec"]["template"]["spec"]["containers"]
    script = container["args"][0].replace("/etc/amicopy", str(tmp_path)).replace("exec amicopy", "exec false amicopy")
    (tmp_path / "units").write_text("us-west-2\neu-west-1\n")
    ran = subprocess.run(
        ["sh", "-ec", script],
        env=os.environ | {"JOB_COMPLETION_INDEX": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "there is no unit 2" in ran.stderr, world.requests) == (2, True, [])


@pytest.mark.skipif(not (PARALLEL and JQ), reason="there is no GNU parallel, or no jq")
def test_the_script_for_parallel_works_on_every_unit(world: World, tmp_path: Path) -> None:
    populate(world)
    shutil.copy(ROOT / "examples" / "simple.yaml", tmp_path)
    script = (UNITS / "parallel.sh").read_text().replace("--quiet --unit", "--quiet --no-wait --unit")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "-c", script, "sh", "simple.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "HOME": str(tmp_path)},  # GNU parallel makes a directory there
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 5, ran.stderr  # its units do not wait here, so the copies are not done
    assert all(len(world.images(region)) == 1 for region in (WEST, EAST))


@pytest.mark.skipif(not (BASH and JQ), reason="there is no bash, or no jq")
def test_the_matrix_is_what_list_units_prints(world: World, tmp_path: Path) -> None:
    populate(world)
    shutil.copy(ROOT / "examples" / "simple.yaml", tmp_path)
    steps = document("examples/units/github-matrix.yml")["jobs"]["units"]["steps"]
    [step] = [one for one in steps if "list-units" in one.get("run", "")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    output = tmp_path / "output"

    def run() -> int:
        return subprocess.run(
            [BASH or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],  # as GitHub does
            cwd=tmp_path,
            env=os.environ | {"PATH": path, "GITHUB_OUTPUT": str(output)},
            capture_output=True,
            check=False,
        ).returncode

    assert (step["shell"], run()) == ("bash", 0)
    assert json.loads(output.read_text().removeprefix("units=")) == ["eu-west-1", "us-west-2"]
    output.unlink()
    (tmp_path / "simple.yaml").write_text("images: 1")
    assert (run() != 0, output.exists()) == (True, False)


def test_every_job_of_the_matrix_has_credentials_and_no_expression_in_a_script() -> None:
    jobs = document("examples/units/github-matrix.yml")["jobs"]
    assert jobs["unit"]["strategy"]["matrix"]["unit"] == "${{ fromJSON(needs.units.outputs.units) }}"
    assert all("configure-aws-credentials" in str(job["steps"]) for job in jobs.values())
    assert "${{" not in "".join(step.get("run", "") for step in jobs["unit"]["steps"])
