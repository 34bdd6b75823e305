"""The gate between a complete copy and its sharing: the check that each copy must pass while it is private."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from amicopy.aws.ec2 import Ec2
from amicopy.core.boot import boot_options
from amicopy.core.check import CHECK_VARIABLES, CHECKING, Check, CheckResult
from amicopy.core.check_record import failed_tags, passed_tags, waiting_tags
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination, at
from amicopy.core.durations import length_text
from amicopy.core.errors import AmicopyError, CheckFailed
from amicopy.core.events import CheckEnded, CheckStarted, NoteAdded
from amicopy.core.models import CHECKED_TAG, Image
from amicopy.core.steps import Sleep, Work
from amicopy.core.write import Write, WriteOperation, tag_list
from amicopy.execute.check_command import GRACE_SECONDS, CheckCommand
from amicopy.execute.paced_write import paced_write
from amicopy.plan.checked import awaited_check
from amicopy.plan.plan import Row

_WAIT_SECONDS = 0.02  # for a command's end, in the lane's thread
_SHORTEST_SLEEP, _LONGEST_SLEEP = 0.05, 1.0
_GRACE = timedelta(seconds=GRACE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a check is about: a copy that is complete and not shared yet."""

    row: Row
    copy: Image
    check: Check
    ec2: Ec2  # of the copy's region and account
    clock: Clock
    deadline: datetime  # of this check


BuiltInCheck = Callable[[Subject], Work[CheckResult]]
"""A check of amicopy's own. It yields its sleeps and events, and raises AmicopyError where it cannot check.

It removes what it has made in a ``finally``, since a signal or the run's time-out closes it in the middle.
"""


def _boot(subject: Subject) -> Work[CheckResult]:
    """Launch an instance of the copy."""
    from amicopy.execute.boot import as_check, boot

    options = replace(boot_options(subject.check.words), timeout=subject.check.timeout)
    where = subject.row.destination
    result = yield from boot(subject.copy, where, options, subject.ec2.instances, subject.clock, subject.deadline)
    return as_check(result)


BUILT_IN: Mapping[str, BuiltInCheck] = {"boot": _boot}
"""By the first word of the command; `amicopy.core.check.BUILT_IN_CHECKS` has the same words."""


class Gate:
    """Runs the checks of a run's lanes: some at a time, and none any longer than the run."""

    def __init__(self, environment: Callable[[Destination], Mapping[str, str | None]], most: int) -> None:
        """``environment`` points commands at a copy's account; ``most`` is how many checks run at a time."""
        self._environment = environment
        self._places = threading.BoundedSemaphore(most)
        self._commands: set[CheckCommand] = set()

    def check(self, row: Row, copy: Image, ec2: Ec2, clock: Clock) -> Work[None]:
        """Run the row's check on its copy; record the result on the copy.

        A copy that nobody else can use yet has a record that it is to be checked before the check begins: a run that is
        killed leaves no copy that others would share unchecked.

        Raises:
            CheckFailed: it did not pass.
        """
        check = row.check
        assert check is not None  # only such rows come here
        about: dict[str, Any] = {
            "source": row.source.reference,
            "destination": row.destination,
            "image_id": copy.image_id,
        }
        while not self._places.acquire(blocking=False):
            yield Sleep(_LONGEST_SLEEP)
        try:
            if row.is_ours and not awaited_check(row.source, copy) and not _is_shared(copy):
                with contextlib.suppress(AmicopyError):  # said when the result cannot be recorded either
                    yield from _record(copy, waiting_tags(check), ec2, clock)
            yield CheckStarted(at=clock.now(), **about, command=check.command)
            deadline = clock.now() + check.timeout
            run = BUILT_IN[check.words[0]] if check.is_built_in else self._run_command
            result = yield from run(Subject(row=row, copy=copy, check=check, ec2=ec2, clock=clock, deadline=deadline))
        finally:
            self._places.release()
        yield CheckEnded(at=clock.now(), **about, result=result)
        if row.is_ours:
            tags = passed_tags(check) if result.passed else failed_tags(check, clock.now())
            try:
                yield from _record(copy, tags, ec2, clock)
            except AmicopyError as error:
                words = f"the next run checks {copy.image_id} again, because it cannot be tagged {CHECKED_TAG}"
                yield NoteAdded(at=clock.now(), **about, text=f"{words}: {error.what} {error.why}".rstrip())
        if not result.passed:
            raise _not_passed(copy, check, result, row.destination)

    def close(self) -> None:
        """End every command that is still running, with its children; returns when all have ended."""
        running = tuple(self._commands)
        for command in running:
            command.terminate()
        give_up = time.monotonic() + GRACE_SECONDS
        for command in running:
            if command.wait(max(0.0, give_up - time.monotonic())) is None:
                command.kill()

    def _run_command(self, subject: Subject) -> Work[CheckResult]:
        """Run the operator's command, and end it when its time is over."""
        check, clock = subject.check, subject.clock
        begun_at, seconds, kill_at = clock.now(), _SHORTEST_SLEEP, None
        try:
            words = [check.program, *check.words[1:]]
            variables = {**self._environment(subject.row.destination), **_variables(subject)}
            command = CheckCommand(words, variables, _document(subject))
        except (OSError, ValueError) as error:  # it was there when the run began
            return CheckResult(passed=False, ending=f"could not be started: {error}", seconds=0.0)
        self._commands.add(command)
        try:
            while (status := command.wait(_WAIT_SECONDS)) is None:
                if kill_at is None and clock.now() >= subject.deadline:
                    command.terminate()
                    kill_at = clock.now() + _GRACE
                elif kill_at is not None and clock.now() >= kill_at:
                    command.kill()
                yield Sleep(seconds)
                seconds = min(seconds * 1.5, _LONGEST_SLEEP)
        except GeneratorExit:
            command.terminate()  # `close` waits for it
            raise
        self._commands.discard(command)
        if kill_at is not None:
            ending = f"did not end within {length_text(check.timeout)}"
        else:
            ending = f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
        return CheckResult(
            passed=status == 0 and kill_at is None,
            ending=ending,
            seconds=(clock.now() - begun_at).total_seconds(),
            output=command.last_lines,
        )


