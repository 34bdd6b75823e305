"""Several blocking things at once: their results in order, their first error, and a prompt end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from amicopy.cli.signals import stopping_on_signals
from amicopy.core import parallel
from amicopy.core.errors import Interrupted, Unreachable
from amicopy.core.parallel import THREAD, Merged, Once, Stop, all_at_once

PATIENCE = 5.0  # real seconds after which a test fails rather than hangs


def test_results_come_in_the_order_of_the_tasks_however_they_end() -> None:
    last_has_ended = threading.Event()

    def first() -> str:
        assert last_has_ended.wait(PATIENCE)
        return "first"

    def last() -> str:
        last_has_ended.set()
        return "last"

    assert list(all_at_once({"b": first, "a": last}, Stop()).items()) == [("b", "first"), ("a", "last")]


def test_a_result_of_none_is_a_result() -> None:
    assert all_at_once({"a": lambda: None}, Stop()) == {"a": None}


def test_tasks_run_side_by_side() -> None:
    everybody = threading.Barrier(5, timeout=PATIENCE)
    assert sorted(all_at_once(dict.fromkeys(range(5), everybody.wait), Stop()).values()) == [0, 1, 2, 3, 4]


def test_no_more_run_at_a_time_than_allowed_and_all_of_them_run() -> None:
    lock = threading.Lock()
    running = 0
    most_seen = 0

    def task() -> None:
        nonlocal running, most_seen
        with lock:
            running += 1
            most_seen = max(most_seen, running)
        time.sleep(0)  # let others in
        with lock:
            running -= 1

    assert len(all_at_once(dict.fromkeys(range(30), task), Stop(), most=3)) == 30
    assert most_seen <= 3


def failing(error: Exception) -> Callable[[], None]:
    """Return a task that fails."""

    def fail() -> None:
        raise error

    return fail


def test_the_first_error_is_raised_without_waiting_for_the_others() -> None:
    never = threading.Event()
    tasks: dict[str, Callable[[], object]] = {"hangs": never.wait, "fails": failing(ValueError("it"))}
    with pytest.raises(ValueError, match="it"):
        all_at_once(tasks, Stop())
    never.set()


def test_stop_ends_it_although_a_task_hangs() -> None:
    never, stop = threading.Event(), Stop()
    began = time.monotonic()
    tasks: dict[str, Callable[[], object]] = {"hangs": never.wait, "stops": stop.set}
    with pytest.raises(Interrupted):
        all_at_once(tasks, stop)
    assert time.monotonic() - began < PATIENCE
    never.set()


def test_a_stop_is_noticed_at_once_although_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a signal as well, whose handler runs while the wait goes on."""
    monkeypatch.setattr(parallel, "_GLANCE_SECONDS", 60.0)
    never, stop = threading.Event(), Stop()

    def signalled() -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return never.wait()

    began = time.monotonic()
    with stopping_on_signals(stop), pytest.raises(Interrupted):
        all_at_once({"hangs": signalled}, stop)
    assert time.monotonic() - began < PATIENCE
    never.set()


def test_a_stop_that_is_set_already_begins_nothing() -> None:
    stop, begun = Stop(), threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        all_at_once({"a": begun.set}, stop)
    assert not begun.is_set()


