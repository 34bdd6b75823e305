"""What uses images: instances, launch templates, parameters, Image Builder recipes."""

from collections.abc import Mapping, Sequence
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.errors import AccessDenied, AmicopyError, Interrupted
from amicopy.core.retries import Retry


def users_of(
    ec2: Ec2, image_ids: Sequence[str], retry: Retry
) -> tuple[Mapping[str, Sequence[str]], AmicopyError | None]:
    """Return the ARNs of what uses each image of a region, and why that is not known; reads only.

    AWS: EC2 DescribeImageReferences.
    """
    try:
        return (retry(partial(ec2.image_references, image_ids)) if image_ids else {}), None
    except Interrupted:
        raise
    except AmicopyError as error:
        return {}, error


def unknown_use(error: AmicopyError) -> str:
    """Return in words that it is not known what uses an image, and why."""
    if isinstance(error, AccessDenied):
        return f"{error.action} is not allowed, so it is not known whether it is in use"
    return f"it is not known whether it is in use: {error.what}"
