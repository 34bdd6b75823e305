"""The page for people: all that a run did, on a phone, on paper, and without a way for foreign text to act."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from html import escape, unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from amicopy import __version__
from amicopy.core.destination import Destination
from amicopy.core.errors import AccessDenied, CredentialsExpired, ExitCode
from amicopy.core.events import (
    AttributeWritten,
    CopyAvailable,
    CopyDone,
    CopyJoined,
    CopyProgressed,
    CopyRolledBack,
    DestinationLeft,
    LeftBecause,
    NoteAdded,
    SharingDeferred,
)
from amicopy.execute.report import Report
from amicopy.plan.plan import Action, Plan, with_refusals
from amicopy.render.html_report import page
from tests.support.reports import (
    HOSTILE,
    NOW,
    a_row,
    an_image,
    begin,
    done,
    fail,
    finish,
    happened,
    kept,
    of_hostile_text,
    of_two_sources,
    report_of,
)

VOID = {"meta", "br", "path", "rect"}


class Page(HTMLParser):
    """A page as a strict reader takes it: text, tags, attributes, and nothing left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        """Everything that a person reads."""
        return " ".join(self.words)


def written(report: Report, after: int = 300, exit_code: ExitCode | None = None) -> str:
    """Return the page so many seconds after the beginning of a run."""
    return page(
        report,
        now=NOW + timedelta(seconds=after),
        exit_code=report.exit_code() if exit_code is None else exit_code,
        command_line="amicopy copy ami-0a11 --to us-west-2,eu-west-1",
        calls={"DescribeImages": 9, "CopyImage": 2},
    )


def of_everything() -> Report:
    """Return the report of a run in which a copy is in every state that there is."""
    denied = AccessDenied("ec2:CopyImage is not allowed in sa-east-1.", action="ec2:CopyImage", why="IAM says so.")
    source = an_image("ami-0a11ce5a3b1e00001", "web-server-2026.11")
    regions = ["us-west-2", "eu-west-1", "ap-southeast-1", "eu-central-1", "us-west-1", "eu-north-1", "ca-central-1"]
    rows = [a_row(region, source) for region in regions]
    completed = a_row("ap-south-1", source, Action.UPDATE, copy=an_image("ami-0309d9dd07df8fbcc"))
    refused = with_refusals(
        Plan(rows=(a_row("sa-east-1", source, best_effort=True),)), {Destination("sa-east-1"): denied}
    ).rows
    late = a_row("eu-south-1", source)
    as_before = kept("af-south-1", "ami-06903faf33aec4718", source)
    plan = Plan(rows=(*rows, completed, as_before, *refused, late), notes=("at most 24 GiB will be copied",))
    report = Report(plan=plan, started_at=NOW)
    finish(report, rows[0], "ami-0309d9dd07df8fbcc")
    fail(report, rows[1], why="EC2 says of ami-0697a7ace07246bc0: Client.InternalError.")
    begin(report, rows[2], "ami-06903faf33aec4719")
    report.add(happened(rows[2], CopyProgressed, 60, percent=20))
    report.add(happened(rows[2], CopyProgressed, 120, percent=63))
    report.add(happened(rows[3], CopyJoined, 2, "ami-0291ded191521c128"))
    report.add(happened(rows[3], CopyAvailable, 200))
    report.add(happened(rows[3], SharingDeferred, 205))
    begin(report, rows[4], "ami-04df3e8d631f31290")
    report.add(happened(rows[4], CopyRolledBack, 90, what="2 snapshots deleted"))
    begin(report, rows[5], "ami-0f2139d229788b0cf")
    report.add(happened(rows[5], DestinationLeft, 240, because=LeftBecause.TIME_OUT))
    begin(report, rows[6], "ami-03b83f5c46d85f6e6")
    report.add(happened(rows[6], CopyAvailable, 150))
    report.add(
        happened(rows[6], AttributeWritten, 160, what="shared snap-09d96217c1fa91749 (/dev/sda1) with 111122223333")
    )
    report.add(happened(completed, AttributeWritten, 5, what="tagged snap-03b83f5c46d85f6e6 (/dev/sdf): Name, Role"))
    report.add(happened(completed, NoteAdded, 6, text="the copy is named 'x'"))
    report.add(happened(completed, CopyDone, 7))
    return report


