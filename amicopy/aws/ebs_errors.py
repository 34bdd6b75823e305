"""Our errors for those of the EBS direct APIs, which name a reason beside the code.

Source: EBS direct API reference, the errors of ListSnapshotBlocks and GetSnapshotBlock. Which reason belongs to a
public or a pending snapshot isn't documented, so that one error stands for all of them.
"""

from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    BlockTokenExpired,
    KeyUnusable,
    SnapshotNotFound,
    SnapshotUnreadable,
    Throttled,
)

_NOT_READ = (
    "EBS reads completed snapshots of your own account, and private ones that are shared with you. It doesn't read "
    "public snapshots, or any that are from AWS Marketplace, local to an Outpost, or archived (restore them first: "
    "aws ec2 restore-snapshot-tier)."
)


def ebs_error(*, snapshot_id: str, region: str, code: str, reason: str, message: str) -> AmicopyError | None:
    """Return our error for one of the EBS direct APIs'; None for one that all services have."""
    why = f"{code}{f' ({reason})' if reason else ''}: {message}"
    what = f"{snapshot_id} in {region} cannot be read."
    match code, reason:
        case "AccessDeniedException", "DEPENDENCY_ACCESS_DENIED":
            return AccessDenied(
                f"These credentials may not call kms:Decrypt with the key of {snapshot_id} in {region}.",
                action="kms:Decrypt",
                why=why,
                next_step="Allow kms:Decrypt in their IAM policy and in the policy of that key.",
            )
        case "ResourceNotFoundException", _:
            return SnapshotNotFound(what, why=why, next_step="Check that it exists and is shared with this account.")
        case "ServiceQuotaExceededException", _:  # KMS's rate, as DEPENDENCY_SERVICE_QUOTA_EXCEEDED
            return Throttled(f"The account's rate of KMS calls in {region} is used up.", why=why)
        case "ValidationException", "INVALID_BLOCK_TOKEN" | "INVALID_PAGE_TOKEN":
            return BlockTokenExpired(what, why=why)
        case "ValidationException", "INVALID_CUSTOMER_KEY":
            return KeyUnusable(what, why=why, next_step="Enable its KMS key, then run the command again.")
        case "ValidationException", _:
            return SnapshotUnreadable(what, why=why, next_step=_NOT_READ)
    return None
