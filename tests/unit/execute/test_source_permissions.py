"""The sources' permissions, read again before sharing: by whom, and for how long a reading serves."""

import threading
from datetime import timedelta
from typing import Any, cast

import pytest

from amicopy.core.destination import Destination
from amicopy.core.models import Image, Principal
from amicopy.execute.source_permissions import SourcePermissions
from amicopy.plan.attributes.base import DesiredCopy
from tests.support.clock import FakeClock

HOME = "us-east-1"
SOMEBODY = frozenset({Principal.parse("111122223333")})


class Ec2:
    """An EC2 that remembers what it was asked; it answers for ``slow`` only after it was asked for something else."""

    def __init__(self, slow: str = "") -> None:
        self.asked: list[str] = []
        self._slow = slow
        self.was_asked = threading.Event()
        self._for_another = threading.Event()

    def launch_permissions(self, image_id: str) -> frozenset[Principal]:
        """Return who may launch the AMI."""
        self.asked.append(image_id)
        self.was_asked.set()
        if image_id != self._slow:
            self._for_another.set()
        elif not self._for_another.wait(10):
            raise TimeoutError("nothing else was asked for meanwhile")
        return SOMEBODY


def desired(image_id: str) -> DesiredCopy:
    source = Image(image_id=image_id, region=HOME)
    return DesiredCopy(
        source=source,
        destination=Destination("eu-west-1"),
        name="web",
        launch_permissions=SOMEBODY,
        launch_from_source=True,
    )


def permissions_of(ec2: Ec2, clock: FakeClock, resources: int = 1) -> SourcePermissions:
    return SourcePermissions(cast(Any, {HOME: ec2}), clock, resources)


@pytest.mark.parametrize(("resources", "seconds"), [(1, 30), (240, 30), (600, 75)])
def test_a_reading_serves_for_half_a_minute_or_twice_what_reading_all_takes(resources: int, seconds: int) -> None:
    ec2, clock = Ec2(), FakeClock()
    permissions = permissions_of(ec2, clock, resources)
    for age, reads in ((0, 1), (seconds - 1, 1), (1, 2)):
        clock.advance(timedelta(seconds=age).total_seconds())
        permissions.narrowed(desired("ami-1"))
        assert len(ec2.asked) == reads


def test_a_source_that_is_slow_to_read_keeps_no_other_waiting() -> None:
    ec2 = Ec2(slow="ami-1")
    permissions = permissions_of(ec2, FakeClock())
    found: list[DesiredCopy] = []
    reading = threading.Thread(target=lambda: found.append(permissions.narrowed(desired("ami-1"))))
    reading.start()
    assert ec2.was_asked.wait(10)
    other = threading.Thread(target=permissions.narrowed, args=(desired("ami-2"),))
    other.start()
    for thread in (reading, other):
        thread.join(10)
    assert [one.launch_permissions for one in found] == [SOMEBODY]
    assert ec2.asked == ["ami-1", "ami-2"]
