"""Letting other accounts copy an image for a while: record, then give the permissions; take them away, then unrecord.

A run that is killed anywhere leaves a record of every permission that is not the user's, and the next one reads it.
With ``--grants keep`` permission and record stay, so that no later run takes the permission for one to be carried.
With ``--kms-grant``, grants on the KMS keys of the snapshots go the same way, with records and a name of their own.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, KeyNotFound
from amicopy.core.grants import (
    GRANT_TAG,
    KEPT_TAG,
    KEY_GRANT_OPERATIONS,
    KEY_GRANT_TAG,
    Grants,
    OpenGrant,
    grants_in,
    key_grant_name,
    key_grants_in,
    record_value,
)
from amicopy.core.models import Image, Principal, PrincipalKind, Snapshot
from amicopy.core.retries import flapping, not_granted_yet, overloaded, persist
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
    key_records: Mapping[str, str]  # the same, of grants on its KMS key
    key_id: str = ""  # the ARN of the KMS key that encrypts it

    def lacking(self, accounts: Iterable[str]) -> tuple[str, ...]:
        """Return the accounts that may not use it."""
        return () if self.is_public else tuple(one for one in accounts if one not in self.accounts)

    def tags_of(self, accounts: Iterable[str]) -> dict[str, str]:
        """Return the tags that are records of these accounts."""
        return _record_tags(_only(self.records, accounts), _only(self.key_records, accounts))

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

    def __init__(self, clients: Clients, clock: Clock, grants: Grants, *, kms_grant: bool = False) -> None:
        """``kms_grant``: the accounts get grants on the keys, too."""
        self._clients = clients
        self._clock = clock
        self._grants = grants
        self._kms_grant = kms_grant
        self._suffix = secrets.token_hex(3)  # so that no other run's record has the same value
        self._lock = threading.Lock()
        self._users: Counter[tuple[str, str]] = Counter()  # by image and account: the copies that are made of it

    @property
    def keeps(self) -> bool:
        """Whether what it gives stays."""
        return self._grants is Grants.KEEP

    @property
    def gives(self) -> bool:
        """Whether it gives any."""
        return self._grants is not Grants.NONE

    def used(self, image_id: str, accounts: Iterable[str]) -> None:
        """Note that one more copy in each account is to be made of the image, or is being made of it."""
        with self._lock:
            self._users.update((image_id, account) for account in accounts)

    def no_longer_used(self, image_id: str, accounts: Iterable[str]) -> tuple[str, ...]:
        """Note that one of these copies has ended; return the accounts in which it was the last."""
        with self._lock:
            accounts = tuple(accounts)
            self._users.subtract((image_id, account) for account in accounts)
            return tuple(account for account in accounts if self._users[image_id, account] <= 0)

    def give(self, region: str, image_id: str, accounts: Sequence[str]) -> Work[tuple[str, ...]]:
        """Let these accounts copy an image; return those that have been given something for it.

        Raises:
            AmicopyError: EC2 or KMS refuses one of the calls.
        """
        if not self.gives or not accounts:
            return ()
        ec2 = self._clients[region]
        resources = yield from persist(flapping(self._clock), partial(_read, ec2, image_id))
        lacking = {one: found for one in resources if (found := one.lacking(accounts))}
        under_keys = [one for one in resources if one.key_id] if self._kms_grant else []
        # Written anew where one is there already: whoever deletes that one deletes no other value.
        values, of_keys = self._values(lacking), self._values(dict.fromkeys(under_keys, accounts))
        kind = KEPT_TAG if self.keeps else GRANT_TAG
        tags = {
            one: _record_tags(
                _only(values, lacking.get(one, ())), _only(of_keys, accounts) if one in under_keys else {}, kind
            )
            for one in resources
        }
        for together, records in _alike((one, some) for one, some in tags.items() if some):
            yield from paced_write(ec2, self._clock, _tags(WriteOperation.CREATE_TAGS, together, records))
        for key_id in dict.fromkeys(one.key_id for one in under_keys):
            yield from self._grant(region, key_id, image_id, accounts)
        for resource in reversed(lacking):  # the image last: whoever sees it finds its snapshots shared
            yield from paced_write(ec2, self._clock, resource.sharing("Add", lacking[resource]))
        given = [account for found in lacking.values() for account in found]
        return tuple(dict.fromkeys([*given, *(accounts if under_keys else ())]))

    def _grant(self, region: str, key_id: str, image_id: str, accounts: Iterable[str]) -> Work[None]:
        """Let the accounts' roles use a key, and wait until each sees that: EC2 fails copies without a second look."""
        kms = self._clients.kms(Destination(region))
        for account in accounts:
            grantee, name = self._clients.role_arn(account), key_grant_name(image_id, account)
            create = partial(kms.create_grant, key_id, grantee, KEY_GRANT_OPERATIONS, name)
            yield from persist(overloaded(self._clock), create)
        for account in accounts:
            there = self._clients.kms(Destination(region, account))
            try:
                yield from persist(not_granted_yet(self._clock), partial(there.describe_key, key_id))
            except AmicopyError:
                continue  # EC2 will say

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
            AmicopyError: EC2 or KMS refuses one of the calls, so that the record stays.
        """
        accounts, keys = (grant.account,), grant.key_ids
        return (yield from self.take_all(grant.region, grant.image_id, accounts, grant.snapshot_ids, keys))

    def take_all(
        self,
        region: str,
        image_id: str,
        accounts: Sequence[str],
        snapshot_ids: Sequence[str] = (),
        key_ids: Sequence[str] = (),
    ) -> Work[bool]:
        """Do the same for several accounts. ``snapshot_ids`` and ``key_ids``: the image's, should it be gone."""
        ec2 = self._clients[region]
        read = partial(_records, ec2, image_id, snapshot_ids)
        resources = yield from persist(overloaded(self._clock), read)
        recorded = {one: some for one in resources if (some := one.tags_of(accounts))}
        for resource in recorded:
            if shared := _only(resource.records, accounts):
                yield from paced_write(ec2, self._clock, resource.sharing("Remove", shared))
        keys = [*key_ids, *(one.key_id for one in recorded if _only(one.key_records, accounts))]
        for key_id in filter(None, dict.fromkeys(keys)):
            yield from self._revoke(region, key_id, {key_grant_name(image_id, account) for account in accounts})
        for together, records in _alike(recorded.items()):
            delete = _tags(WriteOperation.DELETE_TAGS, together, records)
            yield from paced_write(ec2, self._clock, delete)
        return bool(recorded or key_ids)

    def _revoke(self, region: str, key_id: str, names: Set[str]) -> Work[None]:
        """Revoke the grants with these names on a key."""
        kms = self._clients.kms(Destination(region))
        try:
            grants = yield from persist(overloaded(self._clock), partial(kms.grants, key_id))
        except KeyNotFound:  # and with it every grant on it
            return
        for grant in grants:
            if grant.name in names:
                revoke = partial(kms.revoke_grant, key_id, grant.grant_id)
                yield from persist(overloaded(self._clock), revoke)


