"""Whole commands: what is in an AMI is read before it is copied, said, refused where requested, and remembered."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from amicopy.core.models import SCANNED_TAG
from amicopy.core.parallel import Stop
from amicopy.jobs import image_scans
from amicopy.sandbox.content import DiskImage
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.accounts import B
from tests.support.disks import tool
from tests.support.pinned import Pinned
from tests.support.planted import SECRETS
from tests.support.scenes import EAST, HOME, SOMEBODY, WEST, a_source, asked, order, the_copy, writes

pytestmark = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")

READS = ("ListSnapshotBlocks", "GetSnapshotBlock")
WITH_SECRETS: dict[str, str | bytes] = {"etc/app.conf": SECRETS[0][0], "root/key.pem": SECRETS[-1][0]}
DENIED = "error:403 AccessDeniedException: User is not authorized to perform: ebs:ListSnapshotBlocks"
THREE_PINS = "1 critical, 2 high: /etc/fstab:2 (boot-fstab), /etc/environment:1 (region-setting)"


def to_west(image: Image, *options: str) -> tuple[str, ...]:
    return ("copy", image.image_id, "--from", HOME, "--to", WEST, *options)


def blocks_read(world: World) -> int:
    return sum(len(asked(world, operation)) for operation in READS)


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_pinned_image_is_copied_with_a_note(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    ran = amicopy(*to_west(image, "--scan", "--output", "json"))
    assert ran.code == 0, ran.err
    assert f"{image.image_id} points to {HOME}: {THREE_PINS}" in words(ran.err)
    [scan] = ran.json["scans"]
    assert (scan["complete"], scan["recorded"], scan["secrets"], scan["error"]) == (True, False, 0, None)
    assert scan["counts"] == {"critical": 1, "high": 2, "medium": 0, "low": 0}
    assert [one["place"] for one in scan["findings"]] == [
        "/etc/fstab:2",
        "/etc/environment:1",
        "/opt/app/database.yml:2",
    ]
    assert scan["blocks_read"] == len(asked(world, "GetSnapshotBlock")) > 0


def test_a_pinned_image_is_refused_before_anything_is_written(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    ran = amicopy("copy", image.image_id, "--to", f"{WEST},{EAST}", "--scan=refuse")
    assert (ran.code, writes(world)) == (1, [])
    assert "[pinned-to-region]" in ran.err
    assert f"amicopy scan {image.image_id} --from {HOME}" in words(ran.err)


def test_a_dry_run_shows_the_same_and_writes_nothing(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    shown = amicopy(*to_west(image, "--scan", "--dry-run"))
    assert (shown.code, writes(world)) == (0, [])
    assert THREE_PINS in words(shown.out)
    refused = amicopy(*to_west(image, "--scan=refuse", "--dry-run", "--output", "json"))
    assert (refused.code, refused.json["scans"][0]["counts"]["critical"]) == (1, 1)
    assert [problem["slug"] for problem in refused.json["copies"][0]["problems"]] == ["pinned-to-region"]
    assert THREE_PINS in words(
        amicopy(*to_west(image, "--scan", "--dry-run", "--output", "markdown")).out.replace("\\", "")
    )


def test_a_clean_image_passes_and_says_so(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned({})
    ran = amicopy(*to_west(image, "--scan=refuse"))
    assert ran.code == 0
    assert f"nothing in {image.image_id} points to {HOME} (" in ran.err


def test_without_scan_no_block_is_read_and_no_call_is_added(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    amicopy(*to_west(image))
    assert blocks_read(world) == 0
    assert SCANNED_TAG not in world.image(HOME, image.image_id).tags


def test_an_unchanged_image_is_not_read_twice(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    amicopy(*to_west(image, "--scan"))
    assert SCANNED_TAG in world.image(HOME, image.image_id).tags
    assert SCANNED_TAG not in the_copy(world, WEST).tags
    world.requests.clear()
    again = amicopy("copy", image.image_id, "--to", EAST, "--scan", "--output", "json")
    assert (again.code, blocks_read(world)) == (0, 0)
    [scan] = again.json["scans"]
    assert (scan["recorded"], scan["counts"]["critical"], scan["findings"]) == (True, 1, [])
    assert "as its tag amicopy:scanned records: 1 critical, 2 high." in words(again.err)
    assert amicopy("copy", image.image_id, "--to", "eu-west-2", "--scan=refuse").code == 1
    assert "CreateTags" not in [one.operation for one in world.requests if one.region == HOME]


def test_a_run_that_is_up_to_date_reads_nothing(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    amicopy(*to_west(image))
    world.requests.clear()
    again = amicopy(*to_west(image, "--scan=refuse"))
    assert (again.code, blocks_read(world), writes(world)) == (0, 0, [])


def test_other_rules_or_snapshots_are_read_anew(amicopy: Run, world: World, pinned: Pinned, tmp_path: Path) -> None:
    _, image = pinned()
    amicopy(*to_west(image, "--scan"))
    accepted = tmp_path / "accepted"
    accepted.write_text("*:/opt/*  # there is a proxy\n")
    world.requests.clear()
    ran = amicopy("copy", image.image_id, "--to", EAST, "--scan", "--ignore-file", str(accepted), "--output", "json")
    assert (blocks_read(world) > 0, ran.json["scans"][0]["counts"]["high"]) == (True, 1)
    forged = world.image(HOME, image.image_id)
    forged.tags[SCANNED_TAG] = forged.tags[SCANNED_TAG].replace("a", "b").replace("critical=1", "critical=0")
    assert amicopy("copy", image.image_id, "--to", "eu-west-2", "--scan=refuse").code == 1


def test_it_is_recorded_on_images_of_this_account_only(amicopy: Run, world: World, pinned: Pinned) -> None:
    theirs = {"account": "210987654321", "launch_permissions": {DEFAULT_ACCOUNT}}
    _, image = pinned(image=theirs, shared_with=frozenset({DEFAULT_ACCOUNT}))
    for region in (WEST, EAST):
        world.requests.clear()
        ran = amicopy("copy", image.image_id, "--to", region, "--scan", "--share", SOMEBODY)
        assert (ran.code, blocks_read(world) > 0) == (0, True), ran.err
        assert not [one for one in asked(world, "CreateTags") if one.region == HOME]


def test_a_source_without_room_for_a_tag_is_copied(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned(image={"tags": {f"key-{number}": "" for number in range(50)}})
    assert amicopy(*to_west(image, "--scan")).code == 0
    assert not [one for one in asked(world, "CreateTags") if one.region == HOME]


def test_a_tag_that_cannot_be_written_is_no_failure(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    order(world, f"CreateTags@{HOME}=error:UnauthorizedOperation: You are not authorized*always")
    ran = amicopy(*to_west(image, "--scan"))
    assert ran.code == 0
    assert "the scan cannot be recorded in us-east-1, so the next run reads the image again" in words(ran.err)


@pytest.mark.parametrize("sharing", [("--share", SOMEBODY), ("--share", "public", "--yes")])
def test_secrets_are_not_shared_unless_that_is_allowed(
    amicopy: Run, world: World, pinned: Pinned, sharing: tuple[str, ...]
) -> None:
    _, image = pinned(WITH_SECRETS)
    ran = amicopy(*to_west(image, "--scan", *sharing))
    assert (ran.code, writes(world)) == (1, [])
    assert "[secrets-found]" in ran.err
    assert "holds 2 secrets" in ran.err
    assert "/etc/app.conf:1 (secret-aws-key)" in ran.err
    assert SECRETS[0][1] not in ran.err + ran.out
    assert amicopy(*to_west(image, "--scan")).code == 0  # private
    shared = amicopy(*to_west(image, "--scan", *sharing))
    assert (shared.code, the_copy(world, WEST).launch_permissions) == (1, set())
    assert amicopy(*to_west(image, "--scan", "--allow-secrets", *sharing)).code == 0
    assert the_copy(world, WEST).launch_permissions


def test_secrets_are_not_copied_into_another_account_unless_that_is_allowed(
    amicopy: Run, world: World, pinned: Pinned
) -> None:
    _, image = pinned(WITH_SECRETS)
    into = ("--account", B, "--from", HOME, "--to", WEST, "--scan")
    ran = amicopy("copy", image.image_id, *into)
    assert (ran.code, writes(world), "[secrets-found]" in ran.err) == (1, ["AssumeRole"], True), ran.err
    assert f"its copy should be given to account {B}" in words(ran.err)
    assert SECRETS[0][1] not in ran.err + ran.out
    ran = amicopy("copy", image.image_id, *into, "--best-effort", WEST, "--output", "json")
    states = {one.get("account"): one["state"] for one in ran.json["copies"]}
    assert states == {None: "done", B: "refused"}  # one's own copy is no sharing
    assert world.images(WEST, B) == []
    ran = amicopy("copy", image.image_id, *into, "--allow-secrets")
    assert ran.code == 0, ran.err
    assert [one.state for one in world.images(WEST, B)] == ["available"]
    assert amicopy("copy", image.image_id, *into).code == 0  # it has the copy: nothing is given any more


PUBLIC = ("--share", "public", "--yes")


@pytest.mark.parametrize("path", ["etc/acme/app.conf", "opt/acme/app.conf"])
def test_an_in_house_package_hides_no_secret(amicopy: Run, world: World, pinned: Pinned, path: str) -> None:
    digest = hashlib.md5(SECRETS[0][0].encode(), usedforsecurity=False).hexdigest()
    status = f"Package: acme\nMaintainer: ops@acme.example\nConffiles:\n /{path} {digest}\n"
    _, image = pinned({path: SECRETS[0][0], "var/lib/dpkg/status": status})
    ran = amicopy(*to_west(image, "--scan=refuse", *PUBLIC))
    assert (ran.code, writes(world), "[secrets-found]" in ran.err) == (1, [], True)


def test_ignoring_everything_lets_no_secret_be_shared(
    amicopy: Run, world: World, pinned: Pinned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, image = pinned({**WITH_SECRETS, "opt/app.conf": "region=us-east-1\n"})
    Path(".amicopyignore").write_text("*:/*  # legacy\n")
    ran = amicopy(*to_west(image, "--scan=refuse", *PUBLIC, "--output", "json"))
    assert (ran.code, writes(world), "[secrets-found]" in ran.err) == (1, [], True)
    [scan] = ran.json["scans"]
    assert (scan["secrets"], scan["ignored"], scan["ignore_files"]) == (2, 1, [".amicopyignore"])
    assert f"{image.image_id}: a finding in it is ignored by '.amicopyignore'" in words(ran.err)
    Path(".amicopyignore").write_text("*:/*  # legacy\nsecret-*:/*  # revoked\n")
    for recorded in (False, True):
        ran = amicopy("copy", image.image_id, "--to", EAST if recorded else WEST, "--scan=refuse", *PUBLIC)
        assert ran.code == 0, ran.err
        assert "3 findings in it are ignored by '.amicopyignore'" in words(ran.err)


@pytest.mark.parametrize("sharing", [("--share", SOMEBODY), PUBLIC])
@pytest.mark.parametrize("mode", ["warn", "refuse"])
@pytest.mark.parametrize("is_denied", [True, False])
def test_what_could_not_be_read_is_not_shared_unless_that_is_allowed(
    amicopy: Run, world: World, pinned: Pinned, sharing: tuple[str, ...], mode: str, is_denied: bool
) -> None:
    if is_denied:
        _, image = pinned({})
        order(world, f"GetSnapshotBlock={DENIED.replace('List', 'Get')}*always")
    else:
        image = a_source(world, volumes=[Volume(device="/dev/xvda", gib=1)])
    ran = amicopy(*to_west(image, f"--scan={mode}", *sharing))
    assert (ran.code, writes(world)) == (6 if is_denied and mode == "refuse" else 1, []), ran.err
    if mode == "warn":
        assert "[scan-incomplete]" in ran.err
        assert amicopy(*to_west(image, "--scan", "--allow-secrets", *sharing)).code == 0
        assert the_copy(world, WEST).launch_permissions


def test_what_an_instance_leaves_does_not_become_public_unless_that_is_allowed(
    amicopy: Run, world: World, pinned: Pinned
) -> None:
    left = {"root/.ssh/authorized_keys": "ssh-ed25519 AAAA x\n", "home/me/.bash_history": "ls\n"}
    _, image = pinned({**left})
    ran = amicopy(*to_west(image, "--scan", *PUBLIC, "--output", "json"))
    assert (ran.code, writes(world), "[secrets-found]" in ran.err) == (1, [], True)
    assert ran.json["scans"][0]["left"] == 2
    assert "/root/.ssh/authorized_keys (left-authorized-keys)" in words(ran.err)
    assert amicopy("copy", image.image_id, "--to", EAST, "--scan", "--share", SOMEBODY).code == 0  # not with everybody
    assert amicopy(*to_west(image, "--scan", *PUBLIC)).code == 1
    assert amicopy(*to_west(image, "--scan", "--allow-secrets", *PUBLIC)).code == 0


def test_a_change_of_the_rules_is_noticed(
    amicopy: Run, world: World, pinned: Pinned, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, image = pinned()
    amicopy(*to_west(image, "--scan"))
    world.requests.clear()
    monkeypatch.setattr(image_scans, "_code_digest", lambda: "other rules")
    assert amicopy("copy", image.image_id, "--to", EAST, "--scan").code == 0
    assert blocks_read(world) > 0


def test_permissions_of_the_source_count_as_sharing(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned(WITH_SECRETS, image={"launch_permissions": {SOMEBODY}})
    assert amicopy(*to_west(image, "--scan")).code == 1
    assert amicopy(*to_west(image, "--scan", "--no-permissions")).code == 0


@pytest.mark.parametrize(("mode", "code"), [("warn", 0), ("refuse", 1)])
def test_what_cannot_be_read_is_never_taken_for_clean(
    amicopy: Run, world: World, pinned: Pinned, mode: str, code: int
) -> None:
    image = a_source(world, volumes=[Volume(device="/dev/xvda", gib=1)])  # no file system that is known
    ran = amicopy(*to_west(image, f"--scan={mode}"))
    assert ran.code == code, ran.err
    assert f"ot everything in {image.image_id}" in words(ran.err)
    assert SCANNED_TAG not in world.image(HOME, image.image_id).tags


def test_a_missing_permission_is_a_note_or_a_refusal(amicopy: Run, world: World, pinned: Pinned) -> None:
    _, image = pinned()
    order(world, f"ListSnapshotBlocks={DENIED}*always")
    warned = amicopy(*to_west(image, "--scan"))
    assert warned.code == 0, warned.err
    assert f"{image.image_id} could not be scanned" in words(warned.err)
    refused = amicopy("copy", image.image_id, "--to", EAST, "--scan=refuse")
    assert refused.code == 6
    assert "ebs:ListSnapshotBlocks" in refused.err


def test_a_manifest_has_it_too_and_reads_each_source_once(
    amicopy: Run, world: World, pinned: Pinned, tmp_path: Path
) -> None:
    _, image = pinned()
    manifest = tmp_path / "amis.yaml"

    def sync(scan: str, *options: str) -> Any:
        to = f"{{{WEST}: {{name: web-west}}, {EAST}: {{}}}}"
        manifest.write_text(f"images: [{{source: {image.image_id}, from: {HOME}, to: {to}, scan: {scan}}}]")
        world.requests.clear()
        return amicopy("sync", str(manifest), *options)

    assert sync("refuse").code == 1
    assert len(asked(world, "ListSnapshotBlocks")) == 1
    wrong = sync("{ignore: ['boot-fstab:/etc/fstab']}")
    assert (wrong.code, "a reason is missing" in wrong.err) == (2, True)
    accepted = sync("{mode: refuse, ignore: ['*:/*  # all of it is known']}", "--output", "json")
    assert accepted.code == 0, accepted.err
    assert accepted.json["scans"][0]["counts"]["critical"] == 0


@pytest.mark.parametrize("option", ["--allow-secrets", "--ignore-file=x"])
def test_options_about_scans_require_one(amicopy: Run, world: World, option: str) -> None:
    ran = amicopy("copy", "ami-0abcdef1234567890", "--to", WEST, option)
    assert (ran.code, "requires --scan" in ran.err, world.requests) == (2, True, [])


def test_the_page_lists_the_findings(amicopy: Run, world: World, pinned: Pinned, tmp_path: Path) -> None:
    _, image = pinned({"etc/app.conf": 'url="https://a.us-east-1.rds.amazonaws.com/<b>"\n' + SECRETS[0][0]})
    page = tmp_path / "page.html"
    assert amicopy(*to_west(image, "--scan", "--html", str(page))).code == 0
    text = page.read_text()
    assert "What the sources point to" in text
    assert "/etc/app.conf:1" in text
    assert SECRETS[0][1] not in text


class Stopping:
    """A disk during whose reading a signal arrives."""

    def __init__(self, disk: DiskImage, stop: Stop) -> None:
        self._disk, self._stop, self.blocks = disk, stop, disk.blocks

    def read(self, index: int) -> bytes:
        self._stop.signal_number = 2
        self._stop.set()
        return self._disk.read(index)


def test_a_signal_ends_it_before_anything_is_written(amicopy: Run, world: World, pinned: Pinned) -> None:
    path, _ = pinned()
    stop = Stop()
    content = Stopping(DiskImage.open(path), stop)
    image = a_source(world, name="slow", volumes=[Volume(device="/dev/xvda", gib=1, content=content)])
    ran = amicopy(*to_west(image, "--scan"), stop=stop)
    assert (ran.code, writes(world)) == (130, [])
