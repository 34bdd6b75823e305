"""Copies in other accounts: once to each region, then from account to account, and how they are shown."""

from amicopy.core.models import SOURCE_TAG, VIA_TAG
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, copied_from, copy_in, guests, of, records
from tests.support.clock import FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    OTHERS,
    SOMEBODY,
    WEST,
    a_source,
    asked,
    order,
    snapshots_of,
    writes,
)


def test_each_account_has_a_faithful_copy_in_each_region(amicopy: Run, world: World) -> None:
    """B7 (2): what the source's user has shared and tagged is as before, to the letter."""
    volumes = [Volume(tags={"Role": "root"}, shared_with=frozenset({SOMEBODY}))]
    source = a_source(world, tags={"Name": "web"}, launch_permissions={SOMEBODY, OTHERS}, volumes=volumes)
    before = of(world, source)
    regions = (WEST, EAST, "ap-south-1")
    ran = amicopy("copy", source.image_id, "--to", ",".join(regions), "--account", f"{B},{C}")
    assert ran.code == 0, ran.err
    for account in (OWN, B, C):
        for region in regions:
            copy = copy_in(world, account, region)
            assert copy.state == "available"
            assert copy.tags["Name"] == "web"
            assert copy.tags[SOURCE_TAG] == f"{HOME}/{source.image_id}"
            assert [one.tags["Role"] for one in snapshots_of(world, copy).values()] == ["root"]
            assert copy.launch_permissions == {SOMEBODY, OTHERS}
            assert [one.shared_with for one in snapshots_of(world, copy).values()] == [{SOMEBODY}]
    assert of(world, source) == before
    assert (records(world), guests(world)) == ([], {SOMEBODY, OTHERS})


