"""What the work on a copy can ask for: a sleep, or a look at an image. Events are the third thing it yields.

Refuses to do either: whoever drives the work does, in threads or under a fake clock.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

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


Step = Event | Sleep | Look
Result = TypeVar("Result")
Work = Generator[Step, Image | None, Result]
"""Sequential code that yields what happens and what it needs, and returns its result."""
