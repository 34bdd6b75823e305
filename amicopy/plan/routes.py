"""The cheapest way to a set of regions: from the source, from copies that stand already, or by way of one hub.

Transfer is charged by the region that is copied from. So the cheapest way is direct or one hub, and never more than one
(docs/adr: "Routes have one hub at most"): with n destinations and a hub, one copy is paid at the source's rate and the
others at no less than the lowest rate, which the hub reaches.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

Rate = Callable[[str, str], Decimal | None]
"""Returns the price of a GB from one region to another; None if it is unknown."""


def unknown_rate(source: str, destination: str) -> Decimal | None:
    """Return what is known without prices: only that nothing is transferred within a region."""
    return Decimal(0) if source == destination else None


@dataclass(frozen=True, slots=True)
class Routes:
    """Which region each destination is copied from, and the hub among them that has no copy yet, if there is one."""

    origins: Mapping[str, str]
    hub: str = ""


def cheapest_routes(
    source: str,
    destinations: Sequence[str],
    rate: Rate,
    *,
    standing: Collection[str] = (),
    coming: Collection[str] = (),
    hubs: Collection[str] = (),
    direct: Collection[str] = (),
) -> Routes:
    """Return where each destination is copied from so that all cost the least; the source, where a rate is unknown.

    ``standing`` are regions with a copy that can be copied, ``coming`` those where one is being made, ``hubs`` those of
    the destinations that others may be copied from once they have theirs. ``direct`` are copied from the source, which
    takes one copy's time. Where two ways cost the same, the one with fewer copies in a row is chosen, then the one with
    the first hub in the order of the destinations.
    """
    plans = [
        _by_way_of(hub, source, destinations, rate, standing, coming, direct)
        for hub in ("", *(one for one in destinations if one in hubs))
    ]
    return min(plans, key=lambda routes: (cost_of(routes, rate), bool(routes.hub)))


def routes_by_way_of(
    hub: str, source: str, destinations: Sequence[str], *, stands: bool, direct: Collection[str] = ()
) -> Routes:
    """Return the routes by way of a hub that the user has named; ``stands``: it has its copy, or will without ours."""
    origins = {one: source if one == hub or one in direct else hub for one in destinations}
    return Routes(origins, "" if stands else hub)


def cost_of(routes: Routes, rate: Rate) -> Decimal:
    """Return what a GB costs on these routes, as far as it is known: what isn't is the same on each route."""
    return sum((rate(origin, to) or Decimal(0) for to, origin in routes.origins.items()), Decimal(0))


def _by_way_of(
    hub: str,
    source: str,
    destinations: Sequence[str],
    rate: Rate,
    standing: Collection[str],
    coming: Collection[str],
    direct: Collection[str],
) -> Routes:
    first = [source, *sorted(standing), *sorted(coming)]  # the source where others cost as much
    second = [*first, hub] if hub else first

    def origin(to: str) -> str:
        if to in direct or rate(source, to) is None:  # without the direct price, nothing is known to be cheaper
            return source
        # A hub is not copied from one that is only coming: that would be two copies to wait for.
        candidates = [one for one in ([source, *sorted(standing)] if to == hub else second) if one != to]
        known = [(usd, number) for number, one in enumerate(candidates) if (usd := rate(one, to)) is not None]
        return candidates[min(known)[1]]

    return Routes({to: origin(to) for to in destinations}, hub)
