"""What AWS charges for copies, in USD: a dated table that comes with amicopy, and the rows that override it."""

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from importlib.resources import files

from amicopy.core.durations import completion_from
from amicopy.core.errors import PricesInvalid

COLUMNS = ("price", "region", "to", "within", "usd", "date", "source")
_NEEDED = ("price", "region", "usd")
_LARGEST, _SMALLEST = Decimal(1000), Decimal("1e-9")  # USD per GB; what is beyond is a mistake in writing
_LONGEST = 15
_CENT = Decimal("0.01")


class Charge(StrEnum):
    """What a row of the table is the price of."""

    TRANSFER = "transfer"  # a GB from `region` to another region, or to the one named in `to`
    STORAGE = "storage"  # a GB of snapshots in `region` for a month
    TIME_BASED = "time-based"  # a GB of a copy to `region` that completes within `within`; no region: every one
    FAST_RESTORE = "fast-restore"  # an hour of fast snapshot restore in `region`, for a snapshot in one zone
    BLOCK_READ = "block-read"  # a block of a snapshot in `region` (EBS direct APIs); no region: every one
    BLOCK_LIST = "block-list"  # a call that lists blocks, likewise
    INTERNET = "internet"  # a GB from `region` to a machine outside AWS, likewise


_EVERYWHERE = frozenset({Charge.TIME_BASED, Charge.BLOCK_READ, Charge.BLOCK_LIST, Charge.INTERNET})


@dataclass(frozen=True, slots=True)
class Price:
    """USD per GB, block or call, as of a date; without one, nobody has said when."""

    usd: Decimal
    date: str = ""


_Key = tuple[Charge, str, str, int]  # region, destination, minutes; empty and 0 where they don't matter


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices that are known. The table that comes with amicopy is read when the first price is asked for."""

    own: Mapping[_Key, Price] = field(default_factory=dict)  # the user's, which override that table

    def transfer(self, source: str, destination: str) -> Price | None:
        """Return the price of transferring a GB between two regions; None if it is unknown, 0 within a region."""
        if source == destination:
            return Price(Decimal(0))
        return self._first((Charge.TRANSFER, source, destination, 0), (Charge.TRANSFER, source, "", 0))

    def rate(self, source: str, destination: str) -> Decimal | None:
        """Return the same as a number."""
        price = self.transfer(source, destination)
        return price.usd if price is not None else None

    def storage(self, region: str) -> Price | None:
        """Return the price of keeping a GB of snapshots in a region for a month; None if it is unknown."""
        return self._first((Charge.STORAGE, region, "", 0))

    def fast_restore(self, region: str) -> Price | None:
        """Return the price of an hour of fast snapshot restore, for a snapshot in a zone; None if it is unknown."""
        return self._first((Charge.FAST_RESTORE, region, "", 0))

    def time_based(self, region: str, minutes: int) -> Price | None:
        """Return what EC2 adds for a GB that is copied to a region within so many minutes; None if it is unknown."""
        for table in self._tables():
            for place in (region, ""):
                steps = sorted((key[3], price) for key, price in table.items() if key[:2] == (Charge.TIME_BASED, place))
                if found := next((price for longest, price in steps if minutes <= longest), None):
                    return found
        return None

    def anywhere(self, charge: Charge) -> Price | None:
        """Return a price that is the same in every region, as far as the table knows; None if it is unknown."""
        return self._first((charge, "", "", 0))

    def _first(self, *keys: _Key) -> Price | None:
        """Return the price under the first of these keys that a table has, the user's before the other."""
        return next((found for table in self._tables() for key in keys if (found := table.get(key))), None)

    def _tables(self) -> Iterator[Mapping[_Key, Price]]:
        if self.own:
            yield self.own
        yield known_prices()


@cache
def known_prices() -> Mapping[_Key, Price]:
    """Return the table that comes with amicopy, by charge, region, destination and minutes."""
    return _read((files("amicopy.core") / "prices.csv").read_text(encoding="utf-8"), "prices.csv", ())


def usd_words(amount: Decimal) -> str:
    """Return an amount in dollars and cents, rounded up."""
    return f"{amount.quantize(_CENT, ROUND_CEILING)} USD"


