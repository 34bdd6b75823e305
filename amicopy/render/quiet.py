"""No progress at all, for ``-q``."""

from amicopy.core.events import Event
from amicopy.execute.report import Outcome


class QuietView:
    """Says nothing; errors come with the report."""

    def event(self, event: Event, outcome: Outcome) -> None:
        """Say nothing."""

    def glance(self) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing is left open."""
