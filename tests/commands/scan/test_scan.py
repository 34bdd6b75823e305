"""``amicopy scan --image``: what is found, what is said about what was read, and how it ends."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amicopy.core.parallel import Stop
from tests.conftest import Run
from tests.support.disks import gpt, make_ext, tool, write_tree
from tests.support.planted import PINNED, SECRETS

pytestmark = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")

MIB = 1 << 20
Image = Callable[..., str]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Return a function that makes an image with these files, and returns its path."""

    def make(files: dict[str, str | bytes]) -> str:
        tree = write_tree(tmp_path / "tree", {"etc/hostname": "web\n", "var/x": "", "usr/x": "", **files})
        return str(make_ext(tmp_path / "disk.img", tree, ("-t", "ext4"), size="16M"))

    return make


def lines_of(out: str) -> list[str]:
    return [line for line in out.splitlines() if line]


def test_findings_are_named_by_path_and_line(amicopy: Run, image: Image) -> None:
    ran = amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--output", "text")
    assert ran.code == 4
    assert lines_of(ran.out) == [
        "critical boot-fstab /etc/fstab:2 fs-0a12b34c56d78e90f.efs.us-east-1.amazonaws.com",
        'high region-setting /etc/environment:1 AWS_DEFAULT_REGION="us-east-1"',
        "high endpoint /opt/app/database.yml:2 prod.c9akciq32.us-east-1.rds.amazonaws.com",
    ]


def test_an_image_without_findings_is_0(amicopy: Run, image: Image) -> None:
    ran = amicopy("scan", "--image", image({"etc/motd": "eu-west-1\n"}), "--from", "us-east-1")
    assert (ran.code, ran.out) == (0, "")
    assert lines_of(ran.err)[-1] == "found  nothing"


def test_findings_below_the_threshold_are_shown_and_are_0(amicopy: Run, image: Image) -> None:
    path = image({"etc/motd": "welcome to us-east-1\n"})
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "text")
    assert (ran.code, ran.out) == (0, "low bare-region /etc/motd:1 us-east-1\n")
    assert amicopy("scan", "--image", path, "--from", "us-east-1", "--fail-on", "low").code == 4
    assert amicopy("scan", "--image", path, "--from", "us-east-1", "--min-severity", "medium").out == ""


@pytest.mark.parametrize("more", [(), ("--fail-on", "low")])
def test_findings_that_count_cannot_be_hidden(amicopy: Run, more: tuple[str, ...]) -> None:
    ran = amicopy("scan", "--image", "d.img", "--from", "us-east-1", "--min-severity", "critical", *more)
    assert (ran.code, "--min-severity critical would hide findings that --fail-on" in ran.err) == (2, True)


def test_what_may_be_hidden_is(amicopy: Run, image: Image) -> None:
    command = (
        "scan",
        "--image",
        image(PINNED),
        "--from",
        "us-east-1",
        "--min-severity",
        "critical",
        "--output",
        "text",
    )
    assert len(lines_of(amicopy(*command, "--fail-on", "critical").out)) == 1
    assert amicopy(*command, "--fail-on", "never").code == 0


@pytest.mark.parametrize("name", ["db", "bin", "tar", "sys", "cat", "o", "a", "so", ".db", "x.so.d/app"])
def test_a_name_without_a_suffix_is_no_archive(amicopy: Run, image: Image, name: str) -> None:
    ran = amicopy("scan", "--image", image({f"opt/app/{name}": "AWS_REGION=us-east-1\n"}), "--from", "us-east-1")
    assert (ran.code, "archives" in ran.err) == (4, False)


@pytest.mark.parametrize("name", ["app.DB", "app.tar.gz", "libc.so.6", "libx.so"])
def test_an_archive_or_program_is_left_out(amicopy: Run, image: Image, name: str) -> None:
    ran = amicopy("scan", "--image", image({f"opt/app/{name}": "AWS_REGION=us-east-1\n"}), "--from", "us-east-1")
    assert (ran.code, "archives, images and programs" in ran.err) == (0, True)


