"""AWS Account Management in the sandbox: what amicopy advises for a region that is off."""

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.over_http import HOME, Aws

OPT_IN = "af-south-1"


def test_an_enabled_region_accepts_calls_and_a_disabled_one_does_not(aws: Aws) -> None:
    account, there = aws.client("account", HOME), aws.client(region=OPT_IN)
    with pytest.raises(ClientError, match="AuthFailure"):
        there.describe_images()
    assert account.get_region_opt_status(RegionName=OPT_IN)["RegionOptStatus"] == "DISABLED"
    account.enable_region(RegionName=OPT_IN)
    assert account.get_region_opt_status(RegionName=OPT_IN)["RegionOptStatus"] == "ENABLED"
    assert there.describe_images(Owners=["self"])["Images"] == []
    names = [one["RegionName"] for one in aws.client(region=HOME).describe_regions()["Regions"]]
    assert OPT_IN in names
    account.disable_region(RegionName=OPT_IN)
    with pytest.raises(ClientError, match="AuthFailure"):
        there.describe_images()


def test_regions_are_listed_by_their_status(aws: Aws) -> None:
    account = aws.client("account", HOME)
    account.enable_region(RegionName=OPT_IN)
    enabled = account.list_regions(RegionOptStatusContains=["ENABLED"])["Regions"]
    assert enabled == [{"RegionName": OPT_IN, "RegionOptStatus": "ENABLED"}]
    by_default = account.list_regions(RegionOptStatusContains=["ENABLED_BY_DEFAULT"])["Regions"]
    assert HOME in {one["RegionName"] for one in by_default}


@pytest.mark.parametrize("region", [HOME, "mars-1"])
def test_a_region_that_cannot_be_enabled_is_refused(aws: Aws, region: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        aws.client("account", HOME).enable_region(RegionName=region)
