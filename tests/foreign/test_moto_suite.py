"""What `make contract` calls a problem, and the list of known differences."""

from typing import Any

from tests.foreign.moto_suite import VERDICTS, compare, known_differences

OUTCOMES = {"a": "", "b": "AssertionError: 1 == 2\nmore", "c": "KeyError"}


def listed(*tests: str) -> list[dict[str, Any]]:
    return [{"why": "w", "right": "sandbox", "tests": list(tests)}]


def test_failures_that_are_listed_are_no_problem() -> None:
    assert compare(OUTCOMES, listed("b", "c")) == []


def test_a_failure_that_is_not_listed_is_one() -> None:
    assert compare(OUTCOMES, listed("c")) == ["fails and is not listed: b\n  AssertionError: 1 == 2"]


def test_a_listed_test_that_passes_or_was_not_run_is_one() -> None:
    assert compare(OUTCOMES, listed("a", "b", "c", "d")) == ["listed, and passes: a", "listed, and not run: d"]
    assert compare(OUTCOMES, listed("b", "b", "c")) == ["listed twice: b"]


def test_every_known_difference_says_why_and_who_is_right() -> None:
    groups = known_differences()
    assert {group["right"] for group in groups} <= set(VERDICTS)
    assert all(test.startswith("tests/test_") for group in groups for test in group["tests"])
