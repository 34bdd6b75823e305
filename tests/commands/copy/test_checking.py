"""Whole commands: the check that a copy has to pass while it is private, before it is shared and published."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.core.clock import Clock
from amicopy.core.events import CheckStarted, Event
from amicopy.core.parallel import Stop
from amicopy.execute.lane import Lane
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.conftest import Ran, Run
from tests.support.clock import FakeClock, one_after_another
from tests.support.scenes import (
    EAST,
    HOME,
    OTHERS,
    SOMEBODY,
    WEST,
    a_source,
    asked,
    driven,
    finished_by_hand,
    order,
    row,
    snapshots_of,
    the_copy,
    upon,
    writes,
)

BOTH = f"{WEST},{EAST}"
CHECKED = "amicopy:checked"

Script = Callable[..., str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a shell script and return its path."""

    def write(text: str, name: str = "check") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def shared_source(world: World, **members: Any) -> Image:
    """Register a source that somebody may launch and somebody may copy."""
    volumes = [Volume(shared_with=frozenset({OTHERS}))]
    return a_source(world, launch_permissions={SOMEBODY}, volumes=volumes, tags={"Release": "1"}, **members)


def is_private(world: World, region: str) -> bool:
    """Tell whether nobody else can use a region's only copy."""
    copy = the_copy(world, region)
    return not copy.launch_permissions and not any(one.shared_with for one in snapshots_of(world, copy).values())


def is_shared(world: World, region: str) -> bool:
    """Tell whether everybody has got what they should of a region's only copy."""
    copy = the_copy(world, region)
    [snapshot] = snapshots_of(world, copy).values()
    return copy.launch_permissions == {SOMEBODY} and snapshot.shared_with == {OTHERS}


def eventually(condition: Callable[[], bool]) -> bool:
    """Tell whether something becomes true within ten seconds of real time."""
    give_up = time.monotonic() + 10
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def is_running(pid: int) -> bool:
    """Tell whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


def test_a_copy_is_checked_when_it_is_complete_and_before_it_is_shared(
    amicopy: Run, world: World, script: Script, tmp_path: Path
) -> None:
    """Every word of the environment and of stdin is the copy's."""
    source = shared_source(world)
    check = script(f"env >{tmp_path}/env; cat >{tmp_path}/stdin")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", check)
    copy = the_copy(world, WEST)
    assert (ran.code, is_shared(world, WEST)) == (0, True), ran.err
    lines = dict(one.split("=", 1) for one in (tmp_path / "env").read_text().splitlines() if "=" in one)
    assert {name: lines[f"AMICOPY_{name}"] for name in ("IMAGE_ID", "REGION", "ACCOUNT", "SOURCE", "ARCHITECTURE")} == {
        "IMAGE_ID": copy.image_id,
        "REGION": WEST,
        "ACCOUNT": copy.owner,
        "SOURCE": f"{HOME}/{source.image_id}",
        "ARCHITECTURE": "x86_64",
    }
    document = json.loads((tmp_path / "stdin").read_text())
    assert (document["image_id"], document["tags"]["Release"]) == (copy.image_id, "1")
    assert [one["snapshot_id"] for one in document["devices"]] == list(copy.snapshot_ids)
    assert copy.tags[CHECKED]
    operations = writes(world)
    sharing = [operations.index(name) for name in ("ModifySnapshotAttribute", "ModifyImageAttribute")]
    [checked] = [
        one for one in asked(world, "CreateTags", WEST) if any(tag["Key"] == CHECKED for tag in one.params["Tags"])
    ]
    assert world.requests.index(checked) < world.requests.index(asked(world, "ModifySnapshotAttribute", WEST)[0])
    assert min(sharing) > operations.index("CreateTags")
    assert f"checking {copy.image_id}" in ran.err
    assert "has passed its check" in ran.err


def test_nobody_has_anything_while_the_check_runs(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], script: Script
) -> None:
    source = shared_source(world)
    seen: list[tuple[bool, str]] = []

    def look(event: Event) -> None:
        seen.append((is_private(world, WEST), the_copy(world, WEST).tags["Release"]))

    check = script("exit 0")
    ran = driven(capsys, clock, upon(CheckStarted, look), "copy", source.image_id, "--to", WEST, "--check", check)
    assert (ran.code, seen) == (0, [(True, "1")]), ran.err


