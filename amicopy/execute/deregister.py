"""Removing one AMI and its snapshots, with a result for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import AmicopyError, ImageNotFound, ImageUnavailable, SnapshotInUse, SnapshotNotFound
from amicopy.core.retries import flapping, overloaded, persist
from amicopy.core.steps import Sleep, Work

_LATE_LOOKS = 6
_LATE_SECONDS = 5.0

DELETED = "deleted"
KEPT = "kept"

# DeregisterImage's codes (botocore's model, SnapshotReturnCodes) in our words.
_VERDICTS = {
    "success": DELETED,
    "skipped": f"{KEPT}: another AMI uses it",
    "missing-permissions": f"{KEPT}: these credentials may not call ec2:DeleteSnapshot",
    "internal-error": f"{KEPT}: EC2 failed to delete it",
    "client-error": f"{KEPT}: EC2 refused to delete it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The result for an AMI and each of its snapshots."""

    image_id: str
    was_gone: bool = False
    snapshots: Mapping[str, str] = field(default_factory=dict)  # by id: deleted, or kept and why
    unlisted: int = 0  # as many more were expected when the search for them was cut short

    @property
    def kept(self) -> dict[str, str]:
        """The snapshots that are still there and cost money."""
        return {snapshot_id: verdict for snapshot_id, verdict in self.snapshots.items() if verdict != DELETED}

    def __str__(self) -> str:
        state = "was gone already" if self.was_gone else "deregistered"
        return "; ".join([state, *(f"{snapshot_id} {verdict}" for snapshot_id, verdict in self.snapshots.items())])


def remove_completely(
    ec2: Ec2,
    clock: Clock,
    image_id: str,
    snapshot_ids: tuple[str, ...] = (),
    *,
    was_seen: bool = True,
    expected_snapshots: int = 0,
    in_a_hurry: Callable[[], bool] = lambda: False,
) -> Work[Removal]:
    """Deregister the AMI and delete its snapshots, those included that EC2 does not list as its own yet.

    ``snapshot_ids`` are further ones known to be the AMI's. An AMI that EC2 does not know is gone if it ``was_seen``
    before; one that was just requested may not be visible yet, and is waited for.

    A stopped copy's snapshots may appear some time after the copy itself has gone: they are looked for again until as
    many as expected were found, for half a minute at most. A hurry cuts the search short, and ``unlisted`` tells how
    many may still appear. One that appears afterwards is found by its tag at the next cancelling.

    Raises:
        ImageNotFound: it was not seen and is not there.
        ImageUnavailable: EC2 does not let it be deregistered at the moment.
        OperationNotPermitted: deregistration protection is on; nothing was removed.
    """
    removal = yield from persist(flapping(clock), partial(_deregister, ec2, image_id, was_seen=was_seen))
    for look in range(_LATE_LOOKS + 1):
        known = {*snapshot_ids, *_described_as_its_own(ec2, image_id)} - removal.snapshots.keys()
        verdicts: dict[str, str] = {}
        for snapshot_id in sorted(known):
            verdict = yield from _delete_snapshot(ec2, clock, snapshot_id)
            if verdict:
                verdicts[snapshot_id] = verdict
        removal = replace(removal, snapshots=dict(sorted({**removal.snapshots, **verdicts}.items())))
        unlisted = 0 if removal.was_gone else max(0, expected_snapshots - len(removal.snapshots))
        if not unlisted or look == _LATE_LOOKS:
            break
        if in_a_hurry():
            removal = replace(removal, unlisted=unlisted)
            break
        yield Sleep(_LATE_SECONDS)
    gone = dict.fromkeys(set(snapshot_ids) - removal.snapshots.keys(), DELETED)
    return replace(removal, snapshots=dict(sorted({**removal.snapshots, **gone}.items())))


def remove_snapshot(ec2: Ec2, clock: Clock, snapshot_id: str) -> Work[str]:
    """Delete one snapshot that was seen; return the verdict: deleted (or gone), or kept and why."""
    return (yield from _delete_snapshot(ec2, clock, snapshot_id)) or DELETED


def _deregister(ec2: Ec2, image_id: str, *, was_seen: bool) -> Removal:
    """Deregister the AMI with the snapshots that EC2 lists as its own."""
    try:
        codes = ec2.deregister_image(image_id)
    except ImageNotFound:
        if not was_seen:
            raise
        return Removal(image_id=image_id, was_gone=True)
    except ImageUnavailable as error:
        if not error.says_deregistered:
            raise
        return Removal(image_id=image_id, was_gone=True)
    verdicts = {snapshot_id: _VERDICTS.get(code, f"{KEPT}: {code}") for snapshot_id, code in codes.items()}
    return Removal(image_id=image_id, snapshots=verdicts)


def _delete_snapshot(ec2: Ec2, clock: Clock, snapshot_id: str) -> Work[str]:
    """Delete one snapshot, repeated while EC2 throttles or does not answer; return the verdict.

    Empty if EC2 does not know the snapshot: an image may name one that is not shown yet.
    """
    try:
        yield from persist(overloaded(clock), partial(ec2.delete_snapshot, snapshot_id))
    except SnapshotNotFound:
        return ""
    except SnapshotInUse:
        return _VERDICTS["skipped"]
    except AmicopyError as error:
        return f"{KEPT}: {error.what} {error.why}".strip()
    return DELETED


def _described_as_its_own(ec2: Ec2, image_id: str) -> set[str]:
    try:
        return set(ec2.find_snapshots_of_copies([image_id]))
    except AmicopyError:  # what was removed has to be reported even if this read fails
        return set()