def test_the_source_region_is_left_once_for_each_region(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--account", f"{B},{C}")
    for region in (WEST, EAST):
        assert copied_from(world, region) == [HOME, region, region]
        own = copy_in(world, OWN, region)
        assert copy_in(world, B, region).tags[VIA_TAG] == f"{region}/{own.image_id}"
        assert copy_in(world, B, region).source_image_id == own.image_id


def test_in_the_source_region_others_copy_the_source_itself(amicopy: Run, world: World) -> None:
    source = a_source(world)
    ran = amicopy("copy", source.image_id, "--to", HOME, "--account", B)
    assert ran.code == 0, ran.err
    copy = copy_in(world, B, HOME)
    assert ran.out == f"{B}/{HOME} {copy.image_id} {source.image_id} done\n"
    assert VIA_TAG not in copy.tags
    assert len(world.images(HOME, OWN)) == 1


def test_a_second_run_writes_nothing(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    amicopy("copy", source.image_id, "--to", f"{HOME},{WEST}", "--account", f"{B},{C}")
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", f"{HOME},{WEST}", "--account", f"{B},{C}")
    assert (ran.code, [one for one in writes(world) if one != "AssumeRole"]) == (0, []), ran.err
    assert "nothing to do: 5 copies are up to date" in ran.err


def test_an_account_that_is_added_later_copies_what_is_there(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 0, ran.err
    assert copied_from(world, WEST) == [WEST]


def test_copies_are_shared_as_the_source_is_but_never_with_their_owner(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY, B})
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 0, ran.err
    assert copy_in(world, OWN, WEST).launch_permissions == {SOMEBODY, B}
    assert copy_in(world, B, WEST).launch_permissions == {SOMEBODY}


def test_patterns_match_the_regions_of_each_account(amicopy: Run, world: World) -> None:
    world.opt_in("eu-south-1", account=B)
    ran = amicopy("copy", a_source(world).image_id, "--to", "eu-south-*", "--account", B)
    assert ran.code == 2  # the caller's own account has none of them on
    world.opt_in("eu-south-1")
    ran = amicopy(
        "copy", world.images(HOME)[0].image_id, "--to", "eu-south-*", "--account", f"{B},{C}", "--output", "json"
    )
    places = [(copy.get("account"), copy["region"]) for copy in ran.json["copies"]]
    assert places == [(None, "eu-south-1"), (B, "eu-south-1")]


def test_json_names_the_account_of_others_only(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--account", B, "--output", "json")
    own, other = ran.json["copies"]
    assert "account" not in own
    assert (other["account"], other["region"], other["state"]) == (B, WEST, "done")


def test_exports_have_every_account(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    own, other = copy_in(world, OWN, WEST).image_id, copy_in(world, B, WEST).image_id

    def export(form: str) -> str:
        return amicopy("copy", source.image_id, "--to", WEST, "--account", B, "--output", form).out

    assert f'"{B}/{WEST}" = "{other}"' in export("tfvars")
    assert f"AMI_{B}_US_WEST_2={other}\n" in export("env")
    assert f'  AmiByRegion{B}:\n    {WEST}:\n      Ami: "{other}"\n' in export("cfn")
    assert f'  AmiByRegion:\n    {HOME}:\n      Ami: "{source.image_id}"\n    {WEST}:\n      Ami: "{own}"\n' in export(
        "cfn"
    )
    assert f"| {B}/{WEST} | `{other}` |" in export("markdown")


def test_a_region_that_is_off_in_an_account_is_refused_before_anything_starts(amicopy: Run, world: World) -> None:
    world.opt_in("eu-south-1")
    ran = amicopy("copy", a_source(world).image_id, "--to", f"{WEST},eu-south-1", "--account", B)
    assert ran.code == 6
    assert f"The region eu-south-1 is not enabled for account {B}." in ran.err
    assert asked(world, "CopyImage") == []


def test_product_codes_and_instance_store_are_refused_for_others(amicopy: Run, world: World) -> None:
    source = a_source(world, product_codes=[("abcd", "marketplace")])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--account", B)
    assert ran.code == 1
    assert f"{source.image_id} cannot be copied into account {B}: it has product codes" in ran.err
    assert asked(world, "CopyImage") == []


def test_the_key_of_an_account_is_its_own(amicopy: Run, world: World) -> None:
    ran = amicopy(
        *("copy", a_source(world).image_id, "--to", WEST, "--account", f"{B},{C}", "--no-preflight"),
        *("--kms-key", "alias/all", "--kms-key", f"{B}=alias/b", "--kms-key", f"{C}/{WEST}=alias/c"),
    )
    keys = [(one.account, one.params.get("KmsKeyId")) for one in asked(world, "CopyImage")]
    assert keys == [(OWN, "alias/all")] or keys == [(OWN, "alias/all"), (B, "alias/b"), (C, "alias/c")], ran.err


def test_a_key_for_an_account_that_is_no_destination_is_a_usage_error(amicopy: Run, world: World) -> None:
    ran = amicopy(
        "copy", a_source(world).image_id, "--to", WEST, "--account", B, "--kms-key", f"{C}=alias/x", "--encrypt"
    )
    assert (ran.code, world.requests) == (2, [])
    assert f"--kms-key has a key for {C}, which is not a destination." in ran.err


def test_when_the_own_copy_fails_others_are_not_started_and_one_more_run_makes_all(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"copy@{WEST}=fail")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--account", B)
    assert ran.code == 3
    assert f"The copy in {B}/{WEST} was not started." in ran.err
    assert copy_in(world, B, EAST).state == "available"
    assert amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--account", B).code == 0
    assert copy_in(world, B, WEST).state == "available"


def test_without_waiting_one_pass_after_another_makes_them_all(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = a_source(world)
    argv = ("copy", source.image_id, "--to", WEST, "--account", B, "--no-wait", "--output", "json")
    assert row_states(amicopy(*argv).json) == ["copying", "planned"]
    clock.advance(60)
    assert row_states(amicopy(*argv).json) == ["unchanged", "copying"]
    assert guests(world) == {B}  # until the copy is there
    clock.advance(60)
    assert row_states(amicopy(*argv).json) == ["unchanged", "unchanged"]
    assert (guests(world), records(world)) == (set(), [])


def row_states(document: dict[str, list[dict[str, str]]]) -> list[str]:
    """Return the state of each copy in a document."""
    return [copy["state"] for copy in document["copies"]]
