"""What about a command line decides which IAM actions it needs, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from amicopy.core.accounts import DEFAULT_ROLE
from amicopy.core.content import ContentLevel
from amicopy.core.notification import Notification
from amicopy.core.write import WriteOperation
from amicopy.plan.differences import ATTRIBUTES
from amicopy.plan.iam_actions import ACTIONS, Action

ANYWHERE = "*"
ANY_REGION = (ANYWHERE,)
DEFAULT_KEY = ""

_FOUND = {"DescribeImages", "DescribeSnapshots", "DescribeRegions"}
_COMPARED = _FOUND | {"DescribeImageAttribute", "DescribeSnapshotAttribute"}
_REMOVAL = {str(WriteOperation.DEREGISTER), str(WriteOperation.DELETE_SNAPSHOT)}
_COMPLETION = {str(operation) for attribute in ATTRIBUTES for operation in attribute.purposes} - {
    str(WriteOperation.DELETE_TAGS)
}
_RETIREMENT = {
    "CreateTags",
    "DisableImage",
    "EnableImageDeprecation",
    "ModifyImageAttribute",
    "ModifySnapshotAttribute",
}
_BOOT_READS = {
    *("DescribeInstances", "DescribeInstanceStatus", "DescribeInstanceTypeOfferings", "DescribeSubnets"),
}
BOOT_WRITES = frozenset({"GetConsoleOutput", "RunInstances", "TerminateInstances"})
"""What a boot test does to instances; reading a console counts, since it can be limited to them."""
TEMPLATE_WRITES = frozenset({"CreateLaunchTemplateVersion", "ModifyLaunchTemplate"})
"""How an id is published as the default version of a launch template."""
FAST_RESTORE_WRITES = frozenset({"EnableFastSnapshotRestores", "DisableFastSnapshotRestores"})
"""How fast snapshot restore is switched on and off."""
FAST_LAUNCH_WRITES = frozenset({"EnableFastLaunch", "DisableFastLaunch"})
"""How EC2 Fast Launch is switched on and off."""
_RESTORATION = {
    *("DeleteTags", "DisableImageDeprecation", "EnableImage", "EnableImageDeprecation"),
    *("ModifyImageAttribute", "ModifySnapshotAttribute"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Systems Manager parameters: their names by region; ``*`` stands for anything."""

    by_region: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_region)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a command line comes to. Regions are names, or ``*`` where they are not known."""

    command: str = "copy"
    function: str = ""  # which Lambda function runs it
    manifests_at: tuple[str, ...] = ()  # where the function reads its manifest: s3://… or ssm:…
    partition: str = "aws"
    sources: tuple[str, ...] = ANY_REGION
    destinations: tuple[str, ...] = ANY_REGION
    only_look: bool = False  # a rehearsal
    permissions: bool = True  # the source's permissions are carried
    share: bool = False  # others are named instead
    deprecation: bool = True
    protection: bool = False
    adopt: bool = False  # copies without our tag get it
    repair: bool = False  # of verify
    prune: bool = False
    content: ContentLevel | None = None  # of verify: how much of the data is compared
    scan: bool = False  # the content of the sources is read
    only_snapshots: bool = False  # of scan: no AMI is looked at
    available: bool = False  # of cancel
    undo: bool = False  # of retire
    restores: bool = False  # of retire: another release at the same time
    checks_boot: bool = False  # --check boot
    keep: bool = False  # old copies are removed
    relays: bool = False  # copies are made from other copies
    reads: Parameters = field(default_factory=Parameters)
    publishes: Parameters = field(default_factory=Parameters)
    templates: tuple[str, ...] = ()  # regions in which launch templates get versions
    fast_restores: tuple[str, ...] = ()  # regions in which fast snapshot restore is switched
    fast_launches: tuple[str, ...] = ()  # regions in which EC2 Fast Launch is switched, or copies have it
    notifications: tuple[Notification, ...] = ()
    keys: Mapping[str, frozenset[str]] = field(default_factory=lambda: {ANYWHERE: frozenset({DEFAULT_KEY})})
    """The KMS keys of each destination as they are written, or `DEFAULT_KEY`; under ``*`` those of all others."""
    source_buckets: tuple[str, ...] = ()  # of instance store-backed sources
    accounts: tuple[str, ...] = ()  # other accounts that a role is assumed in; ``*`` where they are not known
    role: str = DEFAULT_ROLE
    units: bool = False  # they are found by their organizational unit
    grants: bool = False  # temporary permissions are given and taken away
    kms_grant: bool = False  # and on the keys of what is copied
    any_image: bool = False  # also images and snapshots without our tag

    @property
    def boots(self) -> bool:
        """Whether instances are launched."""
        return (self.command == "boot" or self.checks_boot) and not self.only_look

    @property
    def copies(self) -> bool:
        """Whether copies are made."""
        return self.command in {"copy", "sync"} and not self.only_look

    @property
    def places_of_blocks(self) -> tuple[str, ...]:
        """The regions in which the data of snapshots is read."""
        both = (*self.sources, *self.destinations) if self.content else self.sources
        return tuple(dict.fromkeys(both))

    @property
    def named_keys(self) -> bool:
        """Whether a KMS key is named."""
        return any(keys - {DEFAULT_KEY} for keys in self.keys.values())


def actions_for(needs: Needs) -> tuple[Action, ...]:
    """Return the EC2 and Systems Manager actions that such a run can come to, in the table's order."""
    operations = _reads(needs) | (set() if needs.only_look else _writes(needs))
    return tuple(action for action in ACTIONS if action.operation in operations)


