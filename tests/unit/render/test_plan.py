"""A plan as lines: one for each copy, unless there are more than anybody reads."""

from amicopy.core.errors import NotCopyable
from amicopy.core.models import Image
from amicopy.plan.plan import Action, Plan
from amicopy.render.plan import plan_lines
from tests.support.reports import a_row, an_image, kept


def many(action: Action) -> Plan:
    """Return a plan of 60 sources and two regions."""
    sources = [an_image(f"ami-0{number:03}") for number in range(60)]
    return Plan(
        rows=tuple(a_row(region, source, action) for source in sources for region in ("us-west-2", "eu-west-1"))
    )


def rows_of(plan: Plan, *, in_brief: bool = False) -> list[str]:
    """Return the lines of a plan without its notes."""
    return [line for line in plan_lines(plan, in_brief=in_brief) if not line.startswith("note: ")]


def test_a_plan_of_very_many_copies_has_a_line_for_each_region() -> None:
    assert rows_of(many(Action.COPY), in_brief=True) == [
        "copy  us-west-2  60 copies",
        "copy  eu-west-1  60 copies",
    ]


def test_what_is_shown_as_a_result_has_every_copy() -> None:
    assert len(rows_of(many(Action.COPY))) == 120


def test_a_short_plan_has_every_copy_and_its_reason() -> None:
    plan = Plan(rows=(a_row("us-west-2"), kept("eu-west-1", "ami-0b")))
    assert [line.split()[:2] for line in rows_of(plan, in_brief=True)] == [
        ["copy", "us-west-2"],
        ["unchanged", "eu-west-1"],
    ]


def test_nothing_to_do_is_one_sentence_however_many_there_are() -> None:
    sources = [an_image(f"ami-0{number:03}") for number in range(120)]
    rows = tuple(
        a_row("us-west-2", source, Action.UNCHANGED, copy=Image(image_id="ami-0b", region="us-west-2"))
        for source in sources
    )
    assert list(plan_lines(Plan(rows=rows), in_brief=True)) == ["nothing to do: 120 copies are up to date"]


def test_refused_copies_that_are_best_effort_are_counted_apart() -> None:
    problem = NotCopyable("It cannot be copied.")
    rows = (a_row("us-west-2").refused(problem), a_row("eu-west-1", best_effort=True).refused(problem))
    what = Plan(rows=rows).refusal().what
    assert what == "1 of 2 copies is refused (1 more as best effort), so nothing was started."
