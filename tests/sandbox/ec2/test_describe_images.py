"""DescribeImages and the other operations that read images."""

from typing import Any

import pytest

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from tests.sandbox.simulated_ec2 import AWAY, FRIEND, HOME, ORGANIZATION, STRANGER, UNIT, Ec2


@pytest.mark.parametrize(
    ("response", "expected"),
    [("not-found", ["refused"] * 3), ("empty", [0] * 3), ("alternate", ["refused", 0, "refused"])],
)
def test_id_of_a_new_copy_is_unknown_at_first(response: Any, expected: list[Any]) -> None:
    ec2 = Ec2(unseen_id=response)
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))

    def describe() -> Any:
        try:
            return len(ec2("DescribeImages", ImageIds=[image_id])["Images"])
        except Ec2Error as error:
            assert error.code == "InvalidAMIID.NotFound"
            return "refused"

    assert [describe() for _ in range(3)] == expected
    assert ec2("DescribeImages", Filters=[{"Name": "image-id", "Values": [image_id]}])["Images"] == []
    ec2.clock.advance(0.6)
    assert describe() == 1


def test_pending_copy_omits_its_snapshots_if_the_switch_is_on() -> None:
    for omitted in (True, False):
        ec2 = Ec2(pending_mappings_omit_snapshots=omitted)
        image_id = ec2.copy(ec2.world.register(HOME, name="web"))
        ec2.clock.advance(1)
        assert ("SnapshotId" not in ec2.described(image_id)["BlockDeviceMappings"][0]["Ebs"]) is omitted


def test_image_of_another_account_is_visible_only_if_shared(ec2: Ec2) -> None:
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


def test_one_unknown_id_fails_the_call_and_all_unknown_ids_are_named(ec2: Ec2) -> None:
    known = ec2.world.register(AWAY, name="known").image_id
    ids = [known, "ami-00000001", "ami-00000002"]
    refusal = ec2.refusal("DescribeImages", ImageIds=ids)
    assert refusal.message == "The image ids '[ami-00000001, ami-00000002]' do not exist"


def test_deregistered_image_is_missing_from_a_describe_by_id(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="old")
    ec2("DeregisterImage", ImageId=image.image_id)
    assert ec2("DescribeImages", ImageIds=[image.image_id])["Images"] == []
    refusal = ec2.refusal("DeregisterImage", ImageId=image.image_id)
    assert refusal.message == f"The image ID '{image.image_id}' is no longer available"


def test_empty_members_are_left_out(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name=None, created_at=None)
    assert not {"Name", "Description", "CreationDate", "Tags", "Platform"} & set(ec2.described(image.image_id))


def test_deprecated_image_is_shown_to_its_owner_and_to_others_on_request(ec2: Ec2) -> None:
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


def test_executable_users_selects_by_explicit_permission(ec2: Ec2) -> None:
    for name, principals in (("public", {"all"}), ("friend", {FRIEND}), ("private", set())):
        ec2.world.register(AWAY, name=name, launch_permissions=principals)
    for user, account, expected in (("all", DEFAULT_ACCOUNT, ["public"]), ("self", FRIEND, ["friend"])):
        found = ec2("DescribeImages", account=account, ExecutableUsers=[user])["Images"]
        assert [image["Name"] for image in found] == expected


def test_each_attribute_can_be_read_by_itself(ec2: Ec2) -> None:
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
    for attribute, response in expected.items():
        found = ec2("DescribeImageAttribute", ImageId=image.image_id, Attribute=attribute)
        assert found == {"ImageId": image.image_id, **response}


def test_ancestry_goes_back_to_the_first_image(ec2: Ec2) -> None:
    source = ec2.world.register(HOME, name="web")
    first = ec2.finished_copy(source)["ImageId"]
    second = ec2.finished_copy(ec2.world.image(AWAY, first), "eu-west-2")["ImageId"]
    entries = ec2("GetImageAncestry", "eu-west-2", ImageId=second)["ImageAncestryEntries"]
    assert [entry["ImageId"] for entry in entries] == [second, first, source.image_id]


def test_references_come_from_the_state(ec2: Ec2) -> None:
    ec2.world.state.references["ami-00000001"] = [("ec2:Instance", "arn:i"), ("ssm:Parameter", "arn:p")]
    kinds = [{"ResourceType": "ssm:Parameter"}]
    response = ec2("DescribeImageReferences", ImageIds=["ami-00000001"], ResourceTypes=kinds)
    assert [row["Arn"] for row in response["ImageReferences"]] == ["arn:p"]


def test_image_without_devices_has_an_empty_list_of_them(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web", root_device_type="instance-store")
    assert ec2.described(image.image_id)["BlockDeviceMappings"] == []
    assert "Tags" not in ec2.described(image.image_id)


def test_images_are_found_by_boot_mode_and_watermark(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web", boot_mode="uefi")
    ec2.world.register(AWAY, name="db", boot_mode="legacy-bios")
    ec2("AttachImageWatermark", ImageId=image.image_id, WatermarkName="golden")
    for name, value in (
        ("boot-mode", "uefi"),
        ("image-watermark.watermark-key", "*:golden"),
        ("image-watermark.source-image-id", image.image_id),
        ("image-watermark.source-image-region", AWAY),
        ("image-watermark.source-image-creation-time", "2026-*"),
        ("image-watermark.watermark-creation-time", "2026-*"),
    ):
        rows = ec2("DescribeImages", Filters=[{"Name": name, "Values": [value]}])["Images"]
        assert [row["ImageId"] for row in rows] == [image.image_id], name
