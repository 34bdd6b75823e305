"""What a faithful copy of a source bears, given what was asked: the target of planning, settling and checking.

Refuses to look at the copy; `compare` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from amicopy.core.ec2_rules import (
    MAX_DESCRIPTION,
    MAX_PRINCIPALS,
    MAX_TAGS,
    NAME_LENGTHS,
    description_problem,
    name_problem,
    tags_problem,
)
from amicopy.core.kms_key import key_in_region
from amicopy.core.models import OWN_TAGS, SOURCE_TAG, Image, Principal, user_tags
from amicopy.core.request import CopyRequest, Protection
from amicopy.core.templates import fill_template, matches_template


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredCopy:
    """One copy as it is to be, by device where snapshots are concerned."""

    source: Image
    name: str
    name_template: str = ""  # empty: none was asked for
    description: str = ""
    description_template: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)  # what the templates were filled with
    tags: Mapping[str, str] = field(default_factory=dict)
    snapshot_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    launch_permissions: frozenset[Principal] = frozenset()
    volume_permissions: Mapping[str, frozenset[Principal]] = field(default_factory=dict)
    launch_is_known: bool = True  # False: the source's could not be read, so nothing is too much either
    unknown_devices: frozenset[str] = frozenset()  # the same, for the snapshots of these
    encrypt: bool = False
    key: str = ""  # as it is named in the destination
    key_arn: str = ""  # what KMS says that is; empty where it was not asked
    minutes: int | None = None  # a time-based copy's
    deprecate_at: datetime | None = None
    as_of: datetime | None = None  # what is past is past at this moment
    deprecate_after: timedelta | None = None  # the copy's own creation, which a second run finds as the first did
    protection: str = ""  # as EC2 writes it: enabled-without-cooldown, enabled-with-cooldown
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # what EC2 would refuse; a copy with any is not started

    def is_named(self, name: str) -> bool:
        """Tell whether a copy may be called that: any name where none was asked; a {date} is that of its own day."""
        template = self.name_template
        return not template or name == self.name or matches_template(name, template, self.values)

    def is_described(self, description: str) -> bool:
        """Tell the same of its description."""
        template = self.description_template
        return (
            template is None or description == self.description or matches_template(description, template, self.values)
        )

    @property
    def creation_snapshot_tags(self) -> dict[str, str]:
        """The one set that CopyImage puts on all snapshots: what each is to have, never a tag too many.

        Where snapshots differ in a value the first one's is sent, so that a tag policy finds the key; settling
        then writes each snapshot's own.
        """
        sets = list(self.snapshot_tags.values())
        return {key: value for key, value in sets[0].items() if all(key in tags for tags in sets)} if sets else {}


def desired_copy(source: Image, request: CopyRequest, *, region: str, now: datetime) -> DesiredCopy:
    """Return what a copy of ``source`` in ``region`` is to bear."""
    notes: list[str] = []
    problems: list[str] = []
    values = {
        "name": source.name or source.image_id,
        "source_id": source.image_id,
        "source_region": source.region,
        "region": region,
        "date": now.strftime("%Y-%m-%d"),
    }
    if not source.name and not request.name:
        notes.append(f"{source.image_id} has no name; its copy is named after its id")
    if source.is_foreign and request.carry_tags:
        notes.append(f"{source.image_id} belongs to account {source.owner_id}; EC2 shows nobody else its tags")
    name = fill_template(request.name or "{name}", values)
    if request.description is None:
        origin = f"[Copied {source.image_id} from {source.region}] {source.description or source.name}"
        description = origin.strip()[:MAX_DESCRIPTION]
    else:
        description = fill_template(request.description, values)
    # Of a name that EC2 gave the source the alphabet is left to EC2, but for what no terminal should see.
    if request.name or len(name) not in NAME_LENGTHS or not name.isprintable():
        problems += filter(None, [name_problem(name)])
    problems += filter(None, [description_problem(description)])

    tags = _tags(source.reference, source.tags, request, f"image {source.image_id}", notes, problems)
    snapshot_tags = {
        device: _tags(source.reference, snapshot.tags, request, f"snapshot {snapshot.snapshot_id}", notes, problems)
        for device, snapshot in source.snapshots_by_device.items()
    }
    for device in source.devices:  # snapshots that we may not describe still get what was asked
        if device.snapshot_id and device.device not in snapshot_tags:
            snapshot_tags[device.device] = _tags(source.reference, {}, request, device.snapshot_id, notes, problems)
    key = _key(request, region, problems)
    if (request.encrypt or key) and source.is_instance_store:
        problems.append(f"{source.image_id} is kept in S3 (instance store), and CopyImage cannot encrypt that")
    launch = _launch_permissions(source, request, notes)
    counted = sum(not principal.is_public for principal in launch)
    if counted > MAX_PRINCIPALS:
        problems.append(f"an AMI can be shared with {MAX_PRINCIPALS} at most, and these are {counted}")
    return DesiredCopy(
        source=source,
        name=name,
        name_template=request.name,
        description=description,
        description_template=request.description,
        values=values,
        tags=tags,
        snapshot_tags=snapshot_tags,
        launch_permissions=launch,
        volume_permissions=_volume_permissions(source, request, notes),
        launch_is_known=source.launch_permissions is not None
        or request.share is not None
        or not request.carry_permissions,
        unknown_devices=_unknown_devices(source, request),
        encrypt=request.encrypt or bool(key),
        key=key,
        minutes=request.complete_within_minutes,
        deprecate_at=_deprecation(source, request, now, notes),
        as_of=now,
        deprecate_after=request.deprecate_after,
        protection=_protection(source, request),
        notes=tuple(dict.fromkeys(notes)),
        problems=tuple(dict.fromkeys(problems)),
    )


def _tags(
    reference: str,
    carried: Mapping[str, str],
    request: CopyRequest,
    subject: str,
    notes: list[str],
    problems: list[str],
) -> dict[str, str]:
    """Return the tags of one copied resource: the source's, then the asked ones, then ours where there is room."""
    tags = user_tags(carried) if request.carry_tags else {}
    if request.carry_tags and len(tags) < len(carried):
        notes.append(f"tags of {subject} that begin with aws: are AWS's own and stay behind")
    for key in OWN_TAGS:  # of a source that is a copy itself: they tell how that one came to be
        tags.pop(key, None)
    tags |= {**request.tags, **request.own_tags}
    if problem := tags_problem(tags):
        problems.append(f"{subject}: {problem}")
    if len(tags) < MAX_TAGS:
        tags[SOURCE_TAG] = reference
    else:
        notes.append(
            f"{subject} has {MAX_TAGS} tags, so {SOURCE_TAG} finds no room; the copy is recognised by EC2's lineage"
        )
    return tags