def test_it_opens_with_how_the_run_ended_and_what_was_asked() -> None:
    text = Page(written(of_everything())).text
    assert "2 of 11 copies failed 11 copies: 2 done, 1 up to date" in text
    assert "command amicopy copy ami-0a11 --to us-west-2,eu-west-1" in text
    assert "started 2026-11-23 09:00:00 ended 2026-11-23 09:05:00 (5 min 00 s) exit code 3 (partial)" in text
    assert "11 AWS calls CopyImage 2, DescribeImages 9" in text
    assert f"All times are in UTC. Written by amicopy {__version__}." in text


def test_every_copy_has_its_region_state_id_and_times() -> None:
    text = Page(written(of_everything())).text
    for said in (
        "web-server-2026.11 ami-0a11ce5a3b1e00001 in us-east-1, 24 GiB, 3 of 11 up to date",
        "us-west-2 ✓ available ami-0309d9dd07df8fbcc "
        "requested 09:00:01 · available 09:02:06 · done 09:02:20 · copied in 2 min 05 s",
        "eu-west-1 ✗ failed ami-0dead requested 09:00:01 · failed 09:00:50 It failed.",
        "ap-southeast-1 … still copying, 63 % ami-06903faf33aec4719 requested 09:00:01",
        "eu-central-1 … available, not shared ami-0291ded191521c128 joined 09:00:02 · available 09:03:20",
        "us-west-1 − rolled back ami-04df3e8d631f31290 requested 09:00:01 · rolled back 09:01:30",
        "eu-north-1 … still copying ami-0f2139d229788b0cf requested 09:00:01 · left 09:04:00",
        "ap-south-1 ✓ available ami-0309d9dd07df8fbcc done 09:00:07",
        "af-south-1 ✓ up to date ami-06903faf33aec4718",
        "sa-east-1 ✗ refused ec2:CopyImage is not allowed in sa-east-1.",
        "eu-south-1 … not started",
    ):
        assert said in text


def test_what_was_carried_and_what_is_to_know_stand_with_their_copy() -> None:
    text = Page(written(of_everything())).text
    assert "changes: 1 tagged snap-03b83f5c46d85f6e6 (/dev/sdf): Name, Role note: the copy is named 'x'" in text
    assert "Notes at most 24 GiB will be copied" in text


def test_failures_stand_above_with_reason_and_next_step() -> None:
    text = Page(written(of_everything())).text
    assert (
        "What failed It failed. [copy-failed] EC2 says of ami-0697a7ace07246bc0: Client.InternalError. "
        "Next: Try again. In eu-west-1 ." in text
    )
    assert "ec2:CopyImage is not allowed in sa-east-1. [access-denied] IAM says so. In sa-east-1 (best effort)." in text


def test_one_reason_in_many_regions_is_told_once() -> None:
    report = report_of(a_row("us-west-2"), a_row("eu-west-1"))
    for outcome in report.outcomes:
        fail(report, outcome.row)
    assert Page(written(report)).text.count("EC2 says so.") == 1
    assert "In us-west-2 , eu-west-1 ." in Page(written(report)).text


def test_what_is_unfinished_says_how_to_go_on() -> None:
    text = Page(written(of_everything())).text
    left = "EC2 keeps copying 2 copies, 2 copies not complete yet, 1 copy not started yet"
    assert f"What is unfinished {left}; to complete the copies, run the same" in text


def test_what_ended_the_run_is_told_first() -> None:
    report = of_everything()
    report.error = CredentialsExpired("They have expired.", next_step="Renew them.")
    assert "What failed They have expired. [credentials-expired] Next: Renew them." in Page(written(report)).text


def test_a_refused_plan_says_that_nothing_was_started() -> None:
    problem = AccessDenied("No.", action="ec2:CopyImage")
    plan = with_refusals(Plan(rows=(a_row("us-west-2"),)), {Destination("us-west-2"): problem})
    text = Page(written(Report(plan=plan, started_at=NOW, refused=True))).text
    assert "The copy is refused, so nothing was started." in text
    assert "unfinished" not in text


