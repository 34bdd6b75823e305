"""Whole commands: what EC2 would refuse after an hour of copying is refused in a second, everywhere and all at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto.kms.models import kms_backends

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, KeyMetadata, Volume
from amicopy.sandbox.state import any_key
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import START, FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    ORGANIZATION,
    OTHERS,
    SOMEBODY,
    TAG,
    WEST,
    a_source,
    asked,
    copied_by_hand,
    finished_by_hand,
    line,
    made_earlier,
    order,
    row,
    slow,
    snapshots_of,
    the_copy,
    writes,
)

OHIO = "us-east-2"
NO_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
DENIED = "error:403 UnauthorizedOperation: You are not authorized to perform this operation.*always"
SETTINGS = {
    "GetEbsEncryptionByDefault",
    "GetEbsDefaultKmsKeyId",
    "GetImageBlockPublicAccessState",
    "GetSnapshotBlockPublicAccessState",
}
Kms = Callable[[str], Any]


@pytest.fixture
def kms(sandbox: Sandbox, world: World) -> Iterator[Kms]:
    """KMS by region, for making keys as a user would."""
    with ExitStack() as stack:
        session = boto3.Session(**sandbox.credentials(DEFAULT_ACCOUNT))

        def client(region: str) -> Any:
            made = session.client("kms", region_name=region, endpoint_url=sandbox.endpoint_url)
            stack.callback(made.close)
            return made

        yield client


def made(kms: Kms, region: str, **parameters: Any) -> str:
    """Make a key in a region; return its ARN."""
    arn: str = kms(region).create_key(**parameters)["KeyMetadata"]["Arn"]
    return arn


def key_id(arn: str) -> str:
    """Return the id in a key's ARN."""
    return arn.rpartition("/")[2]


def disabled(kms: Kms, region: str) -> str:
    """Make a key and disable it."""
    arn = made(kms, region)
    kms(region).disable_key(KeyId=key_id(arn))
    return arn


def dying(kms: Kms, region: str) -> str:
    """Make a key and schedule its deletion."""
    arn = made(kms, region)
    kms(region).schedule_key_deletion(KeyId=key_id(arn))
    return arn


def shared(world: World, **members: Any) -> Image:
    """Register a source that somebody else may launch."""
    return a_source(world, **{"launch_permissions": {SOMEBODY}, **members})


def public(world: World, **members: Any) -> Image:
    """Register a source that everybody may launch."""
    return a_source(world, **{"launch_permissions": {"all"}, **members})


def refused(ran: Ran, world: World, code: int = 1) -> None:
    """Check that nothing at all was written, and that this was said."""
    assert (ran.code, ran.out, writes(world)) == (code, "", []), ran.err
    assert "so nothing was started. [refused]" in ran.err
    assert [one for one in world.images() if one.region != HOME] == []


def looked_at(world: World) -> list[tuple[str, str]]:
    """Return what was asked of KMS and of the account's settings, with its region."""
    return sorted(
        (one.operation, one.region)
        for one in world.requests
        if one.operation in SETTINGS or (one.service == "kms" and one.operation == "DescribeKey")
    )


def never_unencrypted(world: World) -> bool:
    """Tell whether no CopyImage, rehearsed or not, said anything of encryption but that it is wanted."""
    return all(one.params.get("Encrypted", True) is True for one in world.requests if one.operation == "CopyImage")


# Keys that EC2 would find unusable at the end


