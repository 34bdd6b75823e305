"""Rates: many AMIs to 33 regions while EC2 throttles as it documents, by amicopy and by a boto3 script with threads.

Refuses to shorten the time: the sandbox refills its buckets in real time.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.helper import Helper
from tests.bench.job import DESTINATIONS, Job
from tests.bench.measure import measured
from tests.bench.peers import PEERS, Peer, found, surroundings, threads_scripts
from tests.bench.telling import tell

# Far fewer take no part in it: EC2 grants the first hundred calls of each action at once.
IMAGES, VOLUMES = 200, 3
COPY_SECONDS, VARIATION = 240.0, 0.25
TIMEOUT_SECONDS = 3600.0


def rated(folder: Path, images: int = IMAGES, copy_seconds: float = COPY_SECONDS) -> dict[str, Any]:
    """Return what each run took, what it asked for, how much of that was throttled, and what it left undone."""
    environment = surroundings(folder / "home")
    [own] = [peer for peer in PEERS if peer.program == "amicopy"]
    rows = []
    with Helper("ec2") as ec2:
        for number, peer in enumerate((own, *threads_scripts())):
            program = found(peer, environment)
            if not program.path:
                tell(f"left out: {peer.name}: {program.why_not}")
                continue
            tell(f"{peer.name}: {images} AMIs to {len(DESTINATIONS)} regions under EC2's rates")
            rows.append(_run(ec2, peer, program.path, environment, folder, f"{number + 1:012}", images, copy_seconds))
    return {
        "images": images,
        "volumes": VOLUMES,
        "regions": len(DESTINATIONS),
        "copy_seconds": copy_seconds,
        "variation": VARIATION,
        "rows": rows,
    }


def _run(
    ec2: Helper,
    peer: Peer,
    path: str,
    environment: dict[str, str],
    folder: Path,
    account: str,
    images: int,
    copy_seconds: float,
) -> dict[str, Any]:
    ec2.ask("begin", copy_seconds=copy_seconds, variation=VARIATION, rates="ec2")
    prepared = ec2.ask("account", account=account, images=images, volumes=VOLUMES)
    own = prepared["environment"]
    log = folder / f"rates {account}" / "log"
    log.parent.mkdir(parents=True)
    sources = prepared["images"]
    job = Job(image_ids=sources, regions=DESTINATIONS, endpoint_url=own["AWS_ENDPOINT_URL"], folder=log.parent)
    served = ec2.ask("cpu_seconds")
    took = measured(
        peer.command(path, job), environment={**environment, **own}, log=log, timeout_seconds=TIMEOUT_SECONDS
    )
    served = ec2.ask("cpu_seconds") - served
    outcome = ec2.ask("outcome", account=account, images=sources, regions=DESTINATIONS)
    requests = ec2.ask("requests", account=account)
    return {
        "peer": peer.name,
        "server_cpu_seconds": round(served, 1),
        **{name: round(value, 1) for name, value in asdict(took).items()},
        **outcome,
        **requests,
    }
