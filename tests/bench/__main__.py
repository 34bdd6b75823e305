"""``python -m tests.bench``: measure, write docs/bench.json, and from it docs/bench.md and docs/bench.svg.

Refuses to stop at a part that fails: it says so, keeps that part's earlier figures and ends with 1.
"""

import argparse
import json
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Any

from tests.bench.comparing import COPY_SECONDS, RELEASE, compare, release
from tests.bench.content import contents
from tests.bench.picture import bar_chart
from tests.bench.polling import simulations
from tests.bench.rates import COPY_SECONDS as COPY_LENGTH
from tests.bench.rates import IMAGES, rated
from tests.bench.round_trips import round_trips
from tests.bench.scaling import scale
from tests.bench.scan import FILES, scans
from tests.bench.starting import start_ups
from tests.bench.tables import document
from tests.bench.telling import tell

SMALL_RELEASE: dict[str, Any] = {"images": 3, "regions": 2, "copy_seconds": 20.0, "variation": 0.25}
DOCS = Path(__file__).parents[2] / "docs"
PARTS = ("start-up", "round-trips", "peers", "release", "polling", "scale", "scan", "content")
ONLY_IF_ASKED = ("rates",)  # EC2's rates make it last about half an hour


def main() -> int:
    """Run what is asked for; return the exit code."""
    asked = _options()
    folder = Path(tempfile.mkdtemp(prefix="amicopy-bench-"))
    tell(f"logs of all runs: {folder}")
    rounds = 1 if asked.quick else asked.rounds
    counts = asked.regions or ((1, 3) if asked.quick else (1, 5, 17))
    measure: Mapping[str, Callable[[], dict[str, Any]]] = {
        "start-up": partial(start_ups, 2 if asked.quick else 4 * rounds - 1, folder / "start-up"),
        "round-trips": partial(round_trips, 1 if asked.quick else 2 * rounds + 1, folder / "round-trips"),
        "peers": partial(compare, counts, rounds, folder / "peers"),
        "release": partial(release, folder / "release", **(SMALL_RELEASE if asked.quick else RELEASE)),
        "polling": simulations,
        "scale": partial(scale, folder / "scale", **({"images": (1, 10)} if asked.quick else {})),
        "scan": partial(scans, folder / "scan", 3000 if asked.quick else FILES),
        "content": partial(contents, folder / "content"),
        "rates": partial(rated, folder / "rates", asked.images, 20.0 if asked.quick else COPY_LENGTH),
    }
    measured: dict[str, Any] = {}
    for part in asked.only or PARTS:
        try:
            measured[part] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), **measure[part]()}
        except Exception:
            traceback.print_exc()
            tell(f"{part} failed")
    if asked.quick:
        sys.stdout.write(document(measured))
    else:
        write_documents(measured)
    return 0 if measured.keys() == set(asked.only or PARTS) else 1


def write_documents(measured: Mapping[str, Any], docs: Path = DOCS) -> None:
    """Write the three files, with the parts that were measured now and those that stood there before."""
    kept = docs / "bench.json"
    results = {**(json.loads(kept.read_text()) if kept.exists() else {}), **measured}
    kept.write_text(json.dumps(results, indent=1) + "\n")
    for name, text in documents(results).items():
        (docs / name).write_text(text)
        tell(f"wrote {docs / name}")


def documents(results: Mapping[str, Any]) -> dict[str, str]:
    """Return the documents' texts by their names."""
    texts = {"bench.md": document(results)}
    if "peers" in results:
        texts["bench.svg"] = bar_chart(results["peers"]["rows"])
    return texts


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpus": cpu_count(),
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "amicopy": version("amicopy"),
        "botocore": version("botocore"),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--regions", type=_numbers, help="numbers of regions (default: 1,5,17)")
    parser.add_argument(
        "--rounds", type=int, default=len(COPY_SECONDS), help="runs of each peer (default: %(default)s)"
    )
    parser.add_argument("--only", action="append", choices=(*PARTS, *ONLY_IF_ASKED), help="this part alone; repeatable")
    parser.add_argument("--images", type=int, default=IMAGES, help="AMIs of the part `rates` (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="less of all, in a few minutes, to stdout")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(word) for word in text.split(",")}))


if __name__ == "__main__":
    sys.exit(main())
