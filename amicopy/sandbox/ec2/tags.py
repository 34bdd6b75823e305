"""Tags: the rules for writing them, and the three tag operations.

Refuses to know resources that the world does not hold: those are moto's.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.ec2.filters import keep, page
from amicopy.sandbox.records import Image, Snapshot
from amicopy.sandbox.state import Call

LIMIT = 50


def tags_of(record: Image | Snapshot, account: str) -> dict[str, str]:
    """Return the tags that this account sees: each account its own, whoever owns the resource."""
    if record.owner == account:
        return record.tags
    return record.tags_by_others.get(account, {})


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as an answer has them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def checked(given: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags of a request, or refuse them."""
    tags: dict[str, str] = {}
    for item in given:
        key, value = item.get("Key", ""), item.get("Value") or ""
        if not key:
            raise errors.missing("Tag.Key")
        if key.lower().startswith("aws:"):
            raise errors.Ec2Error(
                "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"
            )
        if len(key) > 128:
            raise errors.Ec2Error("InvalidParameterValue", "Tag key exceeds the maximum length of 128 characters")
        if len(value) > 256:
            raise errors.Ec2Error("InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters")
        if key in tags:  # the wording of cloud-custodian/cloud-custodian#3792
            raise errors.Ec2Error("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        tags[key] = value
    return tags


def within_limit(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a resource can have; `aws:` ones do not count."""
    if sum(1 for key in tags if not key.lower().startswith("aws:")) > LIMIT:
        raise errors.Ec2Error("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")


def from_specifications(call: Call, *kinds: str) -> dict[str, dict[str, str]]:
    """Return the tags that a creation asks for, by kind of resource; ``kinds`` are those it can make."""
    asked: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
    seen: set[str] = set()
    for specification in call.params.get("TagSpecifications") or []:
        kind = specification.get("ResourceType") or ""
        if not kind:
            raise errors.Ec2Error("InvalidParameterValue", "Tag specification resource type must have a value")
        if kind not in asked:
            raise errors.Ec2Error(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."
            )
        if kind in seen:
            raise errors.Ec2Error(
                "InvalidParameterValue",
                f"The same resource type may not be specified more than once in tag specifications: {kind}",
            )
        seen.add(kind)
        asked[kind] = checked(specification.get("Tags") or [])
        if not asked[kind]:
            raise errors.Ec2Error("InvalidParameterValue", "Tag specification must have at least one tag")
        within_limit(asked[kind])
    for kind in kinds:
        lacking = sorted(call.settings.required_tag_keys - set(asked[kind]))
        if lacking:  # the wording of hashicorp/packer-plugin-amazon#591
            named = ", ".join(f"'{key}'" for key in lacking)
            raise errors.Ec2Error("TagPolicyViolation", f"The resource is missing the tag key(s) {named}")
    return asked


def create_tags(call: Call) -> dict[str, Any]:
    """CreateTags: all resources or none; a key that is there is overwritten."""
    resources = _resources(call)
    given = checked(call.required("Tags"))
    for record in resources:
        within_limit({**tags_of(record, call.account), **given})
    for record in resources:
        if record.owner == call.account:
            record.tags.update(given)
        else:
            record.tags_by_others.setdefault(call.account, {}).update(given)
    return {}


def delete_tags(call: Call) -> dict[str, Any]:
    """DeleteTags: by key, or by key and value; without any tag given, all but `aws:` ones."""
    for record in _resources(call):
        tags = tags_of(record, call.account)
        given = call.params.get("Tags")
        for item in given if given is not None else tag_set(tags):
            key, value = item.get("Key", ""), item.get("Value")
            if key.lower().startswith("aws:"):
                continue
            if value is None or tags.get(key) == value:
                tags.pop(key, None)
    return {}


def describe_tags(call: Call) -> dict[str, Any]:
    """DescribeTags: the caller's tags on images and snapshots."""
    records: list[tuple[str, str, Image | Snapshot]] = [
        (image.image_id, "image", image) for image in call.state.images[call.region].values() if call.sees(image)
    ]
    records += [
        (snapshot.snapshot_id, "snapshot", snapshot)
        for snapshot in call.state.snapshots[call.region].values()
        if call.sees_snapshot(snapshot)
    ]
    rows = [
        {"Key": key, "ResourceId": resource_id, "ResourceType": kind, "Value": value}
        for resource_id, kind, record in records
        for key, value in tags_of(record, call.account).items()
    ]
    kept = keep(call.params.get("Filters"), rows, columns=_COLUMNS, tags=lambda row: {row["Key"]: row["Value"]})
    return page(call, kept, key="Tags", least=5)


def _resources(call: Call) -> list[Image | Snapshot]:
    found: list[Image | Snapshot] = []
    for resource_id in call.required("Resources"):
        if re.match(r"ami-", resource_id):
            found.append(call.image(resource_id))
        elif re.match(r"snap-", resource_id):
            found.append(call.snapshot(resource_id))
        else:
            raise errors.Ec2Error("InvalidID", f"The ID '{resource_id}' is not valid")
    return found


_COLUMNS = {
    "key": lambda row: [row["Key"]],
    "resource-id": lambda row: [row["ResourceId"]],
    "resource-type": lambda row: [row["ResourceType"]],
    "value": lambda row: [row["Value"]],
}
