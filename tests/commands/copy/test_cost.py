"""What a run costs, before it starts: in the plan, in JSON, in the report, by own prices, never as a zero."""

from pathlib import Path

from amicopy.core.prices import known_prices
from amicopy.sandbox.records import Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import a_manifest, released
from tests.support.scenes import EAST, HOME, WEST, a_source, row, writes

NORTH = "eu-north-1"


def prices(folder: Path, *rows: str) -> str:
    """Write a file of prices; return its path."""
    path = folder / "prices.csv"
    path.write_text("\n".join(["price,region,to,within,usd,date", *rows]) + "\n")
    return str(path)


def test_the_plan_says_what_all_copies_cost_and_what_each_does(amicopy: Run, world: World) -> None:
    source = a_source(world, volumes=[Volume(gib=24)])
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--dry-run")
    assert ran.out.splitlines()[-2:] == [
        "note: estimated cost: transfer at most 0.96 USD; storage at most 2.40 USD a month "
        "(prices of 2017 to 2024-09-25)",
        f"note: estimated cost in each of {WEST}, {EAST}: transfer at most 0.48 USD; storage at most 1.20 USD a month",
    ]
    assert writes(world) == []


def test_one_destination_has_one_line_and_a_run_shows_it_too(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST)
    assert [line for line in ran.err.splitlines() if "cost" in line] == [
        "note: estimated cost: transfer at most 0.16 USD; storage at most 0.40 USD a month "
        "(prices of 2019 to 2024-09-25)"
    ]


def test_the_result_is_as_before_and_a_quiet_run_reads_no_prices(amicopy: Run, world: World) -> None:
    known_prices.cache_clear()
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--quiet")
    assert known_prices.cache_info().misses == 0
    assert (len(ran.out.splitlines()), ran.err) == (1, "")
    assert len(ran.out.split()) == 4


def test_nothing_is_said_of_cost_where_nothing_is_copied(amicopy: Run, world: World) -> None:
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    again = amicopy("copy", source.image_id, "--to", WEST, "--dry-run")
    assert "cost" not in again.out
    ran = amicopy("copy", source.image_id, "--to", WEST, "--dry-run", "--output", "json")
    assert row(ran, WEST)["estimate"] is None
    assert ran.json["estimate"]["transfer"] == "0.00"


def test_an_unknown_price_is_named_and_is_no_zero(amicopy: Run, world: World) -> None:
    source = a_source(world)
    arguments = ("copy", source.image_id, "--to", f"{WEST},{NORTH}", "--dry-run")
    ran = amicopy(*arguments)
    assert (
        f"storage at most 0.40 USD a month, unknown in {NORTH} (prices of 2019 to 2024-09-25); "
        "to give unknown prices: --prices FILE" in ran.out
    )
    assert f"estimated cost in {NORTH}: transfer at most 0.16 USD; storage unknown" in ran.out
    ran = amicopy(*arguments, "--output", "json")
    assert row(ran, NORTH)["estimate"] == {"transfer": "0.16", "storage_per_month": None, "surcharge": "0.00"}
    assert ran.json["estimate"] == {
        "currency": "USD",
        "transfer": "0.32",
        "storage_per_month": None,
        "surcharge": "0.00",
        "direct_transfer": "0.32",
        "cheaper": None,
        "prices_from": "2019",
        "prices_to": "2024-09-25",
    }


def test_json_has_every_decimal(amicopy: Run, world: World) -> None:
    source = a_source(world, "sa-east-1")
    ran = amicopy("copy", source.image_id, "--from", "sa-east-1", "--to", WEST, "--output", "json")
    assert row(ran, WEST)["estimate"]["transfer"] == "1.104"


def test_own_prices_override_the_table(amicopy: Run, world: World, tmp_path: Path) -> None:
    path = prices(tmp_path, f"transfer,{HOME},{WEST},,0.005,2026-11-01", f"storage,{WEST},,,0.03,2026-11-01")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--dry-run", "--prices", path)
    words = "transfer at most 0.04 USD; storage at most 0.24 USD a month (prices of 2026-11-01)"
    assert f"note: estimated cost: {words}\n" in ran.out


def test_wrong_prices_are_all_reported_and_nothing_is_called(amicopy: Run, world: World, tmp_path: Path) -> None:
    path = prices(tmp_path, f"transfer,{HOME},,,-1,", "storage,us-esat-1,,,1,")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--prices", path)
    assert ran.code == 2
    assert f"{path}:2: usd is -1; a price cannot be negative" in ran.err
    assert f"{path}:3: region: unknown region 'us-esat-1'" in ran.err
    assert world.requests == []


def test_a_file_of_prices_that_is_not_there_is_a_usage_error(amicopy: Run, world: World, tmp_path: Path) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--prices", str(tmp_path / "none.csv"))
    assert (ran.code, "cannot be read" in ran.err, world.requests) == (2, True, [])
    assert "  why    No such file or directory.\n  next   Check its path and its mode." in ran.err


def test_the_html_report_has_it(amicopy: Run, world: World, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    amicopy("copy", a_source(world).image_id, "--to", WEST, "--html", str(page))
    assert "<li>estimated cost: transfer at most 0.16 USD; storage at most 0.40 USD a month" in page.read_text()


def test_a_manifest_is_summed(amicopy: Run, world: World, tmp_path: Path) -> None:
    one, two = a_source(world, name="one"), a_source(world, name="two", volumes=[Volume(gib=92)])
    manifest = a_manifest(
        tmp_path,
        f"""
        images:
          - {{source: {one.image_id}, from: {HOME}, to: {WEST}}}
          - {{source: {two.image_id}, from: {HOME}, to: "{WEST},{EAST}"}}
        """,
    )
    ran = amicopy("sync", manifest, "--dry-run")
    assert "note: estimated cost: transfer at most 3.84 USD; storage at most 9.60 USD a month" in ran.out
    assert f"note: estimated cost in {WEST}: transfer at most 2.00 USD; storage at most 5.00 USD a month" in ran.out
    ran = amicopy("sync", manifest, "--output", "json")
    assert (ran.json["estimate"]["transfer"], ran.json["estimate"]["storage_per_month"]) == ("3.84", "9.60")


def test_keep_says_what_it_saves(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    text = f"""
        name: web
        images:
          - {{source: {{name: "web-*"}}, from: {HOME}, to: {WEST}, keep: {{newest: 1}}}}
        """
    manifest = a_manifest(tmp_path, text)
    released(world, clock, amicopy, manifest, "web-1")
    a_source(world, name="web-2")
    ran = amicopy("sync", manifest, "--dry-run")
    assert "note: removing 1 copy saves storage: at most 0.40 USD a month; less where newer copies share" in ran.out
    ran = amicopy("sync", manifest, "--output", "json")
    [removal] = ran.json["removals"]
    assert (removal["state"], removal["saves_per_month"]) == ("cancelled", "0.40")


def test_what_keep_saves_is_unknown_where_the_price_is(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    text = f"""
        name: web
        images:
          - {{source: {{name: "web-*"}}, from: {HOME}, to: {NORTH}, keep: {{newest: 1}}}}
        """
    manifest = a_manifest(tmp_path, text)
    released(world, clock, amicopy, manifest, "web-1")
    a_source(world, name="web-2")
    assert "saves storage: unknown; less" in amicopy("sync", manifest, "--dry-run").out
    ran = amicopy("sync", manifest, "--output", "json")
    assert ran.json["removals"][0]["saves_per_month"] is None
