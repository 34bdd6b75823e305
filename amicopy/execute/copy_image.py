"""Calling CopyImage so that a second call is harmless: client tokens, and dead images that a token returns."""

import hashlib
from collections.abc import Mapping

from amicopy.aws.ec2 import Ec2
from amicopy.core.errors import AccessDenied, AmicopyError, ImageUnavailable, OperationNotPermitted
from amicopy.core.lineage import copies_of, is_ours
from amicopy.core.models import Image
from amicopy.plan.attributes.base import DesiredCopy
from amicopy.plan.plan import Row
from amicopy.survey.destinations import look_up_in_turn


class DeadImage(Exception):
    """The image that a client token stands for was deregistered."""


class NeverShown(DeadImage):
    """EC2 has returned an id and has not shown the image for minutes: it is dead, or EC2 is very late."""


def client_token(desired: DesiredCopy, region: str, attempt: int) -> str:
    """Return the token that makes asking twice for the same copy harmless: 64 ASCII characters at most.

    It names the copy, not the request, nor the route: where an earlier run asked for the same copy with another name,
    other tags or another key, or from another copy, EC2 answers IdempotentParameterMismatch, and that copy is joined
    instead of a second one made (docs/adr/0004).
    """
    account = [desired.destination.account] if desired.destination.account else []
    text = "\n".join(["amicopy", desired.source.region, desired.source.image_id, *account, region, str(attempt)])
    return f"amicopy-{hashlib.sha256(text.encode()).hexdigest()[:48]}"


def ask_for_copy(row: Row, ec2: Ec2, token: str) -> str:
    """Call CopyImage for ``row``; return the new image's id. With the same token it is the same image.

    The row says what is copied: its source, or a copy of that.

    Tags in which snapshots differ are left for later, unless a policy requires their keys at creation.

    Raises:
        DeadImage: EC2 says that the image of this token is no longer available.
    """
    try:
        return _ask(row, ec2, token, row.desired.creation_snapshot_tags)
    except (AccessDenied, OperationNotPermitted):
        if row.desired.creation_snapshot_tags == row.desired.creation_snapshot_tags_with_every_key:
            raise
        return _ask(row, ec2, token, row.desired.creation_snapshot_tags_with_every_key)


def _ask(row: Row, ec2: Ec2, token: str, snapshot_tags: Mapping[str, str]) -> str:
    try:
        return ec2.copy_image(
            row.origin,
            name=row.desired.name,
            description=row.desired.description,
            image_tags=row.image_tags,
            snapshot_tags=snapshot_tags,
            client_token=token,
            encrypt=row.desired.encrypt,
            key=row.desired.key_arn or row.desired.key,
            minutes=row.desired.minutes,
        )
    except ImageUnavailable as error:
        # The same is said of a source that was deregistered a moment ago: then it names the source.
        if error.says_deregistered and row.origin.image_id not in error.why:
            raise DeadImage(error.why) from error
        raise


def check_alive(ec2: Ec2, image_id: str) -> None:
    """Tell an AMI that was deregistered, and that a token handed back, from one that is only new.

    DescribeImages shows neither; of the dead one DescribeImageAttribute says that it "is no longer available".

    Raises:
        DeadImage: it does. Whatever else EC2 answers proves nothing.
    """
    try:
        ec2.launch_permissions(image_id)
    except ImageUnavailable as error:
        if error.says_deregistered:
            raise DeadImage(error.why) from error
    except AmicopyError:
        return


def earlier_copies(source: Image, ec2: Ec2) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return the id of the copy that another run has started, empty before EC2 shows it; and failed ones.

    These are our failed copies with their snapshots.
    """
    found = look_up_in_turn(source.region, [source.image_id], ec2)
    copies = copies_of(source, found.values())
    living = (*copies.available, *copies.in_progress)
    failed = {image.image_id: image.snapshot_ids for image in copies.failed if is_ours(source, image)}
    return next((image.image_id for image in living if is_ours(source, image)), ""), failed