def test_a_copy_that_does_not_pass_stays_private_and_is_kept(amicopy: Run, world: World, script: Script) -> None:
    """Even with ``--on-failure cancel``: somebody has to look at it. The other region is shared."""
    source = shared_source(world)
    check = script(f'test "$AMICOPY_REGION" != {EAST} || {{ echo first; echo "no route to host" >&2; exit 3; }}')
    ran = amicopy("copy", source.image_id, "--to", BOTH, "--check", check, "--on-failure", "cancel", "--output", "json")
    bad = the_copy(world, EAST)
    assert (ran.code, is_shared(world, WEST), is_private(world, EAST)) == (3, True, True)
    assert bad.tags[CHECKED].startswith("failed 2026-")
    failed = row(ran, EAST)
    assert failed["state"] == "failed"
    assert failed["check"]["passed"] is False
    assert failed["check"]["output"] == ["first", "no route to host"]
    assert failed["error"]["slug"] == "check-failed"
    assert failed["error"]["details"] == ["first", "no route to host"]
    assert "ended with exit status 3" in failed["error"]["why"]
    assert "  no route to host\n" in ran.err
    assert row(ran, WEST)["check"]["passed"] is True


def test_a_check_that_was_passed_is_not_repeated_and_one_that_was_not_is(
    amicopy: Run, world: World, script: Script, tmp_path: Path
) -> None:
    source = shared_source(world)
    passes = f'test "$AMICOPY_REGION" != {EAST} || test -e {tmp_path}/fixed'
    check = script(f'echo "$AMICOPY_REGION" >>{tmp_path}/runs; {passes}')
    assert amicopy("copy", source.image_id, "--to", BOTH, "--check", check).code == 3
    (tmp_path / "fixed").touch()
    (tmp_path / "runs").unlink()
    world.requests.clear()
    again = amicopy("copy", source.image_id, "--to", BOTH, "--check", check)
    assert (again.code, (tmp_path / "runs").read_text().split()) == (0, [EAST]), again.err
    assert asked(world, "CopyImage") == []
    assert is_shared(world, EAST)
    (tmp_path / "runs").unlink()
    world.requests.clear()
    third = amicopy("copy", source.image_id, "--to", BOTH, "--check", check)
    assert (third.code, writes(world), (tmp_path / "runs").exists()) == (0, [], False)
    other = amicopy("copy", source.image_id, "--to", BOTH, "--check", f"{check} --thorough", "--dry-run")
    assert "has not passed its check" in other.out


def test_a_copy_that_was_shared_before_is_checked_and_left_shared(amicopy: Run, world: World, script: Script) -> None:
    source = shared_source(world)
    amicopy("copy", source.image_id, "--to", WEST)
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", script("exit 1"))
    assert (ran.code, is_shared(world, WEST)) == (1, True)
    assert "It was shared before" in ran.err


def test_a_release_is_shared_everywhere_or_nowhere(amicopy: Run, world: World, script: Script, tmp_path: Path) -> None:
    source = shared_source(world)
    check = script(f'echo >>{tmp_path}/runs; test "$AMICOPY_REGION" != {EAST} || test -e {tmp_path}/fixed')
    options = ("--to", BOTH, "--share-when", "all", "--check", check)
    ran = amicopy("copy", source.image_id, *options)
    assert (ran.code, is_private(world, WEST), is_private(world, EAST)) == (3, True, True), ran.err
    (tmp_path / "fixed").touch()
    again = amicopy("copy", source.image_id, *options)
    assert (again.code, is_shared(world, WEST), is_shared(world, EAST)) == (0, True, True), again.err
    assert (tmp_path / "runs").read_text().count("\n") == 3  # twice, and the one that failed once more


def test_the_plan_shows_it_and_does_not_run_it(amicopy: Run, world: World, script: Script, tmp_path: Path) -> None:
    source = shared_source(world)
    check = script(f"touch {tmp_path}/ran")
    ran = amicopy("copy", source.image_id, "--to", BOTH, "--check", check, "--dry-run")
    assert f"note: before it is shared, each of 2 copies is checked with: {check}" in ran.out
    shown = amicopy("copy", source.image_id, "--to", BOTH, "--check", check, "--dry-run", "--output", "json")
    assert row(shown, WEST)["check"] == {"command": check}
    assert not (tmp_path / "ran").exists()


