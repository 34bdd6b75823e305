"""The smallest IAM policy for what a command line needs, each statement with the reason for it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from amicopy.core.boot import BOOT_TAG
from amicopy.core.grants import GRANT_TAG
from amicopy.core.models import RETIRED_TAG, SCANNED_TAG, SOURCE_TAG
from amicopy.core.write import WriteOperation
from amicopy.plan.iam_actions import REFERENCE_ACTIONS
from amicopy.plan.iam_functions import SIDS as SIDS_OF_FUNCTIONS
from amicopy.plan.iam_functions import function_statements
from amicopy.plan.iam_keys import Statement, block_key_statement, key_statements, statement
from amicopy.plan.iam_needs import (
    ANY_REGION,
    ANYWHERE,
    BOOT_WRITES,
    FAST_LAUNCH_WRITES,
    FAST_RESTORE_WRITES,
    TEMPLATE_WRITES,
    Needs,
    Parameters,
    actions_for,
)

# For these the Service Authorization Reference names no tag of the image as a condition: they are from mid-2026.
_WITHOUT_TAG_CONDITION = {"ec2:AttachImageWatermark", "ec2:ReplaceImageInstanceTypeSpecification"}
_CREATE_TAGS = f"ec2:{WriteOperation.CREATE_TAGS}"

_VIA_EC2 = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}}
_HAS_TAG = {"Null": {f"aws:ResourceTag/{SOURCE_TAG}": "false"}}
_GETS_TAG = {"Null": {f"aws:RequestTag/{SOURCE_TAG}": "false"}}
_IS_RETIRED = {"Null": {f"aws:ResourceTag/{RETIRED_TAG}": "false"}}
_GETS_RETIRED = {
    "Null": {f"aws:RequestTag/{RETIRED_TAG}": "false"},
    "ForAllValues:StringLike": {"aws:TagKeys": [f"{RETIRED_TAG}*"]},
}
_ARE_RECORDS = {"ForAllValues:StringLike": {"aws:TagKeys": [f"{GRANT_TAG}*"]}, "Null": {"aws:TagKeys": "false"}}
_IS_BOOTED = {"Null": {f"aws:ResourceTag/{BOOT_TAG}": "false"}}
_FAST_LAUNCH_TAG = {"StringEquals": {"aws:RequestTag/CreatedBy": "EC2 Fast Launch"}}
_RECORDS_SCAN = {"ForAllValues:StringEquals": {"aws:TagKeys": [SCANNED_TAG]}, "Null": {"aws:TagKeys": "false"}}
_AT_CREATION = {"StringEquals": {"ec2:CreateAction": "CopyImage"}}

SIDS: Mapping[str, str] = {
    "AmicopyRead": "Find sources and copies, compare them, follow progress. These calls take no resource, or are made "
    "in several regions.",
    "AmicopyReadQuotas": "Read the quota of public AMIs, if a copy should be public and more than five already are.",
    "AmicopyReadParameters": "Read the parameters that contain sources, and those that ids are published to.",
    "AmicopyReadBlocks": "`verify --content`, `scan` and `copy --scan`: list the blocks of snapshots, and read them. "
    "This gives access to the data of every snapshot in these regions.",
    "AmicopyKmsReadBlocks": "The same for encrypted snapshots: decrypt their blocks, but only data of snapshots or "
    "volumes (`kms:EncryptionContextKeys`).",
    "AmicopyFindReferences": "Reads that EC2 makes in the caller's name to find what uses an image. Only through EC2 "
    "(`aws:CalledVia`).",
    "AmicopyAssumeRoles": "`--account`, `--ou`: assume the role in each of the other accounts.",
    "AmicopyListAccounts": "`--ou`, `ou` in a manifest: list the accounts of organizational units.",
    "AmicopyRecordAccess": "Record permissions for copying in the tags `amicopy:grant:ACCOUNT`, and delete these.",
    "AmicopyGiveAccess": "Grant these permissions on sources and copies, and revoke them.",
    "AmicopyKmsReadPolicies": "`--account`: check whether the other accounts can use the keys, before anything is "
    "written; find grants of `--kms-grant`.",
    "AmicopyKmsGrantAccounts": "`--kms-grant`: give the roles in the other accounts grants on these keys, with only "
    "what EC2 needs for copying.",
    "AmicopyKmsRevokeGrants": "Revoke these grants.",
    "AmicopyRecordScan": "`copy --scan`: record the findings in the source's tag `amicopy:scanned`, and in no other "
    "tag.",
    "AmicopyCopyImage": "Create images and snapshots in the destinations.",
    "AmicopyCopyFromSource": "The same call reads the source's image and snapshots.",
    "AmicopyTagNewCopies": "Set tags, only in the request that makes a copy (`ec2:CreateAction`).",
    "AmicopyTagAdoptedCopies": "`--adopt`: the tag `amicopy:source` for copies that other tools made.",
    "AmicopyManageCopies": "Complete, share and remove only images and snapshots with the tag `amicopy:source`.",
    "AmicopyManageAnyImage": "`--any-image`: the same for every image and snapshot in the destinations.",
    "AmicopySetWatermarksAndInstanceTypes": "Set two attributes for which AWS doesn't document a condition on tags.",
    "AmicopyRecordRetirement": "`retire`: record in tags what is about to be changed, on sources and copies. No other "
    "tags.",
    "AmicopyRetire": "`retire`: unshare, deprecate and disable only images and snapshots with that record; with "
    "`--undo`, restore them.",
    "AmicopyBootFrom": "`boot`: launch from any image, into any subnet and security group.",
    "AmicopyBootTagged": "The same call creates instances and volumes, only with the tag `amicopy:boot`.",
    "AmicopyTagInstances": "That tag, in the request that launches (`ec2:CreateAction`), and at no other time.",
    "AmicopyBootedInstances": "Tag, terminate and read the console of only instances with the tag `amicopy:boot`.",
    "AmicopyTerminateInstances": "`cancel`: terminate only instances with the tag `amicopy:boot`.",
    "AmicopyKmsBoot": "Attach volumes of encrypted copies, only through EC2.",
    "AmicopyKmsBootGrant": "Let EC2 keep using these keys while the instance runs, and nobody else.",
    "AmicopyPublishParameters": "Publish the ids of the copies; `retire`: write the AMI that a parameter had before.",
    "AmicopyPublishTemplates": "`publish` with `launch_templates`: create new default versions. IAM identifies "
    "templates by id, so this covers all of them in these regions.",
    "AmicopyFastRestore": "`fast_restore`: enable and disable fast snapshot restore only for snapshots with the tag "
    "`amicopy:source`; it is disabled before such a copy is removed or retired.",
    "AmicopyFastLaunch": "`fast_launch`: enable and disable EC2 Fast Launch only for images with the tag "
    "`amicopy:source`; it is disabled before such a copy is removed or retired.",
    "AmicopyFastLaunchTemplates": "`fast_launch`: use a launch template in that call.",
    "AmicopyFastLaunchFrom": "EC2 enables Fast Launch only for callers who may launch from the image themselves.",
    "AmicopyFastLaunchTagged": "The same call creates instances and volumes, only with the tag of EC2 Fast Launch.",
    "AmicopyFastLaunchTags": "That tag, in the request that launches (`ec2:CreateAction`), and at no other time.",
    "AmicopyFastLaunchRole": "The service-linked role of EC2 Fast Launch, which EC2 creates when it is first used.",
    "AmicopyNotifySns": "`--notify`: send the result to an SNS topic.",
    "AmicopyNotifyEvents": "`--notify`: send the result to an EventBridge bus.",
    "AmicopyKmsDescribeKeys": "Before the copy starts, refuse a key that is disabled or cannot encrypt.",
    "AmicopyKmsReadSources": "Decrypt an encrypted source, only through EC2 (`kms:ViaService`).",
    "AmicopyKmsEncryptCopies": "Encrypt the copies, only through EC2.",
    "AmicopyKmsGrantToEC2": "Let EC2 keep using these keys while it copies, and nobody else "
    "(`kms:GrantIsForAWSResource`).",
    "AmicopyS3ListBuckets": "`--instance-store`: find the bucket for AMIs in the destination.",
    "AmicopyS3ReadSource": "`--instance-store`: read the source's files.",
    "AmicopyS3WriteCopies": "`--instance-store`: write the copies' files to the buckets that EC2 names "
    "`amis-for-ACCOUNT-in-REGION…`.",
    **SIDS_OF_FUNCTIONS,
}
"""What each statement is for. One that ends in ``ByAlias`` does the same for keys that are named by an alias."""


def policy(needs: Needs) -> dict[str, Any]:
    """Return the least-privilege policy document for such runs."""
    return {"Version": "2012-10-17", "Statement": list(_statements(needs))}


def _statements(needs: Needs) -> Iterator[Statement]:
    actions = actions_for(needs)
    ec2 = [action for action in actions if action.service == "ec2"]
    if reads := [action.name for action in ec2 if not action.writes]:
        yield statement("AmicopyRead", reads, ["*"])
    if quotas := [action.name for action in actions if action.service == "servicequotas"]:
        yield statement("AmicopyReadQuotas", quotas, ["*"])
    if blocks := [action.name for action in actions if action.service == "ebs"]:
        arns = _arns(needs.partition, needs.places_of_blocks, ["snapshot"])
        yield statement("AmicopyReadBlocks", blocks, arns)
        yield block_key_statement(needs)
    if needs.keep or (needs.command == "retire" and not needs.undo):
        yield statement("AmicopyFindReferences", REFERENCE_ACTIONS, ["*"], _VIA_EC2)
    if needs.reads:
        names = [action.name for action in actions if action.service == "ssm" and not action.writes]
        yield statement("AmicopyReadParameters", names, _parameters(needs.partition, needs.reads))
    if needs.units:
        listing = ["organizations:ListAccountsForParent", "organizations:ListOrganizationalUnitsForParent"]
        yield statement("AmicopyListAccounts", listing, ["*"])
    if needs.accounts:
        yield from _entering(needs)
    if needs.copies:
        yield from _copying(needs)
    if needs.copies and needs.scan:
        images = _arns(needs.partition, needs.sources, ["image"])
        yield statement("AmicopyRecordScan", [_CREATE_TAGS], images, _RECORDS_SCAN)
    writes = {action.name for action in ec2 if action.writes} - {"ec2:CopyImage"}
    if needs.boots and writes:
        yield from _booting(needs)
    if needs.command == "cancel" and writes:
        instances = _instance_arns(needs)
        yield statement("AmicopyTerminateInstances", ["ec2:TerminateInstances"], instances, _IS_BOOTED)
    if needs.templates and not needs.only_look:
        regions = _region_names(needs.templates)
        templates = [f"arn:{needs.partition}:ec2:{region}:*:launch-template/*" for region in regions]
        yield statement("AmicopyPublishTemplates", [f"ec2:{one}" for one in TEMPLATE_WRITES], templates)
    if fast := writes & {f"ec2:{operation}" for operation in FAST_RESTORE_WRITES}:
        snapshots = _arns(needs.partition, needs.fast_restores or needs.destinations, ["snapshot"])
        yield statement("AmicopyFastRestore", fast, snapshots, None if needs.any_image else _HAS_TAG)
    if fast := writes & {f"ec2:{operation}" for operation in FAST_LAUNCH_WRITES}:
        images = _arns(needs.partition, needs.fast_launches, ["image"])
        yield statement("AmicopyFastLaunch", fast, images, None if needs.any_image else _HAS_TAG)
        if "ec2:EnableFastLaunch" in fast:
            yield from _fast_launching(needs)
    if needs.command != "boot":
        apart = BOOT_WRITES | TEMPLATE_WRITES | FAST_RESTORE_WRITES | FAST_LAUNCH_WRITES
        writes -= {f"ec2:{operation}" for operation in apart}
        yield from _retiring(needs, writes) if needs.command == "retire" else _managing(needs, writes)
    if needs.publishes and not needs.only_look:
        arns = _parameters(needs.partition, needs.publishes)
        yield statement("AmicopyPublishParameters", ["ssm:PutParameter"], arns)
    if not needs.only_look:
        for service, action in (("sns", "sns:Publish"), ("events", "events:PutEvents")):
            if arns := [one.text for one in needs.notifications if one.service == service]:
                yield statement(f"AmicopyNotify{service.title()}", [action], arns)
    if needs.copies or needs.command in {"copy", "sync"} or (needs.command == "verify" and needs.named_keys):
        yield from key_statements(needs)
    if needs.source_buckets and needs.copies:
        yield from _s3(needs)
    if needs.function:
        yield from function_statements(
            needs.function, needs.partition, needs.manifests_at, notifies=bool(needs.notifications)
        )


def _fast_launching(needs: Needs) -> Iterator[Statement]:
    """Yield what a caller has to be allowed so that EC2 switches Fast Launch on with a launch template.

    EC2 User Guide, "Configure EC2 Fast Launch settings"; the statements are those of AWS's managed policy
    EC2FastLaunchFullAccess, without what EC2 needs to make a VPC, and without ``iam:PassRole`` for every role.
    """
    regions = _region_names(needs.fast_launches)
    own = [f"arn:{needs.partition}:ec2:{region}:*:" for region in regions]
    templates = [f"{prefix}launch-template/*" for prefix in own]
    used = [f"{prefix}{kind}/*" for prefix in own for kind in ("network-interface", "security-group", "subnet")]
    made = [f"{prefix}{kind}/*" for prefix in own for kind in ("instance", "volume")]
    images = _arns(needs.partition, needs.fast_launches, ["image"])
    role = "role/aws-service-role/ec2fastlaunch.amazonaws.com/AWSServiceRoleForEC2FastLaunch"
    yield statement("AmicopyFastLaunchTemplates", ["ec2:EnableFastLaunch"], templates)
    yield statement("AmicopyFastLaunchFrom", ["ec2:RunInstances"], [*images, *templates, *used])
    yield statement("AmicopyFastLaunchTagged", ["ec2:RunInstances"], made, _FAST_LAUNCH_TAG)
    launching = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    yield statement("AmicopyFastLaunchTags", ["ec2:CreateTags"], made, launching)
    service = {"StringEquals": {"iam:AWSServiceName": "ec2fastlaunch.amazonaws.com"}}
    arn = f"arn:{needs.partition}:iam::*:{role}"
    yield statement("AmicopyFastLaunchRole", ["iam:CreateServiceLinkedRole"], [arn], service)


def _entering(needs: Needs) -> Iterator[Statement]:
    """Yield the roles in other accounts, and the permissions that they need while they copy."""
    roles = [f"arn:{needs.partition}:iam::{account}:role/{needs.role}" for account in needs.accounts]
    yield statement("AmicopyAssumeRoles", ["sts:AssumeRole"], roles)
    if not needs.grants or needs.only_look:
        return
    there = _arns(needs.partition, dict.fromkeys([*needs.sources, *needs.destinations]))
    yield statement("AmicopyRecordAccess", [_CREATE_TAGS, "ec2:DeleteTags"], there, _ARE_RECORDS)
    yield statement("AmicopyGiveAccess", ["ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute"], there)


def trust_policy(trusted: str, external_id: str) -> dict[str, Any]:
    """Return the trust policy of the role in another account: who may assume it, and by which name of a session."""
    condition: dict[str, Any] = {"StringLike": {"sts:RoleSessionName": "amicopy-*"}}
    if external_id:
        condition["StringEquals"] = {"sts:ExternalId": external_id}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AmicopyMayAssume",
                "Effect": "Allow",
                "Principal": {"AWS": trusted},
                "Action": "sts:AssumeRole",
                "Condition": condition,
            }
        ],
    }


def _copying(needs: Needs) -> Iterator[Statement]:
    """Yield CopyImage: EC2 checks the new image and snapshots, and since October 2024 those of the source, too.

    It is called in the destination, which `aws:RequestedRegion` names. That alone keeps a source in any region from
    allowing copies to any region (EC2 User Guide, "Grant permissions to copy Amazon EC2 AMIs").
    """
    there = _arns(needs.partition, needs.destinations)
    yield statement("AmicopyCopyImage", ["ec2:CopyImage"], there)
    sources = [region for region in needs.sources if region not in needs.destinations]
    if sources and needs.destinations != ANY_REGION:
        called = {"StringEquals": {"aws:RequestedRegion": list(needs.destinations)}}
        condition = called if ANYWHERE in sources else None
        yield statement("AmicopyCopyFromSource", ["ec2:CopyImage"], _arns(needs.partition, sources), condition)
    if not needs.any_image:
        yield statement("AmicopyTagNewCopies", [_CREATE_TAGS], there, _AT_CREATION)


def _managing(needs: Needs, writes: set[str]) -> Iterator[Statement]:
    """Yield everything that is written to copies that exist."""
    if not writes:
        return
    there = _arns(needs.partition, needs.destinations)
    if needs.any_image:
        yield statement("AmicopyManageAnyImage", writes, there)
        return
    if needs.adopt and _CREATE_TAGS in writes:
        yield statement("AmicopyTagAdoptedCopies", [_CREATE_TAGS], there, _GETS_TAG)
    yield statement("AmicopyManageCopies", writes - _WITHOUT_TAG_CONDITION, there, _HAS_TAG)
    if newer := writes & _WITHOUT_TAG_CONDITION:
        images = _arns(needs.partition, needs.destinations, ["image"])
        yield statement("AmicopySetWatermarksAndInstanceTypes", newer, images)


def _retiring(needs: Needs, writes: set[str]) -> Iterator[Statement]:
    """Yield what `retire` writes to sources and copies. Sources have no tag of ours until it records what it takes."""
    places = list(dict.fromkeys([*needs.sources, *needs.destinations]))
    there = _arns(needs.partition, places)
    if needs.any_image and writes:
        yield statement("AmicopyManageAnyImage", writes, there)
        return
    if _CREATE_TAGS in writes:
        yield statement("AmicopyRecordRetirement", [_CREATE_TAGS], there, _GETS_RETIRED)
    if rest := writes - {_CREATE_TAGS}:
        yield statement("AmicopyRetire", rest, there, _IS_RETIRED)


def _booting(needs: Needs) -> Iterator[Statement]:
    """Yield the launch of a tagged instance, and everything else on what has that tag.

    EC2 checks RunInstances against all that it uses and makes (Service Authorization Reference, "RunInstances").
    """
    regions = _region_names(needs.destinations)
    own = _owned(needs)
    used = [f"{prefix}{kind}/*" for prefix in own for kind in ("network-interface", "security-group", "subnet")]
    made = [f"{prefix}{kind}/*" for prefix in own for kind in ("instance", "volume")]
    yield statement("AmicopyBootFrom", ["ec2:RunInstances"], [*_arns(needs.partition, needs.destinations), *used])
    yield statement("AmicopyBootTagged", ["ec2:RunInstances"], made, {"Null": {f"aws:RequestTag/{BOOT_TAG}": "false"}})
    yield statement("AmicopyTagInstances", [_CREATE_TAGS], made, {"StringEquals": {"ec2:CreateAction": "RunInstances"}})
    actions = [_CREATE_TAGS, "ec2:GetConsoleOutput", "ec2:TerminateInstances"]
    yield statement("AmicopyBootedInstances", actions, _instance_arns(needs), _IS_BOOTED)
    keys = [f"arn:{needs.partition}:kms:{region}:*:key/*" for region in regions]
    via = {"StringLike": {"kms:ViaService": [f"ec2.{region}.*" for region in regions]}}
    uses = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"]
    yield statement("AmicopyKmsBoot", uses, keys, via)
    grants = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    yield statement("AmicopyKmsBootGrant", ["kms:CreateGrant"], keys, {**via, **grants})


def _owned(needs: Needs) -> list[str]:
    """Return how the ARNs of the account's own resources in the destinations begin."""
    return [f"arn:{needs.partition}:ec2:{region}:*:" for region in _region_names(needs.destinations)]


