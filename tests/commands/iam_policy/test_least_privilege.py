"""Who has the printed policy can do no more, and hears early of what it lacks; what the policy is limited to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.iam import EVERYTHING, Caller, actions_of, printed, without
from tests.support.scenes import EAST, HOME, READS, SOMEBODY, TAG, WEST, slow

COPY = ("--from", HOME, "--to", f"{WEST},{EAST}")


def statement(document: Any, sid: str) -> Any:
    """Return one statement of a policy."""
    [one] = [one for one in document["Statement"] if one["Sid"] == sid]
    return one


def sids(document: Any) -> set[str]:
    """Return the names of a policy's statements."""
    return {one["Sid"] for one in document["Statement"]}


@pytest.fixture
def source(guarded: World) -> Image:
    """An image that needs every kind of write."""
    volumes = [
        Volume(device="/dev/sda1", gib=8, tags={"Name": "root"}, shared_with=frozenset({SOMEBODY})),
        Volume(device="/dev/sdf", gib=8, tags={"Name": "data"}),
    ]
    return guarded.register(
        HOME,
        name="web",
        volumes=volumes,
        launch_permissions={SOMEBODY},
        supported_instance_types=["t3.*"],
        deprecate_at=guarded.state.clock.now().replace(year=2028),
    )


def written(world: World) -> list[str]:
    """Return the writing operations that were asked for, rehearsals (DryRun) left out."""
    return [
        one.operation
        for one in world.requests
        if one.service == "ec2" and not one.operation.startswith(READS) and not one.params.get("DryRun")
    ]


