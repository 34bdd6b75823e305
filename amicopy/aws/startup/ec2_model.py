"""Which EC2 operations amicopy calls, and botocore's model of EC2 cut down to them.

Refuses to read or write a file, and to change what stays in the model.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Whoever calls another one adds it here; a test looks for every name that the gateway calls.
OPERATIONS = (
    "CopyImage",
    "CreateTags",
    "DeleteSnapshot",
    "DeleteTags",
    "DeregisterImage",
    "DescribeImageAttribute",
    "DescribeImageReferences",
    "DescribeImages",
    "DescribeRegions",
    "DescribeSnapshotAttribute",
    "DescribeSnapshots",
    "EnableImageDeprecation",
    "EnableImageDeregistrationProtection",
    "GetEbsDefaultKmsKeyId",
    "GetEbsEncryptionByDefault",
    "GetImageBlockPublicAccessState",
    "GetSnapshotBlockPublicAccessState",
    "ModifyImageAttribute",
    "ModifySnapshotAttribute",
)


def cut(model: Mapping[str, Any], operations: Iterable[str] = OPERATIONS) -> dict[str, Any]:
    """Return the model with these operations, every shape that they reach, every exception, and no documentation.

    Raises:
        KeyError, TypeError, AttributeError: the model is not built as expected, or lacks one of the operations.
    """
    kept = {name: _bare(model["operations"][name]) for name in operations}
    shapes: dict[str, Any] = {}
    waiting = [*_references(kept), *(name for name, shape in model["shapes"].items() if shape.get("exception"))]
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = _bare(model["shapes"][name])
            waiting += _references(shapes[name])
    return {**model, "documentation": "", "operations": kept, "shapes": shapes}


def _bare(node: Any) -> Any:
    """Return the node without its documentation, which is text; a member of that name is not."""
    if isinstance(node, Mapping):
        items = ((key, value) for key, value in node.items() if key != "documentation" or not isinstance(value, str))
        return {key: _bare(value) for key, value in items}
    return [_bare(item) for item in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[str]:
    """Yield the name of every shape that the node refers to; a member that is called ``shape`` is no reference."""
    if isinstance(node, Mapping):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        node = node.values()
    elif not isinstance(node, list):
        return
    for item in node:
        yield from _references(item)
