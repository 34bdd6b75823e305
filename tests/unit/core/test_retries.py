"""What is worth waiting for and how long, under a clock that the test moves."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenacity import Retrying

from amicopy.core.destination import Destination
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    ImageNotFound,
    ImageUnavailable,
    NoRoom,
    SnapshotNotFound,
    Throttled,
    Unreachable,
)
from amicopy.core.events import NoteAdded
from amicopy.core.models import Image, ImageState
from amicopy.core.retries import (
    READ_BACK_WITHIN,
    STABLE_WITHIN,
    UNREACHABLE_FOR,
    flapping,
    no_room,
    not_answered,
    not_read_back_yet,
    overloaded,
    persist,
    persist_work,
)
from amicopy.core.steps import Sleep, Step, Work
from tests.support.clock import START, FakeClock

IMAGE = Image(image_id="ami-2", region="us-west-2")
PENDING = Image(image_id="ami-2", region="us-west-2", state=ImageState.PENDING)


class Attempts:
    """Calls that end in these ways, one after another, and in the last one from then on."""

    def __init__(self, *ends: object) -> None:
        self._ends = ends
        self.made = 0

    def __call__(self) -> object:
        """End in the next way."""
        end = self._ends[min(self.made, len(self._ends) - 1)]
        self.made += 1
        if isinstance(end, Exception):
            raise end
        return end


def driven(work: Work[object], clock: FakeClock, takes: float = 0.0) -> object:
    """Return what the work comes to, its sleeps moving the clock; a look takes so long and sees nothing."""
    try:
        step = next(work)
        while True:
            clock.advance(step.seconds if isinstance(step, Sleep) else takes)
            step = work.send(None)
    except StopIteration as end:
        return end.value


def sleeps(work: Work[object], clock: FakeClock) -> Iterator[float]:
    """Yield every sleep that the work asks for, having slept it."""
    for step in work:
        assert isinstance(step, Sleep)
        yield step.seconds
        clock.advance(step.seconds)


POLICIES: dict[str, Callable[[FakeClock], Retrying]] = {
    "no_room": lambda clock: no_room(clock, timedelta(minutes=1)),
    "not_answered": not_answered,
    "overloaded": overloaded,
    "flapping": flapping,
    "not_read_back_yet": not_read_back_yet,
}


@pytest.mark.parametrize("name", POLICIES)
def test_what_succeeds_is_not_repeated(clock: FakeClock, name: str) -> None:
    attempts = Attempts(())
    assert driven(persist(POLICIES[name](clock), attempts), clock) == ()
    assert (attempts.made, clock.now()) == (1, START)


@pytest.mark.parametrize("name", POLICIES)
def test_an_error_that_waiting_does_not_mend_is_raised_at_once(clock: FakeClock, name: str) -> None:
    attempts = Attempts(AccessDenied("No.", action="ec2:CopyImage"))
    with pytest.raises(AccessDenied):
        driven(persist(POLICIES[name](clock), attempts), clock)
    assert (attempts.made, clock.now()) == (1, START)


WORTH_IT = [
    *(("no_room", error) for error in (NoRoom("Full."), Throttled("Slow."))),
    *(("not_answered", error) for error in (Unreachable("Silent."), ImageUnavailable("Not ready."))),
    *(
        ("flapping", error)
        for error in (
            ImageUnavailable("Flaps."),
            ImageNotFound("Not yet."),
            SnapshotNotFound("Not yet."),
            Throttled("Slow."),
            Unreachable("Silent."),
        )
    ),
    *(("overloaded", error) for error in (Throttled("Slow."), Unreachable("Silent."))),
    *(("not_read_back_yet", error) for error in (Throttled("Slow."), Unreachable("Silent."))),
]


@pytest.mark.parametrize(("name", "error"), WORTH_IT)
def test_an_error_that_may_pass_is_waited_out(clock: FakeClock, name: str, error: AmicopyError) -> None:
    attempts = Attempts(error, error, ())
    assert driven(persist(POLICIES[name](clock), attempts), clock) == ()
    assert attempts.made == 3
    assert clock.now() > START


LASTING = {
    "no_room": timedelta(minutes=1),
    "not_answered": UNREACHABLE_FOR,
    "overloaded": UNREACHABLE_FOR,
    "flapping": STABLE_WITHIN,
    "not_read_back_yet": READ_BACK_WITHIN,
}


@pytest.mark.parametrize(("name", "error"), WORTH_IT)
def test_giving_up_goes_by_our_clock_and_raises_the_last_error(
    clock: FakeClock, name: str, error: AmicopyError
) -> None:
    attempts = Attempts(Throttled("An earlier one.") if name == "flapping" else error, error)
    with pytest.raises(type(error)) as caught:
        driven(persist(POLICIES[name](clock), attempts), clock)
    assert caught.value is error
    assert LASTING[name] <= clock.now() - START <= LASTING[name] + timedelta(minutes=1)


def test_without_a_limit_room_is_waited_for_as_long_as_it_takes(clock: FakeClock) -> None:
    attempts = Attempts(*[NoRoom("Full.")] * 500, "ami-2")
    assert driven(persist(no_room(clock, None), attempts), clock) == "ami-2"
    assert clock.now() - START > timedelta(hours=1)


def test_waiting_for_room_gets_patient_but_never_more_than_a_minute(clock: FakeClock) -> None:
    asked = list(sleeps(persist(no_room(clock, None), Attempts(*[NoRoom("Full.")] * 200, "ami-2")), clock))
    assert max(asked) <= 60
    assert max(asked[:3]) <= 8
    assert sum(asked[100:]) > sum(asked[:5])


def test_reading_back_ends_with_what_is_still_lacking(clock: FakeClock) -> None:
    attempts = Attempts(["tags", "sharing"], ["sharing"])
    assert driven(persist(not_read_back_yet(clock), attempts), clock) == ["sharing"]
    assert READ_BACK_WITHIN <= clock.now() - START <= READ_BACK_WITHIN + timedelta(seconds=10)


def test_reading_back_goes_on_until_nothing_is_lacking(clock: FakeClock) -> None:
    attempts = Attempts(["tags"], Throttled("Slow."), [])
    assert driven(persist(not_read_back_yet(clock), attempts), clock) == []
    assert attempts.made == 3


def test_what_the_work_itself_yields_is_passed_on(clock: FakeClock) -> None:
    noted = NoteAdded(at=START, source="us-east-1/ami-1", destination=Destination("us-west-2"), text="a note")
    tries = iter([Throttled("Slow."), None])

    def work() -> Work[object]:
        yield noted
        if error := next(tries):
            raise error
        return "done"

    steps: list[Step] = list(persist_work(flapping(clock), work))
    assert steps[0] == steps[-1] == noted
    assert all(isinstance(step, Sleep) for step in steps[1:-1])


def test_a_bug_is_not_waited_out(clock: FakeClock) -> None:
    attempts = Attempts(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        driven(persist(flapping(clock), attempts), clock)
    assert attempts.made == 1


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
@settings(deadline=None)
def test_policies_that_take_turns_do_not_disturb_each_other(turns: list[int]) -> None:
    clock = FakeClock()
    tries = [Attempts(*[Throttled("Slow.")] * count, f"result {count}") for count in range(3)]
    works: list[Work[object]] = [persist(flapping(clock), one) for one in tries]
    results: dict[int, object] = {}

    def go_on(turns: Iterable[int]) -> None:
        for turn in turns:
            if turn not in results:
                try:
                    next(works[turn])
                except StopIteration as end:
                    results[turn] = end.value

    go_on(turns)
    go_on([0, 1, 2] * 3)
    assert results == {count: f"result {count}" for count in range(3)}
    assert [one.made for one in tries] == [1, 2, 3]