def test_a_pass_without_waiting_checks_what_is_available(
    amicopy: Run, world: World, script: Script, clock: FakeClock
) -> None:
    source = shared_source(world)
    check = script("exit 0")
    first = amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--no-wait")
    assert (first.code, the_copy(world, WEST).tags[CHECKED]) == (0, "waiting check")
    clock.advance(60)
    second = amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--no-wait")
    assert (second.code, is_shared(world, WEST)) == (0, True), second.err


def test_a_check_that_never_ends_is_ended_with_its_children(
    amicopy: Run, world: World, script: Script, tmp_path: Path
) -> None:
    source = shared_source(world)
    check = script(f"sleep 600 & echo $! >{tmp_path}/child; echo $$ >{tmp_path}/self; echo waiting; wait")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", check, "--check-timeout", "90s")
    assert (ran.code, is_private(world, WEST)) == (1, True)
    assert "did not end within 90s" in ran.err
    assert "\n  waiting\n" in ran.err
    for name in ("child", "self"):
        pid = int((tmp_path / name).read_text())
        assert eventually(lambda pid=pid: not is_running(pid))  # type: ignore[misc]


def test_a_check_that_ignores_being_asked_to_end_is_killed(amicopy: Run, world: World, script: Script) -> None:
    check = script("trap '' TERM; while :; do sleep 1; done")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--check", check, "--check-timeout", "5s")
    assert (ran.code, "did not end within 5s" in ran.err) == (1, True), ran.err


def test_what_a_check_leaves_running_does_not_hold_up_the_run(
    amicopy: Run, world: World, script: Script, tmp_path: Path
) -> None:
    check = script(f"sleep 600 & echo $! >{tmp_path}/child")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--check", check)
    assert ran.code == 0, ran.err
    pid = int((tmp_path / "child").read_text())
    assert eventually(lambda: not is_running(pid))


def test_of_an_endless_output_the_end_is_kept(amicopy: Run, world: World) -> None:
    """A hundred megabytes and a few lines, one of them without end."""
    writing = "import sys; [sys.stdout.write('x' * 10**6 + chr(10)) for _ in range(100)]; print('the end'); sys.exit(1)"
    ran = amicopy(
        *("copy", a_source(world).image_id, "--to", WEST, "--output", "json"),
        *("--check", f'{sys.executable} -c "{writing}"'),
    )
    output = row(ran, WEST)["check"]["output"]
    assert output[-1] == "the end"
    assert len(output) <= 20
    assert max(map(len, output)) <= 500
    assert len(ran.err) < 30_000


