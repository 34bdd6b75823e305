"""The published schema: valid, complete, open to members to come, and held by every document in every test."""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from amicopy.core import events
from amicopy.core.errors import ExitCode
from amicopy.core.events import Event, LeftBecause, Written
from amicopy.core.models import ImageState
from amicopy.execute.cancel import TargetState
from amicopy.execute.report import State
from amicopy.plan import differences  # noqa: F401 - all kinds of difference are defined
from amicopy.plan.attributes.base import Difference
from amicopy.plan.attributes.sharing import MissingSharing
from amicopy.plan.plan import Action
from amicopy.render.json_documents import SCHEMA as VERSION
from amicopy.render.json_documents import status_name
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.scenes import WEST, a_source
from tests.support.schema import SCHEMA, check_document, check_output, kind_of

DEFINED = SCHEMA["$defs"]
EVENTS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind not in {Event, Written}
]


def kebab(name: str) -> str:
    """Return a class's name as the JSON has it."""
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).lstrip("-")


def parts(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a schema."""
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from parts(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from parts(inner)


def test_it_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_it_is_that_of_the_version_which_is_written() -> None:
    versions = {
        part["properties"]["schema"]["const"] for part in DEFINED.values() if "schema" in part.get("properties", {})
    }
    assert versions == {VERSION}


def test_every_member_is_described() -> None:
    silent = [
        f"{name}.{member}"
        for name, part in DEFINED.items()
        for member, what in part.get("properties", {}).items()
        if not what.get("description")
    ]
    assert silent == []


def test_every_definition_is_used() -> None:
    used = {part["$ref"].rpartition("/")[2] for part in parts(SCHEMA) if "$ref" in part}
    assert used == DEFINED.keys()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_is_described_with_all_its_members(event: type[Event]) -> None:
    described = DEFINED["event_" + kebab(event.__name__).replace("-", "_")]
    assert described["properties"]["type"]["const"] == kebab(event.__name__)
    members = {field.name for field in fields(event)} - {"destination", "is_repeated"} | {"region"}
    assert set(described["required"]) == members | {"schema", "type"}
    assert described["properties"].keys() == set(described["required"]) | {"account"}


def kinds(base: type[Difference]) -> Iterator[type[Difference]]:
    """Yield every kind of difference that a comparison can return."""
    for kind in base.__subclasses__():
        yield from kinds(kind)
        if kind.__name__ != MissingSharing.__name__:  # of which there are two: one from before its slots
            yield kind


DIFFERENCES = sorted({*kinds(Difference)}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", DIFFERENCES, ids=lambda kind: kind.__name__)
def test_every_member_of_a_difference_is_described(kind: type[Difference]) -> None:
    described = DEFINED["difference"]["properties"]
    assert {field.name for field in fields(kind)} <= described.keys()
    assert kebab(kind.__name__) in described["kind"]["enum"]


def test_every_kind_of_difference_described_exists() -> None:
    assert set(DEFINED["difference"]["properties"]["kind"]["enum"]) == {kebab(kind.__name__) for kind in DIFFERENCES}


@pytest.mark.parametrize(
    ("described", "values"),
    [
        (DEFINED["exit_code"], {int(code) for code in ExitCode}),
        (DEFINED["status"], {status_name(code) for code in ExitCode} | {"planned"}),
        (DEFINED["copy"]["properties"]["state"], set(State)),
        (DEFINED["copy"]["properties"]["action"], set(Action)),
        (DEFINED["copy"]["properties"]["left"], {*LeftBecause, None}),
        (DEFINED["event_destination_left"]["properties"]["because"], set(LeftBecause)),
        (DEFINED["standing"]["properties"]["state"], set(ImageState)),
        (DEFINED["verdict"]["properties"]["state"], set(ImageState)),
        (DEFINED["target"]["properties"]["state"], set(TargetState)),
    ],
)
def test_the_values_described_are_those_that_there_are(described: dict[str, Any], values: set[Any]) -> None:
    assert set(described["enum"]) == values


@pytest.fixture
def copied(amicopy: Run, world: World) -> Ran:
    """Return what a copy has written."""
    return amicopy("copy", a_source(world).image_id, "--to", WEST, "--output", "json")


def test_a_member_that_nobody_described_is_found(copied: Ran) -> None:
    with pytest.raises(AssertionError, match=r"copy_document: \$\.copies\[0\]: .*'more' was unexpected"):
        check_document({**copied.json, "copies": [{**copied.json["copies"][0], "more": 1}]})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("calls") and document.update(unread=[]),
        lambda document: document["copies"][0].pop("reason"),
        lambda document: document.update(started_at="yesterday"),
        lambda document: document["copies"][0].update(state="lost"),
        lambda document: document.update(schema="amicopy/2"),
    ],
)
def test_a_document_that_is_not_as_described_is_found(copied: Ran, spoil: Callable[[Any], Any]) -> None:
    document = copied.json
    spoil(document)
    with pytest.raises(AssertionError, match="copy_document"):
        check_document(document)


def test_every_line_of_json_lines_is_looked_at(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--output", "jsonl")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert {kind_of(line) for line in lines} >= {"event_copy_requested", "event_copy_done", "copy_document"}
    for number in range(len(lines)):
        spoiled = [{**line, "more": 1} if number == other else line for other, line in enumerate(lines)]
        with pytest.raises(AssertionError, match="'more' was unexpected"):
            check_output("".join(json.dumps(line) + "\n" for line in spoiled))


def test_users_may_meet_members_that_a_later_release_has_added(copied: Ran) -> None:
    Draft202012Validator(SCHEMA).validate({**copied.json, "more": 1})


def test_what_is_no_document_of_ours_is_none(copied: Ran) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid({"schema": VERSION, "command": "copy"})
