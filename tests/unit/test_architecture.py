"""The layout holds: imports go one way, each library has one home, modules say what they hold."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "amicopy"

# A folder imports from itself and from those before it.
ORDER = (
    *("core", "aws", "manifest", "plan", "survey", "execute", "scan", "jobs"),
    *("render", "api", "sandbox", "aws_lambda", "cli"),
)
PURE = {
    "plan": {"core", "plan"},
    "manifest": {"core", "manifest"},
    "scan": {"core", "scan"},
    "core": {"core"},
    "sandbox": {"core", "sandbox"},
}
FACES = {"__init__", "__main__"}

HOMES = {
    "click": {"cli"},
    "rich": {"render"},
    "moto": {f"sandbox/http/moto_{name}" for name in ("accounts", "adapter", "keys", "resources")},
    "werkzeug": {"sandbox/http"},
    "flask": {"sandbox/http"},
    "pytest": {"sandbox/pytest_plugin"},
    "botocore": {"aws", "sandbox/http"},
    "boto3": set[str](),
    "tenacity": {"core/retries"},
    "yaml": {"manifest"},
    "jsonschema": {"manifest"},
}
# Established nouns; every other module is named by what it holds, not by what it does.
NOUNS_IN_ING = {"planning", "polling", "error_mapping", "sharing"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield every file of the package, as a path without its suffix."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").as_posix(), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield every module that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def folder(name: str) -> str:
    """Return the folder (or the file at the root) that a module belongs to."""
    return name.split("/")[0]


def ours(tree: ast.Module) -> Iterator[str]:
    """Yield the folders of the package that a file imports from."""
    yield from (name.split(".")[1] for name in imported(tree) if name.startswith("amicopy."))


def test_every_module_is_in_a_folder_of_the_order() -> None:
    assert {folder(name) for name, _ in modules()} - FACES == set(ORDER)


def test_imports_follow_the_order() -> None:
    upward = [
        f"{name} imports {target}"
        for name, tree in modules()
        if folder(name) not in FACES
        for target in ours(tree)
        if ORDER.index(target) > ORDER.index(folder(name))
    ]
    assert upward == []


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_pure_folder_imports_only_what_is_pure(name: str) -> None:
    strangers = [
        f"{module} imports {target}"
        for module, tree in modules()
        if folder(module) == name
        for target in ours(tree)
        if target not in PURE[name]
    ]
    assert strangers == []


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_library_has_one_home(library: str) -> None:
    strangers = [
        name
        for name, tree in modules()
        if any(target.split(".")[0] == library for target in imported(tree))
        and not any(name == home or name.startswith(f"{home}/") for home in HOMES[library])
    ]
    assert strangers == []


@pytest.mark.parametrize("package", ["core", "cli/commands"])
def test_loading_it_loads_no_botocore(package: str) -> None:
    names = [f"amicopy.{name.replace('/', '.')}" for name, _ in modules() if name.startswith(f"{package}/")]
    lines = [
        "import importlib, sys",
        f"for name in {[name.removesuffix('.__init__') for name in names]}: importlib.import_module(name)",
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'boto3', 'botocore', 'moto', 'rich', 'yaml'}))",
    ]
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


@pytest.mark.parametrize("command", ["copy", "sync", "status", "verify", "scan", "cancel", "retire", "boot"])
def test_a_command_has_the_same_file_name_on_every_floor(command: str) -> None:
    names = {name for name, _ in modules()}
    assert {f"cli/commands/{command}", f"cli/handlers/{command}", f"jobs/{command}"} <= names


def test_no_module_is_named_by_a_gerund() -> None:
    named = [name for name, _ in modules() if name.endswith("ing") and name.split("/")[-1] not in NOUNS_IN_ING]
    assert named == []


def test_the_root_stays_small() -> None:
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert sum(path.is_dir() for path in entries) <= 12
    assert sum(path.is_file() for path in entries) <= 4


def test_only_commands_know_a_dry_run() -> None:
    knowing = {folder(name) for name, _ in modules() if re.search(r"\bdry_run\b", (PACKAGE / f"{name}.py").read_text())}
    assert knowing - {"sandbox"} == {"cli"}  # EC2 itself has a DryRun, which the sandbox answers


def test_the_command_line_reaches_aws_through_jobs_only() -> None:
    used = [
        f"{name} imports {target}"
        for name, tree in modules()
        if folder(name) == "cli"
        for target in ours(tree)
        if target == "survey"
    ]
    assert used == []


def test_every_module_says_what_it_holds() -> None:
    assert [name for name, tree in modules() if not ast.get_docstring(tree)] == []