def test_what_could_harm_a_terminal_or_a_runner_is_escaped(amicopy: Run, world: World, script: Script) -> None:
    check = script(r"printf '\033[2J\033]0;owned\007 ::set-output name=x::y\n##[command]z\n\377\n'; exit 1")
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--check", check)
    assert "\x1b" not in ran.err
    assert "\x07" not in ran.err
    assert r"\x1b[2J" in ran.err
    assert "##[command]" not in ran.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program --x", "there is no program 'no-such-program' on the PATH"),
        ("./missing", "the program './missing' does not exist"),
        ("./plain", "'./plain' is not executable: chmod +x ./plain"),
        ("plain", "for the file in this directory, write ./plain"),
        ("./", "'./' is not a program"),
        ("'unclosed", "a quotation is not closed"),
        ("", "it is empty"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    source = a_source(world)
    world.requests.clear()
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", command)
    assert (ran.code, world.requests) == (2, [])
    assert said in ran.err
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(f"images: [{{source: {source.image_id}, to: {WEST}, check: {json.dumps(command)}}}]")
    ran = amicopy("sync", str(manifest))
    assert (ran.code, world.requests) == (2, [])
    assert (said if command else "'check' is empty") in ran.err


def test_no_tag_of_the_users_says_that_a_copy_has_passed(amicopy: Run, world: World, script: Script) -> None:
    """Neither on the command line nor with a source that was a checked copy itself."""
    assert amicopy("copy", a_source(world).image_id, "--to", WEST, "--tag", f"{CHECKED}=x").code == 2
    check = script("exit 0")
    first = a_source(world)
    amicopy("copy", first.image_id, "--to", WEST, "--check", check)
    middle = the_copy(world, WEST)
    ran = amicopy("copy", middle.image_id, "--from", WEST, "--to", EAST, "--check", script("exit 1", "other"))
    assert ran.code == 1
    assert the_copy(world, EAST).tags[CHECKED].startswith("failed ")


def test_our_tag_is_no_difference(amicopy: Run, world: World, script: Script) -> None:
    source = shared_source(world)
    amicopy("copy", source.image_id, "--to", WEST, "--check", script("exit 0"))
    ran = amicopy("verify", source.image_id, "--in", WEST)
    assert (ran.code, CHECKED in ran.out) == (0, False), ran.out


def test_anothers_copy_is_checked_and_not_written(
    amicopy: Run, world: World, clock: FakeClock, script: Script, tmp_path: Path
) -> None:
    """It counts for the release, so it has to pass, each time."""
    source = a_source(world)
    finished_by_hand(world, clock, source, WEST)
    check = script(f"echo >>{tmp_path}/runs")
    for runs in (1, 2):
        world.requests.clear()
        ran = amicopy("copy", source.image_id, "--to", WEST, "--check", check)
        assert (ran.code, writes(world)) == (0, []), ran.err
        assert (tmp_path / "runs").read_text().count("\n") == runs


def test_a_copy_whose_tag_is_refused_has_passed_all_the_same(amicopy: Run, world: World, script: Script) -> None:
    source = shared_source(world)
    order(world, f"CreateTags@{WEST}=error:403 UnauthorizedOperation: no*9")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", script("exit 0"), "--no-preflight")
    assert (ran.code, is_shared(world, WEST)) == (0, True), ran.err
    assert "the next run checks" in ran.err


def test_a_copy_that_is_removed_while_it_is_checked_is_not_shared(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], script: Script
) -> None:
    source = shared_source(world)

    def vanish(event: Event) -> None:
        world.remove(event.region, event.image_id)

    check = script("exit 0")
    ran = driven(capsys, clock, upon(CheckStarted, vanish), "copy", source.image_id, "--to", WEST, "--check", check)
    assert (ran.code, "copy-vanished" in ran.err or "image-not-found" in ran.err) == (1, True), ran.err
    assert asked(world, "ModifyImageAttribute") == []


def test_no_more_checks_run_at_a_time_than_allowed(amicopy: Run, world: World, script: Script, tmp_path: Path) -> None:
    sources = [a_source(world) for _ in range(3)]
    check = script(
        f"mkdir {tmp_path}/one || exit 9; sleep 0.05; rmdir {tmp_path}/one"  # another one beside it would fail
    )
    ran = amicopy(
        *("copy", *(one.image_id for one in sources), "--to", BOTH, "--check", check),
        *("--max-checks", "1"),
    )
    assert ran.code == 0, ran.err


def test_an_interrupted_run_leaves_no_child_behind(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], script: Script, tmp_path: Path
) -> None:
    source = shared_source(world)

    def drive(lanes: Sequence[Lane], clock: Clock, stop: Stop) -> Iterator[Event | None]:
        for event in one_after_another(lanes, clock, stop):
            yield event
            if (tmp_path / "child").exists() and not stop.is_set():
                stop.signal_number = signal.SIGINT
                stop.set()

    check = script(f"sleep 600 & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/child; wait")
    ran = driven(capsys, clock, drive, "copy", source.image_id, "--to", WEST, "--check", check)
    assert (ran.code, is_private(world, WEST)) == (130, True), ran.err
    pid = int((tmp_path / "child").read_text())
    assert eventually(lambda: not is_running(pid))
    again = driven(capsys, clock, one_after_another, "copy", source.image_id, "--to", WEST, "--check", script("exit 0"))
    assert (again.code, is_shared(world, WEST)) == (0, True)


def test_a_run_that_times_out_ends_its_check(amicopy: Run, world: World, script: Script, tmp_path: Path) -> None:
    check = script(f"echo $$ >{tmp_path}/self; exec sleep 600")
    ran = amicopy("copy", shared_source(world).image_id, "--to", WEST, "--check", check, "--timeout", "3m")
    assert (ran.code, is_private(world, WEST)) == (5, True), ran.err
    assert eventually(lambda: not is_running(int((tmp_path / "self").read_text())))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_no_child_behind_and_the_next_run_shares(
    amicopy: Run, sandbox: Sandbox, script: Script, tmp_path: Path, number: signal.Signals
) -> None:
    """A real process, killed in the middle of its check."""
    source = shared_source(sandbox.world)
    check = script(f"sleep 600 & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/child; wait")
    command = [sys.executable, "-m", "amicopy", "copy", source.image_id, "--to", WEST, "--check", check]
    finished_quickly = amicopy("copy", source.image_id, "--to", WEST, "--no-permissions")  # under the test's clock
    assert finished_quickly.code == 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ.copy())
    assert eventually((tmp_path / "child").exists)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == (-9 if number is signal.SIGKILL else 143)
    pid = int((tmp_path / "child").read_text())
    assert eventually(lambda: not is_running(pid))
    assert is_private(sandbox.world, WEST)
    again = amicopy("copy", source.image_id, "--to", WEST, "--check", script("exit 0", "other"))
    assert (again.code, is_shared(sandbox.world, WEST)) == (0, True), again.err