def test_a_handler_may_set_a_stop_whose_lock_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal can arrive at any line of the main thread: also where it holds the lock, and is about to wait."""
    stop, ended = Stop(), threading.Event()
    wait = threading.Condition.wait

    def interrupted(condition: threading.Condition, timeout: float | None = None) -> bool:
        if condition is not stop._condition:
            return wait(condition, timeout)
        stop.set()
        return True

    def run() -> None:
        stop.wait(3600)
        ended.set()

    monkeypatch.setattr(threading.Condition, "wait", interrupted)
    threading.Thread(target=run, daemon=True).start()
    assert ended.wait(PATIENCE)


def test_a_stop_that_is_set_just_before_the_wait_is_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_GLANCE_SECONDS", 0.01)
    stop = Stop()
    wait = threading.Condition.wait

    def late(condition: threading.Condition, timeout: float | None = None) -> bool:
        stop._is_set = True  # and nobody is notified
        return wait(condition, timeout)

    monkeypatch.setattr(threading.Condition, "wait", late)
    assert stop.wait(3600)


def test_a_stop_set_by_the_last_task_is_not_missed() -> None:
    stop = Stop()
    with pytest.raises(Interrupted):
        all_at_once({"a": stop.set}, stop)


def test_a_stop_says_so_only_once_it_is_set() -> None:
    stop = Stop()
    stop.check()
    stop.set()
    with pytest.raises(Interrupted):
        stop.check()


def test_what_one_thread_produces_comes_in_its_order() -> None:
    merged: Merged[tuple[str, int]] = Merged()

    def produce(name: str, put: Callable[[tuple[str, int]], None]) -> None:
        for number in range(50):
            put((name, number))

    for name in "ab":
        merged.start(partial(produce, name))
    found = []
    while merged.running:
        if (item := merged.next()) is not None:
            found.append(item)
    assert [number for name, number in found if name == "a"] == list(range(50))
    assert [number for name, number in found if name == "b"] == list(range(50))


def test_items_that_a_thread_produced_before_it_failed_are_not_lost() -> None:
    merged: Merged[int] = Merged()

    def produce(put: Callable[[int], None]) -> None:
        put(1)
        raise ValueError("it")

    merged.start(produce)
    assert merged.next() == 1
    assert merged.running
    with pytest.raises(ValueError, match="it"):
        merged.next()
    assert not merged.running


def test_a_task_begins_while_the_next_is_still_being_made() -> None:
    begun = threading.Event()

    def tasks() -> Iterator[tuple[str, Callable[[], object]]]:
        yield "first", begun.set
        assert begun.wait(PATIENCE), "the first waits for the second to be made"
        yield "second", lambda: None

    assert list(all_at_once(tasks(), Stop())) == ["first", "second"]


def test_of_tasks_that_cannot_all_be_made_the_error_is_raised_and_no_thread_waits_for_more() -> None:
    before = threading.active_count()

    def tasks() -> Iterator[tuple[int, Callable[[], object]]]:
        yield 1, lambda: None
        raise ValueError("no second one")

    with pytest.raises(ValueError, match="no second one"):
        all_at_once(tasks(), Stop())
    give_up = time.monotonic() + PATIENCE
    while threading.active_count() > before and time.monotonic() < give_up:
        time.sleep(0.001)
    assert threading.active_count() <= before


def test_after_an_error_those_under_way_end_before_it_is_raised_and_no_others_begin() -> None:
    under_way, failed = threading.Event(), threading.Event()
    happened: list[str] = []

    def slow() -> None:
        under_way.set()
        assert failed.wait(PATIENCE)
        time.sleep(0.05)  # whoever does not wait is gone by now
        happened.append("ended")

    def fails() -> None:
        assert under_way.wait(PATIENCE)
        failed.set()
        raise Interrupted("it")

    tasks: dict[str, Callable[[], object]] = {"slow": slow, "fails": fails}
    with pytest.raises(Interrupted):
        all_at_once(tasks | {f"later {n}": partial(happened.append, "began") for n in range(50)}, Stop(), most=2)
    assert happened[0] == "ended"
    assert happened.count("began") <= 1, "one may have begun before the failure was noticed"


def test_more_lazy_tasks_than_threads_are_all_done() -> None:
    assert all_at_once(((n, partial(str, n)) for n in range(100)), Stop(), most=3) == {n: str(n) for n in range(100)}


def test_when_the_tasks_cannot_all_be_made_those_that_have_not_begun_are_not_run() -> None:
    begun, may_end = threading.Event(), threading.Event()
    ran: list[str] = []

    def first() -> None:
        begun.set()
        may_end.wait(PATIENCE)

    def tasks() -> Iterator[tuple[str, Callable[[], None]]]:
        yield "first", first
        yield "second", lambda: ran.append("second")
        begun.wait(PATIENCE)
        raise Unreachable("The region is silent.")

    with pytest.raises(Unreachable):
        all_at_once(tasks(), Stop(), most=1)
    [worker] = [thread for thread in threading.enumerate() if thread.name == THREAD]
    may_end.set()
    worker.join(PATIENCE)
    assert ran == []


def test_a_read_is_made_once_whether_it_succeeds_or_fails() -> None:
    made = Once()
    asked: list[str] = []

    def read(outcome: str) -> str:
        asked.append(outcome)
        if outcome == "fails":
            raise Unreachable("The region is silent.")
        return outcome

    for _ in range(2):
        assert made("good", partial(read, "good")) == "good"
        with pytest.raises(Unreachable):
            made("bad", partial(read, "fails"))
    assert asked == ["good", "fails"]
