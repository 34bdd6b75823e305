"""A manifest shared out: a dispatcher sends one message for each unit, and workers make one pass for each message.

Nothing depends on the order or the number of messages. A round (`RoundTable`) is one state of the manifest and its
sources: it saves passes for units that are up to date, and lets one process at a time do what needs all units.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amicopy.aws.round_table import Round, RoundTable
from amicopy.aws.sqs import Message, Queue
from amicopy.aws_lambda.manifests import entries_of, read_content
from amicopy.aws_lambda.notify import notify_once
from amicopy.aws_lambda.one_pass import AFTERWARDS_SECONDS, make_pass
from amicopy.aws_lambda.settings import Settings, session_of_functions
from amicopy.core.errors import ExitCode, UsageError
from amicopy.core.version import __version__
from amicopy.jobs.context import Context
from amicopy.jobs.entries import check_entries, with_sources
from amicopy.jobs.sync import SyncResult
from amicopy.jobs.units import entries_of_units, needs_whole_pass, parse_unit, units_of
from amicopy.manifest.model import Entry

# So long a unit that is up to date is not looked at again; then every copy is compared once more.
_VALID_SECONDS = 24 * 3600
# Two dispatchers that run in the same minute send the same messages, which SQS delivers once.
_SAME_SECONDS = 60.0
_WHOLE = "all"  # in place of a unit: what needs all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one message asks for."""

    round_id: str
    unit_id: str
    units: int  # how many there are in the round
    ends_with_pass: bool  # something needs all units

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
                units=int(content["units"]),
                ends_with_pass=bool(content["whole"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "The message is not one of the dispatcher's.",
                why=f"{type(error).__name__}: {error}",
                next_step="Send nothing else to the queue; the message ends in the dead-letter queue.",
            ) from error

    def message(self, at: float) -> Message:
        """Return the message that asks for this at that time."""
        content = {"round": self.round_id, "unit": self.unit_id, "units": self.units, "whole": self.ends_with_pass}
        same = f"{self.round_id} {self.unit_id} {int(at // _SAME_SECONDS)}"
        return Message(
            body=json.dumps(content, separators=(",", ":")),
            group=self.unit_id,
            deduplication_id=hashlib.sha256(same.encode()).hexdigest(),
        )


class FanOut:
    """The dispatcher's and the workers' part in one invocation."""

    def __init__(self, settings: Settings, context: Context) -> None:
        own = session_of_functions()
        self._settings = settings
        self._context = context
        self._queue = Queue(own, settings.region, context.calls, settings.queue_url)
        self._rounds = RoundTable(own, settings.region, context.calls, settings.table)

    def dispatch(self, now: float) -> int:
        """Send a message for every unit of the round that is not up to date; return how many.

        Nothing is sent while the queue holds a message for each unit already: workers are behind.

        Raises:
            ManifestInvalid: a source is not found.
            AmicopyError: something could not be read or sent.
        """
        notifies = bool(self._settings.notifications())
        content = read_content(self._settings, self._context.calls)
        entries = entries_of(self._settings, content)
        round_id = self._round_id(content, entries)
        state = self._rounds.read(round_id, now)
        if state.finished:
            return 0
        units = [unit.unit_id for unit in units_of(self._context, entries)]
        tasks = list(self._due(round_id, state, units, ends_with_pass=notifies or needs_whole_pass(entries)))
        if not tasks:
            self._rounds.finish(round_id, now=now)
            return 0
        if self._queue.waiting() >= len(units):
            return 0
        self._queue.send([task.message(now) for task in tasks])
        return len(tasks)

    def work(self, task: Task, now: float, seconds: float) -> SyncResult | None:
        """Do what a message asks for; return None if that was done before.

        Raises:
            AmicopyError: it could not be done; the message has to come again.
        """
        state = self._rounds.read(task.round_id, now)
        if state.finished or task.unit_id in state.done:
            return None
        entries = entries_of(self._settings, read_content(self._settings, self._context.calls))
        if task.unit_id == _WHOLE:
            return self._work_on_all(task, entries, now, seconds)
        result = make_pass(self._context, entries_of_units(entries, [parse_unit(task.unit_id)]), seconds)
        code = result.exit_code()
        if code is ExitCode.OK and (result.report.left_behind or result.is_waiting):
            return result  # the next schedule sends it again
        state = self._rounds.report(
            task.round_id, task.unit_id, succeeded=code is ExitCode.OK, expires_at=now + _VALID_SECONDS
        )
        if state.ended >= task.units:
            self._end(task, state, now)
        return result

    def _end(self, task: Task, state: Round, now: float) -> None:
        """Start what needs all units, or finish the round if nothing does. If this is lost, the dispatcher does it."""
        if task.ends_with_pass:
            whole = Task(round_id=task.round_id, unit_id=_WHOLE, units=task.units, ends_with_pass=True)
            self._queue.send([whole.message(now)])
        elif not state.failed:
            self._rounds.finish(task.round_id, now=now)

    def _work_on_all(self, task: Task, entries: Sequence[Entry], now: float, seconds: float) -> SyncResult | None:
        """Make a pass over all destinations, which publishes what is published together, if nobody else does.

        When everything is done, the targets of ``AMICOPY_NOTIFY`` are told, and then the round is finished.
        """
        until = now + seconds + AFTERWARDS_SECONDS
        if not self._rounds.take(task.round_id, now=now, until=until):
            return None
        is_complete = False
        try:
            result = make_pass(self._context, entries, seconds)
            if result.is_complete:
                is_complete = notify_once(self._settings, self._context, result, as_of=now, until=until)
        finally:
            if is_complete:
                self._rounds.finish(task.round_id, now=now)
            else:
                self._rounds.give_back(task.round_id, until=until)
        return result

    def _round_id(self, content: bytes, entries: Sequence[Entry]) -> str:
        known = with_sources(self._context, check_entries(self._context, entries), waits=False)
        sources = sorted({f"{one.source_region}/{one.image_id}" for one in known})
        return hashlib.sha256(json.dumps([__version__, content.decode(errors="replace"), sources]).encode()).hexdigest()

    @staticmethod
    def _due(round_id: str, state: Round, units: Sequence[str], *, ends_with_pass: bool) -> Iterator[Task]:
        def task(unit_id: str) -> Task:
            return Task(round_id=round_id, unit_id=unit_id, units=len(units), ends_with_pass=ends_with_pass)

        for unit_id in units:
            if unit_id not in state.done:
                yield task(unit_id)
        if ends_with_pass and set(units) <= state.done | state.failed:
            yield task(_WHOLE)
