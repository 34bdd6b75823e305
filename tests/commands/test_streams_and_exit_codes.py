"""Whole commands: how a run ends. Streams kept apart, access explained, hostile text made harmless."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from amicopy.core.events import CopyStarted, Event
from amicopy.sandbox.faults import ErrorResponse, Fail, Fault
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import START, FakeClock
from tests.support.scenes import (
    EAST,
    HOME,
    SOMEBODY,
    WEST,
    a_source,
    asked,
    driven,
    finished_by_hand,
    line,
    made_earlier,
    order,
    row,
    slow,
    snapshots_of,
    the_copy,
    upon,
    writes,
)

NOWHERE = "ami-0123456789abcdef0"
DENIED = "error:403 UnauthorizedOperation: You are not authorized to perform this operation."
REJECTED = "error:401 AuthFailure: AWS was not able to validate the provided access credentials*always"


@pytest.fixture(autouse=True)
def calls_are_logged_by_none_but_the_run_that_was_asked_to() -> Iterator[None]:
    """Take away the handler that -v leaves behind: it writes to a stderr that is gone with its test."""
    yield
    log = logging.getLogger("amicopy.calls")
    log.handlers.clear()
    log.setLevel(logging.NOTSET)


# Streams


def process(*argv: str, redirect: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``amicopy ARGV`` as a process of its own, its streams redirected by a shell."""
    command = [sys.executable, "-m", "amicopy", *argv]
    if redirect:
        command = ["sh", "-c", f'exec "$@" {redirect}', "sh", *command]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii", "cp1252"])
@pytest.mark.parametrize("arguments", [["copy", "--output", "table"], ["status"], ["verify"], ["copy"]], ids=" ".join)
def test_every_locale_can_be_written_in(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch, encoding: str, arguments: list[str]
) -> None:
    source = a_source(world, name="web", tags={"Name": "雪 é"})
    amicopy("copy", source.image_id, "--to", WEST)
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    monkeypatch.setenv("COLUMNS", "160")
    where = "--to" if arguments[0] == "copy" else "--in"
    ran = process(arguments[0], source.image_id, where, WEST, *arguments[1:], "--from", HOME)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
    assert the_copy(world, WEST).image_id in ran.stdout
    assert "u2500" not in ran.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--dry-run"], ["--output", "json"], ["--output", "jsonl", "--dry-run"], ["--output", "table"], []],
    ids=" ".join,
)
def test_a_reader_who_has_gone_is_no_error(amicopy: Run, world: World, arguments: list[str]) -> None:
    """``amicopy … | head -0``."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    command = [sys.executable, "-m", "amicopy", "copy", source.image_id, "--to", WEST, *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        ran = subprocess.run(
            command, env=os.environ, stdout=gone, stderr=subprocess.PIPE, text=True, timeout=20, check=False
        )
    assert ran.returncode == 0, ran.stderr
    for trace in ("Traceback", "Exception ignored", "BrokenPipe"):
        assert trace not in ran.stderr


@pytest.mark.parametrize("redirect", ["2>&-", ">&-", "<&-"])
def test_streams_that_were_closed_before_the_start_are_no_error(amicopy: Run, world: World, redirect: str) -> None:
    """Cron and daemons start programs so."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    ran = process("copy", source.image_id, "--to", WEST, redirect=redirect)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    if redirect != ">&-":
        assert ran.stdout == line(the_copy(world, WEST), source, "unchanged")


