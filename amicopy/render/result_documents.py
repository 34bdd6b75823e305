"""The result of any command as the JSON document that the command writes (docs/json.md)."""

from datetime import datetime
from typing import Any

from amicopy.execute.report import Report
from amicopy.jobs.boot import BootReport
from amicopy.jobs.cancel import CancelResult
from amicopy.jobs.retire import RetireResult
from amicopy.jobs.status import StatusResult
from amicopy.jobs.sync import SyncResult
from amicopy.jobs.verify import VerifyResult
from amicopy.render.boot import boot_document
from amicopy.render.cancel import cancel_document
from amicopy.render.json_documents import report_document
from amicopy.render.retire import retire_document
from amicopy.render.status import standing_document
from amicopy.render.sync import sync_members
from amicopy.render.verify import verdict_document

Result = Report | SyncResult | StatusResult | VerifyResult | CancelResult | RetireResult | BootReport


def result_document(result: Result) -> dict[str, Any]:
    """Return the document of a result: values that `json.dumps` accepts. Calls are not counted in it."""
    match result:
        case SyncResult(report=report):
            ended = report_document(report, result.exit_code(), _ended_at(report), {})
            return ended | sync_members(result)
        case Report():
            return report_document(result, result.exit_code(), _ended_at(result), {})
        case StatusResult():
            return standing_document(result.copies, result.percents, result.survey, result.exit_code, result.grants)
        case VerifyResult():
            return verdict_document(result.copies, result.survey, result.exit_code, (), result.without_copy)
        case CancelResult():
            return cancel_document(result.targets, result.unread, result.exit_code, result.notes, result.grants)
        case RetireResult():
            return retire_document(result)
        case BootReport():
            return boot_document(result)


def _ended_at(report: Report) -> datetime:
    """Return when the last copy ended, or when the run began if none has."""
    return max((one.ended_at for one in report.outcomes if one.ended_at), default=report.started_at)
