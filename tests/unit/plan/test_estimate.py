"""What a plan costs at most: only what it starts, by its size, and unknown where a price is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.destination import Destination
from amicopy.core.models import BlockDevice, Image, Snapshot
from amicopy.core.prices import Charge, Price, Prices
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.estimate import Cost, estimate, storage_of, total
from amicopy.plan.plan import Action, Plan, Row


def a_source(region: str = "sa-east-1", gib: int = 8, *, full_bytes: int | None = None) -> Image:
    """Return an image with one volume."""
    return Image(
        image_id="ami-1",
        region=region,
        devices=(BlockDevice(device="/dev/xvda", snapshot_id="snap-1", volume_gib=gib),),
        snapshots=(Snapshot(snapshot_id="snap-1", region=region, full_bytes=full_bytes),),
    )


def a_row(to: str, action: Action = Action.COPY, source: Image | None = None, *, minutes: int | None = None) -> Row:
    """Return one row of a plan."""
    image, destination = source or a_source(), Destination(to)
    desired = DesiredCopy(source=image, destination=destination, name="web", minutes=minutes)
    return Row(source=image, destination=destination, action=action, reason="", desired=desired)


def costs_of(*rows: Row, prices: Prices | None = None) -> list[Cost]:
    """Return what each new copy costs."""
    return list(estimate(Plan(rows=rows, prices=prices)).values())


def test_a_copy_costs_its_transfer_once_and_its_storage_each_month() -> None:
    [cost] = costs_of(a_row("us-east-1"))
    assert (cost.transfer, cost.storage, cost.surcharge) == (Decimal("1.104"), Decimal("0.40"), Decimal(0))
    assert cost.dates == {"2024-09-25", "2024-07-01"}


def test_the_snapshots_full_size_counts_and_is_rounded_up() -> None:
    [cost] = costs_of(a_row("us-east-1", source=a_source(gib=500, full_bytes=2 * 2**30 + 1)))
    assert cost.storage == Decimal("0.15")


@pytest.mark.parametrize("action", [Action.JOIN, Action.UPDATE, Action.UNCHANGED, Action.REFUSE])
def test_what_is_there_or_pending_or_refused_costs_nothing_more(action: Action) -> None:
    assert costs_of(a_row("us-east-1", action)) == []


def test_a_replacement_costs_as_much_as_a_first_copy() -> None:
    assert costs_of(a_row("us-east-1", Action.REPLACE)) == costs_of(a_row("us-east-1"))


def test_a_time_based_copy_costs_more() -> None:
    [cost] = costs_of(a_row("us-east-1", minutes=15))
    assert cost.surcharge == Decimal("0.160")


def test_an_unknown_price_makes_the_part_and_its_sum_unknown() -> None:
    costs = costs_of(a_row("us-east-1"), a_row("eu-north-1"))
    assert [cost.storage for cost in costs] == [Decimal("0.40"), None]
    assert (total(costs).storage, total(costs).transfer) == (None, Decimal("2.208"))


def test_an_image_that_is_stored_in_s3_costs_nobody_knows_what() -> None:
    source = Image(image_id="ami-1", region="us-east-1", attributes={"RootDeviceType": "instance-store"})
    [cost] = costs_of(a_row("us-west-2", source=source))
    assert (cost.transfer, cost.storage) == (None, None)


def test_own_prices_count() -> None:
    prices = Prices(own={(Charge.STORAGE, "eu-north-1", "", 0): Price(Decimal("0.01"))})
    [cost] = costs_of(a_row("eu-north-1"), prices=prices)
    assert cost.storage == Decimal("0.08")
    assert storage_of(5, "eu-north-1", prices) == Decimal("0.05")
    assert storage_of(5, "eu-north-1", None) is None


@given(st.lists(st.sampled_from(["0.1", "0.2", "0.30000004", "0.147", None]), max_size=30))
def test_sums_are_exact(amounts: list[str | None]) -> None:
    found = total(Cost(transfer=None if one is None else Decimal(one)) for one in amounts).transfer
    if None in amounts:
        assert found is None
    else:
        assert found is not None
        assert int(found * 10**8) == sum(int(Decimal(one or 0) * 10**8) for one in amounts)
