"""Playing one sequence: everybody's turns, what must be true after each, and what must be true in the end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume
from tests.support.among.in_turn import streams_per_thread
from tests.support.among.people import BACKUP_TAG, OTHER_ACCOUNT, People
from tests.support.among.promises import BrokenPromise, Promises
from tests.support.among.settle import Settled
from tests.support.among.steps import WEST, Fault, Interrupt, Kill, Place, Sequence, Start, Step, Wait
from tests.support.among.teams import Run, command_line, complaint_about_end
from tests.support.among.turns import OwnClock, Turn, Turns
from tests.support.clock import FakeClock, one_after_another
from tests.support.torture import (
    ALICE,
    BOB,
    HOME,
    Killed,
    TortureWorld,
    Wireless,
    a_rich_source,
)

_TURNS_TO_THE_END = 60_000


class Play:
    """One sequence in one world."""

    def __init__(self, wireless: Wireless, sequence: Sequence, folder: Path) -> None:
        self.clock = FakeClock()
        self.world = _world(self.clock, sequence.place)
        wireless.world = self.world
        self._folder = folder
        self._sequence = sequence
        self._turns = Turns(self.clock, sequence.seed)
        self._by_turn: dict[Turn, Run] = {}
        self._said: tuple[Callable[[], str], Callable[[], str]] = (str, str)
        self.runs: list[Run] = []
        self.sources: dict[str, Image] = {}
        self.people = People(self.world, self.sources)
        self._register(sequence.place)
        self.promises = Promises(self.world, self.sources, self.people)
        self.world.before, self.world.after = self._before, self._after

    def play(self) -> None:
        """Play the sequence from the first step to the last check; raises BrokenPromise."""
        try:
            with streams_per_thread() as self._said:
                for scheduled in self._sequence.steps:
                    self._turns.move(scheduled.turns)
                    self._step(scheduled.step)
                    self.promises.pass_moment()
                self._finish()
                Settled(self).check()
        finally:
            for turn in tuple(self._turns.going):
                self._turns.kill(turn)

    # the world

    def _register(self, place: Place) -> None:
        self.sources["web"] = a_rich_source(self.world)
        self.sources["golden"] = self.world.register(
            WEST,
            name="golden",
            tags={"Name": "golden", "Team": "base"},
            volumes=[Volume(device="/dev/sda1", gib=8, shared_with=frozenset({ALICE})), Volume(device="/dev/sdf")],
            launch_permissions={ALICE},
        )
        self.sources["foreign"] = self.world.register(
            HOME,
            account=OTHER_ACCOUNT,
            name="foreign",
            volumes=[Volume(device="/dev/sda1", gib=8, shared_with=frozenset({DEFAULT_ACCOUNT}))],
            launch_permissions={DEFAULT_ACCOUNT},
        )
        self.sources["middle"] = self._middle(place.golden_copied_by)
        self.sources["middle"].launch_permissions |= {ALICE, BOB}

    def _middle(self, maker: str) -> Image:
        golden = self.sources["golden"]
        reference = {"Key": "amicopy:source", "Value": f"{WEST}/{golden.image_id}"}
        params: dict[str, Any] = {
            "Name": "golden",
            "SourceRegion": WEST,
            "SourceImageId": golden.image_id,
            "CopyImageTags": True,
        }
        if maker == "amicopy":
            kinds = ("image", "snapshot")
            params["TagSpecifications"] = [{"ResourceType": kind, "Tags": [reference]} for kind in kinds]
            params["ClientToken"] = "amicopy-earlier"
        self.world.actor = maker
        image_id = self.world.call("CopyImage", params, region=HOME)["ImageId"]
        self.clock.advance(7200)
        image = self.world.image(HOME, image_id)
        assert image.state == "available"
        if maker == "a backup service":
            image.tags[BACKUP_TAG] = golden.image_id
        return image

    def _before(self, _operation: str, _writes: bool) -> None:
        self._turns.pause()
        turn = self._turns.current
        if turn is not None:
            self.world.actor = turn.name

    def _after(self, operation: str, writes: bool) -> None:
        turn = self._turns.current
        run = self._by_turn[turn] if turn is not None else None
        self.promises.pass_moment()
        try:
            if writes:
                self.promises.check_write(run, self.world.seen[-1])
            elif run is not None:
                request = self.world.requests[-1]
                self.promises.check_read(run, operation, request.region, request.params)
        except BrokenPromise as error:
            if turn is None:
                raise
            turn.crash = error
            raise Killed from error  # through amicopy and the sandbox, which would take it for a bug
        if turn is not None:
            self._turns.pause()

    # what happens

    def _step(self, step: Step) -> None:
        match step:
            case Start():
                self.begin(step)
            case Kill(number=number):
                if self._turns.going:
                    turn = self._turns.going[number % len(self._turns.going)]
                    self._turns.kill(turn)
            case Interrupt(number=number):
                if self._turns.going:
                    turn = self._turns.going[number % len(self._turns.going)]
                    turn.stop.signal_number = 2
                    turn.stop.set()
            case Wait(seconds=seconds):
                until = self.clock.now() + timedelta(seconds=seconds)
                while self.clock.now() < until and self._turns.going:
                    self._turns.move(1)
                self.clock.advance(max(0.0, (until - self.clock.now()).total_seconds()))
            case Fault(text=text):
                self.world.inject(parse_fault(text))
            case _:
                self.people.do(step)

    def begin(self, start: Start, copy_ids: tuple[str, ...] = ()) -> Run:
        """Let a team start a command; nothing of it has happened yet."""
        number = len(self.runs) + 1
        copy_ids = copy_ids or self._copy_ids(start)
        turn = Turn(f"run {number} of team {start.team}")
        images = {name: self.sources[name] for name in start.sources}
        there = self.world.state.images
        run = Run(
            number=number,
            start=start,
            turn=turn,
            sources={image.image_id: image for image in images.values()},
            copy_ids=copy_ids,
            began=self.promises.moment,
            gone_before=frozenset(
                image.image_id for image in images.values() if image.image_id not in there[image.region]
            ),
            shared_before=frozenset(image.image_id for image in self.world.images() if image.launch_permissions),
        )
        argv = command_line(start, images, copy_ids, self._folder)

        def work() -> None:
            clock = OwnClock(self._turns, start.skew_seconds)
            environment = Environment(clock=clock, drive=one_after_another, stop=turn.stop)
            run.code = main(argv, environment)
            run.out, run.err = self._said[0](), self._said[1]()
            if complaint := complaint_about_end(run):
                raise BrokenPromise(f"{run.start}: {complaint}\n{' '.join(argv)}\n{run.err[-3000:]}\n{run.out[-3000:]}")

        self.runs.append(run)
        self._by_turn[turn] = run
        self._turns.start(turn, work)
        return run

    def run_alone(self, start: Start, copy_ids: tuple[str, ...] = ()) -> Run:
        """Let a team run a command to its end, with nobody else at work."""
        run = self.begin(start, copy_ids)
        self._finish()
        return run

    def _copy_ids(self, start: Start) -> tuple[str, ...]:
        if "--copy" not in start.options:
            return ()
        source = self.sources[start.sources[0]]
        lineage = (source.region, source.image_id)
        found = [
            image.image_id
            for region in start.regions
            for image in self.world.images(region, DEFAULT_ACCOUNT)
            if (image.source_image_region, image.source_image_id) == lineage
        ]
        return tuple(found[:1]) or ("ami-00000000000000000",)

    def _finish(self) -> None:
        """Let every run that goes on come to its end."""
        self._turns.move(_TURNS_TO_THE_END)
        if self._turns.going:
            raise BrokenPromise(f"it does not end: {self._by_turn[self._turns.going[0]].start}")


def _world(clock: FakeClock, place: Place) -> TortureWorld:
    switches: Any = {"unseen_id": place.unseen_id, "dead_token": place.dead_token}
    return TortureWorld(
        clock,
        timing=Timing(
            copy_seconds=place.copy_seconds,
            visible_after=place.visible_after,
            snapshots_listed_after=place.listed_after,
        ),
        unconfirmed=Unconfirmed(
            pending_mappings_omit_snapshots=place.bare, deleted_pending_snapshot_lingers=place.lingers, **switches
        ),
    )


def shrunk(sequence: Sequence, fails: Callable[[Sequence], bool], *, most: int = 200) -> Sequence:
    """Return the sequence without the steps that its failure does not need."""
    tried = 0
    at = 0
    while at < len(sequence.steps) and tried < most:
        steps = list(sequence.steps)
        gone = steps.pop(at)
        if at < len(steps):  # what comes next happens when it would have happened
            steps[at] = replace(steps[at], turns=steps[at].turns + gone.turns)
        smaller = replace(sequence, steps=tuple(steps))
        tried += 1
        if fails(smaller):
            sequence = smaller
        else:
            at += 1
    return sequence
