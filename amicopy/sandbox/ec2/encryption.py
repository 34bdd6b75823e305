"""Which key a copied snapshot ends up under, and whether EC2 will find it usable.

Refuses to hold keys: it asks the look-up that the world was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.records import KeyFacts, Snapshot
from amicopy.sandbox.state import AWS_MANAGED_KEY, Call

KEY_MESSAGE = "Given key ID is not accessible. You must have DescribeKey permissions on the default CMK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one copied snapshot is encrypted; ``broken`` means that its copy will fail."""

    encrypted: bool
    key_arn: str = ""
    aws_managed: bool = False
    broken: bool = False


def check_parameters(call: Call) -> None:
    """Refuse a key without the encryption to use it for."""
    if call.params.get("KmsKeyId") and not call.params.get("Encrypted"):
        raise errors.Ec2Error(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )


def check_sources(call: Call, snapshots: Sequence[Snapshot], *, instance_store: bool = False) -> None:
    """Refuse to decrypt, and to encrypt what has no EBS volume."""
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
    """Return the key that EBS takes here when none is named."""
    return call.settings.default_kms_key or AWS_MANAGED_KEY


def outcome(call: Call, snapshot: Snapshot, *, owned_by_reader: bool) -> Outcome:
    """Return how the copy of ``snapshot`` is encrypted in the caller's region."""
    outpost = bool(call.params.get("DestinationOutpostArn"))  # what lies there is always encrypted
    wanted = call.params.get("Encrypted") or call.settings.encryption_by_default or outpost
    if not (snapshot.encrypted or wanted):
        return Outcome(encrypted=False)
    key = call.params.get("KmsKeyId") or _key_of_source(call, snapshot, owned_by_reader) or default_key(call)
    facts = call.state.keys(call.account, call.region, key)
    usable = facts is not None and facts.usable and facts.region == call.region
    return Outcome(
        encrypted=True,
        key_arn=facts.arn if facts else key,
        aws_managed=bool(facts and facts.aws_managed),
        broken=not usable or _source_key_broken(call, snapshot),
    )


def _key_of_source(call: Call, snapshot: Snapshot, owned_by_reader: bool) -> str:
    if not snapshot.encrypted or not owned_by_reader or call.params.get("Encrypted"):
        return ""
    if snapshot.region == call.region:
        return snapshot.kms_key_id
    if call.state.unconfirmed.encrypted_copy_key == "same":
        return snapshot.kms_key_id.replace(f":{snapshot.region}:", f":{call.region}:")
    return ""


def _source_key_broken(call: Call, snapshot: Snapshot) -> bool:
    """Say whether the source's key is known and cannot be used; one that nobody knows is taken for good."""
    if not snapshot.encrypted:
        return False
    facts = call.state.keys(snapshot.owner, snapshot.region, snapshot.kms_key_id)
    return facts is not None and not facts.usable


def key_facts(call: Call, key: str) -> KeyFacts | None:
    """Return what KMS says of a key in the caller's account and region."""
    return call.state.keys(call.account, call.region, key)
