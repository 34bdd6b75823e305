"""What uses images: instances, launch templates, parameters, Image Builder recipes."""

from collections.abc import Iterable, Mapping

from amicopy.aws.ec2 import Ec2
from amicopy.core.errors import AccessDenied, AmicopyError, Interrupted


def users_of(ec2: Ec2, image_ids: Iterable[str]) -> tuple[Mapping[str, Iterable[str]], str]:
    """Return the ARNs of what uses each image of a region, and why that is not known; reads only.

    AWS: EC2 DescribeImageReferences.
    """
    try:
        return ec2.image_references(list(image_ids)), ""
    except Interrupted:
        raise
    except AccessDenied as error:
        return {}, f"{error.action} is not allowed, so it is not known whether it is in use"
    except AmicopyError as error:
        return {}, f"it is not known whether it is in use: {error.what}"
