"""A manifest shared out: a dispatcher sends one message for each unit, and workers make one pass for each message.

Nothing depends on the order or the number of messages. A round (`RoundTable`) is one state of the manifest and its
sources: it saves passes for units that are up to date, and lets one process at a time do what needs all units.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from amicopy.aws.round_table import Round, RoundTable
from amicopy.aws.sqs import Message, Queue
from amicopy.aws_lambda.log import problems_of
from amicopy.aws_lambda.manifests import entries_of, read_content
from amicopy.aws_lambda.notify import notify_once
from amicopy.aws_lambda.one_pass import AFTERWARDS_SECONDS, make_pass, too_large
from amicopy.aws_lambda.round_state import manifest_state, state_with_sources
from amicopy.aws_lambda.settings import Settings, session_of_functions
from amicopy.core.errors import ExitCode, TimedOut, UsageError
from amicopy.core.switch import SwitchState
from amicopy.jobs.context import Context
from amicopy.jobs.entries import check_entries, with_sources
from amicopy.jobs.sync import SyncResult
from amicopy.jobs.units import copies_to, entries_of_units, needs_whole_pass, parse_unit, units_of
from amicopy.manifest.model import Entry

# So long a unit that is up to date is not looked at again; then every copy is compared once more.
_VALID_SECONDS = 24 * 3600
# What could not be planned is tried again so much later, in case AWS was slow, or earlier with more time.
_AGAIN_SECONDS = 3600.0
# Two dispatchers that run in the same minute send the same messages, which SQS delivers once.
_SAME_SECONDS = 60.0
_WHOLE = "all"  # in place of a unit: what needs all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one message asks for."""

    round_id: str
    unit_id: str
    state: str  # of what the dispatcher has read for the unit
    units: int  # how many there are in the round
    whole_state: str  # of everything; empty if nothing needs all units

    @classmethod
    def parse(cls, body: str) -> "Task":
        """Return the task of a message.

        Raises:
            UsageError: it is not one of the dispatcher's.
        """
        try:
            content = json.loads(body)
            return cls(
                round_id=str(content["round"]),
                unit_id=str(content["unit"]),
                state=str(content["state"]),
                units=int(content["units"]),
                whole_state=str(content["whole"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "The message is not one of the dispatcher's.",
                why=f"{type(error).__name__}: {error}",
                next_step="Send nothing else to the queue; the message ends in the dead-letter queue.",
            ) from error

    def whole(self) -> "Task":
        """Return the task that needs all units."""
        return replace(self, unit_id=_WHOLE, state=self.whole_state)

    def message(self, at: float) -> Message:
        """Return the message that asks for this at that time."""
        content = {
            "round": self.round_id,
            "unit": self.unit_id,
            "state": self.state,
            "units": self.units,
            "whole": self.whole_state,
        }
        same = f"{self.round_id} {self.unit_id} {int(at // _SAME_SECONDS)}"
        return Message(
            body=json.dumps(content, separators=(",", ":")),
            group=self.unit_id,
            deduplication_id=hashlib.sha256(same.encode()).hexdigest(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """What a dispatcher found, and how many messages it has sent."""

    round: Round
    messages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a message came to."""

    result: SyncResult | None = None  # of the pass, if one was made
    is_complete: bool | None = None  # without a pass: whether what was asked for is done
    note: str = ""  # why none was made, or why its result does not count
    is_reported: bool = False  # what has failed was reported by the units it is in; another pass would find the same


class FanOut:
    """The dispatcher's and the workers' part in one invocation."""

    def __init__(self, settings: Settings, context: Context) -> None:
        own = session_of_functions()
        self._settings = settings
        self._context = context
        self._queue = Queue(own, settings.region, context.calls, settings.queue_url)
        self._rounds = RoundTable(own, settings.region, context.calls, table=settings.table, manifest=settings.manifest)

    def dispatch(self, now: float) -> Dispatched:
        """Send a message for every unit of the round that is not up to date.

        Nothing is sent while the queue holds a message for each unit already: workers are behind.

        Raises:
            ManifestInvalid: a source is not found.
            AmicopyError: something could not be read or sent.
        """
        manifest, entries = self._manifest()
        units = [unit.unit_id for unit in units_of(self._context, entries)]
        known = with_sources(self._context, check_entries(self._context, entries), waits=False)
        whole_state = state_with_sources(manifest, known)
        state = state_with_sources(manifest, known, units)
        current = self._rounds.read()
        if current.state != state or current.expires_at <= now:
            started = self._rounds.start(current, state, now=now, expires_at=now + _VALID_SECONDS)
            if started is None:
                return Dispatched(round=self._rounds.read())  # of another dispatcher, just now
            current = started
        if current.finished:
            return Dispatched(round=current)
        needs_whole = bool(self._settings.notifications()) or needs_whole_pass(entries)
        tasks = [
            Task(
                round_id=current.round_id,
                unit_id=unit_id,
                state=state_with_sources(manifest, [one for one in known if copies_to(one.entry, parse_unit(unit_id))]),
                units=len(units),
                whole_state=whole_state if needs_whole else "",
            )
            for unit_id in units
        ]
        due = list(_due(current, tasks))
        if not due and set(units) <= current.done and not needs_whole:
            self._rounds.finish(current.round_id, now=now)
            return Dispatched(round=replace(current, finished=True))
        if not due or self._queue.waiting() >= len(units):
            return Dispatched(round=current)
        self._queue.send([task.message(now) for task in due])
        return Dispatched(round=current, messages=len(due))

    def work(self, task: Task, now: float, seconds: float) -> Work:
        """Do what a message asks for, if that was not done before.

        Raises:
            AmicopyError: it could not be done; the message has to come again.
        """
        current = self._rounds.read()
        if current.round_id != task.round_id:
            note = "another round has begun since the message was sent; it has messages of its own"
            return Work(note=note, is_complete=False)
        if current.finished or task.unit_id in current.done:
            return Work(note="this was done before", is_complete=True)
        manifest, entries = self._manifest()
        if task.unit_id == _WHOLE:
            return self._work_on_all(task, current, manifest, entries, now, seconds)
        unit = parse_unit(task.unit_id)
        if not any(copies_to(entry, unit) for entry in entries):
            return Work(note=f"the manifest does not copy to {task.unit_id} anymore", is_complete=True)
        result = self._pass(task, current, entries_of_units(entries, [unit]), now, seconds)
        code = result.exit_code()
        if not _is_of(task, manifest, result):
            return Work(result=result, note=_OTHER_STATE)
        if code is ExitCode.TIME_OUT or (code is ExitCode.OK and (result.report.left_behind or result.is_waiting)):
            return Work(result=result)  # the next schedule sends it again
        failed_as = "" if code is ExitCode.OK else _came_to(result)
        after = self._rounds.report(task.round_id, task.unit_id, failed_as=failed_as)
        if after and len(after.ended) >= task.units:
            self._end(task, after, now)
        return Work(result=result)

    def _pass(self, task: Task, current: Round, entries: Sequence[Entry], now: float, seconds: float) -> SyncResult:
        """Make a pass; not if one with as much time could not even plan, less than an hour ago.

        Raises:
            TimedOut: it cannot be planned in this time.
        """
        had, at = current.too_large.get(task.unit_id, (0.0, 0.0))
        if seconds <= had + 1 and now < at + _AGAIN_SECONDS:
            raise too_large(had)
        try:
            return make_pass(self._context, entries, seconds)
        except TimedOut:
            self._rounds.report_too_large(task.round_id, task.unit_id, seconds=seconds, now=now)
            raise

    def _manifest(self) -> tuple[str, tuple[Entry, ...]]:
        """Return the state of the manifest, and its entries."""
        content = read_content(self._settings, self._context.calls)
        entries = entries_of(self._settings, content)
        return manifest_state(self._settings, content, os.environ, self._context.clock.now()), entries

    def _end(self, task: Task, state: Round, now: float) -> None:
        """Start what needs all units, or finish the round if nothing does. If this is lost, the dispatcher does it."""
        if task.whole_state:
            if not state.is_seen:
                self._queue.send([task.whole().message(now)])
        elif not state.failed:
            self._rounds.finish(task.round_id, now=now)

    def _work_on_all(
        self, task: Task, current: Round, manifest: str, entries: Sequence[Entry], now: float, seconds: float
    ) -> Work:
        """Make a pass over all destinations, which publishes what is published together, if nobody else does.

        When everything is done, the targets of ``AMICOPY_NOTIFY`` are told, and then the round is finished.
        """
        until = now + seconds + AFTERWARDS_SECONDS
        if not self._rounds.take(task.round_id, now=now, until=until):
            return Work(note="another worker does this, or has done it", is_complete=False)
        is_done, is_reported, is_of_round = False, False, False
        try:
            result = self._pass(task, current, entries, now, seconds)
            is_of_round = _is_of(task, manifest, result)
            if result.is_complete:
                is_done = notify_once(self._settings, self._context, result, as_of=now, until=until) and is_of_round
            is_reported = is_of_round and _fails_only_in(result, current.failed.keys())
        finally:
            if is_done:
                self._rounds.finish(task.round_id, now=now)
            else:
                self._rounds.give_back(task.round_id, until=until, seen_as=current.units_state if is_reported else "")
        return Work(result=result, is_reported=is_reported, note="" if is_of_round else _OTHER_STATE)


_OTHER_STATE = (
    "the dispatcher read another manifest, other sources or other settings (environment variables, version) than "
    "this worker, so the result does not count; if that does not end, compare the configuration of the two functions"
)


def _due(current: Round, tasks: Sequence[Task]) -> Iterator[Task]:
    """Yield the tasks whose units are not up to date, and the one that needs all units when they have ended."""
    for task in tasks:
        if task.unit_id not in current.done:
            yield task
    ended = all(task.unit_id in current.ended for task in tasks)
    if tasks and tasks[0].whole_state and ended and not current.is_seen:
        yield tasks[0].whole()


def _is_of(task: Task, manifest: str, result: SyncResult) -> bool:
    """Return whether a pass has used what the dispatcher read."""
    return state_with_sources(manifest, result.entries) == task.state


def _came_to(result: SyncResult) -> str:
    """Return a hash of what a pass that failed came to: the same one if the next pass comes to the same."""
    copies = sorted(
        [str(one.row.key), str(one.state), one.error.slug if one.error else ""] for one in result.report.outcomes
    )
    return hashlib.sha256(json.dumps(copies).encode()).hexdigest()


def _fails_only_in(result: SyncResult, units: Collection[str]) -> bool:
    """Return whether everything that has failed are copies in these units, so that nothing else is worth a retry."""
    if result.report.refused:
        return all(row.region in units for row in result.report.plan.refused)
    problems = problems_of(result, None)
    waits = any(one.state is SwitchState.WAITING for one in result.switches)
    return bool(problems) and not waits and all(one and one.region in units for _, one in problems)
