"""The house stays simple to see: imports go down the list, each library has one home, modules say their job."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "amicopy"

# From top to bottom; a module may import what stands below it, and its neighbours in the same line.
ORDER = (
    ("__main__",),
    ("cli",),
    ("render",),
    ("sandbox",),
    ("api",),
    ("manifest",),
    ("jobs",),
    ("undo",),
    ("survey", "preflight"),
    ("execute",),
    ("repair",),
    ("lane",),
    ("making",),
    ("asking",),
    ("settle",),
    ("targets",),
    ("removal",),
    ("release",),
    ("report",),
    ("inventory",),
    ("facts",),
    ("details",),
    ("gateway",),
    ("keyring", "parameters"),
    ("reader",),
    ("caller",),
    ("refusals", "answers", "rehearsals"),
    ("session",),
    ("loader", "tls", "services"),
    ("ec2_model", "cache"),
    ("plan",),
    ("checks",),
    ("surveyed",),
    ("recognise",),
    ("beyond",),
    ("compare",),
    ("wanted",),
    (
        "request",
        "templates",
        "rules",
        "destinations",
        "polling",
        "progress",
        "iam",
        "reasons",
        "pace",
        "keys",
        "lengths",
    ),
    ("retries",),
    ("steps",),
    ("events",),
    ("parallel",),
    ("models", "errors", "clock"),
)
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}

HOMES = {
    "click": {"cli"},
    "rich": {"render"},
    "moto": {"sandbox"},
    "werkzeug": {"sandbox"},
    "flask": {"sandbox"},
    "botocore": {"caller", "loader", "refusals", "services", "session", "sandbox"},
    "tenacity": {"retries"},
    "yaml": {"manifest"},
    "jsonschema": {"manifest"},
    "boto3": set[str](),
}


def modules() -> Iterator[tuple[Path, str, ast.Module]]:
    """Yield every file with the top-level name that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield path, parts[0], ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield every module that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_every_module_has_its_place() -> None:
    assert {name for _, name, _ in modules()} == LEVEL.keys()


def test_imports_go_down_the_list_only() -> None:
    upward = [
        f"{path.relative_to(PACKAGE)} imports {target}"
        for path, name, tree in modules()
        for target in imported(tree)
        if target.startswith("amicopy.") and LEVEL[target.split(".")[1]] < LEVEL[name]
    ]
    assert upward == []


def test_neighbours_do_not_import_in_circles() -> None:
    for names in ORDER:
        if len(names) > 1:
            edges = {
                (name, target.split(".")[1])
                for _, name, tree in modules()
                if name in names
                for target in imported(tree)
                if target.startswith("amicopy.") and target.split(".")[1] in names and target.split(".")[1] != name
            }
            assert not {(b, a) for a, b in edges} & edges


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_library_has_one_home(library: str) -> None:
    strangers = [
        str(path.relative_to(PACKAGE))
        for path, name, tree in modules()
        if any(target.split(".")[0] == library for target in imported(tree)) and name not in HOMES[library]
    ]
    assert strangers == []


def test_the_models_import_nothing_of_ours() -> None:
    for _, name, tree in modules():
        if name in {"models", "errors", "clock"}:
            assert [target for target in imported(tree) if target.startswith("amicopy")] == []


def test_dry_run_is_known_to_the_commands_only() -> None:
    knowing = {name for path, name, _ in modules() if re.search(r"\bdry_run\b", path.read_text())}
    assert knowing - {"sandbox"} == {"cli"}  # EC2 itself has a DryRun, which the sandbox answers


# What a job is made of: whoever is no job asks the jobs.
OF_JOBS = {
    *("survey", "preflight", "execute", "repair", "lane", "making", "asking", "settle", "removal"),
    *("gateway", "reader", "caller", "keyring", "parameters", "facts", "details"),
}


def test_the_command_line_uses_nothing_that_the_jobs_are_made_of() -> None:
    used = [
        f"{path.relative_to(PACKAGE)} imports {target}"
        for path, name, tree in modules()
        for target in imported(tree)
        if name == "cli" and target.startswith("amicopy.") and target.split(".")[1] in OF_JOBS
    ]
    assert LEVEL.keys() >= OF_JOBS
    assert used == []


def test_every_module_says_its_job() -> None:
    silent = [str(path.relative_to(PACKAGE)) for path, _, tree in modules() if not ast.get_docstring(tree)]
    assert silent == []
