"""Whole commands: an AMI is spread only if Amazon Inspector has looked into it and found nothing too bad."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amicopy.core.errors import ScanRequired
from amicopy.core.models import Image
from amicopy.core.request import CopyRequest
from amicopy.core.scan_results import ScanRequirement
from amicopy.plan.checks import scan_problem
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.clock import START, FakeClock
from tests.support.scenes import EAST, SOMEBODY, WEST, a_source, asked, the_copy, writes

YESTERDAY: dict[str, Any] = {"severity": "medium", "scanned_at": START - timedelta(days=1)}


@pytest.mark.parametrize(
    ("found", "required", "said"),
    [
        (YESTERDAY, "medium", ""),
        (YESTERDAY, "high", ""),
        (YESTERDAY, "medium:2d", ""),
        ({"scanned_at": START - timedelta(days=1)}, "none:7d", ""),
        (YESTERDAY, "low", "findings of severity medium in it, and at most low is allowed"),
        (YESTERDAY, "none", "findings of severity medium in it, and no finding is allowed"),
        (YESTERDAY, "critical:12h", "scanned it on 2026-11-22 09:00 (UTC), which is more than 12h ago"),
        ({}, "critical", "Amazon Inspector has not scanned it"),
        ({"severity": "low"}, "high:7d", "EC2 does not show when Amazon Inspector scanned it"),
        (YESTERDAY | {"severity": "untriaged"}, "critical", "findings of severity untriaged"),
    ],
)
def test_an_image_is_refused_for_what_was_found_in_it_or_was_not_looked_for(
    amicopy: Run, world: World, found: dict[str, Any], required: str, said: str
) -> None:
    source = a_source(world, **found)
    ran = amicopy("copy", source.image_id, "--to", f"{WEST},{EAST}", "--require-scan", required)
    assert ran.code == (1 if said else 0), ran.err
    assert said in ran.err
    assert (writes(world) == []) == bool(said)
    assert ("[scan]" in ran.err) == bool(said)


def test_it_costs_no_call(amicopy: Run, world: World) -> None:
    source = a_source(world, **YESTERDAY)
    requests = []
    for options in ([], ["--require-scan", "medium:7d"]):
        world.requests.clear()
        amicopy("copy", source.image_id, "--to", WEST, "--dry-run", *options)
        requests.append(sorted(one.operation for one in world.requests))
    assert requests[0] == requests[1]


def test_a_copy_that_is_there_is_left_as_it_is_and_not_shared_any_further(amicopy: Run, world: World) -> None:
    """The findings came later: they make no cron job fail, until it would spread the image."""
    source = a_source(world, **YESTERDAY)
    required = ("--require-scan", "medium")
    assert amicopy("copy", source.image_id, "--to", WEST, *required).code == 0
    source.severity = "critical"
    world.requests.clear()
    again = amicopy("copy", source.image_id, "--to", WEST, *required)
    assert (again.code, writes(world)) == (0, [])
    assert "findings of severity critical" in again.err
    wider = amicopy("copy", source.image_id, "--to", WEST, *required, "--share", SOMEBODY)
    assert (wider.code, the_copy(world, WEST).launch_permissions) == (1, set())


def test_it_is_no_check_that_can_be_skipped(amicopy: Run, world: World) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--require-scan", "high", "--no-preflight")
    assert (ran.code, asked(world, "CopyImage")) == (1, [])


def test_a_manifest_requires_it_too(amicopy: Run, world: World, tmp_path: Path, clock: FakeClock) -> None:
    source = a_source(world, **YESTERDAY)
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(
        f"images: [{{source: {source.image_id}, to: {WEST}, require: {{severity: medium, scanned_within: 2d}}}}]"
    )
    clock.advance(2 * 86400)
    late = amicopy("sync", str(manifest))
    assert (late.code, writes(world)) == (1, [])
    source.scanned_at = clock.now()
    assert amicopy("sync", str(manifest)).code == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("bad", "'bad' is not a severity: use none, informational, low, medium, high or critical"),
        ("medium:", "'' is not a valid duration"),
        ("medium:soon", "'soon' is not a valid duration"),
    ],
)
def test_what_is_no_requirement_is_refused(amicopy: Run, world: World, value: str, said: str) -> None:
    ran = amicopy("copy", a_source(world).image_id, "--to", WEST, "--require-scan", value)
    assert (ran.code, said in ran.err, world.requests) == (2, True, [])


def test_a_botocore_that_does_not_know_scan_results_is_an_error_that_says_so() -> None:
    source = Image(image_id="ami-1", region="us-east-1")
    request = CopyRequest(require_scan=ScanRequirement(severity="high"))
    problem = scan_problem(request, replace(source, scan=None), START)
    assert isinstance(problem, ScanRequired)
    assert "botocore does not know" in problem.why
    assert scan_problem(replace(request, require_scan=None), replace(source, scan=None), START) is None
