"""Copies that were made from other copies: whether the one in between is what our tags say.

Tags can be set by whoever may tag, so the copy in between is looked at: EC2 has to record the first source as its own.
One that is gone, or that cannot be read, proves nothing either way: the copy still counts, so that no second one is
made, but nothing is ever copied from it.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from amicopy.aws.ec2 import Clients
from amicopy.core.errors import AmicopyError
from amicopy.core.lineage import is_recorded, is_relayed, recorded_source
from amicopy.core.models import SOURCE_TAG, VIA_TAG, Image
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.retries import Retry, once


class Relays:
    """Looks at the copies in between, each once; safe to use from several threads. Without any, it calls nothing."""

    def __init__(self, clients: Clients, retry: Retry = once) -> None:
        self._clients = clients
        self._retry = retry
        self._lock = threading.Lock()
        self._sources: dict[str, str] = {}  # by reference: what EC2 records; empty if that is not known

    def checked(self, images: Mapping[str, Image]) -> dict[str, Image]:
        """Return the images; those made from other copies with what EC2 records as the source of the one in between.

        If that proves the tags wrong, without the tag that names the copy in between.
        """
        relayed = [image for image in images.values() if is_relayed(image)]
        if not relayed:
            return dict(images)
        recorded = self._recorded(image.tags[VIA_TAG] for image in relayed)
        return {**images, **{image.image_id: _checked(image, recorded[image.tags[VIA_TAG]]) for image in relayed}}

    def _recorded(self, references: Iterable[str]) -> Mapping[str, str]:
        with self._lock:
            unknown: dict[str, list[str]] = {}
            for reference in dict.fromkeys(references):
                if reference not in self._sources:
                    region, _, image_id = reference.partition("/")
                    unknown.setdefault(region, []).append(image_id)
            for region, image_ids in unknown.items():
                found = self._look(region, image_ids)
                for image_id in image_ids:
                    self._sources[f"{region}/{image_id}"] = _original(found.get(image_id))
            return dict(self._sources)

    def _look(self, region: str, image_ids: list[str]) -> Mapping[str, Image]:
        try:
            ec2 = self._clients[region]
            return self._retry(partial(ec2.describe_own_images, image_ids))
        except (AmicopyError, ValueError):  # not a region, or it cannot be read
            return {}


def being_copied_to(reference: str, clients: Clients, regions: Iterable[str], stop: Stop, retry: Retry) -> list[str]:
    """Return the regions in which copies are being made from a copy of ours; it has to stay until they are available.

    Raises:
        AmicopyError: a region could not be read.
    """

    def look(region: str) -> bool:
        found = retry(partial(clients[region].find_own_images_tagged, VIA_TAG, reference))
        return any(image.state.in_progress for image in found.values())

    looks = all_at_once({region: partial(look, region) for region in regions}, stop)
    return [region for region, is_used in looks.items() if is_used]


def _checked(image: Image, recorded: str) -> Image:
    if recorded in {"", image.tags[SOURCE_TAG]}:
        return replace(image, source_of_hub=recorded)
    return replace(image, tags={key: value for key, value in image.tags.items() if key != VIA_TAG})


def _original(image: Image | None) -> str:
    """Return what EC2 says that an image was copied from, or that it is no copy; empty if that is not known."""
    if image is None or image.is_recorded_by_tag or not is_recorded(image):
        is_no_copy = image is not None and not image.is_recorded_by_tag
        return "nothing" if is_no_copy else ""
    return recorded_source(image)
