"""What a job works with: a session and its clients, a clock, the stop flag, and a way to run lanes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from amicopy.aws.client import CallCounter
from amicopy.aws.ec2 import Clients
from amicopy.aws.session import Session
from amicopy.core.clock import Clock, SystemClock
from amicopy.core.errors import UsageError
from amicopy.core.events import Event
from amicopy.core.parallel import Stop
from amicopy.core.regions import NamedRegions
from amicopy.core.request import PYTHON
from amicopy.core.retries import with_read_retries
from amicopy.core.steps import Runs
from amicopy.execute.threads import Driver, in_threads

_Read = TypeVar("_Read")


def _unheard(words: str) -> None:
    """Show nothing."""


@dataclass(slots=True, kw_only=True)
class Context:
    """What a job works with; ``say`` is called with what a person who waits should know."""

    session: Session
    clock: Clock = field(default_factory=SystemClock)
    stop: Stop = field(default_factory=Stop)
    drive: Driver = in_threads
    say: Callable[[str], None] = _unheard
    calls: CallCounter = field(default_factory=CallCounter)
    again: str = "Run the same command again."  # what errors advise when a second run helps
    spelling: Mapping[str, str] = field(default_factory=lambda: PYTHON)  # how errors write the fields of a request
    clients: Clients = field(init=False)

    def __post_init__(self) -> None:
        self.clients = Clients(self.session, self.calls, self.clock)

    def with_retries(self, read: Callable[[], _Read]) -> _Read:
        """Return what a read of the survey brings, repeated while EC2 throttles."""
        return with_read_retries(self.clock, self.stop, read)

    def events(self, lanes: Sequence[Runs]) -> Iterator[Event | None]:
        """Yield what happens in the lanes; None now and then, while nothing does."""
        yield from self.drive(lanes, self.clock, self.stop)

    def source_region(self, asked: str | None) -> str:
        """Return the region of the sources: ``asked``, or the configured one.

        Raises:
            UsageError: there is neither.
        """
        region = asked or self.session.region
        if not region:
            raise UsageError(
                "No source region is given.",
                why="The request, AWS_REGION and the profile have no region.",
                next_step=f"Give one, for example: {self.spelling.get('source_region', 'source_region')} us-east-1",
            )
        return region

    def named_regions(self, source_region: str, **fields: Sequence[str]) -> NamedRegions:
        """Return the regions that a user wrote in each field, such as ``regions`` and ``exclude``.

        Raises:
            UsageError: a region doesn't exist, or is in another partition than ``source_region``.
        """
        return NamedRegions(self.session.partitions, source_region, fields, self.spelling)
