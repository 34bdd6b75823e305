"""One command, measured: wall time, CPU and memory of all its processes, those it leaves behind included.

Run as a process of its own per command, whose only children are the measured ones. Refuses to know what is measured.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.2
_BECOME_SUBREAPER = 36  # prctl(2): processes whose parent has ended become ours, and so do their CPU seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run of a command took."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float  # PSS of all processes together, sampled; where there is no /proc, the largest process alone
    largest_mib: float  # RSS of the largest process
    exit_code: int


def measured(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, timeout_seconds: float = 900
) -> Measured:
    """Return what a command took, run in a directory of its log; what it says goes into the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    answer = log.with_suffix(".json")
    wrapper = [sys.executable, "-m", "tests.bench.measure", str(answer), str(log), str(timeout_seconds), *command]
    own = {"PYTHONPATH": os.pathsep.join(sys.path), "MEASURED_ENVIRONMENT": json.dumps(dict(environment))}
    subprocess.run(wrapper, env={**os.environ, **own}, check=True)
    return Measured(**json.loads(answer.read_text()))


def _main(answer: str, log: str, timeout_seconds: str, *command: str) -> None:
    environment = json.loads(os.environ["MEASURED_ENVIRONMENT"])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0)
    peak = _Peak()
    peak.start()
    with Path(log).open("wb") as said:
        begun = time.monotonic()
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=Path(log).parent
        )
        try:
            code = child.wait(float(timeout_seconds))
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        wall = time.monotonic() - begun
    peak.ended.set()
    peak.join()
    _reap_the_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = Measured(
        wall_seconds=wall,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=peak.mib or mib_of(used),
        largest_mib=mib_of(used),
        exit_code=code,
    )
    Path(answer).write_text(json.dumps(asdict(result)))


def mib_of(used: resource.struct_rusage) -> float:
    """Return the largest resident size, which Linux gives in KiB and macOS in bytes."""
    return used.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


def _reap_the_rest() -> None:
    """Give processes that were left behind two seconds to end by themselves, then end them."""
    until = time.monotonic() + 2
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    for pid in descendants(os.getpid()):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)
        except ChildProcessError:
            return


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            own = [int(child) for child in children.read_text().split()]
        except OSError:  # it has ended meanwhile
            continue
        for child in own:
            found += [child, *descendants(child)]
    return found


class _Peak(threading.Thread):
    """Watches how much memory the processes take together: shared pages count once (PSS)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.mib = 0.0

    def run(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            self.mib = max(self.mib, sum(map(_pss_mib, descendants(os.getpid()))))


def _pss_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
