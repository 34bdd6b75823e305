"""What a team runs: the command line of a step, and what came of it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amicopy.sandbox.records import Image
from tests.support.among.steps import HOMES, Start
from tests.support.among.turns import Turn

EXIT_CODES = {0, 1, 2, 3, 4, 5, 6, 130}
_KEYS = {"--tag": "tags", "--share": "share", "--name": "name"}


@dataclass(slots=True, eq=False)
class Run:
    """One command of a team, from its first call to its end; ``code`` None: it was killed, or it goes on."""

    number: int
    start: Start
    turn: Turn
    sources: dict[str, Image]  # by id, the sources that it names
    copy_ids: tuple[str, ...] = ()  # named with --copy
    began: int = 0  # the moment at which it began, as `Promises` counts them
    gone_before: frozenset[str] = frozenset()  # sources that did not exist anymore
    shared_before: frozenset[str] = frozenset()  # copies that others could use
    read: dict[str, tuple[int, float]] = field(default_factory=dict)  # permissions: when, and how long it had slept
    seen_pending: dict[str, set[str]] = field(default_factory=dict)  # by region, at its last look
    code: int | None = None
    out: str = ""
    err: str = ""

    @property
    def name(self) -> str:
        """What it is called among the writes of the world."""
        return self.turn.name

    @property
    def may_write(self) -> bool:
        """Whether its command changes anything at all."""
        options = self.start.options
        if self.start.command == "verify":
            return "--repair" in options
        return self.start.command != "status" and "--dry-run" not in options

    @property
    def adopts(self) -> bool:
        """Whether it takes over what others made."""
        return "--adopt" in self.start.request

    @property
    def shares(self) -> set[str] | None:
        """With whom it is to share; None: as the source is."""
        return asked_shares(self.start.request)

    @property
    def document(self) -> Any:
        """The JSON that it has printed."""
        return json.loads(self.out)


def asked_shares(request: tuple[str, ...]) -> set[str] | None:
    """Return with whom a request shares; None: as the source is."""
    if "--no-permissions" in request:
        return set()
    who = {request[at + 1] for at, word in enumerate(request) if word == "--share"}
    return who or None


def asked_tags(request: tuple[str, ...]) -> dict[str, str]:
    """Return the tags that a request adds."""
    return dict(request[at + 1].split("=") for at, word in enumerate(request) if word == "--tag")


def command_line(start: Start, sources: dict[str, Image], copy_ids: tuple[str, ...], folder: Path) -> list[str]:
    """Return what the team types."""
    ids = [sources[name].image_id for name in start.sources]
    home, regions = HOMES[start.sources[0]], ",".join(start.regions)
    output = ["--output", "json"]
    match start.command:
        case "copy":
            bounded = [] if "--timeout" in start.options else ["--timeout", "30m"]
            where = ["--from", home, "--to", regions]
            return ["copy", *ids, *where, *start.request, *start.options, *bounded, *output]
        case "sync":
            path = folder / f"{start.team}.yaml"
            path.write_text(_manifest(start, ids, home))
            options = [word for word in start.options if word != "keep"]
            return ["sync", str(path), *options, "--timeout", "30m", *output]
        case "verify":
            return ["verify", *ids, "--from", home, "--in", regions, *start.request, *start.options, *output]
        case "cancel":
            named = [word for copy_id in copy_ids for word in ("--copy", copy_id)]
            options = [word for word in start.options if word != "--copy"]
            if "--all-pending" in options or copy_ids:
                ids = []
            return ["cancel", *ids, *named, "--from", home, "--in", regions, "--yes", *options, *output]
        case _:
            return ["status", *ids, "--from", home, "--in", regions, *output]


def _manifest(start: Start, ids: list[str], home: str) -> str:
    lines = [f"name: team-{start.team}", "images:"]
    for image_id in ids:
        lines += [f"  - source: {image_id}", f"    from: {home}", f"    to: [{', '.join(start.regions)}]"]
        if tags := asked_tags(start.request):
            lines.append(f"    tags: {json.dumps(tags)}")
        for at, word in enumerate(start.request):
            if word == "--share":
                lines.append(f"    share: ['{start.request[at + 1]}']")
            elif word == "--name":
                lines.append(f"    name: {start.request[at + 1]}")
        for word, line in _SWITCHES.items():
            if word in start.request:
                lines.append(f"    {line}")
        if "keep" in start.options:
            lines.append("    keep: {newest: 1, min_age: 10m}")
    return "\n".join(lines) + "\n"


_SWITCHES = {
    "--no-permissions": "carry_permissions: false",
    "--no-tags": "carry_tags: false",
    "--encrypt": "encrypt: true",
    "--adopt": "adopt: true",
}


def complaint_about_end(run: Run) -> str:
    """Return what is wrong with how a run ended, whatever the world was like; empty if nothing."""
    if run.code not in EXIT_CODES or "Traceback" in run.err:
        return f"it ended with {run.code}"
    try:
        document = run.document
    except json.JSONDecodeError as error:
        return f"its output is not JSON: {error}"
    if document["exit_code"] != run.code:
        return f"JSON says {document['exit_code']}, the process {run.code}"
    if run.code in {1, 2, 6} and not explained(run):
        return f"it ended with {run.code} and gives no reason"
    if run.start.command not in {"copy", "sync"}:
        return ""
    for row in document["copies"]:
        if row.get("state") in {"failed", "refused"} and not row["error"]:
            return f"{row['region']} is {row['state']} without a reason"
        if run.code == 0 and row.get("state") in {"failed", "refused"}:
            return f"it ended with 0, and {row['region']} is {row['state']}"
        if row.get("state") in {"copying", "completing", "done", "unchanged"} and not row["image_id"]:
            return f"{row['region']} is {row['state']} without an id"
    return ""


def explained(run: Run) -> bool:
    """Tell whether a run that did not end with 0 says why."""
    document = run.document
    in_rows = any(row.get("error") or row.get("wider") for row in document.get("copies", ()))
    kept = any(target["reason"] for target in document.get("targets", ()))
    return bool(in_rows or kept or document.get("error") or re.search(r"(?m)^(error: |keep  )", run.err))
