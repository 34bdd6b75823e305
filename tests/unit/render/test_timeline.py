"""The timeline's scale and bars."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.events import CopyJoined, CopyProgressed, DestinationLeft, LeftBecause
from amicopy.execute.report import Report
from amicopy.render.timeline import bar, scale
from tests.support.reports import NOW, a_row, begin, done, fail, happened, kept, report_of


def ticks(**length: float) -> list[str]:
    """Return the words on the axis of a run of this length."""
    return [words for _, words in scale(NOW, NOW + timedelta(**length)).ticks()]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        ({"seconds": 0}, ["0", "1 s"]),
        ({"seconds": 9}, ["0", "2 s", "4 s", "6 s", "8 s"]),
        ({"minutes": 2}, ["0", "30 s", "1 min", "1 min 30 s", "2 min"]),
        ({"minutes": 12}, ["0", "5 min", "10 min"]),
        ({"hours": 4}, ["0", "1 h", "2 h", "3 h", "4 h"]),
        ({"days": 30}, ["0", "6 d", "12 d", "18 d", "24 d", "30 d"]),
    ],
)
def test_the_axis_has_a_few_round_lengths_of_time(length: dict[str, float], words: list[str]) -> None:
    assert ticks(**length) == words


@given(st.integers(0, 10**7))
def test_the_axis_is_never_crowded_and_stays_inside(seconds: int) -> None:
    found = list(scale(NOW, NOW + timedelta(seconds=seconds)).ticks())
    assert 2 <= len(found) <= 6
    assert all(0 <= at <= 1 for at, _ in found)
    assert len({words for _, words in found}) == len(found)


def shapes(report: Report, after: int) -> dict[str, tuple[int, int]]:
    """Return where each part of the only bar begins and how wide it is, of 1000, so many seconds into the run."""
    [outcome] = report.outcomes
    svg = bar(outcome, scale(NOW, NOW + timedelta(seconds=after)))
    found = re.findall(r'<rect class="(\w+)" x="(\d+)" y="\d+" width="(\d+)"', svg)
    return {name: (int(left), int(width)) for name, left, width in found}


def test_a_bar_shows_asking_copying_and_settling_one_after_the_other() -> None:
    # Asked for after 1 s, named after 2, available after 126, done after 140 of 200.
    assert shapes(done("us-west-2"), 200) == {"asked": (5, 5), "copy": (10, 620), "complete": (630, 70)}


def test_what_goes_on_lasts_until_now() -> None:
    row = a_row("us-west-2")
    report = report_of(row)
    begin(report, row, "ami-0c01")
    assert shapes(report, 100)["copy"] == (20, 980)


def test_what_was_left_ends_there() -> None:
    row = a_row("us-west-2")
    report = report_of(row)
    begin(report, row, "ami-0c01")
    report.add(happened(row, DestinationLeft, 50, because=LeftBecause.TIME_OUT))
    assert shapes(report, 100)["copy"] == (20, 480)


def test_a_joined_copy_was_never_asked_for() -> None:
    row = a_row("us-west-2")
    report = report_of(row)
    report.add(happened(row, CopyJoined, 10, "ami-0c01"))
    assert shapes(report, 100) == {"copy": (100, 900)}


def test_what_was_as_asked_before_has_no_bar() -> None:
    assert shapes(report_of(kept("us-west-2", "ami-0c01")), 100) == {}


def test_what_took_a_moment_can_be_seen() -> None:
    assert shapes(done("us-west-2"), 100_000)["complete"] == (1, 4)


def test_the_block_fills_as_the_percentage_grew() -> None:
    row = a_row("us-west-2")
    report = report_of(row)
    begin(report, row, "ami-0c01")
    report.add(happened(row, CopyProgressed, 50, percent=50))
    [outcome] = report.outcomes
    svg = bar(outcome, scale(NOW, NOW + timedelta(seconds=100)))
    assert '<path class="done" d="M20 17L20 17L500 10L500 17Z"/>' in svg  # half way up after half of the time


def test_a_failure_is_marked_where_it_ended() -> None:
    row = a_row("us-west-2")
    report = report_of(row)
    fail(report, row)
    [outcome] = report.outcomes
    assert 'class="end" d="M492 2L508 18' in bar(outcome, scale(NOW, NOW + timedelta(seconds=100)))
