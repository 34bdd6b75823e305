"""Rolling back what an interrupted run has started, for ``--on-interrupt cancel``; never a copy that it only joined."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Clients
from amicopy.core.clock import Clock
from amicopy.core.errors import AmicopyError, TokenMismatch
from amicopy.core.events import CopyRolledBack, DestinationFailed, DestinationLeft, Event, LeftBecause
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.retries import until_shown
from amicopy.execute.cancel import Target, TargetState, cancel_target
from amicopy.execute.copy_image import DeadImage, ask_for_copy, earlier_copies
from amicopy.execute.report import Outcome, Report


def roll_back(report: Report, clients: Clients, clock: Clock) -> Iterator[Event]:
    """Deregister every copy that this run has started, with its snapshots; yield what became of each.

    Copies that another run has started are left alone.

    Where the answer to CopyImage did not arrive the same request is sent again: its token makes EC2 say which image
    it made, so that this one can be removed instead of being looked for.
    """
    stop = Stop()  # the run's own is set already; a second signal ends the process
    asked = [outcome for outcome in report.outcomes if outcome.client_token]
    started = {outcome.row.key: partial(_take_back, outcome, clients, clock, stop) for outcome in asked}
    for (source, destination), target in all_at_once(started, stop).items():
        at, image_id = clock.now(), target.resource_id
        if target.error:
            yield DestinationFailed(
                at=at, source=source, destination=destination, image_id=image_id, error=target.error
            )
        elif target.state is TargetState.KEEP:
            yield DestinationLeft(
                at=at, source=source, destination=destination, image_id=image_id, because=LeftBecause.INTERRUPTED
            )
        else:
            words = "was gone already" if target.state is TargetState.GONE else "was rolled back"
            verdicts = [f"{snapshot_id} {verdict}" for snapshot_id, verdict in target.snapshots.items()]
            what = "; ".join([f"{image_id} {words}", *verdicts])
            yield CopyRolledBack(at=at, source=source, destination=destination, image_id=image_id, what=what)


def _take_back(outcome: Outcome, clients: Clients, clock: Clock, stop: Stop) -> Target:
    row = outcome.row
    ec2 = clients[row.destination]
    target = Target(
        region=row.region,
        resource_id=outcome.image_id,
        source=row.source.reference,
        state=TargetState.CANCEL,
        reason="the run that started it was interrupted",
        was_seen=False,
        expected_snapshots=len(row.source.snapshot_ids),
    )
    try:
        image_id = outcome.image_id or ask_for_copy(row, ec2, outcome.client_token)
    except DeadImage:
        return replace(target, state=TargetState.GONE, reason=str(TargetState.GONE))
    except TokenMismatch:
        image_id = ""
    except AmicopyError as error:
        return replace(target, state=TargetState.FAILED, reason=error.what, error=error)
    try:
        if not image_id and row.waits:  # the plan does not know what it was made from, so the request was another one
            image_id = earlier_copies(row.source, ec2)[0]
        if not image_id:
            return replace(target, state=TargetState.KEEP, reason="another run has started it")
        target = replace(target, resource_id=image_id)
        shown = until_shown(clock, stop, lambda: ec2.describe_own_images([image_id]).get(image_id))
    except AmicopyError as error:
        return replace(target, state=TargetState.FAILED, reason=error.what, error=error)
    if shown is None:  # only its creation date tells whether it is ours
        return replace(target, state=TargetState.KEEP, reason="EC2 does not show it yet")
    if outcome.requested_at and shown.is_older_than(ec2.server_time(outcome.requested_at)):
        return replace(target, state=TargetState.KEEP, reason="another run has started it")
    return cancel_target(target, ec2, clock, stop)
