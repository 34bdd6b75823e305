"""The permissions of the sources as they are now, read again right before a copy is shared.

A copy can take hours. Whoever loses access to the source meanwhile must not get access to the copy.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import AccessDenied, ImageNotFound, ImageUnavailable, NotOwner, SnapshotNotFound
from amicopy.core.models import Principal
from amicopy.core.rate_limit import RATES
from amicopy.plan.attributes.base import DesiredCopy

_FRESH_FOR = timedelta(seconds=30)  # copies of one source that end together are shared by one reading
# Of many sources a reading serves longer: as long as EC2's rate takes to read them all, twice.
_PER_RESOURCE = timedelta(seconds=2 / RATES["DescribeSnapshotAttribute"].per_second)

Principals = frozenset[Principal]


class SourcePermissions:
    """Reads the sources' permissions for all lanes; safe to use from several threads."""

    def __init__(self, sources: Mapping[str, Ec2], clock: Clock, resources: int) -> None:
        """``sources`` has EC2 in each region with a source; ``resources`` is the number of images or snapshots."""
        self._sources = sources
        self._clock = clock
        self._fresh_for = max(_FRESH_FOR, resources * _PER_RESOURCE)
        self._locks: dict[str, threading.Lock] = {}
        self._read: dict[str, tuple[datetime, Principals]] = {}

    def narrowed(self, desired: DesiredCopy) -> DesiredCopy:
        """Return what is desired, without the principals that the source is no longer shared with.

        A source that no longer exists is shared with no one. Principals that the request names stay.

        Raises:
            Throttled, Unreachable: the source's region does not answer.
        """
        source, ec2 = desired.source, self._sources[desired.source.region]
        launch = desired.launch_permissions
        if desired.launch_from_source and launch:
            launch &= self._now(source.image_id, partial(ec2.launch_permissions, source.image_id), launch)
        if not desired.volumes_from_source:
            return replace(desired, launch_permissions=launch)
        snapshot_ids = source.snapshot_ids_by_device
        volumes = {
            device: who & self._now(snapshot_ids[device], partial(ec2.volume_permissions, snapshot_ids[device]), who)
            for device, who in desired.volume_permissions.items()
        }
        return replace(desired, launch_permissions=launch, volume_permissions={k: v for k, v in volumes.items() if v})

    def _now(self, resource_id: str, read: Callable[[], Principals], planned: Principals) -> Principals:
        """Return the permissions of one image or snapshot; ``planned`` if they can no longer be read."""
        # One lane reads; only those that need the same wait for it.
        with self._locks.setdefault(resource_id, threading.Lock()):
            known = self._read.get(resource_id)
            if known is not None and self._clock.now() - known[0] < self._fresh_for:
                return known[1]
            try:
                found = read()
            except (ImageNotFound, ImageUnavailable, SnapshotNotFound):
                found = frozenset()
            except (AccessDenied, NotOwner):
                return planned
            self._read[resource_id] = (self._clock.now(), found)
            return found
