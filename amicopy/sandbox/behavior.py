"""How fast the simulated EC2 is, which request rates it has, and how it behaves where AWS documents nothing."""

from dataclasses import dataclass
from typing import Literal

Rates = Literal["none", "ec2"]
"""How many requests are answered in a second: any number, or as many as EC2 documents (see `throttle`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take. The defaults suit a demo: a copy takes a few seconds, and is visible at once."""

    copy_seconds: float = 3.0
    seconds_per_gib: float = 0.1
    variation: float = 0.15  # each snapshot takes up to this fraction longer or shorter, so that no two end together
    finishing_seconds: float = 0.8  # from the completion of the last snapshot to the image becoming available
    visible_after: float = 0.0  # EC2 is eventually consistent: for how long a new image can't be seen
    snapshots_listed_after: float = 0.4
    key_checked_after: float = 1.5
    shared_after: float = 0.0  # for how long other accounts do not see yet what was shared with them
    running_seconds: float = 0.0  # from the launch of an instance until it runs
    checked_seconds: float = 3.0  # from the launch until its status checks are done
    answer_seconds: float = 0.0  # from a request's arrival over HTTP to its answer; requests are answered in parallel


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """Behavior that AWS doesn't document, as switches. A client must cope with every setting."""

    # What DescribeImages returns for the id of a new copy: InvalidAMIID.NotFound and an empty list have both been seen.
    unseen_id: Literal["not-found", "empty", "alternate"] = "not-found"
    # What CopyImage returns for a client token whose image has been deregistered.
    dead_token: Literal["same-id", "error"] = "same-id"  # noqa: S105 - a client token, not a secret
    # Whether a pending image's block device mappings omit the snapshot ids; both have been reported.
    pending_mappings_omit_snapshots: bool = True
    # The console offers disabled images for copying; what the API does is not documented.
    copy_of_disabled: Literal["accepted", "refused"] = "accepted"
    copy_keeps_deprecation: bool = False
    # The newest guide says that a copy keeps its source's list of instance types; there is no report of it yet.
    copy_keeps_instance_types: bool = True
    # The key of a copy in another region when the source is encrypted and no key is given. The EC2 guide says "the
    # same key", which only a multi-Region key can be; the EBS guide says the destination's default key.
    encrypted_copy_key: Literal["default", "same"] = "default"
    # What happens to a paravirtual image whose kernel is missing in the destination.
    missing_kernel: Literal["refused", "failed"] = "refused"
    # Closed accounts: one of them is reported to make EC2 refuse the whole call that shares.
    closed_accounts: frozenset[str] = frozenset()
    # What becomes of a copy in progress when its account may no longer use the source's snapshots.
    unshared_source: Literal["copied", "failed"] = "copied"
    # The EBS guide says that a snapshot deleted while pending disappears only when its copy ends.
    deleted_pending_snapshot_lingers: bool = False
    # What EnableFastLaunch does for an image for which it is on, and whether DescribeFastLaunchImages lists one for
    # which it is off again: with "disabled", which the reference does not name, or not at all.
    fast_launch_again: Literal["changed", "refused"] = "changed"
    fast_launch_ended: Literal["gone", "disabled"] = "gone"
    # Whether the EBS direct APIs read a snapshot that another account shares; of public ones AWS says that they don't.
    ebs_direct_reads_shared: bool = True


def timing_of(*, copy_seconds: float | None = None, consistency: float = 0.0) -> Timing:
    """Return a timing in which a copy takes ``copy_seconds``, whatever its size.

    For ``consistency`` seconds, a copy is invisible, and other accounts don't see what is shared with them. None for
    ``copy_seconds`` is the default timing.
    """
    if copy_seconds is None:
        return Timing(visible_after=consistency, shared_after=consistency)
    return Timing(
        copy_seconds=copy_seconds * 0.8,
        seconds_per_gib=0.0,
        variation=0.0,
        finishing_seconds=copy_seconds * 0.2,
        visible_after=consistency,
        shared_after=consistency,
        snapshots_listed_after=min(0.4, copy_seconds * 0.1),
        key_checked_after=copy_seconds * 0.5,
    )
