"""A set of images made true: find the sources, copy, then publish the ids and let the oldest copies go.

Refuses to publish or remove anything in a destination whose copy is not as asked.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from amicopy.core.errors import AmicopyError, ExitCode, ImageNotFound, Interrupted, ManifestInvalid, UsageError
from amicopy.core.events import Event
from amicopy.core.models import Image
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.regions import expand, split_names
from amicopy.core.request import MANIFEST, CopyRequest
from amicopy.core.run_options import RunOptions
from amicopy.execute.cancel import Fate, Target, cancel_target
from amicopy.execute.report import Report
from amicopy.jobs.context import Context
from amicopy.jobs.copy import CopyJob
from amicopy.jobs.planning import Planning
from amicopy.jobs.publish import (
    ParameterState,
    ParameterWrite,
    parameter_path,
    put_parameter,
    read_parameter_write,
    withheld,
)
from amicopy.jobs.retention import copies_to_remove
from amicopy.manifest.model import ByParameter, Entry
from amicopy.plan.plan import Action, Plan, Row
from amicopy.survey.find_source import found, why_not


@dataclass(slots=True, kw_only=True)
class SyncResult:
    """What a run has brought so far: the copies, the parameters, the copies that went."""

    report: Report
    parameter_writes: tuple[ParameterWrite, ...] = ()
    removals: tuple[Target, ...] = ()

    @property
    def has_work(self) -> bool:
        """Something is to be written or waited for."""
        return (
            self.report.plan.has_work
            or any(one.state is ParameterState.PUT for one in self.parameter_writes)
            or any(one.fate is Fate.CANCEL for one in self.removals)
        )

    @property
    def is_waiting(self) -> bool:
        """An id is still to be published."""
        return any(one.state is ParameterState.WAITING for one in self.parameter_writes)

    @property
    def errors(self) -> tuple[AmicopyError, ...]:
        """What went wrong after the copying."""
        found = [*(one.error for one in self.parameter_writes), *(one.error for one in self.removals)]
        return tuple(error for error in found if error)

    def exit_code(self) -> ExitCode:
        """Return what the process is to tell the shell."""
        code = self.report.exit_code()
        return ExitCode.PARTIAL if code is ExitCode.OK and self.errors else code


@dataclass(slots=True, eq=False)
class _Known:
    """One entry, and what its source was found to be."""

    entry: Entry
    source_region: str
    image_id: str = ""
    rows: list[Row] = field(default_factory=list)

    def covers(self, row: Row) -> bool:
        """Tell whether the entry asks for this row."""
        if row.source.reference != f"{self.source_region}/{self.image_id}":
            return False
        return any(
            _names(request.to, row.region) and not _names(request.exclude, row.region)
            for request in self.entry.requests
        )


def _names(texts: Sequence[str], region: str) -> bool:
    return any(expand(name, [region]) == [region] for name in split_names(texts))


_Place = tuple[int, str, str]  # the entry's number, a region, the id that is there already


class SyncJob:
    """Makes entries true. `plan` first, then `events` to the end, then `finish`; ``sync`` is what has come of it."""

    sync: SyncResult
    copying: CopyJob
    _parameter_writes: dict[tuple[int, str], ParameterWrite]  # by the entry's number and region
    _looks: dict[tuple[int, str], Callable[[str], ParameterWrite]]
    _date: str  # of the plan: paths stay what they were when midnight passes

    def __init__(
        self, context: Context, entries: Sequence[Entry], options: RunOptions | None = None, *, preflight: bool = True
    ) -> None:
        """Check what can be checked without AWS.

        Raises:
            ManifestInvalid: with every entry that names what does not exist.
        """
        self.context = context = replace(context, spelling=MANIFEST)
        self._options = options
        self._preflight = preflight
        wrong = []
        self._known: list[_Known] = []
        self._parameter_writes, self._looks = {}, {}
        for entry in entries:
            try:
                source_region = context.source_region(entry.source.region)
                Planning(self.context, entry.requests)
                self._known.append(_Known(entry, source_region))
            except UsageError as error:
                wrong.append(f"{entry.where}: {why_not(error)}")
        if wrong:
            raise _invalid(wrong)

    def plan(self, *, may_write: bool = True) -> SyncResult:
        """Return what is to be done; reads only. ``may_write`` False: it is only to be looked at.

        Raises:
            ManifestInvalid: a source is not found, or two entries come to the same copy.
            AmicopyError: what the survey cannot go on without.
        """
        self._find()
        self._date = self.context.clock.now().strftime("%Y-%m-%d")
        requests = [self._request(known, request) for known in self._known for request in known.entry.requests]
        self.copying = CopyJob(self.context, requests, self._options)
        plan = self.copying.plan(may_write=may_write)
        self._assign(plan)
        plan = self.copying.take(self._tolerant(plan))
        self.sync = SyncResult(report=self.copying.report)
        if not self.sync.report.refused:
            self._read_postings()
            self.sync.removals = self._outdated(finished=False)
        return self.sync

    def events(self) -> Iterator[Event | None]:
        """Copy as planned; yield each event once it is in the report, and None while nothing happens."""
        yield from self.copying.events()

    def finish(self) -> SyncResult:
        """Publish what can be published, then let go what is more than is to stay; interrupted, do neither."""
        sync, stop = self.sync, self.context.stop
        if sync.report.refused:
            sync.parameter_writes, sync.removals = tuple(map(withheld, sync.parameter_writes)), ()
            return sync
        self._forgive()
        removes, sync.removals = bool(sync.removals), ()
        self._post()
        if removes:
            with contextlib.suppress(Interrupted):
                sync.removals = self._remove(self._outdated(finished=True))
        if stop.is_set():
            sync.report.signal = stop.signal_number
        return sync

    def _find(self) -> None:
        """Find every source.

        Raises:
            ManifestInvalid: with every one that is not found.
        """
        context = self.context

        def seek(known: _Known, do: Callable[[], str]) -> str:
            try:
                known.image_id = context.with_retries(do)
            except (ImageNotFound, UsageError) as error:
                return f"{known.entry.where}: {why_not(error)}"
            return ""

        def tasks() -> Iterator[tuple[int, Callable[[], str]]]:
            for number, known in enumerate(self._known):
                wants = isinstance(known.entry.source, ByParameter)
                parameters = context.clients.parameters(known.source_region) if wants else None
                ec2 = context.clients[known.source_region]
                yield (
                    number,
                    partial(seek, known, partial(found, known.entry.source, ec2, parameters, context.clock.now())),
                )

        if wrong := [text for text in all_at_once(tasks(), context.stop).values() if text]:
            raise _invalid(wrong)

    def _request(self, known: _Known, request: CopyRequest) -> CopyRequest:
        return replace(
            request, source_region=known.source_region, image_ids=(known.image_id,), preflight=self._preflight
        )

    def _assign(self, plan: Plan) -> None:
        """Give every row to its entry.

        Raises:
            ManifestInvalid: two entries come to the same copy.
        """
        wrong = []
        for known in self._known:
            known.rows = []
        for row in {id(row): row for row in plan.rows}.values():
            owners = [known for known in self._known if known.covers(row)]
            if len(owners) > 1:
                others = ", ".join(known.entry.where for known in owners[1:])
                wrong.append(
                    f"{owners[0].entry.where}: {row.source.image_id} is copied to {row.region} in {others} too"
                )
            elif row.key in {other.key for other in owners[0].rows}:
                wrong.append(f"{owners[0].entry.where}: {row.source.image_id} is copied to {row.region} twice")
            owners[0].rows.append(row)
        if wrong:
            raise _invalid(list(dict.fromkeys(wrong)))

    def _tolerant(self, plan: Plan) -> Plan:
        """Return the plan in which what may fail, since enough others succeed, does not count."""
        excused = set[tuple[str, str]]()
        for known in self._known:
            least = known.entry.min_success
            if least is not None and sum(row.action is not Action.REFUSE for row in known.rows) >= least:
                excused |= {row.key for row in known.rows if row.action is Action.REFUSE}
        rows = [replace(row, best_effort=True) if row.key in excused else row for row in plan.rows]
        return replace(plan, rows=tuple(rows))

    def _forgive(self) -> None:
        """Let failures not count where enough others have succeeded."""
        outcomes = self.sync.report.by_key
        for known in self._known:
            ours = [outcomes[row.key] for row in known.rows]
            if known.entry.min_success is not None and sum(one.is_well for one in ours) >= known.entry.min_success:
                for one in ours:
                    if not one.is_well:
                        outcomes[one.row.key] = replace(one, row=replace(one.row, best_effort=True))

    def _places(self) -> Iterator[tuple[_Place, Callable[[str], ParameterWrite]]]:
        """Yield where ids are to be published, each with what looks there, given the id.

        Raises:
            ManifestInvalid: two copies are to go into the same parameter.
        """
        context = self.context
        taken: dict[tuple[str, str], str] = {}
        wrong = []
        places = []
        for number, known in enumerate(self._known):
            publish = known.entry.publish
            if publish is None:
                continue
            for source, region, image_id, name in self._published_by(known):
                path = parameter_path(publish, source, region, name, self._date)
                first = taken.setdefault((region, path), known.entry.where)
                if first != known.entry.where:
                    wrong.append(f"{known.entry.where}: {path} in {region} is what {first} publishes to, too")
                look = partial(
                    read_parameter_write,
                    publish,
                    path,
                    source,
                    ec2=context.clients[region],
                    parameters=context.clients.parameters(region),
                    sources=context.clients.__getitem__,
                )
                places.append(((number, region, image_id), look))
        if wrong:
            raise _invalid(wrong)
        yield from places

    def _read_postings(self) -> None:
        """Find out what is to become of every parameter."""
        context = self.context
        self._looks = {}

        def tasks() -> Iterator[tuple[tuple[int, str], Callable[[], ParameterWrite]]]:
            for (number, region, image_id), look in self._places():
                self._looks[number, region] = look
                yield (number, region), partial(context.with_retries, partial(look, image_id))

        self._take(all_at_once(tasks(), context.stop))

    def _take(self, parameter_writes: dict[tuple[int, str], ParameterWrite]) -> None:
        self._parameter_writes = parameter_writes
        self.sync.parameter_writes = tuple(parameter_writes.values())

    def _published_by(self, known: _Known) -> Iterator[tuple[Image, str, str, str]]:
        """Yield source, region, id (empty: to be made) and name of what an entry publishes."""
        rows = [row for row in known.rows if row.action is not Action.REFUSE]
        beside = any(row.region == known.source_region for row in known.rows)  # such a copy takes the source's place
        if known.entry.publish and known.entry.publish.include_source and rows and not beside:
            source = rows[0].source
            yield source, source.region, source.image_id, source.name
        for row in rows:
            yield row.source, row.region, row.copy.image_id if row.copy else "", row.name

    def _post(self) -> None:
        """Write the parameters of the copies that are as asked; of an entry that publishes all or none, together."""
        outcomes = self.sync.report.by_key
        ready: dict[tuple[int, str], str] = {}
        for number, known in enumerate(self._known):
            publish = known.entry.publish
            ours = [outcomes[row.key] for row in known.rows]
            if publish is None or not ours:
                continue
            # What may fail may do so; while it is under way, not all are done.
            complete = all(one.is_well or (one.row.best_effort and one.is_lost) for one in ours)
            if publish.when_all and not complete:
                continue
            for source, region, image_id, _ in self._published_by(known):
                outcome = outcomes.get((source.reference, region))
                ready[number, region] = image_id if outcome is None else outcome.image_id if outcome.is_well else ""

        def tasks() -> Iterator[tuple[tuple[int, str], Callable[[], ParameterWrite]]]:
            for place, one in self._parameter_writes.items():
                image_id = ready.get(place, "") if one.state is ParameterState.PUT else ""
                yield place, partial(self._posted, place, image_id) if image_id else partial(withheld, one)

        self._take(all_at_once(tasks(), Stop()))  # what was written is to be told

    def _posted(self, place: tuple[int, str], image_id: str) -> ParameterWrite:
        """Write one parameter, looked at again: while this run copied, another may have published a newer image."""
        context, before = self.context, self._parameter_writes[place]
        if context.stop.is_set():
            return withheld(before)
        parameters = context.clients.parameters(before.region)
        try:
            write = context.with_retries(partial(self._looks[place], image_id))
        except AmicopyError as error:
            return replace(before, image_id=image_id, state=ParameterState.FAILED, error=error)
        return put_parameter(write, partial(context.with_retries, partial(parameters.put, write.path, image_id)))

    def _outdated(self, *, finished: bool) -> tuple[Target, ...]:
        """Return the copies that are more than are to stay; once ``finished``, only where the newest is up to date."""
        context, outcomes = self.context, self.sync.report.by_key
        moving = [
            one.path for one in self.sync.parameter_writes if one.state in {ParameterState.PUT, ParameterState.DONE}
        ]

        def tasks() -> Iterator[tuple[tuple[int, str], Callable[[], tuple[Target, ...]]]]:
            for number, known in enumerate(self._known):
                keep = known.entry.keep
                if keep is None:
                    continue
                for row in known.rows:
                    outcome = outcomes[row.key]
                    if row.action is Action.REFUSE or (finished and not outcome.is_well):
                        continue
                    write = self._parameter_writes.get((number, row.region))
                    if write and write.state in {ParameterState.WAITING, ParameterState.FAILED}:
                        continue  # those who follow the parameter still use an older one
                    look = partial(
                        copies_to_remove,
                        keep,
                        context.clients[row.region],
                        context.clock.now(),
                        source_region=known.source_region,
                        current=outcome.image_id,
                        held=self._held(row.region),
                        moving=moving,
                    )
                    yield (number, row.region), partial(context.with_retries, look)

        return tuple(chain.from_iterable(all_at_once(tasks(), context.stop).values()))

    def _held(self, region: str) -> dict[str, str]:
        """Return the AMIs in one region that this run itself relies on, each with what for."""
        held: dict[str, str] = {}
        for row in (row for known in self._known for row in known.rows):
            if row.region == region:
                held[self.sync.report.by_key[row.key].image_id] = "it is a copy that this manifest asks for"
            if row.source.region == region:
                held[row.source.image_id] = "copies of it are asked for"
        for one in self.sync.parameter_writes:
            if one.region == region and one.state not in {ParameterState.PUT, ParameterState.DONE}:
                held[one.before] = f"{one.path} holds it"
        return held

    def _remove(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        context = self.context

        def remove(target: Target) -> Target:
            if context.stop.is_set():
                return replace(target, fate=Fate.SPARE, reason="the run was interrupted")
            return cancel_target(target, context.clients[target.region], context.clock, context.stop)

        do = {(target.region, target.resource_id): partial(remove, target) for target in targets}
        return tuple(all_at_once(do, Stop()).values())  # what was removed is to be told


def _invalid(details: list[str]) -> ManifestInvalid:
    count = len(details)
    return ManifestInvalid(
        f"{count} {'entry' if count == 1 else 'entries'} of the manifest cannot be applied, so nothing was done.",
        details=tuple(details),
        next_step="Fix the problems above.",
    )
