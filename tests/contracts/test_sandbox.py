"""Two witnesses: where moto is known to speak as EC2 does, the sandbox has to say the same.

moto's wording in these places was verified against AWS by its own tests.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from amicopy.sandbox.http.server import Sandbox
from tests.support.clock import FakeClock

REGION = "eu-west-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A client, and one image with one snapshot behind it."""

    ec2: Any
    image_id: str

    def refusal(self, operation: str, **params: Any) -> tuple[str, str]:
        """Return the code and the message of a call that is to fail."""
        with pytest.raises(ClientError) as caught:
            getattr(self.ec2, operation)(**params)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    def snapshot_id(self) -> str:
        """Return the snapshot behind the image."""
        (image,) = self.ec2.describe_images(ImageIds=[self.image_id])["Images"]
        return str(image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])

    def permissions(self) -> list[str]:
        """Return who may launch the image, sorted."""
        answer = self.ec2.describe_image_attribute(ImageId=self.image_id, Attribute="launchPermission")
        return sorted(next(iter(item.values())) for item in answer["LaunchPermissions"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(clock=FakeClock(), samples=False) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    # Keys of nobody's: moto puts its own into the environment, but a session may have looked there before.
    return boto3.Session(**Sandbox.credentials("123456789012"))


@pytest.fixture(params=["moto", "sandbox"])
def witness(request: pytest.FixtureRequest, sandbox: Sandbox, session: boto3.Session) -> Iterator[Witness]:
    if request.param == "moto":
        with mock_aws():
            ec2 = session.client("ec2", region_name=REGION)
            yield Witness(ec2=ec2, image_id=ec2.register_image(Name="web")["ImageId"])
            ec2.close()
        return
    image_id = sandbox.reset().register(REGION, name="web").image_id
    ec2 = session.client("ec2", region_name=REGION, endpoint_url=sandbox.endpoint_url)
    yield Witness(ec2=ec2, image_id=image_id)
    ec2.close()


def test_unknown_image_is_named(witness: Witness) -> None:
    assert witness.refusal("describe_images", ImageIds=["ami-abcd1234"]) == (
        "InvalidAMIID.NotFound",
        "The image id '[ami-abcd1234]' does not exist",
    )


def test_all_unknown_images_are_named(witness: Witness) -> None:
    assert witness.refusal("describe_images", ImageIds=["ami-abcd1234", "ami-abcd1235"]) == (
        "InvalidAMIID.NotFound",
        "The image ids '[ami-abcd1234, ami-abcd1235]' do not exist",
    )


def test_malformed_image_id_is_quoted(witness: Witness) -> None:
    assert witness.refusal("describe_images", ImageIds=["not_an_ami_id"]) == (
        "InvalidAMIID.Malformed",
        'Invalid id: "not_an_ami_id" (expecting "ami-...")',
    )


def test_copy_of_an_unknown_source_is_refused(witness: Witness) -> None:
    copy = {"Name": "copy", "SourceImageId": "ami-abcd1234", "SourceRegion": "us-east-1"}
    assert witness.refusal("copy_image", **copy) == (
        "InvalidAMIID.NotFound",
        "The image id '[ami-abcd1234]' does not exist",
    )


def test_dry_run_ends_in_an_error(witness: Witness) -> None:
    assert witness.refusal(
        "create_tags", Resources=[witness.image_id], Tags=[{"Key": "k", "Value": ""}], DryRun=True
    ) == (
        "DryRunOperation",
        "Request would have succeeded, but DryRun flag is set.",
    )


def test_deregistered_image_is_not_listed_and_not_refused(witness: Witness) -> None:
    witness.ec2.deregister_image(ImageId=witness.image_id)
    assert witness.ec2.describe_images(ImageIds=[witness.image_id])["Images"] == []
    code, message = witness.refusal("deregister_image", ImageId=witness.image_id)
    assert code == "InvalidAMIID.Unavailable"
    assert message.endswith("is no longer available")


def test_snapshot_under_an_image_cannot_be_deleted(witness: Witness) -> None:
    snapshot_id = witness.snapshot_id()
    code, message = witness.refusal("delete_snapshot", SnapshotId=snapshot_id)
    assert code == "InvalidSnapshot.InUse"
    assert re.fullmatch(f"The snapshot {snapshot_id} is currently in use by {witness.image_id}", message)
    witness.ec2.deregister_image(ImageId=witness.image_id)
    witness.ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert witness.refusal("delete_snapshot", SnapshotId=snapshot_id)[0] == "InvalidSnapshot.NotFound"


def test_block_device_mapping_attribute_is_closed_to_everybody(witness: Witness) -> None:
    params = {"ImageId": witness.image_id, "Attribute": "blockDeviceMapping"}
    assert witness.refusal("describe_image_attribute", **params) == (
        "AuthFailure",
        "Unauthorized attempt to access restricted resource",
    )


def test_tags_are_overwritten_deleted_and_limited(witness: Witness) -> None:
    ids = [witness.image_id, witness.snapshot_id()]
    for value in ("old", "new"):
        witness.ec2.create_tags(Resources=ids, Tags=[{"Key": "k", "Value": value}])
    rows = witness.ec2.describe_tags(Filters=[{"Name": "key", "Values": ["k"]}])["Tags"]
    assert sorted((row["ResourceId"], row["ResourceType"], row["Value"]) for row in rows) == sorted(
        [(ids[0], "image", "new"), (ids[1], "snapshot", "new")]
    )
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    assert witness.refusal("create_tags", Resources=ids[:1], Tags=many)[0] == "TagLimitExceeded"
    witness.ec2.delete_tags(Resources=ids, Tags=[{"Key": "k"}])
    assert witness.ec2.describe_tags(Filters=[{"Name": "key", "Values": ["k"]}])["Tags"] == []


def test_launch_permissions_are_a_set(witness: Witness) -> None:
    users = [{"UserId": "111122223333"}, {"UserId": "444455556666"}]
    for _ in range(2):
        witness.ec2.modify_image_attribute(ImageId=witness.image_id, LaunchPermission={"Add": users})
    witness.ec2.modify_image_attribute(
        ImageId=witness.image_id, Attribute="launchPermission", OperationType="add", UserGroups=["all"]
    )
    assert witness.permissions() == ["111122223333", "444455556666", "all"]
    assert witness.ec2.describe_images(ImageIds=[witness.image_id])["Images"][0]["Public"] is True
    witness.ec2.modify_image_attribute(ImageId=witness.image_id, LaunchPermission={"Remove": users[:1]})
    assert witness.permissions() == ["444455556666", "all"]


def test_account_that_is_none_is_refused(witness: Witness) -> None:
    change = {"Add": [{"UserId": "12345678901"}]}
    assert witness.refusal("modify_image_attribute", ImageId=witness.image_id, LaunchPermission=change) == (
        "InvalidAMIAttributeItemValue",
        'Invalid attribute item value "12345678901" for userId item type.',
    )


def test_filters_by_name_and_tag_take_wildcards(witness: Witness) -> None:
    witness.ec2.create_tags(Resources=[witness.image_id], Tags=[{"Key": "Team", "Value": "web-42"}])
    for name, values, count in (
        ("name", ["w*"], 1),
        ("name", ["x*"], 0),
        ("tag:Team", ["web-*"], 1),
        ("tag-key", ["Team"], 1),
        ("tag:Team", ["db-*", "web-42"], 1),
        ("image-id", [witness.image_id], 1),
    ):
        found = witness.ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": values}])["Images"]
        assert len(found) == count, name


def test_snapshot_permissions_can_be_given_and_taken(witness: Witness) -> None:
    snapshot_id = witness.snapshot_id()
    for operation, expected in (("add", [{"UserId": "111122223333"}]), ("remove", [])):
        witness.ec2.modify_snapshot_attribute(
            SnapshotId=snapshot_id,
            Attribute="createVolumePermission",
            OperationType=operation,
            UserIds=["111122223333"],
        )
        answer = witness.ec2.describe_snapshot_attribute(SnapshotId=snapshot_id, Attribute="createVolumePermission")
        assert answer.get("CreateVolumePermissions", []) == expected
