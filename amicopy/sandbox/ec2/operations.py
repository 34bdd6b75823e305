"""Which operations the world answers, and where.

Refuses to answer anything: a table.
"""

from collections.abc import Callable, Mapping
from typing import Any

from amicopy.sandbox.ec2 import copy_image as copying
from amicopy.sandbox.ec2 import describe_images as images
from amicopy.sandbox.ec2 import image_attributes as sharing
from amicopy.sandbox.ec2 import image_lifecycle as lifecycle
from amicopy.sandbox.ec2 import region_settings as account
from amicopy.sandbox.ec2 import snapshots, tags
from amicopy.sandbox.state import Call

OPERATIONS: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    "CancelImageLaunchPermission": sharing.cancel_image_launch_permission,
    "CopyImage": copying.copy_image,
    "CopySnapshot": snapshots.copy_snapshot,
    "CreateSnapshot": snapshots.create_snapshot,
    "CreateTags": tags.create_tags,
    "DeleteSnapshot": snapshots.delete_snapshot,
    "DeleteTags": tags.delete_tags,
    "DeregisterImage": lifecycle.deregister_image,
    "DescribeImageAttribute": images.describe_image_attribute,
    "DescribeImageReferences": images.describe_image_references,
    "DescribeImages": images.describe_images,
    "DescribeRegions": account.describe_regions,
    "DescribeSnapshotAttribute": snapshots.describe_snapshot_attribute,
    "DescribeSnapshots": snapshots.describe_snapshots,
    "DescribeTags": tags.describe_tags,
    "DisableEbsEncryptionByDefault": account.disable_encryption_by_default,
    "DisableImage": lifecycle.disable_image,
    "DisableImageBlockPublicAccess": account.disable_image_block,
    "DisableImageDeprecation": lifecycle.disable_deprecation,
    "DisableImageDeregistrationProtection": lifecycle.disable_protection,
    "DisableSnapshotBlockPublicAccess": account.disable_snapshot_block,
    "EnableEbsEncryptionByDefault": account.enable_encryption_by_default,
    "EnableImage": lifecycle.enable_image,
    "EnableImageBlockPublicAccess": account.enable_image_block,
    "EnableImageDeprecation": lifecycle.enable_deprecation,
    "EnableImageDeregistrationProtection": lifecycle.enable_protection,
    "EnableSnapshotBlockPublicAccess": account.enable_snapshot_block,
    "GetEbsDefaultKmsKeyId": account.get_default_key,
    "GetEbsEncryptionByDefault": account.get_encryption_by_default,
    "GetImageAncestry": images.get_image_ancestry,
    "GetImageBlockPublicAccessState": account.get_image_block,
    "GetSnapshotBlockPublicAccessState": account.get_snapshot_block,
    "ModifyEbsDefaultKmsKeyId": account.modify_default_key,
    "ModifyImageAttribute": sharing.modify_image_attribute,
    "ModifySnapshotAttribute": snapshots.modify_snapshot_attribute,
    "RegisterImage": lifecycle.register_image,
    "ResetEbsDefaultKmsKeyId": account.reset_default_key,
    "ResetImageAttribute": sharing.reset_image_attribute,
    "ResetSnapshotAttribute": snapshots.reset_snapshot_attribute,
}
