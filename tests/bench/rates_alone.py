"""``python -m tests.bench.rates_alone IMAGES``: what EC2's rates alone make of a run, with answers that take no time.

The clock moves only while amicopy sleeps, so that neither this machine nor the distance of regions counts. Refuses to
measure the time that it takes itself: about a quarter of an hour for 200 AMIs.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from typing import Any

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from tests.bench.ec2 import lacking, register
from tests.bench.job import DESTINATIONS
from tests.bench.rates import COPY_SECONDS, VARIATION, VOLUMES
from tests.support.clock import FakeClock, one_after_another


def rates_alone(images: int) -> dict[str, Any]:
    """Return when, in seconds since the start, the first copy was requested, the last was available, and all ended."""
    clock = FakeClock()
    timing = Timing(
        copy_seconds=COPY_SECONDS,
        seconds_per_gib=0,
        variation=VARIATION,
        finishing_seconds=0,
        visible_after=0,
        snapshots_listed_after=0,
    )
    with Sandbox.start(clock=clock, timing=timing, rates="ec2", samples=False) as sandbox:
        world = sandbox.world
        world.opt_in()
        # Without botocore's own retries, which would sleep in real time, each throttled call is amicopy's to wait out.
        os.environ.update({**sandbox.environment, "AWS_MAX_ATTEMPTS": "1", "HOME": tempfile.mkdtemp()})
        sources = [register(world, DEFAULT_ACCOUNT, number, VOLUMES) for number in range(images)]
        begun = clock.now()
        command = ["copy", *(one.image_id for one in sources), "--to", ",".join(DESTINATIONS), "--output", "jsonl"]
        code = main([*command, "--quiet"], Environment(clock=clock, drive=one_after_another))
        ended = clock.now()
        copies = [copy for region in DESTINATIONS for copy in world.images(region)]
        asked = next(one.at for one in world.requests if one.operation == "CopyImage")
        available = max(copy.available_at for copy in copies if copy.available_at)
        return {
            "exit_code": code,
            "first_copy_image": round((asked - begun).total_seconds(), 1),
            "last_available": round((available - begun).total_seconds(), 1),
            "end": round((ended - begun).total_seconds(), 1),
            "calls": len(world.requests),
            "throttled": Counter(one.operation for one in world.requests if one.error == "RequestLimitExceeded"),
            "undone": Counter(what for copy in copies for what in lacking(world, sources[0], copy)),
            "not_copied": images * len(DESTINATIONS) - len(copies),
        }


if __name__ == "__main__":
    sys.stderr.write(json.dumps(rates_alone(int(sys.argv[1]))) + "\n")
