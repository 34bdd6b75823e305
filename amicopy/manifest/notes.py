"""Checking the values of a manifest: what is wrong with one is noted in the tree, and reading goes on."""

from collections.abc import Callable, Collection
from typing import Any

from amicopy.core.durations import completion_from, date_from, deprecation_from, length_from
from amicopy.core.errors import UsageError
from amicopy.core.regions import check_regions, split_names
from amicopy.manifest.yaml_tree import Path as TreePath
from amicopy.manifest.yaml_tree import Tree

_DURATIONS = {length_from, completion_from, deprecation_from, date_from}  # their errors don't name the key


class Notes:
    """The tree of a manifest that fits the schema, to note in it what else is wrong."""

    def __init__(self, path: str, tree: Tree, regions: Collection[str]) -> None:
        """With the ``regions`` that exist, each name of a region has to be one of them."""
        self.path = path
        self.tree = tree
        self._regions = regions

    def checked(self, path: TreePath, read: Callable[[Any], Any], text: Any) -> Any:
        """Return what ``read`` makes of a text; None, and a note in the tree, where that is nothing."""
        if text is None:
            return None
        try:
            return read(text)
        except ValueError as error:
            self.tree.blame(path, f"{path[-1]}: {error}" if read in _DURATIONS else str(error))
            return None

    def check_regions(self, path: TreePath, said: Any) -> None:
        """Note each name that is no region's."""
        for name in split_names(listed(said)) if self._regions else ():
            try:
                check_regions([name], self._regions, "")
            except UsageError as error:
                self.tree.blame(path, f"{error.what.removeprefix(': ').rstrip('.')}; {_hint(error.why)}")

    def once(self, found: dict[str, None], name: str, path: TreePath) -> None:
        """Add a name; note one that is given twice."""
        if name in found:
            self.tree.blame(path, f"{name} is given twice")
        found[name] = None


def listed(said: Any) -> list[str]:
    """Return a text, or each one of a list, as texts."""
    return [said] if isinstance(said, str) else [str(one) for one in said]


def _hint(why: str | None) -> str:
    words = (why or "").rstrip(".")
    return words[:1].lower() + words[1:]
