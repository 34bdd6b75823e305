"""``publish``: ids put into Systems Manager's parameters, forwards only, and only those of copies that are as asked."""

from pathlib import Path

import pytest

from amicopy.aws.session import Session
from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.events import CopyDone, CopyProgressed, CopyStarted, Event
from amicopy.core.parallel import Stop
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest, made_from, parameter, put_parameter
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, driven, first, order, slow, the_copy, upon, writes

PUBLISHED = f"""\
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: [{WEST}, {EAST}]
        publish: {{ssm: /amis/web}}
"""


def test_every_region_s_parameter_holds_its_own_copy(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    ran = amicopy("sync", a_manifest(tmp_path, PUBLISHED))
    assert ran.code == 0
    assert [parameter(region, "/amis/web") for region in (WEST, EAST)] == [
        the_copy(world, region).image_id for region in (WEST, EAST)
    ]
    assert parameter(HOME, "/amis/web") == ""
    described = Session().client("ssm", WEST).describe_parameters()["Parameters"]
    assert [(one["Name"], one["Type"], one["DataType"]) for one in described] == [
        ("/amis/web", "String", "aws:ec2:image")
    ]


def test_the_path_is_a_template(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    amicopy("sync", a_manifest(tmp_path, PUBLISHED.replace("/amis/web", "'/amis/{region}/{name}/{date}'")))
    assert parameter(WEST, f"/amis/{WEST}/web-1/2026-11-23") == the_copy(world, WEST).image_id


def test_a_path_with_a_date_is_the_plan_s_though_midnight_passes(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    slow(world, 16 * 3600)
    amicopy("sync", a_manifest(tmp_path, PUBLISHED.replace("/amis/web", "'/amis/{date}'")), "--timeout", "20h")
    assert parameter(WEST, "/amis/2026-11-23") == the_copy(world, WEST).image_id


def test_a_second_run_writes_nothing(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, PUBLISHED)
    amicopy("sync", manifest)
    world.requests.clear()
    ran = amicopy("sync", manifest)
    assert (ran.code, writes(world)) == (0, [])


def test_an_outdated_parameter_is_work(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, PUBLISHED)
    amicopy("sync", a_manifest(tmp_path, PUBLISHED.replace("publish: {ssm: /amis/web}", ""), "before.yaml"))
    world.requests.clear()
    ran = amicopy("sync", manifest, "--dry-run", "--exit-code")
    assert (ran.code, writes(world)) == (4, [])
    assert f"+ {WEST} /amis/web {the_copy(world, WEST).image_id}" in " ".join(ran.out.split())


def test_an_older_image_does_not_replace_a_newer_one(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    clock.advance(DAY)
    new = a_source(world, name="web-2")
    manifest = a_manifest(tmp_path, PUBLISHED)
    amicopy("sync", manifest)
    newer = the_copy(world, WEST).image_id
    world.call("DisableImage", {"ImageId": new.image_id}, region=HOME)
    ran = amicopy("sync", manifest, "--output", "json")
    assert ran.code == 0
    assert [one["state"] for one in ran.json["parameters"]] == ["newer", "newer"]
    assert parameter(WEST, "/amis/web") == newer
    a_manifest(tmp_path, PUBLISHED.replace("/amis/web", "/amis/web, allow_older: true"))
    assert amicopy("sync", manifest).code == 0
    assert parameter(WEST, "/amis/web") != newer


def test_what_another_run_published_meanwhile_is_not_moved_backwards(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, PUBLISHED)
    newer = []

    def another_run() -> None:
        clock.advance(60)
        newer.append(a_source(world, WEST, name="web-2 of another pipeline").image_id)
        put_parameter(WEST, "/amis/web", newer[0])

    ran = driven(capsys, clock, first(another_run), "sync", manifest, "--output", "json")
    assert [one["state"] for one in ran.json["parameters"]] == ["newer", "done"]
    assert parameter(WEST, "/amis/web") == newer[0]


@pytest.mark.parametrize("value", ["correct horse battery staple", "TBD"])
def test_a_parameter_that_holds_something_else_is_left_alone(
    amicopy: Run, world: World, tmp_path: Path, value: str
) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, PUBLISHED)
    put_parameter(WEST, "/amis/web", value)
    assert amicopy("sync", manifest, "--dry-run").code == 3
    ran = amicopy("sync", manifest)
    assert ran.code == 3
    assert parameter(WEST, "/amis/web") == value
    assert parameter(EAST, "/amis/web") == the_copy(world, EAST).image_id
    assert "does not contain an AMI id" in ran.err
    assert value not in ran.err


def test_the_id_of_an_image_that_is_gone_is_replaced(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    put_parameter(WEST, "/amis/web", "ami-0123456789abcdef0")
    assert amicopy("sync", a_manifest(tmp_path, PUBLISHED)).code == 0
    assert parameter(WEST, "/amis/web") == the_copy(world, WEST).image_id


def test_a_failed_copy_is_not_published(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    order(world, f"copy@{WEST}=fail*always")
    ran = amicopy("sync", a_manifest(tmp_path, PUBLISHED), "--output", "json")
    assert ran.code == 3
    assert [one["state"] for one in ran.json["parameters"]] == ["waiting", "done"]
    assert (parameter(WEST, "/amis/web"), parameter(EAST, "/amis/web")) == ("", the_copy(world, EAST).image_id)


def test_all_or_none_waits_for_every_region(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, PUBLISHED.replace("/amis/web", "/amis/web, when: all"))
    order(world, f"copy@{WEST}=fail")
    assert amicopy("sync", manifest).code == 3
    assert asked(world, "PutParameter") == []
    assert amicopy("sync", manifest).code == 0
    assert parameter(EAST, "/amis/web") == the_copy(world, EAST).image_id
    assert parameter(WEST, "/amis/web") != ""


def test_all_or_none_waits_for_what_is_under_way_though_enough_succeeded(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    text = PUBLISHED.replace("/amis/web", "/amis/web, when: all") + "        min_success: 1\n"
    manifest = a_manifest(tmp_path, text)
    order(world, f"copy@{WEST}=stuck")
    amicopy("sync", manifest, "--no-wait")
    clock.advance(3600)
    ran = amicopy("sync", manifest, "--no-wait")
    assert ran.code == 0
    assert asked(world, "PutParameter") == []


def test_all_or_none_does_without_a_region_whose_failure_does_not_count(
    amicopy: Run, world: World, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    text = PUBLISHED.replace("/amis/web", "/amis/web, when: all") + f"        best_effort: {WEST}\n"
    order(world, f"copy@{WEST}=fail*always")
    assert amicopy("sync", a_manifest(tmp_path, text)).code == 0
    assert parameter(EAST, "/amis/web") == the_copy(world, EAST).image_id


def test_the_source_s_own_region_is_published_when_asked(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web-1")
    amicopy("sync", a_manifest(tmp_path, PUBLISHED.replace("/amis/web", "/amis/web, include_source: true")))
    assert parameter(HOME, "/amis/web") == source.image_id


def test_a_copy_beside_its_source_is_published_instead_of_it(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="web-1")
    text = PUBLISHED.replace("/amis/web", "/amis/web, include_source: true").replace(EAST, HOME)
    assert amicopy("sync", a_manifest(tmp_path, text + "        encrypt: true\n")).code == 0
    assert parameter(HOME, "/amis/web") == made_from(world, HOME)[source.image_id]
    looks = [one for one in world.requests if one.operation == "GetParameter" and one.region == HOME]
    assert len(looks) == 4, "for the plan, before and after it is written, and the test's own"


def test_a_denied_write_is_told_and_the_copies_stay(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    order(world, "PutParameter=error:AccessDeniedException: User is not authorized to perform ssm:PutParameter*always")
    ran = amicopy("sync", a_manifest(tmp_path, PUBLISHED), "--output", "json")
    assert ran.code == 3
    assert [one["state"] for one in ran.json["copies"]] == ["done", "done"]
    assert [one["state"] for one in ran.json["parameters"]] == ["failed", "failed"]
    assert "ssm:PutParameter" in ran.err


def test_a_throttled_write_is_repeated(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    order(world, "PutParameter=error:ThrottlingException: Rate exceeded*3")
    assert amicopy("sync", a_manifest(tmp_path, PUBLISHED)).code == 0
    assert parameter(WEST, "/amis/web") == the_copy(world, WEST).image_id


def test_a_parameter_that_may_not_be_read_refuses_before_anything_starts(
    amicopy: Run, world: World, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    order(world, "GetParameter=error:AccessDeniedException: no*always")
    ran = amicopy("sync", a_manifest(tmp_path, PUBLISHED))
    assert (ran.code, writes(world)) == (6, [])
    assert "ssm:GetParameter" in ran.err


def test_two_entries_for_one_parameter_are_refused(amicopy: Run, world: World, tmp_path: Path) -> None:
    a_source(world, name="web-1")
    a_source(world, name="db-1")
    images = "".join(
        f"  - {{source: {{name: {name}-1}}, from: {HOME}, to: {WEST}, publish: {{ssm: /amis/one}}}}\n"
        for name in ("web", "db")
    )
    manifest = a_manifest(tmp_path, f"images:\n{images}")
    ran = amicopy("sync", manifest)
    assert (ran.code, writes(world)) == (2, [])
    assert f"{manifest}:2:5 also publishes to /amis/one in {WEST}" in ran.err


def test_interrupted_it_publishes_nothing_though_all_copies_are_there(
    world: World, clock: FakeClock, tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    stop = Stop()
    stop.signal_number = 2
    ended: list[Event] = []

    def stop_after_both(event: Event) -> None:
        ended.append(event)
        if len(ended) == 2:
            stop.set()

    drive = upon(CopyDone, stop_after_both)
    manifest = a_manifest(tmp_path, PUBLISHED.replace("/amis/web", "/amis/web, when: all"))
    assert main(("sync", manifest), Environment(clock=clock, drive=drive, stop=stop)) == 130
    assert len(ended) == 2
    assert asked(world, "PutParameter") == []


def test_three_passes_make_it_true_and_a_fourth_writes_nothing(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    slow(world, 1800)
    manifest = a_manifest(tmp_path, PUBLISHED.replace("/amis/web", "/amis/web, when: all"))
    a_source(world, name="web-1")
    codes = []
    for _ in range(3):
        codes.append(amicopy("sync", manifest, "--no-wait", "--exit-code").code)
        clock.advance(1900)
    assert codes == [5, 0, 0]
    assert parameter(WEST, "/amis/web") == the_copy(world, WEST).image_id
    world.requests.clear()
    assert amicopy("sync", manifest, "--no-wait", "--exit-code").code == 0
    assert writes(world) == []


def test_each_id_is_published_while_another_region_still_copies(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    a_source(world, name="web-1")
    manifest = a_manifest(tmp_path, PUBLISHED)
    seen: dict[str, str] = {}

    def look(event: Event) -> None:
        if isinstance(event, CopyStarted) and event.region == WEST:
            slow(world, 3600)  # what starts from now on
        if isinstance(event, CopyProgressed):
            seen.update({region: parameter(region, "/amis/web") for region in (WEST, EAST)})

    ran = driven(capsys, clock, upon(Event, look), "sync", manifest)
    assert ran.code == 0, ran.err
    assert seen == {WEST: the_copy(world, WEST).image_id, EAST: ""}
    assert parameter(EAST, "/amis/web") == the_copy(world, EAST).image_id


def test_an_id_that_is_up_to_date_is_published_before_anything_is_copied(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = a_source(world, name="web-1")
    assert driven(capsys, clock, upon(CopyDone, print), "copy", source.image_id, "--to", WEST).code == 0
    seen: list[str] = []
    drive = upon(CopyStarted, lambda _event: seen.append(parameter(WEST, "/amis/web")))
    ran = driven(capsys, clock, drive, "sync", a_manifest(tmp_path, PUBLISHED))
    assert (ran.code, seen) == (0, [the_copy(world, WEST).image_id]), ran.err
