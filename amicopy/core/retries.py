"""What is worth retrying, and for how long: tenacity's policies, for work that yields its sleeps.

Transport errors and short throttling are retried by botocore first (see `session`).
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from tenacity import (
    DoAttempt,
    DoSleep,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    wait_random_exponential,
)

from amicopy.core.clock import Clock
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    ImageNotFound,
    ImageUnavailable,
    NoRoom,
    NotOwner,
    SnapshotNotFound,
    StorageNotShared,
    Throttled,
    Unreachable,
)
from amicopy.core.events import Event
from amicopy.core.parallel import Stop
from amicopy.core.steps import Sleep, Work

# EC2's own advice for eventual consistency is up to five minutes (EC2 developer guide, "Eventual consistency").
VISIBLE_WITHIN = timedelta(minutes=5)
# An AMI that was there and is absent from every answer for so long has been deregistered; describes can flap.
GONE_AFTER = timedelta(minutes=1)
# The state flaps after `available` for a minute or two (hashicorp/packer#2659).
STABLE_WITHIN = timedelta(minutes=5)
READ_BACK_WITHIN = timedelta(minutes=2)
# EC2 Fast Launch: removing five snapshots and ending the instances that make more of them; not documented.
REMOVED_WITHIN = timedelta(minutes=10)
UNREACHABLE_FOR = timedelta(minutes=3)
SURVEYED_WITHIN = timedelta(minutes=5)
GLITCHES_FOR = timedelta(seconds=15)

_Result = TypeVar("_Result")


class Retry(Protocol):
    """Calls a read until it succeeds or another attempt would be pointless."""

    def __call__(self, read: Callable[[], _Result], /) -> _Result:
        """Return what the read returns; raise its last error."""


def once(read: Callable[[], _Result], /) -> _Result:
    """Call the read once: a `Retry` that does not."""
    return read()


def no_room(clock: Clock, lasting: timedelta | None) -> Retrying:
    """Repeat while EC2 has no room or throttles; ``lasting`` None: until the work is stopped."""
    return _policy(clock, retry_if_exception_type((NoRoom, Throttled)), wait_random_exponential(2, 60), lasting)


def throttled(clock: Clock) -> Retrying:
    """Repeat a read of the survey while EC2 throttles: others use the account's rate, and will use less again."""
    return _policy(clock, retry_if_exception_type(Throttled), wait_random_exponential(1, 20), SURVEYED_WITHIN)


def garbled(clock: Clock) -> Retrying:
    """Repeat a read of the survey that was answered badly and at once; a region that is silent is not asked again."""
    return _policy(clock, retry_if_exception_type(Unreachable), wait_random_exponential(0.5, 4), GLITCHES_FOR)


def with_read_retries(clock: Clock, stop: Stop, read: Callable[[], _Result]) -> _Result:
    """Return what a read of the survey brings, repeated while EC2 throttles or a proxy garbles."""
    return in_place(clock, stop, throttled(clock), lambda: in_place(clock, stop, garbled(clock), read))


def until_shown(clock: Clock, stop: Stop, look: Callable[[], _Result | None]) -> _Result | None:
    """Return what a read brings of an image that CopyImage has named; None if EC2 does not show it for a minute."""
    return in_place(clock, stop, not_shown_yet(clock), lambda: with_read_retries(clock, stop, look))


def not_answered(clock: Clock) -> Retrying:
    """Repeat a call that got no proper answer, or whose source is not quite ready."""
    return _policy(
        clock,
        retry_if_exception_type((Unreachable, ImageUnavailable)),
        wait_random_exponential(1, 20),
        UNREACHABLE_FOR,
    )


def not_shared_yet(clock: Clock) -> Retrying:
    """Ask for a copy again while EC2 does not see what was shared a moment ago, or a parallel run took it away."""
    errors = retry_if_exception_type((StorageNotShared, ImageNotFound, NotOwner))
    return _policy(clock, errors, wait_random_exponential(1, 15), READ_BACK_WITHIN)


def not_granted_yet(clock: Clock) -> Retrying:
    """Look at a key again while a grant on it is not seen: up to five minutes (KMS, "Eventual consistency")."""
    errors = retry_if_exception_type((AccessDenied, Throttled, Unreachable))
    return _policy(clock, errors, wait_random_exponential(1, 15), VISIBLE_WITHIN)


