"""Tags on images and snapshots: EC2's rules for them, and CreateTags, DeleteTags and DescribeTags.

moto has the tags of all other resources.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.ec2.filters import Column, apply_filters, paginate
from amicopy.sandbox.other_resources import ResourceTag
from amicopy.sandbox.records import Image, Snapshot
from amicopy.sandbox.state import Call

MAX_TAGS = 50


def tags_of(record: Image | Snapshot, account: str) -> dict[str, str]:
    """Return the tags that the account sees. Each account sees only its own, whoever owns the resource."""
    if record.owner == account:
        return record.tags
    return record.tags_by_others.get(account, {})


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as responses contain them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def from_request(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags in a request; refuse invalid ones."""
    tags: dict[str, str] = {}
    for item in items:
        key, value = item.get("Key", ""), item.get("Value") or ""
        if not key:
            raise errors.missing_parameter("Tag.Key")
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


def check_count(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a resource can have; those that begin with ``aws:`` don't count."""
    if sum(1 for key in tags if not key.lower().startswith("aws:")) > MAX_TAGS:
        raise errors.Ec2Error("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")


def from_specifications(call: Call, *kinds: str) -> dict[str, dict[str, str]]:
    """Return the tags in TagSpecifications by resource type. The call can tag resources of the types in ``kinds``."""
    requested: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
    seen: set[str] = set()
    for specification in call.params.get("TagSpecifications") or []:
        kind = specification.get("ResourceType") or ""
        if not kind:
            raise errors.Ec2Error("InvalidParameterValue", "Tag specification resource type must have a value")
        if kind not in requested:
            raise errors.Ec2Error(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."
            )
        if kind in seen:
            raise errors.Ec2Error(
                "InvalidParameterValue",
                f"The same resource type may not be specified more than once in tag specifications: {kind}",
            )
        seen.add(kind)
        requested[kind] = from_request(specification.get("Tags") or [])
        if not requested[kind]:
            raise errors.Ec2Error("InvalidParameterValue", "Tag specification must have at least one tag")
        check_count(requested[kind])
    for kind in kinds:
        missing = sorted(call.settings.required_tag_keys - set(requested[kind]))
        if missing:  # the wording of hashicorp/packer-plugin-amazon#591
            named = ", ".join(f"'{key}'" for key in missing)
            raise errors.Ec2Error("TagPolicyViolation", f"The resource is missing the tag key(s) {named}")
    return requested


def create_tags(call: Call) -> dict[str, Any]:
    """CreateTags: tag all resources or none. An existing key gets the new value."""
    resources = _resources(call)
    given = from_request(call.required("Tags"))
    for record in resources:
        check_count({**tags_of(record, call.account), **given})
    for record in resources:
        if record.owner == call.account:
            record.tags.update(given)
        else:
            record.tags_by_others.setdefault(call.account, {}).update(given)
    return {}


def delete_tags(call: Call) -> dict[str, Any]:
    """DeleteTags: delete tags by key, or by key and value. Without Tags, delete all that don't begin with ``aws:``."""
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
    """DescribeTags: list the caller's tags on images and snapshots, and those of all other resources."""
    records: list[tuple[str, str, Image | Snapshot]] = [
        (image.image_id, "image", image) for image in call.state.images[call.region].values() if call.sees(image)
    ]
    records += [
        (snapshot.snapshot_id, "snapshot", snapshot)
        for snapshot in call.state.snapshots[call.region].values()
        if call.sees_snapshot(snapshot)
    ]
    rows = [
        ResourceTag(resource_id=resource_id, kind=kind, key=key, value=value)
        for resource_id, kind, record in records
        for key, value in tags_of(record, call.account).items()
    ]
    rows += call.state.others.tags(call.account, call.region)
    kept = apply_filters(call.params.get("Filters"), rows, columns=_COLUMNS, tags=lambda row: {row.key: row.value})
    described = [
        {"Key": row.key, "ResourceId": row.resource_id, "ResourceType": row.kind, "Value": row.value} for row in kept
    ]
    return paginate(call, described, key="Tags", min_results=5)


def _resources(call: Call) -> list[Image | Snapshot]:
    resources: list[Image | Snapshot] = []
    if not call.params.get("Resources"):
        raise errors.missing_parameter("resourceIdSet")  # EC2's own name for it: fog/fog#591
    for resource_id in call.params["Resources"]:
        if re.match(r"ami-", resource_id):
            resources.append(call.image(resource_id))
        elif re.match(r"snap-", resource_id):
            resources.append(call.snapshot(resource_id))
        else:
            raise errors.Ec2Error("InvalidID", f"The ID '{resource_id}' is not valid")
    return resources


_COLUMNS: Mapping[str, Column[ResourceTag]] = {
    "key": lambda row: [row.key],
    "resource-id": lambda row: [row.resource_id],
    "resource-type": lambda row: [row.kind],
    "value": lambda row: [row.value],
}