def test_a_result_that_cannot_be_written_is_said_and_is_no_success(amicopy: Run, world: World) -> None:
    """A full disk; the next step of a pipeline would read half a document."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    ran = process("copy", source.image_id, "--to", WEST, "--output", "json", redirect=">/dev/full")
    assert ran.returncode not in {0, 70}, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "No space left" in ran.stderr


def test_logging_of_calls_ends_with_the_run_that_asked_for_it(amicopy: Run, world: World) -> None:
    """Whoever runs commands in one process gets what each was asked for."""
    source = a_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "-v")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.err == "nothing to do: 1 copy is up to date\n"


def test_stdout_holds_the_result_and_nothing_else(amicopy: Run, world: World) -> None:
    """One line per copy, in the order asked, whatever stderr says."""
    source = a_source(world, launch_permissions={SOMEBODY})
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "-v")
    assert ran.out == line(the_copy(world, WEST), source) + line(the_copy(world, EAST), source)
    assert "aws    CopyImage us-west-2" in ran.err
    assert ran.out not in ran.err


def test_quiet_leaves_errors_alone_on_stderr(amicopy: Run, world: World) -> None:
    source = a_source(world)
    well = amicopy("copy", source.image_id, "--to", WEST, "-q")
    order(world, "copy@eu-west-1=fail")
    ill = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "-q")
    assert (well.out, well.err) == (line(the_copy(world, WEST), source), "")
    assert (ill.code, ill.out) == (3, line(the_copy(world, WEST), source, "unchanged"))
    assert ill.err.startswith("error: The copy ")


def test_json_lines_are_each_a_document_and_the_last_is_the_result(amicopy: Run, world: World) -> None:
    source = a_source(world, launch_permissions={SOMEBODY})
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--output", "jsonl")
    documents = [json.loads(text) for text in ran.out.splitlines()]
    assert {document["schema"] for document in documents} == {"amicopy/1"}
    assert [documents[-1]["type"], documents[-1]["exit_code"]] == ["result", 0]
    assert {"copy-requested", "copy-started", "copy-available", "attribute-written", "copy-done"} <= {
        document["type"] for document in documents
    }


@pytest.mark.parametrize(
    ("faults", "arguments", "code"),
    [
        ([], ["--to", WEST], 0),
        ([], ["--to", WEST, "--dry-run", "--exit-code"], 4),
        ([], ["--to", WEST, "--no-wait", "--exit-code"], 5),
        (["copy=stuck"], ["--to", WEST, "--timeout", "1m"], 5),
        (["copy=fail"], ["--to", WEST], 1),
        (["copy@us-west-2=fail"], ["--to", f"{WEST},{EAST}"], 3),
        (["copy=vanish"], ["--to", WEST], 1),
        ([], ["--to", "me-south-1"], 6),
        ([f"CopyImage={DENIED}"], ["--to", WEST], 6),
        ([f"*={REJECTED}"], ["--to", WEST], 6),
        (["*=dead"], ["--to", WEST], 1),
        (["*=html*always"], ["--to", WEST], 1),
        ([], ["--to", HOME], 2),
        ([], ["--to", "nowhere-1"], 2),
        ([], ["--to", WEST, "--timeout", "soon"], 2),
        ([], ["--to", WEST, "--no-wait", "--dry-run"], 2),
        ([], [], 2),
        ([], ["--to", WEST, "--nonsense"], 2),
    ],
    ids=str,
)
def test_json_on_stdout_is_one_document_whatever_happened(
    amicopy: Run, world: World, faults: list[str], arguments: list[str], code: int
) -> None:
    source = a_source(world)
    order(world, *faults)
    ran = amicopy("copy", source.image_id, "--output", "json", *arguments)
    assert ran.code == code, ran.err
    assert (ran.json["schema"], ran.json["command"], ran.json["exit_code"]) == ("amicopy/1", "copy", code)
    assert isinstance(ran.json["copies"], list)


def test_json_that_was_asked_for_by_a_variable_tells_usage_errors_too(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMICOPY_OUTPUT", "json")
    ran = amicopy("copy", "ami-nonsense", "--to", WEST)
    assert (ran.code, ran.json["error"]["slug"], world.requests) == (2, "usage", [])


def test_a_bug_is_told_in_json_too_and_what_was_started_is_not_lost(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 70, the traceback on stderr."""
    source = a_source(world)

    def break_down(event: Event) -> None:
        raise RuntimeError("no such thing")

    ran = driven(
        capsys, clock, upon(CopyStarted, break_down), "copy", source.image_id, "--to", WEST, "--output", "json"
    )
    assert (ran.code, "Traceback" in ran.err, "This is a bug in amicopy" in ran.err) == (70, True, True)
    assert (ran.json["schema"], ran.json["exit_code"]) == ("amicopy/1", 70)
    assert the_copy(world, WEST).image_id in ran.out + ran.err


# Access


