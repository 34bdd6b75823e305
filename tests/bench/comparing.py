"""amicopy and its peers, copying in one sandbox: one AMI to 1, 5 and 17 regions, and a release of ten to five.

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
# A release: minutes, but less than the ten after which botocore's waiter gives up; no two copies end together.
RELEASE: dict[str, Any] = {"images": 10, "regions": 5, "copy_seconds": 240.0, "variation": 0.25}


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
    installed = _Installed(folder)
    present = installed.peers
    runs: list[dict[str, Any]] = []
    with Helper("ec2") as ec2:
        for number, together in enumerate(schedule(present, counts, rounds)):
            tell(f"round {together.round + 1}, copies take {together.copy_seconds} s: {_in_words(together.runs)}")
            ec2.ask("begin", copy_seconds=together.copy_seconds)
            runs += installed.run(ec2, together.runs, number)
    return {
        "rounds": rounds,
        "copy_seconds": list(COPY_SECONDS[:rounds]),
        "peers": installed.described,
        "rows": [summary(own) for count in counts for peer in present if (own := _of(runs, peer.name, count))],
    }


def release(folder: Path, images: int, regions: int, copy_seconds: float, variation: float) -> dict[str, Any]:
    """Return every peer's figures for several AMIs at once, whose copies take minutes; what is serial would take hours.

    What is one process waits nearly all the time, so these run at the same time, in accounts of their own.
    """
    installed = _Installed(folder)
    able = [peer for peer in installed.peers if not peer.serial]
    light = tuple((peer, regions) for peer in able if not peer.many_processes)
    heavy = [((peer, regions),) for peer in able if peer.many_processes]
    runs: list[dict[str, Any]] = []
    with Helper("ec2") as ec2:
        for number, some in enumerate([light, *heavy]):
            tell(f"{images} AMIs, copies take {copy_seconds} s, {variation:.0%} more or less: {_in_words(some)}")
            ec2.ask("begin", copy_seconds=copy_seconds, variation=variation)
            runs += installed.run(ec2, some, number, images)
    return {
        "images": images,
        "regions": regions,
        "copy_seconds": copy_seconds,
        "variation": variation,
        "rows": [summary(own) for peer in able if (own := _of(runs, peer.name, regions))],
    }


def _in_words(runs: Sequence[tuple[Peer, int]]) -> str:
    return ", ".join(f"{peer.name} to {count}" for peer, count in runs)


class _Installed:
    """The peers that are on this machine, and how they are run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = surroundings(folder / "home")
        self._programs = {peer.name: found(peer, self._environment) for peer in PEERS}
        self.peers = [peer for peer in PEERS if self._programs[peer.name].path]
        for peer in PEERS:
            if peer not in self.peers:
                tell(f"left out: {peer.name}: {self._programs[peer.name].why_not}")

    @property
    def described(self) -> list[dict[str, str]]:
        """Every peer, with its version or why it is left out."""
        return [
            {"name": peer.name, "note": peer.note, "version": program.version, "why_not": program.why_not}
            for peer in PEERS
            for program in [self._programs[peer.name]]
        ]

    def run(self, ec2: Helper, runs: Sequence[tuple[Peer, int]], number: int, images: int = 1) -> list[dict[str, Any]]:
        """Return the figures of runs that go on at the same time."""
        started = [
            _Run(
                peer=peer,
                path=self._programs[peer.name].path,
                images=images,
                count=count,
                account=f"{number:06}{which:06}",
            )
            for which, (peer, count) in enumerate(runs)
        ]
        figures = partial(_figures, ec2=ec2, environment=self._environment, folder=self._folder)
        with ThreadPoolExecutor(len(started)) as pool:
            return list(pool.map(figures, started))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of one peer."""

    peer: Peer
    path: str
    images: int
    count: int
    account: str


def _figures(run: _Run, *, ec2: Helper, environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Run a peer; return what it took, what it asked of EC2 and what it left undone."""
    regions = DESTINATIONS[: run.count]
    prepared = ec2.ask("account", account=run.account, images=run.images)
    own = prepared["environment"]
    log = folder / f"{run.account} {run.peer.name} {run.count}" / "log"
    log.parent.mkdir(parents=True)
    job = Job(image_ids=prepared["images"], regions=regions, endpoint_url=own["AWS_ENDPOINT_URL"], folder=log.parent)
    took = measured(run.peer.command(run.path, job), environment={**environment, **own}, log=log)
    if took.exit_code:
        tell(f"  {run.peer.name} ended with {took.exit_code}, see {log}")
    outcome = ec2.ask("outcome", account=run.account, images=prepared["images"], regions=regions)
    return {
        "peer": run.peer.name,
        "regions": run.count,
        "overhead_seconds": took.wall_seconds - outcome["longest_seconds"],
        **asdict(took),
        **outcome,
    }


def _of(runs: Sequence[dict[str, Any]], peer: str, count: int) -> list[dict[str, Any]]:
    return [run for run in runs if run["peer"] == peer and run["regions"] == count]


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the medians of a peer's runs to so many regions; calls and what is undone are those of the middle run.

    Runs that failed are counted and otherwise left out, unless all did.
    """
    good = [run for run in runs if not run["exit_code"]] or list(runs)
    extras = sorted(run["overhead_seconds"] for run in good)
    middle = next(run for run in good if run["overhead_seconds"] == extras[len(extras) // 2])
    failed = [run["exit_code"] for run in runs if run["exit_code"]]
    return {
        "peer": middle["peer"],
        "regions": middle["regions"],
        "runs": len(runs),
        "overhead_seconds": round(median(extras), 1),
        "overhead_least": round(extras[0], 1),
        "overhead_most": round(extras[-1], 1),
        "cpu_seconds": round(median(run["cpu_seconds"] for run in good), 2),
        "peak_mib": round(median(run["peak_mib"] for run in good)),
        "calls": middle["calls"],
        "rehearsed": middle["rehearsed"],
        "undone": middle["undone"],
        "late_mean": middle["late_mean"],
        "late_most": middle["late_most"],
        "failed": f"{len(failed)} of {len(runs)} ended with exit code {failed[0]}" if failed else "",
    }
