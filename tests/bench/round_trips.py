"""Round trips: how many answers `amicopy copy` waits for, one after the other, before its first CopyImage leaves.

What a run takes longer with every endpoint 300 ms away, divided by 300 ms. Refuses to count what it does meanwhile.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.certificates import certified
from tests.bench.helper import Helper
from tests.bench.job import DESTINATIONS, HOME
from tests.bench.peers import OWN_BIN, surroundings
from tests.bench.starting import start
from tests.bench.telling import tell

ROUND_TRIP_SECONDS = 0.3
_ANSWERS = {"answer_seconds": [ROUND_TRIP_SECONDS]}
# A connection takes two round trips: TCP, then TLS 1.3.
DISTANCES: Mapping[str, Mapping[str, list[float]]] = {
    "near": {},
    "answers": _ANSWERS,
    "answers and connections": {**_ANSWERS, "connect_seconds": [2 * ROUND_TRIP_SECONDS]},
}


def round_trips(rounds: int, folder: Path, counts: tuple[int, ...] = (1, 5)) -> dict[str, Any]:
    """Return the round trips to one region and to several, those for connections counted apart."""
    folder.mkdir(parents=True, exist_ok=True)
    own, bundle = certified(folder)
    rows = []
    with Helper("stub") as stub:
        served = stub.ask("listen", folder=str(folder), certificate=own.name)
        environment = {**surroundings(folder / "home"), **served["environment"], "AWS_CA_BUNDLE": str(bundle)}
        for count in counts:
            tell(f"round trips before CopyImage in {count} regions, {rounds} rounds")
            regions = ",".join(DESTINATIONS[:count])
            command = [str(OWN_BIN / "amicopy"), "copy", "--from", HOME, "--to", regions, served["image"]]
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in DISTANCES}
            for number in range(rounds + 1):
                for name, distance in DISTANCES.items():
                    run = start(stub, command, environment, distance, count)
                    runs[name] += [run] if number else []  # the first only warms caches
            # The least of all rounds: whatever else the machine does only adds to them.
            first = {name: min(run["first_ms"] for run in some) for name, some in runs.items()}
            away = {name: (ms - first["near"]) / 1000 / ROUND_TRIP_SECONDS for name, ms in first.items()}
            rows.append(
                {
                    "regions": count,
                    "answers": round(away["answers"], 1),
                    "answers_and_connections": round(away["answers and connections"], 1),
                    "requests": runs["answers"][-1]["requests"] - count + 1,
                    "connections": runs["answers"][-1]["connections"],
                }
            )
    return {"rounds": rounds, "rows": rows}
