"""Sequences at random: the same seed, the same sequence."""

import random

from tests.support.among.steps import (
    DESTINATIONS,
    HOMES,
    WEST,
    Deed,
    Fault,
    Interrupt,
    Kill,
    Place,
    Scheduled,
    Sequence,
    Start,
    Step,
    Wait,
)
from tests.support.torture import ALICE, BOB, CAROL, HOME

# What each team wants of its copies; now and then a team changes its mind.
REQUESTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "A": ((), (), ("--tag", "Team=a"), ("--share", BOB)),
    "B": (
        (),
        ("--tag", "Team=b"),
        ("--tag", "Team=b"),
        ("--share", CAROL),
        ("--no-permissions",),
        ("--name", "other"),
        ("--no-permissions", "--encrypt"),
        ("--kms-key", "alias/team-b"),
        ("--adopt",),
        ("--adopt", "--tag", "Team=b"),
        ("--no-tags",),
    ),
}
_COPY_OPTIONS = (
    ("--no-wait",),
    ("--no-wait",),
    ("--on-interrupt", "cancel"),
    ("--on-interrupt", "cancel"),
    ("--on-failure", "cancel"),
    ("--share-when", "all"),
    ("--timeout", "1m"),
    ("--max-in-flight", "1"),
    ("--no-preflight",),
    ("--dry-run",),
)
_VERIFY_OPTIONS = ((), ("--repair",), ("--repair",), ("--repair", "--prune", "--yes"))
_CANCEL_OPTIONS: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("--available",),
    ("--available",),
    ("--all-pending",),
    ("--copy",),
    ("--copy", "--available"),
)
_SKEWS = (0, 0, 0, 0, 3, -3, 30, -30, 300, -300)

COPY_DEEDS = (
    "a person copies by hand",
    "a person copies by hand",
    "a person copies by hand with the tags",
    "a person copies a copy by hand with its tags",
    "a person deregisters a copy",
    "a person deregisters a copy with its snapshots",
    "a person disables a copy",
    "a person enables a copy",
    "a person shares a copy",
    "a person unshares a copy",
    "a person shares a snapshot of a copy",
    "a person unshares a snapshot of a copy",
    "a person tags a copy",
    "a person removes our tag from a copy",
    "a person removes our tag from a copy and its snapshots",
    "a person puts our tag on a copy",
    "a person protects a copy",
    "a person ends the protection of a copy",
    "a person deprecates a copy",
    "a person registers an image with our tag",
    "a backup service copies",
    "another account launches from a copy",
    "another account copies a copy",
)
SOURCE_DEEDS = (
    "the source is shared",
    "the source is unshared",
    "the source is unshared",
    "a snapshot of the source is shared",
    "a snapshot of the source is unshared",
    "the source is tagged",
    "the source loses a tag",
    "a snapshot of the source is tagged",
    "the source is deregistered",
    "the source is disabled",
    "the source is enabled",
    "the other account takes its source back",
    "the other account shares its source again",
)


def draw(seed: int) -> Sequence:
    """Return the sequence of a seed."""
    chance = random.Random(seed)
    place = Place(
        unseen_id=chance.choice(("not-found", "empty", "alternate")),
        dead_token=chance.choice(("same-id", "error")),
        bare=chance.random() < 0.5,
        lingers=chance.random() < 0.3,
        visible_after=chance.choice((0.0, 0.5, 0.5, 25.0, 200.0)),
        listed_after=chance.choice((0.0, 0.4, 12.0, 25.0)),
        copy_seconds=chance.choice((3.0, 60.0, 60.0, 600.0)),
        golden_copied_by=chance.choice(("amicopy", "amicopy", "a person", "a backup service")),
    )
    # What happens to one source in one region is where promises break.
    source = chance.choice(("web", "web", "web", "middle", "foreign", "golden"))
    steps = tuple(
        Scheduled(turns=chance.choice((0, 0, 1, 2, 5, 10, 20, 40, 80, 150)), step=_step(chance, source))
        for _ in range(chance.randint(6, 18))
    )
    first = Scheduled(turns=0, step=_start(chance, source))
    return Sequence(seed=seed, place=place, steps=(first, *steps))


def _step(chance: random.Random, source: str) -> Step:
    kind = chance.random()
    if kind < 0.33:
        return _start(chance, source)
    if kind < 0.40:
        return Kill(number=chance.randint(0, 2))
    if kind < 0.46:
        return Interrupt(number=chance.randint(0, 2))
    if kind < 0.53:
        return Wait(seconds=chance.choice((1.0, 20.0, 90.0, 400.0, 8000.0)))
    if kind < 0.57:
        fate = chance.choice(("fail:Client.InternalError: no", "fail", "flap:2", "vanish"))
        return Fault(text=f"copy@{_region(chance)}={fate}")
    if kind < 0.60:
        return Fault(text=f"CopyImage@{_region(chance)}=lost")
    about, region = _source(chance, source), _region(chance)
    return Deed(
        what=chance.choice(SOURCE_DEEDS if kind < 0.73 else COPY_DEEDS),
        source=about,
        region=HOME if (about, region) == ("golden", WEST) else region,
        which=chance.randint(0, 2),
        detail=chance.choice((ALICE, BOB, CAROL, "all")),
    )


def _start(chance: random.Random, source: str) -> Start:
    team = chance.choice("AB")
    command = chance.choice(("copy",) * 7 + ("verify",) * 3 + ("cancel",) * 3 + ("sync", "status"))
    request = chance.choice(REQUESTS[team])
    options: tuple[str, ...] = ()
    if command == "copy":
        chosen = chance.sample(_COPY_OPTIONS, chance.choice((0, 1, 1, 2)))
        options = tuple(word for one in dict.fromkeys(chosen) for word in one)
    elif command == "verify":
        options = chance.choice(_VERIFY_OPTIONS)
    elif command == "cancel":
        options, request = chance.choice(_CANCEL_OPTIONS), ()
    elif command == "sync":
        options = chance.choice(((), ("--no-wait",), ("--on-interrupt", "cancel"), ("keep",)))
        request = () if "--kms-key" in request else request
    elif command == "status":
        request = ()
    sources: tuple[str, ...] = (_source(chance, source),)
    if chance.random() < 0.15 and sources != ("golden",):
        sources = tuple(dict.fromkeys((*sources, chance.choice(("web", "middle")))))
    regions: tuple[str, ...] = DESTINATIONS if chance.random() < 0.3 else (_region(chance),)
    if sources == ("golden",):
        regions = tuple(HOME if region == WEST else region for region in regions)
    if "--all-pending" in options:
        regions = DESTINATIONS
    elif command == "cancel" and chance.random() < 0.4:  # "all" has the source's own region, too
        regions = (*regions, HOMES[sources[0]])
    return Start(
        team=team,
        command=command,
        sources=sources,
        regions=regions,
        request=request,
        options=options,
        skew_seconds=chance.choice(_SKEWS),
    )


def _source(chance: random.Random, usual: str) -> str:
    return usual if chance.random() < 0.85 else chance.choice(("web", "middle", "foreign", "golden"))


def _region(chance: random.Random) -> str:
    return WEST if chance.random() < 0.8 else chance.choice(DESTINATIONS)
