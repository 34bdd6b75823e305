"""``amicopy sync --list-units`` and ``--unit``: one manifest, brought up to date by several processes."""

from pathlib import Path

from amicopy.core.accounts import TargetAccount
from amicopy.core.destination import Destination
from amicopy.core.request import CopyRequest
from amicopy.jobs.units import entries_of_units
from amicopy.manifest.model import ById, Entry
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import OWN, B, C, guests, records
from tests.support.clock import FakeClock
from tests.support.manifests import a_manifest, parameter, put_parameter, released
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, the_copy, writes

ID = "/images/web"


def entries(*lines: str) -> str:
    """Return a manifest with one image for each line of options."""
    names = ("web*", "db*")
    return "name: fleet\nimages:\n" + "".join(
        f"  - {{source: {{name: '{name}'}}, from: {HOME}, {line}}}\n" for name, line in zip(names, lines, strict=False)
    )


def test_units_are_the_destinations_of_all_entries(amicopy: Run, world: World, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, entries(f"to: '{WEST},{EAST}'", f"to: {WEST}"))
    ran = amicopy("sync", manifest, "--list-units")
    assert (ran.code, ran.err) == (0, "")
    assert [(unit["id"], unit["account"], unit["entries"]) for unit in ran.json["units"]] == [
        (EAST, None, 1),
        (WEST, None, 2),
    ]
    assert world.requests == []


def test_a_pattern_is_resolved_by_one_call(amicopy: Run, world: World, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, entries("to: 'us-*', exclude: us-east-2", f"to: '{EAST}'"))
    ran = amicopy("sync", manifest, "--list-units")
    assert [unit["id"] for unit in ran.json["units"]] == [EAST, "us-west-1", WEST]
    assert [one.operation for one in world.requests] == ["DescribeRegions"]


