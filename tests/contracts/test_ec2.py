"""The gateway before two witnesses: plain moto, which knows nothing of our sandbox, and the sandbox say the same.

Asked is only what moto does by itself. It has no copies that take time, no lineage, no deprecation.
"""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest

from amicopy.aws.client import CallCounter
from amicopy.aws.ec2 import Ec2
from amicopy.aws.session import Session
from amicopy.core.errors import (
    AmicopyError,
    ImageNotFound,
    ImageUnavailable,
    RequestRefused,
    SnapshotInUse,
    SnapshotNotFound,
)
from amicopy.core.models import Image, ImageState, Principal, Region
from amicopy.core.write import Write, WriteOperation, principal_list, tag_list
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Volume
from tests.support.clock import FakeClock

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # read when moto makes a backend
from moto import mock_aws

REGION = "eu-west-1"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
UNKNOWN, UNKNOWN_SNAPSHOT = "ami-abcd1234", "snap-abcd1234"
EVERYBODY = [
    Principal.parse(text)
    for text in (
        "111122223333",
        "444455556666",
        "public",
        "arn:aws:organizations::111122223333:organization/o-exampleorg1",
        "arn:aws:organizations::111122223333:ou/o-exampleorg1/ou-abcd-12345678",
    )
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One EC2, and in it an image with one snapshot."""

    ec2: Ec2
    client: Any
    image_id: str

    def image(self) -> Image:
        """Return the image as it is described."""
        return self.ec2.describe_own_images([self.image_id])[self.image_id]

    def snapshot_id(self) -> str:
        """Return the snapshot behind it."""
        [snapshot_id] = self.image().snapshot_ids
        return snapshot_id


@functools.cache
def a_session(endpoint_url: str | None) -> Session:
    """Return a session that keeps its clients; moto steps in when they send, not when they are made."""
    keys = Sandbox.credentials("123456789012")
    return Session(credentials=(keys["aws_access_key_id"], keys["aws_secret_access_key"]), endpoint_url=endpoint_url)


@functools.cache
def botocores_client() -> Any:
    """Return a client of botocore's, for what amicopy itself does not call."""
    return botocore.session.Session().create_client("ec2", REGION, **Sandbox.credentials("123456789012"))


def a_witness(session: Session, image_id: str) -> Witness:
    """Return the EC2 that a session leads to."""
    return Witness(ec2=Ec2(session, REGION, CallCounter()), client=session.client("ec2", REGION), image_id=image_id)


@pytest.fixture
def in_moto() -> Iterator[Witness]:
    """Plain moto."""
    with mock_aws():
        yield a_witness(a_session(None), botocores_client().register_image(Name="web")["ImageId"])


@pytest.fixture
def in_sandbox(sandbox: Sandbox) -> Witness:
    """Our sandbox."""
    # moto's images have one volume of 15 GiB, whatever is asked of it.
    image = sandbox.world.register(REGION, name="web", volumes=[Volume(device="/dev/sda1", gib=15)])
    return a_witness(a_session(sandbox.endpoint_url), image.image_id)


@pytest.fixture(params=["in_moto", "in_sandbox"])
def witness(request: pytest.FixtureRequest) -> Witness:
    """Each of the two, one after the other."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Witness)
    return found


def test_the_witnesses_do_not_know_each_other(in_moto: Witness, served: Sandbox) -> None:
    assert in_moto.image().name == "web"
    assert not [image for image in served.world.images(REGION) if image.image_id == in_moto.image_id]


def test_an_image_is_the_same_model(witness: Witness) -> None:
    image = witness.image()
    [device] = image.devices
    assert (image.image_id, image.region, image.name, image.description) == (witness.image_id, REGION, "web", "")
    assert (image.state, image.owner_id, image.tags) == (ImageState.AVAILABLE, "123456789012", {})
    assert (image.source_image_id, image.source_instance_id, image.deprecate_at) == ("", "", None)
    assert (device.device, device.ebs, device.volume_gib, device.no_device) == ("/dev/sda1", True, 15, False)
    assert device.snapshot_id.startswith("snap-")
    assert image.created_at.endswith("Z")
    assert image.launch_permissions is None


def test_a_snapshot_is_the_same_model(witness: Witness) -> None:
    snapshot_id = witness.snapshot_id()
    [snapshot] = witness.ec2.describe_snapshots([snapshot_id]).values()
    assert (snapshot.snapshot_id, snapshot.region, snapshot.state) == (snapshot_id, REGION, "completed")
    assert (snapshot.progress_percent, snapshot.volume_gib, snapshot.encrypted) == (100, 15, False)
    assert (snapshot.tags, snapshot.state_message) == ({}, "")


def test_unknown_and_malformed_ids_are_absent_and_hide_no_other(witness: Witness) -> None:
    found = witness.ec2.describe_images([UNKNOWN, witness.image_id, "ami-abcd1235", "no-id"])
    assert found == {witness.image_id: witness.image()}
    assert list(witness.ec2.describe_own_images([UNKNOWN, witness.image_id])) == [witness.image_id]


def test_unknown_snapshots_are_absent_and_hide_no_other(witness: Witness) -> None:
    snapshot_id = witness.snapshot_id()
    assert list(witness.ec2.describe_snapshots([UNKNOWN_SNAPSHOT, snapshot_id])) == [snapshot_id]


def tagging(resource_id: str, tags: Mapping[str, str]) -> Write:
    """Return the call that tags a resource."""
    return Write(WriteOperation.CREATE_TAGS, {"Resources": [resource_id], "Tags": tag_list(tags)})


def sharing(image_id: str, principals: Sequence[Principal]) -> Write:
    """Return the call that shares an image."""
    permission = {"Add": principal_list(principals)}
    return Write(WriteOperation.MODIFY_IMAGE, {"ImageId": image_id, "LaunchPermission": permission})


def test_tags_are_added_overwritten_and_found_by(witness: Witness) -> None:
    ec2, reference = witness.ec2, "us-east-1/ami-1"
    for resource_id in (witness.image_id, witness.snapshot_id()):
        ec2.write(tagging(resource_id, {"amicopy:source": "other", "empty": ""}))
        ec2.write(tagging(resource_id, {"amicopy:source": reference}))
    assert witness.image().tags == {"amicopy:source": reference, "empty": ""}
    assert list(ec2.find_tagged_copies([reference])) == [witness.image_id]
    assert list(ec2.find_tagged_snapshots([reference])) == [witness.snapshot_id()]
    assert list(ec2.find_all_tagged_snapshots()) == [witness.snapshot_id()]
    assert ec2.find_tagged_copies(["other"]) == {}
    assert ec2.find_all_pending_copies() == {}


def test_the_51st_tag_is_refused(witness: Witness) -> None:
    witness.ec2.write(tagging(witness.image_id, {str(number): "" for number in range(50)}))
    with pytest.raises(RequestRefused) as caught:
        witness.ec2.write(tagging(witness.image_id, {"one": "more"}))
    assert caught.value.code == "TagLimitExceeded"


def test_launch_permissions_of_every_kind_are_added_and_read(witness: Witness) -> None:
    ec2 = witness.ec2
    assert ec2.launch_permissions(witness.image_id) == frozenset()
    ec2.write(sharing(witness.image_id, EVERYBODY[:1]))
    ec2.write(sharing(witness.image_id, EVERYBODY))
    assert ec2.launch_permissions(witness.image_id) == set(EVERYBODY)


def test_a_wrong_account_is_refused_with_ec2s_words(witness: Witness) -> None:
    wrong = replace(EVERYBODY[0], value="12345678901")
    with pytest.raises(RequestRefused) as caught:
        witness.ec2.write(sharing(witness.image_id, [wrong]))
    assert caught.value.why == 'Invalid attribute item value "12345678901" for userId item type.'


def test_permissions_of_a_snapshot_are_read(witness: Witness) -> None:
    # Given with OperationType, as moto takes it. The gateway sends CreateVolumePermission={"Add": …}, which moto
    # answers with success and ignores; that it is sent is held by test_gateway, that it works by the sandbox's tests.
    snapshot_id = witness.snapshot_id()
    assert witness.ec2.volume_permissions(snapshot_id) == frozenset()
    witness.client.modify_snapshot_attribute(
        SnapshotId=snapshot_id,
        Attribute="createVolumePermission",
        OperationType="add",
        UserIds=["111122223333"],
    )
    assert witness.ec2.volume_permissions(snapshot_id) == {Principal.parse("111122223333")}


def test_sharing_a_snapshot_is_accepted(witness: Witness) -> None:
    permission = {"Add": principal_list(EVERYBODY[:2])}
    parameters = {"SnapshotId": witness.snapshot_id(), "CreateVolumePermission": permission}
    witness.ec2.write(Write(WriteOperation.MODIFY_SNAPSHOT, parameters))


def test_a_snapshot_in_use_cannot_be_deleted_and_afterwards_can(witness: Witness) -> None:
    ec2, snapshot_id = witness.ec2, witness.snapshot_id()
    with pytest.raises(SnapshotInUse) as caught:
        ec2.delete_snapshot(snapshot_id)
    assert caught.value.why == f"The snapshot {snapshot_id} is currently in use by {witness.image_id}"
    # Not with the gateway, which has EC2 delete the snapshots as well; moto leaves them.
    witness.client.deregister_image(ImageId=witness.image_id)
    ec2.delete_snapshot(snapshot_id)
    with pytest.raises(SnapshotNotFound):
        ec2.delete_snapshot(snapshot_id)


def test_a_deregistered_image_is_absent_and_gone_for_a_second_time(witness: Witness) -> None:
    ec2 = witness.ec2
    ec2.deregister_image(witness.image_id)
    assert ec2.describe_images([witness.image_id]) == {}
    assert ec2.describe_own_images([witness.image_id]) == {}
    with pytest.raises(ImageUnavailable) as caught:
        ec2.deregister_image(witness.image_id)
    assert caught.value.why.endswith("is no longer available")


def test_a_copy_of_nothing_is_refused(witness: Witness) -> None:
    source = Image(image_id=UNKNOWN, region="us-east-1")
    with pytest.raises(ImageNotFound) as caught:
        witness.ec2.copy_image(
            source, name="web", description="", image_tags={}, snapshot_tags={}, client_token="token"
        )
    assert caught.value.why == f"The image id '[{UNKNOWN}]' does not exist"


def test_a_copy_bears_the_name_and_the_description_that_were_sent(witness: Witness, clock: FakeClock) -> None:
    # moto ignores TagSpecifications: that tags are sent is held by test_gateway.
    source, ec2 = witness.image(), witness.ec2
    image_id = ec2.copy_image(
        source, name="copy", description="of web", image_tags={}, snapshot_tags={}, client_token="token"
    )
    clock.advance(120)  # moto's copies are there at once
    copy = ec2.describe_own_images([image_id])[image_id]
    assert (copy.name, copy.description, copy.state) == ("copy", "of web", ImageState.AVAILABLE)
    assert copy.image_id != source.image_id


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (lambda ec2: ec2.deregister_image(UNKNOWN), ImageNotFound),
        (lambda ec2: ec2.deregister_image("no-id"), ImageNotFound),
        (lambda ec2: ec2.volume_permissions(UNKNOWN_SNAPSHOT), SnapshotNotFound),
        (lambda ec2: ec2.delete_snapshot(UNKNOWN_SNAPSHOT), SnapshotNotFound),
    ],
)
def test_what_is_not_there_is_the_same_error(witness: Witness, refused: Any, kind: type[AmicopyError]) -> None:
    with pytest.raises(AmicopyError) as caught:
        refused(witness.ec2)
    assert type(caught.value) is kind


def test_regions_are_all_there(witness: Witness) -> None:
    # moto takes every region for enabled.
    regions = witness.ec2.describe_regions()
    assert regions.keys() >= {"us-east-1", "eu-west-1", "af-south-1", "me-south-1"}
    assert regions["us-east-1"] == Region(name="us-east-1", enabled=True)


def test_a_rehearsed_write_changes_nothing(witness: Witness) -> None:
    before, snapshot_id = witness.image(), witness.snapshot_id()
    deregistering = Write(WriteOperation.DEREGISTER, {"ImageId": witness.image_id})
    for write in (tagging(snapshot_id, {"a": "1"}), deregistering):
        assert witness.ec2.forbidden(write) is None
    assert witness.image() == before
    [snapshot] = witness.ec2.describe_snapshots([snapshot_id]).values()
    assert snapshot.tags == {}