def _read(ec2: Ec2, image_id: str) -> list[_Resource]:
    """Return the image and its snapshots, with permissions and records.

    Permissions first: whatever has come to them without being the user's is recorded by then.
    """
    image = ec2.own_image(image_id, why="Somebody deregistered it before other accounts could copy it.")
    shared = {image_id: ec2.launch_permissions(image_id)}
    shared |= {snapshot_id: ec2.volume_permissions(snapshot_id) for snapshot_id in image.snapshot_ids}
    now = _described(ec2, image_id, image.snapshot_ids)
    return [
        _resource(
            one,
            now.get(one),
            frozenset(who.value for who in people if who.kind is PrincipalKind.ACCOUNT),
            is_public=any(who.is_public for who in people),
        )
        for one, people in shared.items()
    ]


def _records(ec2: Ec2, image_id: str, snapshot_ids: Sequence[str]) -> list[_Resource]:
    """Return those of the image and its snapshots that are there, with their records."""
    image = ec2.describe_own_images([image_id]).get(image_id)
    ids = dict.fromkeys([*(image.snapshot_ids if image else ()), *snapshot_ids])
    return [_resource(one, some) for one, some in _described(ec2, image_id, tuple(ids)).items()]


def _described(ec2: Ec2, image_id: str, snapshot_ids: Sequence[str]) -> dict[str, Image | Snapshot]:
    images = ec2.describe_own_images([image_id])
    return {**images, **(ec2.describe_snapshots(snapshot_ids) if snapshot_ids else {})}


def _resource(
    resource_id: str, now: Image | Snapshot | None, accounts: frozenset[str] = frozenset(), *, is_public: bool = False
) -> _Resource:
    tags = now.tags if now is not None else {}
    key_id = now.kms_key_id if isinstance(now, Snapshot) and now.encrypted else ""
    return _Resource(resource_id, accounts, is_public, grants_in(tags), key_grants_in(tags), key_id)


def _alike(
    records: Iterable[tuple[_Resource, Mapping[str, str]]],
) -> Iterable[tuple[list[_Resource], Mapping[str, str]]]:
    """Return the resources that have the same records together: one call is enough for all of them."""
    found: dict[tuple[tuple[str, str], ...], list[_Resource]] = {}
    for resource, some in records:
        found.setdefault(tuple(sorted(some.items())), []).append(resource)
    return [(together, dict(some)) for some, together in found.items()]


def _only(values: Mapping[str, str], accounts: Iterable[str]) -> dict[str, str]:
    """Return the values of these accounts, of those that have one."""
    return {account: values[account] for account in accounts if account in values}


def _record_tags(permissions: Mapping[str, str], keys: Mapping[str, str], kind: str = GRANT_TAG) -> dict[str, str]:
    """Return the tags that record permissions and grants on keys, given their values by account."""
    tags = {f"{kind}{account}": value for account, value in permissions.items()}
    return tags | {f"{KEY_GRANT_TAG}{account}": value for account, value in keys.items()}


def _tags(operation: WriteOperation, resources: Sequence[_Resource], tags: Mapping[str, str]) -> Write:
    """Return the call that writes or deletes records; deleted are only those with the same value."""
    return Write(operation, {"Resources": [one.resource_id for one in resources], "Tags": tag_list(dict(tags))})
