"""Reads in many regions at once, without those that a service control policy closes.

Control Tower's Region deny control is such a policy. EC2 lists the regions as enabled, so that a pattern matches them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from amicopy.core.destination import Destination
from amicopy.core.errors import AccessDenied, AmicopyError
from amicopy.core.parallel import Stop, all_at_once
from amicopy.plan.findings import Survey

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Looked(Generic[_Found]):
    """What was found in each place, and why others could not be read."""

    found: Mapping[Destination, _Found]
    unread: tuple[AmicopyError, ...]
    notes: tuple[str, ...]  # about the closed regions, which are left out of both


def look_everywhere(
    looks: Iterable[tuple[Destination, Callable[[], _Found]]], stop: Stop, named: Collection[str]
) -> Looked[_Found]:
    """Return what every look brings. The regions in ``named`` count as unread if they are closed.

    If nothing could be read, so do all others. Raises Interrupted as soon as ``stop`` is set.
    """
    answers = all_at_once(((where, partial(_answer, look)) for where, look in looks), stop)
    found = {where: one for where, one in answers.items() if not isinstance(one, AmicopyError)}
    unread = {where: one for where, one in answers.items() if isinstance(one, AmicopyError)}
    closed = {where for where, error in unread.items() if found and _is_closed(where.region, error, named)}
    regions = dict.fromkeys(where.region for where in unread if where in closed)
    return Looked(
        found,
        tuple(error for where, error in unread.items() if where not in closed),
        (_note(regions),) if regions else (),
    )


def without_closed_regions(survey: Survey, named: Collection[str]) -> Survey:
    """Return the survey without closed regions, and with a note about them.

    Those in ``named`` stay, and so does everything if nothing would be left.
    """
    findings = survey.destinations.values()
    closed = dict.fromkeys(one.region for one in findings if _is_closed(one.region, one.problem, named))
    left = {where: found for where, found in survey.destinations.items() if where.region not in closed}
    if not closed or not left:
        return survey
    return replace(survey, destinations=left, notes=(*survey.notes, _note(closed)))


def _answer(look: Callable[[], _Found]) -> _Found | AmicopyError:
    try:
        return look()
    except AmicopyError as error:
        return error


def _is_closed(region: str, problem: AmicopyError | None, named: Collection[str]) -> bool:
    return region not in named and isinstance(problem, AccessDenied) and problem.by_organization


def _note(regions: Iterable[str]) -> str:
    return f"left out, because a service control policy closes them: {', '.join(regions)}"
