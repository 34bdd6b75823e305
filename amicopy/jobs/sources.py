"""The sources that a look at copies is about: as they are, or, once gone, as what their copies are known by.

Refuses to fail for a source that is not there any more.
"""

from amicopy.aws.ec2 import Gateway
from amicopy.core.errors import AccessDenied, ImageNotFound
from amicopy.core.models import Image
from amicopy.core.parallel import Stop
from amicopy.survey.destinations import survey_sources


def known_sources(image_ids: tuple[str, ...], gateway: Gateway, stop: Stop) -> tuple[Image, ...]:
    """Return the sources in the order asked; one that is gone has nothing but its id and region."""
    try:
        return survey_sources(image_ids, gateway, stop)
    except AccessDenied:
        return survey_sources(image_ids, gateway, stop, launch=False, volumes=False)
    except ImageNotFound as error:
        found = known_sources(tuple(one for one in image_ids if one not in error.image_ids), gateway, stop)
        there = {source.image_id: source for source in found}
        gone = {image_id: Image(image_id=image_id, region=gateway.region) for image_id in error.image_ids}
        return tuple((there | gone)[image_id] for image_id in image_ids)
