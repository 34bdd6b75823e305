"""What people, services of AWS and other accounts do by hand, by the words of its step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amicopy.core.models import SOURCE_TAG
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.faults import ConnectionCut, ProxyPage, TruncatedResponse
from amicopy.sandbox.records import DEFAULT_ACCOUNT, Image
from tests.support.among.steps import HOMES, Deed
from tests.support.torture import ALICE, TortureWorld, copies_of

OTHER_ACCOUNT = "999988887777"  # the owner of `foreign`
BACKUP_TAG = "aws:backup:source-resource"


@dataclass(slots=True)
class People:
    """Everyone but amicopy; remembers what must not be held against amicopy afterwards."""

    world: TortureWorld
    sources: dict[str, Image]
    touched: set[str] = field(default_factory=set)  # copies that are no longer as amicopy left them
    removed: set[str] = field(default_factory=set)  # deregistered by a person: its snapshots may be left
    tagged_as_ours: set[str] = field(default_factory=set)  # a person put our tag on it

    def do(self, deed: Deed) -> None:
        """Do it; what EC2 refuses, or what there is nothing for, does not happen."""
        self.world.actor = "a person"
        try:
            _DEEDS[deed.what](self, deed)
        except (Ec2Error, ConnectionCut, ProxyPage, TruncatedResponse):
            pass
        finally:
            self.world.actor = "nobody"

    def copies(self, deed: Deed) -> list[Image]:
        """Return the account's images that were copied from the source, the oldest first."""
        found = copies_of(self.world, self.sources[deed.source], deed.region)
        return [image for image in found if image.owner == DEFAULT_ACCOUNT]

    def call(self, operation: str, region: str, account: str = DEFAULT_ACCOUNT, **parameters: Any) -> dict[str, Any]:
        """Make a call as a person of the account."""
        return self.world.call(operation, parameters, region=region, account=account)

    def on_copy(self, deed: Deed) -> Image | None:
        """Return the copy that the deed is about, and remember that it was touched."""
        copies = self.copies(deed)
        if not copies:
            return None
        copy = copies[deed.which % len(copies)]
        self.touched.add(copy.image_id)
        return copy


# Copies made by hand


def _copy_by_hand(people: People, deed: Deed) -> None:
    source = people.sources[deed.source]
    people.call("CopyImage", deed.region, Name="by hand", SourceRegion=source.region, SourceImageId=source.image_id)


def _copy_with_tags(people: People, deed: Deed) -> None:
    source = people.sources[deed.source]
    people.call(
        "CopyImage",
        deed.region,
        Name=source.name,
        SourceRegion=source.region,
        SourceImageId=source.image_id,
        CopyImageTags=True,
    )


def _copy_a_copy(people: People, deed: Deed) -> None:
    """Copy one of the copies into the other region, with its tags: ours among them."""
    copies = people.copies(deed)
    if not copies:
        return
    copy = copies[deed.which % len(copies)]
    for region in ("us-west-2", "eu-west-1"):
        if region != deed.region:
            people.call(
                "CopyImage",
                region,
                Name=copy.name,
                SourceRegion=copy.region,
                SourceImageId=copy.image_id,
                CopyImageTags=True,
            )


def _backup(people: People, deed: Deed) -> None:
    source = people.sources[deed.source]
    given = {"Name": "AwsBackup_1", "SourceRegion": source.region, "SourceImageId": source.image_id}
    made = people.call("CopyImage", deed.region, **given, CopyImageTags=True)
    image = people.world.image(deed.region, made["ImageId"])
    image.tags[BACKUP_TAG] = source.image_id
    image.tags[SOURCE_TAG] = f"{source.region}/{source.image_id}"  # carried along, or put there by a policy


def _register_with_our_tag(people: People, deed: Deed) -> None:
    source = people.sources[deed.source]
    snapshots = [one for one in people.world.snapshots(deed.region, DEFAULT_ACCOUNT) if one.state == "completed"]
    if not snapshots:
        return
    snapshot = snapshots[deed.which % len(snapshots)]
    tag = {"Key": SOURCE_TAG, "Value": f"{source.region}/{source.image_id}"}
    people.call(
        "RegisterImage",
        deed.region,
        Name=f"registered {deed.which}",
        RootDeviceName="/dev/sda1",
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot.snapshot_id}}],
        TagSpecifications=[{"ResourceType": "image", "Tags": [tag]}],
    )


