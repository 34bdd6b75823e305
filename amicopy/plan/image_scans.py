"""What the scans of the sources mean for a plan: notes, and copies that are refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from amicopy.core.errors import AmicopyError, PinnedToRegion, ScanIncomplete, SecretsFound
from amicopy.core.image_scan import ImageScan, ScanMode, ScannedLine, counted_severities, places
from amicopy.core.models import Image, ImageState, Principal, PrincipalKind
from amicopy.core.request import CopyRequest
from amicopy.plan.plan import Action, Plan, Row

_MOST_NAMED = 3


def sources_to_scan(plan: Plan) -> tuple[Image, ...]:
    """Return the sources that the plan would copy, complete or share, each once; one that is pending has no content."""
    found = {
        row.source.reference: row.source
        for row in plan.rows
        if row.action is not Action.UNCHANGED and not row.is_unreachable
    }
    return tuple(source for source in found.values() if source.state is ImageState.AVAILABLE)


def is_to_be_public(plan: Plan, source: Image) -> bool:
    """Return whether the plan shares some copy of a source with everybody."""
    rows = (row for row in plan.rows if row.source.reference == source.reference)
    return any(one.is_public for row in rows for one in _shared_by(row))


def with_scans(plan: Plan, request: CopyRequest, scans: Mapping[str, ImageScan]) -> Plan:
    """Return the plan with what was found in its sources (by their references), and with rows refused for it."""
    rows = tuple(_refused_for(row, request, scans.get(row.source.reference)) for row in plan.rows)
    notes = (note for scan in scans.values() for note in scan_notes(scan))
    return replace(plan, rows=rows, notes=(*plan.notes, *notes), scans=(*plan.scans, *scans.values()))


def _refused_for(row: Row, request: CopyRequest, scan: ImageScan | None) -> Row:
    if scan is None or row.action is Action.UNCHANGED or not (found := tuple(_problems(row, request, scan))):
        return row
    return row.refused(*found)


def _problems(row: Row, request: CopyRequest, scan: ImageScan) -> Iterator[AmicopyError]:
    """Yield why what was found keeps a row from being executed."""
    asked = request.scan
    assert asked is not None
    name = f"{scan.image_id} in {scan.region}"
    if asked.mode is ScanMode.REFUSE:
        if scan.error:
            yield scan.error
        elif scan.not_read:
            yield ScanIncomplete(
                f"Not everything in {name} could be read.",
                why=f"{'; '.join(scan.not_read[:_MOST_NAMED])}.",
                next_step=f"See what was read: {_command(scan)}. To copy it with a note instead: "
                "--scan=warn (in a manifest, scan: warn).",
            )
        if scan.pins:
            yield PinnedToRegion(
                f"{name} points to its own region.",
                why=_pins(scan),
                next_step=f"Fix the image, or name what you accept in an ignore file, with the reason. {_list(scan)}",
            )
    if asked.allow_secrets or not (who := _others(row)):
        return
    if not scan.is_complete and asked.mode is not ScanMode.REFUSE:
        yield ScanIncomplete(
            f"{name} could not be read completely, and its copy should be given to {who}.",
            why=f"What was not read may hold secrets: {_gaps(scan)}",
            next_step="Make it readable, or share the copy anyway, with --allow-secrets (in a manifest, scan: "
            f"{{allow_secrets: true}}). See what was read: {_command(scan)}",
        )
    if scan.left and any(one.is_public for one in _shared_by(row)):
        yield SecretsFound(
            f"{name} holds {_left(scan)}, and its copy should be public.",
            why="Everybody can read it, and whoever has such a key can log in to instances of the copy."
            f"{_where(scan.left_lines)}",
            next_step="Remove it, and make a new image; or share the copy anyway, with --allow-secrets (in a manifest, "
            f"scan: {{allow_secrets: true}}). To list all: {_command(scan)} --rules left",
        )
    if scan.secrets:
        yield SecretsFound(
            f"{name} holds {_secrets(scan)}, and its copy should be given to {who}.",
            why=f"Whoever gets the copy can read what is in it.{_where(scan.secret_lines)}",
            next_step="Remove and revoke what was found, and make a new image; or share the copy anyway, with "
            f"--allow-secrets (in a manifest, scan: {{allow_secrets: true}}). {_list(scan)}",
        )


def _others(row: Row) -> str:
    """Return who else would get the copy by what the row does; empty if that is nobody."""
    if row.destination.account and row.action is not Action.UNCHANGED:
        return f"account {row.destination.account}"
    own = Principal(PrincipalKind.ACCOUNT, row.source.owner_id)
    return ", ".join(map(str, sorted(one for one in _shared_by(row) if one != own)))


def _shared_by(row: Row) -> frozenset[Principal]:
    """Return whom a row shares a copy with, as far as it changes that."""
    if row.action is Action.UNCHANGED:
        return frozenset()
    if row.action is Action.UPDATE and not any(one.is_sharing for one in row.differences):
        return frozenset()
    return frozenset(row.desired.shared_with)


def scan_notes(scan: ImageScan) -> Iterator[str]:
    """Yield what was found in one source, as sentences."""
    name = scan.image_id
    if scan.error:
        yield f"{name} could not be scanned: {_gaps(scan)}"
        return
    recorded = ", as its tag amicopy:scanned records" if scan.is_recorded else ""
    if counted_severities(scan.counts):
        yield f"{name} points to {scan.region}{recorded}: {_pins(scan)} {_list(scan)}"
    elif scan.is_complete:
        read = "" if scan.is_recorded else f" ({scan.files} files read)"
        yield f"nothing in {name} points to {scan.region}{recorded}{read}"
    if scan.secrets:
        yield f"{name} holds {_secrets(scan)}{recorded}.{_where(scan.secret_lines)} {_list(scan)}"
    if scan.left:
        yield f"{name} holds {_left(scan)}{recorded}.{_where(scan.left_lines)} {_list(scan)} --rules left"
    if scan.ignored:
        files = f" by {' and '.join(map(repr, scan.ignore_files))}" if scan.ignore_files else ""
        count = "a finding in it is" if scan.ignored == 1 else f"{scan.ignored} findings in it are"
        yield f"{name}: {count} ignored{files}"
    if scan.not_read:
        yield f"not everything in {name} could be read: {'; '.join(scan.not_read[:_MOST_NAMED])}"


def _pins(scan: ImageScan) -> str:
    named = f": {places(scan.lines, _MOST_NAMED)}" if scan.lines else ""
    return f"{counted_severities(scan.counts)}{named}."


def _secrets(scan: ImageScan) -> str:
    return "a secret" if scan.secrets == 1 else f"{scan.secrets} secrets"


def _left(scan: ImageScan) -> str:
    return f"{'a file' if scan.left == 1 else f'{scan.left} files'} that an instance has left"


def _where(lines: Sequence[ScannedLine]) -> str:
    return f" In: {places(lines, _MOST_NAMED)}." if lines else ""


def _gaps(scan: ImageScan) -> str:
    """Return why something was not read, as sentences."""
    if scan.error:
        return f"{scan.error.what} {scan.error.why}".rstrip()
    return f"{'; '.join(scan.not_read[:_MOST_NAMED])}."


def _list(scan: ImageScan) -> str:
    return f"To list all: {_command(scan)}"


def _command(scan: ImageScan) -> str:
    return f"amicopy scan {scan.image_id} --from {scan.region}"
