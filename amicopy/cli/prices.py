"""``--prices``: a user's own prices, read before AWS is called."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from amicopy.core.errors import UsageError
from amicopy.core.files import read_bounded
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

    try:
        content = read_bounded(Path(path))
    except OSError as error:
        raise UsageError(f"--prices: {path} cannot be read.", why=f"{error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"--prices: {path} cannot be read: {error}.", next_step="Check its path.") from error
    return replace(options, prices=prices_from(content, path, regions))
