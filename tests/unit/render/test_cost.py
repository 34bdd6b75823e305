"""What a plan costs in words: with any number of destinations, a line stays a line."""

from dataclasses import replace

from amicopy.core.destination import Destination
from amicopy.plan.plan import Plan
from amicopy.render.cost import cost_lines
from tests.support.reports import a_row

REGIONS = ("us-west-2", "eu-west-1")


def test_many_destinations_that_cost_the_same_are_counted() -> None:
    """25 accounts in several regions: naming each took 2,500 characters."""
    own = [a_row(region) for region in REGIONS]
    accounts = [f"{number:012}" for number in range(25)]
    others = [replace(row, destination=Destination(row.region, account)) for account in accounts for row in own]
    relayed = [replace(row, waits_for=Destination(row.region)) for row in others]
    lines = list(cost_lines(Plan(rows=(*own, *relayed))))
    assert max(map(len, lines)) < 200
    assert lines[1:] == [
        "estimated cost in each of us-west-2, eu-west-1: transfer at most 0.48 USD; storage at most 1.20 USD a month",
        "estimated cost in each of 50 destinations in us-west-2, eu-west-1: transfer at most 0.00 USD; storage at most "
        "1.20 USD a month",
    ]


def test_destinations_in_many_regions_are_counted_with_their_regions() -> None:
    rows = [a_row(f"xx-east-{number}") for number in range(20)]
    assert list(cost_lines(Plan(rows=tuple(rows))))[1:] == [
        "estimated cost in each of 20 destinations in 20 regions: transfer at most 0.48 USD; storage unknown"
    ]