def refused(call: Callable[[], Any]) -> bool:
    """Return whether IAM denies a call."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in {"UnauthorizedOperation", "AccessDeniedException"}
    return False


def test_only_copies_can_be_written_to(amicopy: Run, guarded: World, caller: Caller, source: Image) -> None:
    """Neither by tagging an image first, nor while it is copied."""
    caller.may(printed(amicopy, "copy", *COPY))
    assert amicopy("copy", source.image_id, *COPY).code == 0
    other = guarded.register(WEST, name="of another team")
    [copy] = [image for image in guarded.images(WEST) if image.name == "web"]
    ec2 = caller.own("ec2", WEST)

    def calls(image: Image) -> list[Callable[[], Any]]:
        tags = [{"Key": TAG, "Value": "us-east-1/ami-1"}]
        open_up = {"Add": [{"UserId": "999988887777"}]}
        snapshot_id = image.snapshot_ids[0]
        return [
            lambda: ec2.create_tags(Resources=[image.image_id], Tags=tags, DryRun=True),
            lambda: ec2.create_tags(Resources=[snapshot_id], Tags=tags, DryRun=True),
            lambda: ec2.modify_image_attribute(ImageId=image.image_id, LaunchPermission=open_up, DryRun=True),
            lambda: ec2.modify_snapshot_attribute(SnapshotId=snapshot_id, CreateVolumePermission=open_up, DryRun=True),
            lambda: ec2.deregister_image(ImageId=image.image_id, DryRun=True),
            lambda: ec2.delete_snapshot(SnapshotId=snapshot_id, DryRun=True),
        ]

    assert [refused(call) for call in calls(other)] == [True] * 6
    assert [refused(call) for call in calls(copy)] == [False] * 6


def test_adopting_may_only_add_the_tag(amicopy: Run, guarded: World, caller: Caller) -> None:
    caller.may(printed(amicopy, "copy", *COPY, "--adopt"))
    other = guarded.register(WEST, name="web").image_id
    ec2 = caller.own("ec2", WEST)
    assert refused(lambda: ec2.create_tags(Resources=[other], Tags=[{"Key": "Name", "Value": "x"}]))
    assert not refused(lambda: ec2.create_tags(Resources=[other], Tags=[{"Key": TAG, "Value": "x"}], DryRun=True))


def test_any_image_has_no_conditions(amicopy: Run, guarded: World, caller: Caller) -> None:
    document = printed(amicopy, "cancel", "--in", WEST, "--any-image", "ami-0abcdef1234567890")
    assert sids(document) == {"AmicopyRead", "AmicopyManageAnyImage", "AmicopyTerminateInstances"}
    caller.may(document)
    other = guarded.register(WEST, name="made by another tool").image_id
    assert not refused(lambda: caller.own("ec2", WEST).deregister_image(ImageId=other, DryRun=True))


LATER = (
    "ec2:CreateTags",
    "ec2:EnableImageDeprecation",
    "ec2:ModifyImageAttribute",
    "ec2:ModifySnapshotAttribute",
    "ec2:ReplaceImageInstanceTypeSpecification",
)


def manages(document: Any, action: str) -> str:
    """Return the statement that allows an action on copies that exist."""
    [sid] = [
        one["Sid"] for one in document["Statement"] if action in one["Action"] and one["Sid"] != "AmicopyTagNewCopies"
    ]
    return str(sid)


@pytest.mark.parametrize("action", LATER)
def test_where_a_copy_has_our_tag_a_missing_action_is_found_before_anything_starts(
    amicopy: Run, guarded: World, caller: Caller, source: Image, action: str
) -> None:
    document = printed(amicopy, "copy", *COPY)
    earlier = guarded.register(HOME, name="earlier")
    caller.may(document)
    assert amicopy("copy", earlier.image_id, *COPY).code == 0
    guarded.requests.clear()
    caller.may(without(document, action, manages(document, action)))
    ran = amicopy("copy", source.image_id, *COPY)
    assert ran.code == 6, ran.err
    assert f"Allow {action}" in ran.err
    assert written(guarded) == []


@pytest.mark.parametrize("action", LATER[:-1])  # CopyImage carries the last
def test_where_nothing_has_our_tag_a_missing_action_is_found_once_the_copy_has_it(
    amicopy: Run, guarded: World, caller: Caller, source: Image, action: str
) -> None:
    document = printed(amicopy, "copy", *COPY)
    caller.may(without(document, action, manages(document, action)))
    slow(guarded, 600)
    first = amicopy("copy", source.image_id, *COPY)
    assert f"note: {WEST} has nothing with the tag {TAG} yet, and without it EC2 denies" in first.err
    [early] = [text for text in first.err.splitlines() if "before the copy is available" in text]
    assert f"{action} is denied for " in early
    assert first.err.index(early) < first.err.index("is available\n")
    assert (first.code, f"Allow {action}" in first.err) == (6, True), first.err
    assert [image.state for image in guarded.images(WEST)] == ["available"]
    guarded.requests.clear()
    again = amicopy("copy", source.image_id, *COPY)
    assert (again.code, f"Allow {action}" in again.err, written(guarded)) == (6, True, []), again.err
    caller.may(document)
    assert amicopy("copy", source.image_id, *COPY).code == 0
    assert all(copy.launch_permissions == {SOMEBODY} for copy in (*guarded.images(WEST), *guarded.images(EAST)))


def test_an_explicit_denial_is_found_before_anything_starts(
    amicopy: Run, guarded: World, caller: Caller, source: Image
) -> None:
    document = printed(amicopy, "copy", *COPY)
    forbids = {"Sid": "No", "Effect": "Deny", "Action": ["ec2:ModifyImageAttribute"], "Resource": ["*"]}
    caller.may(document | {"Statement": [*document["Statement"], forbids]})
    ran = amicopy("copy", source.image_id, *COPY)
    assert (ran.code, written(guarded)) == (6, []), ran.err
    assert "Allow ec2:ModifyImageAttribute" in ran.err


def test_a_caller_who_may_write_to_everything_hears_nothing_of_tags(
    amicopy: Run, guarded: World, caller: Caller, source: Image
) -> None:
    caller.may(EVERYTHING)
    ran = amicopy("copy", source.image_id, *COPY)
    assert (ran.code, TAG in ran.err) == (0, False)
    assert not [one for one in guarded.requests if one.params.get("Filters", [{}])[0].get("Name") == "tag-key"]


def test_a_dry_run_says_what_it_cannot_know(amicopy: Run, guarded: World, caller: Caller, source: Image) -> None:
    caller.may(printed(amicopy, "copy", *COPY))
    ran = amicopy("copy", source.image_id, *COPY, "--dry-run")
    assert ran.code == 0, ran.err
    assert f"{WEST} has nothing with the tag {TAG} yet" in ran.out
    assert "a run would come to this" not in ran.out


def test_a_source_with_50_tags_is_refused_before_anything_starts(amicopy: Run, guarded: World, caller: Caller) -> None:
    """Its copies have no room for our tag, so that the policy allows nothing on them."""
    tags = {f"key{number}": "x" for number in range(50)}
    full = guarded.register(HOME, name="full", tags=tags, launch_permissions={SOMEBODY})
    caller.may(printed(amicopy, "copy", *COPY))
    ran = amicopy("copy", full.image_id, *COPY)
    assert (ran.code, written(guarded)) == (6, []), ran.err
    assert "Allow ec2:ModifyImageAttribute" in ran.err
    caller.may(printed(amicopy, "copy", *COPY, "--any-image"))
    assert amicopy("copy", full.image_id, *COPY).code == 0


def test_removing_a_failed_attempt_needs_its_actions_from_the_start(
    amicopy: Run, guarded: World, caller: Caller, source: Image
) -> None:
    document = printed(amicopy, "copy", *COPY)
    caller.may(document)
    guarded.inject(parse_fault(f"copy@{WEST}=fail"))
    assert amicopy("copy", source.image_id, *COPY).code == 3
    for action in ("ec2:DeregisterImage", "ec2:DeleteSnapshot"):
        guarded.requests.clear()
        caller.may(without(document, action))
        ran = amicopy("copy", source.image_id, "--to", WEST)
        assert ran.code == 6
        assert f"Allow {action}" in ran.err
        assert [one for one in written(guarded) if one == "CopyImage"] == []


@pytest.mark.parametrize(
    ("options", "spared"),
    [
        (("--no-permissions",), {"ModifySnapshotAttribute", "DescribeImageAttribute"}),
        (("--share", SOMEBODY), set[str]()),
        (("--dry-run",), {"CopyImage", "CreateTags", "DeregisterImage"}),
    ],
)
def test_the_policy_follows_the_options(
    amicopy: Run, guarded: World, caller: Caller, source: Image, options: Sequence[str], spared: set[str]
) -> None:
    document = printed(amicopy, source.image_id, *COPY, *options)
    assert actions_of(document).isdisjoint(f"ec2:{operation}" for operation in spared)
    caller.may(document)
    ran = amicopy("copy", source.image_id, *COPY, *options)
    assert ran.code == 0, ran.err


def test_the_policy_is_limited_to_the_named_regions(
    amicopy: Run, guarded: World, caller: Caller, source: Image
) -> None:
    caller.may(printed(amicopy, source.image_id, "--from", "us-east-1", "--to", "us-west-2"))
    looked = amicopy("copy", source.image_id, *COPY, "--dry-run")
    assert "may not call ec2:CopyImage in eu-west-1" in looked.out
    assert "ec2:CopyImage in us-west-2" not in looked.out
    ran = amicopy("copy", source.image_id, *COPY)
    # The region that is not allowed says so itself, at once; the other's copy is what was asked for (ADR 0007).
    assert (ran.code, guarded.images("eu-west-1")) == (3, [])
    assert "may not call ec2:CopyImage in eu-west-1" in ran.err
    [copy] = guarded.images("us-west-2")
    assert copy.state == "available"


def test_what_is_in_use_is_seen_only_through_ec2(amicopy: Run) -> None:
    looks = statement(printed(amicopy, "--for", "sync"), "AmicopyFindReferences")
    assert looks["Condition"] == {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}}


def test_a_source_in_any_region_does_not_open_other_destinations(
    amicopy: Run, guarded: World, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    document = printed(amicopy, "copy", "--to", WEST)
    assert statement(document, "AmicopyCopyFromSource")["Resource"] == [
        "arn:aws:ec2:*::image/*",
        "arn:aws:ec2:*::snapshot/*",
    ]
    caller.may(document)
    source = guarded.register("eu-central-1", name="web").image_id
    given = {"SourceRegion": "eu-central-1", "SourceImageId": source, "Name": "web", "DryRun": True}
    assert refused(lambda: caller.own("ec2", EAST).copy_image(**given))
    assert not refused(lambda: caller.own("ec2", WEST).copy_image(**given))


def test_without_from_the_configured_region_limits_the_policy(amicopy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    ran = amicopy("iam-policy", "copy", "--to", "all")
    assert "configured region, cn-north-1" in ran.err
    assert statement(ran.json, "AmicopyCopyImage")["Resource"][0] == "arn:aws-cn:ec2:*::image/*"
    assert statement(ran.json, "AmicopyKmsReadSources")["Resource"] == ["arn:aws-cn:kms:cn-north-1:*:key/*"]
    assert statement(printed(amicopy, "cancel", "--in", "all"), "AmicopyManageCopies")["Resource"] == [
        "arn:aws-cn:ec2:*::image/*",
        "arn:aws-cn:ec2:*::snapshot/*",
    ]


KEY = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
MULTI = "arn:aws:kms:us-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"


@pytest.mark.parametrize(
    ("options", "resources"),
    [
        ((), ["arn:aws:kms:us-west-2:*:key/*", "arn:aws:kms:eu-west-1:*:key/*"]),
        (("--encrypt", "--kms-key", f"us-west-2={KEY}"), [KEY, "arn:aws:kms:eu-west-1:*:key/*"]),
        (
            ("--kms-key", MULTI),
            [MULTI.replace("us-east-1", "us-west-2"), MULTI.replace("us-east-1", "eu-west-1")],
        ),
        (
            ("--kms-key", "1234abcd-12ab-34cd-56ef-1234567890ab", "--kms-key", f"us-west-2={KEY}"),
            [KEY, "arn:aws:kms:eu-west-1:*:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
        ),
    ],
)
def test_named_keys_limit_what_can_be_encrypted_with(
    amicopy: Run, options: Sequence[str], resources: Sequence[str]
) -> None:
    document = printed(amicopy, "copy", *COPY, *options)
    assert statement(document, "AmicopyKmsEncryptCopies")["Resource"] == resources
    home = "arn:aws:kms:us-east-1:*:key/*"
    assert statement(document, "AmicopyKmsReadSources")["Resource"] == [home]
    for sid in ("AmicopyKmsDescribeKeys", "AmicopyKmsGrantToEC2"):
        assert statement(document, sid)["Resource"] == [home, *resources]


def test_an_alias_is_a_condition(amicopy: Run) -> None:
    document = printed(amicopy, "copy", *COPY, "--kms-key", "alias/images")
    named = {"kms:ResourceAliases": ["alias/images"]}
    there = ["arn:aws:kms:us-west-2:*:key/*", "arn:aws:kms:eu-west-1:*:key/*"]
    for sid in ("AmicopyKmsDescribeKeysByAlias", "AmicopyKmsEncryptCopiesByAlias", "AmicopyKmsGrantToEC2ByAlias"):
        one = statement(document, sid)
        assert (one["Resource"], one["Condition"]["ForAnyValue:StringEquals"]) == (there, named)
    assert "AmicopyKmsEncryptCopies" not in sids(document)


def test_keys_may_be_used_through_ec2_only(amicopy: Run) -> None:
    document = printed(amicopy, "--from", HOME, "--to", WEST)
    via = {"StringLike": {"kms:ViaService": ["ec2.us-east-1.amazonaws.com", "ec2.us-west-2.amazonaws.com"]}}
    assert "Condition" not in statement(document, "AmicopyKmsDescribeKeys")
    assert statement(document, "AmicopyKmsReadSources")["Condition"] == via
    assert statement(document, "AmicopyKmsEncryptCopies")["Condition"] == via
    granted = via | {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert statement(document, "AmicopyKmsGrantToEC2")["Condition"] == granted


@pytest.mark.parametrize("command", ["status", "cancel", "verify"])
def test_who_does_not_copy_needs_no_keys(amicopy: Run, command: str) -> None:
    assert not [name for name in actions_of(printed(amicopy, "--for", command)) if name.startswith("kms:")]


def test_instance_store_needs_its_buckets(amicopy: Run) -> None:
    assert not [name for name in actions_of(printed(amicopy, "copy", *COPY)) if name.startswith("s3:")]
    document = printed(amicopy, "copy", *COPY, "--instance-store", "my-amis")
    assert statement(document, "AmicopyS3ReadSource")["Resource"] == ["arn:aws:s3:::my-amis", "arn:aws:s3:::my-amis/*"]
    buckets = statement(document, "AmicopyS3WriteCopies")["Resource"]
    assert buckets == ["arn:aws:s3:::amis-for-*-in-us-west-2*", "arn:aws:s3:::amis-for-*-in-eu-west-1*"]
    names = "CreateBucket GetBucketAcl GetObject ListAllMyBuckets PutBucketOwnershipControls PutObject PutObjectAcl"
    assert {name for name in actions_of(document) if name.startswith("s3:")} == {f"s3:{name}" for name in names.split()}


MANIFEST = """\
name: web
defaults: {from: us-east-1}
images:
  - source: {name: "web*"}
    to: {us-west-2: {kms_key: alias/west}, eu-west-1: {encrypt: true}}
    publish: {ssm: "/images/{name}/{region}", include_source: true}
  - source: {ssm: /build/db}
    to: eu-central-1
    carry_permissions: false
