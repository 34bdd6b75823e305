"""Which KMS key a copied snapshot is encrypted with, and whether EC2 can use that key."""

from collections.abc import Sequence
from dataclasses import dataclass

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.records import KeyMetadata, Snapshot
from amicopy.sandbox.state import AWS_MANAGED_KEY, Call

# What EC2 does with the keys in the caller's name (EBS User Guide, "Amazon EBS encryption requirements").
_WITH_SOURCE_KEY = ("kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:ReEncryptFrom")
_WITH_OWN_KEY = (
    *("kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:ReEncryptTo"),
    "kms:GenerateDataKeyWithoutPlaintext",
)
KEY_MESSAGE = "Given key ID is not accessible. You must have DescribeKey permissions on the default CMK"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotEncryption:
    """How one copied snapshot is encrypted. If the key can't be used, its copy is going to fail."""

    encrypted: bool
    key_arn: str = ""
    aws_managed_key: bool = False
    key_unusable: bool = False


def check_parameters(call: Call) -> None:
    """Refuse a KMS key without Encrypted."""
    if call.params.get("KmsKeyId") and not call.params.get("Encrypted"):
        raise errors.Ec2Error(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )


def check_sources(call: Call, snapshots: Sequence[Snapshot], *, instance_store: bool = False) -> None:
    """Refuse to decrypt a snapshot, and to encrypt an instance store-backed image."""
    if instance_store and call.params.get("Encrypted"):
        raise errors.Ec2Error("InvalidRequest", "Encryption is not supported for instance store-backed images.")
    if call.params.get("Encrypted") is not False:
        return
    for snapshot in snapshots:
        if snapshot.encrypted:  # the wording of hashicorp/packer#6789
            raise errors.Ec2Error(
                "InvalidRequest",
                f"Snapshot {snapshot.snapshot_id} is encrypted. Creating unencrypted copy from an "
                "encrypted snapshot is not supported.",
            )


def default_key(call: Call) -> str:
    """Return the key that EBS uses in the region if the request has none."""
    return call.settings.default_kms_key or AWS_MANAGED_KEY


def encryption_of_copy(call: Call, snapshot: Snapshot, *, caller_owns_source: bool) -> SnapshotEncryption:
    """Return how the copy of ``snapshot`` is encrypted in the caller's region."""
    outpost = bool(call.params.get("DestinationOutpostArn"))  # snapshots on an Outpost are always encrypted
    requested = call.params.get("Encrypted") or call.settings.encryption_by_default or outpost
    if not (snapshot.encrypted or requested):
        return SnapshotEncryption(encrypted=False)
    key_id = (
        call.params.get("KmsKeyId")
        or _source_key(call, snapshot, caller_owns_source=caller_owns_source)
        or default_key(call)
    )
    key = find_key(call, key_id)
    usable = key is not None and key.usable and key.region == call.region and _may_use(call, key, _WITH_OWN_KEY)
    return SnapshotEncryption(
        encrypted=True,
        key_arn=key.arn if key else key_id,
        aws_managed_key=bool(key and key.aws_managed),
        key_unusable=not usable or _source_key_unusable(call, snapshot),
    )


def _source_key(call: Call, snapshot: Snapshot, *, caller_owns_source: bool) -> str:
    if not snapshot.encrypted or not caller_owns_source or call.params.get("Encrypted"):
        return ""
    if snapshot.region == call.region:
        return snapshot.kms_key_id
    if call.state.unconfirmed.encrypted_copy_key == "same":
        return snapshot.kms_key_id.replace(f":{snapshot.region}:", f":{call.region}:")
    return ""


def _may_use(call: Call, key: KeyMetadata, actions: Sequence[str]) -> bool:
    """Return True if the caller may do this with the key; AWS's own key allows it by its key policy."""
    return key.aws_managed or all(call.is_allowed(action, key.arn) for action in actions)


def _source_key_unusable(call: Call, snapshot: Snapshot) -> bool:
    """Return True if KMS knows the source's key and it can't be used. An unknown key counts as usable."""
    if not snapshot.encrypted:
        return False
    key = call.state.keys(snapshot.owner, snapshot.region, snapshot.kms_key_id)
    return key is not None and not (key.usable and _may_use(call, key, _WITH_SOURCE_KEY))


def find_key(call: Call, key_id: str) -> KeyMetadata | None:
    """Return the key that an id, alias or ARN names in the caller's account and region."""
    return call.state.keys(call.account, call.region, key_id)
