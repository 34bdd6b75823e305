"""Checking a manifest against its schema: every problem with its position, and the right key for a misspelled one."""

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema

from amicopy.manifest.yaml_tree import Path, Tree


@cache
def schema_text() -> str:
    """Return the JSON Schema of manifests, as it is shipped."""
    return files("amicopy.manifest").joinpath("schema.json").read_text(encoding="utf-8")


def check(tree: Tree) -> None:
    """Turn the texts of numbers and booleans into what the schema wants there; note what does not fit it."""
    schema = json.loads(schema_text())
    tree.value = _typed(tree.value, schema, schema)
    for error in jsonschema.Draft202012Validator(schema).iter_errors(tree.value):
        for path, text in _told(error):
            tree.blame(path, text)


def without_blamed(tree: Tree) -> Any:
    """Return the values without those that something is wrong with, so that the others can be checked further."""
    return _kept(tree.value, (), tree.blamed)


def _kept(value: Any, path: Path, blamed: Collection[Path]) -> Any:
    if isinstance(value, dict):
        return {key: _kept(item, (*path, key), blamed) for key, item in value.items() if (*path, key) not in blamed}
    if isinstance(value, list):  # a place is kept for each, so that the others keep theirs
        return [None if (*path, at) in blamed else _kept(item, (*path, at), blamed) for at, item in enumerate(value)]
    return value


def _typed(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return the value with every text where the schema has a number or a boolean read as one, if it is one."""
    schema = _resolved(schema, root)
    branches = [schema, *(_resolved(branch, root) for branch in schema.get("anyOf", ()))]
    if isinstance(value, dict):
        known: dict[str, Any] = {}
        others: Any = None
        for branch in branches:
            known |= branch.get("properties", {})
            others = branch.get("additionalProperties") or others
        return {
            key: _typed(item, known.get(key) or (others if isinstance(others, dict) else {}), root)
            for key, item in value.items()
        }
    if isinstance(value, list):
        items: Mapping[str, Any] = next((branch["items"] for branch in branches if "items" in branch), {})
        return [_typed(item, items, root) for item in value]
    if isinstance(value, str):
        types = [branch.get("type") for branch in branches]
        if "boolean" in types and "string" not in types and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        if schema.get("type") == "integer" and value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
    return value


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return found


def _told(error: jsonschema.ValidationError) -> Iterator[tuple[Path, str]]:
    """Yield what a fault is in words, and the value that it is about."""
    path = tuple(error.absolute_path)
    wanted: Any = error.validator_value
    schema: Any = error.schema
    value: Any = error.instance
    match error.validator:
        case "additionalProperties":
            known = list(schema.get("properties", ()))
            for key in value:
                if key not in known:
                    near = difflib.get_close_matches(key, known, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
                    if not path and key in schema["properties"]["defaults"]["properties"]:
                        hint = "it belongs under 'defaults', or to an image under 'images'"
                    yield (*path, key), f"{key!r} is an unknown key; {hint}"
        case "required":
            for key in wanted:
                if key not in value:
                    yield path, f"{key!r} is missing: {schema['properties'][key]['description']}"
        case "anyOf":
            fitting = [one for one in error.context or () if len(one.path) or one.validator != "type"]
            if fitting:
                yield from (told for one in fitting for told in _told(one))
            else:
                kinds = " or ".join(dict.fromkeys(_kind(branch.get("type", "object")) for branch in wanted))
                yield path, _other_kind(path, value, kinds)
        case "type":
            yield path, _other_kind(path, value, _kind(wanted))
        case "enum":
            yield path, f"{_shown(value)} is none of: {', '.join(wanted)}"
        case "minItems" | "minProperties" | "minLength":
            yield path, f"{_subject(path)} is empty"
        case "minimum":
            yield path, f"{value} is less than {wanted}"
        case "uniqueItems":
            yield path, "something is given twice here"
        case "pattern":
            rule = "use up to 64 letters, digits, dots, hyphens and underscores"
            if path[-1] == "label":
                rule = "use up to 63 letters, digits, hyphens and underscores, a letter first, and not ami-"
            yield path, f"{_shown(value)} is not a valid {path[-1]}: {rule}"
        case _:
            yield path, error.message


def _other_kind(path: Path, value: Any, kinds: str) -> str:
    return f"{_subject(path)} must be {kinds}, not {_shown(value)}"


def _subject(path: Path) -> str:
    """Return what a value is called: its key, or that of the list that it is in."""
    if not path:
        return "the manifest"
    return repr(path[-1]) if isinstance(path[-1], str) else f"an entry of {path[-2]!r}"


def _kind(types: Any) -> str:
    words = {"object": "a mapping", "array": "a list", "boolean": "true or false", "integer": "a whole number"}
    named = [types] if isinstance(types, str) else [one for one in types or () if one != "null"]
    return words.get(named[0], "a text") if named else "a text"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)
