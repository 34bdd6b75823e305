"""An account's settings in a region: encryption by default, block public access, and the list of regions.

The operations that copy and share enforce them.
"""

from typing import Any

from amicopy.sandbox.ec2 import encryption, errors
from amicopy.sandbox.ec2.filters import apply_filters
from amicopy.sandbox.settings import OPT_IN, endpoint_of, partition_of
from amicopy.sandbox.state import Call


def describe_regions(call: Call) -> dict[str, Any]:
    """DescribeRegions: list the regions enabled for the account, or all regions of the partition."""
    known = [region for region in call.state.regions if partition_of(region) == partition_of(call.region)]
    named = call.params.get("RegionNames") or []
    for name in named:
        if name not in known:
            raise errors.Ec2Error("InvalidParameterValue", f"Invalid region name: [{name}]")
    rows = [_region(call, region) for region in known if not named or region in named]
    if not call.params.get("AllRegions") and not named:
        rows = [row for row in rows if row["OptInStatus"] != "not-opted-in"]
    kept = apply_filters(call.params.get("Filters"), rows, columns=_COLUMNS, tags=lambda _row: {})
    return {"Regions": kept}


def _region(call: Call, region: str) -> dict[str, str]:
    enabled = call.state.settings_of(call.account, region).opted_in
    status = "opted-in" if enabled and region in OPT_IN else "opt-in-not-required"
    return {
        "RegionName": region,
        "Endpoint": endpoint_of(region),
        "OptInStatus": status if enabled else "not-opted-in",
    }


_COLUMNS: dict[str, Any] = {
    "endpoint": lambda row: [row["Endpoint"]],
    "opt-in-status": lambda row: [row["OptInStatus"]],
    "region-name": lambda row: [row["RegionName"]],
}


def get_encryption_by_default(call: Call) -> dict[str, Any]:
    """GetEbsEncryptionByDefault: return whether EBS encryption by default is on."""
    enabled = call.settings.encryption_by_default
    return {"EbsEncryptionByDefault": enabled, "SseType": "sse-kms" if enabled else "none"}


def enable_encryption_by_default(call: Call) -> dict[str, Any]:
    """EnableEbsEncryptionByDefault: encrypt everything that is created in the region from now on."""
    call.settings.encryption_by_default = True
    return {"EbsEncryptionByDefault": True}


def disable_encryption_by_default(call: Call) -> dict[str, Any]:
    """DisableEbsEncryptionByDefault: turn EBS encryption by default off."""
    call.settings.encryption_by_default = False
    return {"EbsEncryptionByDefault": False}


def get_default_key(call: Call) -> dict[str, Any]:
    """GetEbsDefaultKmsKeyId: return the alias of the AWS managed key, or the ARN that was set."""
    return {"KmsKeyId": encryption.default_key(call)}


def modify_default_key(call: Call) -> dict[str, Any]:
    """ModifyEbsDefaultKmsKeyId: set the default key for EBS encryption."""
    key = encryption.find_key(call, call.required("KmsKeyId"))
    if key is None or not key.usable:
        raise errors.invalid_value(call.params["KmsKeyId"], "KmsKeyId", "The key is not accessible.")
    call.settings.default_kms_key = key.arn
    return {"KmsKeyId": key.arn}


def reset_default_key(call: Call) -> dict[str, Any]:
    """ResetEbsDefaultKmsKeyId: make the AWS managed key the default again."""
    call.settings.default_kms_key = ""
    return get_default_key(call)


def get_image_block(call: Call) -> dict[str, Any]:
    """GetImageBlockPublicAccessState: return whether AMIs can be made public."""
    return {
        "ImageBlockPublicAccessState": call.settings.image_block_public_access,
        "ManagedBy": call.settings.image_block_managed_by,
    }


def enable_image_block(call: Call) -> dict[str, Any]:
    """EnableImageBlockPublicAccess: takes effect at once here, within ten minutes on AWS."""
    state = call.required("ImageBlockPublicAccessState")
    if state != "block-new-sharing":
        raise errors.invalid_value(state, "ImageBlockPublicAccessState")
    call.settings.image_block_public_access = state
    return {"ImageBlockPublicAccessState": state}


def disable_image_block(call: Call) -> dict[str, Any]:
    """DisableImageBlockPublicAccess: allow AMIs to be made public."""
    call.settings.image_block_public_access = "unblocked"
    return {"ImageBlockPublicAccessState": "unblocked"}


def get_snapshot_block(call: Call) -> dict[str, Any]:
    """GetSnapshotBlockPublicAccessState: return whether snapshots can be made public."""
    return {"State": call.settings.snapshot_block_public_access, "ManagedBy": "account"}


def enable_snapshot_block(call: Call) -> dict[str, Any]:
    """EnableSnapshotBlockPublicAccess: prevent snapshots from being made public."""
    state = call.required("State")
    if state not in ("block-all-sharing", "block-new-sharing"):
        raise errors.invalid_value(state, "State")
    call.settings.snapshot_block_public_access = state
    return {"State": state}


def disable_snapshot_block(call: Call) -> dict[str, Any]:
    """DisableSnapshotBlockPublicAccess: allow snapshots to be made public."""
    call.settings.snapshot_block_public_access = "unblocked"
    return {"State": "unblocked"}
