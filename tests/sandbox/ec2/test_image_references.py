"""DescribeImageReferences, with references that a test puts into the state."""

from tests.sandbox.simulated_ec2 import Ec2


def test_references_are_listed_by_type_and_page(ec2: Ec2) -> None:
    ec2.world.state.references["ami-00000001"] = [("ec2:Instance", f"arn:{number}") for number in range(7)]
    ec2.world.state.references["ami-00000001"] += [("ssm:Parameter", "arn:p")]
    types = [{"ResourceType": "ec2:Instance"}]
    first = ec2("DescribeImageReferences", ImageIds=["ami-00000001"], ResourceTypes=types, MaxResults=5)
    rest = ec2("DescribeImageReferences", ImageIds=["ami-00000001"], ResourceTypes=types, NextToken=first["NextToken"])
    assert [row["Arn"] for row in first["ImageReferences"] + rest["ImageReferences"]] == [
        f"arn:{number}" for number in range(7)
    ]
    everything = ec2("DescribeImageReferences", ImageIds=["ami-00000001"], IncludeAllResourceTypes=True)
    assert everything["ImageReferences"][-1] == {
        "ImageId": "ami-00000001",
        "ResourceType": "ssm:Parameter",
        "Arn": "arn:p",
    }
