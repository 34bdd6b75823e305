"""How fast the sandbox's EC2 is, and which of several believable ways it goes.

Refuses to hold state: both are frozen, and chosen when a world is made.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take. The defaults suit a demonstration: a copy is done within seconds."""

    copy_seconds: float = 3.0
    seconds_per_gib: float = 0.1
    variation: float = 0.15  # of each snapshot's duration, up or down: no two end together
    finishing_seconds: float = 0.8  # from the last snapshot's completion to the image's
    visible_after: float = 0.5
    snapshots_listed_after: float = 0.4
    key_checked_after: float = 1.5
    throttle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """What AWS documents nowhere, as switches: a client has to bear either way."""

    # InvalidAMIID.NotFound and an empty list have both been seen for an id that is too new.
    unseen_id: Literal["not-found", "empty", "alternate"] = "not-found"
    # What a ClientToken gives whose image was deregistered in the meantime.
    dead_token: Literal["same-id", "error"] = "same-id"  # noqa: S105 - no secret: a client token
    # Whether the image shows its snapshots' ids while it is pending; both have been reported.
    pending_mappings_lack_snapshots: bool = True
    # The console lists disabled images among those to copy; nothing says what the API does.
    copy_of_disabled: Literal["accepted", "refused"] = "accepted"
    copy_keeps_deprecation: bool = False
    # An encrypted source copied to another region without a key: the EC2 guide says "the same key", which
    # only a multi-Region key can be; the EBS guide says the destination's default key.
    encrypted_copy_key: Literal["default", "same"] = "default"
    # A paravirtual image whose kernel the destination lacks.
    missing_kernel: Literal["refused", "failed"] = "refused"
    # The EBS guide says that a snapshot deleted while pending is gone when its copy has ended.
    deleted_pending_snapshot_lingers: bool = False
