"""Plans, results and events as JSON-ready values.

Adding a field is compatible; renaming one, or changing its meaning, is a new ``schema``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from amicopy.core.check import Check, CheckResult
from amicopy.core.check_record import CheckRecord
from amicopy.core.destination import Destination, Key
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.events import Event
from amicopy.core.grants import OpenGrant
from amicopy.core.image_scan import SEVERITIES, ImageScan
from amicopy.core.models import InstanceTypes
from amicopy.execute.report import Outcome, Report, State
from amicopy.plan.attributes.base import Difference
from amicopy.plan.findings import Survey
from amicopy.plan.plan import Plan, Row

if TYPE_CHECKING:
    from amicopy.jobs.units import Unit

SCHEMA = "amicopy/1"


def moment(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if at else None


def error_document(error: AmicopyError | None) -> dict[str, Any] | None:
    """Return an error as ``slug``, ``what``, ``why``, ``next``."""
    if error is None:
        return None
    document: dict[str, Any] = {"slug": error.slug, "what": error.what, "why": error.why, "next": error.next_step}
    if error.details:
        document["details"] = list(error.details)
    if error.request_id:
        document["request_id"] = error.request_id
    return document


def account_member(destination: Destination) -> dict[str, str]:
    """Return the member that names a destination's account, if that is another than the run's own."""
    return {"account": destination.account} if destination.account else {}


def grants_member(grants: Sequence[OpenGrant]) -> dict[str, Any]:
    """Return the member about temporary permissions, if there are any."""
    some = [
        {"region": one.region, "image_id": one.image_id, "account": one.account, "since": moment(one.at)}
        | ({"kms_keys": list(one.key_ids)} if one.key_ids else {})
        for one in grants
    ]
    return {"grants": some} if some else {}


def envelope(
    command: str,
    exit_code: ExitCode,
    *,
    error: AmicopyError | None = None,
    notes: Sequence[str] = (),
    status: str = "",
) -> dict[str, Any]:
    """Return the members that every document has."""
    return {
        "schema": SCHEMA,
        "command": command,
        "status": status or status_name(exit_code),
        "exit_code": int(exit_code),
        "error": error_document(error),
        "notes": list(notes),
    }


def failure_document(command: str, error: AmicopyError, exit_code: ExitCode) -> dict[str, Any]:
    """Return the document of a run that ended before it had a plan."""
    return {**envelope(command, exit_code, error=error), "copies": []}


def plan_document(plan: Plan, exit_code: ExitCode, calls: Mapping[str, int]) -> dict[str, Any]:
    """Return a plan that is not executed."""
    refusal = plan.refusal() if plan.refused else None
    planned = "planned" if exit_code is ExitCode.OK else ""
    return {
        **envelope("copy", exit_code, error=refusal, notes=plan.notes, status=planned),
        **_with_estimate(plan, plan, [(row.key, _row_document(row)) for row in plan.rows]),
        **_scans_member(plan),
        "calls": dict(calls),
    }


def report_document(
    report: Report, exit_code: ExitCode, ended_at: datetime, calls: Mapping[str, int]
) -> dict[str, Any]:
    """Return the result of a run, in whatever state it ended."""
    error = report.error or (report.plan.refusal() if report.refused else None)
    return {
        **envelope("copy", exit_code, error=error, notes=report.plan.notes),
        "started_at": moment(report.started_at),
        "ended_at": moment(ended_at),
        **_with_estimate(
            report.executed_plan,
            report.plan,
            [(one.row.key, outcome_document(one)) for one in report.outcomes],
        ),
        **_scans_member(report.plan),
        "calls": dict(calls),
    }


def units_document(units: "Sequence[Unit]") -> dict[str, Any]:
    """Return the units of work of a manifest."""
    listed = [
        {
            "id": unit.unit_id,
            "account": unit.destination.account or None,
            "region": unit.destination.region,
            "entries": unit.entries,
        }
        for unit in units
    ]
    return {**envelope("sync", ExitCode.OK), "units": listed}


def manifests_document(entries: Mapping[str, int]) -> dict[str, Any]:
    """Return the manifests that were checked, and how many entries each has."""
    listed = [{"path": path, "entries": count} for path, count in entries.items()]
    return {**envelope("sync", ExitCode.OK), "manifests": listed}


def _with_estimate(plan: Plan, planned: Plan, copies: Sequence[tuple[Key, dict[str, Any]]]) -> dict[str, Any]:
    """Return the copies, each with what it costs, and what all of them cost."""
    from amicopy.plan.estimate import estimate
    from amicopy.render.cost import cost_document, estimate_document

    costs = estimate(plan)
    return {
        "copies": [copy | {"estimate": cost_document(costs.get(key))} for key, copy in copies],
        "estimate": estimate_document(plan, planned),
    }


def _scans_member(plan: Plan) -> dict[str, Any]:
    """Return the member about what is in the sources, if the request wanted to know."""
    return {"scans": [_scan_document(scan) for scan in plan.scans]} if plan.scans else {}


def _scan_document(scan: ImageScan) -> dict[str, Any]:
    return {
        "source_region": scan.region,
        "source_id": scan.image_id,
        "complete": scan.is_complete,
        "recorded": scan.is_recorded,
        "counts": {word: scan.counts.get(word, 0) for word in SEVERITIES},
        "secrets": scan.secrets,
        "findings": [asdict(line) for line in (*scan.lines, *scan.secret_lines)],
        "not_read": list(scan.not_read),
        "files_read": None if scan.is_recorded else scan.files,
        "blocks_read": scan.blocks,
        "error": error_document(scan.error),
    }


def unread_documents(survey: Survey) -> list[dict[str, Any]]:
    """Return the regions that could not be read, and why."""
    return [
        {"region": findings.region, **account_member(findings.destination), "error": error_document(findings.problem)}
        for findings in survey.destinations.values()
        if findings.problem
    ]


def difference_document(difference: Difference) -> dict[str, Any]:
    """Return one difference: its kind, whether it can be repaired in place, in words, and its facts."""
    settings = {field.name: _plain(getattr(difference, field.name)) for field in fields(difference)}
    kind = _kebab(type(difference).__name__)
    return {"kind": kind, "repairable": difference.repairable, "text": str(difference), **settings}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, tuple):
        return [str(one) for one in value]
    if isinstance(value, InstanceTypes):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value


def status_name(exit_code: ExitCode) -> str:
    """Return the exit code's name, which reads better in a pipeline's log."""
    return exit_code.name.lower().replace("_", "-")


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "source_region": row.source.region,
        "source_id": row.source.image_id,
        "label": row.label or None,
        "region": row.region,
        **account_member(row.destination),
        "action": str(row.action),
        "reason": row.reason,
        "state": str(State.PLANNED),
        "image_id": row.copy.image_id if row.copy else None,
        "name": row.name,
        "volume_gib": row.source.volume_gib,
        "from_region": row.origin_region,
        "from_id": None if row.waits_for else row.origin.image_id,
        "differences": [difference_document(difference) for difference in row.differences],
        "wider": [str(one) for one in row.wider],
        "error": error_document(row.problem),
        "problems": [error_document(problem) for problem in row.problems],
        "check": check_document(row.check),
        "notes": list(row.notes),
    }


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return what became of one destination."""
    return _row_document(outcome.row) | {
        "state": str(outcome.state),
        "image_id": outcome.image_id or None,
        "left": str(outcome.left) if outcome.left else None,
        "changes": list(outcome.changes),
        "error": error_document(outcome.error),
        "notes": list(outcome.notes),
        "check": check_document(outcome.row.check, outcome.check_result),
        "requested_at": moment(outcome.requested_at),
        "available_at": moment(outcome.available_at),
        "ended_at": moment(outcome.ended_at),
    }


