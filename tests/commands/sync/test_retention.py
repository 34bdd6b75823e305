"""``keep``: which older copies a manifest lets go, and everything that it must leave where it is."""

from pathlib import Path

import pytest

from amicopy.cli.environment import Environment
from amicopy.cli.main import main
from amicopy.core.parallel import Stop
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.manifests import DAY, a_manifest, made_from, parameter, released
from tests.support.scenes import EAST, HOME, WEST, a_source, asked, copied_by_hand, first, order, orphans, slow, writes

KEEP_ONE = f"""\
    name: base
    images:
      - source: {{name: 'web-*'}}
        from: {HOME}
        to: {WEST}
        keep: {{newest: 1}}
    """
MARK, SOURCE = "amicopy:manifest", "amicopy:source"


def removed(world: World) -> list[str]:
    """Return the ids of what was to be deregistered."""
    return [one.params["ImageId"] for one in asked(world, "DeregisterImage")]


def test_the_oldest_copies_go_with_their_snapshots_and_the_newest_stay(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace("newest: 1", "newest: 2"))
    sources = released(world, clock, amicopy, manifest, "web-1", "web-2", "web-3")
    assert set(made_from(world, WEST)) == {source.image_id for source in sources[1:]}
    assert orphans(world, WEST) == []
    assert len(world.images(HOME)) == 3


def test_without_keep_nothing_is_removed(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace("keep: {newest: 1}", ""))
    released(world, clock, amicopy, manifest, "web-1", "web-2", "web-3")
    assert len(world.images(WEST)) == 3


