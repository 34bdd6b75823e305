"""Copies made from other copies: cheaper, still exactly one per region, never from what only tags vouch for."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from amicopy.core.clock import Clock
from amicopy.core.events import CopyStarted, Event
from amicopy.core.parallel import Stop
from amicopy.execute.lane import Lane
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import FakeClock, one_after_another
from tests.support.manifests import a_manifest
from tests.support.scenes import (
    EAST,
    HOME,
    OTHERS,
    SOMEBODY,
    TAG,
    WEST,
    a_source,
    asked,
    driven,
    finished_by_hand,
    order,
    orphans,
    row,
    slow,
    snapshots_of,
    the_copy,
    writes,
)

SOUTH, INDIA = "sa-east-1", "ap-south-1"
VIA, HUB = "amicopy:via", "amicopy:hub"
ALL = (HOME, WEST, EAST)


def a_southern_source(world: World, **members: object) -> Image:
    """Register a source where transfer is expensive."""
    return a_source(world, SOUTH, **{"volumes": [Volume(device="/dev/sda1", gib=24)], **members})


def copy(amicopy: Run, source: Image, *arguments: str, to: Sequence[str] = ALL) -> Ran:
    """Copy it."""
    return amicopy("copy", source.image_id, "--from", source.region, "--to", ",".join(to), *arguments)


def origins(world: World, regions: Sequence[str] = ALL) -> dict[str, str]:
    """Return, by region, what EC2 says that the only image there was copied from."""
    images = [the_copy(world, region) for region in regions]
    return {image.region: f"{image.source_image_region}/{image.source_image_id}" for image in images}


def reference(image: Image) -> str:
    """Return an image's region and id, as our tags have them."""
    return f"{image.region}/{image.image_id}"


# The way of a copy


def test_by_way_of_a_hub_each_region_has_one_copy_that_is_as_the_source(amicopy: Run, world: World) -> None:
    """A8 (3): lineage leads to the hub, our tag and everything else to the root."""
    source = a_southern_source(world, tags={"Name": "web"}, launch_permissions={SOMEBODY, OTHERS})
    for snapshot in snapshots_of(world, source).values():
        snapshot.shared_with, snapshot.tags = {SOMEBODY}, {"Disk": "root"}
    ran = copy(amicopy, source, "--route", "cheapest")
    assert ran.code == 0, ran.err
    hub = the_copy(world, HOME)
    assert origins(world) == {HOME: reference(source), WEST: reference(hub), EAST: reference(hub)}
    for region in ALL:
        made = the_copy(world, region)
        assert (made.tags[TAG], made.tags["Name"]) == (reference(source), "web")
        assert made.launch_permissions == {SOMEBODY, OTHERS}
        assert [one.shared_with for one in snapshots_of(world, made).values()] == [{SOMEBODY}]
        assert [one.tags for one in snapshots_of(world, made).values()] == [{"Disk": "root", TAG: reference(source)}]
        assert made.tags.get(VIA) == (None if region == HOME else reference(hub))
    assert hub.tags[HUB] == "yes"


