"""The EC2 that all peers copy in: amicopy's sandbox in real time, and what each run asked of it and left undone.

Refuses to measure. Every run has an account of its own, so that runs do not see each other.
"""

import resource
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from amicopy.sandbox.behavior import Rates, Timing
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.bench.helper import serve
from tests.bench.job import HOME, TAGS

PARTNER = "111122223333"
_WRITES = {"CreateTags", "EnableImageDeprecation", "ModifyImageAttribute", "ModifySnapshotAttribute"}
ORGANIZATION = "arn:aws:organizations::111122223333:organization/o-exampleorg1"


def register(world: World, account: str, number: int = 0, volumes: int = 2) -> Image:
    """Register a source: up to three volumes with tags of their own, shared with an account and an organization."""
    disks = [
        Volume(device=device, gib=8, tags={**TAGS, "Role": role}, shared_with=frozenset({PARTNER}))
        for device, role in (("/dev/sda1", "root"), ("/dev/sdf", "data"), ("/dev/sdg", "logs"))[:volumes]
    ]
    return world.register(
        HOME,
        name=f"web-server-{number:03}",
        account=account,
        tags=dict(TAGS),
        launch_permissions={PARTNER, ORGANIZATION},
        deprecate_at=(world.clock.now() + timedelta(days=365)).replace(second=0, microsecond=0),
        volumes=disks,
    )


class Ec2:
    """The sandbox and the questions that can be asked about it."""

    def __init__(self) -> None:
        self._sandbox = Sandbox.start(samples=False)

    def begin(self, copy_seconds: float, variation: float = 0.0, rates: Rates = "none") -> None:
        """Empty EC2; each copy takes so long from now on, up to that part more or less. New ids are known at once.

        botocore's waiter gives up on an id that EC2 does not know yet, and that is not what is measured here.
        """
        timing = Timing(
            copy_seconds=copy_seconds,
            seconds_per_gib=0,
            variation=variation,
            finishing_seconds=0,
            visible_after=0,
            snapshots_listed_after=0,
        )
        self._sandbox.reset(timing=timing, rates=rates)

    def account(self, account: str, images: int = 1, volumes: int = 2) -> dict[str, Any]:
        """Prepare an account with sources; return them, and the environment of a process that acts for it."""
        world = self._sandbox.world
        world.opt_in(account=account)
        keys = self._sandbox.credentials(account)
        environment = self._sandbox.environment | {name.upper(): value for name, value in keys.items()}
        return {
            "images": [register(world, account, number, volumes).image_id for number in range(images)],
            "environment": environment,
        }

    def outcome(self, account: str, images: Sequence[str], regions: Sequence[str]) -> dict[str, Any]:
        """Return the calls by action that came from an account, what the copies lack, and how long they took.

        ``late_mean`` and ``late_most`` say of the copies that lack nothing how many seconds passed between their being
        available and the last thing written to them; None where there is no such copy.
        """
        world = self._sandbox.world
        calls = Counter(request.operation for request in world.requests if request.account == account)
        rehearsed = sum(1 for request in world.requests if request.account == account and request.params.get("DryRun"))
        undone: Counter[str] = Counter()
        longest, late = 0.0, []
        written = _last_writes(world, account)
        for region in regions:
            made = [image for image in world.images(region, account) if image.state == "available"]
            undone["not copied"] += max(0, len(images) - len(made))
            for image in made:
                lacks = lacking(world, world.image(HOME, images[0]), image)
                undone.update(lacks)
                assert image.created_at is not None
                assert image.available_at is not None
                longest = max(longest, (image.available_at - image.created_at).total_seconds())
                if not lacks:
                    last = max(written.get(one, image.available_at) for one in (image.image_id, *image.snapshot_ids))
                    late.append((last - image.available_at).total_seconds())
        return {
            "calls": dict(calls),
            "rehearsed": rehearsed,
            "undone": {what: n for what, n in undone.items() if n},
            "longest_seconds": longest,
            "late_mean": round(fmean(late), 1) if late else None,
            "late_most": round(max(late), 1) if late else None,
        }

    def requests(self, account: str) -> dict[str, Any]:
        """Return how many requests of an account came until the first CopyImage and until the end, and when.

        ``throttled`` has by action those that were answered with RequestLimitExceeded; seconds are those since the
        first request.
        """
        made = [request for request in self._sandbox.world.requests if request.account == account]
        throttled = Counter(request.operation for request in made if request.error == "RequestLimitExceeded")
        is_copy = (one.operation == "CopyImage" and not one.params.get("DryRun") for one in made)
        first = next((number for number, is_one in enumerate(is_copy) if is_one), len(made) - 1)
        begun = made[0].at
        return {
            "survey_calls": first,
            "survey_seconds": (made[first].at - begun).total_seconds(),
            "all_seconds": (made[-1].at - begun).total_seconds(),
            "throttled": dict(throttled),
        }

    def cpu_seconds(self) -> float:
        """Return what this process has used so far."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime


def _last_writes(world: World, account: str) -> dict[str, datetime]:
    """Return when each image and snapshot of an account was last written to, by its id."""
    found: dict[str, datetime] = {}
    for request in world.requests:
        if request.account == account and not request.error and request.operation in _WRITES:
            named = request.params.get("Resources") or [
                request.params.get("SnapshotId") or request.params.get("ImageId", "")
            ]
            found |= dict.fromkeys(named, request.at)
    return found


def lacking(world: World, source: Image, copy: Image) -> list[str]:
    """Return what a source has and its copy has not; all sources here are alike but for their names."""
    own = [world.snapshot(source.region, snapshot_id) for snapshot_id in source.snapshot_ids]
    made = [world.snapshot(copy.region, snapshot_id) for snapshot_id in copy.snapshot_ids]
    pairs = list(zip(own, made, strict=False))
    missing = {
        "image tags": not source.tags.items() <= copy.tags.items(),
        "snapshot tags": any(not old.tags.items() <= new.tags.items() for old, new in pairs),
        "launch permissions": not source.launch_permissions <= copy.launch_permissions,
        "snapshot permissions": any(not old.shared_with <= new.shared_with for old, new in pairs),
        "deprecation date": copy.deprecate_at != source.deprecate_at,
    }
    return [what for what, is_missing in missing.items() if is_missing]


def main() -> None:
    """Answer until standard input ends."""
    ec2 = Ec2()
    answers = (ec2.begin, ec2.account, ec2.outcome, ec2.requests, ec2.cpu_seconds)
    serve({answer.__name__: answer for answer in answers})


if __name__ == "__main__":
    main()
