"""The picture in the README is what the live view draws."""

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from amicopy.core.errors import CopyFailed
from amicopy.core.events import CopyDone, CopyProgressed, CopyQueued, DestinationFailed
from amicopy.core.parallel import Stop
from amicopy.execute.report import Report
from amicopy.render.progress_live import LiveView
from tests.support.clock import FakeClock
from tests.support.reports import NOW, a_row, an_image, begin, happened, report_of

PICTURE = Path(__file__).parents[2] / "docs" / "live.svg"
SOURCE = "ami-0a11ce5a3b1e00001"
COMMAND = f"$ amicopy copy {SOURCE} --to us-west-2,eu-west-1,eu-central-1,ap-southeast-2,sa-east-1"


def a_run() -> Report:
    """Return a run in the middle: one copy is done, one has failed, one is queued, two are under way."""
    source = an_image(SOURCE, "web-server-2026.11")
    rows = [a_row(region, source) for region in COMMAND.rpartition(" ")[2].split(",")]
    report = report_of(*rows)
    ids = ("ami-0309d9dd07df8fbcc", "ami-0f2139d229788b0cf", "ami-0595f2988b35cc503", "ami-0e040ba16cb1935ad")
    for row, image_id in zip(rows, ids, strict=False):
        begin(report, row, image_id)
    for after, west, central in ((100, 30, 20), (200, 60, 40), (300, 90, 60)):
        report.add(happened(rows[1], CopyProgressed, after, ids[1], percent=west))
        report.add(happened(rows[2], CopyProgressed, after, ids[2], percent=central))
    report.add(happened(rows[0], CopyDone, 280, ids[0]))
    why = f"EC2 reports for {ids[3]}: Client.InternalError: Copy image failed with an internal error."
    report.add(happened(rows[3], DestinationFailed, 150, ids[3], error=CopyFailed("It failed.", why=why)))
    return report


def picture(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the live view of that run as an SVG that loads nothing."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "24")
    report = a_run()
    view = LiveView(report, FakeClock(NOW + timedelta(seconds=300)), Stop())
    queued = happened(report.plan.rows[4], CopyQueued, 3, reason="100 copies are in progress in sa-east-1.")
    view.event(queued, report.add(queued))
    screen = view._screen()
    view.close()
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(COMMAND, style="bold", markup=False)
    console.print(screen)
    svg = console.export_svg(title="amicopy", unique_id="amicopy")
    return re.sub(r"\s*@font-face \{.*?\}\n", "\n", svg, flags=re.DOTALL) + "\n"


def test_the_picture_in_the_readme_is_what_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = picture(monkeypatch)
    (tmp_path / PICTURE.name).write_text(drawn)  # the new picture, should the view have changed
    assert "https://" not in re.sub(r"https?://www\.(w3|textualize)\.\S+", "", drawn)
    assert PICTURE.read_text() == drawn