def test_a_unit_is_brought_up_to_date_and_nothing_else_is_asked(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    a_source(world)
    manifest = a_manifest(tmp_path, entries("to: 'us-*,eu-*', exclude: us-east-2"))
    units = [unit["id"] for unit in amicopy("sync", manifest, "--list-units").json["units"]]
    world.requests.clear()
    ran = amicopy("sync", manifest, "--unit", WEST)
    assert ran.code == 0, ran.err
    assert {one.region for one in world.requests} == {HOME, WEST}
    for unit in units:
        assert amicopy("sync", manifest, "--unit", unit).code == 0
    world.requests.clear()
    assert amicopy("sync", manifest).code == 0
    assert writes(world) == []
    assert all(len(world.images(unit)) == 1 for unit in units)


def test_one_process_takes_several_units(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world)
    manifest = a_manifest(tmp_path, entries(f"to: '{WEST},{EAST},eu-central-1'"))
    ran = amicopy("sync", manifest, "--unit", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err
    assert {one.region for one in world.requests} == {HOME, WEST, EAST}
    once = [one for one in world.requests if one.region == HOME and one.operation == "DescribeImageAttribute"]
    world.requests.clear()
    assert amicopy("sync", manifest, "--unit", WEST).code == 0
    alone = [one for one in world.requests if one.region == HOME and one.operation == "DescribeImageAttribute"]
    assert len(once) == len(alone) > 0  # the source's reads are those of one unit
    ran = amicopy("sync", manifest, "--unit", f"{WEST},us-west-1", "--unit", "sa-east-1")
    assert (ran.code, "the units us-west-1, sa-east-1" in ran.err) == (2, True), ran.err


def test_accounts_and_keys_keep_their_regions_among_several_units() -> None:
    request = CopyRequest(
        to=("us-*", EAST),
        exclude=("us-east-1",),
        accounts=(TargetAccount(account=B, regions=(WEST,)), TargetAccount(account=C)),
        kms_keys={WEST: "alias/w", EAST: "alias/e", f"{C}/{EAST}": "alias/c", B: "alias/b"},
        best_effort=(EAST,),
    )
    entry = Entry(where="images[1]", source=ById(region=HOME, image_id="ami-1"), requests=(request,))

    def of(*regions: str) -> CopyRequest:
        [found] = entries_of_units([entry], [Destination(region) for region in regions])
        return found.requests[0]

    both = of(WEST, EAST)
    assert (both.to, both.exclude, both.best_effort) == ((WEST, EAST), (), (EAST,))
    assert [(one.account, one.regions) for one in both.accounts] == [(B, (WEST,)), (C, ())]
    assert both.kms_keys == {WEST: "alias/w", EAST: "alias/e", f"{C}/{EAST}": "alias/c", f"{B}/{WEST}": "alias/b"}
    assert [one.account for one in of(EAST).accounts] == [C]
    assert of(EAST).kms_keys == {EAST: "alias/e", f"{C}/{EAST}": "alias/c"}


def test_a_key_and_best_effort_hold_for_the_unit_that_they_name(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world)
    order(world, f"copy@{EAST}=fail", f"copy@{WEST}=fail")
    manifest = a_manifest(tmp_path, entries(f"to: '{WEST},{EAST}', best_effort: {EAST}"))
    assert amicopy("sync", manifest, "--unit", EAST).code == 0
    assert amicopy("sync", manifest, "--unit", WEST).code == 1


def test_what_needs_all_destinations_is_left_to_a_run_without_unit(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    a_source(world)
    together = f"to: '{WEST},{EAST}', publish: {{ssm: {ID}, when: all}}, keep: {{newest: 1}}"
    manifest = a_manifest(tmp_path, entries(together))
    for unit in (WEST, EAST):
        assert amicopy("sync", manifest, "--unit", unit).code == 0
        assert parameter(unit, ID) == ""
    assert amicopy("sync", manifest).code == 0
    assert [parameter(unit, ID) for unit in (WEST, EAST)] == [the_copy(world, unit).image_id for unit in (WEST, EAST)]


def test_an_old_copy_is_not_removed_by_a_unit_while_a_parameter_that_is_published_later_names_it(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    together = f"to: '{WEST},{EAST}', publish: {{ssm: {ID}, when: all}}, keep: {{newest: 1}}"
    manifest = a_manifest(tmp_path, entries(together))
    released(world, clock, amicopy, manifest, "web-1")
    old = parameter(WEST, ID)
    a_source(world, name="web-2")
    assert amicopy("sync", manifest, "--unit", WEST).code == 0
    assert parameter(WEST, ID) == old
    assert old in {image.image_id for image in world.images(WEST)}
    assert amicopy("sync", manifest).code == 0
    assert parameter(WEST, ID) != old
    assert old not in {image.image_id for image in world.images(WEST)}


def test_a_unit_publishes_and_removes_what_is_its_own(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, entries(f"to: '{WEST},{EAST}', publish: {{ssm: {ID}}}, keep: {{newest: 1}}"))
    released(world, clock, amicopy, manifest, "web-1")
    put_parameter(WEST, "/other", "x")
    a_source(world, name="web-2")
    assert amicopy("sync", manifest, "--unit", WEST).code == 0
    assert parameter(WEST, ID) == the_copy(world, WEST).image_id
    assert parameter(EAST, ID) == the_copy(world, EAST).image_id
    assert the_copy(world, EAST).name == "web-1"


def test_a_unit_that_is_a_source_region_removes_nothing(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    """An old copy there may be what another entry copies on, and a unit reads only its own entries."""
    chain = f"  - {{source: {{name: 'web*'}}, from: {WEST}, to: {EAST}}}\n"
    manifest = a_manifest(tmp_path, entries(f"to: {WEST}, keep: {{newest: 1}}"))
    released(world, clock, amicopy, manifest, "web-1")
    a_source(world, name="web-2")
    chained = a_manifest(tmp_path, entries(f"to: {WEST}, keep: {{newest: 1}}") + chain, "chained.yaml")
    assert amicopy("sync", chained, "--unit", WEST).code == 0
    assert len(world.images(WEST)) == 2
    assert asked(world, "DeregisterImage") == []


def test_wrong_uses_are_refused_before_aws_is_called(amicopy: Run, world: World, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, entries(f"to: {WEST}"))
    for words, said in (
        (["--unit", EAST], "No entry of the manifest copies to the unit eu-west-1."),
        (["--unit", f"111122223333/{WEST}"], "No entry of the manifest copies to the unit 111122223333/us-west-2."),
        (["--unit", WEST, "--share-when", "all"], "--unit cannot be used with --share-when all"),
        (["--unit", WEST, "--list-units"], "--list-units and --unit cannot be used together"),
        (["--list-units", manifest], "Give one manifest; only --check-only takes several."),
    ):
        ran = amicopy("sync", manifest, *words)
        assert ran.code == 2
        assert said in ran.err
    assert world.requests == []


def test_several_units_enter_each_account_once_and_ask_no_account_for_its_regions(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    a_source(world)
    manifest = a_manifest(tmp_path, entries(f"to: '{WEST},{EAST},sa-east-1', accounts: [{{id: '{B}'}}, {{id: '{C}'}}]"))
    ran = amicopy("sync", manifest, "--unit", f"{WEST},{EAST}")
    assert ran.code == 0, ran.err
    assert len(asked(world, "AssumeRole")) == 2
    assert len(asked(world, "DescribeRegions")) == 1  # the run's own account
    assert {(one.owner, one.region) for one in world.images()} == {
        (OWN, HOME),
        *((account, region) for account in (OWN, B, C) for region in (WEST, EAST)),
    }


def test_a_unit_has_the_copies_of_other_accounts_in_its_region(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    source = a_source(world)
    accounts = f"accounts: [{{id: '{B}'}}, {{id: '{C}', regions: {WEST}, kms_key: alias/aws/ebs}}], encrypt: true"
    manifest = a_manifest(tmp_path, entries(f"to: '{HOME},{WEST},{EAST}', {accounts}"))
    listed = amicopy("sync", manifest, "--list-units").json["units"]
    assert [(unit["id"], unit["account"], unit["entries"]) for unit in listed] == [
        (EAST, None, 1),
        (HOME, None, 1),
        (WEST, None, 1),
    ]
    world.requests.clear()
    ran = amicopy("sync", manifest, "--unit", EAST)
    assert ran.code == 0, ran.err
    assert {(one.owner, one.region) for one in world.images()} == {(OWN, HOME), (OWN, EAST), (B, EAST)}
    for unit in (HOME, WEST):
        ran = amicopy("sync", manifest, "--unit", unit)
        assert ran.code == 0, ran.err
    world.requests.clear()
    ran = amicopy("sync", manifest)
    assert (ran.code, [one for one in writes(world) if one != "AssumeRole"]) == (0, []), ran.err
    made = {(one.owner, one.region) for one in world.images() if one is not source}
    assert made == {*((account, region) for account in (OWN, B) for region in (HOME, WEST, EAST)), (C, WEST)}
    assert (guests(world), records(world)) == (set(), [])


def test_a_unit_asks_no_account_for_its_regions(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world)
    manifest = a_manifest(tmp_path, entries(f"to: '{WEST},eu-south-1', accounts: [{{id: '{B}'}}]"))
    assert amicopy("sync", manifest, "--unit", WEST).code == 0
    assert {one.account for one in asked(world, "DescribeRegions")} == {OWN}
    world.opt_in("eu-south-1")
    ran = amicopy("sync", manifest, "--unit", "eu-south-1")
    assert ran.code == 6
    assert f"The region eu-south-1 is not enabled for account {B}." in ran.err
    assert asked(world, "CopyImage", "eu-south-1") == []