def test_two_runs_at_once_share_one_checked_copy(
    world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str], script: Script, amicopy: Run
) -> None:
    """The second run begins while the first one's check is running."""
    source = shared_source(world)
    check = script("exit 0")
    codes: list[int] = []

    def meanwhile(_event: Event) -> None:
        if not codes:
            codes.append(-1)
            codes[0] = amicopy("copy", source.image_id, "--to", WEST, "--check", check).code

    ran = driven(capsys, clock, upon(CheckStarted, meanwhile), "copy", source.image_id, "--to", WEST, "--check", check)
    assert (ran.code, codes, is_shared(world, WEST)) == (0, [0], True), ran.err


def test_a_rehearsals_check_uses_the_rehearsals_aws(amicopy: Run, script: Script, tmp_path: Path) -> None:
    """With ``--sandbox`` a check that calls AWS must not reach the real one."""
    check = script(f"env >{tmp_path}/env")
    ran = amicopy("copy", "ami-0a11ce5a3b1e00001", "--to", WEST, "--sandbox", "--check", check)
    assert ran.code == 0, ran.err
    lines = (tmp_path / "env").read_text()
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:" in lines
    assert "AWS_ACCESS_KEY_ID=" in lines


def sync(amicopy: Run, directory: Path, text: str, *options: str) -> Ran:
    """Apply a manifest."""
    (directory / "amis.yaml").write_text(text)
    return amicopy("sync", str(directory / "amis.yaml"), *options)


def test_a_manifests_check_stands_before_what_it_publishes(
    amicopy: Run, world: World, script: Script, tmp_path: Path
) -> None:
    """The program is the one beside the manifest, wherever the command is run."""
    source = shared_source(world)
    script(f'test "$AMICOPY_REGION" != {EAST} || test -e {tmp_path}/fixed')
    text = f"""
    images:
      - source: {source.image_id}
        to: {BOTH}
        check: {{ command: ./check, timeout: 5m }}
        publish: {{ ssm: /images/web, when: all }}
    """
    ran = sync(amicopy, tmp_path, text)
    assert (ran.code, is_shared(world, WEST), is_private(world, EAST)) == (3, True, True), ran.err
    assert parameter(WEST) == ""
    (tmp_path / "fixed").touch()
    again = sync(amicopy, tmp_path, text)
    assert (again.code, parameter(WEST), parameter(EAST)) == (
        0,
        the_copy(world, WEST).image_id,
        the_copy(world, EAST).image_id,
    ), again.err
    third = sync(amicopy, tmp_path, text, "--dry-run", "--exit-code")
    assert (third.code, third.out.startswith("nothing to do")) == (0, True)


def parameter(region: str) -> str:
    """Return what the parameter holds in a region; empty if it is not there."""
    ssm: Any = boto3.client("ssm", region)
    try:
        return str(ssm.get_parameter(Name="/images/web")["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return ""
    finally:
        ssm.close()


def test_a_check_can_run_amicopy(amicopy: Run, world: World, script: Script, tmp_path: Path) -> None:
    """AMICOPY_ACCOUNT, the owner of the copy there, is not the option --account."""
    source = shared_source(world)
    # Of the account of the credentials, --account would be refused.
    inner = f'{sys.executable} -m amicopy status "${{AMICOPY_SOURCE#*/}}" --from "${{AMICOPY_SOURCE%/*}}" --in {WEST}'
    check = script(f"{inner} --output json >{tmp_path}/status")
    ran = amicopy("copy", source.image_id, "--to", WEST, "--check", check)
    assert ran.code == 0, ran.err
    [copy] = json.loads((tmp_path / "status").read_text())["copies"]
    assert copy["image_id"] == the_copy(world, WEST).image_id
