"""Whole commands: verify finds and names every difference, writes nothing without --repair, and repairs what it can."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from amicopy.aws.client import ServiceClient
from amicopy.sandbox.behavior import Unconfirmed
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Snapshot, Volume, Watermark
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import START, FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    ORGANIZATION,
    OTHERS,
    SOMEBODY,
    TAG,
    UNIT,
    WEST,
    a_source,
    asked,
    copied_by_hand,
    finished_by_hand,
    order,
    slow,
    snapshots_of,
    the_copy,
    writes,
)

BOTH = f"{WEST},{EAST}"
STRANGER = "777788889999"
DENIED = "error:403 UnauthorizedOperation: You are not authorized to perform this operation.*always"


def a_rich_source(world: World, **members: Any) -> Image:
    """Register a source with something of everything."""
    return a_source(
        world,
        **{
            "tags": {"Team": "web", "Empty": ""},
            "description": "the web server",
            "volumes": [
                Volume(device="/dev/sda1", gib=8, tags={"Disk": "root"}, shared_with=frozenset({SOMEBODY})),
                Volume(device="/dev/sdb", gib=20, tags={"Disk": "data"}, volume_type="io1", iops=500),
            ],
            "ephemeral": ["/dev/sdc"],
            "launch_permissions": {SOMEBODY, ORGANIZATION},
            "deprecate_at": START + timedelta(days=90),
            "boot_mode": "uefi",
            "imds": "v2.0",
            "supported_instance_types": ["t3.*", "m7i.large"],
            "unsupported_instance_types": ["t3.nano"],
            **members,
        },
    )


def copied(amicopy: Run, world: World, *options: str, to: str = WEST, **members: Any) -> Image:
    """Register a rich source and copy it; return the source."""
    source = a_rich_source(world, **members)
    ran = amicopy("copy", source.image_id, "--to", to, *options)
    assert ran.code == 0, ran.err
    world.requests.clear()
    return source


def verify(amicopy: Run, source: Image, *options: str, places: str = WEST) -> Ran:
    """Verify the copies in some regions."""
    return amicopy("verify", source.image_id, "--in", places, *options)


def verdicts(ran: Ran) -> dict[str, str]:
    """Return the verdict on each copy of a JSON result."""
    return {copy["image_id"]: copy["verdict"] for copy in ran.json["copies"]}


def root(world: World, image: Image) -> Snapshot:
    """Return the snapshot of the first volume."""
    return snapshots_of(world, image)["/dev/sda1"]


# Faithful copies


@pytest.mark.parametrize("output", ["table", "text", "json"])
def test_after_a_copy_nothing_is_found(amicopy: Run, world: World, output: str) -> None:
    source = copied(amicopy, world, to=BOTH)
    ran = amicopy("verify", source.image_id, "--output", output)
    assert (ran.code, writes(world)) == (0, []), ran.err
    for region in (WEST, EAST):
        assert the_copy(world, region).image_id in ran.out
    assert ran.out.count("faithful") == 2
    assert "differs" not in ran.out.replace("what differs", "")


def test_the_text_has_a_line_for_each_copy(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    ran = verify(amicopy, source, "--output", "text")
    assert ran.out == f"{WEST} {the_copy(world, WEST).image_id} {source.image_id} faithful\n"


@pytest.mark.parametrize(
    "options",
    [
        ["--no-permissions"],
        ["--no-tags", "--tag", "Release=1"],
        ["--share", OTHERS, "--share", UNIT],
        ["--description", "for {region}", "--name", "web-{region}"],
        ["--deprecate-after", "30d", "--protect=cooldown"],
        ["--no-deprecation"],
        ["--encrypt", "--no-permissions"],
    ],
    ids=lambda options: " ".join(options),
)
def test_with_the_options_that_they_were_made_with_copies_are_faithful(
    amicopy: Run, world: World, options: list[str]
) -> None:
    source = copied(amicopy, world, *options)
    ran = amicopy("verify", source.image_id, *options)
    assert (ran.code, writes(world)) == (0, []), ran.out
    assert the_copy(world, WEST).image_id in ran.out


def test_every_enabled_region_is_looked_at_by_default(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    world.requests.clear()
    amicopy("verify", source.image_id)
    looked_at = {one.region for one in asked(world, "DescribeImages")}
    assert {WEST, EAST, HOME} < looked_at
    assert len(looked_at) == 17


def test_nothing_is_asked_of_settings_or_keys(amicopy: Run, world: World) -> None:
    """They are of interest to new copies only, and there are many regions."""
    source = copied(amicopy, world)
    world.requests.clear()
    amicopy("verify", source.image_id)
    assert [one.operation for one in world.requests if one.operation.startswith("Get") or one.service == "kms"] == []


# What differs: each by hand


@dataclass(frozen=True)
class Change:
    """One change made to a copy by hand, and what is to be said of it."""

    make: Callable[[World, Image], object]
    kind: str
    words: str
    repairable: bool = True

    def __repr__(self) -> str:
        return self.words


def _other_device(image: Image, **members: Any) -> None:
    for name, value in members.items():
        setattr(image.devices[1], name, value)


LACKING = [
    Change(lambda _, copy: copy.tags.update(Team="ops"), "missing-tags", "has other values for tags Team"),
    Change(lambda _, copy: copy.tags.pop("Empty"), "missing-tags", "is missing tags Empty"),
    Change(lambda _, copy: copy.tags.pop(TAG), "missing-tags", f"is missing tags {TAG}"),
    Change(
        lambda world, copy: root(world, copy).tags.clear(), "missing-tags", f"(/dev/sda1) is missing tags Disk, {TAG}"
    ),
    Change(
        lambda world, copy: snapshots_of(world, copy)["/dev/sdb"].tags.update(Disk="root"),
        "missing-tags",
        "(/dev/sdb) has other values for tags Disk",
    ),
    Change(
        lambda _, copy: copy.launch_permissions.discard(ORGANIZATION),
        "missing-launch-permissions",
        f"is not shared with {ORGANIZATION}",
    ),
    Change(
        lambda world, copy: root(world, copy).shared_with.clear(),
        "missing-snapshot-permissions",
        f"(/dev/sda1) is not shared with {SOMEBODY}",
    ),
    Change(lambda _, copy: setattr(copy, "deprecate_at", None), "deprecation-differs", "has no deprecation date"),
    Change(
        lambda _, copy: setattr(copy, "deprecate_at", START + timedelta(days=900)),
        "deprecation-differs",
        "is deprecated from 2029-05-11 instead of 2027-02-21",
    ),
    Change(lambda _, copy: setattr(copy, "imds", ""), "imds-support-differs", "has IMDS support unset instead of v2.0"),
    Change(
        lambda _, copy: setattr(copy, "supported_instance_types", []),
        "instance-types-differ",
        "allows instance types not t3.nano instead of m7i.large, t3.*; not t3.nano",
    ),
]
LASTING = [
    Change(lambda _, copy: setattr(copy, "boot_mode", "legacy-bios"), "structure-differs", "BootMode legacy-bios"),
    Change(lambda _, copy: setattr(copy, "ena", False), "structure-differs", "EnaSupport none instead of true"),
    Change(lambda _, copy: setattr(copy, "sriov", ""), "structure-differs", "SriovNetSupport none"),
    Change(lambda _, copy: setattr(copy, "tpm", "v2.0"), "structure-differs", "TpmSupport v2.0 instead of none"),
    Change(lambda _, copy: setattr(copy, "architecture", "arm64"), "structure-differs", "Architecture arm64"),
    Change(lambda _, copy: setattr(copy, "platform", "windows"), "structure-differs", "Platform windows"),
    Change(lambda _, copy: setattr(copy, "platform_details", "SUSE"), "structure-differs", "PlatformDetails suse"),
    Change(
        lambda _, copy: setattr(copy, "usage_operation", "RunInstances:000g"), "structure-differs", "UsageOperation"
    ),
    Change(
        lambda _, copy: copy.product_codes.append(("abc", "marketplace")),
        "structure-differs",
        "ProductCodes abc (marketplace) instead of none",
    ),
    Change(lambda _, copy: setattr(copy, "uefi_data", "QQ=="), "structure-differs", "UEFI data other values"),
    Change(lambda _, copy: _other_device(copy, gib=21), "structure-differs", "device /dev/sdb GiB 21"),
    Change(lambda _, copy: _other_device(copy, volume_type="gp3"), "structure-differs", "type gp3"),
    Change(lambda _, copy: _other_device(copy, iops=600), "structure-differs", "IOPS 600"),
    Change(
        lambda _, copy: _other_device(copy, delete_on_termination=False),
        "structure-differs",
        "delete on termination False",
    ),
    Change(lambda _, copy: copy.devices.pop(), "structure-differs", "device /dev/sdc absent"),
]
for one in LASTING:
    object.__setattr__(one, "repairable", False)


@pytest.mark.parametrize("change", [*LACKING, *LASTING], ids=repr)
def test_whatever_a_copy_lacks_is_found_and_named(amicopy: Run, world: World, change: Change) -> None:
    source = copied(amicopy, world, to=BOTH)
    copy, other = the_copy(world, WEST), the_copy(world, EAST)
    change.make(world, copy)
    shown = verify(amicopy, source, places=BOTH)
    ran = verify(amicopy, source, "--output", "json", places=BOTH)
    assert (shown.code, ran.code, writes(world)) == (4, 4, [])
    assert change.words in shown.out
    assert ("only a new copy helps" in shown.out) is not change.repairable
    assert verdicts(ran) == {copy.image_id: "differs", other.image_id: "faithful"}
    [differing] = [one for one in ran.json["copies"] if one["image_id"] == copy.image_id]
    [difference] = differing["differences"]
    assert (difference["kind"], difference["repairable"]) == (change.kind, change.repairable)
    assert change.words in difference["text"]
    assert ran.json["status"] == "drift"


@pytest.mark.parametrize("change", LACKING, ids=repr)
def test_what_can_be_written_is_repaired_and_nothing_else_is(amicopy: Run, world: World, change: Change) -> None:
    source = copied(amicopy, world)
    before = _remembered(world, the_copy(world, WEST))
    change.make(world, the_copy(world, WEST))
    assert _remembered(world, the_copy(world, WEST)) != before
    ran = verify(amicopy, source, "--repair", "--yes")
    assert ran.code == 0, ran.err
    assert _remembered(world, the_copy(world, WEST)) == before
    assert len(writes(world)) == 1
    assert "faithful" in ran.out
    world.requests.clear()
    again = verify(amicopy, source, "--repair")
    assert (again.code, writes(world)) == (0, [])


def _remembered(world: World, copy: Image) -> Any:
    """Return all of a copy that can be written."""
    return (
        dict(copy.tags),
        set(copy.launch_permissions),
        copy.deprecate_at,
        copy.description,
        copy.protection,
        copy.imds,
        sorted(copy.supported_instance_types),
        sorted(copy.unsupported_instance_types),
        [(dict(one.tags), set(one.shared_with)) for one in snapshots_of(world, copy).values()],
    )


@pytest.mark.parametrize("change", LASTING[:2], ids=repr)
def test_what_nobody_can_change_is_left_and_still_named(amicopy: Run, world: World, change: Change) -> None:
    source = copied(amicopy, world)
    change.make(world, the_copy(world, WEST))
    ran = verify(amicopy, source, "--repair")
    assert (ran.code, writes(world)) == (4, [])
    assert change.words in ran.out


def test_the_rest_of_a_copy_that_cannot_be_mended_is_repaired_all_the_same(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    copy = the_copy(world, WEST)
    copy.boot_mode = ""
    copy.tags.pop("Team")
    ran = verify(amicopy, source, "--repair")
    assert (ran.code, copy.tags["Team"], writes(world)) == (4, "web", ["CreateTags"])
    assert "BootMode none instead of uefi (only a new copy helps)" in ran.out
    assert "is missing tags" not in ran.out


def test_a_description_is_compared_only_where_it_is_asked_for(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, "--description", "one")
    the_copy(world, WEST).description = "another"
    assert verify(amicopy, source).code == 0
    ran = verify(amicopy, source, "--description", "one", "--output", "json")
    [difference] = ran.json["copies"][0]["differences"]
    assert (ran.code, difference["kind"], difference["desired"]) == (4, "description-differs", "one")
    assert verify(amicopy, source, "--description", "one", "--repair").code == 0
    assert the_copy(world, WEST).description == "one"


def test_protection_is_compared_only_where_it_is_asked_for(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    assert verify(amicopy, source).code == 0
    ran = verify(amicopy, source, "--protect", "--output", "json")
    [difference] = ran.json["copies"][0]["differences"]
    assert (ran.code, difference["kind"], difference["repairable"]) == (4, "protection-differs", True)
    assert verify(amicopy, source, "--protect", "--repair").code == 0
    assert the_copy(world, WEST).protection == "enabled-without-cooldown"


def test_a_copy_that_is_less_encrypted_than_its_source_is_found(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = copied(
        amicopy, world, volumes=[Volume(encrypted=True), Volume(device="/dev/sdb")], launch_permissions=set()
    )
    the_copy(world, WEST).devices[0].encrypted = False
    ran = verify(amicopy, source)
    assert (ran.code, "encryption of /dev/sda1 off instead of on (only a new copy" in ran.out) == (4, True)


def test_a_copy_under_another_key_is_found(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, "--encrypt", "--no-permissions")
    [copy] = world.images(WEST)
    other = f"arn:aws:kms:{WEST}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    named = root(world, copy).kms_key_id
    root(world, copy).kms_key_id = other
    options = ["--kms-key", named, "--no-permissions"]
    ran = verify(amicopy, source, *options, "--output", "json")
    texts = [one["text"] for one in ran.json["copies"][0]["differences"]]
    assert (ran.code, texts) == (4, [f"{copy.image_id} has the key of /dev/sda1 {other} instead of {named}"])


def test_a_key_that_is_one_regions_own_is_no_reason_to_name_the_regions(amicopy: Run, world: World) -> None:
    """ "Give the options that the copies were made with": they were made with a key's ARN."""
    source = copied(amicopy, world, "--encrypt", "--no-permissions")
    named = root(world, the_copy(world, WEST)).kms_key_id
    for key in (named, f"{WEST}={named}"):
        ran = amicopy("verify", source.image_id, "--kms-key", key, "--no-permissions")
        assert (ran.code, "faithful" in ran.out) == (0, True), ran.err


