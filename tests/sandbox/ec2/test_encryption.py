"""Which key a copy is encrypted with, and what an unusable key does."""

from typing import Any

import pytest

from amicopy.sandbox.records import DEFAULT_ACCOUNT, KeyMetadata, Volume
from tests.sandbox.simulated_ec2 import AWAY, HOME, Ec2


@pytest.mark.parametrize(
    ("source_encrypted", "params", "by_default", "expected"),
    [
        (False, {}, False, None),
        (False, {}, True, "default"),
        (False, {"Encrypted": True}, False, "default"),
        (False, {"Encrypted": True, "KmsKeyId": "1234"}, False, "1234"),
        (False, {"Encrypted": False}, False, None),
        (True, {}, False, "default"),
        (True, {"Encrypted": True, "KmsKeyId": "1234"}, False, "1234"),
    ],
)
def test_encryption_depends_on_the_request_the_source_and_the_region(
    ec2: Ec2, source_encrypted: bool, params: dict[str, Any], by_default: bool, expected: str | None
) -> None:
    source = ec2.world.register(HOME, name="web", volumes=[Volume(encrypted=source_encrypted)])
    ec2.world.settings(AWAY).encryption_by_default = by_default
    ec2.finished_copy(source, **params)
    (snapshot,) = ec2.world.snapshots(AWAY)
    default = ec2.world.state.keys(DEFAULT_ACCOUNT, AWAY, "alias/aws/ebs")
    assert default is not None
    assert snapshot.encrypted is (expected is not None)
    arns = {None: "", "default": default.arn, "1234": f"arn:aws:kms:{AWAY}:{DEFAULT_ACCOUNT}:key/1234"}
    assert snapshot.kms_key_id == arns[expected]
    assert snapshot.aws_managed_key is (expected == "default")


def test_encrypted_source_keeps_its_key_in_its_region_and_elsewhere_follows_the_switch() -> None:
    key = f"arn:aws:kms:{HOME}:{DEFAULT_ACCOUNT}:key/mrk-1"
    for switch, region, expected in (
        ("default", HOME, key),
        ("same", AWAY, key.replace(HOME, AWAY)),
    ):
        ec2 = Ec2(encrypted_copy_key=switch)
        ec2.finished_copy(
            ec2.world.register(HOME, name="web", volumes=[Volume(encrypted=True, kms_key_id=key)]), region
        )
        assert ec2.world.snapshots(region)[-1].kms_key_id == expected


def test_decrypting_is_refused_in_ec2s_words(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web", volumes=[Volume(encrypted=True)])
    assert ec2.refused_copy(source, Encrypted=False).message == (
        f"Snapshot {source.snapshot_ids[0]} is encrypted. Creating unencrypted copy from an encrypted "
        "snapshot is not supported."
    )


@pytest.mark.parametrize(
    "facts",
    [
        None,
        KeyMetadata(arn=f"arn:aws:kms:{AWAY}:{DEFAULT_ACCOUNT}:key/k", state="Disabled"),
        KeyMetadata(arn=f"arn:aws:kms:{AWAY}:{DEFAULT_ACCOUNT}:key/k", state="PendingDeletion"),
        KeyMetadata(arn=f"arn:aws:kms:{AWAY}:{DEFAULT_ACCOUNT}:key/k", usage="SIGN_VERIFY", spec="RSA_2048"),
        KeyMetadata(arn=f"arn:aws:kms:{HOME}:{DEFAULT_ACCOUNT}:key/k"),
    ],
)
def test_unusable_key_fails_the_copy_later_but_not_the_call(ec2: Ec2, facts: KeyMetadata | None) -> None:
    ec2.world.state.keys = lambda _account, _region, _key: facts
    source = ec2.world.register(HOME, name="web")
    image_id = ec2.copy(source, Encrypted=True, KmsKeyId="k")
    ec2.clock.advance(1)
    assert ec2.described(image_id)["State"] == "pending"
    ec2.clock.advance(1)
    failed = ec2.described(image_id)
    assert failed["State"] == "failed"
    assert failed["StateReason"]["Message"] == "Copy image failed with an internal error"
    (row,) = ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]
    assert row["State"] == "error"
    assert row["StateMessage"].startswith("Given key ID is not accessible.")
