"""The simulated EC2 as a whole: ids, the request log, records, samples."""

import pytest

from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.samples import SAMPLES, WEB_SERVER, populate
from tests.sandbox.simulated_ec2 import AWAY, HOME, Ec2, three_volumes


def test_same_seed_gives_the_same_ids_and_durations() -> None:
    first, second = (Ec2(timing=Timing()) for _ in range(2))
    ids = [ec2.copy(three_volumes(ec2)) for ec2 in (first, second)]
    assert ids[0] == ids[1]
    for ec2 in (first, second):
        ec2.clock.advance(4)
    rows = [ec2("DescribeSnapshots", OwnerIds=["self"])["Snapshots"] for ec2 in (first, second)]
    assert rows[0] == rows[1]


def test_every_call_is_recorded_with_its_error(ec2: Ec2) -> None:
    ec2("DescribeImages", Owners=["self"])
    ec2.refusal("DescribeImages", ImageIds=["ami-00000000"])
    assert [(row.operation, row.region, row.error) for row in ec2.world.requests] == [
        ("DescribeImages", AWAY, ""),
        ("DescribeImages", AWAY, "InvalidAMIID.NotFound"),
    ]


def test_tests_can_change_and_remove_records(ec2: Ec2) -> None:
    image_id = ec2.copy(ec2.world.register(HOME, name="web"))
    ec2.world.image(AWAY, image_id).state = "invalid"
    ec2.clock.advance(60)
    assert ec2.described(image_id)["State"] == "invalid"
    ec2.world.remove(AWAY, image_id)
    assert ec2.refusal("DescribeImages", ImageIds=[image_id]).code == "InvalidAMIID.NotFound"
    with pytest.raises(KeyError):
        ec2.world.image(AWAY, image_id)


def test_registering_an_image_with_an_unknown_attribute_is_an_error(ec2: Ec2) -> None:
    with pytest.raises(TypeError, match="color"):
        ec2.world.register(HOME, name="web", color="red")


def test_every_sample_is_found_by_its_id(ec2: Ec2) -> None:
    populate(ec2.world)
    names = {sample.image_id: sample.name for sample in SAMPLES}
    response = ec2("DescribeImages", HOME, ImageIds=list(names))
    assert {row["ImageId"]: row["Name"] for row in response["Images"]} == names
    web = ec2.world.image(HOME, WEB_SERVER.image_id)
    assert len(web.snapshot_ids) == 3
    assert len({str(ec2.world.snapshot(HOME, snapshot_id).tags) for snapshot_id in web.snapshot_ids}) == 3


def test_two_hundred_sources_can_be_copied_to_33_regions(ec2: Ec2) -> None:
    ec2.world.opt_in()
    sources = [ec2.world.register(HOME, name=f"web-{number}") for number in range(200)]
    regions = [row["RegionName"] for row in ec2("DescribeRegions")["Regions"] if row["RegionName"] != HOME]
    for region in regions:
        for source in sources:
            ec2.copy(source, region)
    ec2.clock.advance(60)
    for region in regions:
        lineage = [
            {"Name": "source-image-region", "Values": [HOME]},
            {"Name": "state", "Values": ["available"]},
        ]
        assert len(ec2("DescribeImages", region, Owners=["self"], Filters=lineage)["Images"]) == 200
