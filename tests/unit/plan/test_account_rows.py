"""How many accounts copy at a time: by memory, by tags that are free, and with some of those left to others."""

from dataclasses import replace

import pytest

from amicopy.core.destination import Destination
from amicopy.plan.account_rows import accounts_at_once
from amicopy.plan.plan import Action, Row
from tests.support.reports import a_row, an_image


def rows(regions: int, accounts: int, tags: int, action: Action = Action.COPY) -> list[Row]:
    """Return a row for each account and region, and the own account's."""
    source = an_image(tags={f"k{number}": "v" for number in range(tags)})
    here = [a_row(f"region-{number}", source, action) for number in range(regions)]
    names = ["", *(f"{number:012}" for number in range(accounts))]
    return [replace(row, destination=Destination(row.region, account)) for row in here for account in names]


@pytest.mark.parametrize(
    ("regions", "tags", "expected"),
    [
        (20, 1, 10),
        (33, 1, 10),
        (12, 1, 16),
        (1, 1, 23),  # half of what is free; another run may need the other half
        (1, 20, 14),
        (1, 35, 10),  # more than half, as there are ten at least
        (1, 45, 3),
        (33, 45, 3),
    ],
)
def test_so_many_accounts_copy_at_a_time(regions: int, tags: int, expected: int) -> None:
    assert accounts_at_once(rows(regions, 50, tags)) == expected


def test_a_grant_on_a_key_takes_a_second_tag() -> None:
    assert accounts_at_once(rows(1, 50, 1), of_keys=True) == 11


def test_regions_where_nothing_is_copied_do_not_count() -> None:
    idle = rows(33, 50, 1, Action.UNCHANGED)
    assert accounts_at_once([*idle, *rows(1, 50, 1)]) == 23
