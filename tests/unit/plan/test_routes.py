"""Routes: the planner finds what an exhaustive search finds, with the prices that come with amicopy and any others."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from random import Random

import pytest

from amicopy.core.prices import Prices
from amicopy.plan.routes import Rate, cheapest_routes, cost_of, routes_by_way_of

# The 20 regions of the study: 17 that are enabled by default, and three that are not.
TWENTY = [
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1"),
    *("ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2"),
    *("ap-east-1", "af-south-1", "me-south-1"),
]
RATE = Prices().rate


def by_source(rates: Mapping[str, Decimal]) -> Rate:
    """Return prices that depend on the region that is copied from, as AWS's do."""
    return lambda source, to: Decimal(0) if source == to else rates[source]


def ways(source: str, destinations: Sequence[str], standing: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield every way to make each copy from the source, a copy that stands, or another new copy, of any depth."""
    candidates = [[one for one in (source, *standing, *destinations) if one != to] for to in destinations]
    for origins in product(*candidates):
        way = dict(zip(destinations, origins, strict=True))
        if all(is_rooted(way, to) for to in destinations):
            yield way


def is_rooted(way: Mapping[str, str], to: str) -> bool:
    """Return whether a copy comes from one that is there, however many copies are in between."""
    for _ in way:
        to = way.get(to, "")
    return to not in way


def least(rate: Rate, source: str, destinations: Sequence[str], standing: Sequence[str] = ()) -> Decimal:
    """Return what the cheapest of all ways costs."""
    return min(
        sum((rate(origin, to) or Decimal(0) for to, origin in way.items()), Decimal(0))
        for way in ways(source, destinations, standing)
    )


def test_it_is_as_cheap_as_the_best_of_all_trees_for_any_prices_by_source() -> None:
    """A8 (1): the study's claim that one hub is never beaten, for a thousand random tables and copies that stand."""
    random = Random(20261129)
    names = [f"r{number}" for number in range(8)]
    for _ in range(1200):
        rates = {name: Decimal(random.randint(1, 15)) for name in names}
        source, *others = random.sample(names, random.randint(2, 6))
        standing = others[: random.randint(0, 2)]
        destinations = others[len(standing) :][:4]
        if not destinations:
            continue
        rate = by_source(rates)
        found = cheapest_routes(source, destinations, rate, standing=standing, hubs=destinations)
        assert cost_of(found, rate) == least(rate, source, destinations, standing), (rates, source, destinations)


@pytest.mark.parametrize("source", ["sa-east-1", "us-east-1", "eu-west-1", "ap-southeast-2", "af-south-1"])
def test_it_is_as_cheap_as_the_best_of_all_trees_at_amazons_prices(source: str) -> None:
    """The exception in AWS's table, from us-east-1 to us-east-2 and back, keeps the form."""
    for destinations in (
        ("us-east-1", "us-east-2", "eu-west-1", "ap-south-1"),
        ("us-east-2", "us-east-1", "sa-east-1"),
    ):
        wanted = [one for one in destinations if one != source]
        found = cheapest_routes(source, wanted, RATE, hubs=wanted)
        assert cost_of(found, RATE) == least(RATE, source, wanted)


def test_from_sao_paulo_to_twenty_regions_by_way_of_virginia() -> None:
    """A8 (2)."""
    wanted = [one for one in TWENTY if one != "sa-east-1"]
    found = cheapest_routes("sa-east-1", wanted, RATE, hubs=wanted)
    assert (found.hub, cost_of(found, RATE) * 100) == ("us-east-1", Decimal("50.8"))


def test_from_virginia_nothing_is_cheaper_than_direct() -> None:
    """A8 (2)."""
    wanted = [one for one in TWENTY if one != "us-east-1"]
    found = cheapest_routes("us-east-1", wanted, RATE, hubs=wanted)
    assert (found.hub, set(found.origins.values())) == ("", {"us-east-1"})


def test_a_region_that_is_added_is_copied_from_the_cheapest_copy_that_stands() -> None:
    """A8 (8)."""
    found = cheapest_routes("sa-east-1", ["ap-south-1"], RATE, standing=["ap-northeast-1", "eu-west-1"])
    assert found.origins == {"ap-south-1": "eu-west-1"}


def test_the_source_is_chosen_where_another_copy_costs_as_much() -> None:
    found = cheapest_routes("us-west-2", ["ap-south-1"], RATE, standing=["eu-west-1"], coming=["eu-west-2"])
    assert found.origins == {"ap-south-1": "us-west-2"}


def test_a_copy_that_is_being_made_is_waited_for_rather_than_a_second_hub() -> None:
    found = cheapest_routes("sa-east-1", ["eu-west-2", "eu-west-3"], RATE, coming=["eu-west-1"], hubs=["eu-west-2"])
    assert (found.hub, set(found.origins.values())) == ("", {"eu-west-1"})


def test_urgent_destinations_are_copied_from_the_source() -> None:
    wanted = ["us-east-1", "eu-west-1", "eu-west-2"]
    found = cheapest_routes("sa-east-1", wanted, RATE, hubs=["us-east-1"], direct=["eu-west-2"])
    assert found.origins == {"us-east-1": "sa-east-1", "eu-west-1": "us-east-1", "eu-west-2": "sa-east-1"}


def test_a_destination_that_is_copied_from_the_source_anyway_is_the_best_hub() -> None:
    wanted = ["us-east-1", "eu-west-1", "eu-west-2"]
    found = cheapest_routes("sa-east-1", wanted, RATE, hubs=wanted, direct=["eu-west-2"])
    assert found.origins == {"us-east-1": "eu-west-2", "eu-west-1": "eu-west-2", "eu-west-2": "sa-east-1"}


def test_an_unknown_rate_never_becomes_a_hub_nor_a_zero() -> None:
    """A8 (10): ap-southeast-7 has no known rate, as a source, as a copy that stands, or as a hub."""
    wanted = ["ap-southeast-7", "ap-south-1", "ap-northeast-1"]
    found = cheapest_routes("sa-east-1", wanted, RATE, standing=["mx-central-1"], hubs=wanted)
    assert "ap-southeast-7" not in {found.hub, *found.origins.values()}
    assert "mx-central-1" not in found.origins.values()
    found = cheapest_routes("ap-southeast-7", wanted[1:], RATE, standing=["us-east-1"], hubs=wanted[1:])
    assert (found.hub, set(found.origins.values())) == ("", {"ap-southeast-7"})


def test_without_prices_everything_is_direct() -> None:
    found = cheapest_routes("sa-east-1", ["us-east-1", "eu-west-1"], lambda *_: None, hubs=["us-east-1"])
    assert set(found.origins.values()) == {"sa-east-1"}


def test_a_named_hub_is_the_way_to_all_others() -> None:
    wanted = ["us-east-1", "eu-west-1", "eu-west-2"]
    found = routes_by_way_of("us-east-1", "sa-east-1", wanted, stands=False, direct=["eu-west-2"])
    assert found.origins == {"us-east-1": "sa-east-1", "eu-west-1": "us-east-1", "eu-west-2": "sa-east-1"}
    assert (found.hub, routes_by_way_of("us-east-1", "sa-east-1", wanted[1:], stands=True).hub) == ("us-east-1", "")