def _record(copy: Image, tags: Mapping[str, str], ec2: Ec2, clock: Clock) -> Work[None]:
    """Tag the copy, so that later runs know how it stands."""
    write = Write(WriteOperation.CREATE_TAGS, {"Resources": [copy.image_id], "Tags": tag_list(tags)})
    yield from paced_write(ec2, clock, write)


def _is_shared(copy: Image) -> bool:
    return bool(copy.launch_permissions) or any(snapshot.volume_permissions for snapshot in copy.snapshots)


def _not_passed(copy: Image, check: Check, result: CheckResult, destination: Destination) -> CheckFailed:
    return CheckFailed(
        f"The copy {copy.image_id} in {copy.region} did not pass its check.",
        output=result.output,
        why=f"{check.command} {result.ending}. "
        + (
            "It was shared before, and this run leaves that as it is."
            if _is_shared(copy)
            else "The copy is kept and not shared."
        ),
        next_step="Fix what the check reports, then run the same command again: it checks this copy again. If the copy "
        f"itself is bad, remove it first: amicopy cancel --copy {copy.image_id} {at(destination)} --available",
    )


def _variables(subject: Subject) -> dict[str, str]:
    copy = subject.copy
    account = subject.row.destination.account or copy.owner_id
    architecture = copy.attributes.get("Architecture", "")
    values = (copy.image_id, copy.region, account, subject.row.source.reference, architecture)
    return {CHECKING: "1", **dict(zip(CHECK_VARIABLES, values, strict=True))}


def _document(subject: Subject) -> bytes:
    """Return the copy as JSON, for a command's stdin."""
    copy, source = subject.copy, subject.row.source
    devices = [
        {"device": device.device, "snapshot_id": device.snapshot_id or None, "volume_gib": device.volume_gib}
        for device in copy.devices
        if device.ebs
    ]
    document = {
        "image_id": copy.image_id,
        "region": copy.region,
        "account": subject.row.destination.account or copy.owner_id,
        "source_id": source.image_id,
        "source_region": source.region,
        "name": copy.name,
        "description": copy.description,
        "created_at": copy.created_at,
        "attributes": dict(copy.attributes),
        "imds_support": copy.imds_support or None,
        "tags": dict(copy.tags),
        "devices": devices,
    }
    return json.dumps(document).encode() + b"\n"
