"""The writing calls that a plan will come to, as EC2 can be asked beforehand whether IAM allows them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from amicopy.core.grants import GRANT_TAG
from amicopy.core.models import SOURCE_TAG, Image
from amicopy.core.write import Write, WriteOperation
from amicopy.plan import differences
from amicopy.plan.attributes.sharing import NOBODY
from amicopy.plan.plan import Action, Row


@dataclass(frozen=True, slots=True)
class IamCheck:
    """One call to ask EC2 about.

    A policy can allow a call only on what has our tag. What stands in for a copy that does not exist yet may lack that
    tag: then EC2's denial says nothing about the copy.
    """

    write: Write
    is_certain: bool  # the resource has our tag, as the copy will, or neither ever has it

    def on(self, resource_id: str) -> "IamCheck":
        """Return the same call on another image or snapshot, which has our tag."""
        return IamCheck(self.write.on(resource_id), is_certain=True)

    @property
    def is_on_image(self) -> bool:
        """Whether the call is about an image rather than a snapshot."""
        return self.write.resource_id.startswith("ami-")


def iam_checks(row: Row) -> Mapping[WriteOperation, IamCheck]:
    """Return one call per operation that executing ``row`` comes to, in the order of `WriteOperation`.

    A copy that exists is named by its own id. For one that does not exist yet, a failed or pending copy of the same
    source stands in, and otherwise the source: DryRun checks permissions only.
    """
    calls = list(_checks(row))
    by_operation = {call.write.operation: call for call in reversed(calls)}
    return {operation: by_operation[operation] for operation in WriteOperation if operation in by_operation}


def grant_checks(origin: Image) -> tuple[Write, ...]:
    """Return the calls that let other accounts copy an image for a while, and end that."""
    record = [{"Key": f"{GRANT_TAG}000000000000", "Value": "-"}]
    permission = {"Add": NOBODY}
    snapshots = (
        Write(WriteOperation.MODIFY_SNAPSHOT, {"SnapshotId": one, "CreateVolumePermission": permission})
        for one in origin.snapshot_ids[:1]
    )
    return (
        Write(WriteOperation.CREATE_TAGS, {"Resources": [origin.image_id], "Tags": record}),
        *snapshots,
        Write(WriteOperation.MODIFY_IMAGE, {"ImageId": origin.image_id, "LaunchPermission": permission}),
        Write(WriteOperation.DELETE_TAGS, {"Resources": [origin.image_id], "Tags": record}),
    )


def _checks(row: Row) -> Iterator[IamCheck]:
    if row.action.starts_a_copy:
        yield IamCheck(_copy_image(row.source), is_certain=True)
    if row.action is Action.UPDATE and row.copy is not None:
        writes = [write for difference in row.differences for write in difference.writes]
        yield from (IamCheck(write, is_certain=_is_as_it_will_be(write, writes, row.copy)) for write in writes)
    else:
        yield from (_on_stand_in(write, row) for write in differences.iam_checks(row.desired))
    if row.failed:
        failed = row.failed[0]
        yield IamCheck(Write(WriteOperation.DEREGISTER, {"ImageId": failed.image_id}), is_certain=True)
        # A snapshot of the source stands in for those that EC2 does not list for the failed copy.
        snapshot_id = failed.any_snapshot_id if failed.snapshot_ids else row.source.any_snapshot_id
        delete = Write(WriteOperation.DELETE_SNAPSHOT, {"SnapshotId": snapshot_id})
        yield IamCheck(delete, is_certain=bool(failed.snapshot_ids))


def _is_as_it_will_be(write: Write, writes: list[Write], copy: Image) -> bool:
    """Return whether the resource has our tag now if it has it when the call is made."""
    resource_id = write.resource_id
    if SOURCE_TAG in _tags(copy).get(resource_id, {}) or write.operation is WriteOperation.CREATE_TAGS:
        return True
    return not any(resource_id in other.parameters.get("Resources", ()) and _adds_tag(other) for other in writes)


def _on_stand_in(write: Write, row: Row) -> IamCheck:
    check = IamCheck(write, is_certain=False)
    if check.is_on_image:
        tags = [row.desired.tags]
        known = {image.image_id: image.tags for image in _attempts(row)}
    else:
        tags = list(row.desired.snapshot_tags.values())
        known = {snapshot_id: some for image in _attempts(row) for snapshot_id, some in _snapshot_tags(image).items()}
    stand_in = next((resource_id for resource_id, some in known.items() if SOURCE_TAG in some), "")
    if stand_in:
        return check.on(stand_in)
    return replace(check, is_certain=not any(SOURCE_TAG in some for some in tags))


def _attempts(row: Row) -> list[Image]:
    return [*([row.copy] if row.copy is not None else []), *row.failed]


def _tags(image: Image) -> Mapping[str, Mapping[str, str]]:
    return {image.image_id: image.tags, **_snapshot_tags(image)}


def _snapshot_tags(image: Image) -> Mapping[str, Mapping[str, str]]:
    return {snapshot.snapshot_id: snapshot.tags for snapshot in image.snapshots}


def _adds_tag(write: Write) -> bool:
    return any(tag["Key"] == SOURCE_TAG for tag in write.parameters.get("Tags", ()))


def _copy_image(source: Image) -> Write:
    tag = [{"Key": SOURCE_TAG, "Value": source.reference}]
    parameters = {
        "SourceRegion": source.region,
        "SourceImageId": source.image_id,
        "Name": "amicopy",
        "TagSpecifications": [{"ResourceType": kind, "Tags": tag} for kind in ("image", "snapshot")],
    }
    return Write(WriteOperation.COPY, parameters)
