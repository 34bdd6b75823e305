"""Routes and other accounts together: once out of the source's region, once to each region, then within the regions."""

from amicopy.core.models import SOURCE_TAG, VIA_TAG
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.accounts import OWN, B, C, copied_from, copy_in, guests, records
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, SOMEBODY, WEST, a_source, asked, order, writes

SOUTH = "sa-east-1"  # where transfer is expensive
TO = (HOME, WEST, EAST)


def a_southern_source(world: World, **members: object) -> Image:
    """Register a source where transfer is expensive."""
    return a_source(world, SOUTH, **{"volumes": [Volume(device="/dev/sda1", gib=24)], **members})


def copy(amicopy: Run, source: Image, *arguments: str, to: tuple[str, ...] = TO) -> Ran:
    """Copy it to the regions, in two other accounts as well."""
    where = ("--from", SOUTH, "--to", ",".join(to), "--account", f"{B},{C}")
    return amicopy("copy", source.image_id, *where, *arguments)


def held(world: World) -> dict[tuple[str, str], str]:
    """Return from which region each account's copy in each region was made."""
    return {(one.owner, one.region): one.source_image_region for one in world.images() if one.region != SOUTH}


EVERYWHERE = {(account, region) for account in (OWN, B, C) for region in TO}


def test_one_copy_leaves_the_source_region_and_one_goes_to_each_other_region(amicopy: Run, world: World) -> None:
    source = a_southern_source(world, tags={"Name": "web"}, launch_permissions={SOMEBODY})
    ran = copy(amicopy, source, "--route", "cheapest")
    assert ran.code == 0, ran.err
    found = held(world)
    assert found.keys() == EVERYWHERE
    assert {region: found[OWN, region] for region in TO} == {HOME: SOUTH, WEST: HOME, EAST: HOME}
    assert {found[account, region] == region for account in (B, C) for region in TO} == {True}
    for account, region in EVERYWHERE:
        made = copy_in(world, account, region)
        assert (made.tags[SOURCE_TAG], made.tags["Name"]) == (f"{SOUTH}/{source.image_id}", "web")
        assert made.launch_permissions == {SOMEBODY}
        if account != OWN:
            assert made.tags[VIA_TAG] == f"{region}/{copy_in(world, OWN, region).image_id}"
    assert (guests(world) - {SOMEBODY}, records(world)) == (set(), [])
    world.requests.clear()
    again = copy(amicopy, source, "--route", "cheapest")
    assert (again.code, [one for one in writes(world) if one != "AssumeRole"]) == (0, []), again.err


def test_without_waiting_one_pass_after_another_goes_one_step_further(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_southern_source(world)
    steps: list[int] = []
    for _ in range(5):
        ran = copy(amicopy, source, "--route", "cheapest", "--no-wait")
        assert ran.code == 0, ran.err
        if not steps:  # the hub alone; nobody else has begun
            assert f"{B}/{HOME}  not started: it waits for the copy in {HOME}\n" in ran.err
            assert f"{B}/{WEST}  not started: it waits for the copy in {WEST}\n" in ran.err
            assert (
                f"EC2 keeps copying 1 copy, {len(EVERYWHERE) - 1} copies not started yet; to complete them: " in ran.err
            )
        steps.append(len(asked(world, "CopyImage")))
        clock.advance(60)
    # the hub; the other regions, and the accounts in the hub's; the accounts there
    assert steps == [1, 1 + 2 + 2, 1 + 2 + 2 + 4, 9, 9]
    assert held(world).keys() == EVERYWHERE
    assert (guests(world), records(world)) == (set(), [])


def test_where_the_hub_fails_the_others_go_directly_and_their_accounts_with_them(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    order(world, f"copy@{HOME}=fail")
    ran = copy(amicopy, source, "--route", "cheapest")
    assert ran.code == 3, ran.err  # the hub is itself a destination
    assert {region: copied_from(world, region)[0] for region in (WEST, EAST)} == {WEST: SOUTH, EAST: SOUTH}
    assert held(world).keys() >= {(account, region) for account in (OWN, B, C) for region in (WEST, EAST)}
    assert all(f"The copy in {account}/{HOME} was not started." in ran.err for account in (B, C))
    assert (guests(world), records(world)) == (set(), [])
    ran = copy(amicopy, source, "--route", "cheapest")
    assert ran.code == 0, ran.err
    assert held(world).keys() == EVERYWHERE
    assert len(world.images()) == 1 + len(EVERYWHERE)


def test_a_hub_that_is_no_destination_is_one_in_the_own_account_only(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    ran = copy(amicopy, source, "--route", f"via:{HOME}", to=(WEST,))
    assert ran.code == 0, ran.err
    assert held(world) == {(OWN, HOME): SOUTH, (OWN, WEST): HOME, (B, WEST): WEST, (C, WEST): WEST}


def test_a_hub_that_is_no_destination_may_fail(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    order(world, f"copy@{HOME}=fail")
    ran = copy(amicopy, source, "--route", f"via:{HOME}", to=(WEST,))
    assert ran.code == 0, ran.err
    found = {key: where for key, where in held(world).items() if key[1] == WEST}
    assert found == {(OWN, WEST): SOUTH, (B, WEST): WEST, (C, WEST): WEST}


def test_a_region_that_is_added_later_is_copied_from_a_copy_and_not_from_the_source(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    assert copy(amicopy, source, "--route", "cheapest", to=(HOME,)).code == 0
    world.requests.clear()
    ran = copy(amicopy, source, "--route", "cheapest", to=(HOME, WEST))
    assert ran.code == 0, ran.err
    assert copied_from(world, WEST) == [HOME, WEST, WEST]
    assert copied_from(world, HOME) == []


def test_the_source_region_itself_as_a_destination_of_others(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    ran = copy(amicopy, source, "--route", "cheapest", to=(SOUTH, HOME, WEST))
    assert ran.code == 0, ran.err
    assert {one.owner for one in world.images(SOUTH)} == {OWN, B, C}
    assert copied_from(world, SOUTH) == [SOUTH, SOUTH]
    assert copied_from(world, WEST) == [HOME, WEST, WEST]


def test_direct_regions_do_not_wait_and_serve_their_accounts(amicopy: Run, world: World) -> None:
    source = a_southern_source(world)
    ran = copy(amicopy, source, "--route", "cheapest", "--direct", EAST)
    assert ran.code == 0, ran.err
    assert copied_from(world, EAST) == [SOUTH, EAST, EAST]
    assert copied_from(world, WEST) == [EAST, WEST, WEST]  # it leaves the source's region anyway, so it is the hub
