"""What a plan costs at most: transfer, storage by the month, and what EC2 adds for time-based copies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

from amicopy.core.destination import Key
from amicopy.core.prices import Price, Prices
from amicopy.plan.cost import most_gib
from amicopy.plan.plan import Plan, Row

NOTHING = Decimal(0)


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


def storage_of(gib: int, region: str, prices: Prices | None) -> Decimal | None:
    """Return what so many GiB of snapshots cost in a month; None if the price is unknown."""
    return _times(gib, (prices or Prices()).storage(region))


def _times(gib: int, price: Price | None) -> Decimal | None:
    return price.usd * gib if price is not None else None


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
