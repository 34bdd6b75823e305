"""What a copy should look like, from its source and from what was asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.destination import Destination
from amicopy.core.models import SOURCE_TAG, BlockDevice, Image, Principal, Snapshot
from amicopy.core.request import CopyRequest
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.desired import desired_copy

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOME, WEST = "us-east-1", "us-west-2"
REFERENCE = "us-east-1/ami-7c4aa86a"
SOMEBODY, OTHERS, PUBLIC = (Principal.parse(text) for text in ("111122223333", "444455556666", "public"))
NOBODY: frozenset[Principal] = frozenset()


def snapshot(number: int, **members: Any) -> Snapshot:
    """Return a snapshot of the source, shared with nobody."""
    return Snapshot(**{"snapshot_id": f"snap-{number}", "region": HOME, "volume_permissions": NOBODY} | members)


def source(*snapshots: Snapshot, **members: Any) -> Image:
    """Return a source with a device for each snapshot, shared with nobody."""
    devices = tuple(BlockDevice(device=f"/dev/sd{n}", snapshot_id=one.snapshot_id) for n, one in enumerate(snapshots))
    given = {"image_id": "ami-7c4aa86a", "region": HOME, "name": "web", "launch_permissions": NOBODY}
    return Image(**given | {"devices": devices, "snapshots": snapshots} | members)


def desired(image: Image, **asked: Any) -> DesiredCopy:
    """Return what a copy in us-west-2 should look like."""
    request = CopyRequest(source_region=HOME, image_ids=(image.image_id,), to=(WEST,), **asked)
    return desired_copy(image, request, destination=Destination(WEST), now=NOW)


def many_tags(number: int) -> dict[str, str]:
    """Return so many tags."""
    return {f"tag-{n}": "" for n in range(number)}


def test_a_copy_is_named_after_its_source_and_says_where_it_comes_from() -> None:
    copy = desired(source(description="the web"))
    assert (copy.name, copy.name_template) == ("web", "")
    assert (copy.description, copy.description_template) == ("[Copied ami-7c4aa86a from us-east-1] the web", None)


def test_without_a_description_the_name_says_what_it_is() -> None:
    assert desired(source()).description == "[Copied ami-7c4aa86a from us-east-1] web"


def test_names_and_descriptions_are_templates() -> None:
    copy = desired(source(), name="{name} {region} {date}", description="{source_id} in {source_region}")
    assert copy.name == "web us-west-2 2026-11-23"
    assert copy.description == "ami-7c4aa86a in us-east-1"


def test_an_empty_description_can_be_asked_for() -> None:
    copy = desired(source(description="the web"), description="")
    assert (copy.description, copy.description_template) == ("", "")
    assert not copy.allows_description("the web")


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("a+b (us-west-2) 2026-11-23", True),
        ("a+b (us-west-2) 2026-01-02", True),  # made by the same command on another day
        ("a+b (us-west-2) yesterday", False),
        ("a+b (eu-west-1) 2026-11-23", False),
        ("aab (us-west-2) 2026-11-23", False),
        ("a+b (us-west-2) 2026-11-23x", False),
    ],
)
def test_a_date_in_a_name_is_that_of_any_day(name: str, is_right: bool) -> None:
    copy = desired(source(name="a+b"), name="{name} ({region}) {date}", description="{name} ({region}) {date}")
    assert copy.allows_name(name) is copy.allows_description(name) is is_right


def test_where_no_name_was_asked_any_will_do() -> None:
    assert desired(source()).allows_name("db")
    assert desired(source()).allows_description("")


def test_a_source_without_a_name_gives_its_id_and_a_note() -> None:
    copy = desired(source(name=""))
    assert copy.name == "ami-7c4aa86a"
    assert copy.notes == ("ami-7c4aa86a has no name; its copy is named after its id",)
    assert desired(source(name=""), name="db-{date}").notes == ()


def test_our_own_description_is_cut_to_what_ec2_takes() -> None:
    copy = desired(source(description="d" * 255))
    assert len(copy.description) == 255
    assert copy.problems == ()


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"name": "{name}" * 50}, "an AMI name must have 3 to 128 characters"),
        ({"name": "{name}: {region}"}, "an AMI name cannot contain ':'"),
        ({"description": "{name}" * 90}, "a description can have up to 255 characters"),
        ({"tags": {"k": "v" * 257}}, "a tag's value has 256 characters at most"),
    ],
)
def test_what_ec2_would_refuse_is_a_problem_before_anything_starts(asked: dict[str, Any], problem: str) -> None:
    [found] = desired(source(), **asked).problems
    assert problem in found


def test_tags_are_the_sources_then_those_asked_then_ours() -> None:
    image = source(snapshot(0, tags={"of": "snapshot", "team": "b"}), tags={"of": "image", "team": "a"})
    copy = desired(image, tags={"team": "c"})
    assert copy.tags == {"of": "image", "team": "c", SOURCE_TAG: REFERENCE}
    assert copy.snapshot_tags == {"/dev/sd0": {"of": "snapshot", "team": "c", SOURCE_TAG: REFERENCE}}


def test_tags_that_stay_behind_leave_those_asked_and_ours() -> None:
    copy = desired(source(snapshot(0, tags={"a": "1"}), tags={"a": "1"}), carry_tags=False, tags={"b": ""})
    assert copy.tags == copy.snapshot_tags["/dev/sd0"] == {"b": "", SOURCE_TAG: REFERENCE}
    assert copy.notes == ()


def test_tags_of_awss_own_stay_behind_and_that_is_said() -> None:
    copy = desired(source(tags={"aws:cloudformation:stack-name": "x", "a": "1"}))
    assert copy.tags == {"a": "1", SOURCE_TAG: REFERENCE}
    assert copy.notes == ("tags of image ami-7c4aa86a that begin with aws: are reserved by AWS and are not copied",)


def test_a_copy_of_a_copy_names_its_own_source() -> None:
    assert desired(source(tags={SOURCE_TAG: "eu-west-1/ami-1"})).tags == {SOURCE_TAG: REFERENCE}


def test_fifty_tags_leave_no_room_for_ours_and_that_is_said() -> None:
    copy = desired(source(snapshot(0, tags=many_tags(49)), tags=many_tags(50)))
    assert copy.tags == many_tags(50)
    assert copy.snapshot_tags["/dev/sd0"] == {**many_tags(49), SOURCE_TAG: REFERENCE}
    assert copy.problems == ()
    assert [note for note in copy.notes if "cannot be tagged" in note] == [
        "the copy of image ami-7c4aa86a has 50 tags already, so it cannot be tagged amicopy:source; "
        "it is recognized by the source that EC2 records"
    ]


def test_of_our_tags_that_of_the_source_goes_first() -> None:
    copy = desired(source(tags=many_tags(49)), mark="base web")
    assert copy.tags == many_tags(49) | {SOURCE_TAG: REFERENCE}
    assert [note for note in copy.notes if "cannot be tagged" in note] == [
        "the copy of image ami-7c4aa86a has 50 tags already, so it cannot be tagged amicopy:manifest; "
        "`keep` never removes it"
    ]


def test_the_tag_that_a_copy_got_from_its_own_source_takes_no_room() -> None:
    copy = desired(source(tags=many_tags(49) | {SOURCE_TAG: "eu-west-1/ami-1"}))
    assert copy.tags == many_tags(49) | {SOURCE_TAG: REFERENCE}
    assert copy.notes == ()


def test_one_asked_tag_too_many_is_a_problem_and_not_a_tag_lost() -> None:
    [problem] = desired(source(tags=many_tags(50)), tags={"one": "more"}).problems
    assert problem == "image ami-7c4aa86a: a resource can have at most 50 tags, and these are 51"


def test_snapshots_that_cannot_be_described_get_what_was_asked() -> None:
    image = replace(source(snapshot(0, tags={"a": "1"}), snapshot(1)), snapshots=())
    assert desired(image, tags={"b": "2"}).snapshot_tags == {
        device: {"b": "2", SOURCE_TAG: REFERENCE} for device in ("/dev/sd0", "/dev/sd1")
    }


def test_all_snapshots_are_created_with_the_tags_that_all_of_them_have() -> None:
    image = source(
        snapshot(0, tags={"team": "a", "env": "x", "only": "here"}),
        snapshot(1, tags={"team": "b", "env": "x"}),
        snapshot(2, tags={"team": "c", "env": "x"}),
    )
    assert desired(image).creation_snapshot_tags == {"env": "x", SOURCE_TAG: REFERENCE}
    every = {"team": "a", "env": "x", SOURCE_TAG: REFERENCE}
    assert desired(image).creation_snapshot_tags_with_every_key == every


def test_without_snapshots_none_are_tagged() -> None:
    assert desired(source()).creation_snapshot_tags == {}


TAGS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xy"))


@given(st.lists(TAGS, max_size=4), TAGS)
def test_creating_snapshots_never_puts_a_tag_on_one_that_is_not_to_have_it(
    tags: list[dict[str, str]], asked: dict[str, str]
) -> None:
    copy = desired(source(*(snapshot(n, tags=one) for n, one in enumerate(tags))), tags=asked)
    for wanted_tags in copy.snapshot_tags.values():
        assert copy.creation_snapshot_tags.items() <= wanted_tags.items()
        assert copy.creation_snapshot_tags_with_every_key.keys() <= wanted_tags.keys()


def test_a_copy_is_shared_as_its_source_is() -> None:
    image = source(
        snapshot(0, volume_permissions=frozenset({SOMEBODY})),
        snapshot(1),
        launch_permissions=frozenset({OTHERS, PUBLIC}),
    )
    copy = desired(image)
    assert copy.launch_permissions == {OTHERS, PUBLIC}
    assert copy.volume_permissions == {"/dev/sd0": {SOMEBODY}}


def test_share_names_all_who_may_launch_and_narrows_who_may_copy() -> None:
    image = source(
        snapshot(0, volume_permissions=frozenset({SOMEBODY, PUBLIC})), launch_permissions=frozenset({SOMEBODY, PUBLIC})
    )
    copy = desired(image, share=frozenset({SOMEBODY, OTHERS}))
    assert copy.launch_permissions == {SOMEBODY, OTHERS}
    assert copy.volume_permissions == {"/dev/sd0": {SOMEBODY}}


def test_permissions_that_stay_behind_leave_the_copy_private() -> None:
    image = source(snapshot(0, volume_permissions=frozenset({PUBLIC})), launch_permissions=frozenset({PUBLIC}))
    copy = desired(image, carry_permissions=False)
    assert (copy.launch_permissions, copy.volume_permissions) == (NOBODY, {})


def test_permissions_that_cannot_be_read_leave_the_copy_private_and_that_is_said() -> None:
    copy = desired(source(snapshot(0, volume_permissions=None), launch_permissions=None))
    assert (copy.launch_permissions, copy.volume_permissions) == (NOBODY, {})
    assert copy.notes == (
        "launch permissions of ami-7c4aa86a cannot be read, so its copies get none",
        "permissions of ami-7c4aa86a's snapshots cannot be read, so its copies get none",
    )


def test_more_principals_than_ec2_takes_are_a_problem() -> None:
    thousand = frozenset(Principal.parse(f"{number:012}") for number in range(1000))
    assert desired(source(), share=thousand).problems == ()
    one_more = Principal.parse("999999999999")
    assert desired(source(), share=thousand | {PUBLIC}).problems == ()  # everybody is not an entity of the quota
    assert "these are 1001" in desired(source(), share=thousand | {one_more}).problems[0]


def test_the_deprecation_date_is_the_sources() -> None:
    later = NOW + timedelta(days=1)
    copy = desired(source(deprecate_at=later))
    assert (copy.deprecate_at, copy.notes) == (later, ())


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=400)])
def test_a_date_that_is_past_is_left_behind_and_that_is_said(ago: timedelta) -> None:
    copy = desired(source(deprecate_at=NOW - ago))
    assert copy.deprecate_at is None
    assert "EC2 doesn't accept dates in the past" in copy.notes[0]


def test_notes_and_problems_are_said_once() -> None:
    copy = desired(source(snapshot(0, volume_permissions=None), snapshot(1, volume_permissions=None)))
    assert len(copy.notes) == 1


PRINCIPALS = st.frozensets(st.sampled_from([SOMEBODY, OTHERS, PUBLIC]))


@given(
    launch=st.none() | PRINCIPALS,
    volumes=st.lists(st.none() | PRINCIPALS, max_size=3),
    share=st.none() | PRINCIPALS,
    carry=st.booleans(),
)
def test_nobody_is_wanted_who_is_neither_at_the_source_nor_asked_for(
    launch: frozenset[Principal] | None,
    volumes: list[frozenset[Principal] | None],
    share: frozenset[Principal] | None,
    carry: bool,
) -> None:
    image = source(*(snapshot(n, volume_permissions=who) for n, who in enumerate(volumes)), launch_permissions=launch)
    copy = desired(image, share=share, carry_permissions=carry)
    assert copy.launch_permissions <= (launch or NOBODY if share is None else share)
    for device, found in image.snapshots_by_device.items():
        assert copy.volume_permissions.get(device, NOBODY) <= (found.volume_permissions or NOBODY)