# What is done to copies


def _on_copy(operation: str, **parameters: Any) -> Callable[[People, Deed], None]:
    def do(people: People, deed: Deed) -> None:
        if (copy := people.on_copy(deed)) is not None:
            people.call(operation, copy.region, ImageId=copy.image_id, **parameters)

    return do


def _deregister(people: People, deed: Deed, *, with_snapshots: bool = False) -> None:
    if (copy := people.on_copy(deed)) is not None:
        people.removed.add(copy.image_id)
        people.call("DeregisterImage", copy.region, ImageId=copy.image_id, DeleteAssociatedSnapshots=with_snapshots)


def _deregister_with_snapshots(people: People, deed: Deed) -> None:
    _deregister(people, deed, with_snapshots=True)


def _principal(who: str) -> dict[str, str]:
    return {"Group": "all"} if who == "all" else {"UserId": who}


def _permission_of_copy(change: str) -> Callable[[People, Deed], None]:
    def do(people: People, deed: Deed) -> None:
        if (copy := people.on_copy(deed)) is not None:
            permission = {change: [_principal(deed.detail)]}
            people.call("ModifyImageAttribute", copy.region, ImageId=copy.image_id, LaunchPermission=permission)

    return do


def _permission_of_snapshot(change: str) -> Callable[[People, Deed], None]:
    def do(people: People, deed: Deed) -> None:
        copy = people.on_copy(deed)
        if copy is None or not copy.snapshot_ids:
            return
        people.call(
            "ModifySnapshotAttribute",
            copy.region,
            SnapshotId=copy.snapshot_ids[deed.which % len(copy.snapshot_ids)],
            CreateVolumePermission={change: [_principal(deed.detail)]},
        )

    return do


def _tag_copy(people: People, deed: Deed) -> None:
    if (copy := people.on_copy(deed)) is not None:
        people.call("CreateTags", copy.region, Resources=[copy.image_id], Tags=[{"Key": "Hand", "Value": "made"}])


def _untag_copy(people: People, deed: Deed) -> None:
    if (copy := people.on_copy(deed)) is not None:
        people.call("DeleteTags", copy.region, Resources=[copy.image_id], Tags=[{"Key": SOURCE_TAG}])


def _untag_all_of_copy(people: People, deed: Deed) -> None:
    if (copy := people.on_copy(deed)) is not None:
        resources = [copy.image_id, *copy.snapshot_ids]
        people.call("DeleteTags", copy.region, Resources=resources, Tags=[{"Key": SOURCE_TAG}])


def _tag_as_ours(people: People, deed: Deed) -> None:
    if (copy := people.on_copy(deed)) is not None:
        source = people.sources[deed.source]
        tag = {"Key": SOURCE_TAG, "Value": f"{source.region}/{source.image_id}"}
        people.tagged_as_ours.add(copy.image_id)
        people.call("CreateTags", copy.region, Resources=[copy.image_id], Tags=[tag])


def _deprecate(people: People, deed: Deed) -> None:
    if (copy := people.on_copy(deed)) is not None:
        people.call("EnableImageDeprecation", copy.region, ImageId=copy.image_id, DeprecateAt="2026-12-24T00:00:00Z")


def _launch(people: People, deed: Deed) -> None:
    copies = [image for image in people.copies(deed) if image.state == "available" and image.launch_permissions]
    for copy in copies:
        copy.last_launched_at = people.world.clock.now()


def _copy_elsewhere(people: People, deed: Deed) -> None:
    for copy in people.copies(deed):
        if copy.launch_permissions & {ALICE, "all"}:
            given = {"Name": "theirs", "SourceRegion": copy.region, "SourceImageId": copy.image_id}
            people.call("CopyImage", "eu-west-1", ALICE, **given)


# What is done to sources


def _snapshot_of_source(people: People, deed: Deed) -> Any:
    source = people.sources[deed.source]
    return people.world.state.snapshots[source.region].get(source.snapshot_ids[deed.which % len(source.snapshot_ids)])


def _share_source(people: People, deed: Deed) -> None:
    people.sources[deed.source].launch_permissions.add(deed.detail)


