"""Instances of boot tests that are still running, left by a killed run, as targets of `cancel`."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.boot import BOOT_RESULT_TAG, BOOT_TAG
from amicopy.core.clock import Clock
from amicopy.core.errors import AccessDenied, AmicopyError
from amicopy.core.instance import Instance
from amicopy.core.parallel import Stop
from amicopy.core.retries import driven, overloaded, persist
from amicopy.execute.cancel import Found, Target, TargetState
from amicopy.plan.boot import is_abandoned


def with_instances(found: Found, named: Collection[str], ec2: Ec2, clock: Clock) -> Found:
    """Return what was found in a region, with the instances that test these images: all that are ours without any.

    One more call, and only where there is an image to ask for. Reads only.
    """
    image_ids = sorted({*named, *(one.resource_id for one in found.targets if one.is_image)}) if named else ()
    try:
        instances = ec2.instances.find(BOOT_TAG, image_ids or ("*",))
    except AccessDenied as error:
        note = f"{ec2.region}: it is not known whether a boot test has left an instance: {error.action} is not allowed"
        return replace(found, notes=(*found.notes, note))
    live = [_target(one, ec2, clock) for one in instances if one.costs and BOOT_TAG in one.tags]
    return replace(found, targets=(*found.targets, *live))


def _target(instance: Instance, ec2: Ec2, clock: Clock) -> Target:
    tested = instance.tags[BOOT_TAG]
    over = BOOT_RESULT_TAG in instance.tags or is_abandoned(instance, ec2.server_time(clock.now()))
    when = "which has ended" if over else "which a run may still be waiting for"
    return Target(
        region=ec2.region,
        resource_id=instance.instance_id,
        source="",
        state=TargetState.CANCEL,
        reason=f"it is {instance.state}, for a boot test of {tested}, {when}",
    )


def terminate_target(target: Target, ec2: Ec2, clock: Clock, stop: Stop) -> Target:
    """Terminate an instance; return it with the result."""
    work = persist(overloaded(clock), partial(ec2.instances.terminate, [target.resource_id]))
    try:
        driven(clock, stop, work, to_the_end=True)
    except AmicopyError as error:
        return replace(target, state=TargetState.FAILED, reason=error.what, error=error)
    return replace(target, state=TargetState.CANCELLED, reason="terminated")
