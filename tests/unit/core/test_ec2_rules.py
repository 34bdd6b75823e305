"""What EC2 takes as an id, a name, a description and tags."""

import pytest

from amicopy.core.ec2_rules import (
    MAX_TAGS,
    check_image_id,
    description_problem,
    name_problem,
    tag_problem,
    tags_problem,
)


@pytest.mark.parametrize("image_id", ["ami-0abcdef1234567890", "ami-7c4aa86a"])
def test_long_and_old_image_ids_are_ids(image_id: str) -> None:
    check_image_id(image_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ami-",
        "ami-123",
        "ami-7c4aa86",
        "ami-7c4aa86a0",
        "AMI-7c4aa86a",
        "ami-7C4AA86A",
        "ami-7c4aa86g",
        "i-0abcdef1234567890",
        " ami-7c4aa86a",
        "ami-7c4aa86a\n",
        "ami-7c4aa86a,ami-7c4aa86b",
        "ami-١٢٣٤٥٦٧٨",
    ],
)
def test_anything_else_is_no_image_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid AMI id"):
        check_image_id(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ami-7c4aa86a,ami-7c4aa86b", "without commas"),
        ("eu-west-1/ami-7c4aa86a", "give the id alone, ami-7c4aa86a, and eu-west-1 as the source region"),
        ("arn:aws:ec2:eu-west-1::image/ami-7c4aa86a", "ami-7c4aa86a, and eu-west-1 as the source region"),
    ],
)
def test_an_id_with_something_around_it_is_answered_with_how_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        check_image_id(text)


@pytest.mark.parametrize("name", ["web", "w" * 128, "web (2026) [x] a.b/c-d'e@f_g"])
def test_names_of_ec2s_alphabet_are_fine(name: str) -> None:
    assert name_problem(name) == ""


@pytest.mark.parametrize("name", ["", "ab", "w" * 129])
def test_names_too_short_or_too_long_are_a_problem(name: str) -> None:
    assert f"has {len(name)}" in name_problem(name)


def test_odd_characters_of_a_name_are_named_once_each() -> None:
    assert name_problem("web:1:2!").startswith("an AMI name cannot contain '!', ':' (")


@pytest.mark.parametrize("name", ["wéb", "web\n", "web\t1", "web١"])
def test_names_are_ascii_without_control_characters(name: str) -> None:
    assert name_problem(name)


def test_a_description_has_255_characters_at_most() -> None:
    assert description_problem("d" * 255) == ""
    assert "256" in description_problem("d" * 256)


@pytest.mark.parametrize("description", ["Grüße", "two\nlines", "bell\x07"])
def test_a_description_is_printable_ascii(description: str) -> None:
    assert "printable ASCII" in description_problem(description)


@pytest.mark.parametrize(("key", "value"), [("k", ""), ("k" * 128, "v" * 256), ("awsome", "v"), ("Aws", "v")])
def test_tags_within_the_limits_are_fine(key: str, value: str) -> None:
    assert tag_problem(key, value) == ""


@pytest.mark.parametrize("key", ["aws:name", "AWS:name", "Aws:"])
def test_keys_that_belong_to_aws_are_a_problem_in_any_case(key: str) -> None:
    assert "belong to AWS" in tag_problem(key, "v")


def test_keys_and_values_that_are_too_long_are_a_problem() -> None:
    assert "has 129" in tag_problem("k" * 129, "v")
    assert "has 257" in tag_problem("k", "v" * 257)


def test_a_tag_needs_a_key() -> None:
    assert tag_problem("", "v") == "a tag needs a key"


def test_a_resource_has_fifty_tags_at_most() -> None:
    tags = {str(number): "" for number in range(MAX_TAGS)}
    assert tags_problem(tags) == ""
    assert tags_problem(tags | {"one": "more"}) == "a resource can have at most 50 tags, and these are 51"


def test_a_bad_tag_is_named_before_their_number() -> None:
    assert "belong to AWS" in tags_problem({str(number): "" for number in range(60)} | {"aws:x": ""})
