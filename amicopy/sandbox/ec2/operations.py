"""The EC2 operations that the sandbox answers itself, or checks first; moto answers the others."""

from collections.abc import Callable, Mapping
from typing import Any

from amicopy.sandbox.ec2 import (
    copy_image,
    create_image,
    describe_images,
    fast_launches,
    fast_restores,
    image_attributes,
    image_lifecycle,
    image_references,
    instance_status,
    launch_templates,
    launches,
    region_settings,
    snapshots,
    tags,
)
from amicopy.sandbox.state import Call

Operation = Callable[[Call], dict[str, Any]]

# Operations that amicopy calls.
AMICOPY_OPERATIONS: Mapping[str, Operation] = {
    "AttachImageWatermark": image_attributes.attach_watermark,
    "CopyImage": copy_image.copy_image,
    "CreateTags": tags.create_tags,
    "DeleteSnapshot": snapshots.delete_snapshot,
    "DeleteTags": tags.delete_tags,
    "DeregisterImage": image_lifecycle.deregister_image,
    "DescribeFastLaunchImages": fast_launches.describe,
    "DescribeFastSnapshotRestores": fast_restores.describe,
    "DescribeImageAttribute": describe_images.describe_image_attribute,
    "DescribeImageReferences": image_references.describe_image_references,
    "DescribeImages": describe_images.describe_images,
    "DescribeRegions": region_settings.describe_regions,
    "DescribeSnapshotAttribute": snapshots.describe_snapshot_attribute,
    "DescribeSnapshots": snapshots.describe_snapshots,
    "DisableFastLaunch": fast_launches.disable,
    "DisableFastSnapshotRestores": fast_restores.disable,
    "DisableImage": image_lifecycle.disable_image,
    "DisableImageDeprecation": image_lifecycle.disable_deprecation,
    "EnableFastLaunch": fast_launches.enable,
    "EnableFastSnapshotRestores": fast_restores.enable,
    "EnableImage": image_lifecycle.enable_image,
    "EnableImageDeprecation": image_lifecycle.enable_deprecation,
    "EnableImageDeregistrationProtection": image_lifecycle.enable_protection,
    "DescribeInstanceStatus": instance_status.describe_instance_status,
    "GetConsoleOutput": instance_status.get_console_output,
    "GetEbsDefaultKmsKeyId": region_settings.get_default_key,
    "GetEbsEncryptionByDefault": region_settings.get_encryption_by_default,
    "GetImageBlockPublicAccessState": region_settings.get_image_block,
    "GetSnapshotBlockPublicAccessState": region_settings.get_snapshot_block,
    "ListImagesInRecycleBin": image_lifecycle.list_recycle_bin,
    "ModifyImageAttribute": image_attributes.modify_image_attribute,
    "ModifySnapshotAttribute": snapshots.modify_snapshot_attribute,
    "ReplaceImageInstanceTypeSpecification": image_attributes.replace_instance_types,
}

# Operations that amicopy never calls. They are for people who point other tools at the sandbox: to prepare it with the
# AWS CLI, to look at a copy, or to run packer, Terraform or their own scripts against it.
OTHER_OPERATIONS: Mapping[str, Operation] = {
    "CancelImageLaunchPermission": image_attributes.cancel_image_launch_permission,
    "CopySnapshot": snapshots.copy_snapshot,
    "CreateImage": create_image.create_image,
    "CreateSnapshot": snapshots.create_snapshot,
    "CreateSnapshots": snapshots.create_snapshots,
    "DetachImageWatermark": image_attributes.detach_watermark,
    "DescribeTags": tags.describe_tags,
    "DisableEbsEncryptionByDefault": region_settings.disable_encryption_by_default,
    "DisableImageBlockPublicAccess": region_settings.disable_image_block,
    "DisableImageDeregistrationProtection": image_lifecycle.disable_protection,
    "DisableSnapshotBlockPublicAccess": region_settings.disable_snapshot_block,
    "EnableEbsEncryptionByDefault": region_settings.enable_encryption_by_default,
    "EnableImageBlockPublicAccess": region_settings.enable_image_block,
    "EnableSnapshotBlockPublicAccess": region_settings.enable_snapshot_block,
    "GetImageAncestry": describe_images.get_image_ancestry,
    "ModifyEbsDefaultKmsKeyId": region_settings.modify_default_key,
    "RegisterImage": image_lifecycle.register_image,
    "RestoreImageFromRecycleBin": image_lifecycle.restore_from_recycle_bin,
    "ResetEbsDefaultKmsKeyId": region_settings.reset_default_key,
    "ResetImageAttribute": image_attributes.reset_image_attribute,
    "ResetSnapshotAttribute": snapshots.reset_snapshot_attribute,
}

OPERATIONS: Mapping[str, Operation] = {**AMICOPY_OPERATIONS, **OTHER_OPERATIONS}

# Operations that moto answers. The sandbox checks their parameters and returns those that moto is to get.
CHECKED_OPERATIONS: Mapping[str, Operation] = {
    "CreateLaunchTemplateVersion": launch_templates.create_version,
    "CreateVolume": launches.create_volume,
    "RunInstances": launches.run_instances,
}
