"""Fast snapshot restore of the copies that a manifest asks it for: what has to be switched, and switching it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from amicopy.core.destination import Key
from amicopy.core.fast_restore import record_of, recorded_zones
from amicopy.core.models import Image
from amicopy.core.parallel import all_at_once
from amicopy.core.retries import flapping, persist
from amicopy.core.steps import Work
from amicopy.core.switch import SwitchState
from amicopy.execute.fast_restore import Pairs, lacking, switch_off, switch_on
from amicopy.execute.report import Outcome
from amicopy.jobs.context import Context
from amicopy.jobs.entries import KnownEntry
from amicopy.jobs.switches import CopySwitch, read_switch, record_on, switch_copies
from amicopy.plan.plan import Action, Row

if TYPE_CHECKING:  # loaded when a price is asked for
    from amicopy.aws.ec2 import Ec2
    from amicopy.core.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class FastRestore(CopySwitch):
    """Fast snapshot restore of one copy."""

    zones: tuple[str, ...]  # in which it should be on
    dropped: tuple[str, ...] = ()  # in which we switched it on, and it is not asked for anymore

    @property
    def feature(self) -> str:
        """What is switched, for people."""
        return "fast restore"

    @property
    def words(self) -> str:
        """Where it is switched, for people."""
        places = {"on": self.zones, "off": self.dropped}
        return ", ".join(f"{switch} in {', '.join(zones)}" for switch, zones in places.items() if zones) or "off"

    @property
    def snapshots(self) -> int:
        """How many snapshots the copy has."""
        return len(self.row.source.snapshot_ids)

    def usd_per_hour(self, prices: "Prices | None") -> Decimal | None:
        """Return what it costs in an hour, in USD; None if the price is unknown."""
        from amicopy.core.prices import Prices

        price = (prices or Prices()).fast_restore(self.region)
        if not self.zones:
            return Decimal(0)
        return price.usd * len(self.zones) * self.snapshots if price else None


def read_fast_restores(context: Context, entries: Sequence[KnownEntry]) -> tuple[FastRestore, ...]:
    """Return what should be done for every copy that the entries ask it for; reads only."""

    def reads() -> Iterator[tuple[Key, partial[FastRestore]]]:
        for known in entries:
            for row in known.own_rows:
                zones = known.entry.fast_restore.get(row.region)
                if zones is not None and row.action is not Action.REFUSE:
                    yield row.key, partial(_read, context, row, zones)

    return tuple(all_at_once(reads(), context.stop).values())


def _read(context: Context, row: Row, zones: tuple[str, ...]) -> FastRestore:
    asked = FastRestore(row=row, zones=zones, state=SwitchState.SWITCH if zones else SwitchState.KEPT)
    return read_switch(context, asked, lambda one, copy, ec2: _compared(one, copy, ec2)[0])


def _compared(asked: FastRestore, copy: Image, ec2: "Ec2") -> tuple[FastRestore, Pairs]:
    """Return what should be done for a copy that is there, and the zones in which it is not on for all snapshots."""
    dropped = recorded_zones(copy.tags, copy.region) - {*asked.zones}
    missing = lacking(ec2, copy.snapshot_ids, asked.zones) if asked.zones else {}
    state = SwitchState.SWITCH if missing or dropped else SwitchState.KEPT
    return replace(asked, dropped=tuple(sorted(dropped)), image_id=copy.image_id, state=state), missing


def switch_fast_restores(
    context: Context, found: Sequence[FastRestore], outcomes: Mapping[Key, Outcome]
) -> tuple[FastRestore, ...]:
    """Switch it for the copies that are up to date; return all with what was done."""
    return switch_copies(context, found, outcomes, _switched)


def _switched(context: Context, asked: FastRestore) -> Work[FastRestore]:
    """Look at the copy again, record what will be on, switch it on, and off where it is not asked for anymore."""
    ec2, clock = context.clients[asked.region], context.clock
    copy = yield from persist(flapping(clock), partial(ec2.own_image, asked.image_id))
    one, missing = yield from persist(flapping(clock), partial(_compared, asked, copy, ec2))
    if one.state is SwitchState.KEPT:
        return one
    recorded = recorded_zones(copy.tags, copy.region)
    ours = recorded | missing.keys()
    yield from _record(ec2, context, copy, recorded, ours)
    if missing:
        yield from switch_on(ec2, clock, copy.snapshot_ids, missing)
    if one.dropped:
        yield from switch_off(ec2, clock, copy.snapshot_ids, one.dropped)
        yield from _record(ec2, context, copy, ours, ours - {*one.dropped})
    return replace(one, state=SwitchState.DONE)


def _record(ec2: "Ec2", context: Context, copy: Image, before: frozenset[str], after: frozenset[str]) -> Work[None]:
    if before != after:
        yield from record_on(ec2, context, copy, record_of(after))
