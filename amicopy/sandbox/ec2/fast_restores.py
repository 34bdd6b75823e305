"""Fast snapshot restore: switched on and off for a snapshot in an Availability Zone, with the states in between.

EC2's codes for what is refused are not documented. How long the states last is: an hour for a TiB.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from amicopy.sandbox.ec2.filters import apply_filters, paginate
from amicopy.sandbox.records import Snapshot
from amicopy.sandbox.state import Call

_ENABLING = timedelta(seconds=30)
_DISABLING = timedelta(seconds=30)
_OPTIMIZING_PER_GIB = timedelta(hours=1) / 1024
_ON = {"enabling", "optimizing", "enabled"}


@dataclass(frozen=True, slots=True)
class _Row:
    snapshot: Snapshot
    zone: str
    state: str
    since: datetime


def enable(call: Call) -> dict[str, Any]:
    """EnableFastSnapshotRestores: whatever cannot have it is in the answer, each with its error."""
    return _switch(call, on=True)


def disable(call: Call) -> dict[str, Any]:
    """DisableFastSnapshotRestores."""
    return _switch(call, on=False)


def describe(call: Call) -> dict[str, Any]:
    """DescribeFastSnapshotRestores: every snapshot of the region for which it was ever switched on."""
    rows = apply_filters(call.params.get("Filters"), _rows(call), columns=_COLUMNS, tags=lambda _row: {})
    response = paginate(call, rows, key="FastSnapshotRestores")
    response["FastSnapshotRestores"] = [_members(one) for one in response["FastSnapshotRestores"]]
    return response


def _switch(call: Call, *, on: bool) -> dict[str, Any]:
    zones = list(dict.fromkeys(call.required("AvailabilityZones")))
    snapshots = [call.own_snapshot(one) for one in dict.fromkeys(call.required("SourceSnapshotIds"))]
    done: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for snapshot in snapshots:
        problems = [(zone, problem) for zone in zones if (problem := _problem(call, snapshot, zone, on=on))]
        for zone in zones:
            if zone in dict(problems):
                continue
            if _is_on(call, snapshot, zone) is not on:
                snapshot.fast_restores[zone] = (on, call.now)
            done.append(_members(_row(call, snapshot, zone)))
        if problems:
            errors = [
                {"AvailabilityZone": zone, "Error": {"Code": code, "Message": message}}
                for zone, (code, message) in problems
            ]
            refused.append({"SnapshotId": snapshot.snapshot_id, "FastSnapshotRestoreStateErrors": errors})
    return {"Successful": done, "Unsuccessful": refused}


def _problem(call: Call, snapshot: Snapshot, zone: str, *, on: bool) -> tuple[str, str] | None:
    if not re.fullmatch(f"{call.region}[a-f]", zone):
        return "InvalidParameterValue", f"Invalid availability zone: [{zone}]"
    if not on:
        if _is_on(call, snapshot, zone):
            return None
        return "InvalidState", "Fast snapshot restore is not enabled for the snapshot in this Availability Zone."
    if snapshot.state != "completed":
        return "IncorrectState", f"The snapshot is {snapshot.state}, and has to be completed."
    others = {row.snapshot.snapshot_id for row in _rows(call) if row.state in _ON} - {snapshot.snapshot_id}
    if len(others) >= call.settings.fast_restore_limit:
        return "FastSnapshotRestoreLimitExceeded", "The limit of snapshots with fast snapshot restore is reached."
    return None


def _is_on(call: Call, snapshot: Snapshot, zone: str) -> bool:
    return zone in snapshot.fast_restores and _row(call, snapshot, zone).state in _ON


def _rows(call: Call) -> Iterator[_Row]:
    for snapshot in call.state.snapshots[call.region].values():
        if snapshot.owner == call.account:
            for zone in snapshot.fast_restores:
                yield _row(call, snapshot, zone)


def _row(call: Call, snapshot: Snapshot, zone: str) -> _Row:
    on, since = snapshot.fast_restores[zone]
    passed = call.now - since
    if not on:
        return _Row(snapshot, zone, "disabling" if passed < _DISABLING else "disabled", since)
    if passed < _ENABLING:
        return _Row(snapshot, zone, "enabling", since)
    is_ready = passed >= _ENABLING + snapshot.gib * _OPTIMIZING_PER_GIB
    return _Row(snapshot, zone, "enabled" if is_ready else "optimizing", since)


def _members(row: _Row) -> dict[str, Any]:
    since = "EnablingTime" if row.state in _ON else "DisablingTime"
    return {
        "SnapshotId": row.snapshot.snapshot_id,
        "AvailabilityZone": row.zone,
        "State": row.state,
        "StateTransitionReason": "Client.UserInitiated",
        "OwnerId": row.snapshot.owner,
        since: row.since,
    }


_COLUMNS: dict[str, Any] = {
    "availability-zone": lambda row: [row.zone],
    "owner-id": lambda row: [row.snapshot.owner],
    "snapshot-id": lambda row: [row.snapshot.snapshot_id],
    "state": lambda row: [row.state],
}
