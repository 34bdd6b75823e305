"""Request rates: none unless asked for, and with ``rates="ec2"`` those that EC2 documents."""

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image
from tests.sandbox.simulated_ec2 import AWAY, HOME, Ec2
from tests.support.clock import FakeClock

OTHER_ACCOUNT = "999988887777"


@pytest.fixture
def limited() -> Ec2:
    return Ec2(rates="ec2")


@pytest.fixture
def source(limited: Ec2) -> Image:
    return limited.world.register(HOME, name="web")


def granted(ec2: Ec2, operation: str, region: str = AWAY, **params: Any) -> int:
    """Call until EC2 throttles; return how often it did not. What else it answers takes a token, too."""
    for number in range(1000):
        try:
            ec2(operation, region, **params)
        except Ec2Error as error:
            if error.code == "RequestLimitExceeded":
                assert error.status == 503
                return number
    raise AssertionError(f"{operation} is never throttled")


BY_ID = {"SnapshotIds": ["snap-00000000"]}
OWN_IMAGES: dict[str, Any] = {"Owners": ["self"]}
DOCUMENTED = [
    ("CopyImage", {}, 100, 1),
    ("CreateTags", {}, 100, 10),
    ("DeleteTags", {}, 100, 10),
    ("DeregisterImage", {}, 100, 5),
    ("DeleteSnapshot", {}, 100, 5),
    ("ModifyImageAttribute", {}, 100, 5),
    ("ModifySnapshotAttribute", {}, 100, 5),
    ("EnableImageDeprecation", {}, 50, 5),
    ("CopySnapshot", {}, 50, 5),
    ("EnableImageBlockPublicAccess", {}, 1, 0.1),
    ("DescribeImages", OWN_IMAGES, 100, 20),
    ("DescribeImages", {}, 100, 20),
    ("DescribeImageAttribute", {}, 100, 20),
    ("DescribeSnapshotAttribute", {}, 100, 20),
    ("GetEbsEncryptionByDefault", {}, 100, 20),
    ("DescribeSnapshots", {}, 50, 10),
    ("DescribeSnapshots", BY_ID, 50, 10),
    ("DescribeSnapshots", {"OwnerIds": ["self"], "MaxResults": 1000}, 100, 20),
    ("DescribeSnapshots", {"Filters": [{"Name": "status", "Values": ["pending"]}]}, 100, 20),
]


@pytest.mark.parametrize(("operation", "params", "size", "per_second"), DOCUMENTED)
def test_each_action_has_the_documented_bucket(
    limited: Ec2, operation: str, params: dict[str, Any], size: int, per_second: float
) -> None:
    assert granted(limited, operation, **params) == size
    seconds = max(1.0, 1 / per_second)
    limited.clock.advance(seconds)
    assert granted(limited, operation, **params) == round(seconds * per_second)
    limited.clock.advance(3600)
    assert granted(limited, operation, **params) == size


def test_no_bucket_is_shared_between_actions_regions_or_accounts(limited: Ec2) -> None:
    assert granted(limited, "DescribeImages", **OWN_IMAGES) == 100
    assert granted(limited, "DescribeImageAttribute") == 100
    assert granted(limited, "DescribeImages", HOME, **OWN_IMAGES) == 100
    limited("DescribeImages", account=OTHER_ACCOUNT, **OWN_IMAGES)


def test_a_throttled_call_does_nothing_and_is_recorded(limited: Ec2, source: Image) -> None:
    for _ in range(100):
        limited.copy(source)
    assert limited.refused_copy(source).code == "RequestLimitExceeded"
    assert limited.world.requests[-1].error == "RequestLimitExceeded"
    assert len(limited.world.images(AWAY)) == 100
    limited.clock.advance(1)
    limited.copy(source)


def test_nothing_is_throttled_unless_asked_for(ec2: Ec2) -> None:
    for _ in range(1000):
        ec2("DescribeImages", **OWN_IMAGES)


def test_a_server_is_started_and_reset_with_rates() -> None:
    with Sandbox.start(clock=FakeClock(), samples=False, rates="ec2") as sandbox:
        once = Config(retries={"total_max_attempts": 1})
        keys = sandbox.credentials("123456789012")
        client = boto3.client("ec2", AWAY, endpoint_url=sandbox.endpoint_url, config=once, **keys)

        def describe() -> None:
            for _ in range(101):
                client.describe_images(Owners=["self"])

        for _ in ("as started", "as reset, which keeps the rates"):
            with pytest.raises(ClientError, match="RequestLimitExceeded"):
                describe()
            assert len(sandbox.world.requests) == 101
            sandbox.reset()
        sandbox.reset(rates="none")
        describe()


def test_an_answer_can_take_its_time_by_the_sandbox_clock() -> None:
    clock = FakeClock()
    with Sandbox.start(clock=clock, samples=False) as sandbox:
        sandbox.reset(timing=Timing(answer_seconds=0.3))
        before = clock.now()
        client = boto3.client("ec2", AWAY, endpoint_url=sandbox.endpoint_url, **sandbox.credentials("123456789012"))
        client.describe_images(Owners=["self"])
        assert (clock.now() - before).total_seconds() == pytest.approx(0.3)