# Beyond


BEYOND = [
    Change(lambda _, copy: copy.launch_permissions.add(STRANGER), "extra-sharing", STRANGER),
    Change(lambda _, copy: copy.launch_permissions.add("all"), "extra-sharing", "with public"),
    Change(lambda world, copy: root(world, copy).shared_with.add(STRANGER), "extra-sharing", STRANGER),
    Change(
        lambda world, copy: snapshots_of(world, copy)["/dev/sdb"].shared_with.add("all"),
        "extra-sharing",
        "(/dev/sdb) is shared with public, more than requested",
    ),
]
TAGGED = [
    Change(lambda _, copy: copy.tags.update(Added="x"), "extra-tags", "has tags that its source does not have: Added"),
    Change(
        lambda world, copy: root(world, copy).tags.update(Added=""),
        "extra-tags",
        "(/dev/sda1) has tags that its source does not have: Added",
    ),
]


@pytest.mark.parametrize("change", BEYOND, ids=repr)
def test_a_copy_that_is_open_to_more_is_a_difference_and_pruned_when_asked(
    amicopy: Run, world: World, change: Change
) -> None:
    source = copied(amicopy, world)
    copy = the_copy(world, WEST)
    before = _remembered(world, copy)
    change.make(world, copy)
    shown = verify(amicopy, source)
    assert (shown.code, change.words in shown.out) == (4, True)
    repaired = verify(amicopy, source, "--repair")
    assert (repaired.code, writes(world)) == (4, [])
    pruned = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (pruned.code, _remembered(world, copy), len(writes(world))) == (0, before, 1), pruned.err


