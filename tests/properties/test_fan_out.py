"""The fan-out with a queue that loses, doubles and reorders messages, two dispatchers, and workers that are killed.

Each sequence is drawn from a seed: ten workers in processes of their own, killed with SIGKILL at any moment. In the
end, when nothing interferes, each destination has one copy, its id was published once, and nothing is left over. Half
of the sequences copy into other accounts, too. Two thirds notify others, who are told once. In half of them the
manifest, its variables, its sources and who is notified change, at any moment, and change back.

``make test`` plays a few; AMICOPY_TORTURE=N plays N, AMICOPY_TORTURE_SEED=S others.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.core.models import SOURCE_TAG
from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.support.accounts import OWN, B, C, guests, records
from tests.support.clock import FakeClock
from tests.support.fan_out import Deployed, deployed, event_of
from tests.support.manifests import parameter
from tests.support.scenes import HOME, a_source, order, orphans
from tests.support.workers import Invocation, Workers, workers

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
SEED = int(os.environ.get("AMICOPY_TORTURE_SEED", "1"))
REGIONS = ("us-west-2", "eu-west-1", "ap-southeast-2", "ca-central-1")
WORKERS = 10
ROUNDS, SETTLING = 6, 30


@pytest.fixture(scope="module")
def processes() -> Iterator[Workers]:
    """The processes of all sequences."""
    with workers({"AWS_MAX_ATTEMPTS": "1"}) as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for: a manifest, the variables in it, and who is notified."""

    names: tuple[str, ...]  # of the images; the newest that begins with it is the source
    regions: tuple[str, ...]
    accounts: tuple[str, ...]
    targets: tuple[str, ...] = ()  # "topic", "bus"
    release: str = "1"

    def manifest(self) -> str:
        """Return the manifest."""
        to = ",".join(self.regions)
        ids = ", ".join(f"{{id: '{account}'}}" for account in self.accounts)
        others = f", accounts: [{ids}]" if ids else ""
        lines = [
            f"  - {{source: {{name: '{name}*'}}, from: {HOME}, to: '{to}', "
            f"publish: {{ssm: '/${{RELEASE}}/{name}', when: all}}{others}}}"
            for name in self.names
        ]
        return "\n".join(["images:", *lines]) + "\n"

    def path(self, name: str) -> str:
        """Return the parameter in which an image is published."""
        return f"/{self.release}/{name}"


