"""The writing calls that a plan will come to, as EC2 can be asked beforehand whether IAM allows them."""

from collections.abc import Mapping

from amicopy.core.models import SOURCE_TAG, Image
from amicopy.core.write import Write, WriteOperation
from amicopy.plan import differences
from amicopy.plan.plan import Action, Row


def iam_checks(row: Row) -> Mapping[WriteOperation, Write]:
    """Return one call per operation that executing ``row`` comes to, in the order of `WriteOperation`.

    The source's ids stand for those of the copy, which does not exist yet: DryRun checks permissions only.
    """
    calls = []
    if row.action.starts_a_copy:
        calls.append(_copy_image(row.source))
    if row.action is Action.UPDATE:
        calls += [write for difference in row.differences for write in difference.writes]
    else:
        calls += differences.iam_checks(row.desired)
    if row.failed:
        calls.append(Write(WriteOperation.DEREGISTER, {"ImageId": row.source.image_id}))
        calls.append(Write(WriteOperation.DELETE_SNAPSHOT, {"SnapshotId": row.source.any_snapshot_id}))
    by_operation = {call.operation: call for call in reversed(calls)}
    return {operation: by_operation[operation] for operation in WriteOperation if operation in by_operation}


def _copy_image(source: Image) -> Write:
    tag = [{"Key": SOURCE_TAG, "Value": source.reference}]
    parameters = {
        "SourceRegion": source.region,
        "SourceImageId": source.image_id,
        "Name": "amicopy",
        "TagSpecifications": [{"ResourceType": kind, "Tags": tag} for kind in ("image", "snapshot")],
    }
    return Write(WriteOperation.COPY, parameters)
