"""The house stays simple to see: imports go down the list, each library has one home, modules say their job."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "amicopy"


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


def test_every_module_says_its_job() -> None:
    silent = [str(path.relative_to(PACKAGE)) for path, _, tree in modules() if not ast.get_docstring(tree)]
    assert silent == []
