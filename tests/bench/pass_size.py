"""A pass with nothing to do, over many copies: its CPU, memory and requests, which size a Lambda function.

``python -m tests.bench.pass_size [ACCOUNTS [REGIONS [IMAGES]]]`` prints a line of JSON. The copies are made first.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from amicopy.sandbox.behavior import timing_of
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Volume
from tests.bench.job import DESTINATIONS, HOME
from tests.bench.measure import measured
from tests.bench.peers import OWN_BIN, surroundings


def run(folder: Path, accounts: int, regions: int, images: int) -> dict[str, Any]:
    """Return what a pass takes that only looks."""
    places = list(DESTINATIONS)[:regions]
    timing = timing_of(copy_seconds=0.1)
    with Sandbox.start(accounts=accounts, samples=False, regions=[HOME, *places], timing=timing) as sandbox:
        world = sandbox.world
        ids = [one.account_id for one in world.state.accounts.values() if not one.suspended]
        named = ", ".join(f"{{id: '{one}'}}" for one in ids)
        lines = ["images:"]
        for number in range(images):
            image = world.register(HOME, name=f"web-{number}", volumes=[Volume(tags={"Disk": "root"})])
            lines.append(
                f"  - {{source: {image.image_id}, from: {HOME}, to: '{', '.join(places)}', accounts: [{named}]}}"
            )
        manifest = folder / "amis.yaml"
        manifest.write_text("\n".join(lines) + "\n")
        environment = {**surroundings(folder / "home"), **sandbox.environment}
        command = [str(OWN_BIN / "amicopy"), "sync", str(manifest), "--quiet"]
        measured(command, environment=environment, log=folder / "first", timeout_seconds=3600)
        before = len(world.requests)
        took = measured([*command, "--no-wait"], environment=environment, log=folder / "second", timeout_seconds=3600)
        copies = sum(made.operation == "CopyImage" and not made.error for made in world.requests)
        return {
            "accounts": len(ids),
            "regions": regions,
            "images": images,
            "copies": copies,
            "exit_code": took.exit_code,
            "cpu_seconds": round(took.cpu_seconds, 1),
            "peak_mib": round(took.peak_mib),
            "requests": len(world.requests) - before,
        }


def _main(accounts: str = "20", regions: str = "4", images: str = "5") -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), int(accounts), int(regions), int(images))), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
