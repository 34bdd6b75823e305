"""The handler under AWS's own runtime interface client, with what it has in Lambda: /tmp and 512 MB, no HOME."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.world import World
from tests.functions.conftest import EVENTS
from tests.support.clock import FakeClock
from tests.support.manifests import put_parameter
from tests.support.runtime_api import RuntimeApi, runtime_api
from tests.support.scenes import EAST, HOME, WEST, a_source, order, slow, the_copy

ROOT = Path(__file__).parents[2]
MANIFEST = f"images:\n  - {{source: {{name: 'web*'}}, from: {HOME}, to: '{WEST},{EAST}'}}\n"
# Everything is read-only but an empty /tmp, as in Lambda.
READ_ONLY = 'mount --rbind / / && mount -o remount,ro,bind / && mount -t tmpfs tmpfs /tmp && exec "$@"'

IS_INSTALLED = importlib.util.find_spec("awslambdaric") is not None
# Where everything should be installed, its absence is a failure: otherwise nobody would notice that nothing is tested.
needs_client = pytest.mark.skipif(
    not IS_INSTALLED and not (sys.platform == "linux" and os.environ.get("CI")),
    reason="awslambdaric is not installed: it is a development dependency on Linux",
)


def read_only() -> list[str]:
    """Return a command that runs another one with nothing to write to but /tmp; empty where that is not possible."""
    unshare = shutil.which("unshare")
    if not unshare or str(ROOT).startswith("/tmp/"):
        return []
    command = [unshare, "--mount", "sh", "-c", READ_ONLY, "sh"]
    probe = subprocess.run([*command, "sh", "-c", "! touch /usr/x 2>/dev/null && touch /tmp/x"], capture_output=True)
    return command if probe.returncode == 0 else []


@contextmanager
def started(api: RuntimeApi, sandbox: Sandbox, function: str = "handler") -> Iterator["subprocess.Popen[str]"]:
    """Run a function's process, with the environment that Lambda gives it and nothing of this one's."""
    assert IS_INSTALLED, "awslambdaric is not installed: pip install -e '.[dev]'"
    packages = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    environment = {
        **sandbox.environment,
        "AWS_MAX_ATTEMPTS": "1",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "amicopy",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "LAMBDA_TASK_ROOT": str(ROOT),
        "AMICOPY_MANIFEST": "ssm:/amicopy/manifest",
        "_HANDLER": f"amicopy.aws_lambda.{function}",
        "TZ": ":UTC",
    }
    command = [*read_only(), sys.executable, "-m", "awslambdaric", environment["_HANDLER"]]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        sys.stderr.write(process.communicate()[1])  # shown if the test fails


def peak_mb(process: "subprocess.Popen[str]") -> float:
    """Return the most memory that a process has had at once."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def event(name: str) -> Any:
    """Return a recorded event."""
    return json.loads((EVENTS / f"{name}.json").read_text())


@needs_client
def test_passes_run_under_the_runtime_interface_client(world: World, sandbox: Sandbox, clock: FakeClock) -> None:
    a_source(world)
    slow(world, 300)
    put_parameter(HOME, "/amicopy/manifest", MANIFEST)
    with runtime_api() as api, started(api, sandbox) as process:
        first = api.invoke(event("schedule"))
        assert (first.kind, first.content["copies"]) == ("response", {"copying": 2})
        clock.advance(600)
        second = api.invoke(event("ami-available"))
        assert second.content["complete"], second.content
        assert api.invoke("junk").content["copies"] == {"unchanged": 2}
        assert peak_mb(process) < 200  # of 512
    for region in (WEST, EAST):
        assert the_copy(world, region).state == "available"


@needs_client
def test_what_somebody_has_to_look_at_is_an_error_of_the_function(
    world: World, sandbox: Sandbox, clock: FakeClock
) -> None:
    a_source(world)
    order(world, f"copy@{WEST}=fail")
    put_parameter(HOME, "/amicopy/manifest", MANIFEST)
    with runtime_api() as api, started(api, sandbox):
        api.invoke(event("schedule"))
        clock.advance(600)
        failed = api.invoke(event("ami-failed"))
        assert (failed.kind, failed.content["errorType"]) == ("error", "PassFailed")
        assert f"A copy in {WEST} failed" in failed.content["errorMessage"]
        put_parameter(HOME, "/amicopy/manifest", "images: 3\n")
        wrong = api.invoke(event("schedule"))
        assert "ssm:/amicopy/manifest:1:" in wrong.content["errorMessage"]
