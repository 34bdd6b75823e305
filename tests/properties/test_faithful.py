"""A property: verify calls faithful what copy has made, whatever the source, and finds whatever a hand changes.

Each example runs whole commands against a fresh sandbox; the same examples every time.
"""

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from zlib import crc32

from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st
from moto.kms.models import kms_backends

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.parallel import Stop
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran
from tests.support.clock import START, FakeClock, one_after_another
from tests.support.scenes import EAST, HOME, ORGANIZATION, OTHERS, SOMEBODY, TAG, UNIT, WEST, snapshots_of, writes

REGIONS = (WEST, EAST)
STRANGER = "777788889999"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
ADDED = "added by hand"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One source, and the options with which it is copied and verified."""

    members: Mapping[str, Any]
    options: tuple[str, ...]


# Sources


def tags(most: int) -> st.SearchStrategy[dict[str, str]]:
    """Tags that a user may set, empty values and any script included."""
    letters = st.characters(codec="utf-8", exclude_categories=["C"])
    keys, values = st.text(letters, min_size=1, max_size=12), st.text(letters, max_size=12)
    fine = keys.filter(lambda key: not key.lower().startswith("aws:") and key not in {ADDED, TAG})
    return st.dictionaries(fine, values, max_size=most)


FIFTY = {f"key{number:02}": "" if number % 7 else "välue" for number in range(50)}
PEOPLE = [SOMEBODY, OTHERS, "all", ORGANIZATION, UNIT]
TYPES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"volume_type": "gp2"},
        {"volume_type": "gp3"},
        {"volume_type": "gp3", "iops": 4000, "throughput": 250},
        {"volume_type": "io1", "iops": 500},
        {"volume_type": "standard"},
    ]
)


@st.composite
def volumes(draw: st.DrawFn, device: str, *, encrypted: bool, public: bool) -> Volume:
    """One volume of an image."""
    blank = device != "/dev/sda1" and draw(st.booleans()) and draw(st.booleans())
    ours = encrypted and not blank and draw(st.booleans())
    readers = [SOMEBODY, OTHERS] + (["all"] if public and not ours else [])
    return Volume(
        device=device,
        gib=draw(st.integers(1, 64)),
        tags=draw(st.one_of(tags(4), st.just(FIFTY))) if not blank else {},
        encrypted=ours,
        kms_key_id=f"arn:aws:kms:{HOME}:123456789012:key/{KEY}" if ours else "",
        shared_with=frozenset(draw(st.sets(st.sampled_from(readers), max_size=2))) if not blank else frozenset(),
        delete_on_termination=draw(st.booleans()),
        blank=blank,
        **draw(TYPES),
    )


@st.composite
def sources(draw: st.DrawFn) -> dict[str, Any]:
    """Return all that a source may bear, as the world registers it."""
    stored = draw(st.sampled_from([False] * 7 + [True]))
    encrypted = not stored and draw(st.booleans())
    people = PEOPLE if not encrypted else [who for who in PEOPLE if who != "all"]
    members: dict[str, Any] = {
        "name": draw(st.sampled_from(["web", "web-server 2026.11 (x86_64)", None])),
        "description": draw(st.one_of(st.none(), st.just("größe [red] of the web server"))),
        "tags": draw(st.one_of(tags(6), st.just(FIFTY))),
        "launch_permissions": draw(st.sets(st.sampled_from(people))),
        "volumes": [],
        "architecture": draw(st.sampled_from(["x86_64", "arm64"])),
        "platform": draw(st.sampled_from(["", "windows"])),
        "boot_mode": draw(st.sampled_from(["", "uefi", "uefi-preferred", "legacy-bios"])),
        "ena": draw(st.booleans()),
        "sriov": draw(st.sampled_from(["", "simple"])),
        "tpm": draw(st.sampled_from(["", "v2.0"])),
        "imds": draw(st.sampled_from(["", "v2.0"])),
        "protection": draw(st.sampled_from(["disabled", "enabled-with-cooldown", "enabled-without-cooldown"])),
        "deprecate_at": draw(
            st.sampled_from([None, START - timedelta(days=5), START + timedelta(days=5), START + timedelta(days=900)])
        ),
    }
    if stored:
        return {**members, "root_device_type": "instance-store", "root_device_name": ""}
    devices = ["/dev/sda1", "/dev/sdb", "/dev/sdc", "xvdz"][: draw(st.integers(1, 4))]
    return {
        **members,
        "volumes": [draw(volumes(device, encrypted=encrypted, public=not encrypted)) for device in devices],
        "ephemeral": draw(st.sampled_from([(), ("/dev/sdf",)])),
        "no_device": draw(st.sampled_from([(), ("/dev/sdg",)])),
    }


def _is_public(members: Mapping[str, Any]) -> bool:
    return "all" in members["launch_permissions"] or any("all" in one.shared_with for one in members["volumes"])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a source with options that go with it."""
    members = draw(sources())
    stored = not members["volumes"]
    options: list[str] = []
    permissions = draw(st.sampled_from(["carry", "carry", "none", "share"]))
    if permissions == "none":
        options += ["--no-permissions"]
    elif permissions == "share":
        options += ["--share", STRANGER, "--share", UNIT, "--share", SOMEBODY]
    labels = draw(st.sampled_from(["carry", "carry", "none", "one more"]))
    if labels == "none":
        options += ["--no-tags"]
    full = FIFTY in (members["tags"], *(one.tags for one in members["volumes"]))
    if labels == "none" or (labels == "one more" and not full):
        options += ["--tag", "Release=1", "--tag", "Empty="]
    if not stored and (not _is_public(members) or permissions == "none") and draw(st.booleans()):
        options += draw(
            st.sampled_from([["--encrypt"], ["--kms-key", "alias/web"], ["--kms-key", f"{EAST}={KEY}", "--encrypt"]])
        )
    dated = draw(st.sampled_from(["carry", "carry", "none", "after"]))
    if dated == "none":
        options += ["--no-deprecation"]
    elif dated == "after":
        options += ["--deprecate-after", f"{draw(st.integers(1, 3000))}d"]
    options += draw(st.sampled_from([[], [], ["--protect"], ["--protect=cooldown"], ["--protect=source"]]))
    options += draw(st.sampled_from([[], ["--description", "copied to {region}"], ["--name", "copy-of-{source_id}"]]))
    return Case(members=members, options=tuple(options))


