"""What a run writes last: a summary, each failure with its reason, and the command that continues."""

from collections import Counter
from collections.abc import Iterator, Sequence

from amicopy.core.errors import AmicopyError
from amicopy.core.events import LeftBecause
from amicopy.execute.report import Outcome, Report, State
from amicopy.plan.plan import Plan, Row
from amicopy.render.states import known_words
from amicopy.render.text import counted, error_lines, safe

_LEFT_WORDS = (
    "EC2 keeps copying {}",
    "{} not complete yet",
    "{} requested without an answer",
    "{} not started yet",
)
_LEFT_WHY = {
    LeftBecause.TIME_OUT: "Timed out",
    LeftBecause.EXPIRED: "The credentials expired",
    LeftBecause.INTERRUPTED: "The run was interrupted",
    None: "The run was interrupted",
}


def refusal_lines(plan: Plan) -> Iterator[str]:
    """Yield every refused row's problem once, then that nothing was started if that is so."""
    shown = set()
    for row in plan.rows:
        for problem in row.problems:
            if (problem.what, problem.why) not in shown:
                shown.add((problem.what, problem.why))
                label = "refused" if plan.refused else _label(row)
                yield from error_lines(problem, label=label)
    if not plan.refused:
        return
    refusal = plan.refusal()
    yield f"error: {refusal.what} [{refusal.slug}]"
    if len(plan.rows) > len(plan.refused):
        yield f"  next   {refusal.next_step}"


def ending_lines(report: Report, same_command: str, *, quiet: bool) -> Iterator[str]:
    """Yield the summary (unless ``quiet``), what EC2 is still copying, and the failures last."""
    worked = any(outcome.state is not State.UNCHANGED for outcome in report.outcomes)
    if not quiet and worked:
        yield summary(report)
        yield from _other_way_lines(report)
    left = report.left_behind
    if left and not quiet and all(outcome.left is LeftBecause.NO_WAIT for outcome in left):
        yield f"{left_words(left)}; to complete {'it' if len(left) == 1 else 'them'}: {same_command}"
    for outcome in report.outcomes:
        if outcome.error and outcome.has_failed:
            yield from _failure_lines(outcome, outcome.error, same_command)
    yield from wider_lines(report.plan)
    waiting = [outcome for outcome in left if outcome.left is LeftBecause.OTHERS]
    if waiting:
        yield "Nothing was shared, because not all copies are ready. Ready:"
        yield from map(_line, waiting)
    unfinished = [outcome for outcome in left if outcome.left not in {LeftBecause.NO_WAIT, LeftBecause.OTHERS}]
    if unfinished:
        why, count = _LEFT_WHY[unfinished[0].left], counted(len(unfinished), "copy", "copies")
        copying = sum(one.is_copying for one in unfinished)
        goes_on = "these" if copying == len(unfinished) else f"{copying} of these"
        yield f"{why} with {count} unfinished{f'; EC2 keeps copying {goes_on}' if copying else ''}:"
        yield from map(_line, unfinished)
    if left and (waiting or unfinished or not quiet):
        yield from _open_access_lines(report)
    if waiting or unfinished:
        expired = any(outcome.left is LeftBecause.EXPIRED for outcome in unfinished)
        renew = "renew them (aws sso login, or a new role session), then: " if expired else ""
        yield f"  next   {renew}{same_command}"


def _open_access_lines(report: Report) -> Iterator[str]:
    """Yield which images other accounts may still copy: each permission is recorded, and the next run ends it."""
    found = {reference: sorted(accounts) for reference, accounts in report.open_access.items() if accounts}
    if found:
        yield "Still shared for copying, until the same command or amicopy cancel --account ends that:"
        yield from (f"  {reference}  with {', '.join(accounts)}" for reference, accounts in sorted(found.items()))


def left_words(left: Sequence[Outcome]) -> str:
    """Return how many copies EC2 keeps copying, and how many others there are that this run has left."""
    count = Counter(_left_words(one) for one in left)
    return ", ".join(words.format(counted(count[words], "copy", "copies")) for words in _LEFT_WORDS if count[words])


def _left_words(outcome: Outcome) -> str:
    if outcome.is_copying:
        return "EC2 keeps copying {}"
    if outcome.available_at or outcome.image_id:
        return "{} not complete yet"
    return "{} requested without an answer" if outcome.state is State.REQUESTED else "{} not started yet"


def _other_way_lines(report: Report) -> Iterator[str]:
    """Yield which copies were not made from what the plan says."""
    if any(row.is_routed for row in report.plan.rows):
        from amicopy.render.cost import other_way_line

        if line := other_way_line(report):
            yield line


def _failure_lines(outcome: Outcome, error: AmicopyError, same_command: str) -> Iterator[str]:
    """Yield why one copy failed, and which one it is if the error does not name it: EC2 may go on with it."""
    if not error.next_step and outcome.image_id:
        error = error.with_next_step(f"When that is settled, complete the copy with: {same_command}")
    if outcome.image_id and outcome.image_id not in f"{error.what} {error.why}":
        goes_on = outcome.available_at is None and outcome.copying_since is not None
        words = f"The copy is {outcome.image_id} in {outcome.place}, of {outcome.row.source.reference}"
        error = error.with_detail(f"{words}; EC2 keeps copying it." if goes_on else f"{words}.")
    yield from error_lines(error, label=_label(outcome.row))


def _label(row: Row) -> str:
    return "error (best effort)" if row.best_effort else "error"


def wider_lines(plan: Plan) -> Iterator[str]:
    """Yield, for each copy that more people can use than desired, who they are and how to change that."""
    for row in plan.rows:
        for extra in row.wider:
            yield f"warning: {row.place}: {safe(str(extra))}"
        if row.wider and row.copy:
            yield f"  next   If that is not intended: {row.prune_command}"


def _line(outcome: Outcome) -> str:
    return f"  {outcome.place}  {known_words(outcome)}  of {outcome.row.source.reference}"


def summary(report: Report) -> str:
    """Return how many ended how."""
    count = Counter(outcome.state for outcome in report.outcomes)
    numbers = {
        "done": count[State.DONE],
        "up to date": count[State.UNCHANGED],
        "unfinished": len(report.left_behind),
        "rolled back": count[State.ROLLED_BACK],
        "failed": count[State.FAILED] + count[State.REFUSED],
    }
    parts = [f"{number} {words}" for words, number in numbers.items() if number or words == "done"]
    return f"{counted(len(report.outcomes), 'copy', 'copies')}: {', '.join(parts)}"
