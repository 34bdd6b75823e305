"""Which existing copies are encrypted with the AWS-managed key: EC2 doesn't let their AMIs and snapshots be shared."""

from collections.abc import Sequence
from dataclasses import replace

from amicopy.aws.ec2 import Ec2
from amicopy.aws.kms import KmsClient
from amicopy.core.errors import AccessDenied, KeyNotFound, RequestRefused, Throttled, Unreachable
from amicopy.core.kms_key import AWS_MANAGED_ALIAS
from amicopy.core.models import Image
from amicopy.core.progress import by_destination


def with_managed_keys(images: Sequence[Image], ec2: Ec2, kms: KmsClient) -> list[Image]:
    """Return the images with a mark on each snapshot that the AWS-managed key encrypts.

    Pending images get their snapshots first, as far as EC2 shows them. The key is looked up only if a snapshot is
    encrypted; if that isn't possible, nothing is marked, and EC2 refuses the sharing later.
    """
    described = _with_snapshots(images, ec2)
    if not any(snapshot.encrypted for image in described for snapshot in image.snapshots):
        return described
    try:
        arn = kms.describe_key(AWS_MANAGED_ALIAS).arn
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


def _with_snapshots(images: Sequence[Image], ec2: Ec2) -> list[Image]:
    """Return the images, pending ones with their snapshots, which they may not list yet."""
    pending = [image for image in images if not image.snapshots]
    found = ec2.find_snapshots_of_copies([image.image_id for image in pending])
    made_for = by_destination(found.values())
    listed = ec2.describe_snapshots([one for image in pending for one in image.snapshot_ids if one not in found])
    return [
        image
        if image.snapshots
        else replace(
            image,
            snapshots=(
                *made_for.get(image.image_id, ()),
                *(listed[one] for one in image.snapshot_ids if one in listed),
            ),
        )
        for image in images
    ]