@pytest.mark.parametrize("made_with", [("--no-permissions",), ("--share", "444455556666")])
def test_a_copy_made_for_fewer_is_not_shared_like_its_source_without_asking(
    amicopy: Run, world: World, made_with: tuple[str, ...]
) -> None:
    source = a_rich_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST, *made_with).code == 0
    before = _remembered(world, the_copy(world, WEST))
    world.requests.clear()
    ran = verify(amicopy, source, "--repair")
    assert (ran.code, writes(world)) == (2, [])
    assert "The question is: Share 1 copy like the source in account" in ran.err
    assert "will fix in us-west-2:" in ran.err
    same = verify(amicopy, source, "--repair", *made_with)  # the options that it was made with
    assert (same.code, _remembered(world, the_copy(world, WEST))) == (0, before), same.err


def test_what_the_request_itself_names_is_shared_without_asking(amicopy: Run, world: World) -> None:
    source = a_rich_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST, "--no-permissions").code == 0
    ran = verify(amicopy, source, "--repair", "--share", "444455556666")
    assert (ran.code, the_copy(world, WEST).launch_permissions) == (0, {"444455556666"}), ran.err


def test_pruning_asks_and_without_a_terminal_needs_yes(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    the_copy(world, WEST).tags["Added"] = "x"
    ran = verify(amicopy, source, "--repair", "--prune")
    assert (ran.code, writes(world)) == (2, [])
    assert "Cannot ask for confirmation without a terminal" in ran.err


def test_a_dry_run_of_a_repair_shows_what_it_would_do(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    copy = the_copy(world, WEST)
    copy.tags["Added"] = "x"
    del copy.tags["Team"]
    ran = verify(amicopy, source, "--repair", "--prune", "--dry-run")
    assert (ran.code, writes(world)) == (4, [])
    assert f"would fix in {WEST}: {copy.image_id} is missing tags Team" in ran.err
    assert (
        f"would remove what is extra in {WEST}: {copy.image_id} has tags that its source does not have: Added"
        in ran.err
    )


def test_copies_of_a_source_that_is_gone_are_not_repaired_by_one_another(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, to=BOTH)
    the_copy(world, WEST).launch_permissions.add(STRANGER)
    world.remove("us-east-1", source.image_id)
    ran = verify(amicopy, source, "--repair", "--prune", "--yes", places=BOTH)
    assert (ran.code, writes(world)) == (4, [])
    assert STRANGER not in the_copy(world, EAST).launch_permissions


def test_the_copies_of_a_disabled_source_keep_what_they_have(amicopy: Run, world: World) -> None:
    """DisableImage takes the source's launch permissions away, and EC2 does not give them back."""
    source = copied(amicopy, world, to=BOTH)
    before = {region: _remembered(world, the_copy(world, region)) for region in (WEST, EAST)}
    world.call("DisableImage", {"ImageId": source.image_id}, region=HOME)
    world.requests.clear()
    ran = verify(amicopy, source, "--repair", "--prune", "--yes", places=BOTH)
    assert (ran.code, writes(world)) == (0, [])
    assert {region: _remembered(world, the_copy(world, region)) for region in (WEST, EAST)} == before
    assert f"{source.image_id} is disabled in {HOME}; its copies are compared with each other" in ran.err


@pytest.mark.parametrize("change", TAGGED, ids=repr)
def test_more_tags_are_named_and_are_no_difference(amicopy: Run, world: World, change: Change) -> None:
    source = copied(amicopy, world)
    copy = the_copy(world, WEST)
    before = _remembered(world, copy)
    change.make(world, copy)
    shown = verify(amicopy, source)
    assert (shown.code, change.words in shown.out) == (0, True)
    pruned = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (pruned.code, _remembered(world, copy), writes(world)) == (0, before, ["DeleteTags"]), pruned.err
    assert change.words not in pruned.out


def test_imdsv2_on_the_copy_alone_is_named_and_stays(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    world.images("us-east-1")[0].imds = ""
    ran = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (ran.code, the_copy(world, WEST).imds, writes(world)) == (0, "v2.0", [])
    assert "has IMDS support v2.0, its source does not" in ran.out


def test_imdsv2_set_on_the_source_later_is_set_on_the_copy_by_the_next_copy(amicopy: Run, world: World) -> None:
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    source.imds = "v2.0"
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, the_copy(world, WEST).imds, writes(world)) == (0, "v2.0", ["ModifyImageAttribute"]), ran.err
    assert "IMDS support set to v2.0" in ran.err


def test_instance_types_of_the_copy_alone_are_named_and_pruned(amicopy: Run, world: World) -> None:
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    world.requests.clear()
    the_copy(world, WEST).supported_instance_types.append("t3.*")
    ran = verify(amicopy, source)
    assert (ran.code, "allows only instance types t3.*, its source allows all" in ran.out) == (0, True)
    pruned = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (pruned.code, the_copy(world, WEST).supported_instance_types) == (0, []), pruned.err
    assert writes(world) == ["ReplaceImageInstanceTypeSpecification"]


@pytest.mark.parametrize("keeps", [True, False])
def test_instance_types_reach_the_copy_whether_ec2_carries_them_or_not(amicopy: Run, world: World, keeps: bool) -> None:
    world.state.unconfirmed = Unconfirmed(copy_keeps_instance_types=keeps)
    source = world.register("us-east-1", name="web", supported_instance_types=["t3.*"])
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, the_copy(world, WEST).supported_instance_types) == (0, ["t3.*"]), ran.err
    assert ("ReplaceImageInstanceTypeSpecification" in writes(world)) is not keeps


def watermark(name: str, account: str = DEFAULT_ACCOUNT) -> Watermark:
    """Return a watermark of an account."""
    return Watermark(
        key=f"{account}:{name}",
        source_image_id="ami-1",
        source_region="us-east-1",
        source_created_at=START,
        attached_at=START,
    )


def test_a_watermark_comes_with_the_copy_and_one_attached_later_is_attached(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, watermarks=[watermark("approved")])
    assert [one.key for one in the_copy(world, WEST).watermarks] == [f"{DEFAULT_ACCOUNT}:approved"]
    assert verify(amicopy, source).code == 0
    source.watermarks.append(watermark("scanned"))
    ran = verify(amicopy, source)
    assert (ran.code, f"is missing the watermark {DEFAULT_ACCOUNT}:scanned" in ran.out) == (4, True)
    repaired = verify(amicopy, source, "--repair")
    assert (repaired.code, writes(world)) == (0, ["AttachImageWatermark"]), repaired.err


def test_a_watermark_of_another_account_needs_a_new_copy(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    source.watermarks.append(watermark("approved", SOMEBODY))
    ran = verify(amicopy, source, "--repair")
    assert (ran.code, writes(world)) == (4, [])
    assert f"is missing the watermark {SOMEBODY}:approved (only a new copy" in ran.out


def test_a_watermark_of_the_copy_alone_is_named_and_stays(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    the_copy(world, WEST).watermarks.append(watermark("approved"))
    ran = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (ran.code, writes(world)) == (0, [])
    assert f"has the watermark {DEFAULT_ACCOUNT}:approved, its source does not" in ran.out


def test_a_copy_with_a_watermark_is_not_made_public(amicopy: Run, world: World) -> None:
    source = a_source(world, watermarks=[watermark("approved")])
    ran = amicopy("copy", source.image_id, "--to", WEST, "--share", "public")
    assert (ran.code, world.images(WEST)) == (1, [])
    assert f"should be public, but has a watermark: {DEFAULT_ACCOUNT}:approved" in ran.err


def test_with_a_botocore_that_knows_no_watermarks_a_copy_is_not_called_faithful(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = copied(amicopy, world)
    known = ServiceClient.members

    def older(client: ServiceClient, shape: str) -> frozenset[str]:
        return known(client, shape) - {"ImageWatermarks"}

    monkeypatch.setattr(ServiceClient, "members", older)
    ran = verify(amicopy, source)
    assert (ran.code, "faithful" in ran.out, "partly compared" in ran.out) == (0, False, True)
    assert "note: watermarks are not compared: the installed botocore" in ran.err
    assert verify(amicopy, source, "--output", "json").json["copies"][0]["verdict"] == "partly-compared"


def test_extras_are_in_the_json(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    copy = the_copy(world, WEST)
    copy.launch_permissions.add(STRANGER)
    copy.tags["Added"] = "x"
    ran = verify(amicopy, source, "--output", "json")
    extras = [str(one) for one in ran.json["copies"][0]["extras"]]
    assert any(STRANGER in one for one in extras)
    assert any("Added" in one for one in extras)
    assert ran.json["copies"][0]["verdict"] == "differs"


def test_awss_own_tags_on_a_copy_are_nobodys_business(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    the_copy(world, WEST).tags["aws:backup:source"] = "x"
    ran = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (ran.code, writes(world), "aws:" in ran.out) == (0, [], False)


def test_pruning_and_repairing_come_in_one_go(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, to=BOTH)
    before = [_remembered(world, the_copy(world, region)) for region in (WEST, EAST)]
    for region in (WEST, EAST):
        for change in (*LACKING[1:7], *BEYOND, *TAGGED):
            change.make(world, the_copy(world, region))
    ran = verify(amicopy, source, "--repair", "--prune", "--yes", places=BOTH)
    assert ran.code == 0, ran.out
    assert [_remembered(world, the_copy(world, region)) for region in (WEST, EAST)] == before


def test_a_repair_that_is_refused_in_one_region_is_said_and_the_other_goes_on(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, to=BOTH)
    for region in (WEST, EAST):
        the_copy(world, region).tags.pop("Team")
    order(world, f"CreateTags@{WEST}={DENIED}")
    ran = verify(amicopy, source, "--repair", places=BOTH)
    assert ran.code != 0
    assert "Allow ec2:CreateTags" in ran.err
    assert (the_copy(world, EAST).tags["Team"], "Team" in the_copy(world, WEST).tags) == ("web", False)
    assert "is missing tags Team" in ran.out


# What else there is


def test_every_copy_of_a_region_is_judged(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = copied(amicopy, world)
    older = the_copy(world, WEST)
    second = finished_by_hand(world, clock, source, WEST)
    ran = verify(amicopy, source, "--output", "json")
    assert (ran.code, verdicts(ran)) == (0, {older.image_id: "faithful", second: "differs"})


def test_a_copy_by_another_tool_is_found_and_what_it_lacks_is_repaired(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_rich_source(world)
    image_id = finished_by_hand(world, clock, source, WEST, CopyImageTags=True)
    ran = amicopy("verify", source.image_id, "--output", "json")
    kinds = {one["kind"] for one in ran.json["copies"][0]["differences"]}
    assert (ran.code, verdicts(ran)) == (4, {image_id: "differs"})
    assert kinds == {
        "missing-tags",
        "missing-launch-permissions",
        "missing-snapshot-permissions",
        "deprecation-differs",
    }
    left = verify(amicopy, source, "--repair")
    assert (left.code, "not made by amicopy" in left.out) == (4, True)
    assert the_copy(world, WEST).launch_permissions == set()
    repaired = verify(amicopy, source, "--repair", "--adopt", "--yes")
    assert repaired.code == 0, repaired.err
    assert the_copy(world, WEST).launch_permissions == source.launch_permissions


def test_an_image_of_the_same_name_is_no_copy(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    other = a_source(world, WEST, tags={"Team": "db"})
    ran = verify(amicopy, source, "--output", "json")
    assert (ran.code, other.image_id in ran.out) == (0, False)


def test_a_pending_copy_is_not_judged(amicopy: Run, world: World) -> None:
    source = a_rich_source(world)
    slow(world, 3600)
    image_id = copied_by_hand(world, source, WEST)
    world.clock.sleep(10)
    world.requests.clear()
    ran = verify(amicopy, source, "--repair", "--prune", "--yes", "--output", "json")
    assert (ran.code, verdicts(ran), writes(world)) == (0, {image_id: "pending"}, [])


def test_a_copy_that_has_failed_is_no_copy_and_that_is_found(amicopy: Run, world: World) -> None:
    source = a_rich_source(world)
    order(world, f"copy@{WEST}=fail:Client.InternalError: no luck")
    amicopy("copy", source.image_id, "--to", WEST)
    world.requests.clear()
    shown = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (shown.code, writes(world)) == (4, [])
    assert "failed" in shown.out
    assert "no luck" in shown.out


def test_a_disabled_copy_is_found(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    copy = the_copy(world, WEST)
    world.call("DisableImage", {"ImageId": copy.image_id}, region=WEST)
    world.requests.clear()
    ran = verify(amicopy, source, "--repair", "--output", "json")
    assert (ran.code, verdicts(ran), writes(world)) == (4, {copy.image_id: "disabled"}, [])


@pytest.mark.parametrize("options", [["--in", BOTH], []], ids=["named", "everywhere"])
def test_no_copy_at_all_is_said_and_is_no_green_light(amicopy: Run, world: World, options: list[str]) -> None:
    source = a_rich_source(world)
    ran = amicopy("verify", source.image_id, *options)
    assert (ran.code, ran.out) == (4, "")
    assert "there is no copy in" in ran.err
    assert WEST in ran.err
    [note] = amicopy("verify", source.image_id, *options, "--output", "json").json["notes"]
    assert f"{note}\n" in ran.err


def test_the_name_of_another_tool_s_copy_is_shown_and_compared_only_if_asked_for(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    finished_by_hand(world, clock, source, WEST, Name="handmade", CopyImageTags=True)
    shown = f"named 'handmade', the source {source.name!r} (compared only with --name)"
    ran = verify(amicopy, source, "--output", "text")
    assert (ran.code, shown in ran.err) == (0, True), ran.err
    asked = verify(amicopy, source, "--name", "{name}", "--output", "text")
    assert (asked.code, shown in asked.err) == (4, False)


def test_a_named_region_without_a_copy_is_found(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    assert amicopy("verify", source.image_id).code == 0
    ran = verify(amicopy, source, places=BOTH)
    assert (ran.code, f"there is no copy in {EAST}\n" in ran.err) == (4, True)


def test_the_copies_of_a_source_that_is_gone_are_compared_with_each_other(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = copied(amicopy, world)
    clock.advance(60)
    assert amicopy("copy", source.image_id, "--to", EAST).code == 0
    world.call("DeregisterImage", {"ImageId": source.image_id}, region=HOME)
    world.requests.clear()
    same = verify(amicopy, source, places=BOTH)
    assert (same.code, same.out.count("faithful")) == (0, 2), same.out
    assert f"{source.image_id} is not in {HOME} anymore; its copies are compared with each other" in same.err
    newer = the_copy(world, EAST)
    newer.tags["Team"] = "ops"
    newer.launch_permissions.add(STRANGER)
    ran = verify(amicopy, source, "--output", "json", places=BOTH)
    assert (ran.code, verdicts(ran)[newer.image_id]) == (4, "differs")
    [difference] = ran.json["copies"][1]["differences"]
    assert difference["text"] == f"{newer.image_id} has other values for tags Team"
    assert writes(world) == []


def test_a_source_that_is_nowhere_and_has_no_copies_is_not_found(amicopy: Run, world: World) -> None:
    """A mistyped id must not be a pipeline's green light."""
    ran = amicopy("verify", "ami-0123456789abcdef0")
    assert ran.code == 1, ran.err
    assert "ami-0123456789abcdef0" in ran.err


def test_of_another_accounts_source_only_what_can_be_read_is_compared(amicopy: Run, world: World) -> None:
    """Who may launch it, and its tags, are not known: they are no difference, and nothing to prune."""
    source = a_rich_source(
        world,
        account=OTHERS,
        launch_permissions={"123456789012"},
        volumes=[Volume(shared_with=frozenset({"123456789012"}))],
    )
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    copy = the_copy(world, WEST)
    copy.launch_permissions.add(SOMEBODY)
    copy.tags["Added"] = "x"
    world.requests.clear()
    ran = verify(amicopy, source, "--repair")
    assert (ran.code, writes(world)) == (0, []), ran.out
    assert "cannot be read" in ran.err
    copy.boot_mode = ""
    assert verify(amicopy, source).code == 4


@pytest.mark.parametrize("operation", ["DescribeImageAttribute", "DescribeSnapshotAttribute"])
def test_permissions_of_the_source_that_may_not_be_read_are_not_taken_for_none(
    amicopy: Run, world: World, operation: str
) -> None:
    """Unknown is not empty: a rightly shared copy stays shared."""
    source = copied(amicopy, world)
    copy = the_copy(world, WEST)
    before = _remembered(world, copy)
    order(world, f"{operation}@{HOME}={DENIED}")
    ran = verify(amicopy, source, "--repair", "--prune", "--yes")
    assert (_remembered(world, copy), writes(world)) == (before, []), ran.out
    assert f"ec2:{operation}" in ran.err or "cannot be read" in ran.err


@pytest.mark.parametrize("operation", ["DescribeImageAttribute", "DescribeSnapshotAttribute"])
def test_permissions_of_a_copy_that_may_not_be_read_are_called_neither_missing_nor_faithful(
    amicopy: Run, world: World, operation: str
) -> None:
    source = copied(amicopy, world)
    order(world, f"{operation}@{WEST}={DENIED}")
    copy = the_copy(world, WEST)
    ran = verify(amicopy, source, "--repair", "--output", "json")
    assert (ran.code, verdicts(ran), writes(world)) == (3, {copy.image_id: "partly-compared"}, []), ran.err
    assert ran.json["copies"][0]["differences"] == []
    assert "is shared with is not compared: these credentials cannot read it" in ran.err


def test_a_region_that_cannot_be_read_is_named_and_the_others_are_judged(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world, to=BOTH)
    order(world, f"DescribeImages@{EAST}={DENIED}")
    ran = verify(amicopy, source, "--output", "json", places=BOTH)
    assert (ran.code, verdicts(ran)) == (3, {the_copy(world, WEST).image_id: "faithful"})
    assert [(one["region"], one["error"]["slug"]) for one in ran.json["unread"]] == [(EAST, "access-denied")]
    assert EAST in ran.err


def test_where_no_region_can_be_read_access_is_what_is_missing(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    order(world, f"DescribeImages@{WEST}={DENIED}")
    ran = verify(amicopy, source)
    assert (ran.code, ran.out) == (6, "")


def test_a_region_that_is_not_enabled_is_named(amicopy: Run, world: World) -> None:
    source = copied(amicopy, world)
    ran = verify(amicopy, source, places=f"{WEST},af-south-1")
    assert (ran.code, "af-south-1 is not enabled" in ran.err) == (3, True)


def test_several_sources_are_verified_at_once(amicopy: Run, world: World) -> None:
    one, other = copied(amicopy, world), copied(amicopy, world, name="other")
    [first] = [image for image in world.images(WEST) if image.source_image_id == one.image_id]
    first.tags.clear()
    ran = amicopy("verify", one.image_id, other.image_id, "--in", WEST, "--output", "json")
    assert (ran.code, sorted(verdicts(ran).values())) == (4, ["differs", "faithful"])


def test_without_repair_nothing_is_ever_written(amicopy: Run, world: World, clock: FakeClock) -> None:
    source = copied(amicopy, world, to=BOTH)
    finished_by_hand(world, clock, source, WEST)
    for change in (*LACKING, *LASTING, *BEYOND, *TAGGED):
        if "Empty" not in change.words and TAG not in change.words:
            change.make(world, the_copy(world, EAST))
    world.requests.clear()
    ran = amicopy("verify", source.image_id)
    assert (ran.code, {one.operation[:8] for one in world.requests}) == (4, {"Describe"})


def test_pruning_goes_with_repairing(amicopy: Run, world: World) -> None:
    ran = verify(amicopy, a_source(world), "--prune")
    assert (ran.code, world.requests) == (2, [])
    assert "--prune requires --repair" in ran.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--share", "public", "--encrypt"], "--share and --encrypt"),
        (["--share", SOMEBODY, "--no-permissions"], "--no-permissions"),
        (["--kms-key", "web"], "'web'"),
        (["--protect=maybe"], "'maybe'"),
        (["--in", "us-west-9"], "us-west-9"),
        (["--output", "xml"], "'xml'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_options_are_usage_errors(amicopy: Run, world: World, options: list[str], words: str) -> None:
    ran = amicopy("verify", a_source(world).image_id, *options)
    assert (ran.code, world.requests) == (2, []), ran.err
    assert words in ran.err


def test_a_region_that_could_not_be_read_is_not_said_to_have_no_copy(amicopy: Run, world: World) -> None:
    source = a_rich_source(world)
    ran = amicopy("verify", source.image_id, "--in", f"eu-south-2,{WEST}")
    assert (ran.code, ran.out) == (3, "")
    assert f"there is no copy in {WEST}\n" in ran.err
    assert "The region eu-south-2 is not enabled" in ran.err