# What a hand does to a copy


@dataclass(frozen=True, kw_only=True)
class Hand:
    """One change to one copy, what verify is to say of it, and whether that can be undone in place."""

    what: str  # lacks, lasts, wider or tags
    word: str
    do: Callable[[], object]


def hands(world: World, source: Image, copy: Image, options: tuple[str, ...]) -> Iterator[Hand]:
    """Yield every change that there is to make to this copy."""
    snapshots = snapshots_of(world, copy)
    yield from _tagging(copy)
    for snapshot in snapshots.values():
        yield from _tagging(snapshot)
    yield from _sharing(copy.launch_permissions)
    for snapshot in snapshots.values():
        yield from _sharing(snapshot.shared_with)
    yield from _dating(copy)
    if copy.protection != "disabled":
        yield Hand(what="lacks", word="protection", do=lambda: setattr(copy, "protection", "disabled"))
    if "--description" in options:
        yield Hand(what="lacks", word="description", do=lambda: setattr(copy, "description", "another"))
    if "--name" in options:
        yield Hand(what="lasts", word="name", do=lambda: setattr(copy, "name", "another"))
    yield from _attributes(copy)
    yield from _devices(source, copy, encrypted="--encrypt" in options)
    if "--kms-key" in options:
        for device, snapshot in snapshots.items():
            if snapshot.kms_key_id.endswith(KEY) and (copy.region == EAST or "alias/web" in options):
                yield Hand(what="lasts", word=f"the key of {device}", do=_setter(snapshot, "kms_key_id", "arn:another"))


def _setter(record: object, name: str, value: object) -> Callable[[], object]:
    return lambda: setattr(record, name, value)


def _tagging(resource: Image | Snapshot) -> Iterator[Hand]:
    for key in list(resource.tags)[:6]:
        yield Hand(what="lacks", word=key, do=partial(resource.tags.pop, key))
        yield Hand(what="lacks", word=key, do=partial(resource.tags.update, {key: "another value"}))
    yield Hand(what="tags", word=ADDED, do=partial(resource.tags.update, {ADDED: ""}))


def _sharing(people: set[str]) -> Iterator[Hand]:
    for who in sorted(people):
        yield Hand(what="lacks", word="public" if who == "all" else who, do=partial(people.discard, who))
    yield Hand(what="wider", word="999988887777", do=partial(people.add, "999988887777"))
    if "all" not in people:
        yield Hand(what="wider", word="public", do=partial(people.add, "all"))