def test_without_credentials_nothing_is_asked(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_source(world)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out, world.requests) == (6, "", [])
    assert ran.err.startswith("error: There are no usable AWS credentials. [no-credentials]")
    for way_out in ("aws sso login", "--profile", "AWS_ACCESS_KEY_ID", "--sandbox"):
        assert way_out in ran.err


def test_without_credentials_json_says_so(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_source(world)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json")
    assert (ran.code, ran.json["status"], ran.json["error"]["slug"]) == (6, "access", "no-credentials")


def test_a_profile_that_does_not_exist_is_a_matter_of_access(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--profile", "nobody")
    assert (ran.code, ran.out, world.requests) == (6, "", [])
    assert "nobody" in ran.err
    assert "aws configure list-profiles" in ran.err
    assert "Traceback" not in ran.err


def test_a_profile_named_by_a_variable_is_told_alike(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--output", "json")
    assert (ran.code, ran.json["error"]["slug"], world.requests) == (6, "no-credentials", []), ran.err
    assert "nobody" in ran.json["error"]["what"]


def test_a_configuration_that_cannot_be_read_is_a_matter_of_access(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "config"
    broken.write_text("no section = here")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST)
    assert (ran.code, world.requests, "Traceback" in ran.err) == (6, [], False), ran.err
    assert str(broken) in ran.err


def test_an_endpoint_where_nobody_listens_is_named(amicopy: Run, world: World) -> None:
    """Not a matter of access, and told as clearly."""
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--endpoint-url", "http://127.0.0.1:9")
    assert (ran.code, "Traceback" in ran.err, "127.0.0.1:9" in ran.err) == (1, False, True), ran.err


@pytest.mark.parametrize(
    "fault",
    [
        REJECTED,
        "error:401 InvalidClientTokenId: The security token included in the request is invalid*always",
        "error:403 SignatureDoesNotMatch: The request signature we calculated does not match*always",
    ],
)
def test_wrong_credentials_are_said_once_and_in_words(amicopy: Run, world: World, fault: str) -> None:
    source = a_source(world)
    order(world, f"*={fault}")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out, writes(world)) == (6, "", [])
    assert ran.err.count("error:") == 1
    assert "AWS does not accept the credentials" in ran.err
    assert "aws sts get-caller-identity" in ran.err


def a_source_with_everything(world: World) -> Image:
    """Register a source for whose copies every kind of write is needed."""
    return a_source(
        world,
        volumes=[
            Volume(device="/dev/sda1", tags={"Disk": "root"}, shared_with=frozenset({SOMEBODY})),
            Volume(device="/dev/sdb"),
        ],
        launch_permissions={SOMEBODY},
        deprecate_at=START + timedelta(days=90),
    )


@pytest.mark.parametrize(
    ("fault", "action"),
    [
        (f"DescribeImages@us-east-1={DENIED}", "ec2:DescribeImages"),
        (f"DescribeImages@us-west-2={DENIED}", "ec2:DescribeImages"),
        (f"DescribeSnapshots@us-east-1={DENIED}", "ec2:DescribeSnapshots"),
        (f"DescribeImageAttribute@us-east-1={DENIED}", "ec2:DescribeImageAttribute"),
        (f"DescribeSnapshotAttribute@us-east-1={DENIED}", "ec2:DescribeSnapshotAttribute"),
        (
            "DescribeImages=error:403 UnauthorizedOperation: User: arn:aws:iam::1:user/x is not authorized to perform: "
            "ec2:DescribeImages with an explicit deny in a service control policy",
            "ec2:DescribeImages",
        ),
    ],
)
def test_a_read_that_is_needed_and_denied_names_the_action_and_starts_nothing(
    amicopy: Run, world: World, fault: str, action: str
) -> None:
    source = a_source(world)
    order(world, fault)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out, writes(world)) == (6, "", [])
    assert f"may not call {action} in us-" in ran.err
    policy = "service control policy" in fault
    assert (f"Have the organization allow {action}" if policy else f"Allow {action} in their IAM policy") in ran.err


def test_a_read_that_can_be_done_without_becomes_a_note(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"DescribeRegions={DENIED}*always")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, ran.out) == (0, line(the_copy(world, WEST), source)), ran.err
    assert "note: ec2:DescribeRegions is not allowed" in ran.err