def test_every_command_recognizes_them(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    copy(amicopy, source, "--route", "cheapest")
    world.requests.clear()
    again = copy(amicopy, source, "--route", "cheapest")
    assert (again.code, again.err, writes(world)) == (0, "nothing to do: 3 copies are up to date\n", [])
    assert copy(amicopy, source).err == "nothing to do: 3 copies are up to date\n"
    about = (source.image_id, "--from", SOUTH)
    status = amicopy("status", *about, "--output", "json").json
    assert {one["region"]: one["state"] for one in status["copies"]} == dict.fromkeys(ALL, "available")
    verified = amicopy("verify", *about, "--output", "json")
    assert (verified.code, len(verified.json["copies"])) == (0, 3)
    assert amicopy("cancel", *about, "--in", "all", "--available", "--yes").code == 0
    assert [world.images(region) for region in ALL] == [[]] * 3
    assert [orphans(world, region) for region in ALL] == [[]] * 3


def test_what_they_are_compared_with_is_the_source_and_not_the_hub(amicopy: Run, world: World) -> None:
    source = a_southern_source(world, tags={"Name": "web"}, launch_permissions={SOMEBODY})
    copy(amicopy, source, "--route", "cheapest")
    the_copy(world, HOME).tags["Name"] = "changed by hand"
    the_copy(world, HOME).launch_permissions.add(OTHERS)
    assert amicopy("verify", source.image_id, "--from", SOUTH, "--in", f"{WEST},{EAST}").code == 0
    del the_copy(world, WEST).tags["Name"]
    ran = amicopy("verify", source.image_id, "--from", SOUTH, "--in", WEST, "--repair")
    assert (ran.code, the_copy(world, WEST).tags["Name"]) == (0, "web")


def test_prune_leaves_our_tags(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    copy(amicopy, source, "--route", "cheapest")
    the_copy(world, WEST).tags["extra"] = "x"
    about = (source.image_id, "--from", SOUTH, "--in", f"{HOME},{WEST}", "--repair", "--prune", "--yes")
    assert amicopy("verify", *about).code == 0
    assert ("extra" in the_copy(world, WEST).tags, VIA in the_copy(world, WEST).tags) == (False, True)
    assert HUB in the_copy(world, HOME).tags


def test_a_region_that_is_added_later_is_copied_from_the_cheapest_copy_at_once(amicopy: Run, world: World) -> None:
    """A8 (8)."""
    source = a_southern_source(world)
    copy(amicopy, source)
    ran = copy(amicopy, source, "--route", "cheapest", "--output", "json", to=(*ALL, INDIA))
    assert origins(world, [INDIA]) == {INDIA: reference(the_copy(world, EAST))}
    assert the_copy(world, EAST).tags[HUB] == "yes"  # so that `cancel` and `keep` look before they remove it
    assert (row(ran, INDIA)["from_region"], row(ran, INDIA)["estimate"]["transfer"]) == (EAST, "0.48")


def test_a_copy_that_somebody_else_made_serves_as_well_and_is_not_written_to(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_southern_source(world)
    finished_by_hand(world, clock, source, HOME)
    assert copy(amicopy, source, "--route", "cheapest", to=(HOME, WEST)).code == 0
    assert origins(world, [WEST]) == {WEST: reference(the_copy(world, HOME))}
    assert the_copy(world, HOME).tags == {}


def test_urgent_regions_do_not_wait(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    assert copy(amicopy, source, "--route", f"via:{HOME}", "--direct", WEST).code == 0
    assert origins(world)[WEST] == reference(source)
    assert origins(world)[EAST] == reference(the_copy(world, HOME))


# What the plan says


def test_the_plan_says_from_where_what_it_costs_and_that_the_second_hop_waits(amicopy: Run, world: World) -> None:
    ran = copy(amicopy, a_southern_source(world), "--route", "cheapest", "--dry-run")
    assert ran.out.splitlines()[:3] == [
        f"copy  {HOME}  from {SOUTH}  no copy yet",
        f"copy  {WEST}  from {HOME}  no copy yet",
        f"copy  {EAST}  from {HOME}  no copy yet",
    ]
    assert f"note: copies from {HOME} start once the copy there is available: about twice the time" in ran.out
    assert "transfer at most 4.28 USD (direct: 9.94 USD)" in ran.out
    assert writes(world) == []


def test_without_a_route_there_is_no_column_and_one_hint_if_it_pays(amicopy: Run, world: World) -> None:
    ran = copy(amicopy, a_southern_source(world), "--dry-run")
    assert ran.out.splitlines()[0] == f"copy  {HOME}  no copy yet"
    assert [line for line in ran.out.splitlines() if "--route" in line] == [
        f"note: by way of {HOME} the transfer would cost at most 4.28 USD instead of 9.94 USD, and take about twice "
        "the time: --route cheapest"
    ]


@pytest.mark.parametrize(("region", "gib"), [(SOUTH, 2), (HOME, 5000)])
def test_there_is_no_hint_below_a_dollar_or_thirty_percent(amicopy: Run, world: World, region: str, gib: int) -> None:
    source = a_source(world, region, volumes=[Volume(gib=gib)])
    ran = copy(amicopy, source, "--dry-run", to=("us-east-2", WEST, EAST))
    assert "--route" not in ran.out


def test_the_hint_counts_the_copies_that_are_there(amicopy: Run, world: World) -> None:
    """A region that is added later has nothing to wait for, and the direct way would cost seven times as much."""
    source = a_southern_source(world)
    assert copy(amicopy, source).code == 0
    ran = copy(amicopy, source, "--dry-run", "--output", "json", to=(*ALL, INDIA))
    hint = (
        f"note: from the copy in {EAST} the transfer would cost at most 0.48 USD instead of 3.32 USD: --route cheapest"
    )
    assert hint in copy(amicopy, source, "--dry-run", to=(*ALL, INDIA)).out.splitlines()
    assert ran.json["estimate"]["cheaper"] == {
        "route": "cheapest",
        "transfer": "0.48",
        "hubs": [],
        "from_regions": [EAST],
    }
    routed = copy(amicopy, source, "--route", "cheapest", "--dry-run", "--output", "json", to=(*ALL, INDIA))
    assert routed.json["estimate"]["transfer"] == "0.48"


def test_a_copy_that_cannot_be_copied_further_makes_no_hint(amicopy: Run, world: World) -> None:
    """It is encrypted, the source is not."""
    source = a_southern_source(world)
    assert copy(amicopy, source, "--encrypt", to=(HOME,)).code == 0
    assert "--route" not in copy(amicopy, source, "--dry-run", to=(HOME, INDIA)).out


def test_copies_that_have_to_be_there_in_time_have_no_hint(amicopy: Run, world: World) -> None:
    ran = copy(amicopy, a_southern_source(world), "--dry-run", "--complete-within", "1h")
    assert (ran.code, "--route" in ran.out) == (0, False)


def test_a_hub_that_is_no_destination_is_left_out_of_the_direct_amount(amicopy: Run, world: World) -> None:
    """A route that costs more than direct copies says so, and what is paid for the hub's copy each month."""
    source = a_southern_source(world)
    direct = copy(amicopy, source, "--dry-run", "--output", "json", to=(INDIA,)).json["estimate"]["transfer"]
    assert direct == "3.312"
    ran = copy(amicopy, source, "--route", f"via:{HOME}", "--dry-run", to=(INDIA,))
    assert "transfer at most 3.80 USD (direct: 3.32 USD)" in ran.out
    assert (
        "note: this route costs more than direct copies (--route direct): transfer at most 3.80 USD instead of 3.32 USD"
        in ran.out
    )
    kept = f"note: the copy in {HOME} is there only for the route, and is kept: its storage costs at most 1.20 USD"
    assert f"{kept} a month" in ran.out
    document = copy(amicopy, source, "--route", f"via:{HOME}", "--dry-run", "--output", "json", to=(INDIA,)).json
    assert (document["estimate"]["transfer"], document["estimate"]["direct_transfer"]) == ("3.792", "3.312")
    assert document["estimate"]["cheaper"] is None


def test_a_route_that_saves_is_not_said_to_cost_more(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    ran = copy(amicopy, source, "--route", f"via:{HOME}", "--dry-run", to=(WEST, EAST))
    assert ("transfer at most 4.28 USD (direct: 6.63 USD)" in ran.out, "costs more" in ran.out) == (True, False)
    assert f"the copy in {HOME} is there only for the route" in ran.out
    ran = copy(amicopy, source, "--route", f"via:{HOME}", "--dry-run")
    assert "only for the route" not in ran.out


def test_json_has_the_direct_amount_and_the_hint(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    hinted = copy(amicopy, source, "--dry-run", "--output", "json").json["estimate"]
    assert (hinted["transfer"], hinted["direct_transfer"]) == ("9.936", "9.936")
    assert hinted["cheaper"] == {"route": "cheapest", "transfer": "4.272", "hubs": [HOME], "from_regions": []}
    routed = copy(amicopy, source, "--route", "cheapest", "--output", "json").json["estimate"]
    assert (routed["transfer"], routed["direct_transfer"], routed["cheaper"]) == ("4.272", "9.936", None)


def test_json_has_the_way(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    ran = copy(amicopy, source, "--route", "cheapest", "--dry-run", "--output", "json")
    assert [(row(ran, one)["from_region"], row(ran, one)["from_id"]) for one in ALL[:2]] == [
        (SOUTH, source.image_id),
        (HOME, None),
    ]


# Residency, bad input


def test_a_hub_is_only_a_destination_or_one_that_is_named(amicopy: Run, world: World) -> None:
    """From Tokyo to three expensive regions, us-east-1 would be cheaper; nobody has named it."""
    source = a_source(world, "ap-northeast-1", volumes=[Volume(gib=24)])
    to = ("ap-southeast-1", "ap-southeast-2", INDIA)
    assert copy(amicopy, source, "--route", "cheapest", to=to).code == 0
    assert world.images(HOME) == []
    other = a_source(world, "ap-northeast-1", name="other", volumes=[Volume(gib=24)])
    assert copy(amicopy, other, "--route", f"via:{HOME}", to=to).code == 0
    assert origins(world, [HOME]) == {HOME: reference(other)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--route", "via:us-esat-1"), "--route: unknown region 'us-esat-1'"),
        (("--route", "via:us-gov-west-1"), "--route us-gov-west-1 is in another partition than sa-east-1"),
        (("--route", "via:us-*"), "via: takes the name of one region, not 'us-*'"),
        (("--route", "via:"), "'via:' is none of direct, cheapest and via:REGION"),
        (("--route", "fastest"), "'fastest' is none of direct, cheapest and via:REGION"),
        (("--route", f"via:{SOUTH}"), f"{SOUTH} is the source region, so this is the direct route"),
        (("--direct", WEST), "--direct: it is for destinations of a route other than direct"),
        (("--route", "cheapest", "--direct", INDIA), f"--direct has {INDIA}, which is not a destination"),
        (("--route", "cheapest", "--complete-within", "1h"), "--route and --complete-within: cannot be used together"),
    ],
)
def test_a_hub_that_cannot_be_one_is_a_usage_error(
    amicopy: Run, world: World, arguments: tuple[str, ...], words: str
) -> None:
    ran = copy(amicopy, a_southern_source(world), *arguments)
    assert (ran.code, words in ran.err, world.requests) == (2, True, []), ran.err


def test_all_that_is_wrong_with_the_options_is_said_at_once(amicopy: Run, world: World, tmp_path: Path) -> None:
    """B7 (8): prices, and the regions of several options."""
    prices = tmp_path / "prices.csv"
    prices.write_text("price,region,usd\ntransfer,us-east-1,-1\nstorage,xx-east-1,cheap\n")
    wrong = ("--route", "via:xx-east-9", "--best-effort", "us-esat-1")
    ran = copy(amicopy, a_southern_source(world), "--prices", str(prices), *wrong)
    assert (ran.code, world.requests) == (2, [])
    for words in (
        "5 problems were found, so nothing was started.",
        f"{prices}:2: usd is -1; a price cannot be negative",
        f"{prices}:3: region: unknown region 'xx-east-1'",
        "--route: unknown region 'xx-east-9'",
        "--best-effort: unknown region 'us-esat-1'. Did you mean us-west-1 or us-east-1",
    ):
        assert words in ran.err, ran.err


# Trust


def test_a_forged_tag_makes_nothing_a_source(amicopy: Run, world: World) -> None:
    """A8 (6): whoever may tag must not be able to spread an image of theirs to every region."""
    source = a_southern_source(world)
    forged = a_source(world, HOME, name="web", volumes=[Volume(device="/dev/sda1", gib=24)])
    forged.tags = {TAG: reference(source), HUB: "yes"}
    ran = copy(amicopy, source, "--route", f"via:{HOME}")
    assert ran.code == 0, ran.err
    assert {one.params["SourceImageId"] for one in asked(world, "CopyImage")} == {source.image_id}


def test_forged_tags_of_a_copy_of_a_copy_prove_nothing(amicopy: Run, world: World, clock: FakeClock) -> None:
    """The copy in between is looked at: it is none of the source, whatever both are tagged."""
    source, other = a_southern_source(world), a_source(world, HOME, name="other")
    poisoned = world.image(WEST, finished_by_hand(world, clock, other, WEST))
    poisoned.tags = {TAG: reference(source), VIA: reference(other)}
    assert copy(amicopy, source, "--route", "cheapest", to=(WEST, EAST)).code == 0
    assert len(world.images(WEST)) == 2
    assert poisoned.image_id not in {one.params["SourceImageId"] for one in asked(world, "CopyImage")}
    about = (source.image_id, "--from", SOUTH, "--in", WEST, "--available", "--yes")
    assert amicopy("cancel", *about).code == 0
    assert [image.image_id for image in world.images(WEST)] == [poisoned.image_id]


def test_a_relayed_copy_is_recognized_when_its_hub_is_gone_and_is_no_source(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    copy(amicopy, source, "--route", "cheapest", to=(HOME, WEST))
    about = (source.image_id, "--from", SOUTH, "--in", HOME, "--available", "--yes")
    assert amicopy("cancel", *about).code == 0
    ran = copy(amicopy, source, "--route", "cheapest", to=(WEST, EAST))
    assert (ran.code, len(world.images(WEST))) == (0, 1)
    assert origins(world, [EAST]) == {EAST: reference(source)}


def test_tags_that_travel_with_a_copy_of_a_copy_make_it_no_copy_of_ours(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_southern_source(world)
    copy(amicopy, source, "--route", "cheapest", to=(HOME, WEST))
    made = finished_by_hand(world, clock, the_copy(world, WEST), EAST, CopyImageTags=True)
    assert copy(amicopy, source, to=(EAST,)).code == 0
    assert {made} < {image.image_id for image in world.images(EAST)}


# Encryption


def test_a_hub_that_encrypts_by_default_is_refused_before_anything_starts(amicopy: Run, world: World) -> None:
    """A8 (5): an unencrypted copy cannot be made from an encrypted one."""
    source = a_southern_source(world)
    world.settings(HOME).encryption_by_default = True
    ran = copy(amicopy, source, "--route", f"via:{HOME}")
    assert (ran.code, "Encryption by default is on there" in ran.err, writes(world)) == (1, True, [])


def test_a_hub_that_is_no_destination_and_cannot_be_shared_is_refused(amicopy: Run, world: World) -> None:
    """A8 (5) for a shared source: a hub of its own may fail, but not to save nothing without a word."""
    source = a_southern_source(world, launch_permissions={SOMEBODY})
    world.settings("ca-central-1").encryption_by_default = True
    ran = copy(amicopy, source, "--route", "via:ca-central-1", to=(INDIA,))
    assert (ran.code, writes(world)) == (1, []), ran.err
    assert f"Copies of {source.image_id} cannot be made by way of ca-central-1." in ran.err
    assert "leave out --route, or fix the problem in ca-central-1." in ran.err


@pytest.mark.parametrize("permissions", [set(), {SOMEBODY}])
def test_a_hub_in_a_region_that_is_off_is_refused(amicopy: Run, world: World, permissions: set[str]) -> None:
    source = a_southern_source(world, launch_permissions=permissions)
    ran = copy(amicopy, source, "--route", "via:af-south-1", to=(INDIA, WEST))
    assert (ran.code, writes(world)) == (1, []), ran.err
    assert "The region af-south-1 is not enabled" in ran.err
    assert f"Copies of {source.image_id} cannot be made by way of af-south-1." in ran.err
    ran = copy(amicopy, source, "--route", "via:af-south-1", "--direct", WEST, to=(WEST,))
    assert ran.code == 0, ran.err  # nothing is to be made by way of it


def test_a_standing_copy_that_cannot_be_the_hub_is_refused_or_said(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    assert copy(amicopy, source, "--encrypt", to=(HOME,)).code == 0
    ran = copy(amicopy, source, "--route", f"via:{HOME}", to=(WEST,))
    hub = the_copy(world, HOME)
    assert (ran.code, world.images(WEST)) == (1, []), ran.err
    assert f"{hub.image_id} there is encrypted, the source is not" in ran.err
    hub.source_image_id = ""
    ran = copy(amicopy, source, "--route", f"via:{HOME}", to=(WEST,))
    assert ran.code == 0, ran.err
    assert f"it is not made by way of {HOME}, but from {SOUTH}, at its price: {hub.image_id} there is not" in ran.err


def test_cheapest_chooses_another_hub_instead(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    world.settings(HOME).encryption_by_default = True
    assert copy(amicopy, source, "--route", "cheapest").code == 0
    hub = the_copy(world, WEST)
    assert origins(world) == {WEST: reference(source), HOME: reference(hub), EAST: reference(hub)}


def test_where_encryption_is_asked_for_such_a_hub_serves(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    world.settings(HOME).encryption_by_default = True
    assert copy(amicopy, source, "--route", f"via:{HOME}", "--encrypt").code == 0
    assert origins(world)[WEST] == reference(the_copy(world, HOME))


def test_an_encrypted_source_can_be_copied_by_way_of_any_hub(amicopy: Run, world: World) -> None:
    source = a_southern_source(world, volumes=[Volume(gib=8, encrypted=True)])
    world.settings(HOME).encryption_by_default = True
    assert copy(amicopy, source, "--route", f"via:{HOME}").code == 0
    assert origins(world)[WEST] == reference(the_copy(world, HOME))


def test_a_standing_copy_that_is_encrypted_where_the_source_is_not_is_no_source(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    assert copy(amicopy, source, "--encrypt", to=(HOME,)).code == 0
    assert copy(amicopy, source, "--route", "cheapest", to=(HOME, WEST)).code == 0
    assert origins(world, [WEST]) == {WEST: reference(source)}


def test_a_hub_that_turns_out_to_be_encrypted_is_not_used(
    capsys: pytest.CaptureFixture[str], world: World, clock: FakeClock
) -> None:
    """The setting was changed between the plan and the copy."""
    source = a_southern_source(world)

    def switched_on(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        world.settings(HOME).encryption_by_default = True
        yield from one_after_another(lanes, clock, stop)

    route = ("--from", SOUTH, "--to", ",".join(ALL), "--route", f"via:{HOME}")
    ran = driven(capsys, clock, switched_on, "copy", source.image_id, *route)
    words = "so this copy is made from the source: its transfer costs at most 3.32 USD instead of 0.48 USD"
    assert (ran.code, words in ran.err) == (0, True)
    assert origins(world, [WEST, EAST]) == dict.fromkeys((WEST, EAST), reference(source))


# No room for the tags


def test_a_source_with_as_many_tags_as_there_can_be_is_copied_directly(amicopy: Run, world: World) -> None:
    source = a_southern_source(world, tags={f"key-{number}": "x" for number in range(49)})
    assert copy(amicopy, source, "--route", f"via:{HOME}").code == 0
    assert set(origins(world).values()) == {reference(source)}


# Hubs that fail, hang, or are still pending


def test_when_the_hub_fails_all_others_are_copied_directly(amicopy: Run, world: World, tmp_path: Path) -> None:
    """A8 (7), for a hub that is a destination itself: only that one has failed, and every output has the real price."""
    source = a_southern_source(world)
    order(world, f"copy@{HOME}=fail:Client.InternalError: no luck")
    page = tmp_path / "page.html"
    ran = copy(amicopy, source, "--route", f"via:{HOME}", "--html", str(page), "--output", "json")
    assert (ran.code, row_states(amicopy, source)) == (3, {HOME: "failed", WEST: "available", EAST: "available"})
    assert origins(world, [WEST, EAST]) == dict.fromkeys((WEST, EAST), reference(source))
    note = (
        f"the copy in {HOME} has failed, so this copy is made from the source: its transfer costs at most 3.32 USD "
        "instead of 0.48 USD"
    )
    for region in (WEST, EAST):
        assert f"{region}  note: {note}" in ran.err
        made = row(ran, region)
        assert (made["from_region"], made["from_id"], made["notes"][-1]) == (SOUTH, source.image_id, note)
        assert made["estimate"]["transfer"] == "3.312"
    assert ran.json["estimate"]["transfer"] == "9.936"
    total = f"note: {WEST}, {EAST} were copied from {SOUTH} instead of {HOME}: the transfer costs at most 9.94 USD"
    assert f"{total} in all instead of at most 4.28 USD" in ran.err
    written = page.read_text()
    assert ("transfer at most 9.94 USD" in written, "4.28" in written, note in written) == (True, False, True)


def test_a_run_whose_hub_is_available_says_what_each_copy_was_made_from(
    amicopy: Run, world: World, tmp_path: Path
) -> None:
    source = a_southern_source(world)
    page = tmp_path / "page.html"
    ran = copy(amicopy, source, "--route", "cheapest", "--html", str(page), "--output", "json")
    hub = the_copy(world, HOME)
    assert [(row(ran, one)["from_region"], row(ran, one)["from_id"]) for one in ALL] == [
        (SOUTH, source.image_id),
        (HOME, hub.image_id),
        (HOME, hub.image_id),
    ]
    assert (ran.json["estimate"]["transfer"], "instead of" in ran.err) == ("4.272", False)
    assert f"made from</span> {reference(hub)}" in page.read_text()


def test_a_hub_that_is_no_destination_may_fail_twice_and_the_run_succeeds(amicopy: Run, world: World) -> None:
    """A8 (7)."""
    source = a_southern_source(world)
    for region in (WEST, EAST):
        order(world, f"copy@{HOME}=fail:Client.InternalError: no luck")
        ran = copy(amicopy, source, "--route", f"via:{HOME}", "--output", "json", to=(region,))
        assert (ran.code, "error (best effort)" in ran.err) == (0, True)
        assert f"{region}  note: the copy in {HOME} has failed, so this copy is made from the source" in ran.err
        assert f"note: {region} was copied from {SOUTH} instead of {HOME}: the transfer costs" in ran.err
        assert (row(ran, region)["from_region"], row(ran, region)["estimate"]["transfer"]) == (SOUTH, "3.312")
    assert origins(world, [WEST, EAST]) == dict.fromkeys((WEST, EAST), reference(source))
    assert copy(amicopy, source, "--route", f"via:{HOME}", to=(WEST, EAST)).code == 0
    assert len(world.images(HOME)) == 1  # the third attempt has replaced both


def test_an_unknown_price_of_the_way_around_is_said(amicopy: Run, world: World) -> None:
    world.opt_in("mx-central-1")
    source = a_source(world, "mx-central-1", volumes=[Volume(gib=24)])
    order(world, f"copy@{HOME}=fail:Client.InternalError: no luck")
    ran = amicopy("copy", source.image_id, "--from", source.region, "--to", f"{HOME},{WEST}", "--route", f"via:{HOME}")
    assert "so this copy is made from the source: the price of a transfer from mx-central-1 is unknown" in ran.err
    assert "the transfer costs an unknown amount in all instead of an unknown amount" in ran.err


def row_states(amicopy: Run, source: Image) -> dict[str, str]:
    """Return the state of each copy by region."""
    found = amicopy("status", source.image_id, "--from", source.region, "--output", "json").json
    return {one["region"]: one["state"] for one in found["copies"]}


def test_a_hub_that_hangs_holds_nobody_up_for_longer_than_its_patience(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    order(world, f"copy@{HOME}=stuck")
    ran = copy(amicopy, source, "--route", f"via:{HOME}", "--timeout", "2h")
    assert (ran.code, f"the copy in {HOME} is still not available after 45 minutes" in ran.err) == (5, True)
    ran = copy(amicopy, a_southern_source(world, name="short"), "--route", f"via:{HOME}", "--timeout", "1s")
    assert f"{WEST}  not started when the timeout was reached: it waits for the copy in {HOME}\n" in ran.err
    assert f"  {WEST}  not started: it waits for the copy in {HOME}  of {SOUTH}/" in ran.err
    assert origins(world, [WEST, EAST]) == dict.fromkeys((WEST, EAST), reference(source))


def test_a_hub_that_does_not_answer_holds_nobody_up(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    slow(world, 600)
    order(world, f"DescribeImages@{HOME}=503*500 after 3")
    ran = copy(amicopy, source, "--route", f"via:{HOME}", to=(HOME, WEST))
    assert origins(world, [WEST]) == {WEST: reference(source)}, ran.err


def test_nobody_begins_before_the_hub_is_available_and_ticks_continue(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    """A8 (9)."""
    source = a_southern_source(world)
    slow(world, 600)
    tick = ("--route", "cheapest", "--no-wait", "--exit-code")
    ran = copy(amicopy, source, *tick)
    assert ran.code == 5
    for region in (WEST, EAST):
        assert f"{region}  not started: it waits for the copy in {HOME}\n" in ran.err
    assert "EC2 keeps copying 1 copy, 2 copies not started yet; to complete them: amicopy copy" in ran.err
    assert [len(world.images(region)) for region in ALL] == [1, 0, 0]
    clock.advance(60)
    ran = copy(amicopy, source, *tick, "--output", "json")
    assert (ran.code, [len(world.images(region)) for region in ALL]) == (5, [1, 0, 0])
    assert row(ran, WEST)["left"] == "no-wait"
    clock.advance(600)
    assert copy(amicopy, source, *tick).code == 5
    assert origins(world) == {HOME: reference(source), **dict.fromkeys((WEST, EAST), reference(the_copy(world, HOME)))}
    clock.advance(660)
    assert copy(amicopy, source, *tick).code == 0
    assert copy(amicopy, source, *tick).err == "nothing to do: 3 copies are up to date\n"


def test_a_hub_that_has_been_pending_for_long_is_not_waited_for(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_southern_source(world)
    slow(world, 7200)
    copy(amicopy, source, "--route", "cheapest", "--no-wait")
    clock.advance(3600)
    ran = copy(amicopy, source, "--route", "cheapest", "--dry-run", "--output", "json")
    assert row(ran, WEST)["from_region"] == EAST or row(ran, WEST)["from_region"] == SOUTH
    assert HOME not in {row(ran, region)["from_region"] for region in (WEST, EAST)}


def test_a_hub_that_vanishes_after_the_plan_is_gone_around(
    capsys: pytest.CaptureFixture[str], world: World, clock: FakeClock, amicopy: Run
) -> None:
    source = a_southern_source(world)
    copy(amicopy, source, to=(HOME,))
    gone = the_copy(world, HOME)

    def without_it(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        world.call("DeregisterImage", {"ImageId": gone.image_id}, region=HOME)
        yield from one_after_another(lanes, clock, stop)

    route = ("--from", SOUTH, "--to", f"{HOME},{WEST}", "--route", "cheapest")
    ran = driven(capsys, clock, without_it, "copy", source.image_id, *route)
    assert (ran.code, origins(world, [WEST])) == (0, {WEST: reference(source)}), ran.err
    assert f"{reference(gone)} cannot be copied (" in ran.err
    assert f"note: {WEST} was copied from {SOUTH} instead of {HOME}" in ran.err
    assert VIA not in the_copy(world, WEST).tags


# Exactly once, whatever the route


@pytest.mark.parametrize("again", ["direct", "cheapest", f"via:{HOME}"])
def test_another_route_makes_no_second_copy(amicopy: Run, world: World, again: str) -> None:
    source = a_southern_source(world)
    slow(world, 600)
    copy(amicopy, source, "--route", f"via:{WEST}", "--timeout", "15m")
    assert copy(amicopy, source, "--route", again).code == 0
    assert [len(world.images(region)) for region in ALL] == [1, 1, 1]


def test_a_reply_that_is_lost_and_another_route_make_no_second_copy(amicopy: Run, world: World) -> None:
    """EC2 remembers the token with the other source, and does not show the copy yet."""
    source = a_southern_source(world)
    copy(amicopy, source, to=(HOME,))
    slow(world, 600)
    made = copied_by_hand_with_our_token(amicopy, world, source)
    ran = copy(amicopy, source, "--route", "cheapest", to=(HOME, WEST))
    assert (ran.code, [image.image_id for image in world.images(WEST)]) == (0, [made]), ran.err


def copied_by_hand_with_our_token(amicopy: Run, world: World, source: Image) -> str:
    """Start the direct copy to a region and hide it for a while, as EC2 may; return its id."""
    world.state.timing = world.state.timing.__class__(copy_seconds=600, visible_after=90)
    copy(amicopy, source, "--no-wait", to=(WEST,))
    [image_id] = world.state.images[WEST]
    return image_id


# A hub that is in use stays


def a_run_with_pending_second_hops(amicopy: Run, world: World, clock: FakeClock, source: Image) -> Image:
    """Let the hub be available while the others are being copied from it; return it."""
    slow(world, 600)
    tick = ("--route", "cheapest", "--no-wait")
    copy(amicopy, source, *tick)
    clock.advance(660)
    copy(amicopy, source, *tick)
    clock.advance(30)
    return the_copy(world, HOME)


def test_cancel_leaves_a_hub_while_others_are_copied_from_it(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_southern_source(world)
    hub = a_run_with_pending_second_hops(amicopy, world, clock, source)
    cancel = ("cancel", source.image_id, "--from", SOUTH, "--available", "--yes", "--in")
    ran = amicopy(*cancel, HOME)
    assert f"copies in {WEST}, {EAST} are being made from it" in ran.out + ran.err
    assert [image.image_id for image in world.images(HOME)] == [hub.image_id]
    by_id = amicopy("cancel", "--copy", hub.image_id, "--in", HOME, "--available", "--yes")
    assert ("are being made from it" in by_id.out + by_id.err, len(world.images(HOME))) == (True, 1)
    assert amicopy(*cancel, ",".join(ALL)).code == 0  # all of them: nobody needs it any longer
    assert [world.images(region) for region in ALL] == [[]] * 3


def test_cancel_asks_no_other_region_where_no_copy_is_a_hub(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    copy(amicopy, source)
    world.requests.clear()
    assert amicopy("cancel", source.image_id, "--from", SOUTH, "--in", HOME, "--available", "--yes").code == 0
    assert {one.region for one in world.requests} == {HOME}


def test_keep_leaves_a_hub_while_others_are_copied_from_it(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    text = f"""
        name: web
        images:
          - source: {{name: "web-*"}}
            from: {SOUTH}
            to: {HOME}, {WEST}
            route: cheapest
            keep: {{newest: 1, min_age: 1s}}
        """
    manifest = a_manifest(tmp_path, text)
    first = a_southern_source(world, name="web-1")
    slow(world, 600)
    amicopy("sync", manifest, "--no-wait")
    clock.advance(660)
    amicopy("sync", manifest, "--no-wait")  # the second hop is pending
    hub = the_copy(world, HOME)
    assert hub.source_image_id == first.image_id
    a_southern_source(world, name="web-2")
    slow(world, 1)
    order(world, f"copy@{WEST}=stuck")
    ran = amicopy("sync", manifest, "--timeout", "1m")
    assert f"copies in {WEST} are being made from it" in ran.err
    assert hub.image_id in {image.image_id for image in world.images(HOME)}


def test_keep_removes_relayed_copies_and_hubs_once_nobody_needs_them(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    text = f"""
        name: web
        images:
          - {{source: {{name: "web-*"}}, from: {SOUTH}, to: "{HOME},{WEST}", route: "via:{HOME}", keep: {{newest: 1}}}}
        """
    manifest = a_manifest(tmp_path, text)
    for name in ("web-1", "web-2", "web-3"):
        a_southern_source(world, name=name)
        ran = amicopy("sync", manifest)
        assert ran.code == 0, ran.err
        clock.advance(2 * 86400)
    assert [len(world.images(region)) for region in (HOME, WEST)] == [1, 1]
    assert origins(world, [WEST]) == {WEST: reference(the_copy(world, HOME))}


def test_on_failure_cancel_leaves_a_hub_from_which_others_are_copied(amicopy: Run, world: World) -> None:
    source = a_southern_source(world, launch_permissions={SOMEBODY})
    order(world, f"ModifyImageAttribute@{HOME}=error:OperationNotPermitted: no*5")
    ran = copy(amicopy, source, "--route", f"via:{HOME}", "--on-failure", "cancel", "--no-preflight")
    assert (ran.code, len(world.images(HOME))) in {(3, 1), (3, 0)}, ran.err
    assert [the_copy(world, region).state for region in (WEST, EAST)] == ["available"] * 2


def test_an_interrupted_run_rolls_back_what_it_has_made_from_a_hub(
    capsys: pytest.CaptureFixture[str], world: World, clock: FakeClock
) -> None:
    source = a_southern_source(world)

    def interrupted(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        for event in one_after_another(lanes, clock, stop):
            yield event
            if isinstance(event, CopyStarted) and event.region == EAST:
                stop.signal_number = 2
                stop.set()

    route = ("--from", SOUTH, "--to", ",".join(ALL), "--route", "cheapest", "--on-interrupt", "cancel")
    ran = driven(capsys, clock, interrupted, "copy", source.image_id, *route)
    assert (ran.code, [world.images(region) for region in ALL]) == (130, [[]] * 3), ran.err


# Front ends


def test_a_manifest_has_a_route_and_urgent_destinations(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_southern_source(world)
    text = f"""
        images:
          - {{source: {source.image_id}, from: {SOUTH}, to: "{HOME},{WEST},{EAST}", route: cheapest, direct: {EAST}}}
        """
    assert amicopy("sync", a_manifest(tmp_path, text)).code == 0
    assert origins(world)[EAST] == reference(source)
    assert len(set(origins(world).values())) == 2


def test_a_manifest_with_a_hub_that_cannot_be_one_is_invalid(amicopy: Run, world: World, tmp_path: Path) -> None:
    entry = f"source: ami-0123456789abcdef0, from: {SOUTH}, to: {WEST}"
    text = f"images: [{{{entry}, route: fastest}}, {{{entry.replace(WEST, EAST)}, route: 'via:nowhere'}}]\n"
    ran = amicopy("sync", a_manifest(tmp_path, text))
    assert (ran.code, "'fastest' is none of" in ran.err, world.requests) == (2, True, []), ran.err
    assert "1:155: unknown region 'nowhere'" in ran.err, ran.err


def test_a_hub_that_is_no_destination_is_one_of_a_manifest(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_southern_source(world)
    text = f"images: [{{source: {source.image_id}, from: {SOUTH}, to: {WEST}, route: 'via:{HOME}'}}]\n"
    ran = amicopy("sync", a_manifest(tmp_path, text))
    assert (ran.code, origins(world, [WEST])) == (0, {WEST: reference(the_copy(world, HOME))}), ran.err


def test_the_policy_has_the_hub(amicopy: Run) -> None:
    ran = amicopy("iam-policy", "copy", "--from", SOUTH, "--to", WEST, "--route", f"via:{HOME}", "--no-permissions")
    statements = {one["Sid"]: one for one in json.loads(ran.out)["Statement"]}
    assert f"arn:aws:ec2:{HOME}::image/*" in statements["AmicopyCopyImage"]["Resource"]
    assert "ec2:GetEbsEncryptionByDefault" in statements["AmicopyRead"]["Action"]
    assert f"arn:aws:kms:{HOME}:*:key/*" in statements["AmicopyKmsReadSources"]["Resource"]


def test_a_route_that_is_not_needed_costs_no_call(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    copy(amicopy, source)
    for route in ("direct", "cheapest"):
        world.requests.clear()
        copy(amicopy, source, "--route", route)
        made = len(world.requests)
        world.requests.clear()
        copy(amicopy, source)
        assert len(world.requests) == made


def test_relayed_copies_take_one_look_at_their_hub(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    copy(amicopy, source, "--route", "cheapest")
    world.requests.clear()
    copy(amicopy, source)
    looks = [one for one in world.requests if one.operation == "DescribeImages" and one.region == HOME]
    assert len(looks) == 3  # by tag, by lineage, and the hub itself


def test_copies_of_several_sources_wait_for_their_own_hubs(amicopy: Run, world: World) -> None:
    one, two = a_southern_source(world, name="one"), a_southern_source(world, name="two")
    ran = amicopy("copy", one.image_id, two.image_id, "--from", SOUTH, "--to", ",".join(ALL), "--route", "cheapest")
    assert ran.code == 0, ran.err
    for source in (one, two):
        [hub] = [image for image in world.images(HOME) if image.source_image_id == source.image_id]
        assert {
            image.source_image_id
            for region in (WEST, EAST)
            for image in world.images(region)
            if image.tags[TAG] == reference(source)
        } == {hub.image_id}
