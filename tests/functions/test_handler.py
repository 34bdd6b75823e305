"""``amicopy.aws_lambda.handler``: one pass over a manifest, whatever the event says."""

import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicopy.aws_lambda import functions, handler
from amicopy.aws_lambda.one_pass import PassFailed, seconds_to_work
from amicopy.jobs.sync import SyncResult
from amicopy.sandbox.world import World
from tests.functions.conftest import EVENTS, Remaining, answered_in_time, manifest
from tests.support.clock import FakeClock
from tests.support.manifests import parameter, put_parameter
from tests.support.scenes import EAST, HOME, WEST, a_source, order, slow, the_copy, writes
from tests.support.schema import check_document

TO = f"{WEST},{EAST}"


def lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """Return the lines that passes have logged; nothing else may be on stdout."""
    said = capsys.readouterr()
    assert said.err == ""
    return [json.loads(line) for line in said.out.splitlines()]


def metrics(line: Any) -> set[str]:
    """Return the names of the metrics in a line."""
    return {metric["Name"] for directive in line["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]}


def test_passes_start_then_wait_then_complete_then_only_look(
    bundle: Path, world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_source(world, launch_permissions={"111122223333"})
    slow(world, 600)
    manifest(bundle, TO, "publish: {ssm: /images/web}")
    first = handler({}, Remaining())
    assert (first["status"], first["complete"], first["unfinished"]) == ("pending", False, 2)
    clock.advance(60)
    assert handler({}, Remaining())["copies"] == {"copying": 2}
    clock.advance(600)
    done = handler({}, Remaining())
    assert (done["status"], done["complete"], done["copies"]) == ("ok", True, {"done": 2})
    world.requests.clear()
    assert handler({}, Remaining())["copies"] == {"unchanged": 2}
    assert writes(world) == []
    for region in (WEST, EAST):
        copy = the_copy(world, region)
        assert copy.launch_permissions == source.launch_permissions
        assert parameter(region, "/images/web") == copy.image_id
    assert [line["complete"] for line in lines(capsys)] == [False, False, True, True]


@pytest.mark.parametrize("event", [*sorted(path.stem for path in EVENTS.glob("*.json")), "junk"])
def test_every_event_only_says_when(bundle: Path, world: World, event: str) -> None:
    a_source(world)
    manifest(bundle, WEST)
    payload: Any = "junk" if event == "junk" else json.loads((EVENTS / f"{event}.json").read_text())
    assert handler(payload, Remaining())["copies"] == {"copying": 1}
    assert the_copy(world, WEST).name == "web"


def test_the_log_line_is_what_the_function_returns_and_has_the_metrics(
    bundle: Path, world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    a_source(world)
    slow(world, 600)
    manifest(bundle, TO)
    handler({}, Remaining())
    clock.advance(60)
    capsys.readouterr()
    document = handler({}, Remaining())
    check_document(document)
    assert document["oldest_unfinished_seconds"] > 60  # the copy is from the test's time, the pass from today
    [line] = lines(capsys)
    assert {name: line[name] for name in document} == document
    named = metrics(line)
    assert named >= {"CopiesUpToDate", "CopiesInProgress", "CopiesFailed", "OldestUnfinished", "Calls", "Throttles"}
    assert all(isinstance(line[name], int | float) for name in named)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert [line[name] for name in directive["Dimensions"][0]] == ["amis.yaml", "handler"]
    assert (line["CopiesInProgress"], line["CopiesFailed"]) == (2, 0)
    assert line["Calls"] == sum(document["calls"].values()) > 0
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60


def test_how_old_the_oldest_copy_is_is_no_metric_where_it_is_unknown(
    bundle: Path, world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A zero would end the alarm about a copy that takes too long."""
    a_source(world)
    slow(world, 100_000)
    manifest(bundle, WEST)
    handler({}, Remaining())
    clock.advance(36_000)
    order(world, f"DescribeImages@{WEST}=error:UnauthorizedOperation: You are not authorized.")
    capsys.readouterr()
    with pytest.raises(PassFailed):
        handler({}, Remaining())
    [line] = lines(capsys)
    assert line["oldest_unfinished_seconds"] is None
    assert "OldestUnfinished" not in metrics(line) | line.keys()
    handler({}, Remaining())
    [line] = lines(capsys)
    assert line["OldestUnfinished"] >= 36_000


def test_a_bug_is_in_the_log_line_too(
    bundle: Path, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_pass(*_: object) -> SyncResult:
        raise ZeroDivisionError("no one divides by zero")

    manifest(bundle, WEST)
    monkeypatch.setattr(functions, "make_pass", broken_pass)
    with pytest.raises(ZeroDivisionError):
        handler({}, Remaining())
    [line] = lines(capsys)
    assert (line["status"], line["exit_code"], line["errors"][0]["slug"]) == ("bug", 70, "bug")
    assert line["errors"][0]["why"] == "no one divides by zero"
    assert not metrics(line) & {"CopiesUpToDate", "OldestUnfinished"}


def test_a_line_fits_into_an_event_of_the_log_however_much_is_wrong(
    bundle: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """CloudWatch cuts events at 256 kB."""
    entries = "".join(f"  - {{source: {{name: x{number}}}, to: eu-wst-1, keeep: 1}}\n" for number in range(3000))
    (bundle / "amis.yaml").write_text(f"images:\n{entries}")
    with pytest.raises(PassFailed) as raised:
        handler({}, Remaining())
    out = capsys.readouterr().out
    assert len(out.encode()) < 256_000
    assert "more" in json.loads(out)["errors"][0]["details"][-1]
    assert len(str(raised.value)) < 100_000


def test_a_dimension_has_ascii_only(
    bundle: Path, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMICOPY_MANIFEST", "größe.yaml")
    with pytest.raises(PassFailed):
        handler({}, Remaining())
    [line] = lines(capsys)
    assert (line["manifest"], line["Manifest"]) == ("größe.yaml", "gr\\xf6\\xdfe.yaml")


def test_outside_lambda_the_line_has_no_metrics(
    bundle: Path, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    document = handler({}, Remaining())
    assert lines(capsys) == [document]


def test_a_failed_copy_raises_and_is_replaced_and_the_others_are_completed(
    bundle: Path, world: World, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    a_source(world)
    order(world, f"copy@{WEST}=fail")
    manifest(bundle, TO)
    handler({}, Remaining())
    clock.advance(600)
    capsys.readouterr()
    with pytest.raises(PassFailed, match=f"A copy in {WEST} failed, and a new one was started.*copy-failed"):
        handler({}, Remaining())
    [line] = lines(capsys)
    assert line["copies"] == {"copying": 1, "unchanged": 1}
    assert line["oldest_unfinished_seconds"] > 600
    assert [(error["region"], error["slug"]) for error in line["errors"]] == [(WEST, "copy-failed")]
    clock.advance(600)
    assert handler({}, Remaining())["complete"]
    assert the_copy(world, WEST).state == "available"


def test_a_denied_region_raises_and_says_what_is_missing(
    bundle: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    a_source(world)
    order(world, f"CopyImage@{WEST}=error:UnauthorizedOperation: You are not authorized.")
    manifest(bundle, TO)
    with pytest.raises(PassFailed, match="access-denied"):
        handler({}, Remaining())
    [line] = lines(capsys)
    assert (line["exit_code"], line["CopiesFailed"]) == (3, 1)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("amis.yaml", "No such file"),
        ("ssm:/amicopy/manifest", "there is no such parameter"),
        ("s3://manifests/amis.yaml", "NoSuchBucket"),
    ],
)
def test_a_manifest_that_is_not_there_is_named_and_ec2_is_not_called(
    bundle: Path, world: World, location: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMICOPY_MANIFEST", location)
    with pytest.raises(PassFailed) as raised:
        handler({}, Remaining())
    assert location in str(raised.value)
    assert words in str(raised.value)
    assert [one for one in world.requests if one.service == "ec2"] == []


def test_an_invalid_manifest_is_reported_with_its_lines_and_ec2_is_not_called(bundle: Path, world: World) -> None:
    (bundle / "amis.yaml").write_text("images:\n  - source: {name: x}\n    to: eu-wst-1\n    keeep: 1\n")
    with pytest.raises(PassFailed) as raised:
        handler({}, Remaining())
    assert "amis.yaml:3:" in str(raised.value)
    assert "amis.yaml:4:" in str(raised.value)
    assert world.requests == []


def test_a_manifest_comes_from_s3_or_from_systems_manager(
    bundle: Path, world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_source(world)
    manifest(bundle, WEST)
    content = (bundle / "amis.yaml").read_text()
    s3: Any = boto3.client("s3", region_name=HOME)
    s3.create_bucket(Bucket="manifests")
    s3.put_object(Bucket="manifests", Key="ops/amis.yaml", Body=content.encode())
    s3.close()
    put_parameter(HOME, "/amicopy/manifest", content)
    (bundle / "amis.yaml").unlink()
    for location in ("s3://manifests/ops/amis.yaml", "ssm:/amicopy/manifest"):
        monkeypatch.setenv("AMICOPY_MANIFEST", location)
        assert handler({}, Remaining())["manifest"] == location
        clock.advance(600)
    assert len(world.images(WEST)) == 1


def test_a_warm_function_makes_no_new_clients(bundle: Path, world: World) -> None:
    from amicopy.aws_lambda import settings

    a_source(world)
    manifest(bundle, WEST)
    handler({}, Remaining())
    client = settings.session().client("ec2", WEST)
    handler({}, Remaining())
    assert settings.session().client("ec2", WEST) is client


@pytest.mark.parametrize("fault", [f"CopyImage@{WEST}", f"PutParameter@{WEST}", f"GetParameter@{HOME}"])
def test_a_function_answers_in_time_whatever_hangs(
    bundle: Path,
    world: World,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    a_source(world)
    manifest(bundle, WEST, "publish: {ssm: /images/web}")
    if fault.startswith("PutParameter"):
        handler({}, Remaining())
        clock.advance(600)
    if fault.startswith("GetParameter"):
        monkeypatch.setenv("AMICOPY_MANIFEST", "ssm:/amicopy/manifest")
    order(world, f"{fault}=hang:30")
    capsys.readouterr()
    with answered_in_time():
        handler({}, Remaining(4.0))
    [line] = lines(capsys)
    assert line["status"] == "time-out"


def test_the_time_that_remains_bounds_a_pass(bundle: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """EC2 in one region hangs, and the function has to return before it is killed."""
    assert [seconds_to_work(remaining) for remaining in (900.0, 60.0, 20.0)] == [885.0, 45.0, 10.0]
    a_source(world)
    manifest(bundle, TO)
    order(world, f"DescribeImages@{WEST}=hang:30")
    with answered_in_time():
        handler({}, Remaining(3.0))
    assert lines(capsys)[0]["status"] == "time-out"
