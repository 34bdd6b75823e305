"""Progress on a terminal: failures first, every region in its place, and the truth about what has no room."""

from datetime import timedelta
from typing import Any

import pytest
from rich.text import Text

from amicopy.core.destination import Destination
from amicopy.core.errors import CopyFailed
from amicopy.core.events import (
    CopyDone,
    CopyProgressed,
    CopyQueued,
    CopyStarted,
    DestinationFailed,
    DestinationLeft,
    Event,
    LeftBecause,
    NoteAdded,
)
from amicopy.core.models import Image
from amicopy.core.parallel import Stop
from amicopy.execute.report import Report
from amicopy.plan.plan import Plan
from amicopy.render.progress_lines import ENDING
from amicopy.render.progress_live import LiveView
from amicopy.render.time_left import copy_time_left, run_time_left, time_left_words
from tests.support.clock import START, FakeClock
from tests.support.reports import a_row

NO_LUCK = CopyFailed("It failed.", why="EC2 reports for ami-0c: No luck")
XX = tuple(f"xx-east-{number}" for number in range(33))
REGIONS = ("us-west-2", "eu-west-1", "eu-west-2")


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen of 110 columns and 14 lines."""
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("LINES", "14")


def a_run(amis: int, regions: tuple[str, ...] = REGIONS) -> Report:
    """Return the report of a run that is about to begin."""
    sources = [Image(image_id=f"ami-{number}", region="us-east-1", name="web") for number in range(amis)]
    rows = tuple(a_row(region, source) for source in sources for region in regions)
    return Report(plan=Plan(rows=rows), started_at=START)


def happened(report: Report, kind: type[Event], ami: int, region: str, **members: Any) -> None:
    """Let something happen to the copy of an AMI."""
    about: dict[str, Any] = {"at": START, "source": f"us-east-1/ami-{ami}", "image_id": f"ami-{ami}c"}
    report.add(kind(destination=Destination(region), **(about | members)))


def shown(report: Report, capsys: pytest.CaptureFixture[str], after: int = 75) -> list[str]:
    """Return the lines on the screen so many seconds after the beginning, bars left out."""
    view = LiveView(report, FakeClock(START + timedelta(seconds=after)), Stop())
    view.close()
    lines = capsys.readouterr().err.splitlines()
    return [" ".join(line.replace("━", "").replace("─", "").split()) for line in lines]


def test_few_copies_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(2, REGIONS[:1])
    happened(report, CopyStarted, 0, "us-west-2")
    happened(report, CopyProgressed, 0, "us-west-2", percent=7)
    assert shown(report, capsys) == [
        "us-west-2 ami-0 ami-0c copying 7 %",
        "us-west-2 ami-1 - waiting",
        "0 of 2 done · 1 copying · 1 waiting · 1 min 15 s",
    ]


def test_more_copies_than_lines_are_counted_by_region(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(5)
    happened(report, CopyDone, 0, "us-west-2")
    happened(report, CopyStarted, 1, "us-west-2")
    happened(report, CopyProgressed, 1, "us-west-2", percent=40)
    happened(report, DestinationFailed, 2, "us-west-2", error=CopyFailed("It failed."))
    assert shown(report, capsys) == [
        "us-west-2 28 % 1 failed, 1 copying, 2 waiting, 1 done",
        "eu-west-1 0 % 5 waiting",
        "eu-west-2 0 % 5 waiting",
        "1 of 15 done · 1 failed · 1 copying · 12 waiting · 1 min 15 s",
    ]


def test_every_region_keeps_its_place_and_failures_are_on_top(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(1)
    happened(report, CopyDone, 0, "us-west-2")
    happened(report, DestinationFailed, 0, "eu-west-2", error=NO_LUCK)
    assert shown(report, capsys) == [
        "eu-west-2 ami-0c failed: No luck",
        "us-west-2 ami-0c done",
        "eu-west-1 - waiting",
        "1 of 3 done · 1 failed · 1 waiting · 1 min 15 s",
    ]


@pytest.mark.parametrize("amis", [1, 200])
def test_the_lines_never_outgrow_the_screen(capsys: pytest.CaptureFixture[str], amis: int) -> None:
    lines = shown(a_run(amis, XX), capsys)
    hidden = 33 * amis - 11 * amis
    assert (len(lines), lines[-1]) == (13, f"0 of {33 * amis} done · {33 * amis} waiting · 1 min 15 s")
    assert lines[-2] == f"not shown: {hidden} waiting"


def test_what_is_done_makes_room_for_what_is_under_way(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(1, XX)
    for region in XX[:25]:
        happened(report, CopyDone, 0, region)
    happened(report, DestinationFailed, 0, XX[30], error=CopyFailed("It failed."))
    lines = shown(report, capsys)
    regions = [line.split()[0] for line in lines[:11]]
    assert regions == [XX[30], *XX[:3], *XX[25:30], *XX[31:33]]
    assert lines[11:] == ["not shown: 22 done", "25 of 33 done · 1 failed · 7 waiting · 1 min 15 s"]


def test_failures_that_have_no_room_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(1, XX)
    for region in XX[:20]:
        happened(report, DestinationFailed, 0, region, error=CopyFailed("It failed."))
    assert shown(report, capsys)[-2] == "not shown: 9 failed, 13 waiting"


def test_a_copy_that_is_queued_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(1, REGIONS[:1])
    view = LiveView(report, FakeClock(START), Stop())
    source, destination = report.plan.rows[0].key
    queued = CopyQueued(at=START, source=source, destination=destination, reason="Request limit\x1b exceeded.")
    view.event(queued, report.add(queued))
    view.close()
    assert "us-west-2  -  queued: Request limit\\x1b exceeded." in capsys.readouterr().err


def test_what_goes_on_after_an_interruption_has_not_ended(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(1)
    happened(report, CopyStarted, 0, "us-west-2")
    happened(report, DestinationLeft, 0, "us-west-2", because=LeftBecause.INTERRUPTED)
    assert shown(report, capsys)[0] == "us-west-2 ami-0c still copying"
    assert shown(report, capsys)[-1] == "0 of 3 done · 1 still copying · 2 waiting · 1 min 15 s"


def test_a_second_signal_is_offered_only_while_the_run_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    stop = Stop()
    view = LiveView(a_run(1), FakeClock(START), stop)
    stop.set()
    during = " ".join(line.plain for line in view._footer(view._report.outcomes))
    view.close()
    after = " ".join(line.plain for line in view._footer(view._report.outcomes))
    assert (ENDING in during, ENDING in after) == (True, False)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_line_fits_the_terminal_with_its_id(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "24")
    report = a_run(1, ("ap-southeast-2", "eu-west-1", "sa-east-1"))
    copy = "ami-0309d9dd07df8fbcc"
    for region in ("ap-southeast-2", "eu-west-1"):
        happened(report, CopyStarted, 0, region, image_id=copy)
        happened(report, CopyProgressed, 0, region, image_id=copy, percent=42)
    happened(report, DestinationFailed, 0, "eu-west-1", image_id=copy, error=CopyFailed("It failed.", why="no " * 60))
    view = LiveView(report, FakeClock(START + timedelta(minutes=12)), Stop())
    view.close()
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= width
    assert sum(copy in line for line in lines) == 2


def test_only_failures_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    report = a_run(1)
    happened(report, CopyStarted, 0, "us-west-2")
    happened(report, CopyProgressed, 0, "us-west-2", percent=50)
    happened(report, DestinationFailed, 0, "eu-west-1", error=CopyFailed("It failed."))
    view = LiveView(report, FakeClock(START), Stop())
    view.close()
    lines = [line for line in view._screen().renderables if isinstance(line, Text)]
    red = [line.plain[span.start : span.end] for line in lines for span in line.spans if "red" in str(span.style)]
    assert red == ["failed: It failed.", "1 failed"]


def test_the_time_left_is_that_of_the_slowest_copy(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(1, REGIONS[:2])
    for region in REGIONS[:2]:
        happened(report, CopyStarted, 0, region)
    for after, west, east in ((40, 20, 10), (80, 40, 20), (120, 60, 30)):
        at = START + timedelta(seconds=after)
        happened(report, CopyProgressed, 0, "us-west-2", percent=west, at=at)
        happened(report, CopyProgressed, 0, "eu-west-1", percent=east, at=at)
    view = LiveView(report, FakeClock(START + timedelta(seconds=120)), Stop())
    lines = [line.plain for line in view._screen().renderables if isinstance(line, Text)]
    view.close()
    assert "copying  60 % ~1 min left" in lines[0]
    assert "copying  30 % ~5 min left" in lines[1]
    assert lines[2] == "0 of 2 done · 2 copying · 2 min 00 s · ~5 min left"


def test_no_time_left_is_foretold_while_a_copy_is_yet_to_start() -> None:
    report = a_run(1, REGIONS[:2])
    happened(report, CopyStarted, 0, "us-west-2")
    for after, percent in ((40, 20), (80, 40)):
        happened(report, CopyProgressed, 0, "us-west-2", percent=percent, at=START + timedelta(seconds=after))
    now = START + timedelta(seconds=80)
    assert copy_time_left(report.outcomes[0], now) == timedelta(seconds=120)
    assert run_time_left(report.outcomes, now) is None
    assert run_time_left(report.outcomes[:1], now) == timedelta(seconds=120)
    assert copy_time_left(report.outcomes[0], now + timedelta(seconds=121)) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "~10 s left"), (44, "~40 s left"), (240, "~4 min left"), (4800, "~1 h 20 min left")],
)
def test_the_time_left_is_as_precise_as_it_can_be_foretold(seconds: int, words: str) -> None:
    assert time_left_words(timedelta(seconds=seconds)) == words


def test_notes_stand_above_the_lines_and_are_not_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(1)
    view = LiveView(report, FakeClock(START), Stop())
    for number in range(25):
        note = NoteAdded(
            at=START,
            source="us-east-1/ami-0",
            destination=Destination("us-west-2"),
            text=f"the copy in eu-west-{number} has \x1b[2Jfailed",
        )
        view.event(note, report.add(note))
    view.close()
    lines = capsys.readouterr().err.splitlines()
    assert "note: us-west-2: the copy in eu-west-0 has \\x1b[2Jfailed" in lines
    assert sum("note: us-west-2: " in line for line in lines) == 20
    assert sum("note: more notes are in the result: --write json=FILE" in line for line in lines) == 1
