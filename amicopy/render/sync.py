"""What a sync changes, as a diff for people and as members of the JSON document."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from amicopy.core.switch import SwitchState
from amicopy.execute.cancel import Target, TargetState
from amicopy.jobs.publish import ParameterState, ParameterWrite
from amicopy.jobs.sync import SyncResult
from amicopy.plan.plan import Action, Row
from amicopy.render.json_documents import account_member, error_document
from amicopy.render.plan import note_lines, reason
from amicopy.render.text import columns, counted, safe

if TYPE_CHECKING:  # loaded when a price is asked for
    from amicopy.core.prices import Prices
    from amicopy.jobs.fast_launch import CopyFastLaunch
    from amicopy.jobs.fast_restore import FastRestore

_SIGNS = {
    Action.COPY: "+",
    Action.JOIN: "~",
    Action.UPDATE: "~",
    Action.UNCHANGED: "=",
    Action.REPLACE: "+",
    Action.REFUSE: "!",
}

_SWITCH_SIGNS = {SwitchState.SWITCH: "~", SwitchState.DONE: "~", SwitchState.FAILED: "!"}

_REMOVAL_SIGNS = {
    TargetState.CANCEL: "-",
    TargetState.CANCELLED: "-",
    TargetState.GONE: "-",
    TargetState.KEEP: "=",
    TargetState.FAILED: "!",
}


def diff_lines(sync: SyncResult) -> Iterator[str]:
    """Yield one line per copy, parameter and removal: + added, ~ changed, - removed, = unchanged, ! refused."""
    plan = sync.report.plan
    copies, writes, removals = plan.rows, sync.parameter_writes, sync.removals
    if not sync.has_work and not plan.refused:
        yield f"nothing to do: {counted(len(plan.rows), 'copy is', 'copies are')} up to date"
        copies = ()
        writes = tuple(one for one in writes if one.state in {ParameterState.NEWER, ParameterState.ABSENT})
        removals = tuple(one for one in removals if one.state is TargetState.KEEP)
    others = (one for one in sync.fast_launches if one.is_others or one.error)  # for a person to look at
    fast = sync.switches if sync.has_work else tuple(others)
    yield from columns(
        [
            *map(_copy_line, copies),
            *map(_switch_line, fast),
            *map(_parameter_line, writes),
            *map(_removal_line, removals),
        ]
    )
    if accounts := sorted({one.account for one in removals if one.state is TargetState.CANCEL and one.account}):
        yield f"what is removed (-) is in account {', '.join(accounts)}"
    from amicopy.render.cost import fast_launch_lines, fast_restore_lines, saving_lines

    costs = (*fast_restore_lines(sync.fast_restores, plan.prices), *fast_launch_lines(sync.fast_launches, plan.prices))
    yield from note_lines(plan, (*costs, *saving_lines(removals, plan.prices)))


def diff_cells(sync: SyncResult) -> Iterator[list[str]]:
    """Yield the same as cells, unchanged ones included: the sign, the region, what it is about, and why."""
    yield from map(_copy_line, sync.report.plan.rows)
    yield from map(_switch_line, sync.switches)
    yield from map(_parameter_line, sync.parameter_writes)
    yield from map(_removal_line, sync.removals)


def _copy_line(row: Row) -> list[str]:
    copy = row.copy.image_id if row.copy else "a new copy"
    return [_SIGNS[row.action], row.place, f"{copy} of {row.source.image_id}", reason(row)]


def _parameter_line(one: ParameterWrite) -> list[str]:
    after = one.image_id or "the new copy"
    match one.state:
        case ParameterState.KEPT:
            return ["=", one.place, safe(one.label), f"has {one.image_id}"]
        case ParameterState.NEWER:
            return ["=", one.place, safe(one.label), f"has {safe(one.before)}, made from a newer image; it stays"]
        case ParameterState.ABSENT:
            return ["=", one.place, safe(one.label), "does not exist there; none is created"]
        case ParameterState.WAITING:
            what = "not all copies are" if one.publication.publish.when_all else "the copy is not"
            return ["=", one.place, safe(one.label), f"waiting: {what} up to date yet"]
        case ParameterState.FAILED:
            return ["!", one.place, safe(one.label), "could not be written, see below"]
    was = f"{safe(one.before)} -> " if one.before else ""
    return ["~" if one.before else "+", one.place, safe(one.label), f"{was}{after}"]


def _switch_line(one: "FastRestore | CopyFastLaunch") -> list[str]:
    match one.state:
        case SwitchState.WAITING:
            words = "waiting: the copy is not up to date yet"
        case SwitchState.FAILED:
            words = "could not be switched, see below"
        case _:
            words = one.words
    what = f"{one.feature} of {one.image_id or 'the new copy'}"
    return [_SWITCH_SIGNS.get(one.state, "="), one.region, what, words]


def _removal_line(one: Target) -> list[str]:
    words = f"stays: {safe(one.reason)}" if one.state is TargetState.KEEP else safe(one.reason)
    return [_REMOVAL_SIGNS[one.state], one.place, one.resource_id, words]


def after_lines(sync: SyncResult) -> Iterator[str]:
    """Yield one line per parameter and removal, except for unchanged parameters."""
    parameter_writes = (one for one in sync.parameter_writes if one.state is not ParameterState.KEPT)
    fast = (one for one in sync.switches if one.state is not SwitchState.KEPT)
    yield from columns(
        [
            *map(_switch_line, fast),
            *map(_parameter_line, parameter_writes),
            *map(_removal_line, sync.removals),
        ]
    )


def sync_members(sync: SyncResult) -> dict[str, Any]:
    """Return the members that the document of a sync has in addition to those of a copy."""
    return {
        "command": "sync",
        "parameters": [_written(one, "path") for one in sync.parameter_writes if not one.publication.is_template],
        "launch_templates": [_written(one, "name") for one in sync.parameter_writes if one.publication.is_template],
        "fast_restores": [_fast_restore(one, sync.report.plan.prices) for one in sync.fast_restores],
        "fast_launches": [_fast_launch(one, sync.report.plan.prices) for one in sync.fast_launches],
        "removals": [_removal(one, sync.report.plan.prices) for one in sync.removals],
    }


def _written(one: ParameterWrite, member: str) -> dict[str, Any]:
    return {
        "region": one.region,
        **account_member(one.destination),
        member: one.path,
        "image_id": one.image_id or None,
        "before": one.before or None,
        "state": str(one.state),
        "error": error_document(one.error),
    }


def _fast_restore(one: "FastRestore", prices: "Prices | None") -> dict[str, Any]:
    from amicopy.render.cost import hourly_document

    return {
        "region": one.region,
        "image_id": one.image_id or None,
        "zones": list(one.zones),
        "off": list(one.dropped),
        "snapshots": one.snapshots,
        "usd_per_hour": hourly_document(one, prices),
        "state": str(one.state),
        "error": error_document(one.error),
    }


def _fast_launch(one: "CopyFastLaunch", prices: "Prices | None") -> dict[str, Any]:
    from amicopy.render.cost import fast_launch_document

    settings, before = one.settings, one.before
    return {
        "region": one.region,
        "image_id": one.image_id or None,
        "target_resource_count": settings.target_resource_count if settings else None,
        "max_parallel_launches": settings.max_parallel_launches if settings else None,
        "launch_template": (settings.launch_template or None) if settings else None,
        "launch_template_version": (settings.version or None) if settings else None,
        "before": (before.state or None) if before else None,
        "reason": (before.reason or None) if before else None,
        "by_others": one.is_others,
        "storage_per_month": fast_launch_document(one, prices),
        "state": str(one.state),
        "error": error_document(one.error),
    }


def _removal(one: Target, prices: "Prices | None") -> dict[str, Any]:
    from amicopy.render.cost import saving_document

    return {
        "region": one.region,
        **account_member(one.destination),
        "image_id": one.resource_id,
        "source": one.source or None,
        "state": str(one.state),
        "reason": one.reason,
        "snapshots": dict(one.snapshots),
        "saves_per_month": saving_document(one, prices),
        "error": error_document(one.error),
    }
