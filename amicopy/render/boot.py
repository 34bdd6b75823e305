"""What is going to be booted and how that ended, for people and programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from amicopy.core.boot import BootOptions
from amicopy.jobs.boot import BootReport, BootTarget
from amicopy.render.boot_cost import Launch, boot_cost, hourly_words
from amicopy.render.json_documents import account_member, envelope, error_document
from amicopy.render.result import print_table, write_lines
from amicopy.render.text import columns, counted, safe

_MOST_PLACES = 40  # as many as there are regions


def target_lines(report: BootReport, options: BootOptions) -> Iterator[str]:
    """Yield one line for each image: what will be launched; then what it costs, and what it needs."""
    yield from columns([["boot", one.place, one.image.image_id, one.instance_type] for one in report.due])
    yield from (f"not tested: {safe(error.what)}" for error in report.unread)
    for where, instance_id in report.leftovers:
        yield f"terminate {instance_id} in {where}, left by a run that was killed"
    if report.due:
        yield f"costs: {boot_cost(_launches(report), options.timeout)}"
        roles = ", for that of the roles: --account-role ARN" if any(one.account for one in report.due) else ""
        yield f"needs: ec2:RunInstances and ec2:TerminateInstances; for the policy: amicopy iam-policy boot{roles}"


def launch_question(report: BootReport) -> str:
    """Return the question before anything is launched, with what that costs."""
    places = list(dict.fromkeys(one.place for one in report.due))
    accounts = {one.account for one in report.due}
    where = ", ".join(places) if len(places) <= _MOST_PLACES else f"{counted(len(accounts), 'account')}"
    return f"Launch {counted(len(report.due), 'instance')} in {where}, {hourly_words(_launches(report))}?"


def _launches(report: BootReport) -> list[Launch]:
    return [(one.image, one.instance_type) for one in report.due]


def write_targets(targets: Sequence[BootTarget], output: str) -> None:
    """Write ``REGION AMI STATE`` (in another account ``ACCOUNT/REGION``) for each image, as lines or as a table."""
    rows = [[one.place, one.image.image_id, _state(one), safe(_ending(one))] for one in targets]
    if output == "table":
        print_table("", ["region", "image", "state", "how it ended"], rows)
    else:
        write_lines(" ".join(row[:3]) for row in rows)


def _state(target: BootTarget) -> str:
    if target.is_due:
        return "planned"
    if target.result and target.result.interrupted:
        return "interrupted"
    return "passed" if target.passed else "failed" if target.result else "refused"


def _ending(target: BootTarget) -> str:
    if target.result:
        return target.result.ending
    return target.error.what if target.error else target.instance_type


def boot_document(report: BootReport) -> dict[str, Any]:
    """Return the result as JSON-ready values."""
    return {
        **envelope(
            "boot",
            report.exit_code,
            error=report.interruption or next(iter(report.unread), None),
            notes=report.notes,
        ),
        "unread": [error_document(error) for error in report.unread],
        "images": [
            account_member(one.destination)
            | {
                "region": one.image.region,
                "image_id": one.image.image_id,
                "source": one.source,
                "state": _state(one),
                "instance_type": one.instance_type or None,
                "instance_id": (one.result and one.result.instance_id) or None,
                "ending": one.result.ending if one.result else None,
                "seconds": one.result.seconds if one.result else None,
                "console": list(one.result.console) if one.result else [],
                "is_left": bool(one.result and one.result.is_left),
                "error": error_document(one.error),
            }
            for one in report.targets
        ],
    }
