"""A boto3 script that leaves nothing undone: what it reads of the sources it writes to every copy, unchecked."""

import sys
from typing import Any

import boto3

images, name, *regions = sys.argv[1:]
home = boto3.client("ec2", region_name="us-east-1")


def read(image_id: str) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Return the source, the tags and permissions of its snapshots by device, and its launch permissions."""
    [source] = home.describe_images(ImageIds=[image_id])["Images"]
    mappings = [one for one in source["BlockDeviceMappings"] if "SnapshotId" in one.get("Ebs", {})]
    described = home.describe_snapshots(SnapshotIds=[one["Ebs"]["SnapshotId"] for one in mappings])["Snapshots"]
    tags = {one["SnapshotId"]: one.get("Tags", []) for one in described}
    volumes = {
        one["DeviceName"]: (
            tags[one["Ebs"]["SnapshotId"]],
            home.describe_snapshot_attribute(SnapshotId=one["Ebs"]["SnapshotId"], Attribute="createVolumePermission"),
        )
        for one in mappings
    }
    launch = home.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")["LaunchPermissions"]
    return source, volumes, launch


sources = {image_id: read(image_id) for image_id in images.split()}
copies = []
for region in regions:
    ec2 = boto3.client("ec2", region_name=region)
    for image_id in sources:
        answer = ec2.copy_image(
            SourceRegion="us-east-1", SourceImageId=image_id, Name=f"{name}-{image_id}", CopyImageTags=True
        )
        copies.append((image_id, region, ec2, answer["ImageId"]))
for image_id, region, ec2, copy_id in copies:
    source, volumes, launch = sources[image_id]
    ec2.get_waiter("image_available").wait(ImageIds=[copy_id])
    [copy] = ec2.describe_images(ImageIds=[copy_id])["Images"]
    for one in copy["BlockDeviceMappings"]:
        if one["DeviceName"] in volumes:
            own_tags, shared = volumes[one["DeviceName"]]
            snapshot_id = one["Ebs"]["SnapshotId"]
            if own_tags:
                ec2.create_tags(Resources=[snapshot_id], Tags=own_tags)
            if shared["CreateVolumePermissions"]:
                ec2.modify_snapshot_attribute(
                    SnapshotId=snapshot_id, CreateVolumePermission={"Add": shared["CreateVolumePermissions"]}
                )
    if "DeprecationTime" in source:
        ec2.enable_image_deprecation(ImageId=copy_id, DeprecateAt=source["DeprecationTime"])
    if launch:
        ec2.modify_image_attribute(ImageId=copy_id, LaunchPermission={"Add": launch})
    print(region, copy_id)
