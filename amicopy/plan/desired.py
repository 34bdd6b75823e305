"""What a faithful copy should look like, given its source and the request."""

from datetime import datetime

from amicopy.core.destination import Destination
from amicopy.core.ec2_rules import as_description
from amicopy.core.kms_key import key_in_region
from amicopy.core.models import Image
from amicopy.core.request import CopyRequest
from amicopy.plan.attributes import (
    deprecation,
    description,
    launch_permissions,
    protection,
    snapshot_permissions,
    structure,
    tags,
)
from amicopy.plan.attributes.base import DesiredCopy, Draft


def desired_copy(source: Image, request: CopyRequest, *, destination: Destination, now: datetime) -> DesiredCopy:
    """Return what a copy of ``source`` in ``destination`` should look like; ``problems`` has what EC2 would refuse."""
    draft = Draft(source=source, request=request, destination=destination, now=now)
    values = {
        "name": source.name or source.image_id,
        "source_id": source.image_id,
        "source_region": source.region,
        "region": destination.region,
        "date": now.strftime("%Y-%m-%d"),
        "description": as_description(source.description),
    }
    if source.is_foreign and request.carry_tags:
        draft.notes.append(f"{source.image_id} belongs to account {source.owner_id}, and EC2 shows its tags only there")
    key = _key(draft)
    if (request.encrypt or key) and source.is_instance_store:
        draft.problems.append(f"{source.image_id} is stored in S3 (instance store), and CopyImage cannot encrypt that")
    return DesiredCopy(
        source=source,
        destination=destination,
        name=structure.name(draft, values),
        description=description.description(draft, values),
        name_template=request.name,
        description_template=request.description,
        values=values,
        tags=tags.image_tags(draft),
        snapshot_tags=tags.snapshot_tags(draft),
        launch_permissions=launch_permissions.launch_permissions(draft),
        volume_permissions=snapshot_permissions.snapshot_permissions(draft),
        launch_from_source=request.share is None and request.carry_permissions,
        volumes_from_source=request.share_snapshots is None,
        launch_is_known=launch_permissions.are_known(draft),
        unknown_devices=snapshot_permissions.unknown_devices(draft),
        encrypt=request.encrypt or bool(key),
        key=key,
        minutes=request.complete_within_minutes,
        serves_accounts=bool(request.accounts) and not destination.account,
        deprecate_at=deprecation.deprecate_at(draft),
        as_of=now,
        deprecate_after=request.deprecate_after,
        protection=protection.protection(draft),
        notes=tuple(dict.fromkeys(draft.notes)),
        problems=tuple(dict.fromkeys(draft.problems)),
    )


def _key(draft: Draft) -> str:
    try:
        return key_in_region(draft.request.key_for(draft.destination), draft.region)
    except ValueError as error:
        draft.problems.append(f"{error}: --kms-key {draft.destination}=KEY")
        return ""
