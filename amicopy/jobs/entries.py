"""The entries of a manifest with what is known of each: its source, and the rows of the plan that it asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.core.destination import Destination, Key
from amicopy.core.errors import ImageNotFound, ManifestInvalid, UsageError
from amicopy.core.grants import Grants
from amicopy.core.models import SOURCE_TAG
from amicopy.core.parallel import all_at_once
from amicopy.core.regions import names_region
from amicopy.core.request import CopyRequest
from amicopy.execute.report import Outcome
from amicopy.jobs.context import Context
from amicopy.jobs.planning import check_requests
from amicopy.manifest.model import ByName, ByParameter, Entry
from amicopy.plan.plan import Action, Plan, Row
from amicopy.survey.find_source import Found, found, why_not


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEntry:
    """One entry, what its source was found to be, and its rows."""

    number: int
    entry: Entry
    source_region: str
    image_id: str = ""
    rows: tuple[Row, ...] = ()

    @property
    def own_rows(self) -> tuple[Row, ...]:
        """The rows in the account of the credentials."""
        return tuple(row for row in self.rows if not row.destination.account)

    def covers(self, row: Row) -> bool:
        """Return whether the entry asks for this row."""
        if row.source.reference != f"{self.source_region}/{self.image_id}":
            return False
        return any(
            row.region == request.hub
            or (names_region(request.to, row.region) and not names_region(request.exclude, row.region))
            for request in self.entry.requests
        )


def check_entries(context: Context, entries: Sequence[Entry]) -> tuple[KnownEntry, ...]:
    """Return the entries, checked as far as that is possible without AWS.

    Raises:
        ManifestInvalid: with every entry that names what does not exist.
    """
    known = []
    wrong = []
    for number, entry in enumerate(entries):
        try:
            source_region = context.source_region(entry.source.region)
            check_requests(context, entry.requests)
            known.append(KnownEntry(number=number, entry=entry, source_region=source_region))
        except UsageError as error:
            wrong.append(f"{entry.where}: {why_not(error)}")
    if wrong:
        raise invalid(wrong)
    return tuple(known)


def with_sources(context: Context, entries: Sequence[KnownEntry], *, waits: bool) -> tuple[KnownEntry, ...]:
    """Return the entries with their sources; reads only. ``waits``: a source may still be pending.

    Raises:
        ManifestInvalid: with every source that is not found.
    """

    def find(known: KnownEntry, read: Callable[[], Found]) -> KnownEntry | str:
        try:
            source = context.with_retries(read)
            if source.newer_id:
                context.say(
                    f"{source.newer_id} is newer than {source.image_id} and pending; this run does not wait for it"
                )
            return replace(known, image_id=source.image_id)
        except (ImageNotFound, UsageError) as error:
            return f"{known.entry.where}: {why_not(error)}"

    def tasks() -> Iterator[tuple[int, Callable[[], KnownEntry | str]]]:
        for known in entries:
            by_parameter = isinstance(known.entry.source, ByParameter)
            parameters = context.clients.parameters(Destination(known.source_region)) if by_parameter else None
            ec2 = context.clients[known.source_region]
            read = partial(found, known.entry.source, ec2, parameters, context.clock.now(), waits=waits)
            yield known.number, partial(find, known, read)

    results = all_at_once(tasks(), context.stop).values()
    if wrong := [result for result in results if isinstance(result, str)]:
        raise invalid(wrong)
    return tuple(result for result in results if isinstance(result, KnownEntry))


def requests_of(
    entries: Sequence[KnownEntry], *, preflight: bool, grants: Grants, kms_grant: bool = False
) -> list[CopyRequest]:
    """Return the requests of all entries, with their sources."""
    return [
        replace(
            request,
            source_region=known.source_region,
            image_ids=(known.image_id,),
            preflight=preflight,
            grants=grants,
            kms_grant=kms_grant and bool(request.accounts),
        )
        for known in entries
        for request in known.entry.requests
    ]


def copies_as_sources(entries: Sequence[KnownEntry]) -> Iterator[str]:
    """Yield a note for each source that amicopy copied there and that nobody named: it is the newest that matches."""
    for known in entries:
        source = known.rows[0].source if known.rows else None
        if source and isinstance(known.entry.source, ByName) and (origin := source.tags.get(SOURCE_TAG)):
            yield (
                f"{known.entry.where}: the newest image that matches, {source.image_id}, is itself a copy of {origin}; "
                "to leave it out: a narrower name, or tags"
            )


def with_rows(entries: Sequence[KnownEntry], plan: Plan) -> tuple[KnownEntry, ...]:
    """Return the entries, each with the rows that it asked for.

    Raises:
        ManifestInvalid: two entries ask for the same copy.
    """
    rows: dict[int, dict[Key, Row]] = {known.number: {} for known in entries}
    wrong = []
    for row in {id(row): row for row in plan.rows}.values():
        owners = [known for known in entries if known.covers(row)]
        first = owners[0]
        if len(owners) > 1:
            others = ", ".join(known.entry.where for known in owners[1:])
            wrong.append(f"{first.entry.where}: {row.source.image_id} is copied to {row.place} in {others} too")
        elif row.key in rows[first.number]:
            wrong.append(f"{first.entry.where}: {row.source.image_id} is copied to {row.place} twice")
        rows[first.number].setdefault(row.key, row)
    if wrong:
        raise invalid(list(dict.fromkeys(wrong)))
    return tuple(replace(known, rows=tuple(rows[known.number].values())) for known in entries)


def with_min_success(entries: Sequence[KnownEntry], plan: Plan) -> Plan:
    """Return the plan in which refusals do not count where enough of the entry's other copies can succeed."""
    excused = set[Key]()
    for known in entries:
        least = known.entry.min_success
        if least is not None and sum(row.action is not Action.REFUSE for row in known.rows) >= least:
            excused |= {row.key for row in known.rows if row.action is Action.REFUSE}
    rows = [replace(row, best_effort=True) if row.key in excused else row for row in plan.rows]
    return replace(plan, rows=tuple(rows))


def excused_outcomes(entries: Sequence[KnownEntry], outcomes: Mapping[Key, Outcome]) -> list[Outcome]:
    """Return the failures that do not count, because enough of the entry's other copies have succeeded."""
    excused = []
    for known in entries:
        ours = [outcomes[row.key] for row in known.rows]
        least = known.entry.min_success
        if least is not None and sum(one.is_well for one in ours) >= least:
            excused += [replace(one, row=replace(one.row, best_effort=True)) for one in ours if not one.is_well]
    return excused


def invalid(details: list[str]) -> ManifestInvalid:
    """Return the error for entries that cannot be applied."""
    count = len(details)
    return ManifestInvalid(
        f"{count} {'entry' if count == 1 else 'entries'} of the manifest cannot be applied, so nothing was done.",
        details=tuple(details),
        next_step="Fix the problems above.",
    )
