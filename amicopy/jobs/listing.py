"""The account's AMIs in a region, for whoever has to name one.

Refuses to look any closer.
"""

from functools import partial

from amicopy.core.models import Image
from amicopy.jobs.context import Means


def own_images(means: Means, region: str | None = None) -> list[Image]:
    """Return the account's available AMIs in a region, by default the configured one; the newest first.

    Raises:
        UsageError: no region is configured.
        AmicopyError: they could not be read.
    """
    gateway = means.gateways[means.home(region)]
    images = means.patiently(partial(gateway.find_named_images, "*", "self")).values()
    return sorted(images, key=lambda image: (image.created_at, image.image_id), reverse=True)
