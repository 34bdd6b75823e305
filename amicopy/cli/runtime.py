"""What a command gets from outside: time, a way to run lanes, the stop flag. Tests hand over their own.

Refuses to know any command.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from amicopy.clock import Clock, SystemClock
from amicopy.parallel import Stop
from amicopy.render.words import typed


@dataclass(slots=True, kw_only=True)
class Runtime:
    """One run's surroundings."""

    clock: Clock
    drive: Any = None  # an execute.Driver; None: threads. Not imported here, since it brings botocore along
    stop: Stop = field(default_factory=Stop)
    handle_signals: bool = False
    argv: tuple[str, ...] = ()

    @classmethod
    def real(cls) -> "Runtime":
        """Return the surroundings of a process of its own."""
        return cls(clock=SystemClock(), handle_signals=True)

    @property
    def same_command(self) -> str:
        """The command line as a person would type it again."""
        return typed(["amicopy", *self.argv])

    def events(self, lanes: Sequence[Any]) -> Iterator[Any]:
        """Yield the events of the lanes, however they are run here."""
        from amicopy.execute import in_threads

        drive = self.drive or in_threads
        yield from drive(lanes, self.clock, self.stop)
