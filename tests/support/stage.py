"""Where real processes run and are killed: one server, a nursery of processes, and a clock that they share."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amicopy.sandbox.behavior import Timing, Unconfirmed
from tests.support.torture import Nursery, SharedClock, TortureSandbox, TortureWorld, Wireless


@dataclass(slots=True)
class Stage:
    """One server, one nursery, one clock; a fresh world as often as needed."""

    sandbox: TortureSandbox
    nursery: Nursery
    clock: SharedClock

    def begin_anew(self, timing: Timing, unconfirmed: Unconfirmed | None = None) -> TortureWorld:
        """Return an empty world, at the time when every world begins."""
        self.clock.begin_anew()
        self.sandbox.reset(clock=self.clock, timing=timing, unconfirmed=unconfirmed)
        return self.sandbox.torture


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Serve, and have processes ready to be born."""
    clock_file = folder / "clock"
    clock = SharedClock(clock_file)
    Wireless.write_model(folder / "models")
    with TortureSandbox.start(clock=clock, samples=False) as sandbox:
        environment = {
            **sandbox.environment,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_DATA_PATH": str(folder / "models"),
            "HOME": str(folder),
        }
        nursery = Nursery(clock_file, environment)
        try:
            yield Stage(sandbox, nursery, clock)
        finally:
            nursery.close()
