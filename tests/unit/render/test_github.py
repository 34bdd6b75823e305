"""What a step of GitHub Actions hands on, and that no foreign text becomes a command or an output."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.errors import CredentialsExpired, ExitCode
from amicopy.core.events import DestinationLeft, LeftBecause, NoteAdded
from amicopy.execute.report import Report
from amicopy.plan.plan import Plan
from amicopy.render.github import annotations, append, outputs, summary
from tests.support.reports import (
    NOW,
    a_row,
    begin,
    done,
    fail,
    finish,
    happened,
    of_hostile_text,
    of_two_sources,
    report_of,
)


def read(text: str) -> dict[str, str]:
    """Return the outputs that GitHub's runner finds: ``NAME<<DELIMITER``, lines, ``DELIMITER``."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, delimiter = line.split("<<")
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


def test_outputs_are_the_ids_by_region_the_result_and_the_exit_code() -> None:
    assert read(outputs(done("us-west-2"), ExitCode.OK)) == {
        "result": "ok",
        "exit-code": "0",
        "amis": '{"us-east-1": "ami-0a11", "us-west-2": "ami-0c00"}',
        "ami-us-east-1": "ami-0a11",
        "ami-us-west-2": "ami-0c00",
    }


def test_outputs_of_several_sources_name_the_source() -> None:
    found = read(outputs(of_two_sources(), ExitCode.PARTIAL))
    assert (found["result"], found["exit-code"]) == ("partial", "3")
    assert json.loads(found["amis"])["ami-0b22"] == {"us-east-1": "ami-0b22", "us-west-2": "ami-0c03"}
    assert found["ami-0b22-us-west-2"] == "ami-0c03"
    assert "ami-0b22-eu-west-1" not in found


def test_no_two_delimiters_are_alike() -> None:
    text = outputs(done("us-west-2"), ExitCode.OK) + outputs(done("us-west-2"), ExitCode.OK)
    delimiters = re.findall("<<(.+)", text)
    assert len(set(delimiters)) == len(delimiters) == 10


def test_a_hostile_answer_adds_no_output() -> None:
    assert set(read(outputs(of_hostile_text(), ExitCode.PARTIAL))) == {
        "result",
        "exit-code",
        "amis",
        "ami-us-east-1",
        "ami-us-west-2",
    }


def test_the_summary_has_a_heading_a_table_and_the_notes() -> None:
    row = a_row("us-west-2", notes=("ami-0c01 is named 'x'",))
    report = Report(plan=Plan(rows=(row,), notes=("at most 24 GiB will be copied",)), started_at=NOW)
    finish(report, row, "ami-0c01")
    assert summary(report).splitlines() == [
        "### 1 copy: 1 done",
        "",
        "| region | copy | source | state | size | took |",
        "| --- | --- | --- | --- | ---: | ---: |",
        "| us-west-2 | `ami-0c01` | `ami-0a11` | available | 24 GiB | 2 min 05 s |",
        "",
        "- note: at most 24 GiB will be copied",
        "- note: ami-0c01 is named 'x'",
    ]


def test_the_summary_says_what_ended_the_run() -> None:
    report = report_of(a_row("us-west-2"), error=CredentialsExpired("They have expired.", why="An hour is over."))
    assert "**They have expired.** An hour is over." in summary(report)


def test_a_summary_of_thousands_of_rows_fits_and_shows_what_is_not_well() -> None:
    rows = [a_row(f"region-{number}") for number in range(6600)]
    report = report_of(*rows)
    for row in rows[:6000]:
        finish(report, row, "ami-0123456789abcdef0")
    for row in rows[6000:]:
        fail(report, row, why="x" * 1000)
    text = summary(report)
    assert len(text.encode()) < 2**20
    assert "region-6599" in text
    assert "\n4600 more are not shown.\n" in text
    assert "\n- 400 more failed.\n" in text


def test_failures_are_errors_best_effort_ones_warnings_notes_notices() -> None:
    counted, uncounted, good = a_row("eu-west-1"), a_row("us-west-1", best_effort=True), a_row("us-west-2")
    report = report_of(counted, uncounted, good)
    fail(report, counted)
    fail(report, uncounted)
    finish(report, good, "ami-0c01")
    report.add(happened(good, NoteAdded, text="good to know"))
    assert annotations(report) == [
        "::error title=ami-0a11 to eu-west-1%3A copy-failed::It failed.%0AEC2 says so.%0ATry again.",
        "::warning title=ami-0a11 to us-west-1%3A copy-failed::It failed.%0AEC2 says so.%0ATry again.",
        "::notice title=amicopy::good to know",
    ]


@pytest.mark.parametrize(
    ("because", "said"),
    [
        (LeftBecause.TIME_OUT, ["::error title=amicopy::1 copy unfinished: us-west-2"]),
        (LeftBecause.NO_WAIT, []),
    ],
)
def test_what_was_to_be_waited_for_and_is_unfinished_is_an_error(because: LeftBecause, said: list[str]) -> None:
    row = a_row("us-west-2")
    report = report_of(row)
    begin(report, row, "ami-0c01")
    report.add(happened(row, DestinationLeft, 9, because=because))
    assert annotations(report) == said


def test_the_end_of_the_whole_run_comes_first() -> None:
    report = report_of(a_row("us-west-2"), error=CredentialsExpired("They have expired."))
    assert annotations(report)[0] == "::error title=amicopy%3A credentials-expired::They have expired."


def test_a_run_without_trouble_is_not_annotated() -> None:
    assert annotations(done("us-west-2")) == []


def test_hostile_text_is_one_command() -> None:
    [one] = annotations(of_hostile_text())
    assert re.match(r"::error title=ami-0a11 to eu-west-1%3A copy-failed::", one)
    assert "\n" not in one
    assert "\x1b" not in one


@given(st.text(alphabet="%:,\r\n0ADa;=\u2028\x85"))
def test_foreign_text_ends_no_title_and_no_line(text: str) -> None:
    row = a_row(text)
    report = report_of(row)
    fail(report, row, what=text)
    [one] = annotations(report)
    assert len(one.splitlines()) == 1
    title = one.removeprefix("::error title=").split("::")[0]
    assert not set(title) & set(":,")
    assert title.replace("%25", "").replace("%3A", "").replace("%2C", "").count("%") == 0


def test_what_other_steps_have_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text("before=1\n")
    append(path, "after=2\n")
    assert path.read_text() == "before=1\nafter=2\n"