def _launch_permissions(source: Image, request: CopyRequest, notes: list[str]) -> frozenset[Principal]:
    if request.share is not None:
        return request.share
    if not request.carry_permissions:
        return frozenset()
    if source.launch_permissions is None:
        notes.append(f"launch permissions of {source.image_id} cannot be read, so a copy gets none")
        return frozenset()
    return source.launch_permissions


def _volume_permissions(source: Image, request: CopyRequest, notes: list[str]) -> dict[str, frozenset[Principal]]:
    """Return who may use each device's snapshot: as at the source; with ``--share`` no more than the asked ones."""
    if not request.carry_permissions:
        return {}
    desired = {}
    for device, snapshot in source.snapshots_by_device.items():
        if snapshot.volume_permissions is None:
            notes.append(f"permissions of {source.image_id}'s snapshots cannot be read, so those of a copy get none")
            continue
        permitted = snapshot.volume_permissions
        if request.share is not None:
            permitted &= request.share
        if permitted:
            desired[device] = permitted
    return desired


def _unknown_devices(source: Image, request: CopyRequest) -> frozenset[str]:
    if not request.carry_permissions:
        return frozenset()
    return frozenset(
        device for device, snapshot in source.snapshots_by_device.items() if snapshot.volume_permissions is None
    )


def _key(request: CopyRequest, region: str, problems: list[str]) -> str:
    try:
        return key_in_region(request.key_for(region), region)
    except ValueError as error:
        problems.append(f"{error}: --kms-key {region}=KEY")
        return ""


def _protection(source: Image, request: CopyRequest) -> str:
    match request.protect:
        case Protection.ON:
            return "enabled-without-cooldown"
        case Protection.COOLDOWN:
            return "enabled-with-cooldown"
        case Protection.SOURCE if source.protection.startswith("enabled"):
            return source.protection
    return ""


def _deprecation(source: Image, request: CopyRequest, now: datetime, notes: list[str]) -> datetime | None:
    if request.deprecate_after is not None or not request.carry_deprecation:
        return None
    # EnableImageDeprecation refuses a date in the past (EC2 User Guide, "Deprecate an AMI").
    if source.deprecate_at is not None and source.deprecate_at <= now:
        notes.append(
            f"{source.image_id} is deprecated since {source.deprecate_at:%Y-%m-%d}; "
            "EC2 takes no past date, so its copies get none"
        )
        return None
    return source.deprecate_at
