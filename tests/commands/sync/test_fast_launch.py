"""``fast_launch``: switched on once a copy is complete, once over reruns, and off before the copy is removed."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest

from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, order, the_copy

TAG = "amicopy:fast-launch"
MANIFEST = f"""\
    name: windows
    images:
      - source: {{name: 'win-*'}}
        from: {HOME}
        to: [{WEST}, {EAST}]
        fast_launch: [{WEST}]
"""
KEEP = MANIFEST + "        keep: {newest: 1, min_age: 60s}\n"
OWN = "{target_resource_count: 2, max_parallel_launches: 8, launch_template: {name: prep, version: 1}}"
TEMPLATE = f"{{{WEST}: {OWN}}}"


def windows(world: World, name: str = "win-1", **members: Any) -> Image:
    """Register an image that runs Windows."""
    given = {"platform": "windows", "platform_details": "Windows", "volumes": [Volume(gib=30)]}
    return a_source(world, name=name, **given | members)


def shown(world: World, region: str = WEST) -> list[dict[str, Any]]:
    """Return what EC2 shows of it in a region."""
    found: list[dict[str, Any]] = world.call("DescribeFastLaunchImages", {}, region=region)["FastLaunchImages"]
    return found


def states(world: World, region: str = WEST) -> dict[str, str]:
    """Return EC2's state of it by image."""
    return {one["ImageId"]: one["State"] for one in shown(world, region)}


def switched(world: World) -> list[str]:
    """Return the operations that switch it, in order."""
    return [one.operation for one in world.requests if one.operation.endswith("ableFastLaunch")]


def with_settings(folder: Path, said: str, name: str = "amis.yaml", text: str = MANIFEST) -> str:
    """Write the manifest with other settings."""
    return a_manifest(folder, text.replace(f"fast_launch: [{WEST}]", f"fast_launch: {said}"), name)


def a_template(region: str = WEST, name: str = "prep") -> str:
    """Create a launch template; return its id."""
    client: Any = boto3.client("ec2", region)
    data = {"InstanceType": "t3.xlarge"}
    made = client.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    client.close()
    template_id: str = made["LaunchTemplate"]["LaunchTemplateId"]
    return template_id


