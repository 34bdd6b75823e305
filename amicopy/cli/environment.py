"""What a command gets from outside: time, a way to run lanes, the stop flag. Tests pass their own."""

from dataclasses import dataclass, field
from typing import Any

from amicopy.core.clock import Clock, SystemClock
from amicopy.core.parallel import Stop


@dataclass(slots=True, kw_only=True)
class Environment:
    """One run's surroundings."""

    clock: Clock
    drive: Any = None  # an execute.Driver; None: threads. Not imported here, since it brings botocore along
    stop: Stop = field(default_factory=Stop)
    handle_signals: bool = False
    argv: tuple[str, ...] = ()

    @classmethod
    def real(cls) -> "Environment":
        """Return the surroundings of a process of its own."""
        return cls(clock=SystemClock(), handle_signals=True)

    @property
    def same_command(self) -> str:
        """The command line as a person would type it again, without the password of an endpoint."""
        from amicopy.core.passwords import without_passwords
        from amicopy.render.text import typed

        return typed(["amicopy", *map(without_passwords, self.argv)])

    def context(self, session: Any, *, quiet: bool = False) -> Any:
        """Return the context of a job here; unless ``quiet``, its notices go to stderr."""
        from amicopy.cli.terminal import say
        from amicopy.core.request import OPTIONS
        from amicopy.jobs.context import Context

        context = Context(
            session=session,
            clock=self.clock,
            stop=self.stop,
            spelling=OPTIONS,
            again=f"Run the same command again: {self.same_command}",
        )
        if self.drive:
            context.drive = self.drive
        if not quiet:
            context.say = lambda words: say([words])
        return context