@dataclass(slots=True)
class Play:
    """One sequence: what is copied, and everything that happens."""

    draw: random.Random
    processes: Workers
    queue: Deployed
    world: World
    clock: FakeClock
    folder: Path
    wanted: Wanted  # in the end
    arns: Mapping[str, str]  # of those that can be notified
    environment: dict[str, str]
    changes: bool  # what is wanted changes
    has_released: bool = False  # a new image came while copies of the one before were under way
    interferes: bool = True
    killed: int = 0  # workers that have not answered

    def chance(self, probability: float) -> bool:
        """Return whether something bad happens now."""
        return self.interferes and self.draw.random() < probability

    def want(self, wanted: Wanted) -> None:
        """Ask for something else from now on."""
        (self.folder / "amis.yaml").write_text(wanted.manifest())
        self.environment["RELEASE"] = wanted.release
        self.environment["AMICOPY_NOTIFY"] = ",".join(self.arns[target] for target in wanted.targets)

    def change(self) -> None:
        """Perhaps change what is asked for, or release a new image."""
        if not (self.changes and self.chance(0.15)):
            return
        draw, wanted = self.draw, self.wanted
        if draw.random() < 0.2:
            self.has_released = True
            a_source(self.world, name=f"{draw.choice(wanted.names)}-{len(self.world.images(HOME))}")
            return
        self.want(
            replace(
                wanted,
                names=tuple(draw.sample(wanted.names, draw.randint(1, len(wanted.names)))),
                regions=tuple(draw.sample(wanted.regions, draw.randint(1, len(wanted.regions)))),
                targets=draw.choice([wanted.targets, ()]),
                release=draw.choice("12"),
            )
            if draw.random() < 0.6
            else wanted
        )

    def call(self, function: str, event: Any) -> Invocation:
        """Start a function; perhaps kill it."""
        self.change()
        invocation = self.processes.call(function, event, self.environment)
        if self.chance(0.25):
            time.sleep(self.draw.uniform(0.0, 0.2))
            invocation.kill()
        return invocation

    def dispatch(self) -> int:
        """Run one dispatcher, or two at once; return how many messages were sent for certain."""
        running = [self.call("dispatcher", {}) for _ in range(2 if self.chance(0.4) else 1)]
        answers = [one.ended() for one in running]
        self.free_what_is_taken()
        return sum(answer["result"]["dispatched"] for answer in answers if "result" in answer)

    def work(self) -> None:
        """Let up to ten workers at a time handle messages until none can be received."""
        for _ in range(SETTLING):
            messages = self.queue.received(WORKERS)
            if not messages:
                return
            self.draw.shuffle(messages)
            handled: list[tuple[Mapping[str, Any], list[Invocation]]] = []
            for message in messages:
                if self.chance(0.1):  # lost
                    self.queue.deleted(message)
                    continue
                times = 2 if self.chance(0.2) else 1
                handled.append((message, [self.call("worker", event_of(message)) for _ in range(times)]))
            for message, invocations in handled:
                answers = [one.ended() for one in invocations]
                self.killed += sum("result" not in one and "error" not in one for one in answers)
                well = all("result" in one and not one["result"]["batchItemFailures"] for one in answers)
                if well and not self.chance(0.1):
                    self.queue.deleted(message)
                elif self.draw.random() < 0.5:
                    self.queue.given_back(message)
                else:  # too many failures: the dead-letter queue
                    self.queue.deleted(message)
            self.free_what_is_taken()

    def free_what_is_taken(self) -> None:
        """Let the time pass that a killed worker has taken a round or a notification for; nobody else works now."""
        self.queue.passed("taken_until", "sending_until")

    def play(self) -> None:
        """Play until everything is up to date, at first with everything that can happen."""
        for _ in range(ROUNDS):
            self.dispatch()
            self.work()
            self.clock.advance(self.draw.uniform(30, 600))
        self.interferes = False
        self.want(self.wanted)
        for _ in range(SETTLING):
            sent = self.dispatch()
            self.work()
            self.clock.advance(600)
            if not sent and all("finished_at" in item for item in self.queue.rounds()):
                return
        raise AssertionError("it never ends")


def sent(world: World) -> dict[str, list[Any]]:
    """Return the notifications that each topic and bus has got."""
    found: dict[str, list[Any]] = {}
    for one in world.requests:
        if one.operation == "Publish" and not one.error:
            found.setdefault("topic", []).append(json.loads(one.params["Message"]))
        if one.operation == "PutEvents" and not one.error:
            [entry] = one.params["Entries"]
            found.setdefault("bus", []).append(json.loads(entry["Detail"]))
    return found


def told_wrongly(sequence: Play) -> list[str]:
    """Return what is not as promised about notifications: one for each target, and one id.

    A worker that is killed after sending and before recording it leaves it to another to send it again, with that id.
    Where what is wanted has changed, there may be others before.
    """
    found, taken, targets = sent(sequence.world), sequence.queue.notifications(), sequence.wanted.targets
    wrong = [f"{target} was not told" for target in targets if target not in found]
    wrong += [f"{target} got notifications that nobody asked for" for target in found if target not in targets]
    if wrong:
        return wrong
    last = {target: messages[-1] for target, messages in found.items()}
    if len({message["notification_id"] for message in last.values()}) > 1:
        wrong.append(f"there are several notifications: {last}")
    places = [
        (source, region, account)
        for source in sources(sequence).values()
        for region in sequence.wanted.regions
        for account in (None, *sequence.wanted.accounts)
    ]
    for target, message in last.items():
        copies = [(one["source_id"], one["region"], one.get("account")) for one in message["copies"]]
        if sorted(copies, key=str) != sorted(places, key=str):
            wrong.append(f"{target} was told last of {copies}, not {places}")
    more = sum(len(messages) - 1 for messages in found.values())
    if not sequence.changes and more > sequence.killed:
        wrong.append(f"{more} notifications too many, with {sequence.killed} workers killed")
    wrong += [f"a record is not closed: {item}" for item in taken if "sent" not in item or "sending_until" in item]
    if len(taken) != len(targets):
        wrong.append(f"{len(taken)} records for {len(targets)} targets")
    return wrong


