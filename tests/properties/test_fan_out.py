"""The fan-out with a queue that loses, doubles and reorders messages, two dispatchers, and workers that are killed.

Each sequence is drawn from a seed: ten workers in processes of their own, killed with SIGKILL at any moment. In the
end, when nothing interferes, each destination has one copy, its id was published once, and nothing is left over. Half
of the sequences copy into other accounts, too. Two thirds notify others, who are told once.

``make test`` plays a few; AMICOPY_TORTURE=N plays N, AMICOPY_TORTURE_SEED=S others.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(slots=True)
class Play:
    """One sequence: what is copied, and everything that happens."""

    draw: random.Random
    processes: Workers
    queue: Deployed
    world: World
    clock: FakeClock
    environment: Mapping[str, str]
    interferes: bool = True
    killed: int = 0  # workers that have not answered

    def chance(self, probability: float) -> bool:
        """Return whether something bad happens now."""
        return self.interferes and self.draw.random() < probability

    def call(self, function: str, event: Any) -> Invocation:
        """Start a function; perhaps kill it."""
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
        for _ in range(SETTLING):
            sent = self.dispatch()
            self.work()
            self.clock.advance(600)
            if not sent and all("finished_at" in item for item in self.queue.rounds()):
                return
        raise AssertionError("it never ends")


def sent(world: World) -> dict[str, list[str]]:
    """Return the ids of the notifications that each topic and bus has got."""
    found: dict[str, list[str]] = {}
    for one in world.requests:
        if one.operation == "Publish" and not one.error:
            found.setdefault("topic", []).append(json.loads(one.params["Message"])["notification_id"])
        if one.operation == "PutEvents" and not one.error:
            [entry] = one.params["Entries"]
            found.setdefault("bus", []).append(json.loads(entry["Detail"])["notification_id"])
    return found


def told_wrongly(sequence: Play, targets: Sequence[str]) -> list[str]:
    """Return what is not as promised about notifications: one for each target, and one id.

    A worker that is killed after sending and before recording it leaves it to another to send it again, with that id.
    """
    found, taken = sent(sequence.world), sequence.queue.notifications()
    wrong = [f"{target} was not told" for target in targets if target not in found]
    wrong += [f"{target} got notifications that nobody asked for" for target in found if target not in targets]
    if len({one for ids in found.values() for one in ids}) > 1:
        wrong.append(f"there are several notifications: {found}")
    more = sum(len(ids) - 1 for ids in found.values())
    if more > sequence.killed:
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


def broken(world: World, sources: Sequence[str], regions: Sequence[str], accounts: Sequence[str]) -> list[str]:
    """Return what is not as promised."""
    found = [f"still shared with {who}" for who in guests(world)] + [
        f"a record is left: {key}" for key in records(world)
    ]
    for region in regions:
        for account in (OWN, *accounts):
            copies = Counter(image.tags.get(SOURCE_TAG) for image in world.images(region, account))
            found += [
                f"{copies[f'{HOME}/{source}']} copies of {source} in {account}/{region}"
                for source in sources
                if copies[f"{HOME}/{source}"] != 1
            ]
        found += [
            f"{image.image_id} in {region} is {image.state}"
            for image in world.images(region)
            if image.state != "available"
        ]
        found += [f"{snapshot} in {region} belongs to no image" for snapshot in orphans(world, region)]
        ids = {image.source_image_id: image.image_id for image in world.images(region, OWN)}
        found += [
            f"{region} publishes another id than that of the copy of {source}"
            for number, source in enumerate(sources)
            if parameter(region, f"/images/{number}") != ids.get(source)
        ]
    written = Counter(
        (one.region, json.dumps(one.params, sort_keys=True))
        for one in world.requests
        if one.operation == "PutParameter" and not one.error
    )
    puts = sum(written.values())
    expected = len(regions) * len(sources) * (1 + len(accounts))
    if puts != expected or len(written) != expected:
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
    regions = draw.sample(REGIONS, draw.randint(2, len(REGIONS)))
    sources = [a_source(world, name=f"image-{number}").image_id for number in range(draw.randint(1, 2))]
    order(world, *(f"copy@{region}=fail" for region in regions if draw.random() < 0.2))
    to = ",".join(regions)
    accounts = draw.choice([(), (), (B,), (B, C)])
    ids = ", ".join(f"{{id: '{account}'}}" for account in accounts)
    others = f", accounts: [{ids}]" if ids else ""
    lines = [
        f"  - {{source: {source}, from: {HOME}, to: '{to}', publish: {{ssm: /images/{number}, when: all}}{others}}}"
        for number, source in enumerate(sources)
    ]
    (tmp_path / "amis.yaml").write_text("\n".join(["images:", *lines]) + "\n")
    with deployed(HOME) as queue:
        targets = draw.choice([(), ("topic",), ("topic", "bus")])
        arns = ",".join(destination(target) for target in targets)
        environment = {
            **sandbox.environment,
            **queue.environment,
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "AMICOPY_NOTIFY": arns,
        }
        sequence = Play(draw, processes, queue, world, clock, environment)
        sequence.play()
        assert broken(world, sources, regions, accounts) + told_wrongly(sequence, targets) == []
        world.requests.clear()
        assert sequence.dispatch() == 0