def overloaded(clock: Clock) -> Retrying:
    """Repeat a write that needs nothing but EC2's attention: throttled, or without a proper answer."""
    errors = (Throttled, Unreachable)
    return _policy(clock, retry_if_exception_type(errors), wait_random_exponential(1, 15), UNREACHABLE_FOR)


def flapping(clock: Clock) -> Retrying:
    """Repeat a write while EC2 does not yet know, or not yet again, what it is for."""
    errors = (ImageUnavailable, ImageNotFound, SnapshotNotFound, Throttled, Unreachable)
    return _policy(clock, retry_if_exception_type(errors), wait_random_exponential(1, 15), STABLE_WITHIN)


def not_shown_yet(clock: Clock) -> Retrying:
    """Look again for an image that CopyImage has named and EC2 does not show; ends with None."""
    return _policy(clock, retry_if_result(lambda image: image is None), wait_random_exponential(1, 10), GONE_AFTER)


def not_read_back_yet(clock: Clock) -> Retrying:
    """Read again while what was written is not all there; ends with what is still lacking."""
    errors = retry_if_exception_type((Throttled, Unreachable))
    return _policy(clock, retry_if_result(bool) | errors, wait_random_exponential(1, 10), READ_BACK_WITHIN)


def removed_late(clock: Clock) -> Retrying:
    """Look again while EC2 is removing something by itself; ends with True if it still is."""
    errors = retry_if_exception_type((Throttled, Unreachable))
    return _policy(clock, retry_if_result(bool) | errors, wait_random_exponential(2, 30), REMOVED_WITHIN)


def persist(policy: Retrying, call: Callable[[], _Result]) -> Work[_Result]:
    """Call as often as ``policy`` says, yielding the sleeps in between; return the result or raise the last error."""

    def attempt() -> Work[_Result]:
        yield from ()
        return call()

    return (yield from persist_work(policy, attempt))


def persist_work(policy: Retrying, attempt: Callable[[], Work[_Result]]) -> Work[_Result]:
    """Do the same with an attempt that yields steps itself.

    tenacity keeps the rules; only the loop is ours, since the driver of the work sleeps (docs/adr/0005).
    """
    policy.begin()
    state = RetryCallState(policy, fn=None, args=(), kwargs={})
    while True:
        todo = policy.iter(retry_state=state)
        if isinstance(todo, DoAttempt):
            try:
                result = yield from attempt()
            except AmicopyError:
                state.set_exception(sys.exc_info())  # type: ignore[arg-type]
            else:
                state.set_result(result)
        elif isinstance(todo, DoSleep):
            state.prepare_for_next_attempt()
            if todo > 0:
                yield Sleep(float(todo))
        else:
            done: _Result = todo
            return done


def in_place(clock: Clock, stop: Stop, policy: Retrying, call: Callable[[], _Result]) -> _Result:
    """Call as often as ``policy`` says, sleeping in this thread: for calls outside of any lane.

    Raises Interrupted as soon as ``stop`` is set.
    """
    return driven(clock, stop, persist(policy, call))


def driven(
    clock: Clock,
    stop: Stop,
    work: Work[_Result],
    *,
    tell: Callable[[Event], None] | None = None,
    to_the_end: bool = False,
) -> _Result:
    """Do the work in this thread, sleeping when it asks for it; ``tell`` is called with its events.

    Raises Interrupted as soon as ``stop`` is set. Work that is to go ``to_the_end`` is not interrupted, but its sleeps
    end at once.
    """
    while True:
        try:
            step = next(work)
        except StopIteration as ended:
            result: _Result = ended.value
            return result
        if isinstance(step, Sleep):
            clock.sleep(step.seconds, until=stop)
        elif tell is not None and isinstance(step, Event):
            tell(step)
        if not to_the_end:
            stop.check()


def _policy(clock: Clock, retry: Any, wait: Any, lasting: timedelta | None) -> Retrying:
    # tenacity's stop_after_delay reads the machine's clock, so giving up goes by ours.
    deadline = clock.now() + lasting if lasting is not None else None

    def begin(state: RetryCallState) -> None:
        state.kwargs["begun"] = clock.now()

    def is_over(state: RetryCallState) -> bool:
        # An attempt that began in time does not count as the last: the machine may have slept since.
        return deadline is not None and state.kwargs["begun"] >= deadline

    return Retrying(retry=retry, wait=wait, stop=is_over, before=begin, retry_error_callback=_last_outcome)


def _last_outcome(state: RetryCallState) -> Any:
    assert state.outcome is not None  # tenacity calls this after an attempt
    return state.outcome.result()  # raises the last attempt's error
