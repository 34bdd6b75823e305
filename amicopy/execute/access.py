"""Letting other accounts copy an image for a while: record, then give the permissions; take them away, then unrecord.

A run that is killed anywhere leaves a record of every permission that is not the user's, and the next one reads it.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.core.clock import Clock
from amicopy.core.errors import ImageNotFound
from amicopy.core.grants import GRANT_TAG, Grants, OpenGrant, grants_in, record_value
from amicopy.core.models import Image, Principal, PrincipalKind
from amicopy.core.retries import flapping, overloaded, persist
from amicopy.core.steps import Work
from amicopy.core.write import Write, WriteOperation, principal_list, tag_list
from amicopy.execute.paced_write import paced_write


@dataclass(frozen=True, slots=True, eq=False)
class _Resource:
    """An image or a snapshot, whom it is shared with, and the records on it."""

    resource_id: str
    accounts: frozenset[str]
    is_public: bool
    records: Mapping[str, str]  # the value by account

    def lacking(self, accounts: Iterable[str]) -> tuple[str, ...]:
        """Return the accounts that may not use it."""
        return () if self.is_public else tuple(one for one in accounts if one not in self.accounts)

    def records_of(self, accounts: Iterable[str]) -> Mapping[str, str]:
        """Return the records of these accounts."""
        return {account: self.records[account] for account in accounts if account in self.records}

    def sharing(self, change: str, accounts: Iterable[str]) -> Write:
        """Return the call that shares it with accounts, or does so no longer."""
        permission = {change: principal_list(Principal(PrincipalKind.ACCOUNT, one) for one in accounts)}
        if self.resource_id.startswith("ami-"):
            parameters = {"ImageId": self.resource_id, "LaunchPermission": permission}
            return Write(WriteOperation.MODIFY_IMAGE, parameters)
        parameters = {"SnapshotId": self.resource_id, "CreateVolumePermission": permission}
        return Write(WriteOperation.MODIFY_SNAPSHOT, parameters)


class Access:
    """What other accounts are allowed for one run; safe to use from several threads."""

    def __init__(self, clients: Clients, clock: Clock, grants: Grants) -> None:
        self._clients = clients
        self._clock = clock
        self._grants = grants
        self._suffix = secrets.token_hex(3)  # so that no other run's record has the same value
        self._lock = threading.Lock()
        self._users: Counter[tuple[str, str]] = Counter()  # by image and account: the copies that are made of it

    @property
    def gives(self) -> bool:
        """Whether it gives any."""
        return self._grants is not Grants.NONE

    def used(self, image_id: str, accounts: Iterable[str]) -> None:
        """Note that one more copy in each account is to be made of the image."""
        with self._lock:
            self._users.update((image_id, account) for account in accounts)

    def no_longer_used(self, image_id: str, accounts: Iterable[str]) -> tuple[str, ...]:
        """Note that one of these copies has ended; return the accounts in which it was the last."""
        with self._lock:
            accounts = tuple(accounts)
            self._users.subtract((image_id, account) for account in accounts)
            return tuple(account for account in accounts if self._users[image_id, account] <= 0)

    def give(self, region: str, image_id: str, accounts: Sequence[str]) -> Work[tuple[str, ...]]:
        """Let these accounts copy an image; return those that could not before.

        Raises:
            AmicopyError: EC2 refuses one of the calls.
        """
        if not self.gives or not accounts:
            return ()
        ec2 = self._clients[region]
        resources = yield from persist(flapping(self._clock), partial(_read, ec2, image_id))
        lacking = {one: found for one in resources if (found := one.lacking(accounts))}
        if self._grants is Grants.TEMPORARY:
            # Written anew where one is there already: whoever deletes that one deletes no other value.
            values = self._values(lacking)
            for together, records in _alike(
                (one, {account: values[account] for account in found}) for one, found in lacking.items()
            ):
                create = _tags(WriteOperation.CREATE_TAGS, together, records)
                yield from paced_write(ec2, self._clock, create)
        for resource in reversed(lacking):  # the image last: whoever sees it finds its snapshots shared
            yield from paced_write(ec2, self._clock, resource.sharing("Add", lacking[resource]))
        return tuple(dict.fromkeys(account for found in lacking.values() for account in found))

    def _values(self, lacking: Mapping[_Resource, Iterable[str]]) -> dict[str, str]:
        """Return the value of each account's record."""
        given: dict[str, list[str]] = {}
        for resource, accounts in lacking.items():
            for account in accounts:
                given.setdefault(account, []).append(resource.resource_id)
        now = self._clock.now()
        return {account: record_value(now, self._suffix, ids) for account, ids in given.items()}

    def take(self, grant: OpenGrant) -> Work[bool]:
        """Take away what is recorded of one account on an image and its snapshots; return whether there was anything.

        Raises:
            AmicopyError: EC2 refuses one of the calls, so that the record stays.
        """
        return (yield from self.take_all(grant.region, grant.image_id, (grant.account,), grant.snapshot_ids))

    def take_all(
        self, region: str, image_id: str, accounts: Sequence[str], snapshot_ids: Sequence[str] = ()
    ) -> Work[bool]:
        """Do the same for several accounts. ``snapshot_ids``: the image's, should it be gone."""
        ec2 = self._clients[region]
        read = partial(_records, ec2, image_id, snapshot_ids)
        resources = yield from persist(overloaded(self._clock), read)
        recorded = {one: some for one in resources if (some := one.records_of(accounts))}
        for resource, records in recorded.items():
            yield from paced_write(ec2, self._clock, resource.sharing("Remove", records))
        for together, records in _alike(recorded.items()):
            delete = _tags(WriteOperation.DELETE_TAGS, together, records)
            yield from paced_write(ec2, self._clock, delete)
        return bool(recorded)


