"""Start-up: from the start of a process to the arrival of the last of 33 CopyImage at a local TLS endpoint.

Refuses to wait for copies: a process is ended once its last request has arrived.
"""

import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.certificates import certified
from tests.bench.ended import killed
from tests.bench.helper import Helper
from tests.bench.job import DESTINATIONS, HOME, NAME
from tests.bench.peers import CLIENTS, OWN_BIN, surroundings
from tests.bench.telling import tell

REGIONS = DESTINATIONS
TIMEOUT_SECONDS = 30.0
# A far region, from its nearest to its farthest, as connections come in: a connection takes so long to be made, which
# is two round trips (TCP, TLS), and each answer takes one round trip.
_CONNECT_SECONDS = [0.06 + 0.54 * number / 32 for number in range(33)]
FAR = {"connect_seconds": _CONNECT_SECONDS, "answer_seconds": [seconds / 2 for seconds in _CONNECT_SECONDS]}
_COPY = [str(OWN_BIN / "amicopy"), "copy", "--from", HOME, "--to", ",".join(REGIONS)]
FULL = "amicopy copy"
BARE = "amicopy, its plan made beforehand"
STOCK = "stock botocore: a session, a client per region, threads"
SIGNED = "urllib3 with botocore's signer"
FLOOR = "http.client, signed by hand"
STOCK_FULL = "stock botocore, with the same survey"
SIGNED_FULL = "urllib3 with botocore's signer, with the same survey"
CLICK, HELP, VERSION = "python -c 'import click'", "amicopy --help", "amicopy --version"


def start_ups(rounds: int, folder: Path) -> dict[str, Any]:
    """Return the medians of every way to start 33 copies, with hosts near and far, and of saying --help."""
    folder.mkdir(parents=True, exist_ok=True)
    own, bundle = certified(folder)
    rows: list[dict[str, Any]] = []
    with Helper("stub") as stub:
        served = stub.ask("listen", folder=str(folder), certificate=own.name)
        environment = {
            **surroundings(folder / "home"),
            **served["environment"],
            "AWS_CA_BUNDLE": str(bundle),
        }
        commands, missing = _commands(served["image"], folder / "plan.pickle", environment)
        for far in (False, True):
            tell(f"start-up, {rounds} rounds, hosts {'60 to 600 ms' if far else '0 ms'} away")
            taken: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
            for number in range(rounds + 1):
                for name in random.sample(list(commands), len(commands)):
                    if name in missing:
                        continue
                    try:
                        one = start(stub, commands[name], environment, FAR if far else {})
                    except RuntimeError as error:
                        missing[name] = str(error)
                    else:
                        taken[name] += [one] if number else []  # the first only warms caches
            rows += [_row(name, runs, far=far) for name, runs in taken.items() if runs]
    return {"rounds": rounds, "rows": rows, "missing": missing, "saying": _saying(rounds * 2 + 1, environment)}


def _commands(image_id: str, plan: Path, environment: Mapping[str, str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return what is run, by name, and why something is not."""

    def script(name: str, *words: str) -> list[str]:
        return [sys.executable, str(CLIENTS / name), *words]

    asked = [image_id, NAME, *REGIONS]
    commands = {
        FULL: [*_COPY, image_id],
        f"{FULL} --no-preflight": [*_COPY, "--no-preflight", image_id],
        BARE: script("amicopy_planned.py", "run", str(plan)),
        STOCK: script("stock_botocore.py", *asked),
        SIGNED: script("urllib3_signed.py", *asked),
        FLOOR: script("http_client.py", *asked),
        STOCK_FULL: script("stock_surveying.py", *asked),
        SIGNED_FULL: script("urllib3_surveying.py", *asked),
    }
    planning = script("amicopy_planned.py", "plan", str(plan), image_id, *REGIONS)
    ran = subprocess.run(planning, env=dict(environment), capture_output=True, text=True, check=False)
    if ran.returncode:
        del commands[BARE]
        return commands, {BARE: ran.stderr.strip().splitlines()[-1]}
    return commands, {}


def start(
    stub: Helper,
    command: Sequence[str],
    environment: Mapping[str, str],
    distance: Mapping[str, Sequence[float]],
    count: int = len(REGIONS),
) -> dict[str, Any]:
    """Return what a process took until ``count`` regions were asked for copies, from hosts at a distance."""
    stub.ask("begin", **distance)
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        came = stub.ask("copies", count=count, timeout=TIMEOUT_SECONDS)
    finally:
        used = killed(process)
    return {
        "first_ms": (came["at"][0] - begun) * 1000,
        "last_ms": (came["at"][count - 1] - begun) * 1000,
        "cpu_ms": used.cpu_seconds * 1000,
        "peak_mib": used.peak_mib,
        "requests": came["requests"],
        "connections": came["connections"],
    }


def _row(name: str, runs: Sequence[Mapping[str, float]], *, far: bool) -> dict[str, Any]:
    middle = {what: round(median(run[what] for run in runs)) for what in runs[0]}
    last = [run["last_ms"] for run in runs]
    spread = {"last_least": round(min(last)), "last_most": round(max(last)), "last_by_round": list(map(round, last))}
    return {"name": name, "far": far, **middle, **spread}


def _saying(rounds: int, environment: Mapping[str, str]) -> dict[str, int]:
    """Return how many milliseconds a process takes that only says something."""
    tell(f"--help and --version, {rounds} rounds")
    own = str(OWN_BIN / "amicopy")
    commands = {CLICK: [sys.executable, "-c", "import click"], HELP: [own, "--help"], VERSION: [own, "--version"]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            begun = time.monotonic()
            subprocess.run(command, env=dict(environment), capture_output=True, check=True)
            if number:
                taken[name].append((time.monotonic() - begun) * 1000)
    return {name: round(median(times)) for name, times in taken.items()}
