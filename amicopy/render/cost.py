"""What a plan costs, for people and for programs. Every amount is an upper bound; an unknown one is never a zero."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from amicopy.core.destination import Destination, Key
from amicopy.core.prices import Prices, usd_words
from amicopy.core.request import CHEAPEST
from amicopy.core.switch import SwitchState
from amicopy.execute.cancel import Target, TargetState
from amicopy.execute.report import Report
from amicopy.plan.estimate import Cost, Saving, direct_transfer, estimate, saving_by_a_route, storage_of, total
from amicopy.plan.plan import Plan
from amicopy.render.text import counted

if TYPE_CHECKING:  # few manifests ask for it
    from amicopy.jobs.fast_launch import CopyFastLaunch
    from amicopy.jobs.fast_restore import FastRestore

_MOST_NAMED = 3  # destinations in a sentence
_MOST_LISTED = 8  # that cost the same
_CENT = Decimal("0.01")
_GOING = {TargetState.CANCEL, TargetState.CANCELLED, TargetState.GONE}


def cost_lines(plan: Plan, *, only_total: bool = False, planned: Plan | None = None) -> Iterator[str]:
    """Yield the estimate in total and, where there are several, for each destination; nothing if nothing is copied.

    Of a plan that was executed, ``planned`` is how it was to be.
    """
    costs = estimate(plan)
    if not costs:
        return
    by_destination = _by_destination(costs)
    has_unknown = None in _amounts(total(costs.values()))
    hint = "; to give unknown prices: --prices FILE" if has_unknown else ""
    transfer, *others = _total_words(by_destination)
    if any(row.is_routed or row.is_only_hub for row in plan.rows):
        direct = direct_transfer(plan)
        transfer += f" (direct: {usd_words(direct) if direct is not None else 'unknown'})"
    yield f"estimated cost: {'; '.join([transfer, *others])}{_dates_words(costs.values())}{hint}"
    if len(by_destination) > 1 and not only_total:
        alike: dict[tuple[Decimal | None, ...], list[Destination]] = {}
        for destination, cost in by_destination.items():
            alike.setdefault(_amounts(cost), []).append(destination)
        for destinations in alike.values():
            where = _places(destinations)
            words = _total_words({destinations[0]: by_destination[destinations[0]]})
            yield f"estimated cost in {where}: {'; '.join(words)}"
    yield from _route_lines(plan, costs)
    if saving := saving_by_a_route(planned or plan):
        yield _saving_words(saving)


def _route_lines(plan: Plan, costs: Mapping[Key, Cost]) -> Iterator[str]:
    """Yield that a route costs more than direct copies, and what a hub costs that is not a destination."""
    direct, routed = direct_transfer(plan), total(costs.values()).transfer
    if direct is not None and routed is not None and routed > direct:
        amounts = f"at most {usd_words(routed)} instead of {usd_words(direct)}"
        yield f"this route costs more than direct copies (--route direct): transfer {amounts}"
    for region in dict.fromkeys(row.region for row in plan.rows if row.is_only_hub and row.key in costs):
        cost = total(costs[row.key] for row in plan.rows if row.is_only_hub and row.key in costs)
        amount = f"at most {usd_words(cost.storage)}" if cost.storage is not None else "an unknown amount"
        yield f"the copy in {region} is there only for the route, and is kept: its storage costs {amount} a month"


def _saving_words(saving: Saving) -> str:
    amounts = f"the transfer would cost at most {usd_words(saving.transfer)} instead of {usd_words(saving.direct)}"
    if saving.hubs:
        return f"by way of {_few(saving.hubs)} {amounts}, and take about twice the time: --route cheapest"
    copies = "the copy" if len(saving.standing) == 1 else "copies"
    return f"from {copies} in {_few(saving.standing)} {amounts}: --route cheapest"


def _few(names: Sequence[str], what: str = "regions") -> str:
    """Return the names, or how many they are if they are too many for a sentence."""
    return ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names)} {what}"


def _places(destinations: Sequence[Destination]) -> str:
    """Return where a copy costs the same; of very many by the number in each region."""
    if len(destinations) == 1:
        return str(destinations[0])
    if len(destinations) <= _MOST_LISTED:
        return f"each of {', '.join(map(str, destinations))}"
    by_region = Counter(one.region for one in destinations)
    regions = f"{counted(len(by_region), 'region')}"
    if len(by_region) <= _MOST_LISTED:
        regions = ", ".join(by_region)
    return f"each of {len(destinations)} destinations in {regions}"


def other_way_line(report: Report) -> str | None:
    """Return which copies of a run were made from another region than planned, and what the transfer costs then."""
    planned = {row.key: row for row in report.plan.rows}
    changed = [
        one for one in report.outcomes if one.row.origin_region != planned[one.row.key].origin_region and one.image_id
    ]
    if not changed:
        return None
    ways = sorted({(one.row.origin_region, planned[one.row.key].origin_region) for one in changed})
    words = ", ".join(f"{now} instead of {then}" for now, then in ways)
    places = _few([one.place for one in changed], "copies")
    was = "was" if len(changed) == 1 else "were"
    costs = (total(estimate(plan).values()).transfer for plan in (report.executed_plan, report.plan))
    now, then = (f"at most {usd_words(one)}" if one is not None else "an unknown amount" for one in costs)
    return f"note: {places} {was} copied from {words}: the transfer costs {now} in all instead of {then}"


def saving_lines(removals: Sequence[Target], prices: Prices | None) -> Iterator[str]:
    """Yield what the removal of old copies saves."""
    going = [one for one in removals if one.state in _GOING]
    if not going:
        return
    savings: dict[Destination, Decimal | None] = {}
    for one in going:
        where = Destination(one.region)
        usd = storage_of(one.volume_gib, one.region, prices)
        savings[where] = None if usd is None else (savings.get(where) or Decimal(0)) + usd
    removed = counted(len(going), "copy", "copies")
    yield f"removing {removed} saves storage: {_part(savings, ' a month')}; less where newer copies share blocks"


def fast_restore_lines(found: "Sequence[FastRestore]", prices: Prices | None) -> Iterator[str]:
    """Yield what fast snapshot restore costs by the hour, for each region, with the price that this is based on."""
    known = prices or Prices()
    for region in dict.fromkeys(one.region for one in found if one.zones):
        here = [one for one in found if one.region == region]
        count = sum(len(one.zones) * one.snapshots for one in here)
        price = known.fast_restore(region)
        words = "unknown; to give unknown prices: --prices FILE"
        if price is not None:
            date = f" (price of {price.date})" if price.date else ""
            words = f"{usd_words(price.usd * count)} an hour while it is on: {count} times {price.usd}{date}"
        yield f"fast snapshot restore in {region}, for each snapshot in each zone: {words}"


def fast_launch_lines(found: "Sequence[CopyFastLaunch]", prices: Prices | None) -> Iterator[str]:
    """Yield what the snapshots of EC2 Fast Launch will cost by the month, where it is switched on."""
    wanted = [one for one in found if one.settings and one.state is SwitchState.SWITCH]
    for region in dict.fromkeys(one.region for one in wanted):
        here = [one for one in wanted if one.region == region]
        count = sum(one.settings.target_resource_count for one in here if one.settings)
        usd = storage_of(sum(one.gib for one in here), region, prices)
        words = "unknown; to give unknown prices: --prices FILE"
        if usd is not None:
            price = (prices or Prices()).storage(region)
            date = f" (price of {price.date})" if price and price.date else ""
            words = f"at most {usd_words(usd)} a month while it is on{date}"
        yield f"fast launch in {region}, storage of {counted(count, 'snapshot', 'snapshots')}: {words}"
    if wanted:
        launches = max(one.settings.max_parallel_launches for one in wanted if one.settings)
        yield (
            f"for fast launch, EC2 also launches instances, up to {launches} at a time, to make these snapshots and a "
            "new one for each that is used: AWS charges for them, and the estimate does not include them"
        )


def fast_launch_document(one: "CopyFastLaunch", prices: Prices | None) -> str | None:
    """Return what the snapshots of one copy's EC2 Fast Launch cost in a month."""
    return _exact(one.storage_per_month(prices))


