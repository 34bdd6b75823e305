"""Making ids known: a Systems Manager parameter for each copy, moved forwards only.

Refuses to publish what is not available and as asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from amicopy.aws.ec2 import Gateway
from amicopy.aws.ssm import Parameters
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import AmicopyError, UsageError
from amicopy.core.models import SOURCE_TAG, Image
from amicopy.core.templates import fill_template
from amicopy.manifest.model import Publish


class Posted(StrEnum):
    """What is to become, or became, of one parameter."""

    PUT = "put"  # in a plan: it will be
    KEPT = "kept"  # it holds the right id
    NEWER = "newer"  # it holds a newer image's id, and stays
    WAITING = "waiting"  # there is no copy yet that may be published
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One parameter in one region; ``image_id`` is what it is to hold, empty while that is not known."""

    region: str
    path: str
    image_id: str
    before: str  # what it holds now; empty: it does not exist
    state: Posted
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


def read_posting(
    publish: Publish,
    path: str,
    source: Image,
    image_id: str,
    *,
    gateway: Gateway,
    parameters: Parameters,
    sources: Callable[[str], Gateway],
) -> Posting:
    """Return what is to become of one parameter, given the copy's id (empty: to be made); reads only."""
    before = parameters.get(path)
    posting = Posting(region=gateway.region, path=path, image_id=image_id, before=before, state=Posted.PUT)
    if before and before == image_id:
        return replace(posting, state=Posted.KEPT)
    try:
        check_image_id(before or image_id or source.image_id)
    except ValueError as error:
        foreign = UsageError(
            f"The parameter {path} in {gateway.region} holds no AMI id, so it stays as it is.",
            why="Something else may rely on what it holds.",
            next_step="Publish under another path, or delete the parameter if nobody needs it.",
        )
        foreign.__cause__ = error
        return replace(posting, before="", state=Posted.FAILED, error=foreign)  # what it holds may be a secret
    if before and not publish.allow_older and _born(before, gateway, sources) > source.created_at:
        return replace(posting, state=Posted.NEWER)
    return posting


def _born(image_id: str, gateway: Gateway, sources: Callable[[str], Gateway]) -> str:
    """Return when an image, or what it was copied from, was made; empty where that is not known."""
    image = gateway.describe_images([image_id]).get(image_id)
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


def post(posting: Posting, write: Callable[[], None]) -> Posting:
    """Let ``write`` write one parameter, if it is to be; return it with what became of it."""
    if posting.state is not Posted.PUT:
        return posting
    try:
        write()
    except AmicopyError as error:
        return replace(posting, state=Posted.FAILED, error=error)
    return replace(posting, state=Posted.DONE)


def withheld(posting: Posting) -> Posting:
    """Return a posting as one that has to wait for a later run, if it was to be written."""
    return replace(posting, state=Posted.WAITING) if posting.state is Posted.PUT else posting
