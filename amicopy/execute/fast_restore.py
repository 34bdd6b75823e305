"""Enabling and disabling fast snapshot restore for the snapshots of one copy, and waiting until EC2 shows it.

It is recorded on the copy before it is switched on, so that whoever removes the copy knows that it has to be off first.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import NotFaithful
from amicopy.core.retries import not_read_back_yet, overloaded, persist
from amicopy.core.steps import Work

Pairs = dict[str, frozenset[str]]  # zone → snapshots


def switch_on(ec2: Ec2, clock: Clock, snapshot_ids: Sequence[str], zones: Collection[str]) -> Work[None]:
    """Switch it on where it is not.

    Raises:
        RequestRefused: EC2 refused it, for example because of a quota.
        NotFaithful: EC2 does not show it within the time for that.
    """
    yield from _switch(ec2, clock, ec2.fast_restores.switch_on, partial(lacking, ec2, snapshot_ids, zones), "on")


def switch_off(ec2: Ec2, clock: Clock, snapshot_ids: Sequence[str], zones: Collection[str]) -> Work[None]:
    """Switch it off where it is on.

    Raises:
        RequestRefused: EC2 refused it.
        NotFaithful: EC2 shows it as on all the time.
    """
    yield from _switch(ec2, clock, ec2.fast_restores.switch_off, partial(_on, ec2, snapshot_ids, zones), "off")


def lacking(ec2: Ec2, snapshot_ids: Sequence[str], zones: Collection[str]) -> Pairs:
    """Return the zones, each with the snapshots for which it is not on there; reads only."""
    found = ec2.fast_restores.zones_by_snapshot(snapshot_ids)
    return _pairs(zones, lambda zone: [one for one in snapshot_ids if zone not in found[one]])


def _on(ec2: Ec2, snapshot_ids: Sequence[str], zones: Collection[str]) -> Pairs:
    found = ec2.fast_restores.zones_by_snapshot(snapshot_ids)
    return _pairs(zones, lambda zone: [one for one in snapshot_ids if zone in found[one]])


def _pairs(zones: Collection[str], of: Callable[[str], list[str]]) -> Pairs:
    return {zone: frozenset(some) for zone in sorted(zones) if (some := of(zone))}


def _switch(
    ec2: Ec2, clock: Clock, switch: Callable[[Collection[str], str], None], left: Callable[[], Pairs], wanted: str
) -> Work[None]:
    todo = yield from persist(overloaded(clock), left)
    for zone, some in todo.items():
        yield from persist(overloaded(clock), partial(switch, some, zone))
    remaining = (yield from persist(not_read_back_yet(clock), left)) if todo else {}
    if remaining:
        raise NotFaithful(
            f"Fast snapshot restore is not {wanted} in {', '.join(remaining)}.",
            why=f"EC2 in {ec2.region} accepted the request, but does not show it.",
            next_step="Run the same command again.",
        )
