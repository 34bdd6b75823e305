"""Tags: rules, and CreateTags, DeleteTags, DescribeTags."""

import pytest

from tests.sandbox.simulated_ec2 import AWAY, FRIEND, HOME, Ec2


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ([{"Key": "aws:x", "Value": ""}], "reserved"),
        ([{"Key": "AWS:x", "Value": ""}], "reserved"),
        ([{"Key": "k" * 129, "Value": ""}], "128"),
        ([{"Key": "k", "Value": "v" * 257}], "256"),
        ([{"Key": "k", "Value": ""}, {"Key": "k", "Value": ""}], "Duplicate tag key 'k' specified."),
        ([{"Key": str(number), "Value": ""} for number in range(51)], "maximum number"),
    ],
)
def test_copy_with_invalid_tags_is_refused(ec2: Ec2, tags: list[dict[str, str]], text: str) -> None:
    source = ec2.world.register(HOME, name="web")
    specification = [{"ResourceType": "image", "Tags": tags}]
    assert text in ec2.refused_copy(source, TagSpecifications=specification).message


def test_tag_policy_refuses_copies_without_the_required_tags(ec2: Ec2) -> None:
    ec2.world.settings(AWAY).required_tag_keys = frozenset({"Owner"})
    refusal = ec2.refused_copy(ec2.world.register(HOME, name="web"))
    assert (refusal.code, "'Owner'" in refusal.message) == ("TagPolicyViolation", True)


def test_tags_belong_to_the_account_that_created_them(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web", tags={"mine": "1"}, launch_permissions={FRIEND})
    ec2("CreateTags", account=FRIEND, Resources=[image.image_id], Tags=[{"Key": "theirs", "Value": "2"}])
    (row,) = ec2("DescribeTags")["Tags"]
    assert (row["Key"], row["ResourceType"]) == ("mine", "image")
    (other,) = ec2("DescribeTags", account=FRIEND, Filters=[{"Name": "key", "Values": ["th*"]}])["Tags"]
    assert other["Value"] == "2"
    ec2("DeleteTags", Resources=[image.image_id], Tags=[{"Key": "mine", "Value": "other"}])
    assert image.tags == {"mine": "1"}
    ec2("DeleteTags", Resources=[image.image_id], Tags=[{"Key": "mine"}])
    assert image.tags == {}


def test_creating_tags_is_all_or_nothing(ec2: Ec2) -> None:
    image = ec2.world.register(AWAY, name="web")
    tags = [{"Key": "k", "Value": "v"}]
    refusal = ec2.refusal("CreateTags", Resources=[image.image_id, "ami-00000000"], Tags=tags)
    assert (refusal.code, image.tags) == ("InvalidAMIID.NotFound", {})