def test_a_run_without_trouble_speaks_of_none() -> None:
    text = Page(written(done("us-west-2"))).text
    assert "1 of 1 copy up to date 1 copy: 1 done" in text
    assert "What" not in text


def test_a_run_over_midnight_has_dates_at_its_times() -> None:
    assert "requested 11-23 09:00:01" in Page(written(of_everything(), after=20 * 3600)).text


def test_every_source_has_a_table_of_its_own() -> None:
    found = Page(written(of_two_sources()))
    labels = [value for _, name, value in found.attributes if name == "aria-label" and value.startswith("Copies of")]
    assert labels == ["Copies of ami-0a11", "Copies of ami-0b22"]


def test_many_sources_are_folded_where_all_is_well() -> None:
    sources = [an_image(f"ami-0{number}", f"image {number}") for number in range(5)]
    rows = [a_row("us-west-2", source) for source in sources]
    report = report_of(*rows)
    for row in rows[1:]:
        finish(report, row, "ami-0c01")
    fail(report, rows[0])
    folds = re.findall(r'<details class="source"( open)?>', written(report))
    assert folds == [" open", "", "", "", ""]


def test_a_row_takes_less_than_two_kilobytes() -> None:
    sources = [an_image(f"ami-0a11ce5a3b1e{number:05}", f"image {number}") for number in range(200)]
    report = report_of(*(a_row(f"eu-region-{number}", source) for source in sources for number in range(33)))
    for outcome in report.outcomes:
        finish(report, outcome.row, "ami-0123456789abcdef0")
    assert len(written(report)) < 2000 * 6600


def test_nothing_is_loaded_and_nothing_runs() -> None:
    html = written(of_everything())
    found = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(found.tags)
    assert not {name for _, name, _ in found.attributes if name == "src" or name.startswith("on")}
    assert not re.search(r"https?:|//|url\(|@import", html)
    [policy] = [value for tag, name, value in found.attributes if tag == "meta" and value.startswith("default-src")]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")


def test_each_failure_leads_to_the_rows_of_its_copies_which_stand_first() -> None:
    found = Page(written(of_everything()))
    links = [value for tag, name, value in found.attributes if (tag, name) == ("a", "href")]
    rows = [value for tag, name, value in found.attributes if (tag, name) == ("tr", "id")]
    assert links == [f"#{row}" for row in rows[: len(links)]]
    assert len(links) == 2


def test_all_that_is_opened_is_closed() -> None:
    assert Page(written(of_everything())).open == []


def test_hostile_text_is_text_and_nothing_else() -> None:
    hostile, harmless = Page(written(of_hostile_text())), of_hostile_text()
    assert set(hostile.tags) <= set(Page(written(of_everything())).tags)
    assert harmless.outcomes[0].row.source.name == HOSTILE
    assert '<script>alert(1)</script> \\x1b[31m \\u202e* ami: - "' in hostile.text
    assert not set(written(of_hostile_text())) & set("\x1b\u202e")


def test_the_table_keeps_its_meaning_where_its_layout_is_another() -> None:
    roles = {(tag, value) for tag, name, value in Page(written(of_everything())).attributes if name == "role"}
    assert roles == {
        ("table", "table"),
        ("thead", "rowgroup"),
        ("tbody", "rowgroup"),
        ("tr", "row"),
        ("th", "columnheader"),
        ("th", "rowheader"),
        ("td", "cell"),
    }


# A browser: what no reading of the text can tell.

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
in_a_browser = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--enable-blink-features=ComputedAccessibilityInfo",
)


def browsed(tmp_path: Path, html: str, *options: str) -> str:
    """Return what chromium says, having loaded a page from a file."""
    (tmp_path / "page.html").write_text(html)
    ran = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *options, (tmp_path / "page.html").as_uri()],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