def destination(target: str) -> str:
    """Make a topic or an event bus; return its ARN."""
    client: Any = boto3.client("sns" if target == "topic" else "events", HOME)
    try:
        if target == "topic":
            return str(client.create_topic(Name="releases")["TopicArn"])
        return str(client.create_event_bus(Name="releases")["EventBusArn"])
    finally:
        client.close()


def sources(sequence: Play) -> dict[str, str]:
    """Return the image that each name stands for: the newest."""
    images = sequence.world.images(HOME)  # in the order in which they were registered
    return {
        name: [one.image_id for one in images if (one.name or "").startswith(name)][-1]
        for name in sequence.wanted.names
    }


def broken(sequence: Play) -> list[str]:
    """Return what is not as promised."""
    world, wanted = sequence.world, sequence.wanted
    found = []
    if not sequence.has_released:  # nobody looks at the image before a new one anymore: `cancel` ends what is open
        found += [f"still shared with {who}" for who in guests(world)]
        found += [f"a record is left: {key}" for key in records(world)]
    for region in wanted.regions:
        for account in (OWN, *wanted.accounts):
            copies = Counter(image.tags.get(SOURCE_TAG) for image in world.images(region, account))
            found += [
                f"{copies[f'{HOME}/{source}']} copies of {source} in {account}/{region}"
                for source in sources(sequence).values()
                if copies[f"{HOME}/{source}"] != 1
            ]
        found += [
            f"{image.image_id} in {region} is {image.state}"
            for image in world.images(region)
            if image.state != "available" and not sequence.has_released
        ]
        found += [f"{snapshot} in {region} belongs to no image" for snapshot in orphans(world, region)]
        ids = {image.source_image_id: image.image_id for image in world.images(region, OWN)}
        found += [
            f"{region} publishes another id than that of the copy of {source}"
            for name, source in sources(sequence).items()
            if parameter(region, wanted.path(name)) != ids.get(source)
        ]
    written = Counter(
        (one.region, json.dumps(one.params, sort_keys=True))
        for one in world.requests
        if one.operation == "PutParameter" and not one.error
    )
    puts = sum(written.values())
    expected = len(wanted.regions) * len(wanted.names) * (1 + len(wanted.accounts))
    if not sequence.changes and (puts != expected or len(written) != expected):
        found.append(f"{puts} parameters were written, not {expected}: {dict(written)}")
    return found


@pytest.mark.parametrize("seed", range(SEED, SEED + (LONG or 3)))
def test_every_unit_has_one_copy_which_is_published_once(
    seed: int,
    sandbox: Sandbox,
    clock: FakeClock,
    processes: Workers,
    tmp_path: Path,
) -> None:
    draw = random.Random(seed)
    clock.advance(max(0.0, (datetime.now(UTC) - clock.now()).total_seconds()))  # the workers' time, for their sessions
    world = sandbox.reset(clock=clock, timing=Timing(visible_after=0.0))
    names = tuple(f"image-{number}" for number in range(draw.randint(1, 2)))
    for name in names:
        a_source(world, name=name)
    regions = tuple(draw.sample(REGIONS, draw.randint(2, len(REGIONS))))
    order(world, *(f"copy@{region}=fail" for region in regions if draw.random() < 0.2))
    wanted = Wanted(
        names=names,
        regions=regions,
        accounts=draw.choice([(), (), (B,), (B, C)]),
        targets=draw.choice([(), ("topic",), ("topic", "bus")]),
    )
    with deployed(HOME) as queue:
        sequence = Play(
            draw=draw,
            processes=processes,
            queue=queue,
            world=world,
            clock=clock,
            folder=tmp_path,
            wanted=wanted,
            arns={target: destination(target) for target in wanted.targets},
            environment={**sandbox.environment, **queue.environment, "LAMBDA_TASK_ROOT": str(tmp_path)},
            changes=seed % 2 == 0,
        )
        sequence.want(wanted)
        sequence.play()
        assert broken(sequence) + told_wrongly(sequence) == []
        world.requests.clear()
        assert sequence.dispatch() == 0
