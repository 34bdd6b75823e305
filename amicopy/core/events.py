"""What happens in a run: one frozen class per kind of event.

Views, the report, JSON lines and the exit code are derived from one stream of them. A class that adds no field is not
made a dataclass of its own: that would take half a millisecond of every start.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from amicopy.core.check import CheckResult
from amicopy.core.destination import Destination, Key
from amicopy.core.errors import AmicopyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something about one source (``REGION/AMI``) in one destination; ``image_id`` is the copy's, once known."""

    at: datetime
    source: str
    destination: Destination
    image_id: str = ""

    @property
    def region(self) -> str:
        """The destination's region."""
        return self.destination.region

    @property
    def place(self) -> str:
        """The destination as people read it: its region, after its account if that is another one."""
        return str(self.destination)

    @property
    def key(self) -> Key:
        """The identity of the plan's row that this is about."""
        return self.source, self.destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Written(Event):
    """Something was written or removed; ``what`` says it in words."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequested(Event):
    """CopyImage is about to be called: from here on there may be a copy, whatever becomes of the answer."""

    name: str
    client_token: str
    is_repeated: bool = False  # after EC2 refused it for lack of room


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginChosen(Event):
    """What EC2 is to copy was not certain when the plan was made, and is now: the source, or a copy of it."""

    from_region: str
    from_id: str


class CopyStarted(Event):
    """EC2 has named the new AMI."""

    __slots__ = ()


class CopyJoined(Event):
    """An earlier or another run's copy is waited for."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyQueued(Event):
    """EC2 has reached its limit of concurrent copies or requests: no copy was started; the request is repeated."""

    reason: str
    is_repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProgressed(Event):
    """How far the snapshots are, for display only."""

    percent: int


class CopyAvailable(Event):
    """EC2 has finished copying; what CopyImage leaves behind comes next."""

    __slots__ = ()


class AttributeWritten(Written):
    """One thing that the copy lacked was written."""

    __slots__ = ()


class FailedCopyRemoved(Written):
    """A failed attempt of ours was deregistered; ``what`` says what became of its snapshots."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGiven(Written):
    """Another account was allowed to copy an image, for a while if it doesn't stay; ``what`` names both."""

    origin: str  # the image: ``REGION/AMI``
    stays: bool = False  # it is not to be taken away again


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTaken(Written):
    """That permission was taken away again."""

    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStarted(Event):
    """The copy is complete, and its check begins before it is shared."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEnded(Event):
    """The check has ended; if the copy has not passed, `DestinationFailed` follows."""

    result: CheckResult


class CopyDone(Event):
    """The copy is available and faithful."""

    __slots__ = ()


class SharingDeferred(Event):
    """The copy is available and faithful but for its sharing, which waits for the other destinations."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationFailed(Event):
    """This destination has failed; others continue."""

    error: AmicopyError


class CopyRolledBack(Written):
    """A copy that this run had started was rolled back; ``what`` says what became of its snapshots."""

    __slots__ = ()


class LeftBecause(StrEnum):
    """Why a run ends before its copies do, or before they are shared."""

    NO_WAIT = "no-wait"
    TIME_OUT = "time-out"
    EXPIRED = "credentials-expired"
    INTERRUPTED = "interrupted"
    OTHERS = "others-not-available"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationLeft(Event):
    """The run does not wait for this copy any longer: EC2 keeps copying, or it is still to be started."""

    because: LeftBecause


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded(Event):
    """Additional information that does not change the result."""

    text: str
