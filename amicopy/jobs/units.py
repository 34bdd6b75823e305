"""Units of work: the regions of a manifest, each of which a process of its own can bring up to date.

A region's unit includes its copies in other accounts: they are made from the region's own. Each unit reads the sources,
and the rate of the source account is shared; with a unit for each account, too, those reads would take hours
(docs/explanation/at-scale.md). What needs more than one region is left to a pass over the whole manifest:
`needs_whole_pass`.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.core.accounts import TargetAccount
from amicopy.core.destination import Destination
from amicopy.core.errors import UsageError
from amicopy.core.regions import includes_region, names_region
from amicopy.core.request import CopyRequest
from amicopy.jobs.context import Context
from amicopy.jobs.planning import check_requests
from amicopy.manifest.model import Entry
from amicopy.survey.destinations import survey_regions


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One region and how many entries of the manifest copy to it, in whatever account."""

    destination: Destination
    entries: int

    @property
    def unit_id(self) -> str:
        """The id: the region."""
        return str(self.destination)


def units_of(context: Context, entries: Sequence[Entry]) -> tuple[Unit, ...]:
    """Return every unit of a manifest, sorted by id. EC2 is asked for its regions only if there is a pattern.

    Raises:
        UsageError: a request contradicts itself, or has a region that does not exist.
        AmicopyError: the regions could not be read.
    """
    counts: dict[Destination, int] = {}
    asked = [check_requests(context, entry.requests) for entry in entries]
    regions = None
    if any(one.has_pattern for group in asked for one in group):
        ec2 = context.clients[asked[0][0].source_region]
        regions, _ = context.with_retries(partial(survey_regions, ec2))
    for group in asked:
        for region in {found for one in group for found in one.regions(regions)}:
            destination = Destination(region)
            counts[destination] = counts.get(destination, 0) + 1
    return tuple(Unit(destination=one, entries=counts[one]) for one in sorted(counts, key=str))


def parse_unit(unit_id: str) -> Destination:
    """Return the destination that an id of `Unit` stands for."""
    account, _, region = unit_id.rpartition("/")
    return Destination(region, account)


def copies_to(entry: Entry, unit: Destination) -> bool:
    """Return whether the entry has something to do in a unit."""
    return not unit.account and any(_names(request, unit.region) for request in entry.requests)


def entries_of_units(entries: Sequence[Entry], units: Sequence[Destination]) -> tuple[Entry, ...]:
    """Return the entries that copy to one of the units, each limited to them and to what they can decide on their own.

    Raises:
        UsageError: no entry copies to one of them.
    """
    regions = [unit.region for unit in units if not unit.account]
    found = tuple(
        replace(
            entry,
            requests=requests,
            min_success=None,
            publish=None if _publishes_together(entry) else entry.publish,
            keep=entry.keep if _may_remove(entry, entries, regions) else None,
        )
        for entry in entries
        if (requests := tuple(filter(None, (_limited(request, regions) for request in entry.requests))))
    )
    named = {region for entry in found for request in entry.requests for region in request.to}
    if unknown := [str(unit) for unit in units if unit.account or unit.region not in named]:
        raise UsageError(
            f"No entry of the manifest copies to the {'unit' if len(unknown) == 1 else 'units'} {', '.join(unknown)}.",
            next_step="List the units: amicopy sync MANIFEST --list-units",
        )
    return found


def needs_whole_pass(entries: Sequence[Entry]) -> bool:
    """Return whether some entry has something to do that no unit can do on its own."""
    return any(
        _publishes_together(entry)
        or entry.min_success is not None
        or (entry.keep is not None and not _may_remove(entry, entries, _own_sources(entry, entries)))
        for entry in entries
    )


def _names(request: CopyRequest, region: str) -> bool:
    return names_region(request.to, region) and not names_region(request.exclude, region)


def _limited(request: CopyRequest, regions: Iterable[str]) -> CopyRequest | None:
    """Return the request with those of the regions that it names as its only ones; None if it names none."""
    to = tuple(region for region in regions if _names(request, region))
    if not to:
        return None
    places = [
        (target, [region for region in to if includes_region(target.regions, region)]) for target in request.accounts
    ]
    own = {region: key for region in to if (key := request.key_for(Destination(region)))}
    return replace(
        request,
        to=to,
        exclude=(),
        accounts=tuple(
            replace(target, regions=() if len(there) == len(to) else tuple(there)) for target, there in places if there
        ),
        best_effort=tuple(region for region in to if region in request.best_effort),
        direct=tuple(region for region in to if region in request.direct),
        kms_keys=own | {name: key for target, there in places for name, key in _keys_of(request, target, there)},
    )


def _keys_of(request: CopyRequest, target: TargetAccount, regions: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the keys that are named for an account, each under the account and the region."""
    for region in regions:
        named = (f"{target.account}/{region}", target.account)
        if target.account and (place := next((one for one in named if one in request.kms_keys), "")):
            yield f"{target.account}/{region}", request.kms_keys[place]


def _publishes_together(entry: Entry) -> bool:
    """Return whether the entry's ids are published by a pass over the whole manifest.

    A source's own id would be published by every unit, so it waits for that pass, too.
    """
    return entry.publish is not None and (entry.publish.when_all or entry.publish.include_source)


def _may_remove(entry: Entry, entries: Sequence[Entry], regions: Collection[str]) -> bool:
    """Return whether old copies in the regions may be removed without looking at other entries and destinations.

    Not while a parameter that is published later still names them, and not where another entry's source may be one.
    """
    sources = {other.source.region for other in entries}
    return not _publishes_together(entry) and "" not in sources and not sources & set(regions)


def _own_sources(entry: Entry, entries: Sequence[Entry]) -> list[str]:
    """Return the source regions of all entries that this one copies to."""
    regions = {other.source.region for other in entries if other.source.region}
    return [region for region in regions if any(_names(request, region) for request in entry.requests)]