def _reads(needs: Needs) -> set[str]:
    if needs.command == "dispatch":  # finds sources and regions
        return {"DescribeImages", "DescribeRegions"} | ({"GetParameter"} if needs.reads else set())
    if needs.command == "cancel":
        found = (_FOUND | {"DescribeInstances"}) - (set() if ANYWHERE in needs.destinations else {"DescribeRegions"})
        removing = set() if needs.only_look else _reads_of_features(needs)  # pending copies do not have them
        return found | ({"ListImagesInRecycleBin", "DescribeImageReferences", *removing} if needs.available else set())
    if needs.command == "scan":
        images = set() if needs.only_snapshots else {"DescribeImages", "DescribeSnapshots"}
        return images | _blocks(ContentLevel.FULL)
    if needs.command in {"status", "verify"}:
        return _COMPARED | _blocks(needs.content)
    if needs.command == "boot":
        found = _FOUND - (set() if ANYWHERE in needs.destinations else {"DescribeRegions"}) - {"DescribeSnapshots"}
        return found | _BOOT_READS
    if needs.command == "retire":
        return _reads_of_retire(needs)
    operations = set(_FOUND)
    if needs.accounts:
        operations |= {"GetEbsEncryptionByDefault", "GetEbsDefaultKmsKeyId"}
    if needs.accounts and needs.grants:
        operations |= {"DescribeImageAttribute", "DescribeSnapshotAttribute"}
    if needs.permissions:
        operations |= {"DescribeSnapshotAttribute", "GetSnapshotBlockPublicAccessState"}
    if needs.permissions or needs.share:
        operations |= {"DescribeImageAttribute", "GetImageBlockPublicAccessState", "GetServiceQuota"}
        operations |= {"GetEbsEncryptionByDefault", "GetEbsDefaultKmsKeyId"}
    if needs.relays:
        operations.add("GetEbsEncryptionByDefault")
    if needs.keep:
        operations |= {"DescribeImageReferences", "DescribeImageAttribute"}
    if needs.checks_boot:  # a rehearsal finds out, too, whether the tests can be made
        operations |= {"DescribeInstanceTypeOfferings", "DescribeSubnets"}
    if needs.boots:
        operations |= _BOOT_READS
    if needs.scan:
        operations |= _blocks(ContentLevel.FULL)
    if needs.reads:
        operations.add("GetParameter")
    if needs.templates:
        operations.add("DescribeLaunchTemplateVersions")
    if needs.fast_restores:
        operations.add("DescribeFastSnapshotRestores")
    if needs.fast_launches:
        operations.add("DescribeFastLaunchImages")
    return operations


def _reads_of_features(needs: Needs) -> set[str]:
    return {"DescribeFastSnapshotRestores", *(["DescribeFastLaunchImages"] if needs.fast_launches else [])}


def _switches(needs: Needs, switch: str) -> set[str]:
    """Return how the features of copies that exist are switched: ``Enable`` or ``Disable``."""
    return {f"{switch}FastSnapshotRestores", *([f"{switch}FastLaunch"] if needs.fast_launches else [])}


def _blocks(content: ContentLevel | None) -> set[str]:
    if content in {None, ContentLevel.SIZE}:
        return set()
    return {"ListSnapshotBlocks", *(["GetSnapshotBlock"] if content.reads_data else [])}


def _reads_of_retire(needs: Needs) -> set[str]:
    operations = _COMPARED - (set() if ANYWHERE in needs.destinations else {"DescribeRegions"})
    if not needs.undo:
        operations = operations | {"DescribeImageReferences"}
    if not needs.only_look:
        operations = operations | _reads_of_features(needs)
    if needs.reads:
        operations = operations | {"GetParameterHistory"} | (set() if needs.only_look else {"GetParameter"})
    return operations


def _writes(needs: Needs) -> set[str]:
    match needs.command:
        case "cancel":
            off = _switches(needs, "Disable") if needs.available else set()
            return {*_REMOVAL, "TerminateInstances", *off}
        case "status" | "scan":
            return set()
        case "boot":
            return {"CreateTags", *BOOT_WRITES}
        case "retire":
            operations = set(_RESTORATION if needs.undo else _RETIREMENT)
            operations |= _RESTORATION if needs.restores else set()
            operations |= set() if needs.undo else _switches(needs, "Disable")
            operations |= _switches(needs, "Enable") if needs.undo or needs.restores else set()
            return operations | ({"PutParameter"} if needs.publishes else set())
        case "verify":
            operations = set(_COMPLETION) if needs.repair else set()
        case _:
            operations = _COMPLETION | _REMOVAL | {"CopyImage"} | (BOOT_WRITES if needs.boots else set())
    if needs.prune:
        operations.add(str(WriteOperation.DELETE_TAGS))
    if not needs.permissions and not needs.prune:
        operations.discard(str(WriteOperation.MODIFY_SNAPSHOT))
    if not needs.deprecation:
        operations.discard(str(WriteOperation.DEPRECATE))
    if not needs.protection:
        operations.discard(str(WriteOperation.PROTECT))
    if needs.publishes:
        operations.add("PutParameter")
    if needs.templates:
        operations |= TEMPLATE_WRITES
    if needs.fast_restores:
        operations |= FAST_RESTORE_WRITES
    if needs.fast_launches:
        operations |= FAST_LAUNCH_WRITES
    return operations
