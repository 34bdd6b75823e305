"""Many accounts: one AMI to every region and account in one run, and once more when all is there.

``python -m tests.bench.accounts [ACCOUNTS [REGIONS]]`` prints a line of JSON per run. A copy takes two seconds. The
sandbox runs in this process, amicopy in one of its own.
"""

import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amicopy.sandbox.behavior import timing_of
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Volume
from tests.bench.job import DESTINATIONS, HOME
from tests.bench.measure import measured
from tests.bench.peers import OWN_BIN, surroundings

COPY_SECONDS = 2.0


def runs(folder: Path, accounts: int, regions: int) -> list[dict[str, Any]]:
    """Return what two runs took, and the requests that they made."""
    places = list(DESTINATIONS)[:regions]
    timing = timing_of(copy_seconds=COPY_SECONDS)
    rows = []
    with Sandbox.start(accounts=accounts, samples=False, regions=[HOME, *places], timing=timing) as sandbox:
        world = sandbox.world
        image = world.register(HOME, name="web", tags={"Name": "web"}, volumes=[Volume(tags={"Disk": "root"})])
        named = [one.account_id for one in world.state.accounts.values() if not one.suspended]
        where = ["--from", HOME, "--to", ",".join(places), "--account", ",".join(named)]
        command = [str(OWN_BIN / "amicopy"), "copy", image.image_id, *where, "--output", "text", "--quiet"]
        for turn in ("first", "second"):
            world.requests.clear()
            took = measured(
                command,
                environment={**surroundings(folder / "home"), **sandbox.environment},
                log=folder / turn / "log",
                timeout_seconds=3600,
            )
            made = Counter(request.operation for request in world.requests)
            copies = [one for one in world.requests if one.operation == "CopyImage" and not one.error]
            leaving = sum(one.params["SourceRegion"] != one.region for one in copies)
            rows.append(
                {
                    "run": turn,
                    **asdict(took),
                    "copies": len(copies),
                    "copies_that_leave_the_source_region": leaving,
                    "roles_assumed": made["AssumeRole"],
                    "requests": len(world.requests),
                }
            )
    return rows


def _main(accounts: str = "100", regions: str = "20") -> None:
    with tempfile.TemporaryDirectory() as folder:
        for row in runs(Path(folder), int(accounts), int(regions)):
            print(json.dumps(row))


if __name__ == "__main__":
    _main(*sys.argv[1:])
