"""Reports of runs, made by hand: for tests of what is written about a run.

Refuses to run a command.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from amicopy.core.destination import Destination
from amicopy.core.errors import CopyFailed
from amicopy.core.events import (
    AttributeWritten,
    CopyAvailable,
    CopyDone,
    CopyProgressed,
    CopyRequested,
    CopyStarted,
    DestinationFailed,
    Event,
)
from amicopy.core.models import BlockDevice, Image
from amicopy.execute.report import Report
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.plan import Action, Plan, Row

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOSTILE = '"${file("/etc/passwd")} %{ if true }\n`id` $(id) | <script>alert(1)</script> \x1b[31m \u202e* ami: - "'


def an_image(image_id: str = "ami-0a11", name: str = "web", **members: Any) -> Image:
    """Return a source of 24 GiB in us-east-1."""
    device = BlockDevice(device="/dev/sda1", snapshot_id="snap-1", volume_gib=24)
    return Image(image_id=image_id, region="us-east-1", name=name, devices=(device,), **members)


def a_row(region: str, source: Image | None = None, action: Action = Action.COPY, **members: Any) -> Row:
    """Return a row of a plan."""
    source = source or an_image()
    return Row(
        source=source,
        destination=Destination(region),
        action=action,
        reason="",
        desired=DesiredCopy(source=source, destination=Destination(region), name="web"),
        **members,
    )


def kept(region: str, image_id: str, source: Image | None = None) -> Row:
    """Return a row whose copy was up to date."""
    return a_row(region, source, Action.UNCHANGED, copy=Image(image_id=image_id, region=region))


def happened(row: Row, kind: type[Event], after: int = 0, image_id: str = "", **members: Any) -> Event:
    """Return something that happened to a row so many seconds after the beginning."""
    source, destination = row.key
    return kind(at=NOW + timedelta(seconds=after), source=source, destination=destination, image_id=image_id, **members)


def report_of(*rows: Row, **members: Any) -> Report:
    """Return the report of a run that is about to begin."""
    return Report(plan=Plan(rows=rows), started_at=NOW, **members)


def begin(report: Report, row: Row, image_id: str) -> None:
    """Let a copy be requested and started."""
    report.add(happened(row, CopyRequested, 1, name="web", client_token="token"))
    report.add(happened(row, CopyStarted, 2, image_id))


def finish(report: Report, row: Row, image_id: str) -> None:
    """Let a copy be made from its beginning to its end, in two minutes and five seconds."""
    begin(report, row, image_id)
    report.add(happened(row, CopyProgressed, 60, image_id, percent=40))
    report.add(happened(row, CopyAvailable, 126, image_id))
    report.add(happened(row, AttributeWritten, 130, image_id, what="tagged snap-1"))
    report.add(happened(row, CopyDone, 140, image_id))


def fail(report: Report, row: Row, **error: str) -> None:
    """Let a copy fail."""
    begin(report, row, "ami-0dead")
    said = {"what": "It failed.", "why": "EC2 says so.", "next_step": "Try again."} | error
    report.add(happened(row, DestinationFailed, 50, "ami-0dead", error=CopyFailed(**said)))


def done(*regions: str) -> Report:
    """Return the report of a run that brought one source to these regions."""
    rows = [a_row(region) for region in regions]
    report = report_of(*rows)
    for number, row in enumerate(rows):
        finish(report, row, f"ami-0c0{number}")
    return report


def of_two_sources() -> Report:
    """Return the report of a run with two sources, the second of which is not in eu-west-1 yet."""
    web, database = an_image(), an_image("ami-0b22", "db")
    return report_of(
        kept("us-west-2", "ami-0c01", web),
        kept("eu-west-1", "ami-0c02", web),
        kept("us-west-2", "ami-0c03", database),
        a_row("eu-west-1", database),
    )


def of_hostile_text() -> Report:
    """Return the report of a run in which every text that others write is hostile, and one copy is done."""
    web = an_image(name=HOSTILE)
    broken, good = a_row("eu-west-1", web), a_row("us-west-2", web)
    report = report_of(good, broken)
    finish(report, good, "ami-0c01")
    fail(report, broken, what=HOSTILE, why=HOSTILE, next_step=HOSTILE)
    return report
