"""Making copies that stand somewhere right again: what is missing is written, what is too much removed if asked.

Refuses to make copies; only a new one mends what EC2 lets nobody change.
"""

from collections.abc import Callable

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import AmicopyError, NotFaithful
from amicopy.core.events import Event
from amicopy.core.parallel import Stop
from amicopy.core.retries import flapping, in_place
from amicopy.core.steps import Sleep
from amicopy.execute.complete import complete
from amicopy.plan.copy_status import CopyStatus
from amicopy.plan.extras import ExtraSharing, ExtraTags
from amicopy.plan.plan import Action, Row


def repair(
    status: CopyStatus, ec2: Ec2, clock: Clock, stop: Stop, tell: Callable[[Event], None]
) -> AmicopyError | None:
    """Write what one copy lacks; return why it could not, or None. What cannot be repaired is left as it is."""
    assert status.desired is not None  # without its source there is nothing to compare with
    row = Row(
        source=status.source,
        region=status.copy.region,
        action=Action.UPDATE,
        reason="",
        desired=status.desired,
        copy=status.copy,
        differences=status.missing,
    )
    work = complete(row, status.copy, ec2, clock)
    try:
        for step in work:
            if isinstance(step, Sleep):
                clock.sleep(step.seconds, until=stop)
            elif isinstance(step, Event):
                tell(step)
            stop.check()
    except NotFaithful:  # the verdict after the repair says what is left
        return None
    except AmicopyError as error:
        return error
    return None


def prune(status: CopyStatus, ec2: Ec2, clock: Clock, stop: Stop, tell: Callable[[str], None]) -> AmicopyError | None:
    """Remove what one copy has beyond its source; return why it could not, or None."""
    for more in status.extras:

        def remove(more: ExtraSharing | ExtraTags = more) -> None:
            match more:
                case ExtraTags():
                    ec2.delete_tags(more.resource_id, more.tags)
                case ExtraSharing(device=""):
                    ec2.unshare_image(more.resource_id, more.principals)
                case ExtraSharing():
                    ec2.unshare_snapshot(more.resource_id, more.principals)

        try:
            in_place(clock, stop, flapping(clock), remove)
        except AmicopyError as error:
            return error
        tell(f"{status.copy.region} {status.copy.image_id} no longer: {more}")
    return None
