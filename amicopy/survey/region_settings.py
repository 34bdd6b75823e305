"""Reading a region's settings and keys, as far as they matter for the requested copies.

What IAM does not allow to read becomes a note.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from amicopy.aws.ec2 import Ec2
from amicopy.aws.kms import KmsClient
from amicopy.aws.quotas import ServiceQuotas
from amicopy.core.destination import Destination, as_account
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    KeyNotFound,
    OperationNotImplemented,
    Throttled,
    Unreachable,
)
from amicopy.core.kms_key import AWS_MANAGED_ALIAS, KmsKey
from amicopy.core.lineage import NO_COPIES, Copies, copies_by_source
from amicopy.core.models import Image
from amicopy.core.parallel import Once
from amicopy.core.request import DIRECT, CopyRequest
from amicopy.core.retries import Retry, once
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.checks import PUBLIC_IMAGES
from amicopy.plan.choose import may_write
from amicopy.plan.findings import RegionSettings

_Read = TypeVar("_Read")


def region_settings(
    request: CopyRequest,
    desired: Sequence[DesiredCopy],
    copies: Sequence[Image],
    ec2: Ec2,
    kms: KmsClient,
    quotas: ServiceQuotas,
    made: Once,
    retry: Retry = once,
    *,
    copying: bool,
) -> RegionSettings:
    """Return what is of interest in one destination, given what it holds; ``copying``: new copies may be made.

    What ``made`` has of it is not read again.
    """
    destination = next((one.destination for one in desired), Destination(ec2.region))
    reader = _Reader(destination, ec2, kms, made, retry)
    if not ec2.records_lineage:
        reader.notes.append(f"EC2 in {ec2.region} records no sources, so copies are found by amicopy's tag alone")
    named = next((one.key for one in desired if one.key), "")
    key, key_problem = reader.named_key(named) if named and request.preflight else (None, None)
    by_source = copies_by_source(copies)
    there = [(one, by_source.get(one.source.reference, NO_COPIES)) for one in desired if copying]
    new = [
        one
        for one, found in there
        if not any(may_write(one.source, copy, adopt=request.adopt) for copy in (*found.available, *found.in_progress))
    ]
    shared = [one for one in new if one.has_to_be_sharable]
    by_default: bool | None = None
    default_key: KmsKey | None = None
    if shared and not named and request.preflight:
        by_default = reader.read("encryption by default", ec2.encryption_by_default)
        if by_default or request.encrypt or any(device.encrypted for one in shared for device in one.source.devices):
            default_key = reader.default_key()
    elif new and request.route != DIRECT and not request.encrypts:  # others may be copied from this one
        by_default = reader.read("encryption by default", ec2.encryption_by_default)
    private = [one for one, found in there if request.preflight and not _is_public(found)]
    public = [one for one in private if any(who.is_public for who in one.launch_permissions)]
    public_volumes = any(
        who.is_public for one in private for people in one.volume_permissions.values() for who in people
    )
    public_images = len(made("public images", partial(retry, ec2.find_public_images))) if public else None
    is_too_many = public_images is not None and public_images + len(public) > PUBLIC_IMAGES
    return RegionSettings(
        key=key,
        key_problem=key_problem,
        encryption_by_default=by_default,
        default_key=default_key,
        images_blocked=reader.read("images blocked", ec2.images_blocked) if public else None,
        snapshots_blocked=reader.read("snapshots blocked", ec2.snapshots_blocked) if public_volumes else None,
        public_images=public_images,
        public_images_quota=reader.read_if_reachable("quota", quotas.public_images) if is_too_many else None,
        becoming_public=len(public),
        notes=tuple(reader.notes),
    )


def _is_public(found: Copies) -> bool:
    """Return whether an existing copy is public already."""
    return any(who.is_public for copy in found.available for who in copy.launch_permissions or ())


class _Reader:
    """Reads, and notes what may not be read."""

    def __init__(self, destination: Destination, ec2: Ec2, kms: KmsClient, made: Once, retry: Retry) -> None:
        self._destination = destination
        self._ec2 = ec2
        self._kms = kms
        self._made = made
        self._retry = retry
        self.notes: list[str] = []

    def read(self, what: str, call: Callable[[], _Read]) -> _Read | None:
        try:
            return self._made(what, partial(self._retry, call))
        except AccessDenied as error:
            self.notes.append(f"{error.action} is not allowed in {self._ec2.region}, so it could not be looked at")
            return None
        except OperationNotImplemented as error:
            self.notes.append(f"{error.what.rstrip('.')}, so it could not be looked at")
            return None

    def read_if_reachable(self, what: str, call: Callable[[], _Read]) -> _Read | None:
        """Return what the call returns; None, with a note, if it may not be read or doesn't answer."""
        try:
            return self.read(what, call)
        except (Throttled, Unreachable) as error:
            self.notes.append(f"{error.what.rstrip('.')}, so it could not be looked at")
            return None

    def named_key(self, text: str) -> tuple[KmsKey | None, AmicopyError | None]:
        """Return the requested key, or why a copy cannot be encrypted with it."""
        try:
            return self.read_if_reachable(f"key {text}", lambda: self._kms.describe_key(text)), None
        except KeyNotFound as error:
            region = self._ec2.region
            return None, KeyNotFound(
                f"There is no valid KMS key {text} in {self._destination}.",
                why=f"{error.why.rstrip('.')}. EC2 would start the copy and fail it later.",
                next_step=f"Use a key that exists in {self._destination}; to list "
                f"them{as_account(self._destination.account)}: aws kms list-aliases --region {region}",
            )

    def default_key(self) -> KmsKey | None:
        """Return the region's default key for EBS."""
        text = self.read("default key", self._ec2.default_key)
        if not text:
            return None
        if text.endswith(AWS_MANAGED_ALIAS):
            return KmsKey(arn=text, manager="AWS")
        try:
            return self.read_if_reachable(f"key {text}", lambda: self._kms.describe_key(text))
        except KeyNotFound:  # a default that is gone: EC2 will say so, and whose it was is not known
            return None
