"""What a plan costs at most: transfer, storage by the month, and what EC2 adds for time-based copies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce

from amicopy.core.destination import Key
from amicopy.core.prices import Price, Prices, usd_words
from amicopy.plan.cost import most_gib
from amicopy.plan.plan import Plan, Row
from amicopy.plan.relays import cheaper_routes

NOTHING = Decimal(0)
_LEAST_SAVING, _LEAST_SHARE = Decimal(1), Decimal("0.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a copy, or several, cost at most, in USD; None where a price is unknown."""

    transfer: Decimal | None = NOTHING
    storage: Decimal | None = NOTHING  # each month
    surcharge: Decimal | None = NOTHING  # of time-based copies
    dates: frozenset[str] = frozenset()  # of the prices; empty for one without

    def __add__(self, other: "Cost") -> "Cost":
        """Return the sum; with an unknown price, it is unknown."""
        return Cost(
            transfer=_sum(self.transfer, other.transfer),
            storage=_sum(self.storage, other.storage),
            surcharge=_sum(self.surcharge, other.surcharge),
            dates=self.dates | other.dates,
        )


def total(costs: Iterable[Cost]) -> Cost:
    """Return what all of these cost together."""
    return reduce(Cost.__add__, costs, Cost())


def estimate(plan: Plan) -> Mapping[Key, Cost]:
    """Return what each copy costs that the plan starts; the others cost nothing that is not paid for already."""
    prices = plan.prices or Prices()
    return {row.key: copy_cost(row, prices) for row in plan.rows if row.action.starts_a_copy}


def direct_transfer(plan: Plan) -> Decimal | None:
    """Return what the transfer costs if every copy is made from its source; None if a price is unknown.

    A hub that is not a destination would not be copied to then.
    """
    starting = [row for row in plan.rows if row.action.starts_a_copy and not row.is_only_hub]
    rows = [replace(row, copied_from=None, waits_for=None) if row.is_routed else row for row in starting]
    return total(copy_cost(row, plan.prices or Prices()) for row in rows).transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What other routes would save in a plan of direct copies."""

    hubs: tuple[str, ...] = ()  # regions that get their copy first; it takes about twice the time
    standing: tuple[str, ...] = ()  # regions with a copy that can be copied at once
    transfer: Decimal  # what it would cost
    direct: Decimal  # what it costs now


def saving_by_a_route(plan: Plan) -> Saving | None:
    """Return what the cheapest routes would save, in a plan whose copies are all direct.

    None unless that is at least a dollar and 30 %: a copy by way of another may take about twice the time.
    """
    prices, now = plan.prices or Prices(), direct_transfer(plan)
    if now is None or now < _LEAST_SAVING or any(row.is_routed or row.is_only_hub for row in plan.rows):
        return None
    routes = cheaper_routes(plan.rows, prices.rate)
    hubs = dict.fromkeys(one.hub for one in routes.values() if one.hub)
    standing: dict[str, None] = {}
    then = NOTHING
    for row in plan.rows:
        if row.action.starts_a_copy:
            known = routes.get(row.source.reference) if not row.destination.account else None
            origin = known.origins.get(row.region, row.origin_region) if known else row.origin_region
            if known and origin not in {known.hub, row.source.region}:
                standing[origin] = None
            then += (prices.rate(origin, row.region) or NOTHING) * most_gib(row.source)
    if now - then < max(_LEAST_SAVING, now * _LEAST_SHARE):
        return None
    return Saving(hubs=tuple(hubs), standing=tuple(standing), transfer=then, direct=now)


def copy_cost(row: Row, prices: Prices) -> Cost:
    """Return what the row's copy costs at most. EC2 transfers and stores used blocks, and only new ones of those."""
    if row.source.is_instance_store:  # kept in S3, which says nothing about its size
        return Cost(transfer=None, storage=None)
    gib = most_gib(row.source)
    transfer = prices.transfer(row.origin_region, row.region)
    storage = prices.storage(row.region)
    minutes = row.desired.minutes
    surcharge = prices.time_based(row.region, minutes) if minutes else Price(NOTHING)
    return Cost(
        transfer=_times(gib, transfer),
        storage=_times(gib, storage),
        surcharge=_times(gib, surcharge),
        dates=frozenset(one.date for one in (transfer, storage, surcharge) if one is not None and one.usd),
    )


def transfer_words(row: Row, planned: Row, prices: Prices | None) -> str:
    """Return what the transfer of a copy costs that is made from another image than planned."""
    now, then = (copy_cost(one, prices or Prices()).transfer for one in (row, planned))
    if now is None:
        return f"the price of a transfer from {row.origin_region} is unknown"
    instead = f" instead of {usd_words(then)}" if then is not None else ""
    return f"its transfer costs at most {usd_words(now)}{instead}"


def storage_of(gib: int, region: str, prices: Prices | None) -> Decimal | None:
    """Return what so many GiB of snapshots cost in a month; None if the price is unknown."""
    return _times(gib, (prices or Prices()).storage(region))


def _times(gib: int, price: Price | None) -> Decimal | None:
    return price.usd * gib if price is not None else None


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
