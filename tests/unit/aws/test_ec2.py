"""What exactly is sent to EC2, parameter by parameter: botocore's own stub refuses one too many or too few."""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

import botocore.session
import pytest
from botocore.stub import Stubber

from amicopy.aws.client import CallCounter
from amicopy.aws.ec2 import Clients, Ec2
from amicopy.aws.session import Session
from amicopy.core.errors import (
    AccessDenied,
    CredentialsRejected,
    ImageNotFound,
    ImageUnavailable,
    NotOwner,
    Throttled,
    Unreachable,
)
from amicopy.core.models import BlockDevice, Image, Principal, Region
from amicopy.core.write import Write, WriteOperation

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

    is_authenticated = False
    partitions: ClassVar = {"eu-west-1": "aws", "us-east-1": "aws", "us-gov-west-1": "aws-us-gov"}

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked: list[tuple[str, str]] = []

    def client(self, service: str, region: str) -> Any:
        """Hand it over."""
        self.asked.append((service, region))
        return self._client


class StubbedEc2:
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
def stub() -> Iterator[StubbedEc2]:
    """A stub of which every announced call has to come."""
    with Stubber(a_client()) as stub:
        yield StubbedEc2(stub)
        stub.assert_no_pending_responses()


@pytest.fixture
def calls() -> CallCounter:
    """The calls of one run."""
    return CallCounter()


@pytest.fixture
def ec2(stub: StubbedEc2, calls: CallCounter) -> Ec2:
    """A gateway to the stub."""
    return Ec2(cast(Session, OneClient(a_client())), "eu-west-1", calls)


def named(name: str, *values: str) -> dict[str, Any]:
    """Return a filter."""
    return {"Name": name, "Values": list(values)}


def images(*image_ids: str) -> dict[str, Any]:
    """Return an answer to DescribeImages."""
    return {"Images": [{"ImageId": image_id} for image_id in image_ids]}


def snapshots(*snapshot_ids: str) -> dict[str, Any]:
    """Return an answer to DescribeSnapshots."""
    return {"Snapshots": [{"SnapshotId": snapshot_id} for snapshot_id in snapshot_ids]}


