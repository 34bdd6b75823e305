"""What separates a copy from its source, and what does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amicopy.core.destination import Destination
from amicopy.core.models import BlockDevice, Image, Principal, Snapshot
from amicopy.plan.attributes.base import DesiredCopy, Difference
from amicopy.plan.attributes.deprecation import DeprecationDiffers
from amicopy.plan.attributes.description import DescriptionDiffers
from amicopy.plan.attributes.launch_permissions import MissingLaunchPermissions
from amicopy.plan.attributes.sharing import MissingSharing
from amicopy.plan.attributes.snapshot_permissions import MissingSnapshotPermissions
from amicopy.plan.attributes.structure import NameDiffers, StructureDiffers
from amicopy.plan.attributes.tags import MissingTags
from amicopy.plan.differences import differences

LATER = datetime(2028, 11, 23, 9, 0, tzinfo=UTC)
SOMEBODY, OTHERS, PUBLIC = (Principal.parse(text) for text in ("111122223333", "444455556666", "public"))
ROOT = BlockDevice(
    device="/dev/xvda", snapshot_id="snap-1", volume_gib=8, volume_type="gp3", delete_on_termination=True
)
SOURCE = Image(image_id="ami-1", region="us-east-1", devices=(ROOT,), attributes={"Architecture": "x86_64"})
COPY = Image(
    image_id="ami-2",
    region="us-west-2",
    devices=(replace(ROOT, snapshot_id="snap-2"),),
    attributes=SOURCE.attributes,
    launch_permissions=frozenset(),
    snapshots=(Snapshot(snapshot_id="snap-2", region="us-west-2", volume_permissions=frozenset()),),
)


def found(copy: Image = COPY, source: Image = SOURCE, **desired: Any) -> tuple[Difference, ...]:
    """Return what separates a copy from what is wanted of it."""
    return differences(DesiredCopy(source=source, destination=Destination("us-west-2"), name="web", **desired), copy)


def copy_with(device: BlockDevice | None = None, **snapshot: Any) -> Image:
    """Return the copy with another device, or with another snapshot."""
    image = COPY if device is None else replace(COPY, devices=(device,))
    return replace(image, snapshots=tuple(replace(one, **snapshot) for one in image.snapshots))


def test_a_faithful_copy_differs_in_nothing() -> None:
    assert found() == ()


def test_missing_and_other_tags_differ_further_ones_do_not() -> None:
    copy = replace(COPY, tags={"same": "1", "other": "x", "further": ""})
    [difference] = found(copy, tags={"same": "1", "other": "2", "empty": ""})
    assert difference == MissingTags(resource_id="ami-2", missing={"other": "2", "empty": ""}, changed=("other",))
    assert str(difference) == "ami-2 is missing tags empty and has other values for tags other"


def test_snapshots_tags_are_compared_by_device() -> None:
    [difference] = found(copy_with(tags={"a": "1"}), snapshot_tags={"/dev/xvda": {"a": "1", "b": "2"}})
    assert difference == MissingTags(resource_id="snap-2", device="/dev/xvda", missing={"b": "2"})
    assert str(difference) == "snap-2 (/dev/xvda) is missing tags b"


def test_a_description_differs_only_where_it_was_asked_for() -> None:
    copy = replace(COPY, description="another")
    assert found(copy, description="web") == ()
    assert found(copy, description="another", description_template="another") == ()
    [difference] = found(copy, description="web", description_template="web")
    assert difference == DescriptionDiffers(resource_id="ami-2", desired="web", found="another")


def test_a_name_differs_only_where_it_was_asked_for_and_cannot_be_repaired() -> None:
    copy = replace(COPY, name="db")
    assert found(copy) == ()
    [difference] = found(copy, name_template="web")
    assert difference == NameDiffers(resource_id="ami-2", desired="'web'", found="'db'")
    assert not difference.repairable


@pytest.mark.parametrize("apart", [timedelta(0), timedelta(seconds=60), timedelta(seconds=-59)])
def test_a_deprecation_date_within_ec2s_rounding_is_the_same(apart: timedelta) -> None:
    assert found(replace(COPY, deprecate_at=LATER + apart), deprecate_at=LATER) == ()


@pytest.mark.parametrize("date", [None, LATER + timedelta(seconds=61), LATER - timedelta(days=1)])
def test_another_deprecation_date_or_none_differs(date: datetime | None) -> None:
    [difference] = found(replace(COPY, deprecate_at=date), deprecate_at=LATER)
    assert difference == DeprecationDiffers(resource_id="ami-2", desired=LATER, found=date)


def test_a_deprecation_date_that_nobody_wants_is_left_alone() -> None:
    assert found(replace(COPY, deprecate_at=LATER)) == ()


def test_who_may_not_launch_it_yet_is_named_in_order() -> None:
    copy = replace(COPY, launch_permissions=frozenset({OTHERS}))
    [difference] = found(copy, launch_permissions=frozenset({SOMEBODY, OTHERS, PUBLIC}))
    assert difference == MissingLaunchPermissions(resource_id="ami-2", device="", missing=(SOMEBODY, PUBLIC))
    assert str(difference) == "ami-2 is not shared with 111122223333, public"


def test_who_may_not_copy_a_snapshot_yet_is_named() -> None:
    [difference] = found(volume_permissions={"/dev/xvda": frozenset({SOMEBODY})})
    assert difference == MissingSnapshotPermissions(resource_id="snap-2", device="/dev/xvda", missing=(SOMEBODY,))


def test_whom_others_let_in_is_no_difference() -> None:
    copy = replace(copy_with(volume_permissions=frozenset({PUBLIC})), launch_permissions=frozenset({PUBLIC}))
    assert found(copy) == ()


def test_permissions_that_were_not_read_are_taken_to_lack() -> None:
    copy = replace(copy_with(volume_permissions=None), launch_permissions=None)
    who = frozenset({SOMEBODY})
    lacking = found(copy, launch_permissions=who, volume_permissions={"/dev/xvda": who})
    assert [one.resource_id for one in lacking if one.is_sharing] == ["snap-2", "ami-2"]


def test_a_snapshot_that_is_not_shown_yet_lacks_everything() -> None:
    who = {"/dev/xvda": frozenset({SOMEBODY})}
    copy = replace(COPY, snapshots=())
    lacking = found(copy, snapshot_tags={"/dev/xvda": {"a": "1"}}, volume_permissions=who)
    assert [type(one) for one in lacking] == [MissingTags, MissingSnapshotPermissions]
    assert {one.resource_id for one in lacking if isinstance(one, MissingTags | MissingSharing)} == {"snap-2"}


@pytest.mark.parametrize(
    ("attributes", "desired", "has"),
    [({"Architecture": "arm64"}, "x86_64", "arm64"), ({}, "x86_64", "")],
)
def test_an_attribute_that_ec2_carries_and_the_copy_lacks_is_lasting(
    attributes: dict[str, str], desired: str, has: str
) -> None:
    [difference] = found(replace(COPY, attributes=attributes))
    assert difference == StructureDiffers(resource_id="ami-2", aspect="Architecture", desired=desired, found=has)
    assert str(difference) == f"ami-2 has Architecture {has or 'none'} instead of x86_64"


def test_an_attribute_that_only_the_copy_has_differs_too() -> None:
    [difference] = found(replace(COPY, attributes={**SOURCE.attributes, "BootMode": "uefi"}))
    assert str(difference) == "ami-2 has BootMode uefi instead of none"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"volume_gib": 9}, "GiB 9"),
        ({"volume_type": "gp2"}, "type gp2"),
        ({"iops": 3000}, "IOPS 3000"),
        ({"throughput": 250}, "MiB/s 250"),
        ({"delete_on_termination": False}, "delete on termination False"),
        ({"snapshot_id": ""}, "blank True"),
        ({"ebs": False, "snapshot_id": "", "virtual_name": "ephemeral0"}, "instance store ephemeral0"),
        ({"ebs": False, "snapshot_id": "", "no_device": True}, "suppressed True"),
    ],
)
def test_a_device_of_another_shape_is_lasting(members: dict[str, Any], words: str) -> None:
    [difference] = found(copy_with(replace(COPY.devices[0], **members)))
    assert isinstance(difference, StructureDiffers)
    assert difference.aspect == "device /dev/xvda"
    assert words in difference.found


def test_a_device_that_is_missing_or_extra_is_lasting() -> None:
    differing = found(copy_with(replace(COPY.devices[0], device="/dev/sda1")))
    assert [
        (one.aspect, one.desired == "absent", one.found == "absent")
        for one in differing
        if isinstance(one, StructureDiffers)
    ] == [
        ("device /dev/sda1", True, False),
        ("device /dev/xvda", False, True),
    ]


def test_a_copy_may_be_encrypted_where_its_source_is_not() -> None:
    assert found(copy_with(replace(COPY.devices[0], encrypted=True))) == ()


@pytest.mark.parametrize("encrypted", [False, None])
def test_a_copy_may_not_be_less_encrypted_than_its_source(encrypted: bool | None) -> None:
    source = replace(SOURCE, devices=(replace(ROOT, encrypted=True),))
    [difference] = found(copy_with(replace(COPY.devices[0], encrypted=encrypted)), source)
    assert str(difference) == "ami-2 has encryption of /dev/xvda off instead of on"
    assert not difference.repairable


def test_differences_come_in_the_order_of_writing_sharing_last() -> None:
    who = frozenset({SOMEBODY})
    differing = found(
        replace(COPY, name="db", attributes={}),
        name_template="web",
        tags={"a": "1"},
        snapshot_tags={"/dev/xvda": {"a": "1"}},
        description="web",
        description_template="web",
        deprecate_at=LATER,
        launch_permissions=who,
        volume_permissions={"/dev/xvda": who},
    )
    assert [(type(one), one.repairable) for one in differing] == [
        (NameDiffers, False),
        (StructureDiffers, False),
        (MissingTags, True),
        (MissingTags, True),
        (DescriptionDiffers, True),
        (DeprecationDiffers, True),
        (MissingSnapshotPermissions, True),
        (MissingLaunchPermissions, True),
    ]
    assert isinstance(differing[-1], MissingLaunchPermissions)
    assert differing[-1].resource_id == "ami-2"
