"""Making ids known: a Systems Manager parameter for each copy, moved forwards only.

Refuses to publish what is not available and as asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from amicopy.aws.ec2 import Ec2
from amicopy.aws.ssm import ParameterStore
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import AmicopyError, UsageError
from amicopy.core.models import SOURCE_TAG, Image
from amicopy.core.templates import fill_template
from amicopy.manifest.model import Publish


class ParameterState(StrEnum):
    """What is to become, or became, of one parameter."""

    PUT = "put"  # in a plan: it will be
    KEPT = "kept"  # it holds the right id
    NEWER = "newer"  # it holds a newer image's id, and stays
    WAITING = "waiting"  # there is no copy yet that may be published
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterWrite:
    """One parameter in one region; ``image_id`` is what it is to hold, empty while that is not known."""

    region: str
    path: str
    image_id: str
    before: str  # what it holds now; empty: it does not exist
    state: ParameterState
    error: AmicopyError | None = None


def parameter_path(publish: Publish, source: Image, region: str, name: str, date: str) -> str:
    """Return the path of a parameter; ``name`` is the copy's."""
    values = {
        "name": name,
        "source_id": source.image_id,
        "source_region": source.region,
        "region": region,
        "date": date,
    }
    return fill_template(publish.path, values)


def read_parameter_write(
    publish: Publish,
    path: str,
    source: Image,
    image_id: str,
    *,
    ec2: Ec2,
    parameters: ParameterStore,
    sources: Callable[[str], Ec2],
) -> ParameterWrite:
    """Return what is to become of one parameter, given the copy's id (empty: to be made); reads only."""
    before = parameters.get(path)
    write = ParameterWrite(region=ec2.region, path=path, image_id=image_id, before=before, state=ParameterState.PUT)
    if before and before == image_id:
        return replace(write, state=ParameterState.KEPT)
    try:
        check_image_id(before or image_id or source.image_id)
    except ValueError as error:
        foreign = UsageError(
            f"The parameter {path} in {ec2.region} holds no AMI id, so it stays as it is.",
            why="Something else may rely on what it holds.",
            next_step="Publish under another path, or delete the parameter if nobody needs it.",
        )
        foreign.__cause__ = error
        return replace(write, before="", state=ParameterState.FAILED, error=foreign)  # what it holds may be a secret
    if before and not publish.allow_older and _born(before, ec2, sources) > source.created_at:
        return replace(write, state=ParameterState.NEWER)
    return write


def _born(image_id: str, ec2: Ec2, sources: Callable[[str], Ec2]) -> str:
    """Return when an image, or what it was copied from, was made; empty where that is not known."""
    image = ec2.describe_images([image_id]).get(image_id)
    if image is None:
        return ""
    region, _, source_id = image.tags.get(SOURCE_TAG, "").partition("/")
    if image.source_image_id:
        region, source_id = image.source_region, image.source_image_id
    if not source_id or image.source_instance_id:
        return image.created_at
    try:
        source = sources(region).describe_images([source_id]).get(source_id)
    except AmicopyError:
        source = None
    return source.created_at if source else image.created_at


def put_parameter(write: ParameterWrite, put: Callable[[], None]) -> ParameterWrite:
    """Write one parameter with ``put``, if it is due; return it with the outcome."""
    if write.state is not ParameterState.PUT:
        return write
    try:
        put()
    except AmicopyError as error:
        return replace(write, state=ParameterState.FAILED, error=error)
    return replace(write, state=ParameterState.DONE)


def withheld(write: ParameterWrite) -> ParameterWrite:
    """Return a posting as one that has to wait for a later run, if it was to be written."""
    return replace(write, state=ParameterState.WAITING) if write.state is ParameterState.PUT else write
