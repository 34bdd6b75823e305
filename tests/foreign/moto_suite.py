"""``make contract``: moto's own tests of AMIs, snapshots, tags and regions, run against the sandbox.

They come from the source distribution of the installed moto. ``moto_differences.yaml`` lists where sandbox and moto
differ, why, and who is right. A test that fails unlisted fails the target; so does one that is listed and passes.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = (
    "tests/test_ec2/test_amis.py",
    "tests/test_ec2/test_elastic_block_store.py",
    "tests/test_ec2/test_tags.py",
    "tests/test_ec2/test_regions.py",
    "tests/test_ec2/test_availability_zones_and_regions.py",
    "tests/test_ebs",
    "tests/test_sts",
)
IMPORTED = "imported"  # the folder with what moto's tests import
VERDICTS = ("sandbox", "moto", "unclear")
TIME_LIMIT_SECONDS = 900


def main() -> int:
    """Return the exit code: 0 if everything is as listed, or if moto's tests can't be downloaded."""
    source = ROOT / "build" / f"moto-{version('moto')}"
    problem = "" if (source / "tests").is_dir() else download(source)
    if problem:
        print(f"skipped: moto's tests cannot be downloaded: {problem}")
        return 0
    outcomes = run(source)
    problems = compare(outcomes, known_differences())
    failed = sum(1 for failure in outcomes.values() if failure)
    print(f"moto {version('moto')}: {len(outcomes)} tests, {len(outcomes) - failed} pass, {failed} differ")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def download(source: Path) -> str:
    """Unpack the tests of the installed moto, and beside them what they import; return what went wrong, or ""."""
    with tempfile.TemporaryDirectory() as folder:
        problem = pip("download", "--no-binary", "moto", "--dest", folder, f"moto=={version('moto')}")
        problem = problem or pip("install", "--target", str(source / IMPORTED), "freezegun")
        if problem:
            return problem
        (archived,) = Path(folder).glob("moto-*.tar.gz")
        with tarfile.open(archived) as archive:
            members = [member for member in archive.getmembers() if "/tests/" in member.name]
            safe: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4
            archive.extractall(source.parent, members=members, **safe)
    return ""


def pip(command: str, *arguments: str) -> str:
    """Run pip without the dependencies of what it gets; return the last line of its errors, "" if it succeeded."""
    line = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-deps", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["it failed"])[-1] if done.returncode else ""


def run(source: Path) -> dict[str, str]:
    """Run moto's tests against a sandbox; return each test's failure, "" if it passed."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
        environment |= {
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, HERE, source / IMPORTED))),
            "TEST_SERVER_MODE": "true",
            "AMICOPY_FOREIGN_OUTCOMES": str(outcomes),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        command = [sys.executable, "-m", "pytest", "--quiet", "--tb=no", "-c", os.devnull, "--rootdir", str(source)]
        command += ["-p", "no:cacheprovider", "-p", "moto_in_sandbox", *FILES]
        done = subprocess.run(
            command,
            cwd=source,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_SECONDS,
            check=False,
        )
        if not outcomes.exists():
            raise SystemExit(f"moto's tests did not run:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        found: dict[str, str] = json.loads(outcomes.read_text())
    return found


def known_differences() -> list[dict[str, Any]]:
    """Return the groups of tests that are known to fail.

    Raises:
        ValueError: a group doesn't say why, or who is right.
    """
    groups: list[dict[str, Any]] = yaml.safe_load((HERE / "moto_differences.yaml").read_text())
    for group in groups:
        if group["right"] not in VERDICTS or not group["why"] or not group["tests"]:
            raise ValueError(f"incomplete: {group}")
    return groups


def compare(outcomes: Mapping[str, str], groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each test that fails and isn't listed, is listed and passes, or is listed and wasn't run."""
    listed = [test for group in groups for test in group["tests"]]
    problems = [f"listed twice: {test}" for test in sorted({test for test in listed if listed.count(test) > 1})]
    for test, failure in outcomes.items():
        if failure and test not in listed:
            problems.append(f"fails and is not listed: {test}\n  {failure.splitlines()[0][:300]}")
    for test in listed:
        if test not in outcomes:
            problems.append(f"listed, and not run: {test}")
        elif not outcomes[test]:
            problems.append(f"listed, and passes: {test}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
