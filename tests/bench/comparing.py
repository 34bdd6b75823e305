"""amicopy and its peers, one after another, copying one AMI to 1, 5 and 17 regions of one sandbox.

Refuses to say who is better: it returns what each run took, asked for and left undone.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.helper import Helper
from tests.bench.job import DESTINATIONS, Job
from tests.bench.measure import measured
from tests.bench.peers import PEERS, Peer, found, surroundings
from tests.bench.telling import tell

# How long a copy takes, by round. For a poll each 15 s, as botocore's waiter does, these end 7, 4 and 10.5 s before
# the next look; for one each 5 s from the second second on, 4, 1 and 2.5 s. The medians, 7 and 2.5 s, are within half
# a second of what each is late on average when copies take any time: nobody profits from the phase.
COPY_SECONDS = (8.0, 11.0, 19.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Runs that go on at the same time, in an EC2 of their own."""

    round: int
    runs: tuple[tuple[Peer, int], ...]  # with the number of regions

    @property
    def copy_seconds(self) -> float:
        """Return how long each copy takes."""
        return COPY_SECONDS[self.round % len(COPY_SECONDS)]


def schedule(peers: Sequence[Peer], counts: Sequence[int], rounds: int) -> Iterator[Together]:
    """Yield what is run when: one run at a time, round after round; those that are run once at the end.

    Peers that take one region after another wait for nearly all of their minutes: to several regions they run at the
    same time.
    """
    for number in range(rounds):
        for count in counts:
            yield from (Together(round=number, runs=((peer, count),)) for peer in peers if not peer.once)
    once = [(peer, count) for count in counts for peer in peers if peer.once and (count > 1 or not peer.variation)]
    waiting = tuple((peer, count) for peer, count in once if peer.serial and count > 1)
    for run in once:
        if run not in waiting:
            yield Together(round=0, runs=(run,))
    if waiting:
        yield Together(round=0, runs=waiting)


def compare(counts: Sequence[int], rounds: int, folder: Path) -> dict[str, Any]:
    """Return every peer's figures by number of regions, and what is not installed."""
    environment = surroundings(folder / "home")
    programs = {peer.name: found(peer, environment) for peer in PEERS}
    present = [peer for peer in PEERS if programs[peer.name].path]
    for peer in PEERS:
        if peer not in present:
            tell(f"left out: {peer.name}: {programs[peer.name].why_not}")
    runs: list[dict[str, Any]] = []
    with Helper("ec2") as ec2:
        for number, together in enumerate(schedule(present, counts, rounds)):
            names = ", ".join(f"{peer.name} to {count}" for peer, count in together.runs)
            tell(f"round {together.round + 1}, copies take {together.copy_seconds} s: {names}")
            ec2.ask("begin", copy_seconds=together.copy_seconds)
            started = [
                _Run(
                    peer=peer,
                    path=programs[peer.name].path,
                    count=count,
                    account=f"{number:06}{which:06}",
                    copy_seconds=together.copy_seconds,
                )
                for which, (peer, count) in enumerate(together.runs)
            ]
            with ThreadPoolExecutor(len(started)) as pool:
                runs += pool.map(partial(_figures, ec2=ec2, environment=environment, folder=folder), started)
    return {
        "rounds": rounds,
        "copy_seconds": list(COPY_SECONDS[:rounds]),
        "peers": [
            {"name": peer.name, "note": peer.note, "version": program.version, "why_not": program.why_not}
            for peer in PEERS
            for program in [programs[peer.name]]
        ],
        "rows": [summary(own) for count in counts for peer in present if (own := _of(runs, peer.name, count))],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of one peer."""

    peer: Peer
    path: str
    count: int
    account: str
    copy_seconds: float


def _figures(run: _Run, *, ec2: Helper, environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Run a peer; return what it took, what it asked of EC2 and what it left undone."""
    regions = DESTINATIONS[: run.count]
    prepared = ec2.ask("account", account=run.account)
    own = prepared["environment"]
    job = Job(image_id=prepared["images"][0], regions=regions, endpoint_url=own["AWS_ENDPOINT_URL"])
    log = folder / f"{run.account} {run.peer.name} {run.count}" / "log"
    took = measured(run.peer.command(run.path, job), environment={**environment, **own}, log=log)
    if took.exit_code:
        tell(f"  {run.peer.name} ended with {took.exit_code}, see {log}")
    return {
        "peer": run.peer.name,
        "regions": run.count,
        "copy_seconds": run.copy_seconds,
        "beyond_seconds": took.wall_seconds - run.copy_seconds,
        **asdict(took),
        **ec2.ask("outcome", account=run.account, images=prepared["images"], regions=regions),
    }


def _of(runs: Sequence[dict[str, Any]], peer: str, count: int) -> list[dict[str, Any]]:
    return [run for run in runs if run["peer"] == peer and run["regions"] == count]


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the medians of a peer's runs to so many regions; calls and what is undone are those of the middle run.

    Runs that failed are counted and otherwise left out, unless all did.
    """
    good = [run for run in runs if not run["exit_code"]] or list(runs)
    beyond = sorted(run["beyond_seconds"] for run in good)
    middle = next(run for run in good if run["beyond_seconds"] == beyond[len(beyond) // 2])
    failed = [run["exit_code"] for run in runs if run["exit_code"]]
    return {
        "peer": middle["peer"],
        "regions": middle["regions"],
        "runs": len(runs),
        "beyond_seconds": round(median(beyond), 1),
        "beyond_least": round(beyond[0], 1),
        "beyond_most": round(beyond[-1], 1),
        "cpu_seconds": round(median(run["cpu_seconds"] for run in good), 2),
        "peak_mib": round(median(run["peak_mib"] for run in good)),
        "calls": middle["calls"],
        "rehearsed": middle["rehearsed"],
        "undone": middle["undone"],
        "failed": f"{len(failed)} of {len(runs)} ended with exit code {failed[0]}" if failed else "",
    }
