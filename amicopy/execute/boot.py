"""The boot test of one image: launch an instance of it, watch it, and terminate it whatever happens."""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from amicopy.aws.instances import Instances
from amicopy.core.boot import BOOT_RESULT_TAG, BOOT_TAG, BOOT_TOKEN_TAG, BootOptions, BootResult, last_lines
from amicopy.core.check import CheckResult
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination
from amicopy.core.durations import length_text
from amicopy.core.errors import AccessDenied, AmicopyError, BootRefused, RequestRefused
from amicopy.core.instance import Instance
from amicopy.core.models import Image
from amicopy.core.retries import GONE_AFTER, flapping, not_answered, overloaded, persist
from amicopy.core.steps import Sleep, Work
from amicopy.plan.boot import instance_types, is_abandoned, launch, request_token

_LOOK_SECONDS = 5.0
_MOST_ATTEMPTS = 50
_PASSED, _FAILED = "passed", "failed"
_STOPPED = "stopped with another run"
_TOKEN_IS_USED = "IdempotentInstanceTerminated"  # noqa: S105 - a code of EC2's
_LIMIT = 250  # of a tag's value


def chosen_type(image: Image, where: Destination, options: BootOptions, instances: Instances) -> str:
    """Return the type of the instance that tests an image.

    Raises:
        BootRefused: the destination has none of the types that can.
    """
    types = instance_types(image, options)
    try:
        offered = instances.offered(types)
    except AccessDenied:  # EC2 says it at the launch
        return types[0]
    if found := next((one for one in types if one in offered), ""):
        return found
    raise BootRefused(
        f"{where} has no instance type {' or '.join(types)}.",
        why=f"EC2 does not offer {'it' if len(types) == 1 else 'them'} there.",
        next_step="Name another: --instance-type.",
    )


def check_subnet(where: Destination, options: BootOptions, instances: Instances) -> None:
    """Check that an instance has somewhere to be.

    Raises:
        BootRefused: the subnet is not there, or the destination has no default VPC.
    """
    subnet = options.subnet_in(where)
    with contextlib.suppress(AccessDenied):  # EC2 says it at the launch
        if not instances.has_subnet(subnet):
            raise BootRefused(
                f"{where} has no subnet {subnet}." if subnet else f"{where} has no default VPC.",
                why="An instance needs a subnet.",
                next_step=f"Give one: --subnet {where}=SUBNET",
            )