def volume(folder: Path, files: dict[str, str | bytes]) -> str:
    return str(make_ext(folder / "volume.img", write_tree(folder / "volume", files), ("-t", "ext4"), size="16M"))


@pytest.mark.parametrize(
    ("folders", "pinned"),
    [
        ("bin lib share conf", "bin/start.sh"),
        ("bin sbin lib share", "lib/app.properties"),
        ("bin etc lib var share", "lib/app.properties"),
        ("bin home lib", "lib/app.properties"),
        ("log lib cache", "log/app.properties"),
    ],
)
def test_a_volume_of_an_application_is_no_system(amicopy: Run, tmp_path: Path, folders: str, pinned: str) -> None:
    files: dict[str, str | bytes] = {f"{folder}/x": "" for folder in folders.split()}
    path = volume(tmp_path, {**files, pinned: "export AWS_REGION=us-east-1\n"})
    assert amicopy("scan", "--image", path, "--from", "us-east-1").code == 4


@pytest.mark.parametrize(
    ("files", "pinned"),
    [
        (["bin/env", "sbin/init", "lib/os-release", "share/x"], "share/app.properties"),
        (["lib/dpkg/status", "log/syslog", "cache/x"], "log/app.properties"),
        (["etc/os-release", "usr/bin/env", "var/x"], "usr/share/app.properties"),
    ],
)
def test_a_part_of_a_system_is_recognized(amicopy: Run, tmp_path: Path, files: list[str], pinned: str) -> None:
    path = volume(tmp_path, {**dict.fromkeys(files, ""), pinned: "export AWS_REGION=us-east-1\n"})
    assert amicopy("scan", "--image", path, "--from", "us-east-1").code == 0


def test_a_partition_without_its_first_megabyte_is_not_empty(amicopy: Run, image: Image, tmp_path: Path) -> None:
    content = Path(image({})).read_bytes()
    for name, second, code in (("wiped", bytes(MIB) + content[MIB:], 3), ("empty", b"", 0)):
        parts = {1: (16 * MIB, content), 2: (16 * MIB, second)}
        path = gpt(tmp_path / name, parts, {}, size=34 * MIB)
        ran = amicopy("scan", "--image", str(path), "--from", "us-east-1")
        assert (ran.code, "p2: its first MiB is zeros, but it holds data" in ran.err) == (code, name == "wiped"), (
            ran.err
        )


def test_fail_on_never_is_0(amicopy: Run, image: Image) -> None:
    assert amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--fail-on", "never").code == 0


def test_another_region_is_no_finding(amicopy: Run, image: Image) -> None:
    assert amicopy("scan", "--image", image({"etc/x": PINNED["etc/environment"]}), "--from", "eu-west-1").code == 0


def test_the_table_says_what_to_do(amicopy: Run, image: Image) -> None:
    files = {"etc/app.conf": "queue = https://sqs.us-east-1.amazonaws.com/1/q\n"}
    ran = amicopy("scan", "--image", image(files), "--from", "us-east-1", "--to", "eu-west-1")
    assert "an endpoint in us-east-1: sqs.us-east-1.amazonaws.com (there: sqs.eu-west-1.amazonaws.com)" in ran.out
    assert "what to do:\n  endpoint  use the name without a region" in ran.out


@pytest.mark.parametrize("output", ["table", "text", "json", "sarif"])
def test_a_secret_is_found_and_never_shown(output: str, amicopy: Run, image: Image) -> None:
    path = image({f"opt/secret-{number}": text for number, (text, _) in enumerate(SECRETS)})
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", output, "-v")
    assert ran.code == 4
    assert [value for _, value in SECRETS if value in ran.out + ran.err] == []
    assert all(f"/secret-{number}" in ran.out for number in range(len(SECRETS)))


def test_json_says_what_was_read(amicopy: Run, image: Image) -> None:
    document = amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--output", "json").json
    (disk,) = document["disks"]
    assert document["complete"]
    assert document["counts"]["critical"] == 1
    assert (disk["volumes"][0]["kind"], disk["volumes"][0]["files"]) == ("ext4", 4)
    assert disk["findings"][0]["path"] == "/etc/fstab"
    assert 0 < disk["blocks_read"] <= disk["blocks_allocated"]