MEASURE = """<!doctype html><meta charset="utf-8"><iframe style="width:%dpx;height:900px;border:0" srcdoc="%s"></iframe>
<script>addEventListener("load", () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument, width = frame.clientWidth;
  const boxes = selector => [...page.querySelectorAll(selector)].map(one => one.getBoundingClientRect());
  const outside = [...page.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > width + 0.5);
  const found = JSON.stringify({
    scroll: page.documentElement.scrollWidth, outside: outside.map(one => one.outerHTML.slice(0, 80)),
    bars: boxes(".bars svg").map(one => one.width), regions: boxes("tbody .c1").map(one => one.right),
    copies: boxes("tbody .c2").map(one => one.left), rows: boxes("tbody tr").map(one => [one.top, one.bottom]),
    roles: [...new Set([...page.querySelectorAll("tr, td, th")].map(one => one.computedRole))],
    copy: boxes(".copy").map(one => [one.left, one.right]),
    complete: boxes(".complete").map(one => [one.left, one.right]),
  });
  document.body.innerHTML = "<output></output>";
  document.querySelector("output").textContent = found;
})</script>"""


def measured(tmp_path: Path, html: str, width: int) -> Any:
    """Return how a page of this width is laid out."""
    said = browsed(tmp_path, MEASURE % (width, escape(html)), "--dump-dom")
    found = re.search("<output>(.*)</output>", said)
    assert found, said
    return json.loads(unescape(found.group(1)))


def with_long_names() -> Report:
    """Return the report of a run whose names, ids and reasons have no place to break a line."""
    row = a_row("us-west-2", an_image("ami-" + "0" * 17, "w" * 128))
    report = report_of(row, a_row("ap-southeast-1", row.source))
    finish(report, row, "ami-" + "1" * 17)
    fail(report, report.outcomes[1].row, what="x" * 500, why="y" * 500)
    return report


@in_a_browser
@pytest.mark.parametrize("report", [of_everything(), of_hostile_text(), with_long_names()])
@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_screen(tmp_path: Path, report: Report, width: int) -> None:
    found = measured(tmp_path, written(report), width)
    assert (found["scroll"], found["outside"]) == (width, [])


@in_a_browser
def test_on_a_phone_the_bars_have_the_whole_width_and_the_table_is_still_one(tmp_path: Path) -> None:
    found = measured(tmp_path, written(of_everything()), 360)
    assert len(found["bars"]) == 8  # nothing has happened to the other three
    assert min(found["bars"]) > 300
    assert set(found["roles"]) == {"row", "columnheader", "rowheader", "cell"}
    assert all(above[1] <= below[0] + 0.5 for above, below in pairwise(found["rows"]))
    assert all(left <= right + 0.5 for left, right in zip(found["regions"], found["copies"], strict=True))


@in_a_browser
def test_settling_begins_where_copying_ends(tmp_path: Path) -> None:
    found = measured(tmp_path, written(done("us-west-2")), 1200)
    [_, copy], [_, complete] = found["copy"], found["complete"]  # the first of each is the legend's
    assert copy[0] < copy[1] == pytest.approx(complete[0], abs=1)
    assert complete[1] > complete[0]


@in_a_browser
def test_hostile_text_makes_no_element(tmp_path: Path) -> None:
    html = written(of_hostile_text())
    dumped = Page(browsed(tmp_path, html, "--dump-dom"))
    assert sorted(dumped.tags) == sorted(Page(html).tags)


@in_a_browser
def test_the_page_lets_no_script_run_even_if_one_came_into_it(tmp_path: Path) -> None:
    html = written(done("us-west-2")).replace("<main>", "<main><script>document.title = 'it ran'</script>")
    assert "<title>it ran" not in browsed(tmp_path, html, "--dump-dom")
    without_policy = re.sub("<meta http-equiv.*?>", "", html)
    assert "<title>it ran" in browsed(tmp_path, without_policy, "--dump-dom")


@in_a_browser
def test_on_paper_all_that_is_folded_is_there(tmp_path: Path) -> None:
    report = done("us-west-2")
    for _ in range(200):
        report.add(happened(report.outcomes[0].row, AttributeWritten, 130, what="tagged"))
    browsed(tmp_path, written(report), f"--print-to-pdf={tmp_path / 'page.pdf'}")
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes())
    assert len(pages) > 4
