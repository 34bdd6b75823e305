"""Repairing copies in place: write what is missing; if asked, remove extras."""

from collections.abc import Callable
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import AmicopyError, NotFaithful
from amicopy.core.events import Event
from amicopy.core.parallel import Stop
from amicopy.core.retries import driven, flapping, in_place
from amicopy.execute.complete import complete
from amicopy.plan.copy_status import CopyStatus


def repair(
    status: CopyStatus, ec2: Ec2, clock: Clock, stop: Stop, tell: Callable[[Event], None]
) -> AmicopyError | None:
    """Write what one copy lacks; return why that failed, or None. What cannot be repaired is left as it is."""
    assert status.desired is not None  # a copy that was compared with nothing lacks nothing
    desired = status.desired.private if status.awaited_check else status.desired
    try:
        driven(clock, stop, complete(desired, status.copy, ec2, clock), tell=tell)
    except NotFaithful:  # the comparison after the repair says what is left
        return None
    except AmicopyError as error:
        return error
    return None


def prune(status: CopyStatus, ec2: Ec2, clock: Clock, stop: Stop, tell: Callable[[str], None]) -> AmicopyError | None:
    """Remove what one copy has and its source has not; return why that failed, or None."""
    for extra in status.prunable:
        try:
            for write in extra.removals:
                in_place(clock, stop, flapping(clock), partial(ec2.write, write))
        except AmicopyError as error:
            return error
        tell(f"{status.place} {status.copy.image_id} removed: {extra}")
    return None
