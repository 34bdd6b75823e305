"""The plan as lines for people: what will be done where, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator

from amicopy.plan.plan import Action, Plan, Row
from amicopy.render.text import columns, counted, safe

# A longer plan is not read before the work begins.
_MOST_LINES = 100


def plan_lines(plan: Plan, *, in_brief: bool = False) -> Iterator[str]:
    """Yield one line per row and the notes below; nothing to do is one sentence.

    ``in_brief`` a plan of very many rows has one line per region and action.
    """
    if plan.rows and all(row.action is Action.UNCHANGED for row in plan.rows):
        yield f"nothing to do: {counted(len(plan.rows), 'copy is', 'copies are')} up to date"
    elif in_brief and len(plan.rows) > _MOST_LINES:
        groups = Counter((row.action, row.place) for row in plan.rows)
        yield from columns(
            [[str(action), region, counted(many, "copy", "copies")] for (action, region), many in groups.items()]
        )
    else:
        several = len({row.source.reference for row in plan.rows}) > 1
        routed = any(row.is_routed for row in plan.rows)
        yield from columns(
            [
                [
                    str(row.action),
                    row.place,
                    *([row.source.image_id] if several else []),
                    *([f"from {row.origin_region}" if row.action.starts_a_copy else "-"] if routed else []),
                    reason(row),
                ]
                for row in plan.rows
            ]
        )
    yield from note_lines(plan, in_brief=in_brief)


def plan_cells(plan: Plan) -> Iterator[list[str]]:
    """Yield the rows of the plan as cells: the action, the region, the source, and why."""
    for row in plan.rows:
        yield [str(row.action), row.region, row.source.image_id, reason(row)]


def note_lines(plan: Plan, more: Iterable[str] = (), *, in_brief: bool = False) -> Iterator[str]:
    """Yield the notes on the plan and its rows, each once, what it costs, and ``more``; ``in_brief`` only in total."""
    from amicopy.render.cost import cost_lines

    if any(row.check and row.check.is_built_in for row in plan.rows):
        from amicopy.render.boot_cost import check_cost_lines  # few plans have such checks

        more = (*check_cost_lines(plan), *more)
    notes = (
        *plan.notes,
        *(note for row in plan.rows for note in row.notes),
        *cost_lines(plan, only_total=in_brief),
        *more,
    )
    for note in dict.fromkeys(notes):
        yield f"note: {safe(note)}"


def reason(row: Row) -> str:
    """Return why the row's action is what it is; what has to be decided is told at length below the plan."""
    return "refused, see below" if row.action is Action.REFUSE and not row.is_unreachable else safe(row.reason)