@pytest.mark.parametrize(
    "named",
    [NO_KEY, "alias/missing", "mrk-" + "0" * 32, f"arn:aws:kms:{WEST}:{DEFAULT_ACCOUNT}:alias/missing"],
)
def test_a_key_that_is_not_there_is_refused(amicopy: Run, world: World, named: str) -> None:
    """EC2 would take it, and let the copy fail at its end."""
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", named)
    refused(ran, world)
    assert f"There is no valid KMS key {named} in {WEST}. [key-not-found]" in ran.err
    assert f"aws kms list-aliases --region {WEST}" in ran.err


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (disabled, "it is in the state Disabled"),
        (dying, "it is in the state PendingDeletion"),
        (lambda kms, region: made(kms, region, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"), "RSA_2048, for SIGN"),
        (lambda kms, region: made(kms, region, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"), "RSA_2048"),
        (lambda kms, region: made(kms, region, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), "HMAC_256"),
    ],
    ids=["disabled", "pending deletion", "signing", "asymmetric", "HMAC"],
)
def test_a_key_that_cannot_encrypt_is_refused(
    amicopy: Run, world: World, kms: Kms, make: Callable[[Kms, str], str], words: str
) -> None:
    source = a_source(world)
    arn = make(kms, WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", key_id(arn))
    refused(ran, world)
    assert f"The KMS key {arn} cannot encrypt a copy in {WEST}" in ran.err
    assert words in ran.err
    assert "[key-unusable]" in ran.err


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_only_what_could_mend_a_key_is_advised(amicopy: Run, world: World, kms: Kms, state: str) -> None:
    """A disabled key can be enabled; one to be deleted cannot before that is cancelled."""
    arn = disabled(kms, WEST) if state == "Disabled" else dying(kms, WEST)
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--kms-key", arn)
    assert ("Enable it" in ran.err) == (state == "Disabled"), ran.err


def test_a_key_of_another_region_is_refused_by_its_text(amicopy: Run, world: World, kms: Kms) -> None:
    """Neither KMS nor EC2 has to be asked for that."""
    source = a_source(world)
    arn = made(kms, WEST)
    world.requests.clear()
    for option in (arn, f"{EAST}={arn}"):
        ran = amicopy("copy", source.image_id, "--to", EAST, "--kms-key", option)
        assert (ran.code, ran.out, writes(world)) == (2, "", []), ran.err
        assert f"{arn} is a key of {WEST}, and {EAST} needs one of its own" in ran.err
    assert looked_at(world) == []


def test_a_key_id_of_another_region_is_missing_here(amicopy: Run, world: World, kms: Kms) -> None:
    """An id says nothing of its region."""
    arn = made(kms, EAST)
    world.requests.clear()
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--kms-key", key_id(arn))
    refused(ran, world)
    assert f"There is no valid KMS key {key_id(arn)} in {WEST}." in ran.err


@pytest.mark.parametrize("kind", ["id", "arn", "alias", "alias arn"])
def test_a_good_key_is_looked_at_once_and_used(amicopy: Run, world: World, kms: Kms, kind: str) -> None:
    """The copy is encrypted with it, shared with it, and another run finds it so."""
    arn = made(kms, WEST)
    kms(WEST).create_alias(AliasName="alias/web", TargetKeyId=arn)
    named = {
        "id": key_id(arn),
        "arn": arn,
        "alias": "alias/web",
        "alias arn": f"arn:aws:kms:{WEST}:{DEFAULT_ACCOUNT}:alias/web",
    }[kind]
    source = shared(world)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", named)
    copy = the_copy(world, WEST)
    [request] = asked(world, "CopyImage")
    assert (ran.code, copy.launch_permissions) == (0, {SOMEBODY}), ran.err
    assert request.params["Encrypted"] is True
    assert request.params["KmsKeyId"] in {named, arn}
    assert [one.kms_key_id for one in snapshots_of(world, copy).values()] == [arn]
    assert looked_at(world) == [("DescribeKey", WEST)]
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", named)
    assert (second.code, second.out, writes(world)) == (0, line(copy, source, "unchanged"), []), second.err


def test_one_alias_means_each_destinations_own_key(amicopy: Run, world: World, kms: Kms) -> None:
    keys = {region: made(kms, region) for region in (WEST, EAST)}
    for region, arn in keys.items():
        kms(region).create_alias(AliasName="alias/images", TargetKeyId=arn)
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--kms-key", "alias/images")
    assert ran.code == 0, ran.err
    for region, arn in keys.items():
        assert {one.kms_key_id for one in snapshots_of(world, the_copy(world, region)).values()} == {arn}


def multi_region_key(kms: Kms, *regions: str) -> str:
    """Make a multi-Region key with replicas in these regions; return its id, written as KMS writes it.

    moto leaves the dashes of a UUID in, so its key is given the right id afterwards.
    """
    name = f"mrk-{NO_KEY.replace('-', '')}"
    for region in regions:
        arn = made(kms, region)
        held = kms_backends[DEFAULT_ACCOUNT][region].keys
        key = held[name] = held.pop(key_id(arn))
        key.id, key.arn = name, arn.replace(key_id(arn), name)
    return name


def test_a_multi_region_key_is_used_by_its_replica_in_each_destination(amicopy: Run, world: World, kms: Kms) -> None:
    """The id is the same everywhere, the ARN is not."""
    name = multi_region_key(kms, HOME, WEST, EAST)
    arns = {region: f"arn:aws:kms:{region}:{DEFAULT_ACCOUNT}:key/{name}" for region in (HOME, WEST, EAST)}
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--kms-key", arns[HOME])
    assert ran.code == 0, ran.err
    for region in (WEST, EAST):
        [snapshot] = snapshots_of(world, the_copy(world, region)).values()
        assert snapshot.kms_key_id == arns[region]


def test_a_multi_region_key_named_by_its_id_is_left_to_each_region_to_find(amicopy: Run, world: World) -> None:
    """Moto knows no such id, so KMS is not to be asked here."""
    world.state.keys = any_key
    order(world, "DescribeKey=error:400 AccessDeniedException: not authorized to perform: kms:DescribeKey*always")
    name = f"mrk-{NO_KEY.replace('-', '')}"
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--kms-key", name)
    assert ran.code == 0, ran.err
    assert [one.params["KmsKeyId"] for one in asked(world, "CopyImage")] == [name, name]
    for region in (WEST, EAST):
        [snapshot] = snapshots_of(world, the_copy(world, region)).values()
        assert snapshot.kms_key_id == f"arn:aws:kms:{region}:{DEFAULT_ACCOUNT}:key/{name}"


def test_a_multi_region_key_without_a_replica_there_is_refused(amicopy: Run, world: World, kms: Kms) -> None:
    name = multi_region_key(kms, HOME, EAST)
    world.requests.clear()
    named = f"arn:aws:kms:{HOME}:{DEFAULT_ACCOUNT}:key/{name}"
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--kms-key", named)
    refused(ran, world)
    assert f"There is no valid KMS key arn:aws:kms:{WEST}:{DEFAULT_ACCOUNT}:key/{name} in {WEST}." in ran.err
    assert f"in {EAST}." not in ran.err


def test_a_regions_own_key_wins_over_the_one_for_all(amicopy: Run, world: World, kms: Kms) -> None:
    """``--kms-key KEY --kms-key REGION=KEY``."""
    own, alias = made(kms, EAST), made(kms, WEST)
    kms(WEST).create_alias(AliasName="alias/all", TargetKeyId=alias)
    source = a_source(world)
    ran = amicopy(
        "copy", source.image_id, "--to", f"{WEST},{EAST}", "--kms-key", "alias/all", "--kms-key", f"{EAST}={own}"
    )
    assert ran.code == 0, ran.err
    assert [one.kms_key_id for one in snapshots_of(world, the_copy(world, WEST)).values()] == [alias]
    assert [one.kms_key_id for one in snapshots_of(world, the_copy(world, EAST)).values()] == [own]


def test_a_key_for_one_region_only_is_refused(amicopy: Run, world: World, kms: Kms) -> None:
    """The other copy would be left unencrypted without a word."""
    own = made(kms, EAST)
    world.requests.clear()
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--kms-key", f"{EAST}={own}")
    assert (ran.code, writes(world)) == (2, [])
    assert f"--kms-key has no key for {WEST}." in ran.err
    assert "--encrypt" in ran.err


def test_a_key_for_one_region_and_the_default_key_elsewhere(amicopy: Run, world: World, kms: Kms) -> None:
    own = made(kms, EAST)
    world.requests.clear()
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--kms-key", f"{EAST}={own}", "--encrypt")
    assert ran.code == 0, ran.err
    assert [set(one.params) & {"Encrypted", "KmsKeyId"} for one in asked(world, "CopyImage", WEST)] == [{"Encrypted"}]
    assert [one.encrypted for one in snapshots_of(world, the_copy(world, WEST)).values()] == [True]
    assert [one.kms_key_id for one in snapshots_of(world, the_copy(world, EAST)).values()] == [own]
    assert looked_at(world) == [("DescribeKey", EAST)]


def test_a_key_that_may_not_be_looked_at_is_a_note(amicopy: Run, world: World, kms: Kms) -> None:
    """IAM, or the key's policy, may forbid it and the copy succeed all the same."""
    arn = made(kms, WEST)
    order(world, "DescribeKey=error:400 AccessDeniedException: not authorized to perform: kms:DescribeKey*always")
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", arn, "--output", "json")
    assert ran.code == 0, ran.err
    assert any("kms:DescribeKey" in note and WEST in note for note in row(ran, WEST)["notes"])
    assert [one.kms_key_id for one in snapshots_of(world, the_copy(world, WEST)).values()] == [arn]


def test_without_the_preflight_ec2_lets_the_copy_fail_and_that_is_explained(
    amicopy: Run, world: World, kms: Kms
) -> None:
    """``--no-preflight`` is for those who know; the late failure names the key all the same."""
    arn = disabled(kms, WEST)
    world.requests.clear()
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--kms-key", arn, "--no-preflight")
    assert ran.code == 1
    assert len(asked(world, "CopyImage")) == 1
    assert looked_at(world) == []
    assert "Copy image failed with an internal error" in ran.err
    assert "Given key ID is not accessible" in ran.err
    assert "The KMS key of a snapshot cannot be used" in ran.err
    assert not [one for one in world.requests if one.params.get("DryRun")]


def test_a_copy_there_under_another_key_is_refused(amicopy: Run, world: World, kms: Kms, clock: FakeClock) -> None:
    """Nobody can encrypt it anew in place."""
    old, new = made(kms, WEST), made(kms, WEST)
    source = a_source(world)
    finished_by_hand(world, clock, source, WEST, Encrypted=True, KmsKeyId=old)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", new, "--adopt")
    assert (ran.code, writes(world)) == (1, [])
    assert f"has the key of /dev/sda1 {old} instead of {new}" in ran.err
    assert f"amicopy cancel --copy {the_copy(world, WEST).image_id} --in {WEST} --available" in ran.err


def test_a_plain_copy_there_is_refused_where_encryption_is_asked(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    finished_by_hand(world, clock, source, WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--encrypt", "--adopt")
    assert (ran.code, writes(world)) == (1, [])
    assert "has encryption of /dev/sda1 off instead of on" in ran.err


# Encrypted with the AWS-managed key, and shared


def by_asking(world: World) -> Sequence[str]:
    """Ask for encryption."""
    return ["--encrypt"]


def by_default(world: World) -> Sequence[str]:
    """Let the region encrypt by itself."""
    world.settings(WEST).encryption_by_default = True
    return []


SHARED: dict[str, dict[str, Any]] = {
    "an account": {"launch_permissions": {SOMEBODY}},
    "an organization": {"launch_permissions": {ORGANIZATION}},
    "a snapshot": {"launch_permissions": set[str](), "volumes": [Volume(shared_with=frozenset({SOMEBODY}))]},
}


@pytest.mark.parametrize(
    ("why", "reason"),
    [(by_asking, "Encryption is requested"), (by_default, "The region encrypts EBS by default")],
    ids=["asked", "by default"],
)
@pytest.mark.parametrize("who", SHARED)
def test_what_the_aws_managed_key_would_encrypt_cannot_be_shared(
    amicopy: Run, world: World, why: Callable[[World], Sequence[str]], reason: str, who: str
) -> None:
    """Refused before anything starts, with the way out."""
    source = shared(world, **SHARED[who])
    ran = amicopy("copy", source.image_id, "--to", WEST, *why(world))
    refused(ran, world)
    assert f"The copy in {WEST} would be encrypted with the AWS-managed key" in ran.err
    assert reason in ran.err
    assert (ORGANIZATION if who == "an organization" else SOMEBODY) in ran.err
    assert f"--kms-key {WEST}=KEY" in ran.err
    assert "--no-permissions" in ran.err


def test_an_encrypted_source_is_refused_where_the_default_key_is_awss_own(amicopy: Run, world: World) -> None:
    """The copy is encrypted although nobody asks for it here."""
    source = shared(world, volumes=[Volume(encrypted=True, kms_key_id=f"arn:aws:kms:{HOME}:1:key/{NO_KEY}")])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    refused(ran, world)
    assert "The source is encrypted" in ran.err
    assert never_unencrypted(world)


def test_a_source_shared_with_nobody_may_be_encrypted_with_any_key(amicopy: Run, world: World) -> None:
    """And the settings are of no interest then."""
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--encrypt")
    assert ran.code == 0, ran.err
    assert [one.aws_managed_key for one in snapshots_of(world, the_copy(world, WEST)).values()] == [True]
    assert looked_at(world) == []


@pytest.mark.parametrize("way_out", [["--no-permissions"], ["--kms-key", "alias/own"]], ids=lambda words: words[0])
def test_the_ways_out_lead_out(amicopy: Run, world: World, kms: Kms, way_out: list[str]) -> None:
    arn = made(kms, WEST)
    kms(WEST).create_alias(AliasName="alias/own", TargetKeyId=arn)
    world.settings(WEST).encryption_by_default = True
    source = shared(world)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 1
    ran = amicopy("copy", source.image_id, "--to", WEST, *way_out)
    expected = set[str]() if way_out == ["--no-permissions"] else {SOMEBODY}
    assert (ran.code, the_copy(world, WEST).launch_permissions) == (0, expected), ran.err


@pytest.mark.parametrize("options", [["--encrypt"], []], ids=["asked", "by default"])
def test_a_customer_key_as_the_regions_default_may_be_shared(
    amicopy: Run, world: World, kms: Kms, options: list[str]
) -> None:
    arn = made(kms, WEST)
    settings = world.settings(WEST)
    settings.default_kms_key, settings.encryption_by_default = arn, not options
    source = shared(world)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, *options)
    copy = the_copy(world, WEST)
    assert (ran.code, copy.launch_permissions) == (0, {SOMEBODY}), ran.err
    assert [one.kms_key_id for one in snapshots_of(world, copy).values()] == [arn]
    assert [operation for operation, _ in looked_at(world)] == [
        "DescribeKey",
        "GetEbsDefaultKmsKeyId",
        "GetEbsEncryptionByDefault",
    ]


def test_a_default_key_that_is_disabled_is_refused_too(amicopy: Run, world: World, kms: Kms) -> None:
    """It was looked at, and EC2 would let the copy fail at its end."""
    arn = disabled(kms, WEST)
    world.settings(WEST).default_kms_key = arn
    world.settings(WEST).encryption_by_default = True
    source = shared(world)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    refused(ran, world)
    assert arn in ran.err
    assert "Disabled" in ran.err


@pytest.mark.parametrize(
    "named", ["alias/aws/ebs", f"arn:aws:kms:{WEST}:{DEFAULT_ACCOUNT}:alias/aws/ebs"], ids=["alias", "alias ARN"]
)
def test_naming_awss_own_key_changes_nothing_about_sharing(amicopy: Run, world: World, named: str) -> None:
    """And it is not called the region's default then."""
    source = shared(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", named)
    refused(ran, world)
    assert f"The copy in {WEST} would be encrypted with the AWS-managed key" in ran.err
    assert "default" not in ran.err


def test_an_encrypted_copy_that_is_to_be_public_is_refused(amicopy: Run, world: World, kms: Kms) -> None:
    """With a customer key too."""
    arn = made(kms, WEST)
    world.requests.clear()
    ran = amicopy("copy", public(world).image_id, "--to", WEST, "--kms-key", arn)
    refused(ran, world)
    assert f"The copy in {WEST} would be encrypted, and encrypted AMIs cannot be public." in ran.err
    assert "--share ACCOUNT" in ran.err


def test_a_public_copy_where_the_region_encrypts_by_itself_is_refused(amicopy: Run, world: World) -> None:
    world.settings(WEST).encryption_by_default = True
    ran = amicopy("copy", public(world).image_id, "--to", WEST)
    refused(ran, world)
    assert "encrypted AMIs cannot be public" in ran.err
    assert "The region encrypts EBS by default" in ran.err


def test_without_the_preflight_the_refusal_to_share_is_explained(amicopy: Run, world: World) -> None:
    """EC2 copies, and then says no."""
    source = shared(world)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--encrypt", "--no-preflight")
    assert (ran.code, looked_at(world)) == (1, [])
    assert len(asked(world, "CopyImage")) == 1
    assert "Snapshots encrypted with the AWS Managed CMK can’t be shared" in ran.err
    assert "--no-permissions" in ran.err


# Block public access


@pytest.mark.parametrize("options", [[], ["--share", "public"]], ids=["as the source", "asked"])
def test_blocked_public_access_is_refused_and_left_alone(amicopy: Run, world: World, options: list[str]) -> None:
    world.settings(WEST).image_block_public_access = "block-new-sharing"
    source = a_source(world) if options else public(world)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", *options)
    refused(ran, world)
    assert f"Block public access for AMIs is on in {WEST}, but the copy should be public. [not-shareable]" in ran.err
    assert f"aws ec2 disable-image-block-public-access --region {WEST}" in ran.err
    assert f"on in {EAST}" not in ran.err
    assert world.settings(WEST).image_block_public_access == "block-new-sharing"
    assert asked(world, "DisableImageBlockPublicAccess") == []


def test_a_block_of_snapshots_is_refused_where_snapshots_are_public(amicopy: Run, world: World) -> None:
    """It is a setting of its own."""
    world.settings(WEST).snapshot_block_public_access = "block-all-sharing"
    source = a_source(world, volumes=[Volume(shared_with=frozenset({"all"}))])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    refused(ran, world)
    assert f"Block public access for snapshots is on in {WEST}" in ran.err
    assert looked_at(world) == [("GetEbsEncryptionByDefault", WEST), ("GetSnapshotBlockPublicAccessState", WEST)]


def test_a_block_that_concerns_nobody_is_not_asked_for(amicopy: Run, world: World) -> None:
    """The copy is to be shared, not public."""
    world.settings(WEST).image_block_public_access = "block-new-sharing"
    ran = amicopy("copy", shared(world).image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    assert looked_at(world) == [("GetEbsEncryptionByDefault", WEST)]


def test_a_private_copy_there_that_is_to_become_public_meets_the_block_too(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """Nothing is started elsewhere for the sake of what cannot be."""
    source = public(world)
    finished_by_hand(world, clock, source, WEST)
    world.settings(WEST).image_block_public_access = "block-new-sharing"
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, writes(world)) == (1, []), ran.err
    assert f"Block public access for AMIs is on in {WEST}" in ran.err


def test_without_the_preflight_the_block_is_explained(amicopy: Run, world: World) -> None:
    world.settings(WEST).image_block_public_access = "block-new-sharing"
    ran = amicopy("copy", public(world).image_id, "--to", WEST, "--no-preflight")
    assert ran.code == 1
    assert "yourself, with credentials of the copy's account: aws ec2 disable-image-block-public-access" in ran.err
    assert the_copy(world, WEST).launch_permissions == set()


def test_five_public_amis_there_are_all_that_may_be(amicopy: Run, world: World) -> None:
    """The sixth would be refused after it was copied."""
    for number in range(5):
        a_source(world, WEST, name=f"public{number}", launch_permissions={"all"})
    world.requests.clear()
    source = public(world)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world)) == (1, [])
    assert f"5 AMIs are public in {WEST} already, and the quota is 5." in ran.err
    assert "--no-preflight" in ran.err


def test_a_quota_that_aws_has_raised_counts(amicopy: Run, world: World) -> None:
    world.settings(WEST).public_images_limit = 20
    for number in range(7):
        a_source(world, WEST, name=f"public{number}", launch_permissions={"all"})
    ran = amicopy("copy", public(world).image_id, "--to", WEST)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    "fault", ["error:AccessDeniedException: no", "dead", "error:NoSuchResourceException: no"], ids=lambda text: text[:9]
)
def test_a_quota_that_cannot_be_read_is_that_of_every_account(amicopy: Run, world: World, fault: str) -> None:
    world.settings(WEST).public_images_limit = 20
    order(world, f"GetServiceQuota={fault}*always")
    for number in range(7):
        a_source(world, WEST, name=f"public{number}", launch_permissions={"all"})
    ran = amicopy("copy", public(world).image_id, "--to", WEST)
    assert (ran.code, "the quota is 5" in ran.err) == (1, True), ran.err


def test_a_fifth_public_ami_fits(amicopy: Run, world: World) -> None:
    """Others' public AMIs do not count."""
    for number in range(4):
        a_source(world, WEST, name=f"public{number}", launch_permissions={"all"})
    for number in range(3):
        a_source(world, WEST, name=f"others{number}", launch_permissions={"all"}, account=OTHERS)
    ran = amicopy("copy", public(world).image_id, "--to", WEST)
    assert ran.code == 0, ran.err


def test_public_copies_of_one_run_are_counted_together(amicopy: Run, world: World) -> None:
    """Four are there, and two are to come."""
    for number in range(4):
        a_source(world, WEST, name=f"public{number}", launch_permissions={"all"})
    sources = [public(world, name=f"source{number}") for number in range(2)]
    ran = amicopy("copy", *(one.image_id for one in sources), "--to", WEST)
    assert (ran.code, writes(world)) == (1, []), ran.err
    assert "the quota is 5" in ran.err


# Principals, tags, names


def accounts(number: int) -> set[str]:
    """Return so many account ids."""
    return {f"{100000000000 + one}" for one in range(number)}


def test_more_than_a_thousand_principals_are_refused(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions=accounts(1001))
    ran = amicopy("copy", source.image_id, "--to", WEST)
    refused(ran, world)
    assert "an AMI can be shared with at most 1000 principals, and these are 1001" in ran.err
    assert "--share" in ran.err or "--no-permissions" in ran.err


def test_a_thousand_principals_and_everybody_are_as_many_as_there_may_be(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={*accounts(1000), "all"})
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, len(the_copy(world, WEST).launch_permissions)) == (0, 1001), ran.err


def test_a_name_that_a_template_makes_too_long_is_refused(amicopy: Run, world: World) -> None:
    source = a_source(world, name="n" * 120)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--name", "{name}-{source_region}")
    refused(ran, world)
    assert "an AMI name must have 3 to 128 characters" in ran.err
    assert "has 130" in ran.err


def test_tags_that_together_are_too_many_for_one_snapshot_are_refused(amicopy: Run, world: World) -> None:
    fifty = {f"key{number:02}": "" for number in range(50)}
    source = a_source(world, volumes=[Volume(device="/dev/sda1"), Volume(device="/dev/sdb", tags=fifty)])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--tag", "one=more")
    refused(ran, world)
    assert f"snapshot {source.snapshot_ids[1]}: a resource can have at most 50 tags, and these are 51" in ran.err


# Time-based copies


def test_one_snapshot_that_is_too_large_for_the_time_is_refused(amicopy: Run, world: World) -> None:
    """440 GiB in 15 minutes are more than 500 MiB/s."""
    source = a_source(world, volumes=[Volume(gib=440)])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--complete-within", "15m")
    refused(ran, world)
    assert f"EC2 cannot copy 440 GiB in one snapshot to {WEST} within 15 minutes. [too-fast]" in ran.err
    assert "500 MiB/s" in ran.err
    longer = amicopy("copy", source.image_id, "--to", WEST, "--complete-within", "30m")
    assert longer.code == 0, longer.err


def test_snapshots_that_together_are_too_large_for_the_time_are_refused(amicopy: Run, world: World) -> None:
    """Five times 400 GiB in 15 minutes are more than 2,000 MiB/s."""
    sources = [a_source(world, name=f"web{number}", volumes=[Volume(gib=400)]) for number in range(5)]
    ids = [one.image_id for one in sources]
    ran = amicopy("copy", *ids, "--to", WEST, "--complete-within", "15m")
    refused(ran, world)
    assert f"EC2 cannot copy 2000 GiB together to {WEST} within 15 minutes. [too-fast]" in ran.err
    fewer = amicopy("copy", *ids[:4], "--to", WEST, "--complete-within", "15m")
    assert fewer.code == 0, fewer.err


def test_without_the_preflight_a_copy_that_can_never_be_fast_enough_is_not_waited_for(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """EC2's refusal does not pass: no copy in progress has to end first."""
    source = a_source(world, volumes=[Volume(gib=440)])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--complete-within", "15m", "--no-preflight")
    assert ran.code == 1, ran.err
    assert "throughput" in ran.err
    assert clock.now() - START < timedelta(minutes=10)


# Reads that IAM forbids, and writes


@pytest.mark.parametrize("operation", sorted(SETTINGS))
def test_settings_that_may_not_be_read_are_a_note(amicopy: Run, world: World, operation: str) -> None:
    """What is not known does not refuse anything."""
    source = public(world, volumes=[Volume(shared_with=frozenset({"all"}))])
    world.settings(WEST).default_kms_key = NO_KEY
    order(world, f"{operation}={DENIED}")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert ran.code == 0, ran.err
    assert the_copy(world, WEST).launch_permissions == {"all"}
    if operation != "GetEbsDefaultKmsKeyId":  # the region does not encrypt by itself, so that its key is of no interest
        assert f"ec2:{operation} is not allowed in {WEST}, so it could not be looked at" in row(ran, WEST)["notes"]


def test_a_default_key_that_may_not_be_read_is_a_note(amicopy: Run, world: World) -> None:
    """EC2 has the last word."""
    source = shared(world)
    order(world, f"GetEbsDefaultKmsKeyId={DENIED}")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--encrypt", "--output", "json")
    assert len(asked(world, "CopyImage")) == 1
    assert any("ec2:GetEbsDefaultKmsKeyId is not allowed" in note for note in row(ran, WEST)["notes"])


def test_nothing_is_asked_that_is_of_no_interest(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert looked_at(world) == []
    other = public(world, name="other", volumes=[Volume(shared_with=frozenset({"all"}))])
    amicopy("copy", other.image_id, "--to", f"{WEST},{EAST}", "--no-permissions")
    assert looked_at(world) == []


def test_of_a_copy_that_is_there_already_no_setting_is_asked(amicopy: Run, world: World) -> None:
    source = public(world)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world), looked_at(world)) == (0, [], [])


def test_a_public_copy_asks_each_setting_once_in_each_region(amicopy: Run, world: World) -> None:
    source = public(world)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err
    assert looked_at(world) == sorted(
        (operation, region)
        for region in (WEST, EAST)
        for operation in ("GetEbsEncryptionByDefault", "GetImageBlockPublicAccessState")
    )


def test_several_sources_ask_for_a_key_once_a_region(amicopy: Run, world: World, kms: Kms) -> None:
    arn = made(kms, WEST)
    sources = [shared(world, name=f"web{number}") for number in range(3)]
    world.requests.clear()
    ran = amicopy("copy", *(one.image_id for one in sources), "--to", WEST, "--kms-key", arn)
    assert ran.code == 0, ran.err
    assert looked_at(world) == [("DescribeKey", WEST)]


def test_a_write_that_iam_forbids_is_refused_before_the_first_copy(amicopy: Run, world: World) -> None:
    """The protection's own call included. What has our tag answers for the copies."""
    made_earlier(world, WEST, EAST)
    order(world, f"EnableImageDeregistrationProtection={DENIED}")
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--protect")
    assert (ran.code, ran.out, writes(world)) == (6, "", []), ran.err
    assert "Allow ec2:EnableImageDeregistrationProtection" in ran.err


# All of it at once


def test_all_problems_of_all_destinations_come_in_one_answer(amicopy: Run, world: World, kms: Kms) -> None:
    source = public(world, volumes=[Volume(gib=440, shared_with=frozenset({"all"}))])
    key, west, east = disabled(kms, OHIO), made(kms, WEST), made(kms, EAST)
    world.settings(WEST).image_block_public_access = "block-new-sharing"
    world.settings(WEST).snapshot_block_public_access = "block-all-sharing"
    world.settings(EAST).encryption_by_default = True
    world.requests.clear()
    ran = amicopy(
        "copy",
        source.image_id,
        "--to",
        f"{WEST},{EAST},{OHIO}",
        "--kms-key",
        f"{OHIO}={key}",
        "--kms-key",
        f"{WEST}={west}",
        "--kms-key",
        f"{EAST}={east}",
        "--complete-within",
        "15m",
        "--output",
        "json",
    )
    assert (ran.code, writes(world)) == (1, [])
    slugs = {copy["region"]: [problem["slug"] for problem in copy["problems"]] for copy in ran.json["copies"]}
    assert slugs == {
        WEST: ["not-shareable", "not-shareable", "not-shareable", "too-fast"],
        EAST: ["not-shareable", "too-fast"],
        OHIO: ["key-unusable", "not-shareable", "too-fast"],
    }
    for words in (
        f"for AMIs is on in {WEST}",
        f"for snapshots is on in {WEST}",
        f"The copy in {EAST} would be encrypted",
        f"The KMS key {key} cannot encrypt",
        f"440 GiB in one snapshot to {OHIO}",
    ):
        assert words in ran.err


def test_a_destination_that_is_best_effort_does_not_hold_up_the_others(amicopy: Run, world: World) -> None:
    world.settings(WEST).image_block_public_access = "block-new-sharing"
    ran = amicopy("copy", public(world).image_id, "--to", f"{WEST},{EAST}", "--best-effort", WEST)
    assert (ran.code, world.images(WEST)) == (0, [])
    assert the_copy(world, EAST).launch_permissions == {"all"}
    assert f"Block public access for AMIs is on in {WEST}" in ran.err


@pytest.mark.parametrize("options", [["--share", "public", "--yes"], []], ids=["made public", "public as its source"])
def test_a_public_copy_deprecated_after_more_than_two_years_is_refused(
    amicopy: Run, world: World, options: list[str]
) -> None:
    source = a_source(world) if options else public(world)
    source.deprecate_at = START + timedelta(days=800)
    ran = amicopy("copy", source.image_id, "--to", WEST, *options)
    refused(ran, world)
    assert "should be public and deprecated on" in ran.err
    assert "--deprecate-after 730d" in ran.err
    again = amicopy("copy", source.image_id, "--to", WEST, *options, "--deprecate-after", "730d")
    assert again.code == 0, again.err
    assert amicopy("copy", source.image_id, "--to", WEST, *options, "--deprecate-after", "730d").err.startswith(
        "nothing to do"
    )


def test_a_forbidden_write_and_a_bad_key_come_in_one_answer(amicopy: Run, world: World, kms: Kms) -> None:
    key = disabled(kms, WEST)
    order(world, f"CopyImage@{EAST}={DENIED}")
    world.requests.clear()
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},{EAST}", "--kms-key", f"{WEST}={key}", "--encrypt")
    assert (ran.code, writes(world)) == (1, [])
    assert f"The KMS key {key} cannot encrypt" in ran.err
    assert "Allow ec2:CopyImage" in ran.err


def test_the_dry_run_shows_the_same_refusals(amicopy: Run, world: World) -> None:
    world.settings(WEST).encryption_by_default = True
    ran = amicopy("copy", shared(world).image_id, "--to", WEST, "--dry-run", "--output", "json")
    assert (ran.code, writes(world)) == (1, [])
    assert row(ran, WEST)["action"] == "refuse"
    assert row(ran, WEST)["error"]["slug"] == "not-shareable"


# 12, and encryption in general


@pytest.mark.parametrize("option", ["--encrypt", "--kms-key"])
def test_a_source_may_be_encrypted_anew_in_its_own_region(amicopy: Run, world: World, kms: Kms, option: str) -> None:
    """Destination equals source is what was asked then."""
    arn = made(kms, HOME)
    world.settings(HOME).default_kms_key = arn
    source = a_source(world, tags={"Team": "web"})
    options = [option] if option == "--encrypt" else [option, arn]
    ran = amicopy("copy", source.image_id, "--to", HOME, *options)
    [copy] = [one for one in world.images(HOME) if one.image_id != source.image_id]
    assert (ran.code, copy.tags["Team"]) == (0, "web"), ran.err
    assert [one.kms_key_id for one in snapshots_of(world, copy).values()] == [arn]
    world.requests.clear()
    second = amicopy("copy", source.image_id, "--to", HOME, *options)
    assert (second.code, second.out, writes(world)) == (0, line(copy, source, "unchanged"), []), second.err


def test_the_sources_own_region_is_no_destination_otherwise(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", f"{HOME},{WEST}")
    assert (ran.code, writes(world)) == (2, [])
    assert HOME in ran.err
    assert world.requests == []


def test_all_regions_do_not_include_the_sources_own_by_accident(amicopy: Run, world: World) -> None:
    """Encrypting the copies does not mean copying to the source region as well."""
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", "us-*", "--encrypt", "--output", "json")
    assert ran.code == 0, ran.err
    assert sorted(copy["region"] for copy in ran.json["copies"]) == [OHIO, "us-west-1", WEST]


def test_a_mixed_source_is_copied_without_a_word_about_encryption(amicopy: Run, world: World) -> None:
    """Each snapshot keeps what it has."""
    source = a_source(world, volumes=[Volume(device="/dev/sda1", encrypted=True), Volume(device="/dev/sdb")])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    assert [one.encrypted for one in snapshots_of(world, the_copy(world, WEST)).values()] == [True, False]
    assert all("Encrypted" not in one.params for one in asked(world, "CopyImage"))


def test_encryption_that_is_asked_for_encrypts_every_volume(amicopy: Run, world: World) -> None:
    source = a_source(world, volumes=[Volume(device="/dev/sda1", encrypted=True), Volume(device="/dev/sdb")])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--encrypt")
    assert ran.code == 0, ran.err
    assert [one.encrypted for one in snapshots_of(world, the_copy(world, WEST)).values()] == [True, True]
    assert never_unencrypted(world)


def test_an_instance_store_source_cannot_be_encrypted(amicopy: Run, world: World) -> None:
    source = a_source(world, root_device_type="instance-store", volumes=[])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--encrypt")
    refused(ran, world)
    assert f"{source.image_id} is stored in S3 (instance store), and CopyImage cannot encrypt that" in ran.err


def test_a_shared_instance_store_source_is_not_held_up_by_the_regions_default(amicopy: Run, world: World) -> None:
    world.settings(WEST).encryption_by_default = True
    source = shared(world, root_device_type="instance-store", volumes=[])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, the_copy(world, WEST).launch_permissions) == (0, {SOMEBODY}), ran.err


def test_a_key_that_dies_while_copying_is_named_at_the_end(amicopy: Run, world: World, kms: Kms) -> None:
    """What was good a moment ago; the preflight guarantees nothing."""
    arn = made(kms, WEST)
    look = world.state.keys

    def gone_since(account: str, region: str, key: str) -> KeyMetadata | None:
        return KeyMetadata(arn=arn, state="Disabled") if key == arn else look(account, region, key)

    world.state.keys = gone_since
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--kms-key", arn)
    assert ran.code == 1
    assert the_copy(world, WEST).state == "failed"
    assert "Given key ID is not accessible" in ran.err


# Bad input: exit 2, and AWS was not asked


BAD_KEYS = [
    "web",
    "alias",
    "alias/",
    "alias/with space",
    NO_KEY[:-1],
    "mrk-123",
    "arn:aws:kms:us-west-2:123456789012:key/",
    "arn:aws:kms:us-west-2:1234:key/" + NO_KEY,
    "arn:aws:iam::123456789012:role/web",
    "arn:aws:kms:us-west-2:123456789012:alias",
    "key/" + NO_KEY,
]


@pytest.mark.parametrize("key", BAD_KEYS)
@pytest.mark.parametrize("place", ["", f"{WEST}="])
def test_what_is_no_key_is_a_usage_error(amicopy: Run, world: World, key: str, place: str) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--kms-key", place + key)
    assert (ran.code, world.requests) == (2, []), ran.err
    assert key.strip() in ran.err
    assert "is not a valid KMS key" in ran.err


@pytest.mark.parametrize("place", [EAST, "nowhere", "us-west-9"])
def test_a_key_for_a_region_that_is_no_destination_is_a_usage_error(amicopy: Run, world: World, place: str) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--kms-key", f"{place}=alias/web")
    assert (ran.code, writes(world)) == (2, [])
    assert f"--kms-key has a key for {place}, which is not a destination." in ran.err
    assert WEST in ran.err
    assert world.requests == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--share", "public", "--encrypt"], ["--share and --encrypt", "public"]),
        (["--share", "public", "--kms-key", "alias/web"], ["--share and --kms-key", "public"]),
        (["--share", SOMEBODY, "--no-permissions"], ["--share", "--no-permissions"]),
        (["--deprecate-after", "90d", "--no-deprecation"], ["--deprecate-after", "--no-deprecation"]),
        (["--kms-key", "alias/one", "--kms-key", "alias/two"], ["--kms-key", "alias/one", "alias/two"]),
        (["--kms-key", f"{WEST}=alias/one", "--kms-key", f"{WEST}=alias/two"], [WEST, "alias/one", "alias/two"]),
        (["--share", "nobody"], ["'nobody'"]),
        (["--share", "arn:aws:organizations::1:organization/o-1"], ["o-1"]),
        (["--share-when", "some"], ["'some'"]),
        (["--protect=maybe"], ["'maybe'"]),
        (["--protect="], ["--protect"]),
        (["--tag", "aws:x=1"], ["'aws:x'"]),
        (["--name", "a|b"], ["'|'"]),
        (["--name", "ab"], ["'ab'"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_options_that_contradict_each_other_or_mean_nothing_are_usage_errors(
    amicopy: Run, world: World, options: list[str], words: list[str]
) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, *options)
    assert (ran.code, world.requests) == (2, []), ran.err
    for word in words:
        assert word in ran.err


@pytest.mark.parametrize("time", ["0m", "10m", "14m", "16m", "20m", "15m1s", "48h15m", "3d", "15", "soon", "-15m"])
def test_a_time_that_ec2_does_not_offer_is_a_usage_error(amicopy: Run, world: World, time: str) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--complete-within", time)
    assert (ran.code, world.requests) == (2, []), ran.err
    assert repr(time) in ran.err


@pytest.mark.parametrize("time", ["0d", "soon", "90", "1y", "-90d", "9999999d", "99999999999999d", "4000d"])
def test_a_deprecation_that_is_not_a_duration_or_more_than_ec2s_ten_years_is_a_usage_error(
    amicopy: Run, world: World, time: str
) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--deprecate-after", time)
    assert (ran.code, world.requests) == (2, []), ran.err
    assert repr(time) in ran.err


def test_a_usage_error_is_one_document_in_json(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--kms-key", "web", "--output", "json")
    assert (ran.code, ran.json["status"], ran.json["error"]["slug"]) == (2, "usage", "usage")
    assert "'web'" in ran.json["error"]["what"]


def test_a_kms_that_cannot_be_reached_is_a_note_and_refuses_nothing(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network without an endpoint for KMS: EC2 uses the key, amicopy only looks at it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    source = a_source(world)
    arn = f"arn:aws:kms:{WEST}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    ran = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", arn, "--dry-run")
    assert ran.code == 0, ran.err
    assert f"note: AWS KMS in {WEST} does not answer, so it could not be looked at" in ran.out + ran.err


# A copy that is there, encrypted with the AWS-managed key, and that is to be shared


def encrypted_by_hand(world: World, source: Image, *, tagged: bool = True) -> str:
    """Copy a source with the AWS-managed key, as an earlier run of ours would for a private copy."""
    tags = [{"ResourceType": "image", "Tags": [{"Key": TAG, "Value": f"{HOME}/{source.image_id}"}]}] if tagged else []
    return copied_by_hand(world, source, WEST, Encrypted=True, TagSpecifications=tags)


@pytest.mark.parametrize("seconds", [5, 7200], ids=["available", "pending"])
def test_a_copy_that_the_aws_managed_key_encrypts_is_not_joined_or_completed_if_it_is_to_be_shared(
    amicopy: Run, world: World, clock: FakeClock, seconds: float
) -> None:
    source = shared(world)
    slow(world, seconds)
    copy = encrypted_by_hand(world, source)
    clock.advance(60)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world)) == (1, []), ran.err
    said = " ".join(ran.err.split())
    assert f"The copy {copy} in {WEST} is encrypted with the AWS-managed key, so it cannot be shared." in said
    assert f"amicopy cancel --copy {copy} --in {WEST} --available" in said
    assert f"--kms-key {WEST}=KEY" in said
    private = amicopy("copy", source.image_id, "--to", WEST, "--no-permissions", "--no-wait")
    assert private.code == 0, private.err


def test_verify_says_that_only_a_new_copy_can_be_shared(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = shared(world)
    copy = encrypted_by_hand(world, source)
    clock.advance(60)
    ran = amicopy("verify", source.image_id, "--in", WEST, "--repair", "--output", "json")
    [one] = ran.json["copies"]
    assert ran.code == 4
    [missing] = [one for one in one["differences"] if one["kind"] == "missing-launch-permissions"]
    assert missing["text"] == f"{copy} cannot be shared with {SOMEBODY}: it is encrypted with the AWS-managed key"
    assert not missing["repairable"]
    assert "ModifyImageAttribute" not in writes(world)


def test_anothers_copy_with_the_aws_managed_key_is_left_alone(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = shared(world)
    encrypted_by_hand(world, source, tagged=False)
    clock.advance(60)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 0, ran.err
    assert len(world.images(WEST)) == 2


def test_a_key_that_is_not_there_is_not_the_key_of_an_existing_copy(amicopy: Run, world: World, kms: Kms) -> None:
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST, "--kms-key", made(kms, WEST)).code == 0
    compared = amicopy("verify", source.image_id, "--in", WEST, "--kms-key", "alias/nothing")
    assert (compared.code, "alias/nothing, which is not there" in compared.out) == (4, True), compared.out
    before = len(writes(world))
    again = amicopy("copy", source.image_id, "--to", WEST, "--kms-key", "alias/nothing")
    assert (again.code, len(writes(world))) == (1, before)
    assert "There is no valid KMS key alias/nothing in us-west-2." in again.err
