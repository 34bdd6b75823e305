"""The simulated EC2 by itself: images, snapshots, copies and time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, KeyMetadata, Volume
from amicopy.sandbox.samples import SAMPLES, SHARED, SHARED_WITHOUT_STORAGE, WEB_SERVER, populate
from amicopy.sandbox.settings import OPT_IN
from amicopy.sandbox.world import World
from tests.support.clock import FakeClock

HOME, AWAY = "us-east-1", "eu-west-1"
FRIEND, STRANGER = "111122223333", "999988887777"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-exampleorgid"
UNIT = "arn:aws:organizations::123456789012:ou/o-exampleorgid/ou-ab12-34567890"


class Ec2:
    """A world with a clock and the calls that most tests make."""

    def __init__(self, **switches: Any) -> None:
        timing = switches.pop("timing", Timing(variation=0))
        self.clock = FakeClock()
        self.world = World(self.clock, timing=timing, unconfirmed=Unconfirmed(**switches))

    def __call__(self, operation: str, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any) -> Any:
        return self.world.call(operation, params, region=region, account=account)

    def refusal(self, operation: str, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any) -> Ec2Error:
        with pytest.raises(Ec2Error) as caught:
            self.world.call(operation, params, region=region, account=account)
        return caught.value

    def copy(self, source: Image, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any) -> str:
        asked = {
            "Name": source.name or "copy",
            "SourceImageId": source.image_id,
            "SourceRegion": source.region,
        }
        answer = self.world.call("CopyImage", asked | params, region=region, account=account)
        return str(answer["ImageId"])

    def refused_copy(
        self, source: Image, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any
    ) -> Ec2Error:
        with pytest.raises(Ec2Error) as caught:
            self.copy(source, region, account, **params)
        return caught.value

    def described(self, image_id: str, region: str = AWAY) -> Any:
        return self("DescribeImages", region, ImageIds=[image_id])["Images"][0]

    def finished_copy(self, source: Image, region: str = AWAY, **params: Any) -> Any:
        image_id = self.copy(source, region, **params)
        self.clock.advance(3600)
        return self.described(image_id, region)


@pytest.fixture
def ec2() -> Ec2:
    return Ec2()


def three_volumes(ec2: Ec2, **members: Any) -> Image:
    volumes = [
        Volume(gib=8, tags={"a": "1"}),
        Volume(device="/dev/sdf", gib=20),
        Volume(device="/dev/sdg", gib=30),
    ]
    return ec2.world.register(HOME, name="web", volumes=volumes, ephemeral=["/dev/sdb"], **members)


def test_copy_is_pending_then_available_after_its_last_snapshot(ec2: Ec2) -> None:
    image_id = ec2.copy(three_volumes(ec2))
    ec2.clock.advance(1)
    assert ec2.described(image_id)["State"] == "pending"
    ec2.clock.advance(5)  # 3 s and 0.1 s for each of 30 GiB: the last snapshot is just done
    assert {row["State"] for row in ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]} == {"completed"}
    assert ec2.described(image_id)["State"] == "pending"
    ec2.clock.advance(1)
    assert ec2.described(image_id)["State"] == "available"


def test_snapshots_of_a_copy_appear_late_and_progress_one_by_one(ec2: Ec2) -> None:
    ec2.copy(three_volumes(ec2))
    assert ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"] == []
    seen = []
    for _ in range(12):
        ec2.clock.advance(0.5)
        seen.append([row["Progress"] for row in ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]])
    assert any(row[:1] == ["100%"] and row[2] != "100%" for row in seen)
    assert seen[-1] == ["100%", "100%", "100%"]


def test_same_seed_gives_the_same_ids_and_durations() -> None:
    first, second = (Ec2(timing=Timing()) for _ in range(2))
    ids = [ec2.copy(three_volumes(ec2)) for ec2 in (first, second)]
    assert ids[0] == ids[1]
    for ec2 in (first, second):
        ec2.clock.advance(4)
    rows = [ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"] for ec2 in (first, second)]
    assert rows[0] == rows[1]


def test_copy_carries_devices_and_attributes_and_nothing_else(ec2: Ec2) -> None:
    source = three_volumes(
        ec2,
        description="original",
        tags={"Name": "web"},
        launch_permissions={FRIEND},
        deprecate_at=ec2.clock.now() + timedelta(days=9),
        protection="enabled-without-cooldown",
        boot_mode="uefi",
        tpm="v2.0",
        imds="v2.0",
        platform="windows",
    )
    copy = ec2.finished_copy(source)
    old = ec2("DescribeImages", HOME, ImageIds=[source.image_id])["Images"][0]
    for member in ("Architecture", "BootMode", "TpmSupport", "ImdsSupport", "Platform", "RootDeviceName"):
        assert copy[member] == old[member]
    assert [row["DeviceName"] for row in copy["BlockDeviceMappings"]] == [
        "/dev/sda1",
        "/dev/sdf",
        "/dev/sdg",
        "/dev/sdb",
    ]
    ids = [{row["Ebs"]["SnapshotId"] for row in image["BlockDeviceMappings"] if "Ebs" in row} for image in (copy, old)]
    assert len(ids[0]) == 3 and not ids[0] & ids[1]
    assert not {"Description", "Tags", "DeprecationTime"} & set(copy)
    assert copy["DeregistrationProtection"] == "disabled"
    assert (copy["SourceImageId"], copy["SourceImageRegion"]) == (source.image_id, HOME)
    assert (
        ec2("DescribeImageAttribute", Attribute="launchPermission", ImageId=copy["ImageId"])["LaunchPermissions"] == []
    )


def test_copied_snapshots_describe_their_origin_and_have_no_real_volume(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    image_id = ec2.copy(source)
    ec2.clock.advance(1)
    (row,) = ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]
    assert row["VolumeId"] == "vol-ffffffff"
    assert row["Description"].startswith(
        f"Copied for DestinationAmi {image_id} from SourceAmi {source.image_id} for SourceSnapshot "
        f"{source.snapshot_ids[0]}. Task created on 1,"
    )


def test_pending_copy_shows_its_snapshots_only_where_the_switch_says_so() -> None:
    for lacking in (True, False):
        ec2 = Ec2(pending_mappings_omit_snapshots=lacking)
        image_id = ec2.copy(ec2.world.register(HOME, name="web"))
        ec2.clock.advance(1)
        assert ("SnapshotId" not in ec2.described(image_id)["BlockDeviceMappings"][0]["Ebs"]) is lacking


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("not-found", ["refused"] * 3), ("empty", [0] * 3), ("alternate", ["refused", 0, "refused"])],
)
def test_new_id_is_unknown_for_a_moment(answer: Any, expected: list[Any]) -> None:
    ec2 = Ec2(unseen_id=answer)
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))

    def look() -> Any:
        try:
            return len(ec2("DescribeImages", ImageIds=[image_id])["Images"])
        except Ec2Error as error:
            assert error.code == "InvalidAMIID.NotFound"
            return "refused"

    assert [look() for _ in range(3)] == expected
    assert ec2("DescribeImages", Filters=[{"Name": "image-id", "Values": [image_id]}])["Images"] == []
    ec2.clock.advance(0.6)
    assert look() == 1


def test_client_token_gives_the_same_image_and_refuses_other_parameters(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    first = ec2.copy(source, ClientToken="t")
    assert ec2.copy(source, ClientToken="t") == first
    assert ec2.refused_copy(source, ClientToken="t", Description="x").code == "IdempotentParameterMismatch"
    assert ec2.copy(source, "eu-west-2", ClientToken="t") != first
    assert len(ec2.world.images(AWAY)) == 1


@pytest.mark.parametrize("switch", ["same-id", "error"])
def test_token_of_a_deregistered_copy_gives_what_the_switch_says(switch: str) -> None:
    ec2 = Ec2(dead_token=switch)
    source = ec2.world.register(HOME, name="web")
    image_id = ec2.finished_copy(source, ClientToken="t")["ImageId"]
    ec2("DeregisterImage", ImageId=image_id)
    if switch == "same-id":
        assert ec2.copy(source, ClientToken="t") == image_id
    else:
        assert ec2.refused_copy(source, ClientToken="t").code == "InvalidAMIID.Unavailable"


def test_copies_may_share_a_name_and_registered_images_may_not(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    assert ec2.copy(source) != ec2.copy(source)
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}]
    refusal = ec2.refusal("RegisterImage", HOME, Name="web", BlockDeviceMappings=mapping)
    assert refusal.code == "InvalidAMIName.Duplicate"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "ab"}, "InvalidAMIName.Malformed"),
        ({"Name": "x" * 129}, "InvalidAMIName.Malformed"),
        ({"Name": "a#b"}, "InvalidAMIName.Malformed"),
        ({"Name": None}, "MissingParameter"),
        ({"SourceRegion": "us-nowhere-9"}, "InvalidRegion"),
        ({"SourceRegion": "cn-north-1"}, "InvalidRegion"),
        ({"SourceImageId": "ami-00000000"}, "InvalidAMIID.NotFound"),
        ({"SourceImageId": "ami-zz"}, "InvalidAMIID.Malformed"),
        ({"KmsKeyId": "alias/x"}, "InvalidParameterDependency"),
        ({"SnapshotCopyCompletionDurationMinutes": 20}, "InvalidParameterValue"),
        ({"SnapshotCopyCompletionDurationMinutes": 2895}, "InvalidParameterValue"),
        ({"DestinationOutpostArn": "arn", "DestinationAvailabilityZone": "z"}, "InvalidParameterCombination"),
        (
            {"DestinationOutpostArn": "arn", "SnapshotCopyCompletionDurationMinutes": 15},
            "InvalidParameterCombination",
        ),
        ({"TagSpecifications": [{"ResourceType": "instance", "Tags": []}]}, "InvalidParameterValue"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_copy_image_refuses_at_the_call(ec2: Ec2, params: dict[str, Any], code: str) -> None:
    source = ec2.world.register(HOME, name="web")
    assert ec2.refused_copy(source, **params).code == code
    assert ec2.world.images(AWAY) == []


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ([{"Key": "aws:x", "Value": ""}], "reserved"),
        ([{"Key": "AWS:x", "Value": ""}], "reserved"),
        ([{"Key": "k" * 129, "Value": ""}], "128"),
        ([{"Key": "k", "Value": "v" * 257}], "256"),
        ([{"Key": "k", "Value": ""}, {"Key": "k", "Value": ""}], "Duplicate tag key 'k' specified."),
        ([{"Key": str(number), "Value": ""} for number in range(51)], "maximum number"),
    ],
)
def test_bad_tags_refuse_the_copy(ec2: Ec2, tags: list[dict[str, str]], text: str) -> None:
    source = ec2.world.register(HOME, name="web")
    specification = [{"ResourceType": "image", "Tags": tags}]
    assert text in ec2.refused_copy(source, TagSpecifications=specification).message


def test_tags_come_with_the_request_or_from_the_source_without_reserved_ones(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web", tags={"Name": "web", "aws:stack": "s", "Team": "a"})
    both = [
        {"ResourceType": "image", "Tags": [{"Key": "Team", "Value": "b"}]},
        {"ResourceType": "snapshot", "Tags": [{"Key": "Of", "Value": "web"}]},
    ]
    copy = ec2.finished_copy(source, CopyImageTags=True, TagSpecifications=both)
    assert {tag["Key"]: tag["Value"] for tag in copy["Tags"]} == {"Name": "web", "Team": "b"}
    assert [snapshot.tags for snapshot in ec2.world.snapshots(AWAY)] == [{"Of": "web"}]


def test_tag_policy_refuses_untagged_copies(ec2: Ec2) -> None:
    ec2.world.settings(AWAY).required_tag_keys = frozenset({"Owner"})
    refusal = ec2.refused_copy(ec2.world.register(HOME, name="web"))
    assert (refusal.code, "'Owner'" in refusal.message) == ("TagPolicyViolation", True)


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
def test_encryption_follows_the_request_the_source_and_the_region(
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
def test_bad_key_fails_the_copy_later_and_not_the_call(ec2: Ec2, facts: KeyMetadata | None) -> None:
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


def test_pending_source_has_no_storage_yet(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web", state="pending")
    refusal = ec2.refused_copy(source)
    assert refusal.message == "The storage for the ami is not available in the source region."


def test_deregistered_source_and_disabled_source() -> None:
    for switch, works in (("accepted", True), ("refused", False)):
        ec2 = Ec2(copy_of_disabled=switch)
        source = ec2.world.register(HOME, name="web")
        ec2("DisableImage", HOME, ImageId=source.image_id)
        if works:
            assert ec2.copy(source)
        else:
            assert ec2.refused_copy(source).code == "InvalidAMIID.Unavailable"
        ec2("DeregisterImage", HOME, ImageId=source.image_id)
        assert ec2.refused_copy(source).code == "InvalidAMIID.Unavailable"


def test_paravirtual_copy_takes_the_destinations_kernel_or_is_refused(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="old", virtualization_type="paravirtual", kernel_id="aki-919dcaf8")
    assert ec2.finished_copy(source, AWAY)["KernelId"] == "aki-52a34525"
    assert ec2.refused_copy(source, "eu-north-1").message == "Failed to find matching AKI"
    assert ec2.finished_copy(source, HOME)["KernelId"] == "aki-919dcaf8"


def test_instance_store_copy_has_no_snapshots_and_cannot_be_encrypted(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="old", root_device_type="instance-store")
    assert ec2.refused_copy(source, Encrypted=True).code == "InvalidRequest"
    assert ec2.finished_copy(source)["State"] == "available"
    assert ec2.world.snapshots(AWAY) == []


def test_limit_of_copies_in_progress_frees_up_as_they_end(ec2: Ec2) -> None:
    ec2.world.settings(AWAY).image_copies_limit = 2
    source = ec2.world.register(HOME, name="web")
    first = ec2.copy(source)
    ec2.copy(source)
    assert ec2.refused_copy(source).code == "ResourceLimitExceeded"
    ec2.clock.advance(1)
    ec2("DeregisterImage", ImageId=first)
    ec2.copy(source)
    ec2.clock.advance(60)
    ec2.copy(source)


def test_time_based_copies_share_a_limited_throughput(ec2: Ec2) -> None:
    large = ec2.world.register(HOME, name="large", volumes=[Volume(gib=400)])
    for _ in range(4):
        ec2.copy(large, SnapshotCopyCompletionDurationMinutes=15)
    assert ec2.refused_copy(large, SnapshotCopyCompletionDurationMinutes=15).code == "ResourceLimitExceeded"
    huge = ec2.world.register(HOME, name="huge", volumes=[Volume(gib=500)])
    assert ec2.refused_copy(huge, "eu-west-2", SnapshotCopyCompletionDurationMinutes=15).code == "ResourceLimitExceeded"


def test_throttling_when_asked_for_allows_100_copies_then_one_a_second() -> None:
    ec2 = Ec2(timing=Timing(throttle=True))
    source = ec2.world.register(HOME, name="web")
    for _ in range(100):
        ec2.copy(source)
    refusal = ec2.refused_copy(source)
    assert (refusal.code, refusal.status) == ("RequestLimitExceeded", 503)
    ec2.clock.advance(1)
    ec2.copy(source)
    assert ec2.refused_copy(source).code == "RequestLimitExceeded"


def test_region_that_is_not_enabled_does_not_accept_the_credentials(ec2: Ec2) -> None:
    refusal = ec2.refusal("DescribeImages", "af-south-1")
    assert (refusal.code, refusal.status) == ("AuthFailure", 401)
    ec2.world.opt_in("af-south-1")
    assert ec2("DescribeImages", "af-south-1")["Images"] == []


def test_describe_regions_tells_what_is_enabled(ec2: Ec2) -> None:
    enabled = {row["RegionName"] for row in ec2("DescribeRegions")["Regions"]}
    every = {row["RegionName"]: row["OptInStatus"] for row in ec2("DescribeRegions", AllRegions=True)["Regions"]}
    assert enabled == {name for name, status in every.items() if status == "opt-in-not-required"}
    assert {name for name, status in every.items() if status == "not-opted-in"} == set(OPT_IN)
    assert "cn-north-1" not in every
    wanted = [{"Name": "opt-in-status", "Values": ["not-*"]}]
    assert len(ec2("DescribeRegions", AllRegions=True, Filters=wanted)["Regions"]) == len(OPT_IN)


def test_image_of_another_account_is_seen_only_when_shared(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="theirs", account=STRANGER, tags={"secret": "1"})
    assert ec2("DescribeImages")["Images"] == []
    assert ec2.refusal("DescribeImages", ImageIds=[image.image_id]).code == "InvalidAMIID.NotFound"
    for principal in (DEFAULT_ACCOUNT, "all", ORGANIZATION, UNIT):
        image.launch_permissions = {principal}
        ec2.world.state.organizations[DEFAULT_ACCOUNT] = {ORGANIZATION, UNIT}
        assert "Tags" not in ec2.described(image.image_id)
        assert ec2("DescribeImages", Filters=[{"Name": "tag-key", "Values": ["*"]}])["Images"] == []
    refusal = ec2.refusal("DescribeImageAttribute", Attribute="launchPermission", ImageId=image.image_id)
    assert refusal.message == f"Not authorized for image:{image.image_id}"


def test_shared_image_can_be_copied_with_its_storage_only(ec2: Ec2) -> None:
    populate(ec2.world)
    theirs = ec2.world.image(HOME, SHARED.image_id)
    assert ec2.finished_copy(theirs, CopyImageTags=True)["OwnerId"] == DEFAULT_ACCOUNT
    assert ec2.world.images(AWAY)[0].tags == {}
    refusal = ec2.refused_copy(ec2.world.image(HOME, SHARED_WITHOUT_STORAGE.image_id))
    assert refusal.message == "You do not have permission to access the storage of this ami"


def test_unknown_ids_are_all_named_and_fail_the_whole_call(ec2: Ec2) -> None:
    known = ec2.world.register(AWAY, name="known").image_id
    ids = [known, "ami-00000001", "ami-00000002"]
    refusal = ec2.refusal("DescribeImages", ImageIds=ids)
    assert refusal.message == "The image ids '[ami-00000001, ami-00000002]' do not exist"


def test_deregistered_image_is_absent_from_a_describe_by_id(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="old")
    ec2("DeregisterImage", ImageId=image.image_id)
    assert ec2("DescribeImages", ImageIds=[image.image_id])["Images"] == []
    refusal = ec2.refusal("DeregisterImage", ImageId=image.image_id)
    assert refusal.message == f"The image ID '{image.image_id}' is no longer available"


def test_what_is_empty_is_left_out_of_the_answer(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name=None, created_at=None)
    assert not {"Name", "Description", "CreationDate", "Tags", "Platform"} & set(ec2.described(image.image_id))


@pytest.mark.parametrize(
    ("name", "values", "count"),
    [
        ("name", ["web-*"], 2),
        ("name", ["web-?"], 2),
        ("name", ["WEB-1"], 0),
        ("name", ["web-1", "db"], 2),
        ("name", ["literal\\*"], 1),
        ("tag:Team", ["a"], 1),
        ("tag:Team", ["a", "b"], 2),
        ("tag-key", ["Te*"], 2),
        ("state", ["available"], 4),
        ("state", ["pending"], 0),
        ("is-public", ["false"], 4),
        ("block-device-mapping.volume-size", ["8"], 4),
        ("source-image-id", ["ami-1*"], 0),
    ],
)
def test_filters_choose_images(ec2: Ec2, name: str, values: list[str], count: int) -> None:
    for image_name, tags in (
        ("web-1", {"Team": "a"}),
        ("web-2", {"Team": "b"}),
        ("db", {}),
        ("literal*", {}),
    ):
        ec2.world.register(AWAY, name=image_name, tags=tags)
    assert len(ec2("DescribeImages", Filters=[{"Name": name, "Values": values}])["Images"]) == count


@given(st.text(alphabet="ab*?\\.[", max_size=8), st.text(alphabet="ab*?\\.[", max_size=8))
def test_filter_without_wildcards_is_equality(text: str, other: str) -> None:
    ec2 = Ec2()
    ec2.world.register(AWAY, name="x", tags={"k": text})
    quoted = "".join(f"\\{character}" if character in "*?\\" else character for character in other)
    found = ec2("DescribeImages", Filters=[{"Name": "tag:k", "Values": [quoted]}])["Images"]
    assert bool(found) is (text == other)


def test_unknown_filter_and_too_many_values_are_refused(ec2: Ec2) -> None:
    refusal = ec2.refusal("DescribeImages", Filters=[{"Name": "colour", "Values": ["red"]}])
    assert (refusal.code, refusal.message) == ("InvalidParameterValue", "The filter 'colour' is invalid")
    values = [str(number) for number in range(201)]
    assert ec2.refusal("DescribeImages", Filters=[{"Name": "name", "Values": values}]).code == "FilterLimitExceeded"


def test_pages_follow_each_other_and_exclude_ids(ec2: Ec2) -> None:
    for number in range(5):
        ec2.world.register(AWAY, name=f"web-{number}")
    first = ec2("DescribeImages", Owners=["self"], MaxResults=3)
    second = ec2("DescribeImages", Owners=["self"], MaxResults=3, NextToken=first["NextToken"])
    names = [image["Name"] for page in (first, second) for image in page["Images"]]
    assert names == [f"web-{number}" for number in range(5)]
    assert "NextToken" not in second
    refusal = ec2.refusal("DescribeImages", ImageIds=["ami-00000000"], MaxResults=3)
    assert refusal.code == "InvalidParameterCombination"
    assert ec2.refusal("DescribeImages", NextToken="nonsense").code == "InvalidParameterValue"


def test_deprecated_images_are_shown_to_their_owner_and_on_request(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="old", launch_permissions={"all"}, deprecate_at=ec2.clock.now())
    assert ec2("DescribeImages")["Images"]
    assert ec2("DescribeImages", account=STRANGER)["Images"] == []
    assert ec2("DescribeImages", account=STRANGER, IncludeDeprecated=True)["Images"][0]["ImageId"] == image.image_id


def test_disabled_image_is_shown_to_its_owner_on_request_and_loses_its_permissions(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="off", launch_permissions={FRIEND})
    ec2("DisableImage", ImageId=image.image_id)
    assert ec2("DescribeImages", ImageIds=[image.image_id])["Images"] == []
    assert ec2("DescribeImages", ImageIds=[image.image_id], IncludeDisabled=True)["Images"][0]["State"] == "disabled"
    ec2("EnableImage", ImageId=image.image_id)
    assert ec2.described(image.image_id)["State"] == "available"
    assert image.launch_permissions == set()


def test_launch_permissions_of_every_kind_are_added_and_removed(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    items = [
        {"UserId": FRIEND},
        {"Group": "all"},
        {"OrganizationArn": ORGANIZATION},
        {"OrganizationalUnitArn": UNIT},
    ]
    ec2("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission={"Add": items})
    answer = ec2("DescribeImageAttribute", ImageId=image.image_id, Attribute="launchPermission")
    assert sorted(map(str, answer["LaunchPermissions"])) == sorted(map(str, items))
    ec2(
        "ModifyImageAttribute",
        ImageId=image.image_id,
        Attribute="launchPermission",
        OperationType="remove",
        UserIds=[FRIEND],
        UserGroups=["all"],
        OrganizationArns=[ORGANIZATION],
    )
    assert image.launch_permissions == {UNIT}
    ec2("ResetImageAttribute", ImageId=image.image_id, Attribute="launchPermission")
    assert image.launch_permissions == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "MissingParameter"),
        ({"Add": [{"UserId": "123"}]}, "InvalidAMIAttributeItemValue"),
        ({"Add": [{"OrganizationArn": "o-exampleorgid"}]}, "InvalidAMIAttributeItemValue"),
        ({"Add": [{"Group": "everyone"}]}, "InvalidAMIAttributeItemValue"),
        (
            {"Add": [{"UserId": str(number)} for number in range(10**11, 10**11 + 1001)]},
            "ResourceLimitExceeded",
        ),
    ],
)
def test_bad_launch_permissions_change_nothing(ec2: Ec2, change: Any, code: str) -> None:
    image = ec2.world.register(AWAY, name="web")
    assert ec2.refusal("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission=change).code == code
    assert image.launch_permissions == set()


def test_pending_image_cannot_be_shared_and_can_be_tagged(ec2: Ec2) -> None:
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))
    ec2.clock.advance(1)
    refusal = ec2.refusal("ModifyImageAttribute", ImageId=image_id, LaunchPermission={"Add": [{"UserId": FRIEND}]})
    assert refusal.message == (f"The AMI ID '{image_id}' is currently pending and may not be used for this operation")
    ec2("CreateTags", Resources=[image_id], Tags=[{"Key": "k", "Value": ""}])
    assert ec2.described(image_id)["Tags"] == [{"Key": "k", "Value": ""}]


def test_public_sharing_is_refused_by_block_encryption_and_quota(ec2: Ec2) -> None:
    def share(image: Image) -> Ec2Error:
        return ec2.refusal("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission={"Add": [{"Group": "all"}]})

    image = ec2.world.register(AWAY, name="web")
    ec2("EnableImageBlockPublicAccess", ImageBlockPublicAccessState="block-new-sharing")
    assert share(image).message.startswith("You can’t publicly share this image because block public access")
    ec2("DisableImageBlockPublicAccess")
    assert share(ec2.world.register(AWAY, name="e", volumes=[Volume(encrypted=True)])).code == "InvalidParameter"
    for number in range(5):
        ec2.world.register(AWAY, name=f"public-{number}", launch_permissions={"all"})
    assert share(image).message.startswith("You have reached your quota of 5 for the number of public images")


def test_image_under_the_aws_managed_key_cannot_be_shared(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="e", volumes=[Volume(encrypted=True)])
    add = {"Add": [{"UserId": FRIEND}]}
    refusal = ec2.refusal("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission=add)
    assert refusal.message == "Snapshots encrypted with the AWS Managed CMK can’t be shared. Specify another snapshot"
    own_key = ec2.world.register(AWAY, name="k", volumes=[Volume(encrypted=True, kms_key_id="1234")])
    ec2("ModifyImageAttribute", ImageId=own_key.image_id, LaunchPermission=add)
    assert own_key.launch_permissions == {FRIEND}


def test_description_and_imds_support_can_be_modified(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    ec2("ModifyImageAttribute", ImageId=image.image_id, Description={"Value": "new"})
    ec2("ModifyImageAttribute", ImageId=image.image_id, Attribute="imdsSupport", Value="v2.0")
    shown = ec2.described(image.image_id)
    assert (shown["Description"], shown["ImdsSupport"]) == ("new", "v2.0")


def test_protection_keeps_an_image_until_its_cooldown_is_over(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    ec2("EnableImageDeregistrationProtection", ImageId=image.image_id, WithCooldown=True)
    assert ec2.described(image.image_id)["DeregistrationProtection"] == "enabled-with-cooldown"
    assert ec2.refusal("DeregisterImage", ImageId=image.image_id).code == "OperationNotPermitted"
    ec2("DisableImageDeregistrationProtection", ImageId=image.image_id)
    assert ec2.described(image.image_id)["DeregistrationProtection"].startswith("disabled after ")
    assert ec2.refusal("DeregisterImage", ImageId=image.image_id).code == "OperationNotPermitted"
    ec2.clock.advance(24 * 3600)
    ec2("DeregisterImage", ImageId=image.image_id)


def test_deprecation_date_loses_its_seconds_and_cannot_be_past(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    ec2(
        "EnableImageDeprecation",
        ImageId=image.image_id,
        DeprecateAt=ec2.clock.now() + timedelta(days=1, seconds=30),
    )
    assert ec2.described(image.image_id)["DeprecationTime"] == "2026-11-24T09:00:00.000Z"
    past = ec2.clock.now() - timedelta(days=1)
    assert (
        ec2.refusal("EnableImageDeprecation", ImageId=image.image_id, DeprecateAt=past).code == "InvalidParameterValue"
    )
    ec2("DisableImageDeprecation", ImageId=image.image_id)
    assert image.deprecate_at is None


def test_deregistering_with_snapshots_says_what_became_of_each(ec2: Ec2) -> None:
    first = ec2.world.register(AWAY, name="a", volumes=[Volume(), Volume(device="/dev/sdf")])
    shared = first.snapshot_ids[1]
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": shared}}]
    ec2("RegisterImage", Name="second", BlockDeviceMappings=mapping)
    answer = ec2("DeregisterImage", ImageId=first.image_id, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [
        {"SnapshotId": first.snapshot_ids[0], "ReturnCode": "success"},
        {"SnapshotId": shared, "ReturnCode": "skipped"},
    ]
    assert [snapshot.snapshot_id for snapshot in ec2.world.snapshots(AWAY)] == [shared]


def test_snapshots_of_a_copy_cancelled_too_early_appear_afterwards_with_their_tags() -> None:
    ec2 = Ec2(timing=Timing(visible_after=0, snapshots_listed_after=2))
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "of", "Value": "us"}]}]
    image_id = ec2.copy(ec2.world.register(HOME, name="web"), TagSpecifications=tags)
    answer = ec2("DeregisterImage", ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == []
    ec2.clock.advance(60)
    (orphan,) = ec2("DescribeSnapshots", Filters=[{"Name": "tag:of", "Values": ["us"]}])["Snapshots"]
    assert orphan["State"] == "completed"
    ec2("DeleteSnapshot", SnapshotId=orphan["SnapshotId"])
    assert ec2.world.snapshots(AWAY) == []


def test_snapshot_in_use_cannot_be_deleted(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    (snapshot_id,) = image.snapshot_ids
    refusal = ec2.refusal("DeleteSnapshot", SnapshotId=snapshot_id)
    assert refusal.message == f"The snapshot {snapshot_id} is currently in use by {image.image_id}"
    ec2("DeregisterImage", ImageId=image.image_id)
    ec2("DeleteSnapshot", SnapshotId=snapshot_id)
    assert ec2.refusal("DeleteSnapshot", SnapshotId=snapshot_id).message == (
        f"The snapshot '{snapshot_id}' does not exist."
    )


def test_snapshot_deleted_while_pending_lingers_where_the_switch_says_so() -> None:
    ec2 = Ec2(deleted_pending_snapshot_lingers=True)
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))
    ec2.clock.advance(1)
    ec2("DeregisterImage", ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert len(ec2.world.snapshots(AWAY)) == 1
    ec2.clock.advance(60)
    assert ec2.world.snapshots(AWAY) == []


def test_accounts_may_be_listed_beside_the_permissions_that_say_all_as_packer_does(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    (snapshot_id,) = image.snapshot_ids
    add = {"Add": [{"UserId": FRIEND}]}
    ec2("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission=add, UserIds=[FRIEND])
    ec2("ModifySnapshotAttribute", SnapshotId=snapshot_id, CreateVolumePermission=add, UserIds=[FRIEND])
    assert image.launch_permissions == ec2.world.snapshot(AWAY, snapshot_id).shared_with == {FRIEND}
    with pytest.raises(Ec2Error, match="OperationType"):
        ec2("ModifyImageAttribute", ImageId=image.image_id, UserIds=[FRIEND])


def test_snapshot_permissions_take_accounts_and_everybody_one_way_at_a_time(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(AWAY, name="web").snapshot_ids

    def modify(**params: Any) -> Any:
        return ec2("ModifySnapshotAttribute", SnapshotId=snapshot_id, **params)

    modify(CreateVolumePermission={"Add": [{"UserId": FRIEND}]})
    modify(Attribute="createVolumePermission", OperationType="add", GroupNames=["all"])
    answer = ec2("DescribeSnapshotAttribute", SnapshotId=snapshot_id, Attribute="createVolumePermission")
    assert answer["CreateVolumePermissions"] == [{"Group": "all"}, {"UserId": FRIEND}]
    both = {"Add": [{"UserId": STRANGER}], "Remove": [{"UserId": FRIEND}]}
    for wrong in (both, {"Add": [{"Group": "some"}]}, {"Add": [{"UserId": "1"}]}, {}):
        with pytest.raises(Ec2Error):
            modify(CreateVolumePermission=wrong)
    ec2("ResetSnapshotAttribute", SnapshotId=snapshot_id, Attribute="createVolumePermission")
    assert ec2.world.snapshot(AWAY, snapshot_id).shared_with == set()


def test_describe_snapshots_shows_own_public_and_shared_ones(ec2: Ec2) -> None:
    for name, principals in (("private", ()), ("public", ("all",)), ("shared", (DEFAULT_ACCOUNT,))):
        volume = Volume(shared_with=frozenset(principals))
        ec2.world.register(AWAY, name=name, account=STRANGER, volumes=[volume])
    ec2.world.register(AWAY, name="own")
    assert len(ec2("DescribeSnapshots")["Snapshots"]) == 3
    assert len(ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"]) == 1
    assert len(ec2("DescribeSnapshots", RestorableByUserIds=["all"])["Snapshots"]) == 1
    assert len(ec2("DescribeSnapshots", OwnerIds=[STRANGER], RestorableByUserIds=["self"])["Snapshots"]) == 1


def test_tags_belong_to_the_account_that_put_them(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web", tags={"mine": "1"}, launch_permissions={FRIEND})
    ec2("CreateTags", account=FRIEND, Resources=[image.image_id], Tags=[{"Key": "theirs", "Value": "2"}])
    (row,) = ec2("DescribeTags")["Tags"]
    assert (row["Key"], row["ResourceType"]) == ("mine", "image")
    (other,) = ec2("DescribeTags", account=FRIEND, Filters=[{"Name": "key", "Values": ["th*"]}])["Tags"]
    assert other["Value"] == "2"
    ec2("DeleteTags", Resources=[image.image_id], Tags=[{"Key": "mine", "Value": "other"}])
    assert image.tags == {"mine": "1"}
    ec2("DeleteTags", Resources=[image.image_id], Tags=[{"Key": "mine"}])
    assert image.tags == {}


def test_creating_tags_is_all_or_nothing(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    tags = [{"Key": "k", "Value": "v"}]
    refusal = ec2.refusal("CreateTags", Resources=[image.image_id, "ami-00000000"], Tags=tags)
    assert (refusal.code, image.tags) == ("InvalidAMIID.NotFound", {})


def test_copy_snapshot_runs_like_a_copy_of_an_image(ec2: Ec2) -> None:
    (source,) = ec2.world.register(HOME, name="web").snapshot_ids
    made = ec2("CopySnapshot", SourceRegion=HOME, SourceSnapshotId=source, Description="d")["SnapshotId"]
    assert ec2("DescribeSnapshots", SnapshotIds=[made])["Snapshots"][0]["State"] == "pending"
    ec2.clock.advance(10)
    assert ec2("DescribeSnapshots", SnapshotIds=[made])["Snapshots"][0]["State"] == "completed"


def test_ancestry_goes_back_to_the_first_image(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    first = ec2.finished_copy(source)["ImageId"]
    second = ec2.finished_copy(ec2.world.image(AWAY, first), "eu-west-2")["ImageId"]
    entries = ec2("GetImageAncestry", "eu-west-2", ImageId=second)["ImageAncestryEntries"]
    assert [entry["ImageId"] for entry in entries] == [second, first, source.image_id]


def test_account_settings_are_kept_by_region_and_account(ec2: Ec2) -> None:
    ec2("EnableEbsEncryptionByDefault")
    ec2("ModifyEbsDefaultKmsKeyId", KmsKeyId="1234")
    assert ec2("GetEbsEncryptionByDefault")["EbsEncryptionByDefault"] is True
    assert ec2("GetEbsDefaultKmsKeyId")["KmsKeyId"].endswith(":key/1234")
    assert ec2("GetEbsEncryptionByDefault", HOME)["EbsEncryptionByDefault"] is False
    assert ec2("GetEbsDefaultKmsKeyId", account=FRIEND)["KmsKeyId"] == "alias/aws/ebs"


def test_every_call_is_on_record_with_its_error(ec2: Ec2) -> None:
    ec2("DescribeImages", Owners=["self"])
    ec2.refusal("DescribeImages", ImageIds=["ami-00000000"])
    assert [(row.operation, row.region, row.error) for row in ec2.world.requests] == [
        ("DescribeImages", AWAY, ""),
        ("DescribeImages", AWAY, "InvalidAMIID.NotFound"),
    ]


def test_records_can_be_altered_behind_everybodys_back(ec2: Ec2) -> None:
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))
    ec2.world.image(AWAY, image_id).state = "invalid"
    ec2.clock.advance(60)
    assert ec2.described(image_id)["State"] == "invalid"
    ec2.world.remove(AWAY, image_id)
    assert ec2.refusal("DescribeImages", ImageIds=[image_id]).code == "InvalidAMIID.NotFound"
    with pytest.raises(KeyError):
        ec2.world.image(AWAY, image_id)


def test_samples_can_all_be_found_by_their_ids(ec2: Ec2) -> None:
    populate(ec2.world)
    names = {sample.image_id: sample.name for sample in SAMPLES}
    answer = ec2("DescribeImages", HOME, ImageIds=list(names))
    assert {row["ImageId"]: row["Name"] for row in answer["Images"]} == names
    web = ec2.world.image(HOME, WEB_SERVER.image_id)
    assert len(web.snapshot_ids) == 3
    assert len({str(ec2.world.snapshot(HOME, snapshot_id).tags) for snapshot_id in web.snapshot_ids}) == 3


def test_registering_an_unknown_member_is_an_error(ec2: Ec2) -> None:
    register: Callable[..., Image] = ec2.world.register
    with pytest.raises(TypeError, match="colour"):
        register(HOME, name="web", colour="red")


def test_two_hundred_sources_in_33_regions_are_no_burden(ec2: Ec2) -> None:
    ec2.world.opt_in()
    sources = [ec2.world.register(HOME, name=f"web-{number}") for number in range(200)]
    regions = [row["RegionName"] for row in ec2("DescribeRegions")["Regions"] if row["RegionName"] != HOME]
    for region in regions:
        for source in sources:
            ec2.copy(source, region)
    ec2.clock.advance(60)
    for region in regions:
        lineage = [
            {"Name": "source-image-region", "Values": [HOME]},
            {"Name": "state", "Values": ["available"]},
        ]
        assert len(ec2("DescribeImages", region, Owners=["self"], Filters=lineage)["Images"]) == 200


def test_attributes_of_an_image_can_be_read_one_at_a_time(ec2: Ec2) -> None:
    image = ec2.world.register(
        AWAY,
        name="web",
        description="d",
        boot_mode="uefi",
        tpm="v2.0",
        imds="v2.0",
        kernel_id="aki-1",
        product_codes=[("code", "marketplace")],
        last_launched_at=ec2.clock.now(),
    )
    expected: dict[str, dict[str, Any]] = {
        "description": {"Description": {"Value": "d"}},
        "kernel": {"KernelId": {"Value": "aki-1"}},
        "ramdisk": {"RamdiskId": {}},
        "sriovNetSupport": {"SriovNetSupport": {"Value": "simple"}},
        "bootMode": {"BootMode": {"Value": "uefi"}},
        "tpmSupport": {"TpmSupport": {"Value": "v2.0"}},
        "imdsSupport": {"ImdsSupport": {"Value": "v2.0"}},
        "lastLaunchedTime": {"LastLaunchedTime": {"Value": "2026-11-23T09:00:00Z"}},
        "deregistrationProtection": {"DeregistrationProtection": {"Value": "disabled"}},
        "productCodes": {"ProductCodes": [{"ProductCodeId": "code", "ProductCodeType": "marketplace"}]},
    }
    for attribute, answer in expected.items():
        found = ec2("DescribeImageAttribute", ImageId=image.image_id, Attribute=attribute)
        assert found == {"ImageId": image.image_id, **answer}


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("DescribeRegions", {"RegionNames": ["mars-1"]}, "InvalidParameterValue"),
        ("DescribeImages", {"Owners": ["me"]}, "InvalidUserID.Malformed"),
        ("DescribeSnapshots", {"SnapshotIds": ["snap-zz"]}, "InvalidSnapshotID.Malformed"),
        ("DescribeSnapshots", {"MaxResults": 3}, "InvalidParameterValue"),
        ("DescribeImageReferences", {"ImageIds": ["ami-00000000"]}, "MissingParameter"),
        ("EnableImageBlockPublicAccess", {"ImageBlockPublicAccessState": "unblocked"}, "InvalidParameterValue"),
        ("EnableSnapshotBlockPublicAccess", {"State": "unblocked"}, "InvalidParameterValue"),
        ("CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "k"}]}, "InvalidID"),
        ("CreateSnapshot", {"VolumeId": "vol-1"}, "InvalidVolume.NotFound"),
        ("RegisterImage", {"Name": "web"}, "MissingParameter"),
        ("MakeCoffee", {}, "InvalidAction"),
    ],
)
def test_other_operations_refuse_what_they_cannot_do(
    ec2: Ec2, operation: str, params: dict[str, Any], code: str
) -> None:
    assert ec2.refusal(operation, **params).code == code


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Description": "d" * 256}, "InvalidParameterValue"),
        ({"ClientToken": "t" * 65}, "InvalidParameterValue"),
        ({"DestinationAvailabilityZone": "eu-west-1a"}, "InvalidParameterCombination"),
        ({"TagSpecifications": [{"ResourceType": "image", "Tags": []}]}, "InvalidParameterValue"),
        ({"TagSpecifications": [{"ResourceType": "image", "Tags": [{"Key": "k"}]}] * 2}, "InvalidParameterValue"),
    ],
)
def test_copy_image_refuses_more_at_the_call(ec2: Ec2, params: dict[str, Any], code: str) -> None:
    assert ec2.refused_copy(ec2.world.register(HOME, name="web"), **params).code == code


def test_copy_from_a_region_that_is_not_enabled_is_refused(ec2: Ec2) -> None:
    assert ec2.refused_copy(ec2.world.register("af-south-1", name="web")).code == "InvalidRegion"


def test_copy_to_an_outpost_is_always_encrypted_and_stays_in_its_region(ec2: Ec2) -> None:
    outpost = {"DestinationOutpostArn": "arn:aws:outposts:us-east-1:123456789012:outpost/op-1"}
    source = ec2.world.register(HOME, name="web")
    assert ec2.refused_copy(source, AWAY, **outpost).code == "InvalidParameterCombination"
    ec2.copy(source, HOME, **outpost)
    assert [(row.encrypted, row.outpost_arn) for row in ec2.world.snapshots(HOME)][1:] == [
        (True, outpost["DestinationOutpostArn"])
    ]


def test_kernel_missing_in_the_destination_fails_the_copy_where_the_switch_says_so() -> None:
    ec2 = Ec2(missing_kernel="failed")
    source = ec2.world.register(HOME, name="old", virtualization_type="paravirtual", kernel_id="aki-919dcaf8")
    failed = ec2.finished_copy(source, "eu-north-1")
    assert (failed["State"], failed["StateReason"]["Message"]) == ("failed", "Failed to find matching AKI")


def test_encrypted_source_keeps_its_key_within_the_region_and_where_the_switch_says_so() -> None:
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


def test_deprecation_is_carried_where_the_switch_says_so() -> None:
    ec2 = Ec2(copy_keeps_deprecation=True)
    source = ec2.world.register(HOME, name="web", deprecate_at=ec2.clock.now() + timedelta(days=1))
    assert ec2.finished_copy(source)["DeprecationTime"] == "2026-11-24T09:00:00.000Z"


def test_product_codes_keep_an_image_from_being_public_or_copied_by_others(ec2: Ec2) -> None:
    codes = [("code", "marketplace")]
    image = ec2.world.register(HOME, name="web", product_codes=codes, launch_permissions={FRIEND})
    refusal = ec2.refusal(
        "ModifyImageAttribute", HOME, ImageId=image.image_id, LaunchPermission={"Add": [{"Group": "all"}]}
    )
    assert refusal.code == "OperationNotPermitted"
    image.launch_permissions = {FRIEND}
    assert ec2.refused_copy(image, account=FRIEND).code == "InvalidRequest"
    assert ec2.finished_copy(image)["ProductCodes"][0]["ProductCodeId"] == "code"


def test_recipient_can_give_up_a_shared_image(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web", account=STRANGER, launch_permissions={DEFAULT_ACCOUNT})
    ec2("CancelImageLaunchPermission", ImageId=image.image_id)
    assert image.launch_permissions == set()


def test_executable_users_choose_by_explicit_permission(ec2: Ec2) -> None:
    for name, principals in (("public", {"all"}), ("friend", {FRIEND}), ("private", set())):
        ec2.world.register(AWAY, name=name, launch_permissions=principals)
    for user, account, expected in (("all", DEFAULT_ACCOUNT, ["public"]), ("self", FRIEND, ["friend"])):
        found = ec2("DescribeImages", account=account, ExecutableUsers=[user])["Images"]
        assert [image["Name"] for image in found] == expected


def test_references_are_those_that_a_test_puts_there(ec2: Ec2) -> None:
    ec2.world.state.references["ami-00000001"] = [("ec2:Instance", "arn:i"), ("ssm:Parameter", "arn:p")]
    kinds = [{"ResourceType": "ssm:Parameter"}]
    answer = ec2("DescribeImageReferences", ImageIds=["ami-00000001"], ResourceTypes=kinds)
    assert [row["Arn"] for row in answer["ImageReferences"]] == ["arn:p"]


def test_registered_image_stands_on_its_snapshots(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(AWAY, name="first").snapshot_ids
    mappings = [
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot_id, "VolumeType": "gp3"}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "NoDevice": ""},
        {"DeviceName": "/dev/sdd", "Ebs": {"VolumeSize": 5}},
    ]
    image_id = ec2("RegisterImage", Name="second", BlockDeviceMappings=mappings)["ImageId"]
    shown = ec2.described(image_id)["BlockDeviceMappings"]
    assert [sorted(row) for row in shown] == [
        ["DeviceName", "Ebs"],
        ["DeviceName", "VirtualName"],
        ["DeviceName", "NoDevice"],
        ["DeviceName", "Ebs"],
    ]
    assert "SnapshotId" not in shown[3]["Ebs"]
    assert len(ec2.finished_copy(ec2.world.image(AWAY, image_id), HOME)["BlockDeviceMappings"]) == 4


def test_snapshots_have_their_own_block_of_public_access(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(AWAY, name="web").snapshot_ids
    public: dict[str, Any] = {"SnapshotId": snapshot_id, "CreateVolumePermission": {"Add": [{"Group": "all"}]}}
    ec2("EnableSnapshotBlockPublicAccess", State="block-all-sharing")
    assert ec2.refusal("ModifySnapshotAttribute", **public).code == "OperationNotPermitted"
    ec2("DisableSnapshotBlockPublicAccess")
    assert ec2("GetSnapshotBlockPublicAccessState")["State"] == "unblocked"
    ec2("ModifySnapshotAttribute", **public)


def test_snapshot_copies_have_a_limit_of_their_own(ec2: Ec2) -> None:
    (snapshot_id,) = ec2.world.register(HOME, name="web").snapshot_ids
    ec2.world.settings(AWAY).snapshot_copies_limit = 1
    ec2("CopySnapshot", SourceRegion=HOME, SourceSnapshotId=snapshot_id)
    refusal = ec2.refusal("CopySnapshot", SourceRegion=HOME, SourceSnapshotId=snapshot_id)
    assert refusal.message == "Too many snapshot copies in progress. The limit is 1 for this destination region."