def test_images_are_described_by_id_deprecated_and_disabled_ones_too(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.answers("describe_images", images("ami-1", "ami-2"), ImageIds=["ami-1", "ami-2"], **EVERY_IMAGE)
    found = ec2.describe_images(["ami-1", "ami-2"])
    assert [(key, image.image_id, image.region) for key, image in found.items()] == [
        ("ami-1", "ami-1", "eu-west-1"),
        ("ami-2", "ami-2", "eu-west-1"),
    ]


def test_an_unknown_id_does_not_hide_the_others(stub: StubbedEc2, ec2: Ec2) -> None:
    ids = ["ami-1", "ami-2", "ami-3"]
    stub.refuses("describe_images", "InvalidAMIID.NotFound", ImageIds=ids, **EVERY_IMAGE)
    stub.refuses("describe_images", "InvalidAMIID.NotFound", ImageIds=["ami-1"], **EVERY_IMAGE)
    stub.answers("describe_images", images("ami-2", "ami-3"), ImageIds=["ami-2", "ami-3"], **EVERY_IMAGE)
    assert list(ec2.describe_images(ids)) == ["ami-2", "ami-3"]


def test_snapshots_are_described_by_id_an_unknown_one_is_left_out(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.refuses("describe_snapshots", "InvalidSnapshot.NotFound", SnapshotIds=["snap-1", "snap-2"])
    stub.answers("describe_snapshots", snapshots("snap-1"), SnapshotIds=["snap-1"])
    stub.refuses("describe_snapshots", "InvalidSnapshot.NotFound", SnapshotIds=["snap-2"])
    assert list(ec2.describe_snapshots(["snap-1", "snap-2"])) == ["snap-1"]


def test_ids_are_asked_for_in_chunks(stub: StubbedEc2, ec2: Ec2) -> None:
    ids = [f"ami-{number}" for number in range(450)]
    for some in (ids[:200], ids[200:400], ids[400:]):
        stub.answers("describe_images", images(*some), ImageIds=some, **EVERY_IMAGE)
    assert list(ec2.describe_images(ids)) == ids


def test_our_own_images_are_polled_by_filter_which_no_unknown_id_can_fail(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.answers("describe_images", images("ami-1"), Filters=[named("image-id", "ami-1", "ami-2")], **OUR_IMAGES)
    assert list(ec2.describe_own_images(["ami-1", "ami-2"])) == ["ami-1"]


def test_copies_are_found_by_our_tag(stub: StubbedEc2, ec2: Ec2) -> None:
    reference = "us-east-1/ami-1"
    stub.answers("describe_images", images("ami-2"), Filters=[named("tag:amicopy:source", reference)], **OUR_IMAGES)
    assert list(ec2.find_tagged_copies([reference])) == ["ami-2"]


def test_copies_are_found_by_lineage_of_id_and_region_together(stub: StubbedEc2, ec2: Ec2) -> None:
    filters = [named("source-image-id", "ami-1", "ami-9"), named("source-image-region", "us-east-1")]
    stub.answers("describe_images", images("ami-2"), Filters=filters, **OUR_IMAGES)
    assert list(ec2.find_lineage_copies("us-east-1", ["ami-1", "ami-9"])) == ["ami-2"]


def test_all_pending_copies_of_ours_are_found_by_the_tags_key(stub: StubbedEc2, ec2: Ec2) -> None:
    filters = [named("tag-key", "amicopy:source"), named("state", "pending")]
    stub.answers("describe_images", images("ami-2"), Filters=filters, **OUR_IMAGES)
    assert list(ec2.find_all_pending_copies()) == ["ami-2"]


def test_snapshots_are_found_by_our_tag(stub: StubbedEc2, ec2: Ec2) -> None:
    reference = "us-east-1/ami-1"
    tagged = [named("tag:amicopy:source", reference)]
    stub.answers("describe_snapshots", snapshots("snap-2"), Filters=tagged, **OUR_SNAPSHOTS)
    stub.answers(
        "describe_snapshots", snapshots("snap-3"), Filters=[named("tag-key", "amicopy:source")], **OUR_SNAPSHOTS
    )
    assert list(ec2.find_tagged_snapshots([reference])) == ["snap-2"]
    assert list(ec2.find_all_tagged_snapshots()) == ["snap-3"]


def test_snapshots_of_a_copy_are_found_by_ec2s_description(stub: StubbedEc2, ec2: Ec2) -> None:
    described = [named("description", "Copied for DestinationAmi ami-2*", "Copied for DestinationAmi ami-3*")]
    found = [
        {"SnapshotId": "snap-2", "Description": "Copied for DestinationAmi ami-2 from SourceAmi ami-1 for …"},
        {"SnapshotId": "snap-9", "Description": "Copied for DestinationAmi ami-22 from SourceAmi ami-1 for …"},
    ]
    stub.answers("describe_snapshots", {"Snapshots": found}, Filters=described, **OUR_SNAPSHOTS)
    assert list(ec2.find_snapshots_of_copies(["ami-2", "ami-3"])) == ["snap-2"]  # one id begins like another


def test_a_filter_never_has_more_than_200_values(stub: StubbedEc2, ec2: Ec2) -> None:
    ids = [f"ami-{number}" for number in range(401)]
    for some in (ids[:200], ids[200:400], ids[400:]):
        stub.answers("describe_images", images(*some), Filters=[named("image-id", *some)], **OUR_IMAGES)
    assert list(ec2.describe_own_images(ids)) == ids


def test_every_page_is_read_with_the_same_question(stub: StubbedEc2, ec2: Ec2) -> None:
    asked = {"Filters": [named("image-id", "ami-1")], **OUR_IMAGES}
    stub.answers("describe_images", {**images("ami-1"), "NextToken": "two"}, **asked)
    stub.answers("describe_images", {**images(), "NextToken": "three"}, **asked, NextToken="two")
    stub.answers("describe_images", images("ami-2"), **asked, NextToken="three")
    assert list(ec2.describe_own_images(["ami-1"])) == ["ami-1", "ami-2"]


def test_pages_that_never_end_are_given_up(stub: StubbedEc2, ec2: Ec2) -> None:
    asked = {"Filters": [named("image-id", "ami-1")], **OUR_IMAGES}
    stub.answers("describe_images", {**images(), "NextToken": "again"}, **asked)
    stub.answers("describe_images", {**images(), "NextToken": "again"}, **asked, NextToken="again")
    with pytest.raises(Unreachable, match="doesn't finish its response to DescribeImages"):
        ec2.describe_own_images(["ami-1"])


def test_nothing_is_asked_about_nothing(stub: StubbedEc2, ec2: Ec2, calls: CallCounter) -> None:
    assert not {**ec2.describe_images([]), **ec2.describe_own_images([])}
    assert not ec2.describe_snapshots([])
    assert calls.count() == {}


def test_regions_are_all_regions_enabled_or_not(stub: StubbedEc2, ec2: Ec2) -> None:
    answer = {
        "Regions": [
            {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
            {"RegionName": "af-south-1", "OptInStatus": "not-opted-in"},
            {"RegionName": "us-gov-west-1", "OptInStatus": "opt-in-not-required"},  # moto lists all partitions
        ]
    }
    stub.answers("describe_regions", answer, AllRegions=True)
    assert ec2.describe_regions() == {
        "us-east-1": Region(name="us-east-1", enabled=True),
        "af-south-1": Region(name="af-south-1", enabled=False),
    }


def test_launch_permissions_are_read_of_every_kind(stub: StubbedEc2, ec2: Ec2) -> None:
    permissions = [{"UserId": "111122223333"}, {"Group": "all"}, {"OrganizationArn": ORGANIZATION}]
    answer = {"ImageId": "ami-1", "LaunchPermissions": [*permissions, {"OrganizationalUnitArn": UNIT}]}
    stub.answers("describe_image_attribute", answer, ImageId="ami-1", Attribute="launchPermission")
    texts = ["111122223333", "public", ORGANIZATION, UNIT]
    assert ec2.launch_permissions("ami-1") == set(map(Principal.parse, texts))


def test_volume_permissions_are_read(stub: StubbedEc2, ec2: Ec2) -> None:
    answer = {"SnapshotId": "snap-1", "CreateVolumePermissions": [{"UserId": "111122223333"}]}
    stub.answers("describe_snapshot_attribute", answer, SnapshotId="snap-1", Attribute="createVolumePermission")
    assert ec2.volume_permissions("snap-1") == {Principal.parse("111122223333")}


def test_an_answer_without_permissions_is_nobody(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.answers("describe_image_attribute", {}, ImageId="ami-1", Attribute="launchPermission")
    stub.answers("describe_snapshot_attribute", {}, SnapshotId="snap-1", Attribute="createVolumePermission")
    assert ec2.launch_permissions("ami-1") == ec2.volume_permissions("snap-1") == frozenset()


def test_a_copy_is_asked_for_with_tags_and_token_and_nothing_about_encryption(stub: StubbedEc2, ec2: Ec2) -> None:
    # Sent exactly: no Encrypted, no KmsKeyId, no CopyImageTags, no Destination….
    stub.answers(
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
        ec2.copy_image(
            SOURCE,
            name="web",
            description="of the web",
            image_tags={"b": "1", "a": ""},
            snapshot_tags={"c": "2"},
            client_token="token",
        )
        == "ami-2"
    )


def test_what_a_copy_does_not_have_is_not_sent(stub: StubbedEc2, ec2: Ec2) -> None:
    sent = {"SourceRegion": "us-east-1", "SourceImageId": "ami-1", "Name": "web", "ClientToken": "token"}
    stub.answers("copy_image", {"ImageId": "ami-2"}, **sent)
    ec2.copy_image(SOURCE, name="web", description="", image_tags={}, snapshot_tags={}, client_token="token")


def test_a_write_is_sent_as_it_is(stub: StubbedEc2, ec2: Ec2) -> None:
    tags = [{"Key": "a", "Value": ""}]
    stub.answers("create_tags", {}, Resources=["snap-1"], Tags=tags)
    ec2.write(Write(WriteOperation.CREATE_TAGS, {"Resources": ["snap-1"], "Tags": tags}))


def test_deregistering_deletes_the_snapshots_and_tells_what_became_of_each(stub: StubbedEc2, ec2: Ec2) -> None:
    results = [{"SnapshotId": "snap-1", "ReturnCode": "success"}, {"SnapshotId": "snap-2", "ReturnCode": "skipped"}]
    answer = {"Return": True, "DeleteSnapshotResults": results}
    stub.answers("deregister_image", answer, ImageId="ami-2", DeleteAssociatedSnapshots=True)
    assert ec2.deregister_image("ami-2") == {"snap-1": "success", "snap-2": "skipped"}


def test_deregistering_an_image_without_snapshots_tells_nothing(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.answers("deregister_image", {}, ImageId="ami-2", DeleteAssociatedSnapshots=True)
    assert ec2.deregister_image("ami-2") == {}


def test_a_snapshot_is_deleted(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.answers("delete_snapshot", {}, SnapshotId="snap-1")
    ec2.delete_snapshot("snap-1")


DELETION = Write(WriteOperation.DELETE_SNAPSHOT, {"SnapshotId": "snap-1"})


def test_a_dry_run_tells_what_iam_forbids(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.refuses("delete_snapshot", "UnauthorizedOperation", "No.", 403, SnapshotId="snap-1", DryRun=True)
    forbidden = ec2.forbidden(DELETION)
    assert isinstance(forbidden, AccessDenied)
    assert forbidden.action == "ec2:DeleteSnapshot"


@pytest.mark.parametrize("code", ["DryRunOperation", "InvalidAMIID.NotFound", "RequestLimitExceeded", "AuthFailure"])
def test_only_a_clear_no_forbids(stub: StubbedEc2, ec2: Ec2, code: str) -> None:
    stub.refuses("delete_snapshot", code, SnapshotId="snap-1", DryRun=True)
    assert ec2.forbidden(DELETION) is None


def test_only_our_errors_come_out_and_they_remember_where_they_come_from(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.refuses(
        "deregister_image", "InvalidAMIID.Unavailable", "It is gone.", ImageId="ami-2", DeleteAssociatedSnapshots=True
    )
    with pytest.raises(ImageUnavailable) as caught:
        ec2.deregister_image("ami-2")
    assert caught.value.why == "It is gone."
    assert type(caught.value.__cause__).__name__ == "ClientError"


def test_only_the_missing_are_searched_for_by_halves(stub: StubbedEc2, ec2: Ec2) -> None:
    stub.refuses("describe_images", "RequestLimitExceeded", "No.", 503, ImageIds=["ami-1", "ami-2"], **EVERY_IMAGE)
    with pytest.raises(Throttled):
        ec2.describe_images(["ami-1", "ami-2"])


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("AuthFailure", "Not authorized for image:ami-1", NotOwner),
        ("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", ImageNotFound),
        ("InvalidClientTokenId", "No.", CredentialsRejected),
    ],
)
def test_permissions_that_cannot_be_read_say_why(
    stub: StubbedEc2, ec2: Ec2, code: str, message: str, kind: type[Exception]
) -> None:
    stub.refuses("describe_image_attribute", code, message, ImageId="ami-1", Attribute="launchPermission")
    with pytest.raises(kind):
        ec2.launch_permissions("ami-1")


def test_every_call_is_counted_failed_ones_and_pages_too(stub: StubbedEc2, ec2: Ec2, calls: CallCounter) -> None:
    stub.refuses("delete_snapshot", "InvalidSnapshot.InUse", SnapshotId="snap-1")
    asked = {"Filters": [named("image-id", "ami-1")], **OUR_IMAGES}
    stub.answers("describe_images", {"NextToken": "two"}, **asked)
    stub.answers("describe_images", {}, **asked, NextToken="two")
    with pytest.raises(Exception, match="InUse"):
        ec2.delete_snapshot("snap-1")
    ec2.describe_own_images(["ami-1"])
    assert calls.count() == {"DeleteSnapshot": 1, "DescribeImages": 2}


def test_a_region_has_one_gateway_and_one_client() -> None:
    session = OneClient(a_client())
    clients = Clients(cast(Session, session), CallCounter())
    assert clients["eu-west-1"] is clients["eu-west-1"]
    assert clients["us-west-2"].region == "us-west-2"
    assert session.asked == [("ec2", "eu-west-1"), ("ec2", "us-west-2")]