def test_a_copy_that_may_not_be_made_anywhere_names_the_action(amicopy: Run, world: World) -> None:
    source = a_source(world)
    order(world, f"CopyImage={DENIED}*always")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--output", "json")
    assert (ran.code, world.images(WEST), world.images(EAST)) == (6, [], [])
    assert {row(ran, region)["error"]["slug"] for region in (WEST, EAST)} == {"access-denied"}
    assert "Allow ec2:CopyImage in their IAM policy" in ran.err


@pytest.mark.parametrize(
    "operation", ["ModifyImageAttribute", "ModifySnapshotAttribute", "EnableImageDeprecation", "CreateTags"]
)
def test_a_write_that_is_denied_is_found_out_before_anything_starts(amicopy: Run, world: World, operation: str) -> None:
    """A rehearsal asks EC2, and changes nothing. What has our tag answers for the copies."""
    source = a_source_with_everything(world)
    made_earlier(world, WEST, EAST)
    order(world, f"{operation}={DENIED}*always")
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}")
    assert (ran.code, ran.out, writes(world)) == (6, "", [])
    assert f"may not call ec2:{operation} in {WEST}" in ran.err
    assert f"Allow ec2:{operation} in their IAM policy" in ran.err
    assert "nothing was started" in ran.err


def test_the_action_that_ec2_names_is_the_one_to_allow(amicopy: Run, world: World) -> None:
    """Tags on creation need ec2:CreateTags, and it is CopyImage that is refused."""
    source = a_source(world)
    why = (
        "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/x is not authorized "
        "to perform: ec2:CreateTags on resource: arn:aws:ec2:us-west-2::image/*"
    )
    order(world, f"CopyImage=error:403 UnauthorizedOperation: {why}")
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert ran.code == 6
    assert "Allow ec2:CreateTags in their IAM policy" in ran.err


@pytest.mark.parametrize(
    "operation", ["ModifyImageAttribute", "ModifySnapshotAttribute", "EnableImageDeprecation", "CreateTags"]
)
def test_a_settling_write_that_is_denied_names_the_action_and_the_copy_that_is_there(
    amicopy: Run, world: World, operation: str
) -> None:
    """The next run, allowed to, completes it."""
    source = a_source_with_everything(world)
    order(world, f"{operation}={DENIED}*always")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--no-preflight")
    copy = the_copy(world, WEST)
    assert (ran.code, ran.out) == (6, "")
    assert f"may not call ec2:{operation} in {WEST}" in ran.err
    assert copy.image_id in ran.err
    world.clear_faults()
    again = amicopy("copy", source.image_id, "--to", WEST)
    assert (again.code, again.out, copy.launch_permissions) == (0, line(copy, source), {SOMEBODY})
    assert len(asked(world, "CopyImage")) == 1


