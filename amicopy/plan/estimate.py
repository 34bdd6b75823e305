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
    """Return what the transfer costs if every copy is made from its source; None if a price is unknown."""
    starting = [row for row in plan.rows if row.action.starts_a_copy]
    rows = [replace(row, copied_from=None, waits_for=None) if row.is_routed else row for row in starting]
    return total(copy_cost(row, plan.prices or Prices()) for row in rows).transfer


def saving_by_a_hub(plan: Plan) -> tuple[str, Decimal, Decimal] | None:
    """Return the hub by way of which a plan of direct copies costs less, and what the transfer costs then and now.

    None unless that saves at least a dollar and 30 %: a copy by way of another takes about twice the time.
    """
    prices, now = plan.prices or Prices(), direct_transfer(plan)
    if now is None or now < _LEAST_SAVING or any(row.is_routed for row in plan.rows):
        return None
    routes = cheaper_routes(plan.rows, prices.rate)
    hubs = {one.hub for one in routes.values() if one.hub}
    if len(hubs) != 1:
        return None
    then = NOTHING
    for row in plan.rows:
        if row.action.starts_a_copy:
            is_own = row.source.reference in routes and not row.destination.account
            origins = routes[row.source.reference].origins if is_own else {}
            rate = prices.rate(origins.get(row.region, row.origin_region), row.region)
            then += (rate or NOTHING) * most_gib(row.source)
    return (hubs.pop(), then, now) if now - then >= max(_LEAST_SAVING, now * _LEAST_SHARE) else None


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
