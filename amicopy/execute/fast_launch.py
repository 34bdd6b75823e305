"""Enabling and disabling EC2 Fast Launch for one copy, and waiting until EC2 shows it.

It is recorded on the copy before it is switched on, so that whoever removes the copy knows that it has to be off first.
"""

from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import NotFaithful, RequestRefused
from amicopy.core.fast_launch import DISABLING, FastLaunch, FastLaunchSettings
from amicopy.core.retries import not_read_back_yet, overloaded, persist, removed_late
from amicopy.core.steps import Work
from amicopy.core.write import Write, WriteOperation
from amicopy.execute.paced_write import paced_write


def switch_on(ec2: Ec2, clock: Clock, image_id: str, settings: FastLaunchSettings) -> Work[None]:
    """Switch it on with these settings where it is not on with them.

    Raises what `enable` and `confirm_on` raise.
    """
    now = yield from persist(overloaded(clock), partial(ec2.fast_launches.of, image_id))
    if now.problem or not (now.is_on and now.has(settings)):
        yield from enable(ec2, clock, image_id, settings, now)
        yield from confirm_on(ec2, clock, image_id, settings)


def enable(ec2: Ec2, clock: Clock, image_id: str, settings: FastLaunchSettings, now: FastLaunch) -> Work[None]:
    """Make the call that switches it on, or changes its settings where it is on; ``now`` is what EC2 has just shown.

    Raises:
        RequestRefused: EC2 refused it, for example because of a quota or a launch template that does not exist.
        AccessDenied: the caller may not, or may not launch instances from the image (EC2 checks that here).
        NotFaithful: EC2 is still removing what there was before.
    """
    if now.state == DISABLING:
        raise _ending(ec2, image_id, "EC2 is still removing its earlier snapshots, and enables it only after that.")
    write = Write(WriteOperation.ENABLE_FAST_LAUNCH, {"ImageId": image_id, **settings.parameters})
    try:
        yield from paced_write(ec2, clock, write)
    except RequestRefused:
        # A repeated call whose first answer was lost: whether EC2 takes it twice is not documented.
        now = yield from persist(overloaded(clock), partial(ec2.fast_launches.of, image_id))
        if not (now.is_on and now.has(settings)):
            raise


def confirm_on(ec2: Ec2, clock: Clock, image_id: str, settings: FastLaunchSettings) -> Work[None]:
    """Wait until EC2 shows it as on, with these settings.

    Raises:
        NotFaithful: EC2 does not within the time for that; its reason is in the error.
    """
    look = partial(ec2.fast_launches.of, image_id)
    if left := (yield from persist(not_read_back_yet(clock), lambda: _missing(look(), settings))):
        raise NotFaithful(
            f"EC2 Fast Launch is not on as requested for {image_id} in {ec2.region}.",
            why=left,
            next_step="Run the same command again.",
        )


def switch_off(ec2: Ec2, clock: Clock, image_id: str, *, cleaned_up: bool) -> Work[None]:
    """Switch it off where it is on. ``cleaned_up``: wait until EC2 has removed the snapshots that it has made.

    Raises:
        RequestRefused: EC2 refused it.
        NotFaithful: EC2 shows it as on, could not remove its snapshots, or is still removing them.
    """
    look = partial(ec2.fast_launches.of, image_id)
    now = yield from persist(overloaded(clock), look)
    if not now.is_off and now.state != DISABLING:
        yield from paced_write(ec2, clock, Write(WriteOperation.DISABLE_FAST_LAUNCH, {"ImageId": image_id}))
        if left := (yield from persist(not_read_back_yet(clock), lambda: _not_ending(look()))):
            raise _stuck(ec2, image_id, left)
    if cleaned_up:
        yield from persist(removed_late(clock), lambda: look().state == DISABLING)
        now = yield from persist(overloaded(clock), look)
        if now.state == DISABLING:
            raise _ending(ec2, image_id, "EC2 is still removing its snapshots, which cost money until they are gone.")
        if not now.is_off:
            raise _stuck(ec2, image_id, now.problem or f"it is {now.state}")


def _missing(now: FastLaunch, settings: FastLaunchSettings) -> str:
    if now.is_on and now.has(settings):
        return ""
    if now.is_on:
        return f"EC2 accepted the request, but doesn't show these settings: {settings}."
    return f"EC2 accepted the request, but shows it as {now.state or 'off'}{f': {now.reason}' if now.reason else ''}."


def _not_ending(now: FastLaunch) -> str:
    return "" if now.is_off or now.state == DISABLING else now.problem or f"it is {now.state}"


def _stuck(ec2: Ec2, image_id: str, left: str) -> NotFaithful:
    return NotFaithful(
        f"EC2 Fast Launch of {image_id} in {ec2.region} could not be disabled.",
        why=f"EC2 accepted the request, but reports that {left}.",
        next_step="Fix what EC2 reports, then run the same command again.",
    )


def _ending(ec2: Ec2, image_id: str, why: str) -> NotFaithful:
    return NotFaithful(
        f"EC2 Fast Launch of {image_id} in {ec2.region} is still being disabled.",
        why=why,
        next_step="Run the same command again in a few minutes.",
    )
