"""Which images are copies of a source: by EC2's lineage where it reports one, else by our tag; never by name.

Refuses to search for them: the survey brings all that might be.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from amicopy.models import SOURCE_TAG, Image, ImageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """The copies of one source in one region, the newest first in each group."""

    available: tuple[Image, ...] = ()
    in_progress: tuple[Image, ...] = ()
    disabled: tuple[Image, ...] = ()  # a person took it out of use
    failed: tuple[Image, ...] = ()  # it never became an image


def is_copy_of(source: Image, image: Image) -> bool:
    """Tell whether ``image`` was made from ``source`` by CopyImage.

    CreateImage sets a lineage too, and tags travel by hand: an image made from an instance is no copy, and where
    EC2 names another source than the tag does, EC2 is believed.
    """
    if image.source_instance_id or image.reference == source.reference:
        return False
    if image.source_image_id:
        return (image.source_region, image.source_image_id) == (source.region, source.image_id)
    return is_ours(source, image)


def is_ours(source: Image, image: Image) -> bool:
    """Tell whether amicopy made ``image`` from ``source``: it bears our tag with that value."""
    return image.tags.get(SOURCE_TAG) == source.reference


def copies_of(source: Image, images: Iterable[Image]) -> Copies:
    """Return those of ``images`` that are copies of ``source``, by what became of them."""
    found = sorted(
        (image for image in images if is_copy_of(source, image)),
        key=lambda image: (image.created_at, image.image_id),
        reverse=True,
    )
    return Copies(
        available=tuple(image for image in found if image.state is ImageState.AVAILABLE),
        in_progress=tuple(image for image in found if image.state.in_progress),
        disabled=tuple(image for image in found if image.state is ImageState.DISABLED),
        failed=tuple(image for image in found if image.state.is_dead and image.state is not ImageState.DISABLED),
    )
