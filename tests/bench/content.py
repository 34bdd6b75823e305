"""Comparing the data of copies: three volumes in two regions, in the sandbox, which runs on the same processors."""

import json
import os
import signal
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amicopy.sandbox.samples import WEB_SERVER
from tests.bench.measure import measured
from tests.bench.peers import OWN_BIN, surroundings
from tests.bench.telling import tell

REGIONS = ("us-west-2", "eu-west-1")


def contents(folder: Path) -> dict[str, Any]:
    """Return what `verify --content` takes, for the list of blocks and for a sample of them."""
    environment = surroundings(folder / "home")
    amicopy = str(OWN_BIN / "amicopy")
    with subprocess.Popen([amicopy, "sandbox"], env=environment, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            environment |= _exported(sandbox)
            copying = [amicopy, "copy", WEB_SERVER.image_id, "--to", ",".join(REGIONS), "--quiet"]
            subprocess.run(copying, env=environment, check=True, capture_output=True)
            rows = [_row(amicopy, level, environment, folder) for level in ("list", "sample")]
        finally:
            sandbox.send_signal(signal.SIGINT)
    return {"regions": len(REGIONS), "rows": rows}


def _exported(sandbox: "subprocess.Popen[str]") -> dict[str, str]:
    """Return the variables that the sandbox says to export; they are followed by comments."""
    assert sandbox.stdout is not None
    found = {}
    for line in sandbox.stdout:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            found[name] = value
        elif line.startswith("#"):
            return found
    raise AssertionError("the sandbox has not started")


def _row(amicopy: str, level: str, environment: dict[str, str], folder: Path) -> dict[str, Any]:
    tell(f"content: {level}")
    command = [amicopy, "verify", WEB_SERVER.image_id, "--in", ",".join(REGIONS), "--output", "json"]
    log = folder / level / "log"
    took = measured([*command, "--content", level], environment=environment, log=log)
    document = json.JSONDecoder().raw_decode(text := log.read_text(), text.index("{"))[0]
    volumes = [volume for one in document["copies"] for volume in one["content"]["volumes"]]
    return {
        "level": level,
        "volumes": len(volumes),
        "blocks": sum(volume.get("compared") or 0 for volume in volumes),
        "load": round(os.getloadavg()[0], 1),
        **{name: round(value, 1) for name, value in asdict(took).items()},
    }
