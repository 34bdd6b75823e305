"""EBS fast snapshot restore in one region: for which snapshots it is on, in which Availability Zones; on and off."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from amicopy.aws.client import ServiceClient
from amicopy.core.errors import RequestRefused

_ON = {"enabling", "optimizing", "enabled"}


class FastRestores:
    """Fast snapshot restore in one region. Beside what a method names, it may raise the errors of `Ec2Reads`."""

    def __init__(self, region: str, call: ServiceClient, pages: Callable[..., Iterator[Mapping[str, Any]]]) -> None:
        self.region = region
        self._call = call
        self._pages = pages

    def zones_by_snapshot(self, snapshot_ids: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return for each snapshot the Availability Zones in which it is on, or on its way to be.

        AWS: EC2 DescribeFastSnapshotRestores.
        """
        found: dict[str, set[str]] = {one: set() for one in snapshot_ids}
        filters = [{"Name": "snapshot-id", "Values": list(snapshot_ids)}]
        for page in self._pages("DescribeFastSnapshotRestores", Filters=filters) if found else ():
            for item in page.get("FastSnapshotRestores", ()):
                if item.get("State") in _ON and item.get("SnapshotId") in found:
                    found[item["SnapshotId"]].add(item.get("AvailabilityZone", ""))
        return {snapshot_id: frozenset(zones) for snapshot_id, zones in found.items()}

    def switch_on(self, snapshot_ids: Collection[str], zone: str) -> None:
        """Switch it on for the snapshots in an Availability Zone: from then on it costs money by the hour.

        Raises:
            RequestRefused: EC2 refused it for some of them, for example because of a quota.

        AWS: EC2 EnableFastSnapshotRestores.
        """
        self._switch("EnableFastSnapshotRestores", snapshot_ids, zone, "on")

    def switch_off(self, snapshot_ids: Collection[str], zone: str) -> None:
        """Switch it off.

        Raises:
            RequestRefused: EC2 refused it for some of them.

        AWS: EC2 DisableFastSnapshotRestores.
        """
        self._switch("DisableFastSnapshotRestores", snapshot_ids, zone, "off")

    def _switch(self, operation: str, snapshot_ids: Collection[str], zone: str, switch: str) -> None:
        answer = self._call(operation, SourceSnapshotIds=sorted(snapshot_ids), AvailabilityZones=[zone])
        none: tuple[Mapping[str, Any], ...] = ({},)
        refused = [
            (item.get("SnapshotId", ""), one.get("Error", {}))
            for item in answer.get("Unsuccessful", ())
            for one in item.get("FastSnapshotRestoreStateErrors", ()) or none
        ]
        if refused:
            words = [f"{snapshot_id}: {error.get('Message') or error.get('Code')}" for snapshot_id, error in refused]
            what = f"Fast snapshot restore cannot be switched {switch} in {zone}."
            raise RequestRefused(what, why="; ".join(words), code=refused[0][1].get("Code", ""))
