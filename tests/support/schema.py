"""The published schema, held more strictly than users hold it: a member that it does not describe is an error.

Refuses to be lenient about new members: who adds one describes it in amicopy/render/schema.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

SCHEMA: dict[str, Any] = json.loads((files("amicopy.render") / "schema" / "amicopy-1.json").read_text())


def strict(part: Any) -> Any:
    """Return the schema with every object closed to members that it does not describe."""
    if isinstance(part, list):
        return [strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    inner = {key: strict(value) for key, value in part.items()}
    return inner | {"additionalProperties": False} if "required" in inner else inner


@cache
def _validators() -> dict[str, Draft202012Validator]:
    """Return a validator for each kind of document, so that an error is about that kind and not about all others."""
    closed = strict(SCHEMA)
    return {
        reference["$ref"].rpartition("/")[2]: Draft202012Validator(
            {"$ref": reference["$ref"], "$defs": closed["$defs"]}, format_checker=FormatChecker()
        )
        for reference in closed["anyOf"]
    }


def kind_of(document: Any) -> str:
    """Return the name that the schema has for this kind of document."""
    if document.get("type") == "pass":
        return "pass_document"
    if "command" not in document:
        return "event_" + str(document["type"]).replace("-", "_")
    for kind in ("units", "manifests"):
        if kind in document:
            return f"{kind}_document"
    has_a_plan = {"calls", "unread", "disks"} & document.keys()
    return f"{document['command']}_document" if has_a_plan else "failure_document"


def check_document(document: Any) -> None:
    """Raise an assertion that says where a document is not as the schema describes it."""
    error = best_match(_validators()[kind_of(document)].iter_errors(document))
    assert error is None, f"{kind_of(document)}: {error.json_path}: {error.message}"


def check_output(text: str) -> None:
    """Check every document in what a command has written to stdout, if it is JSON of this schema."""
    decoder = json.JSONDecoder()
    while (text := text.lstrip()).startswith("{"):
        document, end = decoder.raw_decode(text)
        if "schema" in document:
            check_document(document)
        text = text[end:]