def test_sarif_has_a_rule_and_a_place_for_each_result(amicopy: Run, image: Image) -> None:
    ran = amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--output", "sarif")
    (run,) = ran.json["runs"]
    names = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [(names[one["ruleIndex"]], one["level"]) for one in run["results"]] == [
        ("boot-fstab", "error"),
        ("region-setting", "error"),
        ("endpoint", "error"),
    ]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "etc/fstab"}, "region": {"startLine": 2}}
    assert run["invocations"][0]["executionSuccessful"]


def _encrypted_beside(path: str, tmp_path: Path) -> str:
    content = {1: (16 * MIB, Path(path).read_bytes()), 2: (MIB, b"LUKS\xba\xbe\0\x02")}
    return str(gpt(tmp_path / "two.img", content, {}, size=20 * MIB))


def test_a_volume_that_cannot_be_read_is_3(amicopy: Run, image: Image, tmp_path: Path) -> None:
    path = _encrypted_beside(image({}), tmp_path)
    ran = amicopy("scan", "--image", path, "--from", "us-east-1")
    assert ran.code == 3
    assert f"NOT READ  {path} p2: it is encrypted with LUKS, and only its key opens it" in ran.err
    assert ran.err.endswith("found  nothing; NOT EVERYTHING COULD BE READ\n")


def test_findings_count_more_than_what_could_not_be_read(amicopy: Run, image: Image, tmp_path: Path) -> None:
    path = _encrypted_beside(image(PINNED), tmp_path)
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "json")
    assert (ran.code, ran.json["complete"]) == (4, False)


def test_nothing_that_can_be_read_is_1(amicopy: Run, tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"LUKS\xba\xbe\0\x02".ljust(MIB, b"\0"))
    assert amicopy("scan", "--image", str(tmp_path / "d"), "--from", "us-east-1").code == 1


def test_a_limit_of_blocks_ends_the_scan(amicopy: Run, image: Image) -> None:
    ran = amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--max-blocks", "1", "--output", "json")
    assert not ran.json["complete"]
    assert ran.code in {1, 3}
    assert "more than 1 blocks" in json.dumps(ran.json)


def test_an_interrupted_scan_says_that_it_is_not_complete(amicopy: Run, image: Image) -> None:
    stop = Stop()
    stop.signal_number = 2
    stop.set()
    ran = amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--output", "json", stop=stop)
    assert (ran.code, ran.json["complete"]) == (130, False)
    assert "the scan ended early: it was interrupted" in json.dumps(ran.json)


def test_include_and_exclude_change_what_is_read(amicopy: Run, image: Image) -> None:
    path = image({"usr/share/app/x": "region=us-east-1\n", "opt/y": "region=us-east-1\n"})

    def found(*more: str) -> list[str]:
        ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "text", *more)
        return [line.split()[2] for line in lines_of(ran.out)]

    assert found() == ["/opt/y:1"]
    assert found("--include", "/usr/share/app") == ["/opt/y:1", "/usr/share/app/x:1"]
    assert found("--exclude", "/opt") == []
    assert found("--deep") == ["/opt/y:1", "/usr/share/app/x:1"]


PIN = "AWS_REGION=us-east-1\n"


def test_include_reads_large_files_and_those_with_null_bytes(amicopy: Run, image: Image) -> None:
    large = "x" * 99 + "\n"
    path = image({"opt/large.json": large * 15_000 + PIN, "opt/nul.conf": b"\0\0\1\0" + PIN.encode(), "opt/a.zip": PIN})
    by_default = amicopy("scan", "--image", path, "--from", "us-east-1", "--deep")
    assert by_default.code == 0
    for reason in ("larger than 1 MiB", "files with null bytes", "archives, images and programs"):
        assert f"left out  {path}: {reason}" in by_default.err
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--include", "/opt", "--output", "text")
    found = {line.split()[2].partition(":")[0] for line in lines_of(ran.out)}
    assert found == {"/opt/large.json", "/opt/nul.conf", "/opt/a.zip"}
    assert [line for line in lines_of(ran.err) if "left out" in line and "lost+found" not in line] == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_utf_16_is_read_with_and_without_a_mark(amicopy: Run, image: Image, encoding: str) -> None:
    path = image({"opt/win/b.ini": "[aws]\r\nregion=us-east-1\r\n; Gr\u00fc\u00dfe\r\n".encode(encoding)})
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "text")
    assert lines_of(ran.out) == ["high region-setting /opt/win/b.ini:2 region=us-east-1"]


