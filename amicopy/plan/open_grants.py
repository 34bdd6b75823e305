"""Temporary permissions that earlier runs have recorded: which are still needed, and which are to be taken away."""

from collections.abc import Iterator
from dataclasses import replace

from amicopy.core.grants import OpenGrant, open_grants
from amicopy.core.lineage import NO_COPIES, copies_by_source
from amicopy.core.models import Image
from amicopy.core.request import CopyRequest
from amicopy.plan.findings import Survey
from amicopy.plan.plan import Action, Plan, Row

_MAY_NEED = {Action.COPY, Action.JOIN, Action.REPLACE, Action.REFUSE}


def with_open_grants(request: CopyRequest, plan: Plan, survey: Survey) -> Plan:
    """Return the plan with what becomes of the permissions that are recorded on the sources and on their copies.

    A run that did not ask about an account cannot know whether another one is copying into it: such a permission
    stays until it is too old for that.
    """
    found = list(recorded_grants(survey))
    if not found:
        return plan
    asked = {target.account for target in request.accounts}
    rows = tuple(
        replace(row, grants=tuple(grant for source, grant in found if _may_need(row, source, grant)))
        for row in plan.rows
    )
    free = [grant for source, grant in found if not any(_may_need(row, source, grant) for row in rows)]
    taken = tuple(grant for grant in free if grant.account in asked or grant.is_stale(survey.at))
    notes = (grant_note(grant) for grant in free if grant not in taken)
    return replace(plan, rows=rows, grants_to_take=taken, notes=(*plan.notes, *notes))


def recorded_grants(survey: Survey) -> Iterator[tuple[Image, OpenGrant]]:
    """Yield what is recorded on each source, and on its copies in the account of the credentials."""
    own = [found.copies for destination, found in survey.destinations.items() if not destination.account]
    by_source = [copies_by_source(copies) for copies in own]
    for source in survey.sources:
        copies = (copy for found in by_source for copy in found.get(source.reference, NO_COPIES).available)
        yield from ((source, grant) for image in (source, *copies) for grant in open_grants(image))


def _may_need(row: Row, source: Image, grant: OpenGrant) -> bool:
    """Return whether the row's copy is made, or may be being made, of what the permission is for."""
    if row.source.reference != source.reference or row.destination.account != grant.account:
        return False
    if row.action not in _MAY_NEED:
        return False
    if grant.image_id != source.image_id:
        return row.region == grant.region
    is_direct = row.copied_from is None and row.waits_for is None
    return is_direct or row.region == source.region or row.action is Action.JOIN


def grant_note(grant: OpenGrant) -> str:
    """Return what is said of a permission that is still open."""
    keys = f" and may use {', '.join(grant.key_ids)}" if grant.key_ids else ""
    return (
        f"account {grant.account} may copy {grant.image_id} in {grant.region}{keys}, {_since(grant)}; the copy command "
        "for that account removes this permission, and so does amicopy cancel with --account "
        f"{grant.account}, which also removes unfinished copies there"
    )


def kept_grant_note(grant: OpenGrant) -> str:
    """Return why `cancel` has not ended a permission: a copy may be in progress where it was not to look."""
    return (
        f"account {grant.account} may still copy {grant.image_id} in {grant.region}, {_since(grant)}: it may be "
        "copying now. To look there, and to remove unfinished copies and this permission: the same command with "
        f"--account {grant.account}"
    )


def _since(grant: OpenGrant) -> str:
    return f"since {grant.at:%Y-%m-%d %H:%M} UTC" if grant.at else "with a record that is not amicopy's"