def _dating(copy: Image) -> Iterator[Hand]:
    if copy.deprecate_at is not None:
        for date in (None, copy.deprecate_at + timedelta(days=40), copy.deprecate_at - timedelta(hours=1)):
            yield Hand(what="lacks", word="deprecat", do=_setter(copy, "deprecate_at", date))


def _attributes(copy: Image) -> Iterator[Hand]:
    other: dict[str, tuple[str, Any]] = {
        "Architecture": ("architecture", "i386"),
        "BootMode": ("boot_mode", "" if copy.boot_mode else "uefi"),
        "EnaSupport": ("ena", not copy.ena),
        "SriovNetSupport": ("sriov", "" if copy.sriov else "simple"),
        "TpmSupport": ("tpm", "" if copy.tpm else "v2.0"),
        "Platform": ("platform", "" if copy.platform else "windows"),
        "PlatformDetails": ("platform_details", "SUSE Linux"),
        "UsageOperation": ("usage_operation", "RunInstances:000g"),
        "VirtualizationType": ("virtualization_type", "paravirtual"),
    }
    for word, (name, value) in other.items():
        yield Hand(what="lasts", word=word, do=_setter(copy, name, value))
    if copy.imds:
        yield Hand(what="lacks", word="IMDS support", do=_setter(copy, "imds", ""))


def _devices(source: Image, copy: Image, *, encrypted: bool) -> Iterator[Hand]:
    for number, device in enumerate(copy.devices):
        yield Hand(what="lasts", word=f"device {device.name}", do=partial(copy.devices.remove, device))
        if device.is_ebs:
            other: dict[str, Any] = {
                "gib": (device.gib or 0) + 1,
                "volume_type": "sc1",
                "iops": 7777,
                "throughput": 999,
                "delete_on_termination": not device.delete_on_termination,
            }
            for name, value in other.items():
                yield Hand(what="lasts", word=f"device {device.name}", do=_setter(device, name, value))
        if device.snapshot_id and device.encrypted and (encrypted or source.devices[number].encrypted):
            yield Hand(what="lasts", word=f"encryption of {device.name}", do=_setter(device, "encrypted", False))


