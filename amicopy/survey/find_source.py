"""Finding the AMI that a manifest names: by id, by name (the newest), or by a parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from amicopy.aws.ec2 import Ec2
from amicopy.aws.ssm import ParameterStore
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import AmicopyError, ImageNotFound, UsageError
from amicopy.core.lineage import source_of
from amicopy.core.models import Image, ImageState
from amicopy.manifest.model import ById, ByName, ByParameter, Sought

_USABLE = (ImageState.AVAILABLE, ImageState.PENDING)


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


def older_releases(sought: ByName, ec2: Ec2, now: datetime, before: datetime) -> tuple[str, ...]:
    """Return the images that have such a name and were created before the newest one, and ``before`` a moment.

    Also those that were retired already: a run that was interrupted may not have reached all their copies.

    Raises:
        ImageNotFound: none has such a name.
    """
    newest_id = _newest(sought, ec2, now, waits=False).image_id
    images = _matching(sought, ec2, (*_USABLE, ImageState.DISABLED))
    newest = next(image for image in images if image.image_id == newest_id)
    return tuple(
        image.image_id
        for image in images
        if image.created_at < newest.created_at
        and datetime.fromisoformat(image.created_at) < before
        and (image.state is not ImageState.DISABLED or image.is_retired)
    )


def _matching(sought: ByName, ec2: Ec2, states: Sequence[ImageState]) -> list[Image]:
    """Return the images that have such a name, the newest first."""
    matching = ec2.find_named_images(
        sought.pattern, sought.owner, architecture=sought.architecture, tags=sought.tags, states=states
    ).values()
    references = {image.reference for image in matching}
    # A copy beside its source has its name and is newer: taken for the source, it would be copied for ever.
    sources = [image for image in matching if source_of(image) not in references]
    return sorted(sources, key=lambda image: (image.created_at, image.image_id), reverse=True)


def _newest(sought: ByName, ec2: Ec2, now: datetime, *, waits: bool) -> Found:
    matching = _matching(sought, ec2, _USABLE)
    images = [image for image in matching if not (image.deprecate_at and image.deprecate_at <= now)]
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