def _unshare_source(people: People, deed: Deed) -> None:
    """Make it private, but for its users in this account."""
    source = people.sources[deed.source]
    source.launch_permissions &= {DEFAULT_ACCOUNT} if deed.which else source.launch_permissions - {deed.detail}


def _share_snapshot_of_source(people: People, deed: Deed) -> None:
    if snapshot := _snapshot_of_source(people, deed):
        snapshot.shared_with.add(deed.detail)


def _unshare_snapshot_of_source(people: People, deed: Deed) -> None:
    if snapshot := _snapshot_of_source(people, deed):
        snapshot.shared_with &= {DEFAULT_ACCOUNT}


def _tag_source(people: People, deed: Deed) -> None:
    people.sources[deed.source].tags["Changing"] = f"to {deed.which}"


def _untag_source(people: People, deed: Deed) -> None:
    people.sources[deed.source].tags.pop("Team", None)


def _tag_snapshot_of_source(people: People, deed: Deed) -> None:
    if snapshot := _snapshot_of_source(people, deed):
        snapshot.tags["Changing"] = f"to {deed.which}"


def _on_source(operation: str) -> Callable[[People, Deed], None]:
    def do(people: People, deed: Deed) -> None:
        source = people.sources[deed.source]
        people.touched.add(source.image_id)
        people.removed |= {source.image_id} if operation == "DeregisterImage" else set()
        people.call(operation, HOMES[deed.source], source.owner, ImageId=source.image_id)

    return do


def _take_back(people: People, _deed: Deed) -> None:
    source = people.sources["foreign"]
    source.launch_permissions.discard(DEFAULT_ACCOUNT)
    for snapshot_id in source.snapshot_ids:
        people.world.snapshot(source.region, snapshot_id).shared_with.discard(DEFAULT_ACCOUNT)


def _share_again(people: People, _deed: Deed) -> None:
    source = people.sources["foreign"]
    source.launch_permissions.add(DEFAULT_ACCOUNT)
    for snapshot_id in source.snapshot_ids:
        people.world.snapshot(source.region, snapshot_id).shared_with.add(DEFAULT_ACCOUNT)


_DEEDS: dict[str, Callable[[People, Deed], None]] = {
    "a person copies by hand": _copy_by_hand,
    "a person copies by hand with the tags": _copy_with_tags,
    "a person copies a copy by hand with its tags": _copy_a_copy,
    "a person deregisters a copy": _deregister,
    "a person deregisters a copy with its snapshots": _deregister_with_snapshots,
    "a person disables a copy": _on_copy("DisableImage"),
    "a person enables a copy": _on_copy("EnableImage"),
    "a person shares a copy": _permission_of_copy("Add"),
    "a person unshares a copy": _permission_of_copy("Remove"),
    "a person shares a snapshot of a copy": _permission_of_snapshot("Add"),
    "a person unshares a snapshot of a copy": _permission_of_snapshot("Remove"),
    "a person tags a copy": _tag_copy,
    "a person removes our tag from a copy": _untag_copy,
    "a person removes our tag from a copy and its snapshots": _untag_all_of_copy,
    "a person puts our tag on a copy": _tag_as_ours,
    "a person protects a copy": _on_copy("EnableImageDeregistrationProtection", WithCooldown=False),
    "a person ends the protection of a copy": _on_copy("DisableImageDeregistrationProtection"),
    "a person deprecates a copy": _deprecate,
    "a person registers an image with our tag": _register_with_our_tag,
    "a backup service copies": _backup,
    "another account launches from a copy": _launch,
    "another account copies a copy": _copy_elsewhere,
    "the source is shared": _share_source,
    "the source is unshared": _unshare_source,
    "a snapshot of the source is shared": _share_snapshot_of_source,
    "a snapshot of the source is unshared": _unshare_snapshot_of_source,
    "the source is tagged": _tag_source,
    "the source loses a tag": _untag_source,
    "a snapshot of the source is tagged": _tag_snapshot_of_source,
    "the source is deregistered": _on_source("DeregisterImage"),
    "the source is disabled": _on_source("DisableImage"),
    "the source is enabled": _on_source("EnableImage"),
    "the other account takes its source back": _take_back,
    "the other account shares its source again": _share_again,
}
