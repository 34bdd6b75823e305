"""Scale: 200 AMIs to 33 regions in one run of amicopy, and a tenth of that beside it.

Refuses to hurry EC2: amicopy keeps to CopyImage's rate, 95 at once in a region and then one a second.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.helper import Helper
from tests.bench.job import DESTINATIONS, HOME
from tests.bench.measure import measured
from tests.bench.peers import OWN_BIN, surroundings
from tests.bench.telling import tell

COPY_SECONDS = 8.0
IMAGES = (20, 200)


def scale(folder: Path, images: tuple[int, ...] = IMAGES) -> dict[str, Any]:
    """Return what one run took for each number of AMIs."""
    environment = surroundings(folder / "home")
    rows = []
    with Helper("ec2") as ec2:
        for number, count in enumerate(images):
            tell(f"{count} AMIs to {len(DESTINATIONS)} regions, {count * len(DESTINATIONS)} copies in one run")
            ec2.ask("begin", copy_seconds=COPY_SECONDS)
            account = f"{number + 1:012}"
            prepared = ec2.ask("account", account=account, images=count)
            served = ec2.ask("cpu_seconds")
            command = [str(OWN_BIN / "amicopy"), "copy", "--from", HOME, "--to", ",".join(DESTINATIONS)]
            took = measured(
                [*command, *prepared["images"]],
                environment={**environment, **prepared["environment"]},
                log=folder / f"scale {count}" / "log",
            )
            served = ec2.ask("cpu_seconds") - served
            outcome = ec2.ask("outcome", account=account, images=prepared["images"], regions=DESTINATIONS)
            rows.append(
                {
                    "images": count,
                    "copies": count * len(DESTINATIONS),
                    "server_cpu_seconds": round(served, 1),
                    **{name: round(value, 1) for name, value in asdict(took).items()},
                    **outcome,
                }
            )
    return {"copy_seconds": COPY_SECONDS, "regions": len(DESTINATIONS), "rows": rows}
