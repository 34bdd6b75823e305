"""A verdict on every copy: read and compare; with repair write, then read again.

Refuses to judge: the comparison does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.events import Event
from amicopy.core.parallel import all_at_once
from amicopy.core.request import CopyRequest
from amicopy.execute.repair import prune, repair
from amicopy.jobs.context import Means
from amicopy.jobs.existing_copies import Looking, unread_code
from amicopy.plan.copy_status import Standing
from amicopy.plan.findings import Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a comparison has found, and what a repair before it could not write."""

    copies: tuple[Standing, ...]
    survey: Survey
    without_copy: tuple[str, ...] = ()
    not_repaired: tuple[AmicopyError, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """What the process is to tell the shell: DRIFT where a copy is missing or not as its source."""
        code = unread_code(self.survey)
        if code is ExitCode.OK and (self.without_copy or not all(one.is_faithful for one in self.copies)):
            return ExitCode.DRIFT
        return code


class VerifyJob:
    """Compares the copies of ``wish.image_ids`` in the regions named by ``where`` with what ``wish`` asks for."""

    def __init__(self, means: Means, wish: CopyRequest, where: Sequence[str] = ("all",)) -> None:
        self._means = means
        self.looking = Looking(means, wish, where)

    def verdict(self, not_repaired: Sequence[AmicopyError] = ()) -> Verdict:
        """Return how every copy compares; reads only."""
        survey, found = self.looking.found()
        bare = self.looking.without_copy(one.copy.region for one in found)
        return Verdict(copies=found, survey=survey, without_copy=bare, not_repaired=tuple(not_repaired))

    def repaired(
        self, before: Verdict, *, prunes: bool, told: Callable[[Event], None], pruned: Callable[[str], None]
    ) -> Verdict:
        """Write what the copies lack and, if asked, take away what they have beyond; return the verdict after it.

        ``told`` hears each thing that was written, ``pruned`` in words each that was removed.
        """
        if not any(one.can_be_repaired or one.beyond for one in before.copies):
            return before

        def mend(region: str, found: Sequence[Standing]) -> list[AmicopyError]:
            gateway, clock, stop = self._means.gateways[region], self._means.clock, self._means.stop
            errors = []
            for one in found:
                if one.can_be_repaired:
                    errors.append(repair(one, gateway, clock, stop, told))
                if prunes and one.beyond:
                    errors.append(prune(one, gateway, clock, stop, pruned))
            return [error for error in errors if error]

        by_region: dict[str, list[Standing]] = {}
        for one in before.copies:
            if one.wanted is not None:
                by_region.setdefault(one.copy.region, []).append(one)
        tasks = {region: partial(mend, region, some) for region, some in by_region.items()}
        return self.verdict([error for errors in all_at_once(tasks, self._means.stop).values() for error in errors])
