"""A simulated EC2 under a fake clock, with the calls that most tests make."""

from typing import Any

import pytest

from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume
from amicopy.sandbox.world import World
from tests.support.clock import FakeClock

HOME, AWAY = "us-east-1", "eu-west-1"
FRIEND, STRANGER = "111122223333", "999988887777"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-exampleorgid"
UNIT = "arn:aws:organizations::123456789012:ou/o-exampleorgid/ou-ab12-34567890"


class Ec2:
    """A world with a fake clock. Call it like ``ec2("DescribeImages", ImageIds=[…])``."""

    def __init__(self, **switches: Any) -> None:
        timing, rates = switches.pop("timing", Timing(variation=0, visible_after=0.5)), switches.pop("rates", "none")
        self.clock = FakeClock()
        self.world = World(self.clock, timing=timing, unconfirmed=Unconfirmed(**switches), rates=rates)

    def __call__(self, operation: str, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any) -> Any:
        return self.world.call(operation, params, region=region, account=account)

    def refusal(self, operation: str, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any) -> Ec2Error:
        with pytest.raises(Ec2Error) as caught:
            self.world.call(operation, params, region=region, account=account)
        return caught.value

    def copy(self, source: Image, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any) -> str:
        required = {"Name": source.name or "copy", "SourceImageId": source.image_id, "SourceRegion": source.region}
        response = self.world.call("CopyImage", required | params, region=region, account=account)
        return str(response["ImageId"])

    def refused_copy(
        self, source: Image, region: str = AWAY, account: str = DEFAULT_ACCOUNT, **params: Any
    ) -> Ec2Error:
        with pytest.raises(Ec2Error) as caught:
            self.copy(source, region, account, **params)
        return caught.value

    def described(self, image_id: str, region: str = AWAY) -> Any:
        return self("DescribeImages", region, ImageIds=[image_id])["Images"][0]

    def finished_copy(self, source: Image, region: str = AWAY, **params: Any) -> Any:
        image_id = self.copy(source, region, **params)
        self.clock.advance(3600)
        return self.described(image_id, region)


def three_volumes(ec2: Ec2, **attributes: Any) -> Image:
    volumes = [
        Volume(gib=8, tags={"a": "1"}),
        Volume(device="/dev/sdf", gib=20),
        Volume(device="/dev/sdg", gib=30),
    ]
    return ec2.world.register(HOME, name="web", volumes=volumes, ephemeral=["/dev/sdb"], **attributes)
