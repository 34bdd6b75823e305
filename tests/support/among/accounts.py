"""Several runs that copy one source into other accounts, and a person who changes it: drawn from a seed, and played."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.grants import GRANT_TAG
from amicopy.core.models import SOURCE_TAG
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot
from tests.support.among.in_turn import streams_per_thread
from tests.support.among.promises import BrokenPromise
from tests.support.among.turns import OwnClock, Turn, Turns
from tests.support.clock import FakeClock, one_after_another
from tests.support.torture import ALICE, BOB, CAROL, HOME, LIVE, Killed, TortureWorld, Wireless, a_rich_source

WEST, IRELAND = "us-west-2", "eu-west-1"
PLACES = ((HOME,), (WEST,), (HOME, WEST), (WEST, IRELAND))
# The source is shared with ALICE before, not with the others; BOB may use one of its snapshots.
GUESTS = ((ALICE,), (BOB,), ("222222222222",), (ALICE, "222222222222"), (BOB, "222222222222"))
_OPTIONS = ((), (), (), ("--no-wait",), ("--on-interrupt", "cancel"), ("--timeout", "1m"), ("--no-preflight",))
_TURNS_TO_THE_END = 60_000


@dataclass(frozen=True, slots=True)
class Request:
    """What one of the teams wants: the source in these regions, in these accounts too."""

    regions: tuple[str, ...]
    accounts: tuple[str, ...]

    @property
    def destinations(self) -> list[tuple[str, str]]:
        """Return each account and region that is to have a copy; the source is in its own."""
        own = [(DEFAULT_ACCOUNT, region) for region in self.regions if region != HOME]
        return own + [(account, region) for account in self.accounts for region in self.regions]


class Crowd:
    """One sequence in one world."""

    def __init__(self, wireless: Wireless, seed: int) -> None:
        self._chance = random.Random(seed)
        self._clock = FakeClock()
        self._world = self._new_world()
        wireless.world = self._world
        self._turns = Turns(self._clock, seed)
        self.steps: list[str] = []  # what has happened, for people
        self._said: Callable[[], str] = str  # what the run of this thread has said
        self._last_said = ""
        self._requests: dict[Request, None] = {}
        self._source = a_rich_source(self._world)
        snapshots = (self._world.snapshot(HOME, snapshot_id) for snapshot_id in self._source.snapshot_ids)
        self._resources: list[Image | Snapshot] = [self._source, *snapshots]
        self._users = [set(_permissions(one)) for one in self._resources]  # with whom its user shares each of them
        self._tags = [dict(one.tags) for one in self._resources]
        self._ever = [set(who) for who in self._users]
        self._world.before, self._world.after = self._before, self._after

    def play(self) -> None:
        """Play it from the first step to the last check; raises BrokenPromise."""
        try:
            with streams_per_thread() as (_out, said):
                self._said = said
                for _ in range(self._chance.randint(4, 10)):
                    self._step()
                    self._turns.move(self._chance.choice((0, 1, 5, 20, 60, 150)))
                self._finish()
                self._settle()
        finally:
            for turn in tuple(self._turns.going):
                self._turns.kill(turn)

    def _new_world(self) -> TortureWorld:
        chance = self._chance
        timing = Timing(
            copy_seconds=chance.choice((3.0, 60.0, 600.0)),
            visible_after=chance.choice((0.0, 0.5, 25.0)),
            snapshots_listed_after=chance.choice((0.0, 0.4, 12.0)),
            shared_after=chance.choice((0.0, 0.5, 10.0)),
        )
        unconfirmed = Unconfirmed(
            unseen_id=chance.choice(("not-found", "empty", "alternate")),
            dead_token=chance.choice(("same-id", "error")),
            unshared_source=chance.choice(("copied", "failed")),
        )
        return TortureWorld(self._clock, timing=timing, unconfirmed=unconfirmed)

    # what happens

    def _step(self) -> None:
        kind = self._chance.random()
        if not self._requests or kind < 0.4:
            request = Request(self._chance.choice(PLACES), self._chance.choice(GUESTS))
            self._requests[request] = None
            self._begin(request, *self._chance.choice(_OPTIONS))
        elif kind < 0.55 and self._turns.going:
            turn = self._chance.choice(self._turns.going)
            self.steps.append(f"{turn.name} is killed")
            self._turns.kill(turn)
        elif kind < 0.62 and self._turns.going:
            turn = self._chance.choice(self._turns.going)
            self.steps.append(f"{turn.name} is interrupted")
            turn.stop.signal_number = 2
            turn.stop.set()
        elif kind < 0.75:
            self._wait(self._chance.choice((1.0, 20.0, 150.0, 8000.0)))
        elif kind < 0.82:
            fault = self._chance.choice(("copy@us-west-2=fail", "copy@us-east-1=fail", "ModifyImageAttribute=lost"))
            self.steps.append(f"fault: {fault}")
            self._world.inject(parse_fault(fault))
        else:
            self._deed()

    def _deed(self) -> None:
        """Let a person change with whom the source is shared, or a tag: never with an account that is copied into."""
        number = self._chance.randrange(len(self._resources))
        resource, users = self._resources[number], self._users[number]
        match self._chance.randint(0, 2):
            case 0:
                users.add(CAROL)
                self._ever[number].add(CAROL)
                _permissions(resource).add(CAROL)
                self.steps.append(f"a person shares resource {number} with {CAROL}")
            case 1:
                users.discard(CAROL)
                _permissions(resource).discard(CAROL)
                self.steps.append(f"a person does not share resource {number} with {CAROL} anymore")
            case _:
                self._tags[number]["Hand"] = resource.tags["Hand"] = str(len(self.steps))
                self.steps.append(f"a person tags resource {number}")

    def _begin(self, request: Request, *options: str) -> Turn:
        """Let a command start; nothing of it has happened yet."""
        where = ["--to", ",".join(request.regions), "--account", ",".join(request.accounts)]
        bounded = [] if "--timeout" in options else ["--timeout", "40m"]
        argv = ["copy", self._source.image_id, "--from", HOME, *where, *options, *bounded, "--output", "text"]
        turn = Turn(f"run {sum(step.startswith('run') for step in self.steps) + 1}")
        self.steps.append(f"{turn.name} starts: {' '.join(argv)}")

        def work() -> None:
            environment = Environment(clock=OwnClock(self._turns, 0), drive=one_after_another, stop=turn.stop)
            code = main(argv, environment)
            self._last_said = self._said()
            if code not in (0, 1, 3, 4, 5, 6, 130):
                raise BrokenPromise(f"{turn.name} ends with {code}\n{self._last_said[-3000:]}")
            self.steps.append(f"({turn.name} ended with {code})")

        self._turns.start(turn, work)
        return turn

    def _wait(self, seconds: float) -> None:
        self.steps.append(f"{seconds:.0f} s pass")
        until = self._clock.now() + timedelta(seconds=seconds)
        while self._clock.now() < until and self._turns.going:
            self._turns.move(1)
        self._clock.advance(max(0.0, (until - self._clock.now()).total_seconds()))

    def _finish(self) -> None:
        self._turns.move(_TURNS_TO_THE_END)
        if self._turns.going:
            raise BrokenPromise(f"{self._turns.going[0].name} does not end")

    def _before(self, _operation: str, _writes: bool) -> None:
        self._turns.pause()

    def _after(self, _operation: str, writes: bool) -> None:
        turn = self._turns.current
        if writes and (broken := [*self._unrecorded(), *self._carried(), *self._doubled()]):
            error = BrokenPromise("; ".join(broken))
            if turn is None:
                raise error
            turn.crash = error
            raise Killed from error
        if turn is not None:
            self._turns.pause()

    # what must be true at any time

    def _of(self, image: Image) -> Iterable[tuple[int, Image | Snapshot]]:
        """Yield the image and its snapshots, each with the number of what it is a copy of."""
        yield 0, image
        theirs = {device.name: device.snapshot_id for device in image.devices}
        held = self._world.state.snapshots[image.region]
        for device in self._source.devices:
            if device.snapshot_id and theirs.get(device.name) in held:
                number = 1 + self._source.snapshot_ids.index(device.snapshot_id)
                yield number, held[theirs[device.name]]

    def _unrecorded(self) -> Iterable[str]:
        """Yield what the run's own account shares that is neither its user's nor recorded."""
        for image in self._world.images(None, DEFAULT_ACCOUNT):
            for number, resource in self._of(image):
                for who in _permissions(resource) - self._ever[number]:
                    if f"{GRANT_TAG}{who}" not in resource.tags:
                        yield f"{image.region}/{image.image_id}: {who} may use part {number}, and no record says so"

    def _carried(self) -> Iterable[str]:
        """Yield what copies in other accounts are shared with that the source's user never shared it with."""
        for image in self._world.images():
            if image.owner == DEFAULT_ACCOUNT:
                continue
            for number, resource in self._of(image):
                if wrong := _permissions(resource) - self._ever[number]:
                    yield f"{image.owner}/{image.region}: part {number} is shared with {wrong}"
                if records := [key for key in resource.tags if key.startswith(GRANT_TAG)]:
                    yield f"{image.owner}/{image.region}: part {number} has {records}"

    def _doubled(self) -> Iterable[str]:
        living: dict[tuple[str, str], list[str]] = {}
        for image in self._world.images():
            if image is not self._source and image.state in LIVE:
                living.setdefault((image.owner, image.region), []).append(image.image_id)
        yield from (f"{where} has {ids}" for where, ids in living.items() if len(ids) > 1)

    # what must be true in the end

    def _settle(self) -> None:
        self._world.clear_faults()
        self._clock.advance(4 * 3600)
        for request in self._requests:
            self._alone(request)
        if broken := list(self._wrong_in_the_end()):
            raise BrokenPromise("; ".join(broken))
        for request in self._requests:
            before = len(self._world.seen)
            self._alone(request)
            written = [one.operation for one in self._world.seen[before:] if one.operation != "AssumeRole"]
            if written:
                raise BrokenPromise(f"{request}: one more run writes {written}")

    def _alone(self, request: Request) -> None:
        self._begin(request)
        self._finish()
        if not self.steps[-1].endswith(("with 0)", "with 4)")):  # 4: a person has narrowed the source meanwhile
            raise BrokenPromise(f"all is well, and {self.steps[-1]}\n{self._last_said[-2000:]}")

    def _wrong_in_the_end(self) -> Iterable[str]:
        for number, resource in enumerate(self._resources):
            if _permissions(resource) != self._users[number]:
                yield f"part {number} of the source is shared with {sorted(_permissions(resource))}"
            if resource.tags != self._tags[number]:
                yield f"part {number} of the source has the tags {resource.tags}"
        images = [image for image in self._world.images() if image is not self._source]
        for account, region in {place for request in self._requests for place in request.destinations}:
            copies = [image for image in images if (image.owner, image.region) == (account, region)]
            if [copy.state for copy in copies] != ["available"]:
                yield f"{account}/{region}: {[(copy.image_id, copy.state) for copy in copies]}"
            for copy in copies:
                yield from (f"{account}/{region}: {text}" for text in self._unfaithful(copy))
        for image in images:
            left = [key for _, one in self._of(image) for key in one.tags if key.startswith(GRANT_TAG)]
            yield from (f"{image.owner}/{image.region}: a record is left: {key}" for key in left)

    def _unfaithful(self, copy: Image) -> Iterable[str]:
        ours = {SOURCE_TAG: f"{HOME}/{self._source.image_id}"}
        for number, resource in self._of(copy):
            if not (self._tags[number] | ours).items() <= resource.tags.items():
                yield f"part {number} has the tags {resource.tags}"
            if missing := self._users[number] - {copy.owner} - _permissions(resource):
                yield f"part {number} is not shared with {missing}"


def _permissions(resource: Image | Snapshot) -> set[str]:
    return resource.launch_permissions if isinstance(resource, Image) else resource.shared_with
