"""Launch permissions, description, IMDS support, instance types and watermarks."""

from typing import Any

import pytest

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume
from tests.sandbox.simulated_ec2 import AWAY, FRIEND, HOME, ORGANIZATION, STRANGER, UNIT, Ec2


def test_launch_permissions_of_every_kind_are_added_and_removed(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    items = [
        {"UserId": FRIEND},
        {"Group": "all"},
        {"OrganizationArn": ORGANIZATION},
        {"OrganizationalUnitArn": UNIT},
    ]
    ec2("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission={"Add": items})
    response = ec2("DescribeImageAttribute", ImageId=image.image_id, Attribute="launchPermission")
    assert sorted(map(str, response["LaunchPermissions"])) == sorted(map(str, items))
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
def test_invalid_launch_permissions_change_nothing(ec2: Ec2, change: Any, code: str) -> None:
    image = ec2.world.register(AWAY, name="web")
    assert ec2.refusal("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission=change).code == code
    assert image.launch_permissions == set()


def test_redundant_user_ids_are_accepted_as_packer_sends_them(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    (snapshot_id,) = image.snapshot_ids
    add = {"Add": [{"UserId": FRIEND}]}
    ec2("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission=add, UserIds=[FRIEND])
    ec2("ModifySnapshotAttribute", SnapshotId=snapshot_id, CreateVolumePermission=add, UserIds=[FRIEND])
    assert image.launch_permissions == ec2.world.snapshot(AWAY, snapshot_id).shared_with == {FRIEND}
    with pytest.raises(Ec2Error, match="OperationType"):
        ec2("ModifyImageAttribute", ImageId=image.image_id, UserIds=[FRIEND])


def test_pending_image_can_be_tagged_but_not_shared(ec2: Ec2) -> None:
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))
    ec2.clock.advance(1)
    refusal = ec2.refusal("ModifyImageAttribute", ImageId=image_id, LaunchPermission={"Add": [{"UserId": FRIEND}]})
    assert refusal.message == (f"The AMI ID '{image_id}' is currently pending and may not be used for this operation")
    ec2("CreateTags", Resources=[image_id], Tags=[{"Key": "k", "Value": ""}])
    assert ec2.described(image_id)["Tags"] == [{"Key": "k", "Value": ""}]


def test_block_public_access_encryption_and_quota_prevent_public_sharing(ec2: Ec2) -> None:
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


def test_image_with_product_codes_cannot_be_public_or_copied_by_others(ec2: Ec2) -> None:
    codes = [("code", "marketplace")]
    image = ec2.world.register(HOME, name="web", product_codes=codes, launch_permissions={FRIEND})
    refusal = ec2.refusal(
        "ModifyImageAttribute", HOME, ImageId=image.image_id, LaunchPermission={"Add": [{"Group": "all"}]}
    )
    assert refusal.code == "OperationNotPermitted"
    image.launch_permissions = {FRIEND}
    assert ec2.refused_copy(image, account=FRIEND).code == "InvalidRequest"
    assert ec2.finished_copy(image)["ProductCodes"][0]["ProductCodeId"] == "code"


def test_image_encrypted_with_the_aws_managed_key_cannot_be_shared(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="e", volumes=[Volume(encrypted=True)])
    add = {"Add": [{"UserId": FRIEND}]}
    refusal = ec2.refusal("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission=add)
    assert refusal.message == "Snapshots encrypted with the AWS Managed CMK can’t be shared. Specify another snapshot"
    own_key = ec2.world.register(AWAY, name="k", volumes=[Volume(encrypted=True, kms_key_id="1234")])
    ec2("ModifyImageAttribute", ImageId=own_key.image_id, LaunchPermission=add)
    assert own_key.launch_permissions == {FRIEND}


def test_recipient_can_remove_its_own_launch_permission(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web", account=STRANGER, launch_permissions={DEFAULT_ACCOUNT})
    ec2("CancelImageLaunchPermission", ImageId=image.image_id)
    assert image.launch_permissions == set()


def test_description_and_imds_support_can_be_modified(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    ec2("ModifyImageAttribute", ImageId=image.image_id, Description={"Value": "new"})
    ec2("ModifyImageAttribute", ImageId=image.image_id, Attribute="imdsSupport", Value="v2.0")
    shown = ec2.described(image.image_id)
    assert (shown["Description"], shown["ImdsSupport"]) == ("new", "v2.0")


def test_instance_types_are_replaced_removed_and_copied(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    lists = {"SupportedInstanceTypes": ["t3.*", "m7i.large"], "UnsupportedInstanceTypes": ["t3.nano"]}
    ec2("ReplaceImageInstanceTypeSpecification", ImageId=image.image_id, InstanceTypeSpecification=lists)
    assert ec2.described(image.image_id)["InstanceTypeSpecification"] == {
        member: [{"InstanceType": name} for name in names] for member, names in lists.items()
    }
    ec2("ReplaceImageInstanceTypeSpecification", ImageId=image.image_id)
    assert "InstanceTypeSpecification" not in ec2.described(image.image_id)


@pytest.mark.parametrize("types", [["t3 nano"], [f"t3.{number}" for number in range(101)]])
def test_invalid_instance_types_are_refused(ec2: Ec2, types: list[str]) -> None:
    image = ec2.world.register(AWAY, name="web")
    with pytest.raises(Ec2Error):
        ec2(
            "ReplaceImageInstanceTypeSpecification",
            ImageId=image.image_id,
            InstanceTypeSpecification={"SupportedInstanceTypes": types},
        )
    assert image.supported_instance_types == []


def test_watermarks_are_attached_once_shown_and_detached(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    for _ in range(2):
        response = ec2("AttachImageWatermark", ImageId=image.image_id, WatermarkName="approved")
        assert response == {"WatermarkKey": f"{DEFAULT_ACCOUNT}:approved"}
    [shown] = ec2.described(image.image_id)["ImageWatermarks"]
    assert (shown["WatermarkKey"], shown["SourceImageId"]) == (f"{DEFAULT_ACCOUNT}:approved", image.image_id)
    ec2("DetachImageWatermark", ImageId=image.image_id, WatermarkKey=f"{DEFAULT_ACCOUNT}:approved")
    assert "ImageWatermarks" not in ec2.described(image.image_id)


def test_a_public_image_has_no_watermark_and_an_image_with_one_is_not_made_public(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web", launch_permissions={"all"})
    with pytest.raises(Ec2Error, match="public"):
        ec2("AttachImageWatermark", ImageId=image.image_id, WatermarkName="approved")
    image.launch_permissions.clear()
    ec2("AttachImageWatermark", ImageId=image.image_id, WatermarkName="approved")
    with pytest.raises(Ec2Error, match="watermarks"):
        ec2("ModifyImageAttribute", ImageId=image.image_id, LaunchPermission={"Add": [{"Group": "all"}]})


@pytest.mark.parametrize("name", ["ab", "a:b", "x" * 129])
def test_invalid_watermark_names_are_refused(ec2: Ec2, name: str) -> None:
    image = ec2.world.register(AWAY, name="web")
    with pytest.raises(Ec2Error):
        ec2("AttachImageWatermark", ImageId=image.image_id, WatermarkName=name)


def test_attribute_may_begin_with_a_capital_letter(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    add = {"Add": [{"UserId": FRIEND}]}
    ec2("ModifyImageAttribute", ImageId=image.image_id, Attribute="LaunchPermission", LaunchPermission=add)
    assert image.launch_permissions == {FRIEND}
