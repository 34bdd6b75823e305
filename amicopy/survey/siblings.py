"""Copies of the same image as the source itself: left by a build that copies from an image which it then removes.

Packer does that for encrypted builds (hashicorp/packer#13347): the AMIs in all regions, the build region's too, are
copies of a temporary one. EC2 records that one as their source.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Clients, Ec2
from amicopy.core.errors import AmicopyError
from amicopy.core.models import SOURCE_TAG, Image
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.retries import Retry


def parentless(sources: Sequence[Image], clients: Clients, stop: Stop, retry: Retry) -> tuple[Image, ...]:
    """Return the sources that EC2 records as copies of an image that no longer exists, each of a different one.

    If the image is still there, its other copies are that image's, not the source's. What cannot be read is taken for
    there.
    """
    copied = [one for one in sources if one.source_image_id and not one.source_instance_id]
    count = Counter((one.source_region, one.source_image_id) for one in copied)
    by_region: dict[str, list[str]] = {}
    for one in copied:
        by_region.setdefault(one.source_region, []).append(one.source_image_id)
    reads = {region: partial(_existing, clients[region], ids, retry) for region, ids in by_region.items()}
    there = all_at_once(reads, stop)
    return tuple(
        one
        for one in copied
        if one.source_image_id not in there[one.source_region] and count[one.source_region, one.source_image_id] == 1
    )


def _existing(ec2: Ec2, image_ids: Sequence[str], retry: Retry) -> set[str]:
    try:
        return set(retry(partial(ec2.describe_images, image_ids)))
    except AmicopyError:
        return set(image_ids)


def find_siblings(sources: Sequence[Image], ec2: Ec2) -> dict[str, Image]:
    """Return this account's images with the same recorded source as one of these, as copies of that one.

    One with our tag for another source is a copy of that.
    """
    found: dict[str, Image] = {}
    for region in dict.fromkeys(source.source_region for source in sources):
        by_parent = {source.source_image_id: source for source in sources if source.source_region == region}
        for image in ec2.find_lineage_copies(region, sorted(by_parent)).values():
            source = by_parent[image.source_image_id]
            is_theirs = image.tags.get(SOURCE_TAG, source.reference) != source.reference
            if image.reference != source.reference and not image.source_instance_id and not is_theirs:
                found[image.image_id] = replace(image, source_region=source.region, source_image_id=source.image_id)
    return found
