"""What exactly is sent to EC2, parameter by parameter: botocore's own stub refuses one too many or too few."""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

from amicopy.aws.client import Calls
from amicopy.aws.dry_run import Write
from amicopy.aws.ec2 import Gateway, Gateways
from amicopy.aws.session import Session
from amicopy.core.errors import AccessDenied, CredentialsRejected, ImageNotFound, ImageUnavailable, NotOwner, Throttled
from amicopy.core.models import BlockDevice, Image, Principal, Region

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ORGANIZATION = "arn:aws:organizations::111122223333:organization/o-exampleorg1"
UNIT = "arn:aws:organizations::111122223333:ou/o-exampleorg1/ou-abcd-12345678"
SOURCE = Image(
    image_id="ami-1", region="us-east-1", devices=(BlockDevice(device="/dev/xvda", snapshot_id="snap-1", volume_gib=8),)
)
EVERY_IMAGE = {"IncludeDeprecated": True, "IncludeDisabled": True}
OUR_IMAGES = {**EVERY_IMAGE, "Owners": ["self"], "MaxResults": 1000}
OUR_SNAPSHOTS = {"OwnerIds": ["self"], "MaxResults": 1000}


@functools.cache
def a_client() -> Any:
    """Return a client that is made once; what it sends ends in the stub."""
    return botocore.session.Session().create_client(
        "ec2", region_name="eu-west-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


class OneClient:
    """A session that has one client for everything, and knows what it was asked for."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked: list[tuple[str, str]] = []

    def client(self, service: str, region: str) -> Any:
        """Hand it over."""
        self.asked.append((service, region))
        return self._client


class Ec2:
    """EC2 as a stub: each call has to be announced, in order."""

    def __init__(self, stub: Stubber) -> None:
        self._stub = stub

    def answers(self, operation: str, answer: dict[str, Any], /, **sent: Any) -> None:
        """Answer the next call, which has to send exactly this."""
        self._stub.add_response(operation, answer, sent)

    def refuses(self, operation: str, code: str, message: str = "No.", status: int = 400, /, **sent: Any) -> None:
        """Refuse the next call, which has to send exactly this."""
        self._stub.add_client_error(operation, code, message, http_status_code=status, expected_params=sent)


@pytest.fixture
def ec2() -> Iterator[Ec2]:
    """A stub of which every announced call has to come."""
    with Stubber(a_client()) as stub:
        yield Ec2(stub)
        stub.assert_no_pending_responses()


@pytest.fixture
def calls() -> Calls:
    """The calls of one run."""
    return Calls()


@pytest.fixture
def gateway(ec2: Ec2, calls: Calls) -> Gateway:
    """A gateway to the stub."""
    return Gateway(cast(Session, OneClient(a_client())), "eu-west-1", calls)


def named(name: str, *values: str) -> dict[str, Any]:
    """Return a filter."""
    return {"Name": name, "Values": list(values)}


def images(*image_ids: str) -> dict[str, Any]:
    """Return an answer to DescribeImages."""
    return {"Images": [{"ImageId": image_id} for image_id in image_ids]}


def snapshots(*snapshot_ids: str) -> dict[str, Any]:
    """Return an answer to DescribeSnapshots."""
    return {"Snapshots": [{"SnapshotId": snapshot_id} for snapshot_id in snapshot_ids]}


def test_images_are_described_by_id_deprecated_and_disabled_ones_too(ec2: Ec2, gateway: Gateway) -> None:
    ec2.answers("describe_images", images("ami-1", "ami-2"), ImageIds=["ami-1", "ami-2"], **EVERY_IMAGE)
    found = gateway.describe_images(["ami-1", "ami-2"])
    assert [(key, image.image_id, image.region) for key, image in found.items()] == [
        ("ami-1", "ami-1", "eu-west-1"),
        ("ami-2", "ami-2", "eu-west-1"),
    ]


def test_an_unknown_id_does_not_hide_the_others(ec2: Ec2, gateway: Gateway) -> None:
    ids = ["ami-1", "ami-2", "ami-3"]
    ec2.refuses("describe_images", "InvalidAMIID.NotFound", ImageIds=ids, **EVERY_IMAGE)
    ec2.refuses("describe_images", "InvalidAMIID.NotFound", ImageIds=["ami-1"], **EVERY_IMAGE)
    ec2.answers("describe_images", images("ami-2", "ami-3"), ImageIds=["ami-2", "ami-3"], **EVERY_IMAGE)
    assert list(gateway.describe_images(ids)) == ["ami-2", "ami-3"]


def test_snapshots_are_described_by_id_an_unknown_one_is_left_out(ec2: Ec2, gateway: Gateway) -> None:
    ec2.refuses("describe_snapshots", "InvalidSnapshot.NotFound", SnapshotIds=["snap-1", "snap-2"])
    ec2.answers("describe_snapshots", snapshots("snap-1"), SnapshotIds=["snap-1"])
    ec2.refuses("describe_snapshots", "InvalidSnapshot.NotFound", SnapshotIds=["snap-2"])
    assert list(gateway.describe_snapshots(["snap-1", "snap-2"])) == ["snap-1"]


def test_ids_are_asked_for_in_chunks(ec2: Ec2, gateway: Gateway) -> None:
    ids = [f"ami-{number}" for number in range(450)]
    for some in (ids[:200], ids[200:400], ids[400:]):
        ec2.answers("describe_images", images(*some), ImageIds=some, **EVERY_IMAGE)
    assert list(gateway.describe_images(ids)) == ids


def test_our_own_images_are_polled_by_filter_which_no_unknown_id_can_fail(ec2: Ec2, gateway: Gateway) -> None:
    ec2.answers("describe_images", images("ami-1"), Filters=[named("image-id", "ami-1", "ami-2")], **OUR_IMAGES)
    assert list(gateway.describe_own_images(["ami-1", "ami-2"])) == ["ami-1"]


def test_copies_are_found_by_our_tag(ec2: Ec2, gateway: Gateway) -> None:
    reference = "us-east-1/ami-1"
    ec2.answers("describe_images", images("ami-2"), Filters=[named("tag:amicopy:source", reference)], **OUR_IMAGES)
    assert list(gateway.find_tagged_copies([reference])) == ["ami-2"]


def test_copies_are_found_by_lineage_of_id_and_region_together(ec2: Ec2, gateway: Gateway) -> None:
    filters = [named("source-image-id", "ami-1", "ami-9"), named("source-image-region", "us-east-1")]
    ec2.answers("describe_images", images("ami-2"), Filters=filters, **OUR_IMAGES)
    assert list(gateway.find_lineage_copies("us-east-1", ["ami-1", "ami-9"])) == ["ami-2"]


def test_all_pending_copies_of_ours_are_found_by_the_tags_key(ec2: Ec2, gateway: Gateway) -> None:
    filters = [named("tag-key", "amicopy:source"), named("state", "pending")]
    ec2.answers("describe_images", images("ami-2"), Filters=filters, **OUR_IMAGES)
    assert list(gateway.find_all_pending_copies()) == ["ami-2"]


def test_snapshots_are_found_by_our_tag(ec2: Ec2, gateway: Gateway) -> None:
    reference = "us-east-1/ami-1"
    tagged = [named("tag:amicopy:source", reference)]
    ec2.answers("describe_snapshots", snapshots("snap-2"), Filters=tagged, **OUR_SNAPSHOTS)
    ec2.answers(
        "describe_snapshots", snapshots("snap-3"), Filters=[named("tag-key", "amicopy:source")], **OUR_SNAPSHOTS
    )
    assert list(gateway.find_tagged_snapshots([reference])) == ["snap-2"]
    assert list(gateway.find_all_tagged_snapshots()) == ["snap-3"]


def test_snapshots_of_a_copy_are_found_by_ec2s_description(ec2: Ec2, gateway: Gateway) -> None:
    described = [named("description", "Copied for DestinationAmi ami-2*", "Copied for DestinationAmi ami-3*")]
    found = [
        {"SnapshotId": "snap-2", "Description": "Copied for DestinationAmi ami-2 from SourceAmi ami-1 for …"},
        {"SnapshotId": "snap-9", "Description": "Copied for DestinationAmi ami-22 from SourceAmi ami-1 for …"},
    ]
    ec2.answers("describe_snapshots", {"Snapshots": found}, Filters=described, **OUR_SNAPSHOTS)
    assert list(gateway.find_snapshots_of_copies(["ami-2", "ami-3"])) == ["snap-2"]  # one id begins like another


def test_a_filter_never_has_more_than_200_values(ec2: Ec2, gateway: Gateway) -> None:
    ids = [f"ami-{number}" for number in range(401)]
    for some in (ids[:200], ids[200:400], ids[400:]):
        ec2.answers("describe_images", images(*some), Filters=[named("image-id", *some)], **OUR_IMAGES)
    assert list(gateway.describe_own_images(ids)) == ids


def test_every_page_is_read_with_the_same_question(ec2: Ec2, gateway: Gateway) -> None:
    asked = {"Filters": [named("image-id", "ami-1")], **OUR_IMAGES}
    ec2.answers("describe_images", {**images("ami-1"), "NextToken": "two"}, **asked)
    ec2.answers("describe_images", {**images(), "NextToken": "three"}, **asked, NextToken="two")
    ec2.answers("describe_images", images("ami-2"), **asked, NextToken="three")
    assert list(gateway.describe_own_images(["ami-1"])) == ["ami-1", "ami-2"]


def test_nothing_is_asked_about_nothing(ec2: Ec2, gateway: Gateway, calls: Calls) -> None:
    assert not {**gateway.describe_images([]), **gateway.describe_own_images([])}
    assert not gateway.describe_snapshots([])
    assert calls.count() == {}


def test_regions_are_all_regions_enabled_or_not(ec2: Ec2, gateway: Gateway) -> None:
    answer = {
        "Regions": [
            {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
            {"RegionName": "af-south-1", "OptInStatus": "not-opted-in"},
        ]
    }
    ec2.answers("describe_regions", answer, AllRegions=True)
    assert gateway.describe_regions() == {
        "us-east-1": Region(name="us-east-1", enabled=True),
        "af-south-1": Region(name="af-south-1", enabled=False),
    }


def test_launch_permissions_are_read_of_every_kind(ec2: Ec2, gateway: Gateway) -> None:
    permissions = [{"UserId": "111122223333"}, {"Group": "all"}, {"OrganizationArn": ORGANIZATION}]
    answer = {"ImageId": "ami-1", "LaunchPermissions": [*permissions, {"OrganizationalUnitArn": UNIT}]}
    ec2.answers("describe_image_attribute", answer, ImageId="ami-1", Attribute="launchPermission")
    texts = ["111122223333", "public", ORGANIZATION, UNIT]
    assert gateway.launch_permissions("ami-1") == set(map(Principal.parse, texts))


def test_volume_permissions_are_read(ec2: Ec2, gateway: Gateway) -> None:
    answer = {"SnapshotId": "snap-1", "CreateVolumePermissions": [{"UserId": "111122223333"}]}
    ec2.answers("describe_snapshot_attribute", answer, SnapshotId="snap-1", Attribute="createVolumePermission")
    assert gateway.volume_permissions("snap-1") == {Principal.parse("111122223333")}


def test_an_answer_without_permissions_is_nobody(ec2: Ec2, gateway: Gateway) -> None:
    ec2.answers("describe_image_attribute", {}, ImageId="ami-1", Attribute="launchPermission")
    ec2.answers("describe_snapshot_attribute", {}, SnapshotId="snap-1", Attribute="createVolumePermission")
    assert gateway.launch_permissions("ami-1") == gateway.volume_permissions("snap-1") == frozenset()


def test_a_copy_is_asked_for_with_tags_and_token_and_nothing_about_encryption(ec2: Ec2, gateway: Gateway) -> None:
    # Sent exactly: no Encrypted, no KmsKeyId, no CopyImageTags, no Destination….
    ec2.answers(
        "copy_image",
        {"ImageId": "ami-2"},
        SourceRegion="us-east-1",
        SourceImageId="ami-1",
        Name="web",
        Description="of the web",
        ClientToken="token",
        TagSpecifications=[
            {"ResourceType": "image", "Tags": [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "1"}]},
            {"ResourceType": "snapshot", "Tags": [{"Key": "c", "Value": "2"}]},
        ],
    )
    assert (
        gateway.copy_image(
            SOURCE,
            name="web",
            description="of the web",
            image_tags={"b": "1", "a": ""},
            snapshot_tags={"c": "2"},
            client_token="token",
        )
        == "ami-2"
    )


def test_what_a_copy_does_not_have_is_not_sent(ec2: Ec2, gateway: Gateway) -> None:
    sent = {"SourceRegion": "us-east-1", "SourceImageId": "ami-1", "Name": "web", "ClientToken": "token"}
    ec2.answers("copy_image", {"ImageId": "ami-2"}, **sent)
    gateway.copy_image(SOURCE, name="web", description="", image_tags={}, snapshot_tags={}, client_token="token")


def test_tags_are_created_on_one_resource(ec2: Ec2, gateway: Gateway) -> None:
    tags = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "1"}]
    ec2.answers("create_tags", {}, Resources=["snap-1"], Tags=tags)
    gateway.create_tags("snap-1", {"b": "1", "a": ""})


def test_a_description_is_the_one_attribute_sent(ec2: Ec2, gateway: Gateway) -> None:
    ec2.answers("modify_image_attribute", {}, ImageId="ami-1", Description={"Value": ""})
    gateway.describe_as("ami-1", "")


def test_an_image_is_shared_with_every_kind_in_one_call_that_only_adds(ec2: Ec2, gateway: Gateway) -> None:
    added = [
        {"UserId": "111122223333"},
        {"Group": "all"},
        {"OrganizationArn": ORGANIZATION},
        {"OrganizationalUnitArn": UNIT},
    ]
    ec2.answers("modify_image_attribute", {}, ImageId="ami-1", LaunchPermission={"Add": added})
    gateway.share_image("ami-1", [Principal.parse(text) for text in ("111122223333", "public", ORGANIZATION, UNIT)])


def test_a_snapshot_is_shared_500_at_a_time(ec2: Ec2, gateway: Gateway) -> None:
    accounts = [f"{number:012}" for number in range(501)]
    for some in (accounts[:500], accounts[500:]):
        added = [{"UserId": account} for account in some]
        ec2.answers("modify_snapshot_attribute", {}, SnapshotId="snap-1", CreateVolumePermission={"Add": added})
    gateway.share_snapshot("snap-1", [Principal.parse(account) for account in accounts])


def test_an_image_is_deprecated_from_a_date(ec2: Ec2, gateway: Gateway) -> None:
    ec2.answers("enable_image_deprecation", {"Return": True}, ImageId="ami-1", DeprecateAt=NOW)
    gateway.deprecate_image("ami-1", NOW)


def test_deregistering_deletes_the_snapshots_and_tells_each_ones_fate(ec2: Ec2, gateway: Gateway) -> None:
    results = [{"SnapshotId": "snap-1", "ReturnCode": "success"}, {"SnapshotId": "snap-2", "ReturnCode": "skipped"}]
    answer = {"Return": True, "DeleteSnapshotResults": results}
    ec2.answers("deregister_image", answer, ImageId="ami-2", DeleteAssociatedSnapshots=True)
    assert gateway.deregister_image("ami-2") == {"snap-1": "success", "snap-2": "skipped"}


def test_deregistering_an_image_without_snapshots_tells_nothing(ec2: Ec2, gateway: Gateway) -> None:
    ec2.answers("deregister_image", {}, ImageId="ami-2", DeleteAssociatedSnapshots=True)
    assert gateway.deregister_image("ami-2") == {}


def test_a_snapshot_is_deleted(ec2: Ec2, gateway: Gateway) -> None:
    ec2.answers("delete_snapshot", {}, SnapshotId="snap-1")
    gateway.delete_snapshot("snap-1")


REHEARSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "CopyImage": (
        "copy_image",
        {"SourceRegion": "us-east-1", "SourceImageId": "ami-1", "Name": ANY, "TagSpecifications": ANY},
    ),
    "CreateTags": ("create_tags", {"Resources": ["snap-1"], "Tags": ANY}),
    "EnableImageDeregistrationProtection": ("enable_image_deregistration_protection", {"ImageId": "ami-1"}),
    "EnableImageDeprecation": ("enable_image_deprecation", {"ImageId": "ami-1", "DeprecateAt": ANY}),
    "ModifySnapshotAttribute": ("modify_snapshot_attribute", {"SnapshotId": "snap-1", "CreateVolumePermission": ANY}),
    "ModifyImageAttribute": ("modify_image_attribute", {"ImageId": "ami-1", "LaunchPermission": ANY}),
    "DeregisterImage": ("deregister_image", {"ImageId": "ami-1"}),
    "DeleteSnapshot": ("delete_snapshot", {"SnapshotId": "snap-1"}),
}


@pytest.mark.parametrize("write", Write)
def test_every_write_can_be_rehearsed_with_dry_run_and_only_so(ec2: Ec2, gateway: Gateway, write: Write) -> None:
    # ClientToken is botocore's own doing; the stub compares before it is filled in.
    operation, sent = REHEARSALS[str(write)]
    ec2.refuses(operation, "UnauthorizedOperation", "No.", 403, **sent, DryRun=True)
    forbidden = gateway.forbidden(write, SOURCE, NOW)
    assert isinstance(forbidden, AccessDenied)
    assert forbidden.action == f"ec2:{write}"


@pytest.mark.parametrize("code", ["DryRunOperation", "InvalidAMIID.NotFound", "RequestLimitExceeded", "AuthFailure"])
def test_only_a_clear_no_forbids(ec2: Ec2, gateway: Gateway, code: str) -> None:
    ec2.refuses("delete_snapshot", code, SnapshotId="snap-1", DryRun=True)
    assert gateway.forbidden(Write.DELETE_SNAPSHOT, SOURCE, NOW) is None


def test_only_our_errors_come_out_and_they_remember_where_they_come_from(ec2: Ec2, gateway: Gateway) -> None:
    ec2.refuses(
        "deregister_image", "InvalidAMIID.Unavailable", "It is gone.", ImageId="ami-2", DeleteAssociatedSnapshots=True
    )
    with pytest.raises(ImageUnavailable) as caught:
        gateway.deregister_image("ami-2")
    assert caught.value.why == "It is gone."
    assert type(caught.value.__cause__).__name__ == "ClientError"


def test_only_the_missing_are_searched_for_by_halves(ec2: Ec2, gateway: Gateway) -> None:
    ec2.refuses("describe_images", "RequestLimitExceeded", "No.", 503, ImageIds=["ami-1", "ami-2"], **EVERY_IMAGE)
    with pytest.raises(Throttled):
        gateway.describe_images(["ami-1", "ami-2"])


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("AuthFailure", "Not authorized for image:ami-1", NotOwner),
        ("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", ImageNotFound),
        ("InvalidClientTokenId", "No.", CredentialsRejected),
    ],
)
def test_permissions_that_cannot_be_read_say_why(
    ec2: Ec2, gateway: Gateway, code: str, message: str, kind: type[Exception]
) -> None:
    ec2.refuses("describe_image_attribute", code, message, ImageId="ami-1", Attribute="launchPermission")
    with pytest.raises(kind):
        gateway.launch_permissions("ami-1")


def test_every_call_is_counted_failed_ones_and_pages_too(ec2: Ec2, gateway: Gateway, calls: Calls) -> None:
    ec2.refuses("delete_snapshot", "InvalidSnapshot.InUse", SnapshotId="snap-1")
    asked = {"Filters": [named("image-id", "ami-1")], **OUR_IMAGES}
    ec2.answers("describe_images", {"NextToken": "two"}, **asked)
    ec2.answers("describe_images", {}, **asked, NextToken="two")
    with pytest.raises(Exception, match="InUse"):
        gateway.delete_snapshot("snap-1")
    gateway.describe_own_images(["ami-1"])
    assert calls.count() == {"DeleteSnapshot": 1, "DescribeImages": 2}


def test_a_region_has_one_gateway_and_one_client() -> None:
    session = OneClient(a_client())
    gateways = Gateways(cast(Session, session), Calls())
    assert gateways["eu-west-1"] is gateways["eu-west-1"]
    assert gateways["us-west-2"].region == "us-west-2"
    assert session.asked == [("ec2", "eu-west-1"), ("ec2", "us-west-2")]
