"""What an ordered fault makes of a copy that has just been started.

Refuses to know what was ordered, and for whom: it is told.
"""

from datetime import datetime, timedelta

from amicopy.sandbox.faults import Effect, Fail, Flap, Stuck, Unseen, Vanish
from amicopy.sandbox.pending_copies import CopyJob, Ending
from amicopy.sandbox.records import Image

_NEVER = timedelta(days=36500)


def decide(effect: Effect, job: CopyJob, image: Image) -> None:
    """Write the copy's fate into its job and its image."""
    match effect:
        case Fail(code=code, message=message, snapshot_message=snapshot_message, after=after):
            job.ending = Ending(at=_moment(job, after), code=code, message=message, snapshot_message=snapshot_message)
        case Vanish(after=after):
            job.ending = Ending(at=_moment(job, after), code="", message="", vanishes=True)
        case Stuck():
            job.hangs = True
        case Flap(describes=describes):
            image.flap_describes = describes
        case Unseen(describes=describes):
            image.unseen_describes = describes + 1
            image.visible_at = job.begun_at + _NEVER


def _moment(job: CopyJob, fraction: float) -> datetime:
    return job.begun_at + (job.available_at - job.begun_at) * fraction
