"""``kill -9`` everywhere in a run that copies into other accounts, and of the run after it.

In the end the source has the permissions and tags that it had, each account has one faithful copy in each region, and
no record of a temporary permission is left. At no time is anything shared that is neither the user's nor recorded, and
no grant on a KMS key is there without a record.
In ``make test`` some runs die. With AMICOPY_TORTURE=N, a run dies before and after every request that writes, around N
of those that read, and N times two in a row. A run that dies around another read leaves what it left at the last write.
"""

import os
import random
import signal
from dataclasses import dataclass, field

import pytest
from moto.kms.models import Grant, kms_backends

from amicopy.core.grants import GRANT_TAG, key_grant_name, key_grants_in
from amicopy.core.models import SOURCE_TAG
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot
from tests.support.accounts import B, Standing, of, records
from tests.support.stage import Stage
from tests.support.torture import ALICE, HOME, Strike, Tally, TortureWorld, a_rich_source

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
SEED = int(os.environ.get("AMICOPY_TORTURE_SEED", "1"))
ABROAD = "eu-west-1"
GUESTS = (B, ALICE)  # the source is shared with ALICE, but not all of its snapshots are
ROLE = "copies"
DESTINATIONS = ((DEFAULT_ACCOUNT, ABROAD), *((guest, region) for guest in GUESTS for region in (HOME, ABROAD)))
# What was shared with others is seen late, and a copy whose source is unshared too early fails.
TIMING = Timing(copy_seconds=30, seconds_per_gib=0.1, visible_after=1, shared_after=2)
STRICT = Unconfirmed(unshared_source="failed")
NO_WAIT = ("--no-wait",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What was run before the run that is killed."""

    name: str
    prepared: tuple[tuple[str, ...], ...] = ()
    faults: tuple[str, ...] = ()  # during those
    options: tuple[str, ...] = ()
    hours_later: float = 0.0
    keys: bool = False  # the source is encrypted, and others may use its key by grants only
    unconfirmed: Unconfirmed = field(default=STRICT)

    def __str__(self) -> str:
        return self.name


SCENES = [
    Scene(name="nothing is there"),
    Scene(name="the own copy is pending", prepared=(NO_WAIT,)),
    Scene(name="the own copy is available", prepared=(NO_WAIT,), hours_later=1),
    Scene(name="copies of others are pending", prepared=(NO_WAIT, NO_WAIT), hours_later=1),
    Scene(name="copies have failed", prepared=((),), faults=(f"copy@{HOME}=fail", f"copy@{ABROAD}=fail after 1")),
    Scene(name="nobody waits", options=NO_WAIT),
    Scene(name="keys that others need grants on", keys=True),
    Scene(name="keys, and copies of others are pending", keys=True, prepared=(NO_WAIT, NO_WAIT), hours_later=1),
    Scene(
        name="EC2 shows dead ids differently",
        unconfirmed=Unconfirmed(unshared_source="failed", unseen_id="empty", dead_token="error"),
    ),
]


@dataclass(slots=True)
class Act:
    """One world with its source, and what was true of it in the beginning."""

    stage: Stage
    world: TortureWorld
    source: Image
    before: list[Standing]
    keys: tuple[str, ...] = ()  # those of the own account

    def run(self, *strikes: Strike, options: tuple[str, ...] = ()) -> int:
        """Run the command; return how it ended."""
        return self.stage.nursery.run(self.world, self.command(*options), *strikes).status

    def command(self, *options: str) -> list[str]:
        """Return the command line that is run again and again."""
        where = ("--to", f"{HOME},{ABROAD}", "--account", ",".join(GUESTS), "--role-name", ROLE)
        grants = ("--kms-grant",) if self.keys else ()
        return ["copy", self.source.image_id, *where, "--quiet", *grants, *options]

    def key_grants(self) -> list[str]:
        """Return the names of all grants on the own account's keys."""
        return [grant.name for arn in self.keys for grant in find_grants(arn)]


def a_key(account: str, region: str) -> str:
    """Make a key; return its ARN."""
    key = kms_backends[account][region].create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", [])
    arn: str = key.arn
    return arn


def find_grants(arn: str) -> list[Grant]:
    """Return the grants on a key."""
    region, account = arn.split(":")[3:5]
    return list(kms_backends[account][region].describe_key(arn).grants.values())


def encrypted(world: TortureWorld, source: Image) -> tuple[str, ...]:
    """Encrypt the source's first volume; return the own account's keys. Each account has a default key of its own."""
    own = {}
    for region in (HOME, ABROAD):
        for account in (DEFAULT_ACCOUNT, *GUESTS):
            world.settings(region, account).default_kms_key = a_key(account, region)
        own[region] = world.settings(region).default_kms_key
    snapshot = world.state.snapshots[HOME][source.snapshot_ids[0]]
    snapshot.encrypted, snapshot.kms_key_id, source.devices[0].encrypted = True, own[HOME], True
    return tuple(own.values())


def begun(stage: Stage, scene: Scene) -> Act:
    """Return the world as the scene has it."""
    world = stage.begin_anew(TIMING, scene.unconfirmed)
    for account in GUESTS:
        stage.sandbox.add_account(account, role=ROLE)
    source = a_rich_source(world)
    keys = encrypted(world, source) if scene.keys else ()
    act = Act(stage, world, source, of(world, source), keys)
    for fault in scene.faults:
        world.inject(parse_fault(fault))
    for options in scene.prepared:
        act.run(options=options)
        stage.clock.advance(scene.hours_later * 3600)
    world.clear_faults()
    return act


def requests_of(stage: Stage, scene: Scene) -> list[str]:
    """Return the requests of a run that nobody kills: the operation of each that writes, nothing for the others."""
    act = begun(stage, scene)
    target = stage.nursery.run(act.world, act.command(*scene.options))
    assert target.status in (0, 5)
    return target.made


def snapshot_of(act: Act, image: Image, device: str) -> Snapshot | None:
    """Return an image's snapshot of one device, if it has one yet."""
    ids = {one.name: one.snapshot_id for one in image.devices}
    return act.world.state.snapshots[image.region].get(ids.get(device, ""))


def unrecorded(act: Act) -> list[str]:
    """Return what the own account shares that is neither shared by its user nor recorded."""
    found = []
    for image in act.world.images(None, DEFAULT_ACCOUNT):
        extra = image.launch_permissions - act.source.launch_permissions
        found += [f"{image.image_id}: {who}" for who in extra if f"{GRANT_TAG}{who}" not in image.tags]
        for device in act.source.devices:
            root, held = snapshot_of(act, act.source, device.name), snapshot_of(act, image, device.name)
            if root is None or held is None:
                continue
            user = {who for one in act.before if one.resource_id == root.snapshot_id for who in one.shared_with}
            extra = held.shared_with - user
            found += [f"{held.snapshot_id}: {who}" for who in extra if f"{GRANT_TAG}{who}" not in held.tags]
    recorded = {
        key_grant_name(image.image_id, account)
        for image in act.world.images(None, DEFAULT_ACCOUNT)
        for device in image.devices
        if (held := snapshot_of(act, image, device.name))
        for account in key_grants_in(held.tags)
    }
    return found + [f"the grant {name}" for name in act.key_grants() if name not in recorded]


def unfaithful(act: Act, copy: Image, account: str) -> list[str]:
    """Return in what a copy differs from the source; nothing is shared with its owner."""
    ours = {SOURCE_TAG: f"{HOME}/{act.source.image_id}"}
    pairs = [("the image", act.source.tags, copy.tags, act.source.launch_permissions, copy.launch_permissions)]
    for device in act.source.devices:
        root, held = snapshot_of(act, act.source, device.name), snapshot_of(act, copy, device.name)
        if root is not None and held is not None:
            pairs.append((device.name, root.tags, held.tags, root.shared_with, held.shared_with))
    found = [] if copy.state == "available" else [f"it is {copy.state}"]
    for name, tags, has_tags, shared, is_shared in pairs:
        has_tags = {key: value for key, value in has_tags.items() if key != "amicopy:via"}
        if has_tags != tags | ours:
            found.append(f"{name} has the tags {has_tags}")
        if is_shared != shared - {account}:
            found.append(f"{name} is shared with {sorted(is_shared)}")
    return found


def complaints(act: Act) -> list[str]:
    """Run the command to its end, and return what is then not as promised."""
    found = [f"the next run ended with {status}" for status in [act.run()] if status]
    if of(act.world, act.source) != act.before:
        found.append(f"the source was {act.before}, and is {of(act.world, act.source)}")
    found += [f"a record is left: {key}" for key in records(act.world)]
    found += [f"the grant {name} is left" for name in act.key_grants()]
    act.stage.clock.advance(3600)
    for account, region in (
        (DEFAULT_ACCOUNT, ABROAD),
        *((guest, where) for guest in GUESTS for where in (HOME, ABROAD)),
    ):
        copies = act.world.images(region, account)
        if len(copies) != 1:
            found.append(f"{account}/{region}: {[(copy.image_id, copy.state) for copy in copies]}")
        found += [f"{account}/{region}: {text}" for copy in copies for text in unfaithful(act, copy, account)]
        used = {snapshot_id for copy in copies for snapshot_id in copy.snapshot_ids}
        found += [
            f"{account}/{region}: orphan {one.snapshot_id}"
            for one in act.world.snapshots(region, account)
            if one.snapshot_id not in used
        ]
    written = len(act.world.seen)
    status = act.run()
    more = [one.operation for one in act.world.seen[written:] if one.operation != "AssumeRole"]
    if status or more:
        found.append(f"a further run ended with {status}, and wrote {more}")
    return found


def strikes_at(requests: list[str], chance: random.Random) -> list[Strike]:
    """Return where to strike a run: around every write in long form, else at one request."""
    if not LONG:
        return [Strike(request=chance.randint(1, len(requests)), after=chance.random() < 0.5)]
    reads = [number for number, operation in enumerate(requests, 1) if not operation]
    struck = {number for number, operation in enumerate(requests, 1) if operation}
    struck.update(chance.sample(reads, min(LONG, len(reads))))
    return [Strike(request=one, after=after) for one in sorted(struck) for after in (False, True)]


@pytest.mark.parametrize("scene", SCENES if LONG else SCENES[::3], ids=str)
def test_a_run_that_is_killed_anywhere_leaves_no_permission_behind(stage: Stage, tally: Tally, scene: Scene) -> None:
    chance = random.Random(f"{SEED}/{scene}")
    broken = {}
    for strike in strikes_at(requests_of(stage, scene), chance):
        act = begun(stage, scene)
        act.run(strike, options=scene.options)
        tally.counts["kill points across accounts"] += 1
        found = [f"shared and not recorded: {what}" for what in unrecorded(act)]
        if found := found + complaints(act):
            broken[str(strike)] = found
    assert broken == {}


def test_two_runs_that_are_killed_one_after_the_other_leave_no_permission_behind(stage: Stage, tally: Tally) -> None:
    chance = random.Random(SEED)
    broken = {}
    requests = {str(scene): len(requests_of(stage, scene)) for scene in (SCENES if LONG else SCENES[:1])}
    for _ in range(LONG or 2):
        scene = chance.choice(SCENES if LONG else SCENES[:1])
        act = begun(stage, scene)
        said, found = [str(scene)], []
        for options in (scene.options, ()):
            strike = Strike(
                request=chance.randint(1, requests[str(scene)]),
                after=chance.random() < 0.5,
                signal=chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)),
                fatal=False,
            )
            act.run(strike, options=options)
            said.append(str(strike))
            found += [f"shared and not recorded: {what}" for what in unrecorded(act)]
            stage.clock.advance(chance.choice((0, 5, 60, 3600)))
        tally.counts["two kills in a row across accounts"] += 1
        if found := found + complaints(act):
            broken[", ".join(said)] = found
    assert broken == {}
