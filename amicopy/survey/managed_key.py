"""Which existing copies are encrypted with the AWS-managed key: EC2 doesn't let their AMIs and snapshots be shared."""

from collections.abc import Sequence
from dataclasses import replace

from amicopy.aws.ec2 import Ec2
from amicopy.aws.kms import KmsClient
from amicopy.core.errors import AccessDenied, KeyNotFound, RequestRefused, Throttled, Unreachable
from amicopy.core.models import Image

_ALIAS = "alias/aws/ebs"


def with_managed_keys(images: Sequence[Image], ec2: Ec2, kms: KmsClient) -> list[Image]:
    """Return the images with a mark on each snapshot that the AWS-managed key encrypts.

    Pending images get their snapshots first, as far as EC2 shows them. The key is looked up only if a snapshot is
    encrypted; if that isn't possible, nothing is marked, and EC2 refuses the sharing later.
    """
    described = [image if image.snapshots else _with_snapshots(image, ec2) for image in images]
    if not any(snapshot.encrypted for image in described for snapshot in image.snapshots):
        return described
    try:
        arn = kms.describe_key(_ALIAS).arn
    except (AccessDenied, KeyNotFound, RequestRefused, Throttled, Unreachable):
        return described
    return [
        replace(
            image,
            snapshots=tuple(
                replace(one, has_aws_managed_key=bool(arn) and one.kms_key_id == arn) for one in image.snapshots
            ),
        )
        for image in described
    ]


def _with_snapshots(image: Image, ec2: Ec2) -> Image:
    """Return a pending image with its snapshots, which it may not list yet."""
    found = ec2.find_snapshots_of_copies([image.image_id])
    if listed := [snapshot_id for snapshot_id in image.snapshot_ids if snapshot_id not in found]:
        found |= ec2.describe_snapshots(listed)
    return replace(image, snapshots=tuple(found.values()))