def boot(
    image: Image,
    where: Destination,
    options: BootOptions,
    instances: Instances,
    clock: Clock,
    deadline: datetime,
    *,
    running: set[str] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Work[BootResult]:
    """Launch an instance of the image, or join the one of another run, and return how its start ended.

    ``where`` is whose ``instances`` these are. The instance is terminated before this returns, raises, or is closed.
    ``running`` always holds the ids of those that are still to be terminated; ``tell`` is called with the id of each
    that is launched or joined.

    Raises:
        BootRefused: no instance type can launch the image there.
        RequestRefused: EC2 refuses the launch: no capacity, no default VPC, a quota.
    """
    begun, options = clock.now(), options.for_destination(where)
    instance_type = yield from persist(overloaded(clock), partial(chosen_type, image, where, options, instances))
    yield from persist(overloaded(clock), partial(check_subnet, where, options, instances))
    found = yield from persist(overloaded(clock), partial(instances.find, BOOT_TAG, [image.image_id]))
    mine = request_token(image, instance_type, options)
    same = [one for one in found if one.tags.get(BOOT_TOKEN_TAG) == mine]
    result = BootResult(passed=False, ending="", instance_type=instance_type)
    guard = _Guard(instances, image, mine, set() if running is None else running)
    try:
        # What a killed run has left, and what another one could not terminate.
        left = [one.instance_id for one in found if is_abandoned(one, clock.now()) or _is_over(one)]
        yield from guard.terminate(left, clock)
        live = next((one for one in same if one.costs and BOOT_RESULT_TAG not in one.tags), None)
        guard.may_have_launched = True
        attempt = len(same)
        launched = live or (yield from _launched(image, instance_type, options, instances, clock, attempt))
        while True:
            guard.instance_ids.add(launched.instance_id)
            result = replace(result, instance_id=launched.instance_id)
            if tell:
                tell(launched.instance_id)
            verdict = yield from _watched(launched, options, instances, clock, deadline)
            if verdict.ending != _STOPPED or attempt >= _MOST_ATTEMPTS:
                break
            # Another run that waited for the same instance was interrupted, and has terminated it.
            guard.instance_ids.discard(launched.instance_id)
            attempt += 1
            launched = yield from _launched(image, instance_type, options, instances, clock, attempt)
        result = replace(result, passed=verdict.passed, ending=verdict.ending)
        console = yield from _console(launched.instance_id, instances, clock)
        result = replace(result, console=last_lines(console), seconds=(clock.now() - begun).total_seconds())
        if verdict.is_news:
            with contextlib.suppress(AmicopyError):  # another run that waits for it reads the instance's end instead
                instances.tag(launched.instance_id, {BOOT_RESULT_TAG: str(verdict)})
        yield from guard.terminate(sorted(guard.instance_ids), clock)
        return replace(result, is_left=bool(guard.instance_ids))
    finally:
        guard.close()


@dataclass(frozen=True, slots=True)
class _Verdict:
    """How a start ended; ``str()`` is what other runs read from a tag."""

    passed: bool
    ending: str
    is_news: bool = True  # others do not know it yet

    def __str__(self) -> str:
        return f"{_PASSED if self.passed else _FAILED}: {self.ending}"[:_LIMIT]


def _is_over(instance: Instance) -> bool:
    """Return whether its test has ended, so that it should be terminated by now."""
    return instance.costs and BOOT_RESULT_TAG in instance.tags


class _Guard:
    """Sees to it that no instance outlives its test."""

    def __init__(self, instances: Instances, image: Image, token: str, running: set[str]) -> None:
        self._instances, self._image, self._token = instances, image, token
        self.instance_ids = running
        self.may_have_launched = False

    def terminate(self, instance_ids: list[str], clock: Clock) -> Work[None]:
        """Terminate them, and ask again while EC2 throttles or does not answer."""
        if instance_ids:
            with contextlib.suppress(AmicopyError):
                yield from persist(overloaded(clock), partial(self._instances.terminate, instance_ids))
                self.instance_ids -= set(instance_ids)
                self.may_have_launched = False

    def close(self) -> None:
        """Terminate what is left, without waiting: the test was closed, or the answer to the launch was lost."""
        with contextlib.suppress(AmicopyError):
            if self.may_have_launched and not self.instance_ids:
                found = self._instances.find(BOOT_TAG, [self._image.image_id])
                ours = [one for one in found if one.tags.get(BOOT_TOKEN_TAG) == self._token]
                self.instance_ids |= {one.instance_id for one in ours if one.costs and BOOT_RESULT_TAG not in one.tags}
            for instance_id in self.instance_ids:
                self._instances.tag(instance_id, {BOOT_RESULT_TAG: str(_Verdict(passed=False, ending=_STOPPED))})
        with contextlib.suppress(AmicopyError):
            if self.instance_ids:
                self._instances.terminate(sorted(self.instance_ids))
                self.instance_ids.clear()


def _launched(
    image: Image, instance_type: str, options: BootOptions, instances: Instances, clock: Clock, attempt: int
) -> Work[Instance]:
    """Launch an instance; a token that EC2 has seen for one that is terminated by now is followed by the next."""
    while True:
        parameters = launch(image, instance_type, options, attempt)
        try:
            instance = yield from persist(not_answered(clock), partial(instances.run, parameters))
        except RequestRefused as error:
            if error.code != _TOKEN_IS_USED or attempt >= _MOST_ATTEMPTS:
                raise
        else:
            if not instance.has_ended or attempt >= _MOST_ATTEMPTS:
                return instance
        attempt += 1


def _watched(
    launched: Instance, options: BootOptions, instances: Instances, clock: Clock, deadline: datetime
) -> Work[_Verdict]:
    """Return how the start ended."""
    shown_by = clock.now() + GONE_AFTER
    goal = f"show {options.expect!r} on its console" if options.expect else "pass both status checks"
    last = ""
    while True:
        instance = yield from persist(overloaded(clock), partial(instances.describe, launched.instance_id))
        if instance is None and clock.now() >= shown_by:
            return _Verdict(passed=False, ending="disappeared: EC2 does not show it anymore", is_news=False)
        if instance is not None and (told := _told(instance)):
            return told
        if instance is not None and instance.has_ended:
            why = f": {instance.state_reason}" if instance.state_reason else ""
            return _Verdict(passed=False, ending=f"ended by itself ({instance.state}{why})")
        if instance is not None and instance.state == "running":
            if options.expect:
                console = yield from _console(launched.instance_id, instances, clock)
                if re.search(options.expect, console):
                    return _Verdict(passed=True, ending=f"showed {options.expect!r} on its console")
            else:
                checks = yield from persist(overloaded(clock), partial(instances.checks, launched.instance_id))
                if checks.are_ok:
                    return _Verdict(passed=True, ending="passed both status checks")
                if checks.failed:
                    return _Verdict(passed=False, ending=f"did not pass {checks.failed}")
                last = f" (system: {checks.system or '-'}, instance: {checks.instance or '-'})"
        if clock.now() >= deadline:
            ending = f"did not {goal} within {length_text(options.timeout)}{last}"
            return _Verdict(passed=False, ending=ending)
        yield Sleep(_LOOK_SECONDS)


def _told(instance: Instance) -> _Verdict | None:
    """Return how another run says that it ended; None if it does not."""
    verdict, sign, ending = instance.tags.get(BOOT_RESULT_TAG, "").partition(": ")
    return _Verdict(passed=verdict == _PASSED, ending=ending, is_news=False) if sign else None


def _console(instance_id: str, instances: Instances, clock: Clock) -> Work[str]:
    """Return the console output, or nothing where it cannot be read: it is not worth failing for."""
    try:
        return (yield from persist(flapping(clock), partial(instances.console, instance_id, latest=True)))
    except AccessDenied:
        raise
    except AmicopyError:
        return ""


def as_check(result: BootResult) -> CheckResult:
    """Return the result as that of a check."""
    return CheckResult(passed=result.passed, ending=result.ending, seconds=result.seconds, output=result.console)
