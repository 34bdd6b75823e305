"""``amicopy sync --check-only``: a pre-commit hook, which has neither credentials nor a region."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Run
from tests.support.manifests import a_manifest
from tests.support.scenes import HOME, WEST

ROOT = Path(__file__).parents[3]
GOOD = f"images:\n  - {{source: {{name: 'web*'}}, to: {WEST}}}\n  - {{source: {{name: x}}, from: {HOME}, to: 'eu-*'}}\n"


def test_manifests_are_checked_without_credentials_region_or_home(amicopy: Run, tmp_path: Path) -> None:
    paths = [a_manifest(tmp_path, GOOD), a_manifest(tmp_path, GOOD, "other.yaml")]
    ran = amicopy("sync", "--check-only", *paths)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [f"{path}: 2 entries, no problems" for path in paths]
    document = amicopy("sync", "--check-only", *paths, "--output", "json").json
    assert document["manifests"] == [{"path": path, "entries": 2} for path in paths]


def test_every_problem_of_every_manifest_is_reported(amicopy: Run, tmp_path: Path) -> None:
    wrong = [
        a_manifest(tmp_path, "images:\n  - {source: {name: x}, to: eu-wst-1, keeep: 3}\n", "one.yaml"),
        a_manifest(tmp_path, f"images:\n  - {{source: {{name: x}}, from: {HOME}, to: {HOME}}}\n", "two.yaml"),
        str(tmp_path / "missing.yaml"),
    ]
    ran = amicopy("sync", "--check-only", a_manifest(tmp_path, GOOD), *wrong)
    assert (ran.code, ran.out) == (2, "")
    for said in (
        "unknown region 'eu-wst-1'",
        "'keeep' is an unknown key",
        "two.yaml:2:5",
        "missing.yaml cannot be read",
    ):
        assert said in ran.err
    failed = amicopy("sync", "--check-only", *wrong, "--output", "json")
    assert failed.json["exit_code"] == failed.code == 2


def test_the_hook_runs_as_pre_commit_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: Any = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    [hook] = hooks
    assert hook["language"] == "python"
    words = [*hook["entry"].split(), a_manifest(tmp_path, GOOD), a_manifest(tmp_path, GOOD, "other.yaml")]
    assert words[0] == "amicopy"
    command = [sys.executable, "-m", "amicopy", *words[1:]]
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, env=bare, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
