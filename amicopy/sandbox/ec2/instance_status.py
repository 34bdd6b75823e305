"""DescribeInstanceStatus and GetConsoleOutput, and what RunInstances answers to a client token that it knows."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.instance_runs import STATES, InstanceRun
from amicopy.sandbox.state import Call


def describe_instance_status(call: Call) -> dict[str, Any]:
    """DescribeInstanceStatus: the status checks of running instances."""
    ids = call.params.get("InstanceIds") or []
    runs = [_own_run(call, instance_id) for instance_id in ids] or _own_runs(call)
    everything = call.params.get("IncludeAllInstances")
    return {
        "InstanceStatuses": [
            {
                "InstanceId": run.instance_id,
                "InstanceState": {"Code": STATES[run.state(call.now)], "Name": run.state(call.now)},
                "SystemStatus": {"Status": run.checks(call.now)[0]},
                "InstanceStatus": {"Status": run.checks(call.now)[1]},
            }
            for run in runs
            if everything or run.state(call.now) == "running"
        ]
    }


def get_console_output(call: Call) -> dict[str, Any]:
    """GetConsoleOutput: what the console shows, in base64."""
    run = _own_run(call, call.required("InstanceId"))
    text = base64.b64encode(run.console(call.now).encode()).decode()
    return {"InstanceId": run.instance_id, "Output": text, "Timestamp": call.now}


def _own_runs(call: Call) -> list[InstanceRun]:
    runs = call.state.instance_runs.values()
    return [run for run in runs if (run.account, run.region) == (call.account, call.region)]


def _own_run(call: Call, instance_id: str) -> InstanceRun:
    run = call.state.instance_runs.get(instance_id)
    if run is None or (run.account, run.region) != (call.account, call.region):
        raise errors.Ec2Error("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    return run


def repeated_launch(call: Call) -> dict[str, Any] | None:
    """Return the answer to a RunInstances whose client token is known; None if it is new."""
    token = call.params.get("ClientToken") or ""
    known = [run for run in _own_runs(call) if token and run.token == token]
    if not known:
        return None
    if known[0].request != _request(call):
        raise errors.Ec2Error(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    if any(run.terminated_at is not None for run in known):
        raise errors.Ec2Error(
            "IdempotentInstanceTerminated",
            "The request cannot be completed because an instance that was launched with this client token has been "
            "terminated.",
        )
    return {
        "ReservationId": "r-00000000000000000",
        "OwnerId": call.account,
        "Instances": [
            {
                "InstanceId": run.instance_id,
                "ImageId": run.image_id,
                "InstanceType": call.params.get("InstanceType") or "m1.small",
                "State": {"Code": STATES[run.state(call.now)], "Name": run.state(call.now)},
                "LaunchTime": run.launched_at,
            }
            for run in known
        ],
    }


def note_launch(call: Call, image_id: str, instance_ids: Sequence[str]) -> None:
    """Remember the instances that moto has launched for a call, with the faults that were injected."""
    for instance_id in instance_ids:
        run = call.state.instance_runs[instance_id] = InstanceRun(
            instance_id=instance_id,
            image_id=image_id,
            region=call.region,
            account=call.account,
            launched_at=call.now,
            running_seconds=call.state.timing.running_seconds,
            checked_seconds=call.state.timing.checked_seconds,
            token=call.params.get("ClientToken") or "",
            request=_request(call),
        )
        for effect in call.state.faults.take_launch_effects(call.operation, call.region):
            effect.apply_to(run)


def _request(call: Call) -> str:
    return json.dumps({name: value for name, value in call.params.items() if name != "DryRun"}, default=str)
