"""Which images are copies of a source."""

from typing import Any

import pytest

from amicopy.core.lineage import copies_of, is_copy_of, is_ours
from amicopy.core.models import SOURCE_TAG, Image, ImageState

SOURCE = Image(image_id="ami-1", region="us-east-1", name="web")
OUR_TAG = {SOURCE_TAG: "us-east-1/ami-1"}
LINEAGE = {"source_region": "us-east-1", "source_image_id": "ami-1"}


def image(image_id: str = "ami-2", **members: Any) -> Image:
    """Return an image in another region."""
    return Image(**{"image_id": image_id, "region": "us-west-2"} | members)


@pytest.mark.parametrize("members", [LINEAGE, {"tags": OUR_TAG}, {**LINEAGE, "tags": OUR_TAG}])
def test_lineage_or_our_tag_makes_a_copy(members: dict[str, Any]) -> None:
    assert is_copy_of(SOURCE, image(**members))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"name": "web"},
        {"tags": {SOURCE_TAG: "us-east-1/ami-12"}},
        {"tags": {SOURCE_TAG: "eu-west-1/ami-1"}},
        {"tags": {SOURCE_TAG: "ami-1"}},
        {"source_region": "eu-west-1", "source_image_id": "ami-1"},
        {"source_region": "us-east-1", "source_image_id": "ami-12"},
    ],
)
def test_names_and_other_sources_make_no_copy(members: dict[str, Any]) -> None:
    assert not is_copy_of(SOURCE, image(**members))


def test_ec2_is_believed_where_it_names_another_source_than_the_tag() -> None:
    assert not is_copy_of(SOURCE, image(source_region="eu-west-1", source_image_id="ami-9", tags=OUR_TAG))


def test_an_image_made_from_an_instance_is_no_copy() -> None:
    assert not is_copy_of(SOURCE, image(**LINEAGE, tags=OUR_TAG, source_instance_id="i-1"))


def test_a_source_is_no_copy_of_itself() -> None:
    assert not is_copy_of(SOURCE, image("ami-1", region="us-east-1", tags=OUR_TAG))


def test_the_same_id_in_another_region_is_another_image() -> None:
    assert is_copy_of(SOURCE, image("ami-1", tags=OUR_TAG))


def test_ours_is_what_bears_our_tag() -> None:
    assert is_ours(SOURCE, image(tags=OUR_TAG, **LINEAGE))
    assert is_ours(SOURCE, image(tags=OUR_TAG, state=ImageState.PENDING))
    assert not is_ours(SOURCE, image(**LINEAGE))


def test_an_available_image_without_a_recorded_source_is_not_ours_whatever_its_tags_say() -> None:
    assert not is_ours(SOURCE, image(tags=OUR_TAG))


@pytest.mark.parametrize("tag", ["aws:backup:source-resource", "aws:dlm:policy", "Ec2ImageBuilderArn"])
def test_a_copy_that_a_service_manages_is_not_ours(tag: str) -> None:
    assert not is_ours(SOURCE, image(tags={**OUR_TAG, tag: "x"}, **LINEAGE))


@pytest.mark.parametrize(
    ("state", "group"),
    [
        (ImageState.AVAILABLE, "available"),
        (ImageState.PENDING, "in_progress"),
        (ImageState.TRANSIENT, "in_progress"),
        (ImageState.UNKNOWN, "in_progress"),
        (ImageState.DISABLED, "disabled"),
        (ImageState.FAILED, "failed"),
        (ImageState.ERROR, "failed"),
        (ImageState.INVALID, "failed"),
    ],
)
def test_each_copy_is_in_the_one_group_of_its_state(state: ImageState, group: str) -> None:
    copy = image(**LINEAGE, state=state)
    copies = copies_of(SOURCE, [copy, image("ami-3", state=state)])
    groups = {name: getattr(copies, name) for name in ("available", "in_progress", "disabled", "failed")}
    assert {name: found for name, found in groups.items() if found} == {group: (copy,)}


def test_the_newest_copy_comes_first_and_equals_in_a_fixed_order() -> None:
    dates = {"ami-2": "2026-11-22T09:00:00.000Z", "ami-3": "2026-11-23T09:00:00.000Z", "ami-4": "", "ami-5": ""}
    images = [image(image_id, **LINEAGE, created_at=date) for image_id, date in dates.items()]
    expected = ["ami-3", "ami-2", "ami-5", "ami-4"]
    assert [one.image_id for one in copies_of(SOURCE, images).available] == expected
    assert [one.image_id for one in copies_of(SOURCE, images[::-1]).available] == expected
