"""Events folded into what became of each destination, and into what the shell is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.destination import Destination
from amicopy.core.errors import (
    EXIT_CODES,
    AccessDenied,
    AmicopyError,
    CopyFailed,
    CredentialsRejected,
    ExitCode,
    Interrupted,
    NotFaithful,
    TimedOut,
    UsageError,
)
from amicopy.core.events import (
    AttributeWritten,
    CopyAvailable,
    CopyDone,
    CopyJoined,
    CopyProgressed,
    CopyQueued,
    CopyRequested,
    CopyRolledBack,
    CopyStarted,
    DestinationFailed,
    DestinationLeft,
    Event,
    FailedCopyRemoved,
    LeftBecause,
    NoteAdded,
)
from amicopy.core.models import Image
from amicopy.execute.report import Outcome, Report, State
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.plan import Action, Plan, Row, with_refusals

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SOURCE = Image(image_id="ami-1", region="us-east-1", name="web")
DENIED = AccessDenied("No.", action="ec2:CopyImage")
FAILED = CopyFailed("It failed.")


def a_row(region: str = "us-west-2", action: Action = Action.COPY, **members: Any) -> Row:
    """Return a row of a plan."""
    return Row(
        source=SOURCE,
        destination=Destination(region),
        action=action,
        reason="",
        desired=DesiredCopy(source=SOURCE, destination=Destination(region), name="web"),
        **members,
    )


def a_refused_row(problem: AmicopyError, region: str = "us-west-2", **members: Any) -> Row:
    """Return a row that is refused for this reason."""
    [row] = with_refusals(Plan(rows=(a_row(region, **members),)), {Destination(region): problem}).rows
    return row


def report_of(*rows: Row, **members: Any) -> Report:
    """Return the report of a run that is about to begin."""
    return Report(plan=Plan(rows=rows), started_at=NOW, **members)


def happened(
    kind: type[Event], *, region: str = "us-west-2", image_id: str = "", after: int = 0, **members: Any
) -> Event:
    """Return something that happened so many seconds after the beginning."""
    at = NOW + timedelta(seconds=after)
    return kind(at=at, source=SOURCE.reference, destination=Destination(region), image_id=image_id, **members)


def after(*events: Event, row: Row | None = None) -> Outcome:
    """Return what became of a row after these events."""
    report = report_of(row or a_row())
    for event in events:
        report.add(event)
    [outcome] = report.outcomes
    return outcome


REQUESTED = happened(CopyRequested, name="web", client_token="token-0", after=1)
STARTED = happened(CopyStarted, image_id="ami-2", after=2)
AVAILABLE = happened(CopyAvailable, image_id="ami-2", after=60)
DONE = happened(CopyDone, image_id="ami-2", after=70)


@pytest.mark.parametrize(
    ("action", "state", "ended"),
    [
        (Action.COPY, State.PLANNED, False),
        (Action.REPLACE, State.PLANNED, False),
        (Action.JOIN, State.PLANNED, False),
        (Action.UPDATE, State.PLANNED, False),
        (Action.UNCHANGED, State.UNCHANGED, True),
        (Action.REFUSE, State.REFUSED, True),
    ],
)
def test_before_anything_happens_the_plan_tells_the_state(action: Action, state: State, ended: bool) -> None:
    outcome = after(row=a_row(action=action))
    assert (outcome.state, outcome.ended) == (state, ended)


def test_a_row_begins_with_the_plans_copy_notes_and_problem() -> None:
    copy = Image(image_id="ami-9", region="us-west-2")
    outcome = after(row=a_refused_row(DENIED, copy=copy, notes=("a note",)))
    assert (outcome.image_id, outcome.notes, outcome.error) == ("ami-9", ("a note",), DENIED)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([REQUESTED], State.REQUESTED),
        ([REQUESTED, happened(CopyQueued, reason="full")], State.QUEUED),
        ([REQUESTED, STARTED], State.COPYING),
        ([happened(CopyJoined, image_id="ami-2")], State.COPYING),
        ([REQUESTED, STARTED, happened(CopyProgressed, percent=5)], State.COPYING),
        ([REQUESTED, STARTED, AVAILABLE], State.COMPLETING),
        ([REQUESTED, STARTED, AVAILABLE, happened(AttributeWritten, what="tagged")], State.COMPLETING),
        ([happened(AttributeWritten, what="tagged")], State.COMPLETING),
        ([REQUESTED, STARTED, AVAILABLE, happened(FailedCopyRemoved, what="ami-0 deregistered")], State.COMPLETING),
        ([REQUESTED, STARTED, AVAILABLE, DONE], State.DONE),
        ([REQUESTED, happened(DestinationFailed, error=FAILED)], State.FAILED),
        ([REQUESTED, STARTED, happened(DestinationLeft, because=LeftBecause.TIME_OUT)], State.COPYING),
        ([happened(DestinationLeft, because=LeftBecause.TIME_OUT)], State.PLANNED),
        ([REQUESTED, STARTED, happened(CopyRolledBack, what="")], State.ROLLED_BACK),
        ([happened(NoteAdded, text="a note")], State.PLANNED),
    ],
)
def test_the_last_event_that_matters_tells_the_state(events: list[Event], state: State) -> None:
    assert after(*events).state is state


def test_a_whole_copy_is_told_with_its_times() -> None:
    outcome = after(REQUESTED, STARTED, AVAILABLE, DONE)
    assert outcome.image_id == "ami-2"
    assert outcome.percent == 100
    assert (outcome.requested_at, outcome.available_at, outcome.ended_at) == (REQUESTED.at, AVAILABLE.at, DONE.at)
    assert outcome.client_token == "token-0"
    assert outcome.is_well


def test_changes_and_notes_are_kept_in_order() -> None:
    outcome = after(
        happened(AttributeWritten, what="tagged"),
        happened(NoteAdded, text="second"),
        happened(FailedCopyRemoved, what="removed"),
        row=a_row(notes=("first",)),
    )
    assert (outcome.changes, outcome.notes) == (("tagged", "removed"), ("first", "second"))


def test_asking_again_forgets_the_dead_image_and_keeps_the_first_time() -> None:
    again = happened(CopyRequested, name="web", client_token="token-1", after=30)
    outcome = after(REQUESTED, STARTED, again)
    assert (outcome.image_id, outcome.client_token, outcome.requested_at) == ("", "token-1", REQUESTED.at)


def test_progress_is_kept_in_steps_that_stay_few() -> None:
    steps = [happened(CopyProgressed, percent=percent, after=10 + percent) for percent in range(101)]
    outcome = after(REQUESTED, STARTED, *steps)
    assert outcome.copying_since == STARTED.at
    assert [percent for _, percent in outcome.progress] == list(range(5, 101, 5))
    assert outcome.progress[0][0] == steps[5].at


def test_another_copy_begins_its_progress_anew() -> None:
    again = happened(CopyStarted, image_id="ami-3", after=30)
    outcome = after(REQUESTED, STARTED, happened(CopyProgressed, percent=60), REQUESTED, again)
    assert (outcome.progress, outcome.copying_since) == ((), again.at)


def test_a_copy_that_was_joined_is_copying_since_it_was_found() -> None:
    joined = happened(CopyJoined, image_id="ami-2", after=3)
    assert after(joined).copying_since == joined.at


def test_an_event_without_an_id_forgets_none() -> None:
    assert after(REQUESTED, STARTED, happened(DestinationFailed, error=FAILED)).image_id == "ami-2"


def test_what_was_left_says_why_and_has_ended_and_is_not_well() -> None:
    outcome = after(REQUESTED, STARTED, happened(DestinationLeft, because=LeftBecause.EXPIRED, after=9))
    assert (outcome.left, outcome.ended, outcome.is_well) == (LeftBecause.EXPIRED, True, False)


def test_outcomes_come_in_the_plans_order_however_they_ended() -> None:
    report = report_of(a_row("b"), a_row("a"))
    report.add(happened(CopyDone, region="a"))
    report.add(happened(CopyDone, region="b"))
    assert [outcome.region for outcome in report.outcomes] == ["b", "a"]


def test_left_behind_is_all_that_has_neither_succeeded_nor_failed() -> None:
    report = report_of(*map(a_row, "abcd"), a_row("e", Action.UNCHANGED), a_row("f", Action.REFUSE))
    report.add(happened(CopyDone, region="a"))
    report.add(happened(DestinationFailed, region="b", error=FAILED))
    report.add(happened(DestinationLeft, region="c", because=LeftBecause.NO_WAIT))
    assert [outcome.region for outcome in report.left_behind] == ["c", "d"]


def ended(*ends: Event | Action | AmicopyError | LeftBecause | None, **members: Any) -> Report:
    """Return the report of a run whose rows ended so: done (None), failed, left, or as planned."""
    report = report_of(
        *(a_row(str(number), end if isinstance(end, Action) else Action.COPY) for number, end in enumerate(ends)),
        **members,
    )
    for number, end in enumerate(ends):
        if end is None:
            report.add(happened(CopyDone, region=str(number)))
        elif isinstance(end, AmicopyError):
            report.add(happened(DestinationFailed, region=str(number), error=end))
        elif isinstance(end, LeftBecause):
            report.add(happened(DestinationLeft, region=str(number), because=end))
    return report


def refused(*problems: AmicopyError) -> Report:
    """Return the report of a plan that was refused; a further destination had no problem."""
    rows = [a_refused_row(problem, str(n)) for n, problem in enumerate(problems)]
    return report_of(*rows, a_row(), refused=True)


TIME_OUT, NO_WAIT, EXPIRED = LeftBecause.TIME_OUT, LeftBecause.NO_WAIT, LeftBecause.EXPIRED


@pytest.mark.parametrize(
    ("report", "code"),
    [
        # Every destination is up to date, "nothing to do" included; what --no-wait leaves is up to date, too
        (ended(), ExitCode.OK),
        (ended(None, None), ExitCode.OK),
        (ended(Action.UNCHANGED, Action.UNCHANGED), ExitCode.OK),
        (ended(None, Action.UNCHANGED), ExitCode.OK),
        (ended(None, NO_WAIT), ExitCode.OK),
        # Nothing succeeded, or the plan was refused and nothing was started
        (ended(FAILED), ExitCode.FAILED),
        (ended(FAILED, NotFaithful("No.")), ExitCode.FAILED),
        (ended(FAILED, DENIED), ExitCode.FAILED),
        (refused(NotFaithful("No.")), ExitCode.FAILED),
        (refused(NotFaithful("No."), DENIED), ExitCode.FAILED),
        # A bad option or manifest
        (ended(None, error=UsageError("No.")), ExitCode.USAGE),
        # Some destinations done, some not
        (ended(None, FAILED), ExitCode.PARTIAL),
        (ended(Action.UNCHANGED, FAILED), ExitCode.PARTIAL),
        (ended(None, DENIED), ExitCode.PARTIAL),
        (ended(None, FAILED, TIME_OUT), ExitCode.PARTIAL),
        (ended(None, FAILED, NO_WAIT), ExitCode.PARTIAL),
        # Still copying
        (ended(TIME_OUT), ExitCode.TIME_OUT),
        (ended(None, TIME_OUT), ExitCode.TIME_OUT),
        (ended(None, EXPIRED), ExitCode.TIME_OUT),
        (ended(error=TimedOut("The source is not available yet.")), ExitCode.TIME_OUT),
        # Credentials, permissions, region not enabled
        (ended(DENIED), ExitCode.ACCESS),
        (ended(DENIED, CredentialsRejected("No.")), ExitCode.ACCESS),
        (refused(DENIED, CredentialsRejected("No.")), ExitCode.ACCESS),
        (ended(None, error=DENIED), ExitCode.ACCESS),
        # 130, 143: interrupted, whatever became of the copies
        (ended(None, signal=2), ExitCode.INTERRUPTED),
        (ended(FAILED, signal=2), ExitCode.INTERRUPTED),
        (ended(None, signal=15), ExitCode.TERMINATED),
        (ended(None, signal=1), ExitCode.TERMINATED),
        (ended(error=Interrupted("Interrupted.")), ExitCode.INTERRUPTED),
    ],
)
def test_the_shell_is_told_what_the_table_of_exit_codes_says(report: Report, code: ExitCode) -> None:
    assert report.exit_code() is code


@pytest.mark.parametrize("end", [FAILED, DENIED, TIME_OUT, EXPIRED])
def test_a_best_effort_destination_leaves_the_exit_code_alone(end: AmicopyError | LeftBecause) -> None:
    report = ended(end, None)
    tried = report.by_key[SOURCE.reference, Destination("0")]
    report.by_key[SOURCE.reference, Destination("0")] = replace(tried, row=replace(tried.row, best_effort=True))
    assert report.exit_code() is ExitCode.OK


def test_the_numbers_of_the_exit_codes_are_a_promise() -> None:
    assert {code.name: int(code) for code in EXIT_CODES} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "PARTIAL": 3,
        "DRIFT": 4,
        "TIME_OUT": 5,
        "ACCESS": 6,
        "BUG": 70,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }
    assert EXIT_CODES.keys() == set(ExitCode)


ENDS = st.sampled_from([None, FAILED, DENIED, TIME_OUT, EXPIRED, NO_WAIT, Action.UNCHANGED, Action.REFUSE])


@given(st.lists(ENDS, max_size=5))
def test_zero_is_said_only_where_all_is_as_asked_or_left_on_purpose(ends: list[Any]) -> None:
    fine = {None, NO_WAIT, Action.UNCHANGED}
    assert (ended(*ends).exit_code() is ExitCode.OK) == (not [end for end in ends if end not in fine])


def test_a_run_that_did_not_come_to_an_end_is_not_ok() -> None:
    report = report_of(a_row())
    report.add(REQUESTED)
    assert report.exit_code() is not ExitCode.OK


def test_nothing_done_and_something_failed_is_not_partial() -> None:
    assert ended(FAILED, TIME_OUT).exit_code() is not ExitCode.PARTIAL
