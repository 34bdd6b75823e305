"""What a tag says about a copy's check, written and read."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from amicopy.core.check import Check
from amicopy.core.check_record import CheckRecord, CheckState, failed_tags, passed_tags, record_of, waiting_tags
from amicopy.core.ec2_rules import tags_problem

TAG = "amicopy:checked"
NOON = datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("boot --timeout 5m", "boot"),
        ("./tests/smoke-test --token hunter2", "smoke-test"),
        ("'/opt/my checks/run it.sh'", "run it.sh"),
        ("./prüfen", "prfen"),
        ("./\x1b[2J", "2J"),
        ("./" + "x" * 300, "x" * 100),
        ("./検査", ""),
    ],
)
def test_what_is_written_is_read(command: str, name: str) -> None:
    """The program's name alone: arguments can hold secrets."""
    check = Check(command=command)
    for tags in (waiting_tags(check), failed_tags(check, NOON), passed_tags(check)):
        assert not tags_problem(tags)
    assert record_of(waiting_tags(check)) == CheckRecord(state=CheckState.WAITING, name=name)
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert record_of(failed_tags(check, east)) == CheckRecord(state=CheckState.FAILED, name=name, at=NOON)
    assert record_of(passed_tags(check)) == CheckRecord(state=CheckState.PASSED)


@pytest.mark.parametrize("value", ["", "yes", "passed", "failed", "failed 2026-02-31T00:00:00Z boot", "0" * 31])
def test_what_cannot_be_read_is_no_pass(value: str) -> None:
    assert record_of({TAG: value}) == CheckRecord(state=CheckState.WAITING)


def test_a_copy_without_the_tag_was_not_to_be_checked() -> None:
    assert record_of({"Name": "web"}) is None


def test_the_words_follow_a_copys_id() -> None:
    check = Check(command="boot")
    records = [record_of(tags) for tags in (failed_tags(check, NOON), waiting_tags(check), {TAG: "?"})]
    assert [one.words for one in records if one] == [
        "failed its check (boot) on 2026-11-30 at 12:00 (UTC)",
        "has not passed its check (boot) yet",
        "has not passed its check yet",
    ]
