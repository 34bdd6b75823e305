"""The table on a terminal: a line per copy, or per region where the copies are more than the screen has lines."""

from datetime import timedelta

import pytest

from amicopy.core.destination import Destination
from amicopy.core.errors import CopyFailed
from amicopy.core.events import CopyDone, CopyProgressed, CopyStarted, DestinationFailed, Event
from amicopy.core.models import Image
from amicopy.core.parallel import Stop
from amicopy.execute.report import Report
from amicopy.plan.plan import Plan
from amicopy.render.progress_live import LiveView
from tests.support.clock import START, FakeClock
from tests.support.reports import a_row

REGIONS = ("us-west-2", "eu-west-1", "eu-west-2")


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen of 110 columns and 14 lines, ten of them for copies."""
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("LINES", "14")


def a_run(amis: int, regions: tuple[str, ...] = REGIONS) -> Report:
    """Return the report of a run that is about to begin."""
    sources = [Image(image_id=f"ami-{number}", region="us-east-1", name="web") for number in range(amis)]
    rows = tuple(a_row(region, source) for source in sources for region in regions)
    return Report(plan=Plan(rows=rows), started_at=START)


def happened(report: Report, kind: type[Event], ami: int, region: str, **members: object) -> None:
    """Let something happen to the copy of an AMI."""
    copy = f"ami-{ami}c"
    report.add(kind(at=START, source=f"us-east-1/ami-{ami}", destination=Destination(region), image_id=copy, **members))


def shown(report: Report, capsys: pytest.CaptureFixture[str], after: int = 75) -> list[str]:
    """Return the lines on the screen so many seconds after the beginning, bars left out."""
    view = LiveView(report, FakeClock(START + timedelta(seconds=after)), Stop())
    view.close()
    lines = capsys.readouterr().err.splitlines()
    return [" ".join(line.replace("━", "").replace("╸", "").replace("╺", "").split()) for line in lines]


def test_few_copies_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(2, REGIONS[:1])
    happened(report, CopyStarted, 0, "us-west-2")
    happened(report, CopyProgressed, 0, "us-west-2", percent=7)
    assert shown(report, capsys) == [
        "us-west-2 ami-0 ami-0c copying 7 %",
        "us-west-2 ami-1 - waiting",
        "0 of 2 copies ended · 1 min 15 s",
    ]


def test_more_copies_than_lines_are_counted_by_region(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(4)
    happened(report, CopyDone, 0, "us-west-2")
    happened(report, CopyStarted, 1, "us-west-2")
    happened(report, CopyProgressed, 1, "us-west-2", percent=40)
    happened(report, DestinationFailed, 2, "us-west-2", error=CopyFailed("It failed."))
    assert shown(report, capsys) == [
        "us-west-2 35 % 1 failed, 1 waiting, 1 copying, 1 done",
        "eu-west-1 0 % 4 waiting",
        "eu-west-2 0 % 4 waiting",
        "2 of 12 copies ended · 1 min 15 s",
    ]


def test_regions_that_are_done_go_last(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(4)
    for ami in range(4):
        happened(report, CopyDone, ami, "us-west-2")
    assert [line.split()[0] for line in shown(report, capsys)[:3]] == ["eu-west-1", "eu-west-2", "us-west-2"]


@pytest.mark.parametrize("amis", [1, 200])
def test_the_table_never_outgrows_the_screen(capsys: pytest.CaptureFixture[str], amis: int) -> None:
    lines = shown(a_run(amis, tuple(f"xx-east-{number}" for number in range(33))), capsys)
    assert (len(lines), lines[-1]) == (10, f"0 of {33 * amis} copies ended · 1 min 15 s · 24 more not shown")