def test_the_dry_run_shows_what_would_go_and_removes_nothing(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    a_source(world, name="web-2")
    world.requests.clear()
    ran = amicopy("sync", manifest, "--dry-run", "--exit-code")
    assert ran.code == 4
    assert f"- {WEST}" in " ".join(ran.out.split())
    assert old in ran.out
    assert f"what is removed (-) is in account {DEFAULT_ACCOUNT}" in ran.out
    assert writes(world) == []


def test_a_removal_that_is_due_is_work(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    released(world, clock, amicopy, manifest, "web-1")
    a_source(world, name="web-2")
    amicopy("sync", manifest, "--no-wait")  # started, not finished
    clock.advance(3600)
    ran = amicopy("sync", manifest, "--dry-run", "--output", "json")
    assert [one["state"] for one in ran.json["removals"]] == ["cancel"]
    amicopy("sync", manifest, "--no-wait")
    assert len(world.images(WEST)) == 1


def test_what_is_younger_than_the_age_stays(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace("newest: 1", "newest: 1, min_age: 36h"))
    a_source(world, name="web-1")
    amicopy("sync", manifest)
    clock.advance(DAY)
    a_source(world, name="web-2")
    ran = amicopy("sync", manifest)
    assert removed(world) == []
    assert "younger than 36h" in ran.err
    clock.advance(DAY)
    amicopy("sync", manifest)
    assert len(removed(world)) == 1


@pytest.mark.parametrize("kind", ["ec2:Instance", "ec2:LaunchTemplate", "imagebuilder:ImageRecipe"])
def test_what_is_in_use_stays(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path, kind: str) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    world.state.references[old] = [(kind, f"arn:aws:somewhere:{kind}/1")]
    a_source(world, name="web-2")
    ran = amicopy("sync", manifest)
    assert (ran.code, removed(world)) == (0, [])
    assert f"arn:aws:somewhere:{kind}/1 uses it" in ran.err


def test_of_launch_templates_all_versions_are_looked_at(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    released(world, clock, amicopy, manifest, "web-1", "web-2")
    params = asked(world, "DescribeImageReferences")[0].params
    assert params["IncludeAllResourceTypes"] is True
    [template] = params["ResourceTypes"]
    assert template["ResourceType"] == "ec2:LaunchTemplate"
    assert template["ResourceTypeOptions"] == [{"OptionName": "version-depth", "OptionValues": ["10000"]}]


@pytest.mark.parametrize(
    "fault",
    [
        "error:403 UnauthorizedOperation: You are not authorized to perform this operation.",
        "error:InvalidAction: The action DescribeImageReferences is not valid for this web service.",
    ],
)
def test_where_nobody_knows_what_is_in_use_nothing_goes_and_the_copies_are_made(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path, fault: str
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    released(world, clock, amicopy, manifest, "web-1")
    source = a_source(world, name="web-2")
    order(world, f"DescribeImageReferences={fault}*always")
    ran = amicopy("sync", manifest)
    assert (ran.code, removed(world)) == (0, [])
    assert source.image_id in made_from(world, WEST)
    assert "in use" in ran.err


def test_a_protected_copy_stays(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    world.call("EnableImageDeregistrationProtection", {"ImageId": old}, region=WEST)
    a_source(world, name="web-2")
    ran = amicopy("sync", manifest)
    assert (ran.code, removed(world)) == (0, [])
    assert "protection is on" in ran.err


def test_a_pattern_that_takes_in_another_one_touches_none_of_its_copies(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    # EC2's filters take the * in a tag's value for any letters: base/web-* finds base/web-blue-* too.
    blue = a_manifest(tmp_path, KEEP_ONE.replace("web-*", "web-blue-*"), "blue.yaml")
    sources = released(world, clock, amicopy, blue, "web-blue-1")
    every = a_manifest(tmp_path, KEEP_ONE, "every.yaml")
    sources += released(world, clock, amicopy, every, "web-1", "web-2")
    assert set(made_from(world, WEST)) == {sources[0].image_id, sources[2].image_id}


def test_searches_that_differ_in_more_than_the_name_let_each_other_s_copies_be(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(
        tmp_path,
        f"""\
        name: base
        defaults: {{from: {HOME}, to: {WEST}, keep: {{newest: 1}}}}
        images:
          - source: {{name: 'web-*', architecture: x86_64}}
          - source: {{name: 'web-*', architecture: arm64}}
        """,
    )
    old = [a_source(world, name="web-1", architecture=one) for one in ("x86_64", "arm64")]
    assert amicopy("sync", manifest).code == 0
    clock.advance(2 * DAY)
    assert len(made_from(world, WEST)) == 2
    new = a_source(world, name="web-2", architecture="arm64")
    assert amicopy("sync", manifest).code == 0
    assert set(made_from(world, WEST)) == {old[0].image_id, new.image_id}


def test_a_copy_that_somebody_else_had_made_of_a_source_is_used_and_never_removed(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    theirs = copied_by_hand(world, a_source(world, name="web-1"), WEST)
    clock.advance(2 * DAY)
    assert amicopy("sync", manifest).code == 0
    assert [image.image_id for image in world.images(WEST)] == [theirs]
    released(world, clock, amicopy, manifest, "web-2", "web-3")
    assert removed(world) != [], "the manifest's own second copy is to go"
    assert theirs not in removed(world)


def test_tags_that_were_carried_by_hand_make_nobody_s_copy_ours(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    ours = world.image(WEST, made_from(world, WEST)[source.image_id])
    twin = copied_by_hand(world, ours, WEST, CopyImageTags=True, Name="kept for the auditors")
    registered = a_source(world, WEST, name="registered with the same tags", tags=dict(ours.tags))
    clock.advance(2 * DAY)
    assert world.image(WEST, twin).tags[MARK] == ours.tags[MARK]
    released(world, clock, amicopy, manifest, "web-2", "web-3")
    assert removed(world)[0] == ours.image_id
    assert {twin, registered.image_id}.isdisjoint(removed(world))


def test_copies_of_a_manifest_s_copy_do_not_inherit_its_mark(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    ours = world.image(WEST, made_from(world, WEST)[source.image_id])
    assert amicopy("copy", ours.image_id, "--from", WEST, "--to", EAST).code == 0
    [copy] = world.images(EAST)
    assert ours.tags[MARK] == "base/web-*"
    assert MARK not in copy.tags
    assert all(MARK not in one.tags for one in world.snapshots(EAST))
    assert amicopy("verify", ours.image_id, "--from", WEST, "--in", EAST).code == 0


def test_pruning_takes_no_mark_away(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    ran = amicopy("verify", source.image_id, "--from", HOME, "--in", WEST, "--repair", "--prune")
    assert ran.code == 0
    assert world.images(WEST)[0].tags[MARK] == "base/web-*"


@pytest.mark.parametrize("tag", [MARK, SOURCE])
def test_nobody_sets_the_mark_by_hand(amicopy: Run, world: World, tmp_path: Path, tag: str) -> None:
    manifest = a_manifest(
        tmp_path, f"images: [{{source: ami-0123456789abcdef0, from: {HOME}, to: {WEST}, tags: {{'{tag}': x}}}}]\n"
    )
    assert amicopy("sync", manifest).code == 2
    assert amicopy("copy", "ami-0123456789abcdef0", "--to", WEST, "--tag", f"{tag}=x").code == 2
    assert world.requests == []


def test_a_source_that_goes_back_keeps_its_current_copy(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace("newest: 1", "newest: 2"))
    old, new = released(world, clock, amicopy, manifest, "web-1", "web-2")
    world.remove(HOME, new.image_id)  # withdrawn: the older one is the newest again
    a_manifest(tmp_path, KEEP_ONE)
    assert amicopy("sync", manifest).code == 0
    assert set(made_from(world, WEST)) == {old.image_id}


def test_what_a_parameter_holds_stays_though_it_is_not_current(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    publishing = KEEP_ONE.replace("keep: {newest: 1}", "publish: {ssm: /amis/web}")
    manifest = a_manifest(tmp_path, publishing.replace("publish:", "keep: {newest: 2}\n        publish:"))
    _, new = released(world, clock, amicopy, manifest, "web-1", "web-2")
    copy = made_from(world, WEST)[new.image_id]
    world.call("DisableImage", {"ImageId": new.image_id}, region=HOME)  # still known, no source anymore
    a_manifest(tmp_path, publishing.replace("publish:", "keep: {newest: 1}\n        publish:"))
    ran = amicopy("sync", manifest)
    assert removed(world) == []
    assert parameter(WEST, "/amis/web") == copy
    assert "/amis/web contains its id" in ran.err


def test_a_region_that_could_not_publish_loses_nothing(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(
        tmp_path,
        KEEP_ONE.replace(f"to: {WEST}", f"to: [{WEST}, {EAST}]").replace(
            "keep:", "publish: {ssm: /amis/web}\n        keep:"
        ),
    )
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    a_source(world, name="web-2")
    order(world, f"PutParameter@{WEST}=error:AccessDeniedException: no*always")
    ran = amicopy("sync", manifest)
    assert ran.code == 3
    assert (len(world.images(WEST)), len(world.images(EAST))) == (2, 1)
    assert parameter(WEST, "/amis/web") == old


def test_a_region_whose_copy_failed_loses_nothing(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace(f"to: {WEST}", f"to: [{WEST}, {EAST}]"))
    [source] = released(world, clock, amicopy, manifest, "web-1")
    a_source(world, name="web-2")
    order(world, f"copy@{WEST}=fail*always")
    ran = amicopy("sync", manifest)
    assert ran.code == 3
    assert source.image_id in made_from(world, WEST)
    assert source.image_id not in made_from(world, EAST)


def test_while_the_new_copy_is_under_way_the_old_one_stays(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    released(world, clock, amicopy, manifest, "web-1")
    slow(world, 36000)
    a_source(world, name="web-2")
    for _ in range(3):
        assert amicopy("sync", manifest, "--no-wait").code == 0
        clock.advance(3600)
    assert removed(world) == []


def test_interrupted_it_removes_nothing(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace("keep:", "publish: {ssm: /amis/web}\n        keep:"))
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    a_source(world, name="web-2")
    stop = Stop()
    stop.signal_number = 2

    assert main(("sync", manifest), Environment(clock=clock, drive=first(stop.set), stop=stop)) == 130
    assert removed(world) == []
    assert parameter(WEST, "/amis/web") == old


def test_a_copy_beside_its_source_is_never_taken_for_the_source(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace(f"to: {WEST}", f"to: {HOME}\n        encrypt: true"))
    released(world, clock, amicopy, manifest, "web-1", "web-2")
    clock.advance(2 * DAY)
    world.requests.clear()
    assert amicopy("sync", manifest).code == 0
    assert writes(world) == []
    assert len(world.images(HOME)) == 3, "two sources and the newer one's copy"


def test_a_copy_that_is_a_source_of_the_same_run_stays(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(
        tmp_path,
        f"""\
        name: base
        images:
          - source: {{name: 'web-*'}}
            from: {HOME}
            to: {WEST}
            keep: {{newest: 1}}
          - source: {{name: 'web-*'}}
            from: {WEST}
            to: {EAST}
        """,
    )
    a_source(world, name="web-1")
    amicopy("sync", a_manifest(tmp_path, KEEP_ONE, "one.yaml"))
    clock.advance(2 * DAY)
    relayed = world.images(WEST)[0].image_id
    a_source(world, name="web-2")
    assert amicopy("sync", manifest).code == 0
    assert removed(world) == []
    assert set(made_from(world, EAST)) == {relayed}


def test_a_failed_removal_is_told_and_ends_with_3(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    released(world, clock, amicopy, manifest, "web-1")
    a_source(world, name="web-2")
    order(world, "DeregisterImage=error:403 UnauthorizedOperation: no*always")
    ran = amicopy("sync", manifest, "--output", "json")
    assert ran.code == 3
    assert [one["state"] for one in ran.json["removals"]] == ["failed"]
    assert [one["state"] for one in ran.json["copies"]] == ["done"]


def test_keep_needs_a_source_that_changes_and_a_name(amicopy: Run, world: World, tmp_path: Path) -> None:
    by_id = a_manifest(
        tmp_path, f"name: a\nimages: [{{source: ami-0123456789abcdef0, from: {HOME}, to: {WEST}, keep: {{newest: 1}}}}]"
    )
    assert "found by name or by ssm" in amicopy("sync", by_id).err
    nameless = a_manifest(tmp_path, KEEP_ONE.replace("name: base", "defaults: {}"))
    assert "needs a name" in amicopy("sync", nameless).err
    none = a_manifest(tmp_path, KEEP_ONE.replace("newest: 1", "newest: 0"))
    assert "0 is less than 1" in amicopy("sync", none).err
    assert world.requests == []


# What others use


def next_release(amicopy: Run, world: World, manifest: str, name: str = "web-9") -> str:
    """Release one more image; return what was said."""
    a_source(world, name=name)
    ran = amicopy("sync", manifest)
    assert ran.code == 0, ran.err
    return ran.err


def test_a_copy_that_is_shared_with_others_stays(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    world.image(WEST, old).launch_permissions.add("999988887777")
    assert "it is shared with 999988887777, who may use it" in next_release(amicopy, world, manifest)
    assert world.image(WEST, old).state == "available"


def test_a_copy_that_is_shared_goes_if_the_manifest_says_so(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path
) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE.replace("newest: 1", "newest: 1, shared: true"))
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    world.image(WEST, old).launch_permissions.add("999988887777")
    next_release(amicopy, world, manifest)
    assert removed(world) == [old]


def test_a_copy_that_was_launched_lately_stays(amicopy: Run, world: World, clock: FakeClock, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, KEEP_ONE)
    [source] = released(world, clock, amicopy, manifest, "web-1")
    old = made_from(world, WEST)[source.image_id]
    world.image(WEST, old).last_launched_at = clock.now()
    assert "it was launched on" in next_release(amicopy, world, manifest)
    assert world.image(WEST, old).state == "available"
