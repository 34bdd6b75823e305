"""Sharing a release everywhere or nowhere, for ``--share-when all``: first all copies, then all permissions."""

from dataclasses import replace

from amicopy.execute.report import Report, State
from amicopy.plan.plan import Action, Plan, Row


def without_sharing(plan: Plan) -> Plan:
    """Return the plan with everything done but the sharing; a row that was to share ends as held."""
    return replace(plan, rows=tuple(_row_without_sharing(row) for row in plan.rows))


def _row_without_sharing(row: Row) -> Row:
    if not row.writes or not row.desired.is_shared:
        return row
    if row.action is Action.UPDATE and not any(one.is_sharing for one in row.differences):
        return row  # it is shared already, and lacks something else
    left = tuple(one for one in row.differences if not one.is_sharing)
    return replace(row, desired=row.desired.private, differences=left, is_held=True)


def may_be_shared(report: Report) -> bool:
    """Return whether every destination that counts has its copy, so that all can be shared now."""
    return all(
        outcome.is_well or outcome.state is State.SHARING_DEFERRED
        for outcome in report.outcomes
        if not outcome.row.best_effort
    )
