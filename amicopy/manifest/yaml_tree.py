"""YAML as plain values with their positions in the file, and variables filled in.

Tags that create objects, repeated keys and files that expand without end are errors. Every scalar stays text: `no` is
not a boolean, 1.10 is not a number, 012345678901 is an account.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

# A set of images is a few kilobytes; what is larger is something else, or an alias within an alias within an alias.
MOST_BYTES = 1_000_000
MOST_VALUES = 50_000
MOST_DEPTH = 20
MOST_LETTERS = 2_000_000

# They would end up in tags, errors and reports.
_SECRETS = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\{(?P<wrong>[^}]*)\}?)")
_STANDARD = "tag:yaml.org,2002:"
# What a plain value is resolved to, or may be called without being anything else.
_TAGS = frozenset(
    _STANDARD + kind for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)
_NULL = {"", "~", "null", "Null", "NULL"}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, and where."""

    place: Place
    text: str


@dataclass(slots=True)
class Tree:
    """The values, where each stands, and what is wrong already."""

    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    blamed: set[Path] = field(default_factory=set)

    def place(self, path: Path) -> Place:
        """Return where a value stands, or the nearest one around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))

    def blame(self, path: Path, text: str) -> None:
        """Note that something is wrong with a value."""
        self.problems.append(Problem(self.place(path), text))
        self.blamed.add(path)


def variables_in(content: bytes) -> frozenset[str]:
    """Return the name of every variable that the content may be filled in with."""
    found = _VARIABLE.finditer(content.decode(errors="replace"))
    return frozenset(match["name"] for match in found if match["name"])


def read_tree(content: bytes, variables: Mapping[str, str] = os.environ) -> Tree:
    """Return what the YAML says; whatever is wrong is in ``problems``, and ``value`` is None where nothing was read."""
    tree = Tree()
    if len(content) > MOST_BYTES:
        tree.blame((), f"the file has {len(content)} bytes, and {MOST_BYTES} at most are read")
        return tree
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        tree.problems.append(Problem(Place(line, 1), f"this is not UTF-8: {error.reason}"))
        return tree
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        hint = "; indent with spaces, YAML takes no tabs" if "'\\t'" in str(error.problem) else ""
        words = f"{error.problem or error.context}{hint}"
        if error.context == "expected a single document in the stream":
            words = "a manifest is one document, and a second one begins here"
        tree.problems.append(Problem(at, f"invalid YAML: {words}"))
    except yaml.YAMLError as error:  # a character that YAML does not have
        at = Place(text[: getattr(error, "position", 0)].count("\n") + 1, 1)
        tree.problems.append(Problem(at, f"invalid YAML: {getattr(error, 'reason', error)}"))
    except RecursionError:
        tree.blame((), f"values are nested more than {MOST_DEPTH} deep")
    else:
        if node is None:
            tree.blame((), "the file is empty")
        else:
            _Reader(tree, variables).read(node)
    return tree


class _TooMuch(Exception):
    """The file expands to more than a manifest can mean."""


class _Reader:
    """Turns YAML's nodes into values."""

    def __init__(self, tree: Tree, variables: Mapping[str, str]) -> None:
        self._tree = tree
        self._variables = variables
        self._count = 0
        self._letters = 0

    def read(self, node: yaml.Node) -> None:
        try:
            self._tree.value = self._value(node, ())
        except _TooMuch as error:
            self._tree.value = None
            self._tree.problems = [Problem(_place(node), str(error))]

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise _TooMuch(f"this expands to more than {MOST_VALUES} values")
        if len(path) > MOST_DEPTH:
            raise _TooMuch(f"values are nested more than {MOST_DEPTH} deep")
        self._tree.places[path] = _place(node)
        if node.tag not in _TAGS:
            self._tree.blame(path, f"{node.tag.replace(_STANDARD, '!!')} is not a valid tag here; leave it out")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, number)) for number, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # there is no fourth kind
        if node.style is None and node.value in _NULL:
            return None
        return self._filled(node.value, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._tree.problems.append(Problem(_place(key_node), "a key has to be a word"))
                continue
            key = key_node.value
            if key in first:
                self._tree.problems.append(
                    Problem(_place(key_node), f"{key!r} is given twice; the first is in line {first[key]}")
                )
                continue
            first[key] = _place(key_node).line
            found[key] = self._value(value_node, (*path, key))
            self._tree.places[*path, key] = _place(key_node)
        return found

    def _filled(self, text: str, path: Path) -> str:
        """Return the text with ``${NAME}`` replaced by the variable's value; ``$$`` is a dollar sign."""

        def fill(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            name = match["name"]
            if name is None:
                self._tree.blame(path, f"{match[0]!r} is not a variable: write ${{NAME}}, or $$ for a dollar sign")
                return ""
            if name not in self._variables:
                self._tree.blame(path, f"the variable {name} is not set; set it, or write $${{{name}}} for the text")
                return ""
            if name in _SECRETS:
                self._tree.blame(path, f"the variable {name} holds a secret, which may not be used in a manifest")
                return ""
            return self._variables[name]

        filled = _VARIABLE.sub(fill, text)
        self._letters += len(filled)
        if self._letters > MOST_LETTERS:
            raise _TooMuch(f"this expands to more than {MOST_LETTERS} letters")
        return filled


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
