"""Regions, and an account's settings and quotas in each of them."""

from dataclasses import dataclass

# The sandbox's own access keys are this and the account. moto expects keys of 20 characters.
KEY_PREFIX = "AKIASBOX"
_ALWAYS_ENABLED = """
us-east-1 us-east-2 us-west-1 us-west-2 ap-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1
ap-southeast-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 eu-north-1 sa-east-1
cn-north-1 cn-northwest-1 us-gov-east-1 us-gov-west-1
"""
_OPT_IN = """
af-south-1 ap-east-1 ap-east-2 ap-south-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6
ap-southeast-7 ca-west-1 eu-central-2 eu-south-1 eu-south-2 il-central-1 me-central-1 me-south-1 mx-central-1
"""
ALWAYS_ENABLED, OPT_IN = tuple(_ALWAYS_ENABLED.split()), tuple(_OPT_IN.split())
REGIONS = ALWAYS_ENABLED + OPT_IN

# The kernel of paravirtual images (PV-GRUB 1.04, 64-bit): its id differs by region, and newer regions have none.
PV_GRUB = "pv-grub-hd0_1.04-x86_64.gz"
KERNELS = {
    "us-east-1": "aki-919dcaf8",
    "us-west-1": "aki-880531cd",
    "us-west-2": "aki-fc8f11cc",
    "eu-west-1": "aki-52a34525",
    "eu-central-1": "aki-184c7a05",
    "ap-northeast-1": "aki-176bf516",
    "ap-southeast-1": "aki-503e7402",
    "ap-southeast-2": "aki-c362fff9",
    "sa-east-1": "aki-5553f448",
}


def partition_of(region: str) -> str:
    """Return the region's partition. Nothing can be copied from one partition to another."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def ec2_arn(region: str, kind: str, resource_id: str) -> str:
    """Return the ARN of an image or a snapshot, which has no account."""
    return f"arn:{partition_of(region)}:ec2:{region}::{kind}/{resource_id}"


def endpoint_of(region: str) -> str:
    """Return the region's EC2 endpoint, as DescribeRegions shows it."""
    suffix = ".cn" if partition_of(region) == "aws-cn" else ""
    return f"ec2.{region}.amazonaws.com{suffix}"


@dataclass(slots=True, kw_only=True)
class Settings:
    """One account's settings and quotas in one region. A test may change any of them."""

    opted_in: bool = True
    encryption_by_default: bool = False
    default_kms_key: str = ""  # "": the AWS managed key, alias/aws/ebs
    image_block_public_access: str = "unblocked"
    image_block_managed_by: str = "account"
    snapshot_block_public_access: str = "unblocked"
    image_copies_limit: int = 300
    snapshot_copies_limit: int = 20
    public_images_limit: int = 5
    sharing_limit: int = 1000
    fast_restore_limit: int = 5  # snapshots
    image_retention_days: int = 0  # a Recycle Bin retention rule for AMIs; 0: there is none
    time_based_mib_per_second: int = 2000
    time_based_snapshot_mib_per_second: int = 500
    required_tag_keys: frozenset[str] = frozenset()  # a tag policy: creating a resource without these tags is refused
