"""What the work on a copy can yield: a sleep, a look at an image, or an event."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from amicopy.core.events import Event
from amicopy.core.models import Image


@dataclass(frozen=True, slots=True)
class Sleep:
    """Go on after this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Look:
    """Go on when this AMI has been looked for; sent back is the image, or None where it is not there."""

    image_id: str


class Runs(Protocol):
    """Work that is not waited for by other work: a lane."""

    def run(self) -> Iterator[Event | Sleep]:
        """Yield what happens and every sleep that is needed, to the end."""


Step = Event | Sleep | Look
Result = TypeVar("Result")
Work = Generator[Step, Image | None, Result]
"""Sequential code that yields what happens and what it needs, and returns its result."""