def hourly_document(one: "FastRestore", prices: Prices | None) -> str | None:
    """Return what fast snapshot restore of one copy costs in an hour."""
    return _exact(one.usd_per_hour(prices))


def cost_words(cost: Cost) -> list[str]:
    """Return what a copy costs, one text for each part."""
    return _total_words({Destination(""): cost})


def cost_document(cost: Cost | None) -> dict[str, str | None] | None:
    """Return the cost of one copy, or of several; amounts as text, so that no program rounds them."""
    if cost is None:
        return None
    return {
        "transfer": _exact(cost.transfer),
        "storage_per_month": _exact(cost.storage),
        "surcharge": _exact(cost.surcharge),
    }


def estimate_document(plan: Plan, planned: Plan) -> dict[str, Any]:
    """Return the estimate of a whole plan; of one that was executed, ``planned`` is how it was to be."""
    whole, saving = total(estimate(plan).values()), saving_by_a_route(planned)
    dates = sorted(filter(None, whole.dates))
    return {
        "currency": "USD",
        **(cost_document(whole) or {}),
        "prices_from": dates[0] if dates else None,
        "prices_to": dates[-1] if dates else None,
        "direct_transfer": _exact(direct_transfer(plan)),
        "cheaper": saving
        and {
            "route": CHEAPEST,
            "transfer": _exact(saving.transfer),
            "hubs": list(saving.hubs),
            "from_regions": list(saving.standing),
        },
    }


