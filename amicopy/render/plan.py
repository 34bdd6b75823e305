"""The plan as lines for people: what will be done where, and why.

Refuses to colour and to print.
"""

from collections.abc import Iterator

from amicopy.plan import Action, Plan
from amicopy.render.words import columns, counted, safe


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield one line per row and the notes below; nothing to do is one sentence."""
    if plan.rows and all(row.action is Action.KEEP for row in plan.rows):
        yield f"nothing to do: {counted(len(plan.rows), 'copy is', 'copies are')} as asked"
    else:
        several = len({row.source.reference for row in plan.rows}) > 1
        yield from columns(
            [
                [
                    str(row.action),
                    row.region,
                    *([row.source.image_id] if several else []),
                    safe(row.reason) if row.action is not Action.REFUSE else "refused, see below",
                ]
                for row in plan.rows
            ]
        )
    for note in dict.fromkeys((*plan.notes, *(note for row in plan.rows for note in row.notes))):
        yield f"note: {safe(note)}"
