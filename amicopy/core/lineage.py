"""Which images are copies of a source: by the source that EC2 records, else by our tag; never by name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amicopy.core.models import SOURCE_TAG, VIA_TAG, Image, ImageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """The copies of one source in one region, the newest first in each group."""

    available: tuple[Image, ...] = ()
    in_progress: tuple[Image, ...] = ()
    disabled: tuple[Image, ...] = ()  # a person took it out of use
    failed: tuple[Image, ...] = ()  # it never became an image


NO_COPIES = Copies()

# Not `deregistered`: that one is gone, and EC2 lists it for a while.
FAILED_STATES = {ImageState.FAILED, ImageState.ERROR, ImageState.INVALID}
# AWS Backup, Data Lifecycle Manager, EC2 Image Builder.
_SERVICE_TAGS = ("aws:backup:", "aws:dlm:", "Ec2ImageBuilderArn")


def source_of(image: Image) -> str:
    """Return the source that CopyImage made ``image`` from, as ``REGION/AMI``; empty if it is not a copy.

    CreateImage sets a lineage too, and tags travel by hand: an image made from an instance is not a copy, nor is one of
    itself, and where EC2 names another source than the tag does, EC2 is believed. A copy of a copy of ours is one of
    the first source if our tags say so and EC2 names the copy in between (`survey.relays` looks at that one, too).
    """
    if image.source_instance_id:
        return ""
    lineage = recorded_source(image)
    reference = image.tags.get(SOURCE_TAG, "") if is_relayed(image) or not lineage else lineage
    return reference if reference != image.reference else ""


def recorded_source(image: Image) -> str:
    """Return the image that EC2 says this one was copied from, as ``REGION/AMI``; empty if it records none."""
    return f"{image.source_region}/{image.source_image_id}" if image.source_image_id else ""


def is_relayed(image: Image) -> bool:
    """Return whether our tags say that the image was made from another copy, and EC2 names that one as its source."""
    via = image.tags.get(VIA_TAG, "")
    return bool(via) and via == recorded_source(image) and SOURCE_TAG in image.tags


def is_proven(source: Image, image: Image) -> bool:
    """Return whether EC2 itself leads from ``image`` to ``source``: directly, or by way of one copy in between.

    Whoever may set tags could pass off anything as a copy, so they prove nothing.
    """
    if not _has_ec2s_word(image) or not image.source_image_id:
        return False
    return (image.source_of_hub if is_relayed(image) else recorded_source(image)) == source.reference


def _has_ec2s_word(image: Image) -> bool:
    """Return whether what is recorded of an image's source is EC2's record of a copy: no tag's, and no instance's."""
    return not image.is_recorded_by_tag and not image.source_instance_id


def may_serve(source: Image, image: Image, *, encrypts: bool = False) -> bool:
    """Return whether copies of ``source`` can be made from ``image`` instead: it has the same content.

    EC2's own word on what it was copied from has to be there: whoever may set tags could pass off anything as a copy.
    An unencrypted copy cannot be made from an encrypted one; ``encrypts``: all copies are to be encrypted anyway.
    """
    theirs, ours = ({one.device: bool(one.encrypted) for one in which.devices} for which in (source, image))
    return (
        image.state is ImageState.AVAILABLE
        and recorded_source(image) == source.reference
        and _has_ec2s_word(image)
        and (encrypts or theirs == ours)
    )


def is_copy_of(source: Image, image: Image) -> bool:
    """Return whether CopyImage made ``image`` from ``source``."""
    return source_of(image) == source.reference


def is_ours(source: Image, image: Image) -> bool:
    """Return whether amicopy made ``image`` from ``source``, or has adopted it: it or a snapshot of it has our tag.

    An available image for which EC2 records no source was not made by CopyImage, whatever its tags say: they came along
    with RegisterImage, a restored backup, or a script.
    """
    return is_recorded(image) and is_tagged(source.reference, image) and not is_service_copy(image)


def is_recorded(image: Image) -> bool:
    """Return whether CopyImage made the image, as far as EC2 tells: it records no source before it is available."""
    return bool(image.source_image_id) or image.state is not ImageState.AVAILABLE


def is_tagged(reference: str, image: Image) -> bool:
    """Return whether the image, or a snapshot of it that was described, has our tag with this source."""
    tagged = (image.tags, *(snapshot.tags for snapshot in image.snapshots))
    return any(tags.get(SOURCE_TAG) == reference for tags in tagged)


def is_service_copy(image: Image) -> bool:
    """Return whether a backup, lifecycle or image-building service of AWS manages the image."""
    return any(key.startswith(_SERVICE_TAGS) for key in image.tags)


def copies_by_source(images: Iterable[Image]) -> Mapping[str, Copies]:
    """Return the copies among ``images`` by their source's reference, each image being looked at once."""
    by_source: dict[str, list[Image]] = {}
    for image in images:
        if reference := source_of(image):
            by_source.setdefault(reference, []).append(image)
    return {reference: _by_state(found) for reference, found in by_source.items()}


def copies_of(source: Image, images: Iterable[Image]) -> Copies:
    """Return those of ``images`` that are copies of ``source``; for many sources, `copies_by_source`."""
    return copies_by_source(images).get(source.reference, NO_COPIES)


def _by_state(images: Iterable[Image]) -> Copies:
    found = sorted(images, key=lambda image: (image.created_at, image.image_id), reverse=True)
    return Copies(
        available=tuple(image for image in found if image.state is ImageState.AVAILABLE),
        in_progress=tuple(image for image in found if image.state.in_progress),
        disabled=tuple(image for image in found if image.state is ImageState.DISABLED),
        failed=tuple(image for image in found if image.state in FAILED_STATES),
    )
