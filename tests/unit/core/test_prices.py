"""Prices: the table that comes with amicopy, a user's own rows before it, and everything wrong in those at once."""

from decimal import Decimal
from importlib.resources import files

import pytest

from amicopy.core.errors import ExitCode, PricesInvalid
from amicopy.core.prices import Charge, Price, Prices, known_prices, prices_from

REGIONS = ("us-east-1", "us-east-2", "eu-north-1", "sa-east-1")


def own(text: str) -> Prices:
    """Return the prices of a file with this content."""
    return prices_from(text.encode(), "mine.csv", REGIONS)


def wrong(text: str) -> list[str]:
    """Return everything that is wrong with a file."""
    with pytest.raises(PricesInvalid) as raised:
        own(text)
    assert raised.value.exit_code is ExitCode.USAGE
    return list(raised.value.details) or [raised.value.why]


def test_transfer_goes_by_the_source_and_by_the_destination_where_that_differs() -> None:
    prices = Prices()
    assert prices.transfer("us-east-1", "eu-west-1") == Price(Decimal("0.02"), "2024-09-25")
    assert prices.transfer("us-east-1", "us-east-2") == Price(Decimal("0.01"), "2024-09-25")
    assert prices.transfer("sa-east-1", "eu-west-1") == Price(Decimal("0.138"), "2024-09-25")


def test_within_a_region_nothing_is_transferred() -> None:
    assert Prices().transfer("mx-central-1", "mx-central-1") == Price(Decimal(0))


def test_what_is_not_known_is_none_and_never_zero() -> None:
    prices = Prices()
    assert prices.transfer("ap-southeast-7", "us-east-1") is None
    assert prices.transfer("us-gov-east-1", "us-east-1") is None
    assert prices.storage("eu-north-1") is None
    assert Prices(own={}).time_based("us-east-1", 3000) is None


@pytest.mark.parametrize(
    ("minutes", "usd"), [(15, "0.020"), (30, "0.018"), (45, "0.018"), (60, "0.016"), (960, "0.005"), (2880, "0.005")]
)
def test_a_time_based_copy_is_charged_by_how_soon_it_has_to_be_there(minutes: int, usd: str) -> None:
    assert Prices().time_based("us-west-2", minutes) == Price(Decimal(usd), "2026-08")


def test_every_row_that_comes_with_amicopy_names_its_source_and_none_is_free() -> None:
    lines = (files("amicopy.core") / "prices.csv").read_text().splitlines()
    assert len(known_prices()) == len(lines) - 1
    assert all(price.usd > 0 for price in known_prices().values())
    assert not any(line.endswith(",") for line in lines)
    assert {key[0] for key in known_prices()} == {*Charge}


def test_own_rows_come_before_the_table_and_the_rest_of_it_stays() -> None:
    prices = own("price,region,to,usd,date\ntransfer,sa-east-1,,0.11,2026-10-01\nstorage,eu-north-1,,0.0475,\n")
    assert prices.transfer("sa-east-1", "us-east-1") == Price(Decimal("0.11"), "2026-10-01")
    assert prices.storage("eu-north-1") == Price(Decimal("0.0475"))
    assert prices.storage("us-east-1") == Prices().storage("us-east-1")


def test_an_own_price_for_one_destination_leaves_the_others() -> None:
    prices = own("price,region,to,usd\ntransfer,sa-east-1,us-east-1,0.05\n")
    assert prices.transfer("sa-east-1", "us-east-1") == Price(Decimal("0.05"))
    assert prices.transfer("sa-east-1", "us-east-2") == Prices().transfer("sa-east-1", "us-east-2")


def test_an_own_rate_of_a_source_comes_before_the_tables_rate_for_one_destination() -> None:
    prices = own("price,region,usd\ntransfer,us-east-1,0.015\n")
    assert prices.transfer("us-east-1", "us-east-2") == Price(Decimal("0.015"))


def test_a_discount_to_zero_is_a_price() -> None:
    assert own("price,region,usd\nstorage,us-east-1,0\n").storage("us-east-1") == Price(Decimal(0))


