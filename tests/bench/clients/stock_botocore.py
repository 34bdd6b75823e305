"""botocore as its documentation says: one session, one client per region, a thread per call."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session

image_id, name, *regions = sys.argv[1:]
session = botocore.session.get_session()
clients = [session.create_client("ec2", region_name=region) for region in regions]


def copy(client: Any) -> None:
    """Ask for one copy."""
    client.copy_image(SourceRegion="us-east-1", SourceImageId=image_id, Name=name)


with ThreadPoolExecutor(len(clients)) as pool:
    list(pool.map(copy, clients))