def test_a_file_with_null_bytes_is_not_counted_as_read(amicopy: Run, image: Image) -> None:
    path = image({"opt/program": b"\x7fELF\0\0\0" + PIN.encode()})
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "json")
    [disk] = ran.json["disks"]
    assert (ran.code, disk["volumes"][0]["files"]) == (0, 1)
    assert [one["files"] for one in disk["not_read"] if one["reason"] == "files with null bytes"] == [1]


def test_the_account_is_found_for_a_copy_in_another_one(amicopy: Run, image: Image) -> None:
    path = image({"etc/app.conf": "owner: 111122223333\n"})
    command = ("scan", "--image", path, "--from", "us-east-1", "--owner", "111122223333", "--output", "text")
    other = amicopy(*command, "--to-account", "444455556666")
    assert "account-id" in other.out
    assert "account-id" not in amicopy(*command, "--to-account", "111122223333").out


def test_what_an_instance_leaves_behind_is_a_group_of_its_own(amicopy: Run, image: Image) -> None:
    path = image({"root/.ssh/authorized_keys": "ssh-rsa x\n", "etc/ssh/ssh_host_rsa_key": "x"})
    assert amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "text").code == 0
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "text", "--rules", "left")
    assert lines_of(ran.out) == [
        "high left-authorized-keys /root/.ssh/authorized_keys",
        "medium left-host-key /etc/ssh/ssh_host_rsa_key",
    ]


def test_an_ignore_file_names_findings_that_are_known(
    amicopy: Run, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".amicopyignore").write_text("# known\nboot-fstab:/etc/fstab  # from user data\n*:/opt/*  # test data\n")
    ran = amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--output", "text")
    assert [line.split()[1] for line in lines_of(ran.out)] == ["region-setting"]
    assert ran.err.endswith("found  1 high, 2 ignored\n")


def test_an_ignored_path_may_have_spaces(amicopy: Run, image: Image, tmp_path: Path) -> None:
    (tmp_path / "ignore").write_text("region-setting:/etc/a b/*  # known\n")
    path = image({"etc/a b/x # y": "region=us-east-1\n"})
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--ignore-file", str(tmp_path / "ignore"))
    assert (ran.code, ran.err.endswith("found  1 ignored\n")) == (0, True)


def test_an_entry_that_matches_nothing_is_noted(amicopy: Run, image: Image, tmp_path: Path) -> None:
    file = tmp_path / "ignore"
    file.write_text("region-setting:/etc/environment  # known\narn:/etc/enviroment  # known\n")
    ran = amicopy("scan", "--image", image(PINNED), "--from", "us-east-1", "--ignore-file", str(file))
    assert f"note: {file}: arn:/etc/enviroment matches no finding\n" in ran.err
    assert "/etc/environment matches" not in ran.err


def test_a_mistyped_rule_is_named(amicopy: Run, tmp_path: Path) -> None:
    (tmp_path / "ignore").write_text("endpont:/etc/*  # known\nnothing-*:/etc/*  # known\n*:/etc/*  # known\n")
    ran = amicopy("scan", "--image", "d.img", "--from", "us-east-1", "--ignore-file", str(tmp_path / "ignore"))
    assert (ran.code, "line 3" in ran.err) == (2, False)
    assert "line 1: there is no rule endpont; did you mean endpoint?" in ran.err
    assert "line 2: there is no rule nothing-*" in ran.err


def test_an_ignored_finding_needs_a_reason(amicopy: Run, image: Image, tmp_path: Path) -> None:
    (tmp_path / "ignore").write_text("*:/etc/*\nnonsense\n")
    ran = amicopy("scan", "--image", image({}), "--from", "us-east-1", "--ignore-file", str(tmp_path / "ignore"))
    assert ran.code == 2
    assert "line 1: a reason is missing" in ran.err
    assert "line 2: write RULE:PATH" in ran.err


