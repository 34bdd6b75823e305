"""What a process has used until it was ended.

Refuses to let it end by itself: what comes after the moment of interest is not measured.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import mib_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """CPU and memory of one process."""

    cpu_seconds: float
    peak_mib: float


def killed(process: subprocess.Popen[bytes]) -> Used:
    """End a process; return what it has used."""
    peak = _peak_mib(process.pid)
    process.kill()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Used(cpu_seconds=used.ru_utime + used.ru_stime, peak_mib=peak or mib_of(used))


def _peak_mib(pid: int) -> float:
    """Return the largest resident size so far; unlike wait4's it does not begin with the size of our own process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
