"""The state of a sandbox, and one call to it."""

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from amicopy.core.clock import Clock
from amicopy.sandbox.accounts import Account, RoleSession
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.faults import InjectedFaults
from amicopy.sandbox.instance_runs import InstanceRun
from amicopy.sandbox.other_resources import OtherResources
from amicopy.sandbox.pending_copies import PendingCopy, advance
from amicopy.sandbox.records import Image, KeyMetadata, Snapshot, is_shared
from amicopy.sandbox.settings import ALWAYS_ENABLED, KERNELS, PV_GRUB, REGIONS, Settings, partition_of

AWS_MANAGED_KEY = "alias/aws/ebs"
KeyLookup = Callable[[str, str, str], KeyMetadata | None]  # account, region, and the key's id, alias or ARN

IsAllowed = Callable[[str, str], bool]  # action and resource ARN


def everything_allowed(_action: str, _resource: str) -> bool:
    """Return True: the default where no policies are enforced."""
    return True


def any_key(account: str, region: str, key: str) -> KeyMetadata:
    """Treat every key as existing and enabled: the default where no KMS is connected."""
    if key.startswith("arn:") and ":key/" in key:
        return KeyMetadata(arn=key)
    if key.startswith("arn:"):
        key = key.split(":", 5)[5]
    managed = key == AWS_MANAGED_KEY
    if key.startswith("alias/"):
        digest = hashlib.blake2b(f"{account}/{region}/{key}".encode(), digest_size=16).hexdigest()
        key = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
    arn = f"arn:{partition_of(region)}:kms:{region}:{account}:key/{key}"
    return KeyMetadata(arn=arn, aws_managed=managed)


