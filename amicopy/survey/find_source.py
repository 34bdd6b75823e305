"""Finding the AMI that a manifest names: by id, by name (the newest), or by a parameter."""

from dataclasses import dataclass
from datetime import datetime

from amicopy.aws.ec2 import Ec2
from amicopy.aws.ssm import ParameterStore
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import AmicopyError, ImageNotFound, UsageError
from amicopy.core.lineage import source_of
from amicopy.core.models import ImageState
from amicopy.manifest.model import ById, ByName, ByParameter, Sought


@dataclass(frozen=True, slots=True)
class Found:
    """The AMI that is meant, and a newer one that is not waited for."""

    image_id: str
    newer_id: str = ""


def found(sought: Sought, ec2: Ec2, parameters: ParameterStore | None, now: datetime, *, waits: bool) -> Found:
    """Return the AMI that is meant in the client's region; ``parameters`` only where one is asked.

    By name it is the newest: also one that is still pending, if the run ``waits`` for it.

    Raises:
        ImageNotFound: no AMI has such a name, or there is no such parameter.
        UsageError: the parameter does not contain an AMI id.
    """
    match sought:
        case ById(image_id=image_id):
            return Found(image_id)
        case ByName():
            return _newest(sought, ec2, now, waits=waits)
        case ByParameter(path=path):
            assert parameters is not None  # the caller knows what is sought
            return Found(_held(path, parameters))


def _newest(sought: ByName, ec2: Ec2, now: datetime, *, waits: bool) -> Found:
    matching = ec2.find_named_images(
        sought.pattern,
        sought.owner,
        architecture=sought.architecture,
        tags=sought.tags,
        states=(ImageState.AVAILABLE, ImageState.PENDING),
    ).values()
    references = {image.reference for image in matching}
    images = [
        image
        for image in matching
        # A copy beside its source has its name and is newer: taken for the source, it would be copied for ever.
        if source_of(image) not in references and not (image.deprecate_at and image.deprecate_at <= now)
    ]
    images.sort(key=lambda image: (image.created_at, image.image_id), reverse=True)
    usable = [image for image in images if waits or not image.state.in_progress]
    if not usable:
        more = [f"owner {sought.owner}", sought.architecture, *(f"{key}={value}" for key, value in sought.tags.items())]
        raise ImageNotFound(
            f"No available AMI in {ec2.region} is named {sought.pattern!r} ({', '.join(filter(None, more))}).",
            image_ids=(),
            why="Names are matched as a whole: * stands for any letters, ? for one.",
            next_step="Look for it: aws ec2 describe-images --owners self --filters "
            f"'Name=name,Values={sought.pattern}' --region {ec2.region}",
        )
    return Found(usable[0].image_id, newer_id="" if usable[0] is images[0] else images[0].image_id)


def _held(path: str, parameters: ParameterStore) -> str:
    value = parameters.get(path)
    if not value:
        raise ImageNotFound(
            f"There is no parameter {path} in {parameters.region}.",
            image_ids=(),
            next_step=f"Look for it: aws ssm get-parameter --name {path} --region {parameters.region}",
        )
    try:
        check_image_id(value)
    except ValueError as error:
        raise UsageError(
            f"The parameter {path} in {parameters.region} does not contain an AMI id.", why=f"{error}."
        ) from error
    return value


def why_not(error: AmicopyError) -> str:
    """Return an error in one line, for a list of several."""
    return " ".join(part for part in (error.what, error.why) if part)
