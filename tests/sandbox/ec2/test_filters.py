"""Filters and pagination."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.simulated_ec2 import AWAY, Ec2


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
def test_filter_selects_images(ec2: Ec2, name: str, values: list[str], count: int) -> None:
    for image_name, tags in (
        ("web-1", {"Team": "a"}),
        ("web-2", {"Team": "b"}),
        ("db", {}),
        ("literal*", {}),
    ):
        ec2.world.register(AWAY, name=image_name, tags=tags)
    assert len(ec2("DescribeImages", Filters=[{"Name": name, "Values": values}])["Images"]) == count


@given(st.text(alphabet="ab*?\\.[", max_size=8), st.text(alphabet="ab*?\\.[", max_size=8))
def test_filter_without_wildcards_compares_exactly(text: str, other: str) -> None:
    ec2 = Ec2()
    ec2.world.register(AWAY, name="x", tags={"k": text})
    quoted = "".join(f"\\{character}" if character in "*?\\" else character for character in other)
    found = ec2("DescribeImages", Filters=[{"Name": "tag:k", "Values": [quoted]}])["Images"]
    assert bool(found) is (text == other)


def test_unknown_filter_and_too_many_values_are_refused(ec2: Ec2) -> None:
    refusal = ec2.refusal("DescribeImages", Filters=[{"Name": "color", "Values": ["red"]}])
    assert (refusal.code, refusal.message) == ("InvalidParameterValue", "The filter 'color' is invalid")
    values = [str(number) for number in range(201)]
    assert ec2.refusal("DescribeImages", Filters=[{"Name": "name", "Values": values}]).code == "FilterLimitExceeded"


def test_pages_continue_where_the_last_ended_and_exclude_ids(ec2: Ec2) -> None:
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