def test_a_name_from_the_image_cannot_write_to_the_terminal(amicopy: Run, image: Image) -> None:
    path = image({"opt/a\n\x1b[31mcritical": "region=us-east-1\n", b"opt/\xff\xfe".decode("latin-1"): "x"})
    for output in ("table", "text", "json", "sarif"):
        ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", output)
        assert "\x1b" not in ran.out + ran.err
        assert not any(line.startswith("\x1b") for line in lines_of(ran.out))
    assert [finding["path"] for finding in _findings(amicopy, path)] == ["/opt/a\n\x1b[31mcritical"]


def _findings(amicopy: Run, path: str) -> Any:
    return amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "json").json["disks"][0]["findings"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "us-east-1"], "--snapshot SNAPSHOT or --image FILE."),
        (["--image", "x"], "--image requires --from REGION"),
        (["--image", "x", "--from", "virginia"], "--from: 'virginia' is not a region"),
        (["--image", "x", "--from", "us-east-1", "--to", "all"], "--to: 'all' is not a region"),
        (["--image", "x", "--from", "us-east-1", "--rules", "account"], "--rules account requires --to-account"),
        (["--image", "x", "--from", "us-east-1", "--to-account", "123456789012"], "requires --owner ACCOUNT"),
        (["--image", "x", "--from", "us-east-1", "--owner", "123456789012"], "--owner requires --to-account"),
        (["ami-12345678", "--to-account", "1234"], "--to-account: '1234' is not an account id"),
        (["--image", "x", "--from", "us-east-1", "--rules", "regions"], "--rules: unknown group 'regions'"),
        (["--image", "/nowhere/x", "--from", "us-east-1"], "'/nowhere/x' cannot be read: No such file or directory"),
        (["--image", "/", "--from", "us-east-1"], "'/' cannot be read: Is a directory"),
        (["--image", "/nowhere/x", "--image", "/", "--from", "us-east-1"], "2 files cannot be scanned"),
    ],
)
def test_bad_input_is_2(arguments: list[str], words: str, amicopy: Run) -> None:
    ran = amicopy("scan", *arguments)
    assert ran.code == 2
    assert words in ran.err


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"QFI\xfb\0\0\0\3", "is in the format qcow2, not a raw disk image"),
        (b"\x1f\x8b\x08", "is in the format gzip"),
        (b"just a text\n", "is not a disk image"),
        (b"", "is empty"),
        (bytes(MIB), "is empty"),
    ],
)
def test_a_file_that_is_no_raw_disk_is_2(head: bytes, words: str, amicopy: Run, tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(head)
    ran = amicopy("scan", "--image", str(tmp_path / "d"), "--from", "us-east-1")
    assert ran.code == 2
    assert words in ran.err
    failure = amicopy("scan", "--image", str(tmp_path / "d"), "--from", "us-east-1", "--output", "json").json
    assert failure["error"]["slug"] == "usage"


def test_a_pipe_is_refused_and_not_waited_for(amicopy: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    ran = amicopy("scan", "--image", str(tmp_path / "pipe"), "--from", "us-east-1")
    assert (ran.code, "is a pipe or a socket" in ran.err, ".." in ran.err) == (2, True, False)


def test_a_truncated_image_is_not_complete(amicopy: Run, image: Image) -> None:
    path = image(PINNED)
    with Path(path).open("r+b") as file:
        file.truncate(12 * MIB)
    ran = amicopy("scan", "--image", path, "--from", "us-east-1", "--output", "json")
    assert ran.code == 4
    assert not ran.json["complete"]
    assert "the disk was cut" in json.dumps(ran.json)


def test_a_file_with_too_many_findings_is_cut_and_says_so(amicopy: Run, image: Image) -> None:
    ran = amicopy("scan", "--image", image({"opt/x": "region=us-east-1\n" * 300}), "--from", "us-east-1")
    assert ran.code == 4
    assert "/opt/x: it has more than 200 findings: the others are not listed" in ran.err