def test_everything_wrong_in_a_file_is_reported_at_once() -> None:
    text = "\n".join(
        [
            "price,region,to,within,usd",
            "transfer,us-east-1,,,-0.01",
            "transfer,us-esat-1,,,0.01",
            "transfre,us-east-1,,,0.01",
            "storage,us-east-2,us-east-1,,0.05",
            "storage,,,,0.05",
            "time-based,,,20m,0.02",
            "time-based,,,,0.02",
            "storage,eu-north-1,,,cheap",
            "storage,sa-east-1,,,NaN",
            "",
            "storage,us-east-1,,,0.05",
            "storage,us-east-1,,,0.06",
            "storage,us-east-1,,,5000,more",
        ]
    )
    assert wrong(text) == [
        "mine.csv:2: usd is -0.01; a price cannot be negative",
        "mine.csv:3: region: unknown region 'us-esat-1'",
        "mine.csv:4: price is 'transfre'; use one of transfer, storage, time-based, fast-restore, block-read, "
        "block-list, internet",
        "mine.csv:5: to can only be used with transfer",
        "mine.csv:6: region is empty; a storage price is that of a region",
        "mine.csv:7: within: '20m' is not allowed: use 15m to 48h in steps of 15 minutes, e.g. 45m",
        "mine.csv:8: within is empty; write how long such a copy may take, for example 45m",
        "mine.csv:9: usd is 'cheap', which is not a number",
        "mine.csv:10: usd is 'NaN', which is not a number",
        "mine.csv:13: the same price is given twice",
        "mine.csv:14: 6 cells for 5 columns",
        "mine.csv:14: usd is 5000; that is more than 1000 USD per GB",
    ]


@pytest.mark.parametrize("usd", ["1_0", "١", "0x1", "1,5"])
def test_a_number_that_only_python_reads_is_none(usd: str) -> None:
    expected = f"mine.csv:2: usd is {usd!r}, which is not a number"
    assert wrong(f'price,region,usd\nstorage,us-east-1,"{usd}"\n') == [expected]


@pytest.mark.parametrize("date", ["yesterday", "2026-13-07", "2026-02-30", "26-11-30", "2026-11-30T00:00"])
def test_a_date_that_is_none_is_refused(date: str) -> None:
    expected = f"mine.csv:2: date is {date!r}; write 2026-11-30, 2026-11 or 2026"
    assert wrong(f"price,region,usd,date\nstorage,us-east-1,1,{date}\n") == [expected]


@pytest.mark.parametrize("date", ["", "2026", "2026-11", "2026-11-30"])
def test_a_date_may_be_a_month_or_a_year(date: str) -> None:
    assert own(f"price,region,usd,date\nstorage,us-east-1,1,{date}\n").storage("us-east-1") == Price(Decimal(1), date)


def test_transfer_within_a_region_has_no_price() -> None:
    expected = "mine.csv:2: to is us-east-1 as well; within a region nothing is transferred"
    assert wrong("price,region,to,usd\ntransfer,us-east-1,us-east-1,1\n") == [expected]


def test_columns_that_are_unknown_or_missing_are_named() -> None:
    assert wrong("price,region,rate,usd,usd\n") == [
        "mine.csv:1: unknown column 'rate'",
        "mine.csv:1: usd is given twice",
    ]
    assert wrong("price,to\n") == ["mine.csv:1: missing columns region, usd"]
    assert wrong("") == ["mine.csv:1: missing columns price, region, usd"]


def test_a_file_from_a_spreadsheet_is_read() -> None:
    assert own("\ufeffprice,region,usd\r\nstorage, us-east-1 ,0.04\r\n").storage("us-east-1") == Price(Decimal("0.04"))


@pytest.mark.parametrize("usd", ["1e-999999", "0.0000000001", "0.01" + "0" * 99])
def test_a_price_that_no_bill_has_is_refused(usd: str) -> None:
    assert "use at most nine decimals" in wrong(f"price,region,usd\nstorage,us-east-1,{usd}\n")[0]


def test_a_cell_that_is_too_large_is_an_error() -> None:
    with pytest.raises(PricesInvalid, match=r"^mine\.csv:2: field larger"):
        own(f"price,region,usd\n{'x' * 200_000},us-east-1,1\n")


def test_what_is_not_text_is_refused() -> None:
    with pytest.raises(PricesInvalid, match="not UTF-8"):
        prices_from(b"\xff\xfe\x00", "mine.csv")
