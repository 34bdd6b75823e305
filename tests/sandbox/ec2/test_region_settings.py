"""Regions, and an account's settings in them."""

from amicopy.sandbox.settings import OPT_IN
from tests.sandbox.simulated_ec2 import FRIEND, HOME, Ec2


def test_region_that_is_not_enabled_rejects_the_credentials(ec2: Ec2) -> None:
    refusal = ec2.refusal("DescribeImages", "af-south-1")
    assert (refusal.code, refusal.status) == ("AuthFailure", 401)
    ec2.world.opt_in("af-south-1")
    assert ec2("DescribeImages", "af-south-1")["Images"] == []


def test_describe_regions_shows_which_regions_are_enabled(ec2: Ec2) -> None:
    enabled = {row["RegionName"] for row in ec2("DescribeRegions")["Regions"]}
    every = {row["RegionName"]: row["OptInStatus"] for row in ec2("DescribeRegions", AllRegions=True)["Regions"]}
    assert enabled == {name for name, status in every.items() if status == "opt-in-not-required"}
    assert {name for name, status in every.items() if status == "not-opted-in"} == set(OPT_IN)
    assert "cn-north-1" not in every
    disabled = [{"Name": "opt-in-status", "Values": ["not-*"]}]
    assert len(ec2("DescribeRegions", AllRegions=True, Filters=disabled)["Regions"]) == len(OPT_IN)


def test_settings_apply_to_one_region_and_account(ec2: Ec2) -> None:
    ec2("EnableEbsEncryptionByDefault")
    ec2("ModifyEbsDefaultKmsKeyId", KmsKeyId="1234")
    assert ec2("GetEbsEncryptionByDefault")["EbsEncryptionByDefault"] is True
    assert ec2("GetEbsDefaultKmsKeyId")["KmsKeyId"].endswith(":key/1234")
    assert ec2("GetEbsEncryptionByDefault", HOME)["EbsEncryptionByDefault"] is False
    assert ec2("GetEbsDefaultKmsKeyId", account=FRIEND)["KmsKeyId"] == "alias/aws/ebs"