def prices_from(content: bytes, path: str, regions: Collection[str] = ()) -> Prices:
    """Return the prices of a file, before those that come with amicopy; ``path`` is how a person knows it.

    With the ``regions`` that exist, each region has to be one of them.

    Raises:
        PricesInvalid: with everything that is wrong, each with file and line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        next_step = "Write the prices as comma-separated values: docs/explanation/cost.md."
        raise PricesInvalid(f"{path} is not UTF-8 text.", details=(), next_step=next_step) from None
    return Prices(own=_read(text, path, regions))


def _read(text: str, path: str, regions: Collection[str]) -> Mapping[_Key, Price]:
    lines = csv.reader(text.splitlines())
    try:
        rows = [(lines.line_num, [cell.strip() for cell in cells]) for cells in lines]
    except csv.Error as error:
        raise PricesInvalid(f"{path}:{lines.line_num}: {error}.", details=()) from None
    header = rows[0][1] if rows else []
    wrong = [f"{path}:1: {problem}" for problem in _header_problems(header)]
    found: dict[_Key, Price] = {}
    for number, cells in rows[1:] if not wrong else ():
        if not any(cells):
            continue
        problems: list[str] = []
        key, price = _row(header, cells, regions, problems)
        if key in found and not problems:
            problems.append("the same price is given twice")
        wrong += [f"{path}:{number}: {problem}" for problem in problems]
        found[key] = price
    if wrong:
        raise PricesInvalid(
            f"{path} has {len(wrong)} {'error' if len(wrong) == 1 else 'errors'}, so nothing was done.",
            details=tuple(wrong),
            next_step=f"Fix the errors above. The columns are {', '.join(COLUMNS)}: docs/explanation/cost.md.",
        )
    return found


def _header_problems(names: Sequence[str]) -> Iterator[str]:
    if unknown := [name for name in names if name not in COLUMNS]:
        yield f"unknown {'column' if len(unknown) == 1 else 'columns'} {', '.join(map(repr, unknown))}"
    if missing := [name for name in _NEEDED if name not in names]:
        yield f"missing {'column' if len(missing) == 1 else 'columns'} {', '.join(missing)}"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"{', '.join(twice)} is given twice"


def _row(
    header: Sequence[str], cells: Sequence[str], regions: Collection[str], problems: list[str]
) -> tuple[_Key, Price]:
    """Return one row; what is wrong with it is added to ``problems``."""
    if len(cells) > len(header):
        problems.append(f"{len(cells)} cells for {len(header)} columns")
    said = dict.fromkeys(COLUMNS, "") | dict(zip(header, cells, strict=False))
    charge = Charge.TRANSFER
    if said["price"] in {*Charge}:
        charge = Charge(said["price"])
        problems += _cell_problems(charge, said)
    else:
        problems.append(f"price is {said['price']!r}; use one of {', '.join(Charge)}")
    for column in ("region", "to"):
        if said[column] and regions and said[column] not in regions:
            problems.append(f"{column}: unknown region {said[column]!r}")
    if said["date"] and not _is_date(said["date"]):
        problems.append(f"date is {said['date']!r}; write 2026-11-30, 2026-11 or 2026")
    minutes = 0
    if said["within"] and charge is Charge.TIME_BASED:
        try:
            minutes = int(completion_from(said["within"]).total_seconds() // 60)
        except ValueError as error:
            problems.append(f"within: {error}")
    return (charge, said["region"], said["to"], minutes), Price(_usd(said["usd"], problems), said["date"])


def _cell_problems(charge: Charge, said: Mapping[str, str]) -> Iterator[str]:
    if not said["region"] and charge not in _EVERYWHERE:
        yield f"region is empty; a {charge} price is that of a region"
    if said["to"] and charge is not Charge.TRANSFER:
        yield f"to can only be used with {Charge.TRANSFER}"
    if said["to"] and said["to"] == said["region"]:
        yield f"to is {said['to']} as well; within a region nothing is transferred"
    if said["within"] and charge is not Charge.TIME_BASED:
        yield f"within can only be used with {Charge.TIME_BASED}"
    if not said["within"] and charge is Charge.TIME_BASED:
        yield "within is empty; write how long such a copy may take, for example 45m"


def _is_date(text: str) -> bool:
    """Return whether this is a day, a month or a year, as ISO 8601 writes it."""
    if not re.fullmatch(r"[0-9]{4}(?:-[0-9]{2}){0,2}", text):
        return False
    try:
        date.fromisoformat(text + "-01-01"[len(text) - 4 :])
    except ValueError:
        return False
    return True


def _usd(text: str, problems: list[str]) -> Decimal:
    try:
        usd = Decimal(text if text.isascii() and "_" not in text else "NaN")
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite():
        problems.append(f"usd is {text!r}, which is not a number")
    elif usd < 0:
        problems.append(f"usd is {text}; a price cannot be negative")
    elif usd > _LARGEST:
        problems.append(f"usd is {text}; that is more than {_LARGEST} USD per GB")
    elif usd and (usd < _SMALLEST or len(text) > _LONGEST):
        problems.append(f"usd is {text[:_LONGEST]}; use at most nine decimals")
    else:
        return usd
    return Decimal(0)
