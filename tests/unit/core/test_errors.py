"""Errors: what a person has to know, in parts that can be changed and joined."""

import inspect
from typing import Any

import pytest

import amicopy.core.errors
from amicopy.core.errors import AmicopyError, RequestRefused

KEYWORDS: dict[str, Any] = {"action": "ec2:CopyImage", "code": "InvalidRequest", "details": ("one", "two")}
CLASSES = [one for _, one in inspect.getmembers(amicopy.core.errors, inspect.isclass) if issubclass(one, AmicopyError)]


def example(kind: type[AmicopyError]) -> AmicopyError:
    """Return an error of a class, with the keywords that it requires."""
    required = {
        name: KEYWORDS[name]
        for name, one in inspect.signature(kind).parameters.items()
        if one.kind is inspect.Parameter.KEYWORD_ONLY and one.default is inspect.Parameter.empty
    }
    return kind("It failed.", **required)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_can_get_another_next_step(kind: type[AmicopyError]) -> None:
    error = example(kind)
    other = error.with_next_step("Do that.")
    assert (type(other), str(other), other.next_step, error.next_step) == (kind, "It failed.", "Do that.", "")
    assert {**vars(other), "next_step": ""} == vars(error)


def test_several_errors_in_one_are_its_details() -> None:
    first = RequestRefused("No first.", code="A", why="One.", next_step="Do that.")
    assert AmicopyError.in_one([first]) is first
    whole = AmicopyError.in_one([first, RequestRefused("No second.", code="B")])
    assert (whole.what, whole.why, whole.next_step) == ("No first.", "", "Do that.")
    assert whole.details == ("No first. One.", "No second.")
    assert (first.why, first.details) == ("One.", ())
