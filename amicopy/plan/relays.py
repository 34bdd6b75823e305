"""Which copies of a plan are made from another copy instead of the source, and from which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from amicopy.core.ec2_rules import MAX_TAGS
from amicopy.core.errors import AmicopyError, OperationNotPermitted
from amicopy.core.lineage import is_ours, is_relayed, may_serve
from amicopy.core.models import HUB_TAG, SOURCE_TAG, VIA_TAG, Image
from amicopy.core.request import DIRECT, CopyRequest
from amicopy.plan.findings import Survey
from amicopy.plan.plan import Action, Row
from amicopy.plan.routes import Rate, Routes, cheapest_routes, routes_by_way_of

# A copy that takes longer than this keeps no others waiting: they are made from the source.
HUB_PATIENCE = timedelta(minutes=45)
_UNENCRYPTED_STEP = "Choose another region for via:, leave out --route, or encrypt the copies: --encrypt."


def with_routes(request: CopyRequest, survey: Survey, rows: Sequence[Row], rate: Rate) -> tuple[Row, ...]:
    """Return the rows with what each is copied from; a hub that would make all copies encrypted is refused."""
    if request.route == DIRECT:
        return tuple(rows)
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        if not row.destination.account:  # other accounts copy within the region
            by_source.setdefault(row.source.reference, []).append(row)
    routed = {row.key: row for some in by_source.values() for row in _Relays(request, survey, some).routed(rate)}
    return tuple(routed.get(row.key, row) for row in rows)


def cheaper_routes(rows: Sequence[Row], rate: Rate) -> Mapping[str, Routes]:
    """Return, by source, the cheapest routes of a plan whose copies are all direct: for a hint what could be saved.

    Copies that have to be there in time have no other way.
    """
    starting: dict[str, list[Row]] = {}
    standing: dict[str, set[str]] = {}
    for row in rows:
        if row.destination.account or row.source.is_instance_store:
            continue
        if row.action.starts_a_copy and _has_room(row, VIA_TAG) and not row.desired.minutes:
            starting.setdefault(row.source.reference, []).append(row)
        elif _stands(row, encrypts=row.desired.encrypt):
            standing.setdefault(row.source.reference, set()).add(row.region)
    found = {}
    for reference, some in starting.items():
        hubs = [row.region for row in some if _has_room(row, HUB_TAG)]
        there = standing.get(reference, set())
        regions = [row.region for row in some]
        found[reference] = cheapest_routes(some[0].source.region, regions, rate, standing=there, hubs=hubs)
    return found


@dataclass(slots=True)
class _Relays:
    """The rows of one source, and what copies can be made from."""

    request: CopyRequest
    survey: Survey
    rows: Sequence[Row]
    standing: dict[str, Row] = field(default_factory=dict)
    coming: dict[str, Row] = field(default_factory=dict)
    hubs: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            copy = row.copy
            if _stands(row, encrypts=self.request.encrypts):
                self.standing[row.region] = row
            elif row.action is Action.JOIN and copy and self._is_direct_and_young(row.source, copy):
                self.coming[row.region] = row
            elif row.action.starts_a_copy and _has_room(row, HUB_TAG):
                self.hubs[row.region] = row

    def routed(self, rate: Rate) -> Iterator[Row]:
        source = self.rows[0].source
        wanted = [row.region for row in self.rows if row.action.starts_a_copy]
        without_room = [row.region for row in self.rows if not _has_room(row, VIA_TAG)]
        direct = {*self.request.direct, *without_room}
        hub = self.request.hub
        useless: AmicopyError | str = ""
        if source.is_instance_store or (hub and hub not in self.standing | self.coming | self.hubs):
            routes = Routes(dict.fromkeys(wanted, source.region))
            useless = self._useless(hub) if hub else ""
        elif hub:
            routes = routes_by_way_of(hub, source.region, wanted, stands=hub not in self.hubs, direct=direct)
        else:
            same = {region: row for region, row in self.hubs.items() if self._encrypts_as_the_source(row) is True}
            routes = cheapest_routes(
                source.region, wanted, rate, standing=self.standing, coming=self.coming, hubs=same, direct=direct
            )
        problem = self._problem(routes)
        for row in self.rows:
            if not row.action.starts_a_copy:
                yield row
            elif useless and row.region not in {hub, *direct}:
                yield _without_hub(row, hub, useless)
            else:
                yield self._row(row, routes, problem)

    def _useless(self, hub: str) -> AmicopyError | str:
        """Return why nothing is copied from the region that is named as the hub.

        An error is what a person has to decide about. Words: the copies are made from the source.
        """
        source = self.rows[0].source
        row = next((row for row in self.rows if row.region == hub), None)
        if row is None or row.is_unreachable:
            return f"EC2 in {hub} does not answer"
        if row.action is Action.REFUSE:
            why = f"{row.problem.what} {row.problem.why}".rstrip() if row.problem else row.reason
            next_step = f"Choose another region for via:, leave out --route, or fix the problem in {hub}."
            return self._no_hub(hub, why, next_step)
        if source.is_instance_store:
            return "an image that is kept in S3 is copied from the source only"
        copy = row.copy
        if row.action.starts_a_copy or copy is None:
            return "a copy there has no room for another tag"
        if row.action is Action.JOIN:
            return f"{copy.image_id} there has been pending for long, or is itself made from a copy"
        if not may_serve(source, copy, encrypts=True):
            how = (
                "is itself made from a copy" if is_relayed(copy) else f"is not recorded as a copy of {source.image_id}"
            )
            return f"{copy.image_id} there {how}"
        if not may_serve(source, copy, encrypts=self.request.encrypts):
            why = f"{copy.image_id} there is encrypted, the source is not, and EC2 cannot make an unencrypted"
            return self._no_hub(hub, f"{why} copy of an encrypted image.", _UNENCRYPTED_STEP)
        return f"{copy.image_id} there has no room for another tag"

    def _no_hub(self, hub: str, why: str, next_step: str) -> OperationNotPermitted:
        what = f"Copies of {self.rows[0].source.image_id} cannot be made by way of {hub}."
        return OperationNotPermitted(what, why=why, next_step=next_step)

    def _row(self, row: Row, routes: Routes, problem: AmicopyError | None) -> Row:
        origin = routes.origins[row.region]
        if problem and (row.region == routes.hub or origin == routes.hub):
            return row.refused(problem)
        if row.region == routes.hub and routes.hub in routes.origins.values():
            return replace(row, desired=replace(row.desired, tags={**row.desired.tags, HUB_TAG: "yes"}))
        if origin == row.source.region:
            return row
        if origin in self.standing:
            copy = self.standing[origin].copy
            assert copy is not None  # else it would not stand
            return replace(row, copied_from=copy)
        waits_for = (self.coming | self.hubs)[origin].destination
        slow = "; EC2 may copy in full what it copies incrementally from the source"
        note = f"copies from {origin} start once the copy there is available: about twice the time{slow}"
        return replace(row, waits_for=waits_for, notes=(*row.notes, note))

    def _problem(self, routes: Routes) -> AmicopyError | None:
        """Return why the hub cannot be one: an unencrypted copy cannot be made from an encrypted one."""
        if not routes.hub or self._encrypts_as_the_source(self.hubs[routes.hub]) is not False:
            return None
        return self._no_hub(
            routes.hub,
            "Encryption by default is on there, the source is not encrypted, and EC2 cannot make an unencrypted copy "
            "of an encrypted image.",
            _UNENCRYPTED_STEP,
        )

    def _encrypts_as_the_source(self, row: Row) -> bool | None:
        """Return whether a new copy there is as encrypted as its source; None if that cannot be known."""
        if self.request.encrypts or all(device.encrypted for device in row.source.devices if device.snapshot_id):
            return True
        by_default = self.survey.destinations[row.destination].settings.encryption_by_default
        return None if by_default is None else not by_default

    def _is_direct_and_young(self, source: Image, copy: Image) -> bool:
        begun = datetime.fromisoformat(copy.created_at) if copy.created_at else self.survey.at
        return VIA_TAG not in copy.tags and is_ours(source, copy) and self.survey.at - begun < HUB_PATIENCE


def _without_hub(row: Row, hub: str, useless: AmicopyError | str) -> Row:
    if isinstance(useless, AmicopyError):
        return row.refused(useless)
    note = f"it is not made by way of {hub}, but from {row.source.region}, at its price: {useless}"
    return replace(row, notes=(*row.notes, note))


def _stands(row: Row, *, encrypts: bool) -> bool:
    """Return whether there is a copy that others can be made from."""
    source, copy = row.source, row.copy
    if copy is None or row.action not in {Action.UNCHANGED, Action.UPDATE}:
        return False
    return may_serve(source, copy, encrypts=encrypts) and (not is_ours(source, copy) or len(copy.tags) < MAX_TAGS)


def _has_room(row: Row, key: str) -> bool:
    """Return whether the copy can have one more tag of ours, and has the one by which it is recognized."""
    return SOURCE_TAG in row.desired.tags and len({*row.image_tags, key}) <= MAX_TAGS
