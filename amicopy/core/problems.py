"""Usage errors of one command, collected so that all of them are shown at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from amicopy.core.errors import UsageError


class Problems:
    """Collects what is wrong with a command before it calls AWS."""

    def __init__(self) -> None:
        self._found: list[UsageError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep a usage error that ends the block, so that what follows the block is checked, too."""
        try:
            yield
        except UsageError as error:
            self._found += error.parts or (error,)

    def check(self) -> None:
        """Raise what was noted as one error.

        Raises:
            UsageError: the only one, or one with a detail for each.
        """
        if self._found:
            raise _in_one(self._found)


def _in_one(errors: list[UsageError]) -> UsageError:
    if len(errors) == 1:
        return errors[0]
    lines: list[str] = []
    for error in errors:
        words = f"{error.what} {error.why} {error.next_step}"
        lines += error.details or (" ".join(words.split()),)
    more = UsageError(f"{len(lines)} problems were found, so nothing was started.", next_step="Fix all of them.")
    more.details, more.parts = tuple(lines), tuple(errors)
    return more
