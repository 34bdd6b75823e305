"""Checks for problems that would appear only after an hour of copying: keys, sharing, throughput.

Settings that could not be read don't count as problems.
"""

from collections.abc import Iterator
from datetime import datetime

from amicopy.core.destination import as_account
from amicopy.core.durations import MAX_PUBLIC_DEPRECATION
from amicopy.core.errors import AmicopyError, KeyUnusable, NotShareable, ScanRequired
from amicopy.core.kms_key import KmsKey
from amicopy.core.models import Image
from amicopy.core.request import CopyRequest
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.attributes.deprecation import creation_date, deprecation_date
from amicopy.plan.cost import time_problems
from amicopy.plan.findings import RegionSettings

# Public AMIs per region (EC2 User Guide, "AMI quotas", L-0E3CBAB9); AWS raises it on request.
PUBLIC_IMAGES = 5


def copy_problems(desired: DesiredCopy, settings: RegionSettings, region: str) -> Iterator[AmicopyError]:
    """Yield everything about a new copy in ``region`` that EC2 would refuse, now or later."""
    if settings.key_problem:
        yield settings.key_problem
    elif settings.key and (problem := settings.key.problem()):
        yield KeyUnusable(
            f"The KMS key {settings.key.arn} cannot encrypt a copy in {region}: {problem}.",
            why='EC2 would start the copy and fail it later: "Copy image failed with an internal error".',
            next_step=f"{settings.key.fix()} Or name another: --kms-key {region}=KEY".strip(),
        )
    elif settings.default_key and will_be_encrypted(desired, settings) and (problem := settings.default_key.problem()):
        yield KeyUnusable(
            f"The default key for EBS in {region}, {settings.default_key.arn}, cannot encrypt a copy: {problem}.",
            why='EC2 would start the copy and fail it later: "Copy image failed with an internal error".',
            next_step=f"{settings.default_key.fix()} Or name another: --kms-key {region}=KEY".strip(),
        )
    yield from _encryption_problems(desired, settings, region)
    yield from public_problems(desired, settings, region)
    yield from time_problems(desired, region)


def scan_problem(request: CopyRequest, source: Image, now: datetime) -> AmicopyError | None:
    """Return why Amazon Inspector's findings don't allow copying the source; None if they do."""
    if request.require_scan is None:
        return None
    if source.scan is None:
        return ScanRequired(
            f"The scan results of {source.image_id} in {source.region} cannot be read.",
            why="The installed botocore does not know them (ScanResults of DescribeImages).",
            next_step="Update it: pip install --upgrade botocore",
        )
    if why := request.require_scan.unmet(source.scan, now):
        return ScanRequired(
            f"{source.image_id} in {source.region} does not meet the required scan results.",
            why=why,
            next_step="Fix the findings in a new image, scan this one again (aws inspector2 start-on-demand-scan), or "
            "change --require-scan.",
        )
    return None


def _encryption_problems(desired: DesiredCopy, settings: RegionSettings, region: str) -> Iterator[AmicopyError]:
    shared = desired.shared_with
    if not shared:
        return
    public = any(principal.is_public for principal in shared)
    encrypted = will_be_encrypted(desired, settings)
    if encrypted and public:
        yield NotShareable(
            f"The copy in {region} would be encrypted, and encrypted AMIs cannot be public.",
            why=encrypted,
            next_step="Leave it private (--no-permissions), or share it with accounts: --share ACCOUNT",
        )
    elif encrypted and (key := encrypting_key(settings)) and key.is_aws_managed:
        yield NotShareable(
            f"The copy in {region} would be encrypted with the AWS-managed key, which cannot be shared.",
            why=f"{encrypted}; {'the key named' if settings.key else 'the default key for EBS there'} is AWS's own. "
            f"The copy should be shared with {', '.join(map(str, sorted(shared)))}.",
            next_step=f"Use your own key (--kms-key {region}=KEY), or leave the copy private (--no-permissions).",
        )


def public_problems(
    desired: DesiredCopy, settings: RegionSettings, region: str, copy: Image | None = None
) -> Iterator[AmicopyError]:
    """Yield what keeps a new copy, or the existing ``copy``, from becoming as public as desired."""
    if any(principal.is_public for principal in desired.launch_permissions):
        if watermarks := (desired.source.watermarks or frozenset()).union((copy and copy.watermarks) or ()):
            yield NotShareable(
                f"The copy in {region} should be public, but has a watermark: {', '.join(sorted(watermarks))}.",
                why="EC2 doesn't allow watermarks on public AMIs (AttachImageWatermark), and CopyImage carries "
                "watermarks.",
                next_step="Leave the copy private (--no-permissions), or share it with accounts: --share ACCOUNT",
            )
        date, created = deprecation_date(desired, copy), creation_date(desired, copy) or desired.as_of
        if date and created and date > created + MAX_PUBLIC_DEPRECATION:
            yield NotShareable(
                f"The copy in {region} should be public and deprecated on {date:%Y-%m-%d}, which is too late.",
                why="EC2 deprecates a public AMI within 2 years of its creation (EnableImageDeprecation).",
                next_step="Use an earlier date (--deprecate-after 730d), or leave the copy private.",
            )
        if settings.images_blocked:
            yield NotShareable(
                f"Block public access for AMIs is on in {region}, but the copy should be public.",
                why="It is a setting of the account; amicopy never switches it off.",
                next_step="Leave the copy private (--no-permissions, or --share ACCOUNT), or switch it off "
                f"yourself{as_account(desired.destination.account)}: aws ec2 disable-image-block-public-access "
                f"--region {desired.destination.region}",
            )
        quota = settings.public_images_quota or PUBLIC_IMAGES
        if settings.public_images is not None and settings.public_images + settings.becoming_public > quota:
            yield NotShareable(
                f"{settings.public_images} AMIs are public in {region} already, and the quota is {quota}.",
                why=f"This run would make it {settings.public_images + settings.becoming_public}: EC2 would make the "
                "copy and then refuse to make it public.",
                next_step="Make other AMIs private or remove them, or request a higher quota (Service Quotas). If the "
                "quota was raised and amicopy may not read it: --no-preflight",
            )
    public_volumes = any(one.is_public for who in desired.volume_permissions.values() for one in who)
    if public_volumes and settings.snapshots_blocked:
        yield NotShareable(
            f"Block public access for snapshots is on in {region}, but the copy's snapshots should be public.",
            why="It is a setting of the account; amicopy never switches it off.",
            next_step="Don't copy the permissions: --no-permissions, or --share ACCOUNT",
        )


def will_be_encrypted(desired: DesiredCopy, settings: RegionSettings) -> str:
    """Return why the copy's snapshots will be encrypted, some of them at least; empty where they will not.

    EBS User Guide, "Copy an Amazon EBS snapshot"; EC2 User Guide, "Use encryption with EBS-backed AMIs".
    """
    if not desired.source.snapshot_ids:
        return ""  # kept in S3: CopyImage cannot encrypt it
    if desired.encrypt:
        return "Encryption is requested"
    if any(device.encrypted for device in desired.source.devices):
        return "The source is encrypted"
    if settings.encryption_by_default:
        return "The region encrypts EBS by default"
    return ""


def encrypting_key(settings: RegionSettings) -> KmsKey | None:
    """Return the key that a copy will be encrypted with; None where that is not known."""
    return settings.key or settings.default_key
