"""The benchmark's own arithmetic, tables and picture; and one small run of it. Nothing here asserts a time."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.bench import accounts, starting
from tests.bench.__main__ import DOCS, documents, write_documents
from tests.bench.comparing import COPY_SECONDS, schedule, summary
from tests.bench.helper import Helper
from tests.bench.job import DESTINATIONS, Job
from tests.bench.measure import measured
from tests.bench.peers import PEERS, Peer, found
from tests.bench.picture import bar_chart, position
from tests.bench.tables import against, calls_in_words, document, table, undone_in_words

MACHINE = {"cpus": 2, "cpu": "x", "system": "Linux", "python": "3.11", "amicopy": "1", "botocore": "1"}


def a_run(extras: float, **members: object) -> dict[str, object]:
    return {
        "peer": "a",
        "regions": 2,
        "exit_code": 0,
        "overhead_seconds": extras,
        "cpu_seconds": extras / 10,
        "peak_mib": extras * 10,
        "calls": {"CopyImage": int(extras)},
        "rehearsed": 0,
        "undone": {},
        "late_mean": None,
        "late_most": None,
        **members,
    }


def a_row(peer: str, regions: int, extras: float, failed: str = "") -> dict[str, object]:
    return {"peer": peer, "regions": regions, "overhead_seconds": extras, "failed": failed}


def test_the_middle_run_stands_for_all() -> None:
    row = summary([a_run(9), a_run(1), a_run(4)])
    assert (row["overhead_seconds"], row["overhead_least"], row["overhead_most"]) == (4, 1, 9)
    assert (row["cpu_seconds"], row["peak_mib"], row["calls"]) == (0.4, 40, {"CopyImage": 4})


def test_a_failed_run_is_counted_and_not_averaged() -> None:
    row = summary([a_run(4), a_run(-8, exit_code=2), a_run(4)])
    assert row["overhead_least"] == 4
    assert row["failed"] == "1 of 3 ended with exit code 2"


def test_a_peer_whose_runs_all_fail_still_has_a_row() -> None:
    assert summary([a_run(-8, exit_code=2)])["failed"] == "1 of 1 ended with exit code 2"


def test_every_peer_is_run_with_every_number_of_regions() -> None:
    planned = [run for together in schedule(PEERS, (1, 5), 3) for run in together.runs]
    for peer in PEERS:
        for count in (1, 5):
            alike = peer.variation and count == 1
            assert planned.count((peer, count)) == (0 if alike else 1 if peer.once else 3)


def test_only_what_waits_most_of_its_time_runs_beside_others() -> None:
    for together in schedule(PEERS, (1, 5, 17), 2):
        assert len(together.runs) == 1 or all(peer.serial for peer, _ in together.runs)


def test_all_peers_of_a_round_wait_for_copies_of_the_same_length() -> None:
    by_round = {(together.round, together.copy_seconds) for together in schedule(PEERS, (1,), 3)}
    assert by_round == set(enumerate(COPY_SECONDS))


def test_there_are_33_destinations_for_the_start_up_and_none_is_home() -> None:
    assert len(DESTINATIONS) == len(set(DESTINATIONS)) == 33
    assert "us-east-1" not in DESTINATIONS


def test_a_cell_cannot_break_its_table() -> None:
    assert table(["", "n"], [["a|b", 1]]) == "|  | n |\n| --- | ---: |\n| a/b | 1 |\n"


def test_calls_come_most_frequent_first() -> None:
    assert calls_in_words({"CopyImage": 2, "DescribeImages": 5}) == "DescribeImages 5, CopyImage 2"


def test_what_only_some_copies_lack_is_counted() -> None:
    assert undone_in_words({"image tags": 5, "snapshot tags": 2}, 5) == "image tags, snapshot tags (of 2)"
    assert undone_in_words({}, 5) == "nothing"


@pytest.mark.parametrize(
    ("figure", "goal", "verdict"),
    [(3.9, ">= 4", "missed"), (4.0, ">= 4", "met"), (1.7, "<= 1.7", "met"), (60, "< 60", "missed"), (1, "", "")],
)
def test_a_goal_is_met_or_missed(figure: float, goal: str, verdict: str) -> None:
    assert against(figure, goal)[2] == verdict


def test_a_ratio_whose_part_is_missing_is_left_out() -> None:
    row = {
        "first_ms": 1,
        "last_ms": 1,
        "cpu_ms": 1,
        "peak_mib": 1,
        "requests": 1,
        "last_least": 1,
        "last_most": 1,
        "far": False,
    }
    rows = [
        {**row, "name": starting.STOCK_FULL, "last_by_round": [800, 900, 9000]},
        {**row, "name": starting.FULL, "last_by_round": [400, 450, 450]},
    ]
    part = {"rounds": 1, "rows": rows, "missing": {starting.BARE: "no plan"}, "date": "", "machine": MACHINE}
    saying = {starting.CLICK: 30, starting.HELP: 36, starting.VERSION: 60}
    text = document({"start-up": {**part, "saying": saying}})
    assert "| stock botocore takes, of `amicopy copy`'s time, both with the survey | 2.00 | >= 4 | missed |" in text
    assert "urllib3 with the signer" not in text
    assert f"Not run: {starting.BARE}: no plan" in text
    assert "| `amicopy --version`, of python -c 'import click' | 2.00 | < 1.5 | missed |" in text


def test_the_scale_is_logarithmic() -> None:
    ticks = (0.1, 1.0, 10.0)
    assert position(1.0, ticks) - position(0.1, ticks) == position(10.0, ticks) - position(1.0, ticks) > 0
    assert position(0.001, ticks) == position(0.1, ticks)


def test_the_picture_has_a_bar_for_each_row_that_did_not_fail() -> None:
    rows = [a_row("amicopy copy", 1, 2.5), a_row("<b>", 1, 9), a_row("c", 5, 1, failed="1 of 1")]
    drawn = ElementTree.fromstring(bar_chart(rows))
    kinds = [one.get("class") for one in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert kinds == ["page", "ours", "others"]
    texts = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "<b>" in texts
    assert "c" not in texts


def test_a_part_that_is_not_measured_again_keeps_its_figures(tmp_path: Path) -> None:
    scale = {
        "copy_seconds": 8.0,
        "regions": 33,
        "date": "2026-11-23",
        "machine": MACHINE,
        "rows": [
            {
                "images": images,
                "copies": 33 * images,
                "wall_seconds": 1,
                "cpu_seconds": images,
                "largest_mib": 100,
                "server_cpu_seconds": 1,
                "calls": {"CopyImage": 1},
                "undone": {},
                "exit_code": 0,
            }
            for images in (20, 200)
        ],
    }
    write_documents({"scale": scale}, tmp_path)
    write_documents({}, tmp_path)
    assert "| CPU for 10 times the AMIs, times | 10 | <= 12 | met |" in (tmp_path / "bench.md").read_text()


def test_the_documents_are_what_the_figures_say() -> None:
    results = json.loads((DOCS / "bench.json").read_text())
    for name, text in documents(results).items():
        assert (DOCS / name).read_text() == text


def test_a_process_is_measured_with_what_it_starts(tmp_path: Path) -> None:
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**6))']); sys.exit(3)"
    took = measured([sys.executable, "-c", busy], environment={}, log=tmp_path / "log")
    assert took.exit_code == 3
    assert took.wall_seconds > 0
    assert took.cpu_seconds > 0


def test_amicopy_leaves_nothing_undone(tmp_path: Path) -> None:
    [own] = [peer for peer in PEERS if peer.program == "amicopy"]
    account, regions = "000000000001", ["eu-west-1"]
    with Helper("ec2") as ec2:
        ec2.ask("begin", copy_seconds=0)
        prepared = ec2.ask("account", account=account)
        environment, images = prepared["environment"], prepared["images"]
        before = ec2.ask("outcome", account=account, images=images, regions=regions)
        endpoint = environment["AWS_ENDPOINT_URL"]
        job = Job(image_ids=images, regions=regions, endpoint_url=endpoint, folder=tmp_path)
        took = measured(own.command(found(own, {}).path, job), environment=environment, log=tmp_path / "log")
        outcome = ec2.ask("outcome", account=account, images=images, regions=regions)
    assert before["undone"] == {"not copied": 1}
    assert took.exit_code == 0, (tmp_path / "log").read_text()
    assert outcome["undone"] == {}
    assert outcome["calls"]["CopyImage"] > 0


def test_a_program_that_is_not_there_is_said_to_be_missing() -> None:
    absent = Peer(name="x", program="no-such-program", version=[], command=lambda _program, _job: [])
    assert found(absent, {}).why_not == "no-such-program is not installed"


def test_throttled_calls_and_what_is_undone_stand_beside_the_time() -> None:
    row = {
        "peer": "a",
        "survey_seconds": 43.21,
        "survey_calls": 900,
        "wall_seconds": 617.4,
        "calls": {"CopyImage": 70, "DescribeImages": 30},
        "throttled": {"CopyImage": 4},
        "rehearsed": 0,
        "cpu_seconds": 200.6,
        "peak_mib": 178.8,
        "server_cpu_seconds": 250.2,
        "exit_code": 0,
        "undone": {"not copied": 3},
    }
    part = {"images": 2, "volumes": 3, "regions": 33, "copy_seconds": 240.0, "variation": 0.25, "date": ""}
    text = document({"rates": {**part, "machine": MACHINE, "rows": [row, {**row, "peer": "b", "throttled": {}}]}})
    assert "| a | 43.2 | 900 | 617 | 100 | 4 | 201 | 179 | 250 | 0 | not copied (of 3) |" in text
    assert "| a | CopyImage 70, DescribeImages 30 | CopyImage 4 |" in text
    assert "| b | CopyImage 70, DescribeImages 30 | none |" in text


def test_round_trips_have_a_goal_and_connections_are_counted_apart() -> None:
    row = {"regions": 1, "answers": 3.0, "answers_and_connections": 6.9, "requests": 14, "connections": 7}
    rows = [row, {**row, "answers": 3.6}]
    text = document({"round-trips": {"rounds": 7, "date": "", "machine": MACHINE, "rows": rows}})
    assert "| 1 | 3.00 | <= 3.5 | met | 6.9 | 13 | 7 |" in text
    assert "| 1 | 3.60 | <= 3.5 | missed | 6.9 | 13 | 7 |" in text


def test_requests_until_the_first_copy_and_throttled_ones_are_counted() -> None:
    with Helper("ec2") as ec2:
        ec2.ask("begin", copy_seconds=0, rates="ec2")
        prepared = ec2.ask("account", account="000000000002", images=1, volumes=3)
        keys = {name.lower(): value for name, value in prepared["environment"].items() if name.startswith("AWS_")}
        client = boto3.client(
            "ec2",
            "eu-west-1",
            endpoint_url=keys["aws_endpoint_url"],
            aws_access_key_id=keys["aws_access_key_id"],
            aws_secret_access_key=keys["aws_secret_access_key"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.disable_image_block_public_access()
        with pytest.raises(ClientError):
            client.disable_image_block_public_access()
        client.copy_image(SourceRegion="us-east-1", SourceImageId=prepared["images"][0], Name="web")
        requests = ec2.ask("requests", account="000000000002")
    assert (requests["survey_calls"], requests["throttled"]) == (2, {"DisableImageBlockPublicAccess": 1})
    assert requests["all_seconds"] >= requests["survey_seconds"] > 0


def test_each_region_is_copied_to_once_whatever_the_number_of_accounts(tmp_path: Path) -> None:
    first, second = accounts.runs(tmp_path, 2, 2)
    assert (first["exit_code"], first["copies"], first["copies_that_leave_the_source_region"]) == (0, 6, 2)
    assert (second["exit_code"], second["copies"], second["roles_assumed"]) == (0, 0, 2)