def test_it_is_switched_on_for_the_copy_and_recorded(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    manifest = a_manifest(tmp_path, MANIFEST)
    planned = amicopy("sync", manifest, "--dry-run", "--output", "json").json["fast_launches"]
    assert [(one["region"], one["target_resource_count"], one["state"]) for one in planned] == [(WEST, 5, "switch")]
    assert switched(world) == []
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    copy = the_copy(world, WEST)
    [enabled] = asked(world, "EnableFastLaunch")
    assert enabled.params == {
        "ImageId": copy.image_id,
        "ResourceType": "snapshot",
        "SnapshotConfiguration": {"TargetResourceCount": 5},
        "MaxParallelLaunches": 6,
    }
    assert (states(world), states(world, EAST)) == ({copy.image_id: "enabling"}, {})
    assert copy.tags[TAG] == "snapshots=5 launches=6"
    assert f"fast launch of {copy.image_id}  on: 5 snapshots, at most 6 launches at a time" in ran.err


def test_it_is_looked_at_once_just_before_it_is_switched_on(amicopy: Run, world: World, tmp_path: Path) -> None:
    """Between the look and the call there is the record alone."""
    windows(world)
    assert amicopy("sync", a_manifest(tmp_path, MANIFEST)).code == 0
    operations = [one.operation for one in world.requests if one.region == WEST]
    enabled = operations.index("EnableFastLaunch")
    looks = [number for number, one in enumerate(operations[:enabled]) if one == "DescribeFastLaunchImages"]
    assert operations[looks[0] + 1 : enabled] == ["CreateTags"]


def test_it_is_switched_on_after_the_copy_is_shared(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world, launch_permissions={"111122223333"})
    assert amicopy("sync", a_manifest(tmp_path, MANIFEST)).code == 0
    operations = [one.operation for one in world.requests if one.region == WEST and not one.params.get("DryRun")]
    assert operations.index("ModifyImageAttribute") < operations.index("EnableFastLaunch")


def test_a_second_run_writes_nothing(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    windows(world)
    manifest = a_manifest(tmp_path, MANIFEST)
    amicopy("sync", manifest)
    for passed in (0, 3600):  # it is still enabling, then enabled
        clock.advance(passed)
        world.requests.clear()
        again = amicopy("sync", manifest, "--output", "json")
        assert (again.code, again.json["fast_launches"][0]["state"]) == (0, "kept")
        assert {one.operation for one in world.requests if not one.operation.startswith(("Describe", "Get"))} == set()
    assert again.json["fast_launches"][0]["before"] == "enabled"
    assert "fast launch" not in amicopy("sync", manifest, "--dry-run").out  # it is on, and its price was shown before


def test_a_manifest_without_it_makes_no_further_call(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    without = "".join(line for line in KEEP.splitlines(keepends=True) if "fast_launch" not in line)
    assert amicopy("sync", a_manifest(tmp_path, without)).code == 0
    assert not [one for one in world.requests if "FastLaunch" in one.operation]


def test_changed_settings_are_written_once(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    template_id = a_template()
    amicopy("sync", a_manifest(tmp_path, MANIFEST))
    ran = amicopy("sync", with_settings(tmp_path, TEMPLATE))
    assert ran.code == 0, ran.err
    [one] = shown(world)
    template = {"LaunchTemplateId": template_id, "LaunchTemplateName": "prep", "Version": "1"}
    assert (one["SnapshotConfiguration"], one["MaxParallelLaunches"]) == ({"TargetResourceCount": 2}, 8)
    assert one["LaunchTemplate"] == template
    assert the_copy(world, WEST).tags[TAG] == "snapshots=2 launches=8 template=prep:1"
    world.requests.clear()
    assert (amicopy("sync", with_settings(tmp_path, TEMPLATE)).code, switched(world)) == (0, [])
    by_id = TEMPLATE.replace("name: prep", f"id: {template_id}")
    assert amicopy("sync", with_settings(tmp_path, by_id)).code == 0
    assert the_copy(world, WEST).tags[TAG].endswith(f"template={template_id}:1")


def test_a_launch_template_that_is_taken_out_is_a_change(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    a_template()
    amicopy("sync", with_settings(tmp_path, TEMPLATE))
    without = TEMPLATE.replace(", launch_template: {name: prep, version: 1}", "")
    order(world, f"CreateTags@{WEST}=error:UnauthorizedOperation: no*1")  # as if killed between call and record
    first = amicopy("sync", with_settings(tmp_path, without))
    assert (first.code, the_copy(world, WEST).tags[TAG]) == (3, "snapshots=2 launches=8 template=prep:1")
    assert amicopy("sync", with_settings(tmp_path, without)).code == 0
    [one] = shown(world)
    assert one["LaunchTemplate"]["LaunchTemplateName"].startswith("EC2FastLaunchDefault")
    assert the_copy(world, WEST).tags[TAG] == "snapshots=2 launches=8"
    world.requests.clear()
    assert (amicopy("sync", with_settings(tmp_path, without)).code, switched(world)) == (0, [])


def test_false_switches_it_off_and_clears_the_record(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    amicopy("sync", a_manifest(tmp_path, MANIFEST))
    off = with_settings(tmp_path, f"{{{WEST}: false}}", "off.yaml")
    ran = amicopy("sync", off)
    assert (ran.code, set(states(world).values())) == (0, {"disabling"}), ran.err
    assert the_copy(world, WEST).tags[TAG] == ""
    world.requests.clear()
    assert (amicopy("sync", off).code, switched(world)) == (0, [])


def test_the_price_has_what_is_known_and_says_what_it_lacks(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    planned = amicopy("sync", a_manifest(tmp_path, MANIFEST), "--dry-run")
    assert f"fast launch in {WEST}, storage of 5 snapshots: at most 7.50 USD a month while it is on" in planned.out
    assert "EC2 also launches instances, up to 6 at a time" in planned.out
    own = tmp_path / "own.csv"
    own.write_text(f"price,region,usd\nstorage,{WEST},1\n")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST), "--dry-run", "--prices", str(own), "--output", "json")
    assert ran.json["fast_launches"][0]["storage_per_month"] == "150.00"


def test_an_unknown_price_is_no_zero(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    unknown = MANIFEST.replace(EAST, "eu-central-1").replace(f"fast_launch: [{WEST}]", "fast_launch: eu-central-1")
    planned = amicopy("sync", a_manifest(tmp_path, unknown), "--dry-run")
    assert "fast launch in eu-central-1, storage of 5 snapshots: unknown" in planned.out


def test_a_linux_image_is_refused_before_any_copy(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = a_source(world, name="win-not")
    ran = amicopy("sync", a_manifest(tmp_path, MANIFEST))
    assert (ran.code, world.images(WEST), world.images(EAST)) == (1, [], [])
    assert f"EC2 Fast Launch is for Windows, and {source.image_id} in {HOME} is not Windows. [not-windows]" in ran.err
    assert f"Take {WEST} out of the image's fast_launch." in ran.err
    off = with_settings(tmp_path, f"{{{WEST}: false}}", "off.yaml")
    assert amicopy("sync", off).code == 0


def test_a_failure_shows_ec2s_reason_and_is_not_repeated(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    windows(world)
    order(
        world, f"EnableFastLaunch@{WEST}=fail:Client.VpcLimitExceeded: The maximum number of VPCs has been reached.*1"
    )
    manifest = a_manifest(tmp_path, MANIFEST)
    first = amicopy("sync", manifest)
    assert first.code == 3
    assert "shows it as enabling-failed: Client.VpcLimitExceeded: The maximum number of VPCs" in first.err
    clock.advance(3600)
    world.requests.clear()
    again = amicopy("sync", manifest, "--output", "json")
    assert (again.code, switched(world)) == (3, [])
    [one] = again.json["fast_launches"]
    assert (one["before"], one["state"]) == ("enabling-failed", "failed")
    assert "The maximum number of VPCs has been reached." in one["error"]["why"]
    assert "aws ec2 disable-fast-launch --image-id" in one["error"]["next"]
    a_template()  # another way: settings that work
    assert amicopy("sync", with_settings(tmp_path, TEMPLATE)).code == 0
    assert set(states(world).values()) == {"enabling"}


def test_the_advice_after_a_failure_works(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    windows(world)
    order(world, f"EnableFastLaunch@{WEST}=fail:Server.InternalError: try later")
    manifest = a_manifest(tmp_path, MANIFEST)
    amicopy("sync", manifest)
    world.call("DisableFastLaunch", {"ImageId": the_copy(world, WEST).image_id}, region=WEST)
    early = amicopy("sync", manifest)
    assert (early.code, "is still being disabled" in early.err) == (3, True)
    clock.advance(60)
    assert amicopy("sync", manifest).code == 0
    assert set(states(world).values()) == {"enabling"}


@pytest.mark.parametrize("again", ["changed", "refused"])
@pytest.mark.parametrize(
    "fault",
    [
        f"EnableFastLaunch@{WEST}=error:UnauthorizedOperation: no",
        f"EnableFastLaunch@{WEST}=lost",
        f"EnableFastLaunch@{WEST}=throttle*4",
        f"CreateTags@{WEST}=error:UnauthorizedOperation: no",
    ],
)
def test_a_rerun_finishes_it(
    amicopy: Run, world: World, tmp_path: Path, fault: str, again: Literal["changed", "refused"]
) -> None:
    world.state.unconfirmed = replace(world.state.unconfirmed, fast_launch_again=again)
    windows(world)
    order(world, fault)
    manifest = a_manifest(tmp_path, MANIFEST)
    first = amicopy("sync", manifest)
    assert first.code == (3 if "error" in fault else 0), first.err
    world.clear_faults()
    rerun = amicopy("sync", manifest)
    assert rerun.code == 0, rerun.err
    copy = the_copy(world, WEST)
    assert (states(world), copy.tags[TAG]) == ({copy.image_id: "enabling"}, "snapshots=5 launches=6")


def test_without_a_record_nothing_is_switched_on(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    order(world, f"CreateTags@{WEST}=error:UnauthorizedOperation: no")
    assert amicopy("sync", a_manifest(tmp_path, MANIFEST)).code == 3
    assert switched(world) == []


def test_a_launch_template_that_is_missing_is_named(amicopy: Run, world: World, tmp_path: Path) -> None:
    windows(world)
    ran = amicopy("sync", with_settings(tmp_path, TEMPLATE))
    assert (ran.code, states(world)) == (3, {})
    assert "The specified launch template does not exist" in ran.err


def test_what_somebody_else_has_switched_on_is_left_alone(amicopy: Run, world: World, tmp_path: Path) -> None:
    source = windows(world)
    amicopy("copy", source.image_id, "--from", HOME, "--to", WEST)
    copy = the_copy(world, WEST)
    given = {"ImageId": copy.image_id, "SnapshotConfiguration": {"TargetResourceCount": 9}}
    world.call("EnableFastLaunch", given, region=WEST)
    world.requests.clear()
    manifest = a_manifest(tmp_path, MANIFEST)
    for path in (manifest, with_settings(tmp_path, f"{{{WEST}: false}}", "off.yaml")):
        ran = amicopy("sync", path)
        assert (ran.code, switched(world), TAG in the_copy(world, WEST).tags) == (0, [], False), ran.err
    assert "somebody else enabled it, so it is left as it is" in amicopy("sync", manifest).err


@pytest.mark.parametrize("ended", ["gone", "disabled"])
def test_cancel_switches_it_off_and_waits_for_the_clean_up(
    amicopy: Run, world: World, tmp_path: Path, ended: Literal["gone", "disabled"]
) -> None:
    world.state.unconfirmed = replace(world.state.unconfirmed, fast_launch_ended=ended)
    source = windows(world)
    amicopy("sync", a_manifest(tmp_path, MANIFEST))
    cancel = ("cancel", source.image_id, "--from", HOME, "--in", WEST, "--available", "--yes")
    for fault in ("error:UnauthorizedOperation: no", "fail:Server.InternalError: a snapshot is locked"):
        order(world, f"DisableFastLaunch@{WEST}={fault}*9")
        refused = amicopy(*cancel)
        assert (refused.code == 0, len(world.images(WEST))) == (False, 1)  # nothing is removed while it is on
        world.clear_faults()
    assert "a snapshot is locked" in refused.err
    world.requests.clear()
    removed = amicopy(*cancel)
    assert removed.code == 0, removed.err
    operations = [one.operation for one in world.requests]
    last_look = len(operations) - 1 - operations[::-1].index("DescribeFastLaunchImages")
    assert operations.index("DisableFastLaunch") < last_look < operations.index("DeregisterImage")
    assert world.images(WEST) == []


def test_keep_switches_it_off_before_it_removes(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    windows(world)
    manifest = a_manifest(tmp_path, KEEP)
    amicopy("sync", manifest)
    clock.advance(DAY)
    windows(world, "win-2")
    world.requests.clear()
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    operations = [one.operation for one in world.requests if one.region == WEST]
    assert operations.index("DisableFastLaunch") < operations.index("DeregisterImage")
    assert states(world) == {the_copy(world, WEST).image_id: "enabling"}


def test_retire_switches_it_off_and_undo_on_again(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    source = windows(world)
    a_template()
    amicopy("sync", with_settings(tmp_path, TEMPLATE))
    places = ("--from", HOME, "--in", f"{HOME},{WEST}", "--yes")
    retired = amicopy("retire", source.image_id, *places)
    assert (retired.code, set(states(world).values())) == (0, {"disabling"}), retired.err
    early = amicopy("retire", source.image_id, *places, "--undo")
    assert (early.code == 0, "is still being disabled" in early.err) == (False, True)
    clock.advance(60)
    restored = amicopy("retire", source.image_id, *places, "--undo")
    assert restored.code == 0, restored.err
    [one] = shown(world)
    assert (one["State"], one["SnapshotConfiguration"], one["LaunchTemplate"]["LaunchTemplateName"]) == (
        "enabling",
        {"TargetResourceCount": 2},
        "prep",
    )


def test_the_policy_says_what_it_lacks_without_a_launch_template(amicopy: Run, world: World, tmp_path: Path) -> None:
    ran = amicopy("iam-policy", "sync", a_manifest(tmp_path, MANIFEST))
    assert "also needs arn:aws:iam::aws:policy/EC2FastLaunchFullAccess" in ran.err
    for enough in (with_settings(tmp_path, TEMPLATE), with_settings(tmp_path, f"{{{WEST}: false}}", "off.yaml")):
        assert "EC2FastLaunchFullAccess" not in amicopy("iam-policy", "sync", enough).err


def test_many_copies_get_it_at_ec2s_rate(amicopy: Run, world: World, tmp_path: Path) -> None:
    world.rates = "ec2"
    for number in range(12):
        windows(world, f"win-{number}")
    entry = "      - {{source: {{name: win-{}}}, from: us-east-1, to: us-west-2, fast_launch: [us-west-2]}}\n"
    ran = amicopy("sync", a_manifest(tmp_path, "    images:\n" + "".join(map(entry.format, range(12)))))
    assert ran.code == 0, ran.err
    assert len(states(world)) == 12
    assert len({one.params["ImageId"] for one in asked(world, "EnableFastLaunch")}) == 12


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("eu-central-1", "eu-central-1 is not a destination"),
        ("us-wset-2", "us-wset-2"),
        (f"{{{WEST}: {{max_parallel_launches: 3}}}}", "3 is less than 6"),
        (f"{{{WEST}: {{target_resource_count: 0}}}}", "0 is less than 1"),
        (f"{{{WEST}: {{snapshots: 3}}}}", "'snapshots' is an unknown key"),
        (f"{{{WEST}: {{launch_template: {{name: prep}}}}}}", "'version' is missing"),
        (f"{{{WEST}: {{launch_template: {{name: prep, version: $$Latest}}}}}}", "'version' must be a whole number"),
        (f"{{{WEST}: {{launch_template: {{version: 1}}}}}}", "give either the name or the id"),
        (f"{{{WEST}: {{launch_template: {{name: lt-0abc, version: 1}}}}}}", "lt-0abc is an id; write id: lt-0abc"),
        (f"{{{WEST}: {{launch_template: {{id: prep, version: 1}}}}}}", "'prep' is not a launch template's id"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    amicopy: Run, world: World, tmp_path: Path, said: str, words: str
) -> None:
    windows(world)
    ran = amicopy("sync", with_settings(tmp_path, said))
    assert (ran.code, world.images(WEST)) == (2, [])
    assert words in ran.err
    assert "amis.yaml:6:" in ran.err