def test_without_any_region_the_question_is_which(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh machine."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    ran = amicopy("copy", NOWHERE, "--to", WEST)
    assert (ran.code, world.requests) == (2, [])
    assert "--from us-east-1" in ran.err


# Hostile text. XML carries no ASCII control characters but tab and line ends; the C1 ones do the same on terminals.

HOSTILE = "web\x9b31m\x9b2J\u202etxt\u200f[red]x[/red]\n\t\x7f\u2028\U0001f4a5{name}%s"
LONG = (HOSTILE * 20)[:255]
MARKUP = "[red]web[/red] (it's 1.0) " + "x" * 100
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def harmful(text: str) -> set[str]:
    """Return the characters in ``text`` that could move a cursor, colour a terminal or turn the reading direction."""
    return {char for char in text if char != "\n" and unicodedata.category(char) in _UNSAFE}


def a_hostile_world(world: World) -> str:
    """Register a source with hostile text wherever EC2 takes any, and let its copy in eu-west-1 fail with more."""
    source = a_source(
        world,
        name=MARKUP,
        description=LONG,
        tags={HOSTILE: LONG, "Name": HOSTILE},
        volumes=[Volume(device="/dev/sda1", tags={HOSTILE: LONG}), Volume(device="/dev/sdb", tags={"Name": HOSTILE})],
    )
    world.inject(Fault(operation="CopyImage", region=EAST, effect=Fail(message=HOSTILE, snapshot_message=LONG)))
    return source.image_id


@pytest.mark.parametrize("arguments", [[], ["--output", "table"], ["--dry-run"], ["-v"], ["-q"]], ids=" ".join)
def test_hostile_text_is_shown_harmlessly(amicopy: Run, world: World, arguments: list[str]) -> None:
    source_id = a_hostile_world(world)
    ran = amicopy("copy", source_id, "--to", f"{WEST},{EAST}", *arguments)
    assert ran.code == (0 if "--dry-run" in arguments else 3)
    assert (harmful(ran.out), harmful(ran.err)) == (set(), set())
    if "--dry-run" not in arguments:
        assert r"web\x9b31m\x9b2J\u202etxt\u200f[red]x[/red]\x0a" in ran.err
    if "table" in arguments:
        assert MARKUP in ran.out


def test_hostile_text_passes_through_unchanged(amicopy: Run, world: World) -> None:
    """It is the user's, and a copy is faithful; only a description has to be ASCII."""
    source = world.image(HOME, a_hostile_world(world))
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    copy = the_copy(world, WEST)
    assert (copy.name, source.tags.items() <= copy.tags.items()) == (MARKUP, True)
    kept = re.sub(r"[^ -~]", "?", LONG)
    assert copy.description == f"[Copied {source.image_id} from {HOME}] {kept}"[:255]
    for mine, theirs in zip(snapshots_of(world, copy).values(), snapshots_of(world, source).values(), strict=True):
        assert theirs.tags.items() <= mine.tags.items()
    world.requests.clear()
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    assert writes(world) == []


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_hostile_text_in_json_is_exact(amicopy: Run, world: World, output: str) -> None:
    source_id = a_hostile_world(world)
    ran = amicopy("copy", source_id, "--to", f"{WEST},{EAST}", "--output", output)
    result = ran.json if output == "json" else json.loads(ran.out.splitlines()[-1])
    [failed] = [copy for copy in result["copies"] if copy["region"] == EAST]
    assert (ran.out.isascii(), failed["name"]) == (True, MARKUP)
    assert HOSTILE in failed["error"]["why"]
    assert LONG in failed["error"]["why"]


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_hostile_text_is_shown_harmlessly_on_a_terminal(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live table writes sequences of its own and none of others'."""
    source_id = a_hostile_world(world)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ran = amicopy("copy", source_id, "--to", f"{WEST},{EAST}")
    shown = terminal.getvalue()
    assert (ran.code, "\x1b[" in shown, "copies" in shown) == (3, True, True)
    assert harmful(_SEQUENCE.sub("", shown).replace("\r", "")) == set()


def test_a_hostile_name_that_ec2_would_refuse_is_refused_harmlessly(amicopy: Run, world: World) -> None:
    """Old images have names that CopyImage does not take."""
    source = a_source(world, name=HOSTILE)
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, writes(world), harmful(ran.err)) == (1, [], set())
    assert "--name" in ran.err
    assert amicopy("copy", source.image_id, "--to", WEST, "--name", "web").code == 0


def test_a_hostile_name_of_a_copy_that_others_made_is_shown_harmlessly(
    amicopy: Run, world: World, clock: FakeClock
) -> None:
    source = a_source(world)
    theirs = world.image(WEST, finished_by_hand(world, clock, source, WEST))
    theirs.name = HOSTILE
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, harmful(ran.out), harmful(ran.err)) == (0, set(), set())
    assert theirs.image_id in ran.err


@pytest.mark.parametrize("key", ["\x9b31m", "\u202eabc", "\x1b[31m"], ids=ascii)
def test_the_next_command_is_shown_harmlessly(amicopy: Run, world: World, key: str) -> None:
    """Arguments come from variables that others fill."""
    source = a_source(world)
    slow(world, 3600)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--tag", f"{key}=1", "--timeout", "1m")
    assert (ran.code, harmful(ran.err)) == (5, set())