def _instance_arns(needs: Needs) -> list[str]:
    return [f"{prefix}instance/*" for prefix in _owned(needs)]


def _s3(needs: Needs) -> Iterator[Statement]:
    """Yield what EC2 does in S3 in the caller's name when it copies an instance store-backed AMI.

    EC2 User Guide, "Grant permissions to copy Amazon EC2 AMIs" and "How Amazon EC2 AMI copy works".
    """
    s3 = f"arn:{needs.partition}:s3:::"
    yield statement("AmicopyS3ListBuckets", ["s3:ListAllMyBuckets"], [f"{s3}*"])
    buckets = [f"{s3}{bucket}" for bucket in needs.source_buckets]
    reads = ["s3:GetBucketAcl", "s3:GetObject"]
    yield statement("AmicopyS3ReadSource", reads, [*buckets, *(f"{bucket}/*" for bucket in buckets)])
    writes = ["s3:CreateBucket", "s3:GetBucketAcl", "s3:PutBucketOwnershipControls", "s3:PutObject", "s3:PutObjectAcl"]
    yield statement("AmicopyS3WriteCopies", writes, [f"{s3}amis-for-*-in-{region}*" for region in needs.destinations])


def _parameters(partition: str, parameters: Parameters) -> list[str]:
    """Return the ARNs of parameters, in which their names have no leading slash."""
    return [
        f"arn:{partition}:ssm:{region}:*:parameter/{name.lstrip('/')}"
        for region, names in parameters.by_region.items()
        for name in sorted(names)
    ]


def _arns(partition: str, regions: Iterable[str], kinds: Iterable[str] = ("image", "snapshot")) -> list[str]:
    """Return the ARNs of all images and snapshots in these regions; they carry no account id."""
    return [f"arn:{partition}:ec2:{region}::{kind}/*" for region in _region_names(regions) for kind in kinds]


def _region_names(regions: Iterable[str]) -> list[str]:
    return [ANYWHERE] if ANYWHERE in (some := list(regions)) else some
