"""A boto3 script for many AMIs that leaves nothing undone: a thread per region, pages, retries in the mode given.

It looks for no copies that are there, and reads nothing back.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

HOME = "us-east-1"
POLL_SECONDS = 15
mode, images, name, *regions = sys.argv[1:]
config = Config(retries={"mode": mode, "max_attempts": 10}, max_pool_connections=32)
session = boto3.Session()
clients = {region: session.client("ec2", region_name=region, config=config) for region in [HOME, *regions]}


def pages(ec2: Any, operation: str, member: str, key: str, ids: list[str]) -> dict[str, Any]:
    """Return what has these ids."""
    found = {}
    for first in range(0, len(ids), 200):
        filters = [{"Name": key, "Values": ids[first : first + 200]}]
        for page in ec2.get_paginator(operation).paginate(Filters=filters, PaginationConfig={"PageSize": 1000}):
            found.update({one["ImageId" if member == "Images" else "SnapshotId"]: one for one in page[member]})
    return found


def read_sources() -> dict[str, Any]:
    """Return the sources with tags and permissions of their snapshots by device, and launch permissions."""
    ec2 = clients[HOME]
    found = pages(ec2, "describe_images", "Images", "image-id", images.split())
    snapshot_ids = [
        one["Ebs"]["SnapshotId"]
        for image in found.values()
        for one in image["BlockDeviceMappings"]
        if "SnapshotId" in one.get("Ebs", {})
    ]
    snapshots = pages(ec2, "describe_snapshots", "Snapshots", "snapshot-id", snapshot_ids)

    def shared(snapshot_id: str) -> Any:
        answer = ec2.describe_snapshot_attribute(SnapshotId=snapshot_id, Attribute="createVolumePermission")
        return answer["CreateVolumePermissions"]

    def launch(image_id: str) -> Any:
        return ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")["LaunchPermissions"]

    with ThreadPoolExecutor(8) as pool:
        permissions = dict(zip(snapshot_ids, pool.map(shared, snapshot_ids), strict=True))
        launches = dict(zip(found, pool.map(launch, found), strict=True))
    for image_id, image in found.items():
        image["launch"] = launches[image_id]
        image["volumes"] = {
            one["DeviceName"]: (snapshots[own].get("Tags", []), permissions[own])
            for one in image["BlockDeviceMappings"]
            if (own := one.get("Ebs", {}).get("SnapshotId"))
        }
    return found


def complete(ec2: Any, source: Any, copy: Any) -> None:
    """Write what CopyImage has not."""
    for one in copy["BlockDeviceMappings"]:
        tags, shared = source["volumes"].get(one["DeviceName"], ([], []))
        if tags:
            ec2.create_tags(Resources=[one["Ebs"]["SnapshotId"]], Tags=tags)
        if shared:
            ec2.modify_snapshot_attribute(SnapshotId=one["Ebs"]["SnapshotId"], CreateVolumePermission={"Add": shared})
    if "DeprecationTime" in source:
        ec2.enable_image_deprecation(ImageId=copy["ImageId"], DeprecateAt=source["DeprecationTime"])
    if source["launch"]:
        ec2.modify_image_attribute(ImageId=copy["ImageId"], LaunchPermission={"Add": source["launch"]})


def copy_to(region: str) -> int:
    """Copy every source to a region, wait, and complete the copies; return how many failed."""
    ec2, pending, failed = clients[region], {}, 0
    for image_id, source in sources.items():
        try:
            answer = ec2.copy_image(
                SourceRegion=HOME, SourceImageId=image_id, Name=f"{name}-{image_id}", CopyImageTags=True
            )
            pending[answer["ImageId"]] = source
        except Exception as error:
            print(region, image_id, error)
            failed += 1
    while pending:
        time.sleep(POLL_SECONDS)
        for copy_id, copy in pages(ec2, "describe_images", "Images", "image-id", list(pending)).items():
            if copy["State"] == "pending":
                continue
            source = pending.pop(copy_id)
            try:
                if copy["State"] == "available":
                    complete(ec2, source, copy)
                    continue
                problem: object = copy["State"]
            except Exception as error:
                problem = error
            print(region, copy_id, problem)
            failed += 1
    return failed


sources = read_sources()
with ThreadPoolExecutor(len(regions)) as threads:
    sys.exit(1 if sum(threads.map(copy_to, regions)) else 0)