@pytest.mark.parametrize(
    "arguments",
    [
        ["\x1b[31mami", "--to", WEST],
        [NOWHERE, "--to", "\x1b[31m"],
        [NOWHERE, "--to", "\x1b*"],
        [NOWHERE, "--to", WEST, "--from", "\u202eus-east-1"],
        [NOWHERE, "--to", WEST, "--name", "\x1b[31mred"],
        [NOWHERE, "--to", WEST, "--name", "{\x1b[31m}"],
        [NOWHERE, "--to", WEST, "--tag", "\x1b[31m"],
        [NOWHERE, "--to", WEST, "--tag", "aws:\x1b[31m=1"],
        [NOWHERE, "--to", WEST, "--tag", "k\x1b[31m=1", "--tag", "k\x1b[31m=1"],
        [NOWHERE, "--to", WEST, "--share", "\x1b[31m"],
        [NOWHERE, "--to", WEST, "--timeout", "\x1b[31m"],
        [NOWHERE, "--to", WEST, "--output", "\x1b[31m"],
        [NOWHERE, "--to", WEST, "--profile", "\x1b[31m"],
        [NOWHERE, "--to", WEST, "--\x1b[31m"],
        [NOWHERE, "--to", WEST, "--endpoint-url", "\x1b[31m"],
        [NOWHERE, "--to", f"{WEST},{EAST}", "--exclude", "\x1b[31m"],
    ],
    ids=ascii,
)
def test_hostile_arguments_are_refused_harmlessly(amicopy: Run, world: World, arguments: list[str]) -> None:
    ran = amicopy("copy", *arguments)
    assert ran.code in {2, 6}, ran.err
    assert (harmful(ran.out), harmful(ran.err), writes(world)) == (set(), set(), [])
    assert "Traceback" not in ran.err


def test_a_hostile_error_of_ec2_is_shown_harmlessly(amicopy: Run, world: World) -> None:
    source = a_source(world)
    world.inject(Fault(operation="CopyImage", effect=ErrorResponse(code="InvalidRequest", message=HOSTILE)))
    ran = amicopy("copy", source.image_id, "--to", WEST)
    assert (ran.code, harmful(ran.err)) == (1, set())
    assert r"web\x9b31m" in ran.err


def test_the_password_of_an_endpoint_is_neither_said_nor_written(amicopy: Run, world: World, tmp_path: Path) -> None:
    document = tmp_path / "report.json"
    source = a_source(world)
    argv = ["copy", source.image_id, "--to", WEST, "--endpoint-url", "http://me:hunter2@127.0.0.1:9"]
    ran = amicopy(*argv, "--write", f"json={document}")
    assert "***@127.0.0.1:9" in ran.err
    assert "***@127.0.0.1:9" in document.read_text()
    assert "hunter2" not in ran.err + document.read_text()


def test_the_request_that_aws_refused_is_named(amicopy: Run, world: World) -> None:
    """AWS Support and CloudTrail know it by its id."""
    source = a_source(world)
    order(world, "CopyImage=error:400 InvalidRequest: no")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--output", "json", "-v", "--no-preflight")
    request = row(ran, WEST)["error"]["request_id"]
    assert request
    assert f"  id     AWS request {request}\n" in ran.err
    [call] = [text for text in ran.err.splitlines() if text.startswith("aws    CopyImage")]
    assert call.endswith(request)


def test_a_format_from_the_environment_that_a_command_lacks_is_not_meant_for_it(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(world)
    monkeypatch.setenv("AMICOPY_OUTPUT", "tfvars")
    copied = amicopy("copy", source.image_id, "--to", WEST)
    assert f'"{WEST}" = "{the_copy(world, WEST).image_id}"' in copied.out
    assert amicopy("status", source.image_id, "--in", WEST).code == 0
    monkeypatch.setenv("AMICOPY_OUTPUT", "nonsense")
    assert amicopy("status", source.image_id, "--in", WEST).code == 2


def test_no_variable_answers_a_question(amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_source(world)
    assert amicopy("copy", source.image_id, "--to", WEST).code == 0
    monkeypatch.setenv("AMICOPY_YES", "1")
    ran = amicopy("cancel", source.image_id, "--in", WEST, "--available")
    assert (ran.code, len(world.images(WEST))) == (2, 1)
    assert "Cannot ask for confirmation without a terminal" in ran.err
