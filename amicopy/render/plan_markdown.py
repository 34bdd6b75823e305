"""A plan as Markdown, for a comment on a pull request: what would be done, why, and what is refused."""

from collections import Counter
from collections.abc import Iterator, Sequence

from amicopy.plan.plan import Action, Plan
from amicopy.render.exports import code, marked
from amicopy.render.plan import note_lines
from amicopy.render.text import counted

# GitHub takes comments of 65,536 characters.
_MOST_CELLS = 200
_MOST_PROBLEMS = 20


def markdown(plan: Plan, cells: Sequence[Sequence[str]], command: str) -> str:
    """Return the plan; ``cells`` are the action or sign, the region, what the row is about, and why."""
    return "\n".join(_lines(plan, cells, command)) + "\n"


def _lines(plan: Plan, cells: Sequence[Sequence[str]], command: str) -> Iterator[str]:
    yield f"### amicopy: {marked(_title(plan))}"
    yield ""
    yield "| | region | what | why |"
    yield "| --- | --- | --- | --- |"
    for sign, region, what, why in cells[:_MOST_CELLS]:
        yield f"| {marked(sign)} | {marked(region)} | {code(what)} | {marked(why)} |"
    if len(cells) > _MOST_CELLS:
        yield f"\n{len(cells) - _MOST_CELLS} more rows are not shown."
    problems = list(dict.fromkeys((row.region, problem) for row in plan.rows for problem in row.problems))
    if problems:
        yield ""
    for region, problem in problems[:_MOST_PROBLEMS]:
        parts = (problem.what, *problem.details, problem.why, problem.next_step)
        yield f"- **{marked(region)}** refused: {' '.join(marked(part) for part in parts if part)}"
    if len(problems) > _MOST_PROBLEMS:
        yield f"- {len(problems) - _MOST_PROBLEMS} more are refused."
    if notes := [*note_lines(plan)][:_MOST_PROBLEMS]:
        yield ""
        yield from (f"- {marked(note)}" for note in notes)
    yield ""
    yield f"From: {marked(command)}"


def _title(plan: Plan) -> str:
    if plan.refused:
        return f"refused, {counted(len(plan.refused), 'copy', 'copies')} of {len(plan.rows)}"
    counts = Counter(row.action for row in plan.rows)
    words = {
        Action.COPY: "to copy",
        Action.REPLACE: "to replace",
        Action.JOIN: "to wait for",
        Action.UPDATE: "to complete",
        Action.REFUSE: "refused",
        Action.UNCHANGED: "up to date",
    }
    return ", ".join(f"{counts[action]} {name}" for action, name in words.items() if counts[action])
