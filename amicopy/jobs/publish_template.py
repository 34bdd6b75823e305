"""Publishing an image's id as the default version of a launch template, where that template exists."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256

from amicopy.aws.launch_templates import LaunchTemplates
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import UsageError
from amicopy.jobs.context import Context
from amicopy.jobs.publish import ParameterState, ParameterWrite, Publication, newer_stays, read_back


def read_template_write(context: Context, publication: Publication, image_id: str) -> ParameterWrite:
    """Return what should be done with one template, given the copy's id (empty: still to be made); reads only."""
    found = context.clients[publication.destination].launch_templates.default_and_latest(publication.path)
    before = found[0].image_id if found else ""
    write = ParameterWrite(publication=publication, image_id=image_id, before=before, state=ParameterState.PUT)
    if found is None:
        return replace(write, state=ParameterState.ABSENT)
    if before and before == image_id:
        return replace(write, state=ParameterState.KEPT)
    try:
        check_image_id(before or publication.source.image_id)
    except ValueError:
        foreign = UsageError(
            f"The launch template {publication.path} in {publication.place} is not changed: it has no AMI id.",
            why=f"Its default version has {before}.",
            next_step="If that is a parameter, publish to the parameter instead (ssm): the template follows it.",
        )
        return replace(write, state=ParameterState.FAILED, error=foreign)
    return newer_stays(context, write)


def put_template(context: Context, publication: Publication, image_id: str) -> None:
    """Make a version with the image the default one, and wait until EC2 shows it.

    Raises:
        OutputFailed: EC2 still shows another one after a minute.
    """
    templates, name = context.clients[publication.destination].launch_templates, publication.path
    # Each attempt looks first: what was created before a lost answer, or by a run that was killed, is used.
    number = context.with_retries(partial(_number, templates, publication, image_id))
    context.with_retries(partial(templates.set_default, name, number))
    read_back(context, publication, image_id, partial(_default_image, templates, name))


def _number(templates: LaunchTemplates, publication: Publication, image_id: str) -> int:
    """Return the number of the version with the image: an earlier run's, or a new one's."""
    found = templates.default_and_latest(publication.path)
    if found is None:
        raise UsageError(f"The launch template {publication.path} in {publication.place} is gone.")
    default, latest = found
    if latest.image_id == image_id and latest.description == publication.description:
        return latest.number
    token = sha256(repr((publication.path, image_id, default.number, latest.number)).encode()).hexdigest()[:40]
    return templates.create_version(
        publication.path,
        image_id,
        like=default,
        description=publication.description,
        client_token=f"amicopy-{token}",
    )


def _default_image(templates: LaunchTemplates, name: str) -> str:
    found = templates.default_and_latest(name)
    return found[0].image_id if found else ""


def refuse_unknown(writes: Sequence[ParameterWrite]) -> tuple[ParameterWrite, ...]:
    """Return the writes; a template that no destination of its entry has is an error: its name may be misspelled."""
    there = {(one.publication.entry_number, one.path) for one in writes if one.state is not ParameterState.ABSENT}

    def checked(write: ParameterWrite) -> ParameterWrite:
        if write.state is not ParameterState.ABSENT or (write.publication.entry_number, write.path) in there:
            return write
        error = UsageError(
            f"There is no launch template {write.path} in {write.place} or any other destination of its entry.",
            why="amicopy publishes to existing templates and doesn't create new ones.",
            next_step="Check its name, or create it.",
        )
        return replace(write, state=ParameterState.FAILED, error=error)

    return tuple(map(checked, writes))
