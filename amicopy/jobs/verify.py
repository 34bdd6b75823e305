"""Comparing every copy with its source; with repair, writing what is missing and comparing again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.core.content import ContentLevel
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.events import Event
from amicopy.core.parallel import all_at_once
from amicopy.core.request import CopyRequest
from amicopy.execute.repair import prune, repair
from amicopy.jobs.content import Approve, ContentJob, approve_any
from amicopy.jobs.context import Context
from amicopy.jobs.existing_copies import ExistingCopies, unread_code
from amicopy.plan.attributes.base import Extra
from amicopy.plan.checked import not_checked
from amicopy.plan.copy_status import CopyStatus
from amicopy.plan.findings import Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What a comparison has found, and what a repair before it could not write."""

    copies: tuple[CopyStatus, ...]
    survey: Survey
    without_copy: tuple[Destination, ...] = ()
    not_repaired: tuple[AmicopyError, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process: DRIFT if a copy is missing or differs from its source.

        PARTIAL if none is known to, but a region or the permissions or the content of a copy could not be read. If no
        content at all could be, the code of the first error.
        """
        code = unread_code(self.survey)
        if code is ExitCode.OK and (self.without_copy or self._differing()):
            return ExitCode.DRIFT
        if code is ExitCode.OK:
            contents = [one.content for one in self.copies if one.content]
            errors = [content.error for content in contents if content.error]
            if errors and not any(content.volumes for content in contents):
                return errors[0].exit_code
            if errors or any(one.unreadable for one in self.copies):
                return ExitCode.PARTIAL
        return code

    def _differing(self) -> bool:
        """Return whether one of our copies differs, or a destination has only differing copies of others."""
        good = {(one.source.reference, one.destination) for one in self.copies if one.is_faithful}
        return any(
            one.is_ours or (one.source.reference, one.destination) not in good
            for one in self.copies
            if not one.is_faithful
        )

    @property
    def prunable(self) -> tuple[tuple[CopyStatus, Extra], ...]:
        """What ``--prune`` would remove, by copy."""
        return tuple((one, extra) for one in self.copies for extra in one.prunable)


class VerifyJob:
    """Compares the copies of ``request.image_ids`` in the given regions with what the request asks for."""

    def __init__(self, context: Context, request: CopyRequest, regions: Sequence[str] = ("all",)) -> None:
        self._context = context
        self.existing = ExistingCopies(context, request, regions)

    def verdict(self, not_repaired: Sequence[AmicopyError] = ()) -> VerifyResult:
        """Return how every copy compares; reads only."""
        survey, found = self.existing.found()
        bare = self.existing.without_copy(survey, {one.destination for one in found})
        return VerifyResult(copies=found, survey=survey, without_copy=bare, not_repaired=tuple(not_repaired))

    def with_content(
        self, verdict: VerifyResult, level: ContentLevel, *, seed: int | None = None, approve: Approve = approve_any
    ) -> VerifyResult | None:
        """Return the verdict with the data of the copies compared; None if ``approve`` says no to what that costs."""
        copies = ContentJob(self._context, level, seed=seed).compared(verdict.copies, approve)
        return None if copies is None else replace(verdict, copies=copies)

    def repaired(
        self, before: VerifyResult, *, prunes: bool, told: Callable[[Event], None], pruned: Callable[[str], None]
    ) -> VerifyResult:
        """Write what our copies lack and, if ``prunes``, remove their extras; return the verdict afterwards.

        Copies that amicopy did not make are left alone unless the request adopts them, and so are the copies of a
        source that no longer exists or is disabled. A copy that has not passed its check is not shared. ``told`` is
        called with each event, ``pruned`` with each removal in words.
        """
        if not any(one.can_be_repaired or one.prunable for one in before.copies):
            return replace(before, not_repaired=tuple(_not_checked(before.copies)))

        def repair_in(destination: Destination, found: Sequence[CopyStatus]) -> list[AmicopyError]:
            clock, stop, errors = self._context.clock, self._context.stop, []
            with self._context.clients.borrowed(destination) as ec2:
                for one in found:
                    if one.can_be_repaired:
                        errors.append(repair(one, ec2, clock, stop, told))
                    if prunes and one.prunable:
                        errors.append(prune(one, ec2, clock, stop, pruned))
            return [error for error in errors if error]

        found: dict[Destination, list[CopyStatus]] = {}
        for one in before.copies:
            if one.desired is not None:
                found.setdefault(one.destination, []).append(one)
        tasks = {where: partial(repair_in, where, some) for where, some in found.items()}
        errors = [error for errors in all_at_once(tasks, self._context.stop).values() for error in errors]
        return self.verdict([*errors, *_not_checked(before.copies)])


def _not_checked(found: Iterable[CopyStatus]) -> Iterator[AmicopyError]:
    """Yield an error for each copy that a repair does not share, because it has not passed its check."""
    for one in found:
        if one.may_be_written and (awaited := one.awaited_check):
            yield not_checked(one.copy, awaited, one.destination)
