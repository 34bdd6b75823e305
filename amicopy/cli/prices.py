"""``--prices``: a user's own prices, read before AWS is called."""

from collections.abc import Collection
from dataclasses import replace

from amicopy.cli.named_files import named_file
from amicopy.core.run_options import RunOptions


def with_prices(options: RunOptions, path: str, regions: Collection[str]) -> RunOptions:
    """Return the options of a run with the prices of a file, if one is named; ``regions`` are those that exist.

    Raises:
        UsageError: the file cannot be read.
        PricesInvalid: with everything that is wrong in it.
    """
    if not path:
        return options
    from amicopy.core.prices import prices_from

    return replace(options, prices=prices_from(named_file(f"--prices: {path}", path), path, regions))