def chosen(every: list[Hand], case: Case, spot: int) -> Hand:
    """Return one of the changes, each kind as likely as the other: sources that are alike are not changed alike."""
    number = crc32(repr((case.options, sorted(case.members["tags"]), len(case.members["volumes"]), spot)).encode())
    kinds = sorted({hand.what for hand in every})
    some = [hand for hand in every if hand.what == kinds[number % len(kinds)]]
    return some[number // len(kinds) % len(some)]


# Running


class Scene:
    """A fresh world with one source in it, and commands run against it."""

    def __init__(self, served: Sandbox, case: Case) -> None:
        self.clock = FakeClock()
        self.world = served.reset(clock=self.clock)
        if (
            "--encrypt" in case.options
            or "--kms-key" in case.options
            or any(one.encrypted for one in case.members["volumes"])
        ):
            self._make_keys()
        self.source = self.world.register(HOME, **case.members)

    def _make_keys(self) -> None:
        for region in REGIONS:
            backend = kms_backends[DEFAULT_ACCOUNT][region]
            key = backend.create_key("", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
            backend.keys[KEY] = backend.keys.pop(key.id)
            key.id, key.arn = KEY, f"arn:aws:kms:{region}:{DEFAULT_ACCOUNT}:key/{KEY}"
            backend.create_alias(KEY, "alias/web")
            self.world.settings(region).default_kms_key = key.arn

    def run(self, *argv: str) -> Ran:
        """Run a command; return what it said and how it ended."""
        out, err = io.StringIO(), io.StringIO()
        self.world.requests.clear()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv, Environment(clock=self.clock, drive=one_after_another, stop=Stop()))
        return Ran(code, out.getvalue(), err.getvalue())

    def copy(self, options: tuple[str, ...]) -> Ran:
        """Run ``copy`` into both regions."""
        return self.run("copy", self.source.image_id, "--to", ",".join(REGIONS), *options)

    def verify(self, *options: str) -> Ran:
        """Run ``verify`` on both regions."""
        return self.run("verify", self.source.image_id, "--in", ",".join(REGIONS), "--output", "json", *options)

    def check_what_the_world_holds(self, options: tuple[str, ...]) -> None:
        """Compare the copies with their source, without asking amicopy."""
        asked = {STRANGER, UNIT, SOMEBODY}
        sources = snapshots_of(self.world, self.source)
        for region in REGIONS:
            [copy] = self.world.images(region)
            people = set[str]() if "--no-permissions" in options else self.source.launch_permissions
            assert copy.launch_permissions == (asked if "--share" in options else people)
            if "--no-tags" not in options:
                assert {**self.source.tags, **copy.tags} == copy.tags
            for device, snapshot in snapshots_of(self.world, copy).items():
                readers = set[str]() if "--no-permissions" in options else sources[device].shared_with
                assert snapshot.shared_with == (readers & asked if "--share" in options else readers)
                assert snapshot.encrypted or not ("--encrypt" in options or sources[device].encrypted)
                if "--no-tags" not in options:
                    assert {**sources[device].tags, **snapshot.tags} == snapshot.tags

    def remembered(self) -> Any:
        """Return all that can be written of the copies."""
        return [
            (
                dict(one.tags),
                set(one.launch_permissions),
                one.deprecate_at,
                one.description,
                one.protection,
                [(dict(some.tags), set(some.shared_with)) for some in snapshots_of(self.world, one).values()],
            )
            for region in REGIONS
            for one in self.world.images(region)
        ]


RICH = Case(
    members={
        "name": "web",
        "description": None,
        "tags": {"Team": "web", "Empty": "", "Größe": "ü"},
        "launch_permissions": set(PEOPLE),
        "volumes": [
            Volume(device="/dev/sda1", tags={"Disk": "root"}, shared_with=frozenset({SOMEBODY})),
            Volume(device="/dev/sdb", tags=FIFTY, shared_with=frozenset({SOMEBODY, OTHERS, "all"}), volume_type="io1"),
            Volume(device="/dev/sdc", blank=True),
        ],
        "ephemeral": ("/dev/sdf",),
        "deprecate_at": START + timedelta(days=5),
    },
    options=("--protect",),
)


@settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@example(case=RICH, spot=1)
@example(case=RICH, spot=14)
@given(case=cases(), spot=st.integers(0, 9999))
def test_copies_are_faithful_until_a_hand_changes_one_and_again_once_repaired(
    sandbox: Sandbox, case: Case, spot: int
) -> None:
    scene = Scene(sandbox, case)

    ran = scene.copy(case.options)
    assert ran.code == 0, ran.err
    scene.check_what_the_world_holds(case.options)
    verified = scene.verify(*case.options)
    assert (verified.code, writes(scene.world)) == (0, []), verified.out
    assert [one["verdict"] for one in verified.json["copies"]] == ["faithful", "faithful"]
    assert [one["differences"] + one["extras"] for one in verified.json["copies"]] == [[], []]
    again = scene.copy(case.options)
    assert (again.code, again.out, writes(scene.world)) == (0, ran.out.replace(" done", " unchanged"), []), again.err

    before = scene.remembered()
    [copy] = scene.world.images(REGIONS[spot % 2])
    hand = chosen(list(hands(scene.world, scene.source, copy, case.options)), case, spot)
    note(f"by hand: {hand}")
    hand.do()

    found = scene.verify(*case.options)
    by_id = {one["image_id"]: one for one in found.json["copies"]}
    changed = by_id.pop(copy.image_id)
    [other] = by_id.values()
    assert (found.code, writes(scene.world)) == (0 if hand.what == "tags" else 4, []), found.out
    assert (other["verdict"], other["differences"], other["extras"]) == ("faithful", [], [])
    assert changed["verdict"] == ("faithful" if hand.what == "tags" else "differs")
    named = changed["extras" if hand.what in {"tags", "wider"} else "differences"]
    assert len(changed["differences"] + changed["extras"]) == len(named) == 1
    assert hand.word in json.dumps(named, ensure_ascii=False) or repr(hand.word)[1:-1] in str(named)
    if named is changed["differences"]:
        assert named[0]["repairable"] is (hand.what == "lacks")

    repaired = scene.verify("--repair", "--prune", "--yes", *case.options)
    if hand.what == "lasts":
        assert (repaired.code, writes(scene.world)) == (4, []), repaired.out
    else:
        assert (repaired.code, scene.remembered(), len(writes(scene.world))) == (0, before, 1), repaired.err
        assert repaired.json["copies"] == verified.json["copies"]