"""


def test_a_manifest_limits_the_policy(amicopy: Run, tmp_path: Path) -> None:
    (tmp_path / "amis.yaml").write_text(MANIFEST)
    document = printed(amicopy, "sync", str(tmp_path / "amis.yaml"))
    places = [
        f"arn:aws:ec2:{region}::{kind}/*" for region in (WEST, EAST, "eu-central-1") for kind in ("image", "snapshot")
    ]
    assert statement(document, "AmicopyCopyImage")["Resource"] == places
    published = [
        "arn:aws:ssm:us-west-2:*:parameter/images/*/us-west-2",
        "arn:aws:ssm:eu-west-1:*:parameter/images/*/eu-west-1",
        "arn:aws:ssm:us-east-1:*:parameter/images/*/us-east-1",
    ]
    assert statement(document, "AmicopyPublishParameters")["Resource"] == published
    read = statement(document, "AmicopyReadParameters")["Resource"]
    assert set(read) == {*published, "arn:aws:ssm:us-east-1:*:parameter/build/db"}
    assert statement(document, "AmicopyKmsEncryptCopiesByAlias")["Resource"] == ["arn:aws:kms:us-west-2:*:key/*"]
    assert statement(document, "AmicopyKmsEncryptCopies")["Resource"] == [
        "arn:aws:kms:eu-west-1:*:key/*",
        "arn:aws:kms:eu-central-1:*:key/*",
    ]
    assert "AmicopyFindReferences" not in sids(document)
    assert "ec2:EnableImageDeregistrationProtection" not in actions_of(document)


def test_without_a_manifest_sync_may_do_all_that_one_can_say(amicopy: Run) -> None:
    document = printed(amicopy, "sync", "--from", HOME, "--to", WEST)
    anywhere = ["arn:aws:ssm:us-east-1:*:parameter/*", "arn:aws:ssm:us-west-2:*:parameter/*"]
    assert statement(document, "AmicopyPublishParameters")["Resource"] == anywhere
    assert statement(document, "AmicopyReadParameters")["Resource"] == anywhere
    assert {"ec2:EnableImageDeregistrationProtection", "ec2:DescribeImageReferences"} <= actions_of(document)


def test_a_manifest_that_cannot_be_read_is_told(amicopy: Run, tmp_path: Path) -> None:
    (tmp_path / "amis.yaml").write_text("images: 3\n")
    ran = amicopy("iam-policy", "sync", str(tmp_path / "amis.yaml"))
    assert (ran.code, ran.out) == (2, "")
    assert "must be a list, not '3'" in ran.err
    assert amicopy("iam-policy", "sync", str(tmp_path / "none.yaml")).code == 2


def test_retire_that_restores_another_release_may_do_both(amicopy: Run) -> None:
    places = ("--from", "us-east-1", "--in", "us-east-1")
    lines = ((), ("--undo",), ("--restore", "ami-0123456789abcdef0"))
    taking, restoring, both = (actions_of(printed(amicopy, "retire", *places, *more)) for more in lines)
    assert both == taking | restoring


AMI = "ami-0abcdef1234567890"
LINES = (
    ("copy", AMI, "--to", "us-west-2", "--timeout", "1h", "--output", "json", "--write", "env=x", "--github", "--yes"),
    ("copy", "-", "--to", "eu-*", "--exclude", "eu-south-1", "--tag", "a=b", "--no-wait"),
    ("sync", "--dry-run", "--no-preflight"),
    ("status", AMI, "--in", "eu-*", "--watch"),
    ("verify", AMI, "--in", "us-west-2,eu-west-1", "--share", "111122223333", "--repair", "--prune", "--yes"),
    ("cancel", AMI, "--in", "eu-west-1", "--available", "--dry-run"),
    ("cancel", "--copy", AMI, "--in", "eu-west-1", "--yes"),
    ("cancel", "--all-pending", "--in", "all"),
)


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line))
def test_any_command_line_can_follow(amicopy: Run, line: Sequence[str]) -> None:
    document = printed(amicopy, *line)
    assert document["Statement"]
    assert printed(amicopy, "--for", line[0], *line[1:]) == document


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        ((), set[str]()),
        (("--repair",), {"ec2:CreateTags", "ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute"}),
        (("--repair", "--prune"), {"ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifySnapshotAttribute"}),
        (("--repair", "--dry-run"), set[str]()),
    ],
)
def test_verify_writes_only_to_repair(amicopy: Run, options: Sequence[str], actions: set[str]) -> None:
    document = printed(amicopy, "verify", "--in", WEST, *options)
    written = {name for name in actions_of(document) if not name.startswith(("ec2:Describe", "ec2:Get"))}
    assert written >= actions
    assert bool(written) is bool(actions)
    assert ("ec2:DeleteTags" in written) is ("--prune" in options)
    assert written.isdisjoint({"ec2:DeregisterImage", "ec2:DeleteSnapshot", "ec2:CopyImage"})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("status", "--repair"), "status has no option --repair"),
        (("copy", "--in", "us-west-2"), "copy has no option --in"),
        (("verify", "--prune"), "--prune requires --repair"),
        (("veriy",), "'veriy' is not a valid AMI id"),
        (("copy", "--share", "public", "--no-permissions"), "--share and --no-permissions"),
    ],
)
def test_a_command_line_that_would_be_refused_has_no_policy(amicopy: Run, line: Sequence[str], words: str) -> None:
    ran = amicopy("iam-policy", *line)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_the_help_lists_what_changes_a_policy_and_the_exit_codes(amicopy: Run) -> None:
    said = amicopy("iam-policy", "--help").out
    assert "Exit codes:" in said
    for option in ("--to", "--in", "--kms-key", "--adopt", "--repair", "--prune", "--instance-store", "--any-image"):
        assert option in said
    for option in ("--timeout", "--html", "--github", "--output", "--tag", "--watch", "--yes", "--sandbox"):
        assert f"  {option} " not in said


@pytest.mark.parametrize(
    ("options", "partition"),
    [
        (("--from", "cn-north-1", "--to", "all"), "aws-cn"),
        (("--from", "us-gov-west-1", "--to", "us-gov-*"), "aws-us-gov"),
        (("--to", "us-iso-east-1"), "aws-iso"),
        (("--to", "eu-west-1"), "aws"),
    ],
)
def test_resources_are_in_the_partition_of_the_named_regions(
    amicopy: Run, options: Sequence[str], partition: str
) -> None:
    document = printed(amicopy, *options)
    resources = [one for statement in document["Statement"] for one in statement["Resource"] if one != "*"]
    assert {one.split(":")[1] for one in resources} == {partition}