def _read(ec2: Ec2, image_id: str) -> list[_Resource]:
    """Return the image and its snapshots, with permissions and records.

    Permissions first: whatever has come to them without being the user's is recorded by then.
    """
    image = _own_image(ec2, image_id)
    shared = {image_id: ec2.launch_permissions(image_id)}
    shared |= {snapshot_id: ec2.volume_permissions(snapshot_id) for snapshot_id in image.snapshot_ids}
    tags = _tags_now(ec2, image_id, image.snapshot_ids)
    return [
        _Resource(
            one,
            frozenset(who.value for who in people if who.kind is PrincipalKind.ACCOUNT),
            any(who.is_public for who in people),
            grants_in(tags.get(one, {})),
        )
        for one, people in shared.items()
    ]


def _records(ec2: Ec2, image_id: str, snapshot_ids: Sequence[str]) -> list[_Resource]:
    """Return those of the image and its snapshots that are there, with their records."""
    image = ec2.describe_own_images([image_id]).get(image_id)
    ids = dict.fromkeys([*(image.snapshot_ids if image else ()), *snapshot_ids])
    tags = _tags_now(ec2, image_id, tuple(ids))
    return [_Resource(one, frozenset(), False, grants_in(some)) for one, some in tags.items()]


def _tags_now(ec2: Ec2, image_id: str, snapshot_ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
    images = ec2.describe_own_images([image_id])
    snapshots = ec2.describe_snapshots(snapshot_ids) if snapshot_ids else {}
    return {**{one: image.tags for one, image in images.items()}, **{one: some.tags for one, some in snapshots.items()}}


def _own_image(ec2: Ec2, image_id: str) -> Image:
    image = ec2.describe_own_images([image_id]).get(image_id)
    if image is None:
        raise ImageNotFound(
            f"{image_id} is not in {ec2.region} any more.",
            image_ids=(image_id,),
            why="It was to be copied into other accounts, and somebody has deregistered it meanwhile.",
        )
    return image


def _alike(
    records: Iterable[tuple[_Resource, Mapping[str, str]]],
) -> Iterable[tuple[list[_Resource], Mapping[str, str]]]:
    """Return the resources that have the same records together: one call is enough for all of them."""
    found: dict[tuple[tuple[str, str], ...], list[_Resource]] = {}
    for resource, some in records:
        found.setdefault(tuple(sorted(some.items())), []).append(resource)
    return [(together, dict(some)) for some, together in found.items()]


def _tags(operation: WriteOperation, resources: Sequence[_Resource], records: Mapping[str, str]) -> Write:
    """Return the call that writes or deletes records; deleted are only those with the same value."""
    tags = {f"{GRANT_TAG}{account}": value for account, value in records.items()}
    return Write(operation, {"Resources": [one.resource_id for one in resources], "Tags": tag_list(tags)})
