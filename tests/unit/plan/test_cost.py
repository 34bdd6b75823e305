"""The cost and speed of a plan: what a time-based copy may ask for goes by data, not by the size of volumes."""

from datetime import timedelta

import pytest

from amicopy.core.destination import Destination
from amicopy.core.models import BlockDevice, Image, Snapshot
from amicopy.core.request import CopyRequest
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.cost import overloaded_regions, time_problems
from amicopy.plan.plan import Action, Row

WEST = Destination("us-west-2")


def source(volume_gib: int, full_gib: int | None) -> Image:
    """Return an image with one volume, and with so much data on it."""
    full_bytes = full_gib * 2**30 if full_gib is not None else None
    return Image(
        image_id="ami-1",
        region="us-east-1",
        devices=(BlockDevice(device="/dev/xvda", ebs=True, snapshot_id="snap-1", volume_gib=volume_gib),),
        snapshots=(Snapshot(snapshot_id="snap-1", region="us-east-1", full_bytes=full_bytes),),
    )


SIZES = pytest.mark.parametrize(
    ("volume_gib", "full_gib", "refused"),
    [(440, 440, True), (440, None, True), (1024, 20, False), (1024, 0, False), (8, 8, False)],
)


@SIZES
def test_one_snapshot_is_too_large_by_its_data(volume_gib: int, full_gib: int | None, refused: bool) -> None:
    desired = DesiredCopy(source=source(volume_gib, full_gib), destination=WEST, name="web", minutes=15)
    problems = list(time_problems(desired, WEST.region))
    assert bool(problems) is refused
    assert all("--no-preflight" in problem.next_step for problem in problems)


@pytest.mark.parametrize(("full_gib", "refused"), [(440, True), (None, True), (20, False)])
def test_several_together_are_too_large_by_their_data(full_gib: int | None, refused: bool) -> None:
    image = source(440, full_gib)
    desired = DesiredCopy(source=image, destination=WEST, name="web", minutes=15)
    row = Row(source=image, destination=WEST, action=Action.COPY, reason="", desired=desired)
    request = CopyRequest(image_ids=("ami-1",), to=("us-west-2",), complete_within=timedelta(minutes=15))
    assert bool(overloaded_regions(request, [row] * 5)) is refused