def check_document(check: Check | None, result: CheckResult | None = None) -> dict[str, Any] | None:
    """Return what a copy has to pass before it is shared, and how that ended."""
    if check is None:
        return None
    return {"command": check.command} | (check_result_document(result) if result else {})


def check_result_document(result: CheckResult) -> dict[str, Any]:
    """Return how a check ended; ``output`` is the end of what it wrote."""
    return {
        "passed": result.passed,
        "ending": result.ending,
        "seconds": round(result.seconds, 1),
        "output": list(result.output),
    }


def check_record_document(record: CheckRecord | None) -> dict[str, Any] | None:
    """Return what a copy says about its check, as of now."""
    if record is None:
        return None
    return {"state": str(record.state), "name": record.name or None, "failed_at": moment(record.at)}


def event_document(event: Event) -> dict[str, Any]:
    """Return one event as one line of JSON lines; ``type`` is its class in kebab case."""
    document: dict[str, Any] = {"schema": SCHEMA, "type": _kebab(type(event).__name__)}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name == "is_repeated":  # such events are not shown
            continue
        if isinstance(value, Destination):
            document |= {"region": value.region, **account_member(value)}
            continue
        if isinstance(value, datetime):
            value = moment(value)
        elif isinstance(value, AmicopyError):
            value = error_document(value)
        elif isinstance(value, CheckResult):
            value = check_result_document(value)
        document[field.name] = value
    return document


def _kebab(name: str) -> str:
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).lstrip("-")
