"""When pending copies are looked at next: by their forecasts, and never faster than EC2 is to be asked."""

from datetime import timedelta
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.ec2_rules import MOST_IN_PROGRESS
from amicopy.execute.polling import LONGEST, SHORTEST, TICK, Forecast, Ticks, next_tick
from tests.support.clock import START


def seconds(number: float) -> timedelta:
    """Return a length of time."""
    return timedelta(seconds=number)


def read(*readings: tuple[float, int]) -> Forecast:
    """Return what is foretold after readings: so many seconds after the beginning, so many percent."""
    forecast = Forecast()
    for elapsed, percent in readings:
        forecast.read(percent, seconds(elapsed), START + seconds(elapsed))
    return forecast


def tick(forecast: Forecast, elapsed: float) -> float:
    """Return how many seconds a copy is left alone, so long after its beginning."""
    return forecast.tick(START + seconds(elapsed)).total_seconds()


STEADY = ((60, 10), (120, 20))  # ends after 600 s


@pytest.mark.parametrize(
    ("elapsed", "expected"), [(120, 15), (540, 15), (560, 10), (580, 5), (588, 3), (596, 2), (600, 2)]
)
def test_a_steady_copy_is_looked_at_more_often_as_its_end_comes_near(elapsed: float, expected: float) -> None:
    assert tick(read(*STEADY), elapsed) == expected


@pytest.mark.parametrize(("elapsed", "expected"), [(604, 2), (612, 3), (620, 5), (700, 5), (9000, 5)])
def test_one_that_is_late_is_looked_at_as_any_other_again(elapsed: float, expected: float) -> None:
    assert tick(read(*STEADY), elapsed) == expected


@pytest.mark.parametrize(
    "readings",
    [
        (),
        ((60, 10),),  # one reading gives no pace
        ((60, 0), (120, 0), (180, 0)),
        ((60, 10), (120, 10)),  # it stands still
        ((60, 10), (120, 24)),  # it jumps
        ((60, 0), (120, 20)),
        ((2, 40), (12, 42)),  # too near to each other
        ((60, 10), (80, 13)),
    ],
)
def test_without_a_steady_pace_nothing_is_foretold(readings: tuple[tuple[float, int], ...]) -> None:
    assert tick(read(*readings), 200) == TICK.total_seconds()


def test_a_pace_that_is_lost_is_believed_no_more() -> None:
    assert tick(read(*STEADY, (180, 20)), 190) == TICK.total_seconds()


def test_a_pace_that_is_found_again_is_believed_again() -> None:
    assert tick(read((60, 10), (120, 60), (180, 90)), 196) == SHORTEST.total_seconds()


def test_readings_that_follow_each_other_closely_add_up_to_a_pace() -> None:
    assert tick(read(*((elapsed, elapsed // 10) for elapsed in range(10, 200, 5))), 200) == LONGEST.total_seconds()


def test_the_next_tick_is_for_the_copy_that_needs_it_soonest() -> None:
    far, near = read((60, 5), (120, 10)), read((60, 10), (120, 20), (480, 80))
    now = START + seconds(580)
    assert [next_tick(some, now).total_seconds() for some in ([far], [near], [far, near], [far, Forecast()], [])] == [
        15, 5, 5, 5, 5
    ]  # fmt: skip


@given(
    copies=st.integers(1, MOST_IN_PROGRESS),
    readings=st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 100)), max_size=5),
    elapsed=st.integers(0, 5000),
)
def test_a_region_is_asked_once_a_second_at_most_whatever_its_copies_say(
    copies: int, readings: list[tuple[int, int]], elapsed: int
) -> None:
    forecast = read(*sorted(readings))
    wait = next_tick([forecast] * copies, START + seconds(elapsed))
    calls = 2 * ceil(copies / 200)  # the images, and their snapshots where progress is shown
    assert calls <= wait.total_seconds() <= LONGEST.total_seconds()


def looks(forecast: Forecast, begins: float, lasts: float) -> list[float]:
    """Return when one lane looks at a copy: it knows nothing before ``begins``, and then what is foretold."""
    ticks, now, made = Ticks(START), 2.0, []
    while now < lasts:
        made.append(now)
        known = [forecast] if now >= begins else [Forecast()]
        now += ticks.next(known, START + seconds(now)).total_seconds()
    return made


@pytest.mark.parametrize("begins", [0, 120, 300, 560, 590])
def test_there_are_never_more_looks_than_one_each_five_seconds(begins: float) -> None:
    made = looks(read(*STEADY), begins, 650)
    assert all(number <= moment / 5 + 1 for number, moment in enumerate(made, 1))


def test_what_long_pauses_have_saved_is_spent_at_the_end() -> None:
    assert [late - early for early, late in pairwise(looks(read(*STEADY), 120, 600))][-3:] == [2, 2, 2]


def test_where_nothing_was_saved_the_end_is_not_looked_at_more_often() -> None:
    made = looks(read(*STEADY), 590, 650)
    assert {late - early for early, late in pairwise(made)} == {5}
