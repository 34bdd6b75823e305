"""What happens in a sequence, as values that can be read."""

from dataclasses import dataclass, field

from tests.support.torture import HOME

WEST, IRELAND = "us-west-2", "eu-west-1"
DESTINATIONS = (WEST, IRELAND)
# What is copied: a plain image, one that is itself a copy of `golden` in us-west-2, and another account's.
SOURCES = ("web", "middle", "foreign", "golden")
HOMES = {"web": HOME, "middle": HOME, "foreign": HOME, "golden": WEST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which of the believable EC2s it is, and how long things take there."""

    unseen_id: str = "not-found"
    dead_token: str = "same-id"
    bare: bool = True
    lingers: bool = False
    visible_after: float = 0.5
    listed_after: float = 0.4
    copy_seconds: float = 60
    golden_copied_by: str = "amicopy"  # whose copy `middle` is


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A team starts a command; it goes on while other things happen."""

    team: str
    command: str  # copy, sync, verify, cancel, status
    sources: tuple[str, ...] = ("web",)
    regions: tuple[str, ...] = (WEST,)
    request: tuple[str, ...] = ()  # what the copies are to be like
    options: tuple[str, ...] = ()  # how the run goes about it
    skew_seconds: float = 0

    def __str__(self) -> str:
        words = [self.command, *self.sources, "in", ",".join(self.regions), *self.request, *self.options]
        skew = f", its clock {self.skew_seconds:+.0f} s" if self.skew_seconds else ""
        return f"team {self.team} starts: {' '.join(words)}{skew}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """The end of a run, wherever it stands."""

    number: int

    def __str__(self) -> str:
        return f"run {self.number} of those that go on is killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """Ctrl-C for a run."""

    number: int

    def __str__(self) -> str:
        return f"run {self.number} of those that go on is interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Time passes, and runs go on meanwhile."""

    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """EC2 is to misbehave."""

    text: str

    def __str__(self) -> str:
        return f"fault: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Somebody does something by hand, to a source or to one of its copies."""

    what: str
    source: str = "web"
    region: str = WEST
    which: int = 0  # of several images or snapshots
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what} (of {self.source}, {self.region}, number {self.which}, {self.detail})"


Step = Start | Kill | Interrupt | Wait | Fault | Deed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One step, and how many turns the runs that go on have before it."""

    turns: int
    step: Step

    def __str__(self) -> str:
        return f"after {self.turns} turns: {self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A place, and what happens there."""

    seed: int
    place: Place = field(default_factory=Place)
    steps: tuple[Scheduled, ...] = ()

    def __str__(self) -> str:
        lines = [f"seed {self.seed}", f"{self.place}"]
        lines += [f"{number:3}. {one}" for number, one in enumerate(self.steps, 1)]
        return "\n".join(lines)
