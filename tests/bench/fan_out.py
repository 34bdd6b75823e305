"""A manifest of many accounts: one process, and ten that share its units, each with some of them.

``python -m tests.bench.fan_out [ACCOUNTS [REGIONS [WORKERS]]]`` prints a line of JSON for each way. A copy takes two
seconds. The sandbox runs in this process, each ``amicopy`` in one of its own.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from amicopy.sandbox.behavior import timing_of
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Volume
from tests.bench.job import DESTINATIONS, HOME
from tests.bench.measure import measured
from tests.bench.peers import OWN_BIN, surroundings

COPY_SECONDS = 2.0


def run(folder: Path, accounts: int, regions: int, workers: int) -> dict[str, Any]:
    """Return what it takes until every copy is there; no worker: one process for the whole manifest."""
    places = list(DESTINATIONS)[:regions]
    timing = timing_of(copy_seconds=COPY_SECONDS)
    with Sandbox.start(accounts=accounts, samples=False, regions=[HOME, *places], timing=timing) as sandbox:
        world = sandbox.world
        image = world.register(HOME, name="web", tags={"Name": "web"}, volumes=[Volume(tags={"Disk": "root"})])
        ids = [one.account_id for one in world.state.accounts.values() if not one.suspended]
        named = ", ".join(f"{{id: '{one}'}}" for one in ids)
        manifest = folder / "amis.yaml"
        entry = f"{{source: {image.image_id}, from: {HOME}, to: '{', '.join(places)}', accounts: [{named}]}}"
        manifest.write_text(f"images:\n  - {entry}\n")
        environment = {**surroundings(folder / "home"), **sandbox.environment}

        def one(units: Sequence[str]) -> Any:
            options = ["--unit", ",".join(units)] if units else []
            command = [str(OWN_BIN / "amicopy"), "sync", str(manifest), "--quiet", *options]
            log = folder / f"log-{'-'.join(units)}"
            return measured(command, environment=environment, log=log, timeout_seconds=3600)

        begun, own_cpu = time.monotonic(), time.process_time()
        shares: list[Sequence[str]] = [places[number::workers] for number in range(workers)] if workers else [()]
        with ThreadPoolExecutor(len(shares)) as pool:
            took = list(pool.map(one, shares))
        return {
            "accounts": len(ids),
            "regions": regions,
            "processes": len(shares),
            "seconds": round(time.monotonic() - begun, 1),
            "cpu_seconds": round(sum(each.cpu_seconds for each in took), 1),
            "cpu_seconds_of_the_sandbox": round(time.process_time() - own_cpu, 1),
            "exit_codes": sorted({each.exit_code for each in took}),
            "copies": sum(made.operation == "CopyImage" and not made.error for made in world.requests),
            "requests": len(world.requests),
            "operations": dict(Counter(made.operation for made in world.requests).most_common()),
        }


def _main(accounts: str = "50", regions: str = "17", workers: str = "10") -> None:
    for number in (0, int(workers)):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run(Path(folder), int(accounts), int(regions), number)), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