def saving_document(target: Target, prices: Prices | None) -> str | None:
    """Return what the removal of one copy saves in a month."""
    return _exact(storage_of(target.volume_gib, target.region, prices))


def _by_destination(costs: Mapping[Key, Cost]) -> dict[Destination, Cost]:
    found: dict[Destination, Cost] = {}
    for (_, destination), cost in costs.items():
        found[destination] = found[destination] + cost if destination in found else cost
    return found


def _amounts(cost: Cost) -> tuple[Decimal | None, ...]:
    return cost.transfer, cost.storage, cost.surcharge


def _total_words(costs: Mapping[Destination, Cost]) -> list[str]:
    """Return what all of these cost, one text for each part; an unknown part is named with its destinations."""
    words = [
        f"transfer {_part({where: cost.transfer for where, cost in costs.items()})}",
        f"storage {_part({where: cost.storage for where, cost in costs.items()}, ' a month')}",
    ]
    if any(cost.surcharge != 0 for cost in costs.values()):
        words.append(f"time-based copying {_part({where: cost.surcharge for where, cost in costs.items()})}")
    return words


def _part(amounts: Mapping[Destination, Decimal | None], per: str = "") -> str:
    known = [amount for amount in amounts.values() if amount is not None]
    unknown = [str(where) for where, amount in amounts.items() if amount is None]
    if not known:
        return "unknown"
    words = f"at most {usd_words(sum(known, Decimal(0)))}{per}"
    where = _few(unknown, "destinations")
    return f"{words}, unknown in {where}" if unknown else words


def _dates_words(costs: Iterable[Cost]) -> str:
    dates = sorted({date for cost in costs for date in cost.dates if date})
    if not dates:
        return ""
    return f" (prices of {dates[0]})" if len(dates) == 1 else f" (prices of {dates[0]} to {dates[-1]})"


def _exact(amount: Decimal | None) -> str | None:
    """Return an amount with all of its decimals, two at least."""
    if amount is None:
        return None
    cents = amount.quantize(_CENT)
    return f"{cents if cents == amount else amount.normalize():f}"
