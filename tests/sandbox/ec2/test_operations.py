"""The table of operations."""

from typing import Any

import pytest

from amicopy.aws.startup.ec2_model import OPERATIONS as EC2_MODEL_OPERATIONS
from amicopy.sandbox.ec2.operations import AMICOPY_OPERATIONS, OTHER_OPERATIONS
from tests.sandbox.simulated_ec2 import Ec2


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("DescribeRegions", {"RegionNames": ["mars-1"]}, "InvalidParameterValue"),
        ("DescribeImages", {"Owners": ["me"]}, "InvalidUserID.Malformed"),
        ("DescribeSnapshots", {"SnapshotIds": ["snap-zz"]}, "InvalidSnapshotID.Malformed"),
        ("DescribeSnapshots", {"MaxResults": 3}, "InvalidParameterValue"),
        ("DescribeImageReferences", {"ImageIds": ["ami-00000000"]}, "MissingParameter"),
        ("EnableImageBlockPublicAccess", {"ImageBlockPublicAccessState": "unblocked"}, "InvalidParameterValue"),
        ("EnableSnapshotBlockPublicAccess", {"State": "unblocked"}, "InvalidParameterValue"),
        ("CreateTags", {"Resources": ["i-1"], "Tags": [{"Key": "k"}]}, "InvalidID"),
        ("CreateSnapshot", {"VolumeId": "vol-1"}, "InvalidVolume.NotFound"),
        ("RegisterImage", {"Name": "web"}, "MissingParameter"),
        ("MakeCoffee", {}, "InvalidAction"),
    ],
)
def test_operation_refuses_invalid_parameters(ec2: Ec2, operation: str, params: dict[str, Any], code: str) -> None:
    assert ec2.refusal(operation, **params).code == code


def test_operations_that_amicopy_calls_are_set_apart() -> None:
    of_instances = {name for name in EC2_MODEL_OPERATIONS if "Instances" in name or "InstanceTypeOff" in name}
    of_templates = {name for name in EC2_MODEL_OPERATIONS if "LaunchTemplate" in name}
    by_moto = of_instances | of_templates | {"DescribeSubnets"}  # as for any other client of instances
    assert AMICOPY_OPERATIONS.keys() == set(EC2_MODEL_OPERATIONS) - by_moto
    assert not AMICOPY_OPERATIONS.keys() & OTHER_OPERATIONS.keys()