def default_kernels() -> dict[str, dict[str, str]]:
    """Return each region's kernels: kernel id → name."""
    return {region: {kernel_id: PV_GRUB} for region, kernel_id in KERNELS.items()}


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that outlives a call."""

    clock: Clock
    timing: Timing
    unconfirmed: Unconfirmed
    seed: int
    regions: tuple[str, ...] = REGIONS  # those that exist
    enabled_regions: frozenset[str] = frozenset(ALWAYS_ENABLED)  # for an account that has changed nothing
    faults: InjectedFaults = field(default_factory=InjectedFaults)
    # By region, then by id.
    images: dict[str, dict[str, Image]] = field(default_factory=lambda: defaultdict(dict))
    deregistered: dict[str, dict[str, Image]] = field(default_factory=lambda: defaultdict(dict))
    recycled: dict[str, dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))  # until when
    snapshots: dict[str, dict[str, Snapshot]] = field(default_factory=lambda: defaultdict(dict))
    pending_copies: dict[str, list[PendingCopy]] = field(default_factory=lambda: defaultdict(list))
    settings: dict[tuple[str, str], Settings] = field(default_factory=dict)  # account, region
    # Account, region, client token → the parameters it came with, the image that it returned.
    tokens: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    organizations: dict[str, set[str]] = field(default_factory=dict)  # account → ARNs of its organization and OUs
    # Accounts that were added: with the first of them, only roles that exist can be assumed.
    accounts: dict[str, Account] = field(default_factory=dict)
    sessions: dict[str, RoleSession] = field(default_factory=dict)  # access key → the session of a role
    # Region → kernels and RAM disks, id → name; those with the same name match across regions.
    kernels: dict[str, dict[str, str]] = field(default_factory=default_kernels)
    # Image id → resource type, ARN: what uses an image beside the other resources.
    references: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    instance_runs: dict[str, InstanceRun] = field(default_factory=dict)  # by instance id
    fast_launch_roles: set[str] = field(default_factory=set)  # accounts that have the service-linked role
    adopted: set[str] = field(default_factory=set)  # ids of snapshots that other services made
    keys: KeyLookup = any_key
    others: OtherResources = field(default_factory=OtherResources)
    ids_issued: int = 0
    unseen_responses: int = 0

    def settings_of(self, account: str, region: str) -> Settings:
        """Return the account's settings in the region; the first call creates them."""
        settings = self.settings.get((account, region))
        if settings is None:
            settings = self.settings[account, region] = Settings(opted_in=region in self.enabled_regions)
        return settings

    def identities_of(self, account: str) -> set[str]:
        """Return the account's id, and the ARNs of its organization and of all units that it is in."""
        organization = self.organizations.get(account, set()).union(self.others.organization_arns(account))
        return {account} | organization

    def advance(self, region: str) -> datetime:
        """Make everything happen in the region that is due by now; return the current time."""
        now = self.clock.now()
        if self.pending_copies[region]:
            self.pending_copies[region] = advance(
                self.pending_copies[region], images=self.images[region], snapshots=self.snapshots[region], now=now
            )
        return now

    def new_id(self, prefix: str) -> str:
        """Return a new id; worlds with the same seed issue the same ids in the same order."""
        self.ids_issued += 1
        digest = hashlib.blake2b(f"{self.seed}/{self.ids_issued}".encode(), digest_size=8).hexdigest()
        return f"{prefix}-0{digest}"

    def vary(self, seconds: float) -> float:
        """Return the duration made a little longer or shorter, reproducibly for the same seed."""
        spread = self.timing.variation
        # Not for secrets: a demo looks alive, and a test repeats exactly.
        return seconds * random.Random(f"{self.seed}/{self.ids_issued}").uniform(1 - spread, 1 + spread)  # noqa: S311


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One EC2 call, with the checks and look-ups that all operations share."""

    state: State
    operation: str
    params: Mapping[str, Any]
    region: str
    account: str
    now: datetime
    is_allowed: IsAllowed = everything_allowed

    @property
    def settings(self) -> Settings:
        """Return the caller's settings in the region."""
        return self.state.settings_of(self.account, self.region)

    def required(self, name: str) -> Any:
        """Return a parameter, or raise MissingParameter if it is missing or empty."""
        value = self.params.get(name)
        if value is None or value in ("", []):
            raise errors.missing_parameter(name)
        return value

    def principals(self) -> set[str]:
        """Return every principal of a launch permission that includes the caller."""
        return {"all"} | self.state.identities_of(self.account)

    def sees(self, image: Image) -> bool:
        """Return True if DescribeImages would show the image to the caller now."""
        if self.now < image.visible_at:
            return False
        return image.owner == self.account or is_shared(
            image.launch_permissions, image.shared_from, self.principals(), self.now
        )

    def image(self, image_id: str, region: str = "") -> Image:
        """Return an image that the caller can see, or raise EC2's error for the id."""
        region = region or self.region
        image = self.state.images[region].get(image_id)
        if image is not None and self.sees(image):
            return image
        deregistered = self.state.deregistered[region].get(image_id)
        if image is None and deregistered is not None and deregistered.owner == self.account:
            raise errors.image_deregistered(image_id)
        # EC2 takes any short text after "ami-" for an id that doesn't exist: aws/aws-sdk#97, cloud-custodian#3630.
        if image is None and not re.fullmatch(r"ami-(.{1,8}|[0-9a-f]{17})", image_id):
            raise errors.image_malformed(image_id)
        raise errors.image_not_found(image_id)

    def own_image(self, image_id: str) -> Image:
        """Return an image that the caller owns, or raise EC2's error."""
        image = self.image(image_id)
        if image.owner != self.account:
            raise errors.not_authorized_for_image(image_id)
        return image

    def sees_snapshot(self, snapshot: Snapshot) -> bool:
        """Return True if DescribeSnapshots would show the snapshot to the caller now."""
        if self.now < snapshot.listed_at:
            return False
        return self.may_read(snapshot)

    def may_read(self, snapshot: Snapshot) -> bool:
        """Return True if the caller owns the snapshot, or may create volumes from it."""
        return snapshot.owner == self.account or is_shared(
            snapshot.shared_with, snapshot.shared_from, ("all", self.account), self.now
        )

    def seen_from(self, added: Collection[str]) -> dict[str, datetime]:
        """Return from when on those with whom something is shared now see it; empty if they do at once."""
        seconds = self.state.timing.shared_after
        return dict.fromkeys(added, self.now + timedelta(seconds=seconds)) if seconds else {}

    def snapshot(self, snapshot_id: str, region: str = "") -> Snapshot:
        """Return a snapshot that the caller can see, or raise EC2's error for the id."""
        snapshot = self.state.snapshots[region or self.region].get(snapshot_id)
        if snapshot is not None and self.sees_snapshot(snapshot):
            return snapshot
        if snapshot is None and not re.fullmatch(r"snap-([0-9a-f]{8}|[0-9a-f]{17})", snapshot_id):
            raise errors.snapshot_malformed(snapshot_id)
        raise errors.snapshot_not_found(snapshot_id)

    def own_snapshot(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot that the caller owns, or raise EC2's error."""
        snapshot = self.snapshot(snapshot_id)
        if snapshot.owner != self.account:
            # The wording is that for images; EC2's own for snapshots is not known.
            raise errors.Ec2Error("AuthFailure", f"Not authorized for snapshot:{snapshot_id}")
        return snapshot
