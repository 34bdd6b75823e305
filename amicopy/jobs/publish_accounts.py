"""In which accounts an entry publishes: organizational units stand for the accounts that they have now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from amicopy.jobs.entries import KnownEntry
from amicopy.manifest.model import OWN_ACCOUNT, LaunchTemplate, Parameter

Members = Mapping[str, tuple[str, ...]]
"""The accounts of each unit; that of the credentials is empty."""


def publishing_units(entries: Sequence[KnownEntry]) -> tuple[str, ...]:
    """Return the organizational units that something is published in, each once."""
    targets = (one for known in entries if known.entry.publish for one in known.entry.publish.targets)
    return tuple(dict.fromkeys(unit for one in targets for unit in one.units))


def with_units_expanded(entries: Sequence[KnownEntry], members: Members) -> tuple[KnownEntry, ...]:
    """Return the entries; what is published in a unit is published in its accounts."""
    if not publishing_units(entries):
        return tuple(entries)

    def accounts_of(target: Parameter | LaunchTemplate) -> tuple[str, ...]:
        ids = (account for unit in target.units for account in _accounts_in(unit, members))
        return tuple(dict.fromkeys((*target.accounts, *ids)))

    def expanded(known: KnownEntry) -> KnownEntry:
        publish = known.entry.publish
        if publish is None:
            return known
        publish = replace(
            publish,
            parameters=tuple(replace(one, accounts=accounts_of(one)) for one in publish.parameters),
            launch_templates=tuple(replace(one, accounts=accounts_of(one)) for one in publish.launch_templates),
        )
        return replace(known, entry=replace(known.entry, publish=publish))

    return tuple(map(expanded, entries))


def unused_accounts(entries: Sequence[KnownEntry], members: Members) -> Iterator[str]:
    """Yield a note for each account, and for each unit as a whole, that something is published in without a copy.

    Accounts only where an organizational unit might have them: all others are known from the manifest alone.
    """
    for known in entries:
        if known.entry.publish is None:
            continue
        targets = [target for request in known.entry.requests for target in request.accounts]
        there = {OWN_ACCOUNT, *(row.destination.account or OWN_ACCOUNT for row in known.rows)}
        for one in known.entry.publish.targets:
            of_units = {account for unit in one.units for account in _accounts_in(unit, members)}
            absent = [account for account in one.accounts if account not in there | of_units]
            if absent and any(target.unit for target in targets):
                yield f"{one.path} is not published in account {', '.join(absent)}, which gets no copy"
            for unit in one.units:
                if there.isdisjoint(_accounts_in(unit, members)):
                    yield f"{one.path} is not published in any account of {unit}: none of them gets a copy"


def _accounts_in(unit: str, members: Members) -> Iterator[str]:
    """Return the accounts of a unit as a manifest names them."""
    return (account or OWN_ACCOUNT for account in members[unit])
