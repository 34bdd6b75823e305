"""AWS Account Management: turning opt-in regions on and off (botocore's model "account", protocol rest-json)."""

from collections.abc import Mapping
from typing import Any

from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.settings import OPT_IN, partition_of
from amicopy.sandbox.state import State

OPERATIONS = frozenset({"DisableRegion", "EnableRegion", "GetRegionOptStatus", "ListRegions"})
"""Those that are answered here; moto has the others."""


def operation_of(path: str) -> str:
    """Return the operation that a path such as ``/enableRegion`` calls."""
    return path.strip("/")[:1].upper() + path.strip("/")[1:]


def answer(operation: str, params: Mapping[str, Any], *, account: str, state: State) -> dict[str, Any]:
    """Return the response to one of the operations on regions; a region changes at once.

    `OPERATIONS` are in the AWS Account Management API reference.

    Raises:
        Ec2Error: the region does not exist, or cannot be turned on or off.
    """
    if operation == "ListRegions":
        wanted = params.get("RegionOptStatusContains") or []
        known = [region for region in state.regions if partition_of(region) == "aws"]
        rows = [{"RegionName": region, "RegionOptStatus": _status(state, account, region)} for region in known]
        return {"Regions": [row for row in rows if not wanted or row["RegionOptStatus"] in wanted]}
    region = str(params.get("RegionName"))
    if region not in state.regions:
        raise Ec2Error("ValidationException", f"{region} is not a valid region name.")
    if operation == "GetRegionOptStatus":
        return {"RegionName": region, "RegionOptStatus": _status(state, account, region)}
    if region not in OPT_IN:
        raise Ec2Error("ValidationException", f"{region} is enabled by default, and cannot be changed.")
    state.settings_of(account, region).opted_in = operation == "EnableRegion"
    return {}


def _status(state: State, account: str, region: str) -> str:
    if region not in OPT_IN:
        return "ENABLED_BY_DEFAULT"
    return "ENABLED" if state.settings_of(account, region).opted_in else "DISABLED"
