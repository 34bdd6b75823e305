"""Publishing image ids: a Systems Manager parameter for each copy, which never moves back to an older image.

Launch templates are published to in the same way; what is special about them is in `jobs.publish_template`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.destination import Destination, Key
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import AccessDenied, AmicopyError, Interrupted, OutputFailed, Unreachable, UsageError
from amicopy.core.lineage import source_of
from amicopy.core.models import Image
from amicopy.core.parallel import Stop, all_at_once, most_at_once
from amicopy.core.templates import fill_template
from amicopy.execute.report import Outcome
from amicopy.jobs.context import Context
from amicopy.jobs.entries import KnownEntry, invalid
from amicopy.manifest.model import LaunchTemplate, Parameter, Publish
from amicopy.plan.plan import Action

_ACCEPTED_WITHIN = timedelta(minutes=1)
_READ_BACK_SECONDS = 2.0


class ParameterState(StrEnum):
    """What will be done with one parameter, or what was done."""

    PUT = "put"  # in a plan: it will be written
    KEPT = "kept"  # it has the right id
    NEWER = "newer"  # it has the id of a newer image, and stays
    ABSENT = "absent"  # the launch template does not exist there, and is not created
    WAITING = "waiting"  # there is no copy yet that can be published
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One parameter or launch template that an entry publishes to."""

    entry_number: int
    where: str  # of the entry, in the manifest
    publish: Publish
    target: Parameter | LaunchTemplate
    source: Image
    destination: Destination
    path: str  # the parameter's, or the launch template's name
    description: str
    image_id: str  # of a copy that exists; empty if it is still to be made

    @property
    def place(self) -> str:
        """Where it is, as people read it."""
        return str(self.destination)

    @property
    def is_template(self) -> bool:
        """Whether it is a launch template."""
        return isinstance(self.target, LaunchTemplate)

    @property
    def label(self) -> str:
        """What it is called where there are both."""
        return f"launch template {self.path}" if self.is_template else self.path

    @property
    def key(self) -> tuple[int, Destination, str]:
        """The entry, the destination and the label."""
        return self.entry_number, self.destination, self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterWrite:
    """One parameter in one destination, and what is done with it."""

    publication: Publication
    image_id: str  # what it should have; empty while that is not known
    before: str  # what it has now; empty: it does not exist
    state: ParameterState
    error: AmicopyError | None = None

    @property
    def destination(self) -> Destination:
        """Where the parameter is."""
        return self.publication.destination

    @property
    def region(self) -> str:
        """Its region."""
        return self.publication.destination.region

    @property
    def place(self) -> str:
        """Where it is, as people read it."""
        return self.publication.place

    @property
    def path(self) -> str:
        """The parameter's name, or the launch template's."""
        return self.publication.path

    @property
    def label(self) -> str:
        """What it is called where there are both."""
        return self.publication.label


def publications(entries: Sequence[KnownEntry], date: str) -> tuple[Publication, ...]:
    """Return every parameter that the entries publish to; ``date`` fills ``{date}``.

    Raises:
        ManifestInvalid: two entries publish to the same parameter, or one entry does so twice.
    """
    taken: dict[tuple[Destination, str], Publication] = {}
    wrong: list[str] = []
    found = tuple(one for known in entries for one in _publications(known, date))
    for one in found:
        first = taken.setdefault((one.destination, one.label), one)
        if first.where != one.where:
            wrong.append(f"{one.where}: {first.where} also publishes to {one.label} in {one.place}")
        elif first is not one:
            wrong.append(f"{one.where}: publishes to {one.label} in {one.place} twice")
    if wrong:
        raise invalid(wrong)
    return found


def _publications(known: KnownEntry, date: str) -> Iterator[Publication]:
    publish = known.entry.publish
    if publish is None:
        return

    def made(source: Image, destination: Destination, image_id: str, name: str) -> Iterator[Publication]:
        values = _values(source, destination.region, name, date)
        for target in publish.targets:
            if target.is_for(destination):
                yield Publication(
                    entry_number=known.number,
                    where=known.entry.where,
                    publish=publish,
                    target=target,
                    source=source,
                    destination=destination,
                    path=fill_template(target.path, values),
                    description=fill_template(target.description, values),
                    image_id=image_id,
                )

    rows = [row for row in known.rows if row.action is not Action.REFUSE]
    replaces_source = any(row.region == known.source_region for row in known.own_rows)
    if publish.include_source and rows and not replaces_source:
        source = rows[0].source
        yield from made(source, Destination(source.region), source.image_id, source.name)
    for row in rows:
        yield from made(row.source, row.destination, row.copy.image_id if row.copy else "", row.name)


def _values(source: Image, region: str, name: str, date: str) -> dict[str, str]:
    """Return what templates are filled with; ``name`` is the copy's."""
    return {
        "name": name,
        "source_id": source.image_id,
        "source_region": source.region,
        "region": region,
        "date": date,
    }


def read_parameters(context: Context, found: Sequence[Publication]) -> tuple[ParameterWrite, ...]:
    """Return what should be done with every parameter; reads only.

    One whose region does not answer has failed, and so has one that the role in another account may not read: it might
    have the id of a newer image, or something else, and is not written.

    Raises:
        AccessDenied: the run's own credentials may not read some parameter; the error has all that may not be read.
    """
    reads = ((one.key, partial(_read_or_denied, context, one)) for one in found)
    answers = all_at_once(reads, context.stop, most=most_at_once(one.destination.account for one in found))
    denied = {key[1:]: answer for key, answer in answers.items() if isinstance(answer, AccessDenied)}
    if not all(destination.account for destination, _ in denied):
        raise _denied_in_one(denied)

    def write_of(one: Publication) -> ParameterWrite:
        answer = answers[one.key]
        if isinstance(answer, ParameterWrite):
            return answer
        return _not_read(one, answer.with_detail(f"{one.label} in {one.place}"))

    writes = tuple(map(write_of, found))
    if not any(one.is_template for one in found):
        return writes
    from amicopy.jobs.publish_template import refuse_unknown

    return refuse_unknown(writes)


def _read_or_denied(context: Context, publication: Publication) -> ParameterWrite | AccessDenied:
    try:
        return _read_parameter(context, publication, publication.image_id)
    except AccessDenied as error:
        return error
    except Unreachable as error:  # that of one region is no reason to copy nowhere
        return _not_read(publication, error)


def _not_read(publication: Publication, error: AmicopyError) -> ParameterWrite:
    failed = ParameterState.FAILED
    return ParameterWrite(publication=publication, image_id="", before="", state=failed, error=error)


def _denied_in_one(errors: Mapping[tuple[Destination, str], AccessDenied]) -> AmicopyError:
    """Return one error for everything that may not be read."""
    (destination, label), first = next(iter(errors.items()))
    if len(errors) == 1:
        return first if not destination.account else first.with_detail(f"{label} in {destination}")
    more = AmicopyError.in_one(list(errors.values()))
    more.details = tuple(
        f"{where} {what}: {error.what} {error.why}".rstrip() for (where, what), error in errors.items()
    )
    return more


def _read_parameter(context: Context, publication: Publication, image_id: str) -> ParameterWrite:
    try:
        return context.with_retries(partial(read_parameter_write, context, publication, image_id))
    finally:
        context.clients.release(publication.destination)


def read_parameter_write(context: Context, publication: Publication, image_id: str) -> ParameterWrite:
    """Return what should be done with one parameter, given the copy's id (empty: still to be made); reads only."""
    if publication.is_template:
        from amicopy.jobs.publish_template import read_template_write

        return read_template_write(context, publication, image_id)
    clients, source = context.clients, publication.source
    before = clients.parameters(publication.destination).get(publication.path)
    write = ParameterWrite(publication=publication, image_id=image_id, before=before, state=ParameterState.PUT)
    if before and before == image_id:
        return replace(write, state=ParameterState.KEPT)
    try:
        check_image_id(before or image_id or source.image_id)
    except ValueError as error:
        foreign = UsageError(
            f"The parameter {publication.path} in {publication.place} does not contain an AMI id, so it is not "
            "changed.",
            why="Something else may rely on its value.",
            next_step="Publish under another path, or delete the parameter if it is not needed.",
        )
        foreign.__cause__ = error
        return replace(write, before="", state=ParameterState.FAILED, error=foreign)  # its value may be a secret
    if before and not _may_overwrite(publication):
        return replace(write, state=ParameterState.FAILED, error=_is_taken(publication, before))
    return newer_stays(context, write)


def newer_stays(context: Context, write: ParameterWrite) -> ParameterWrite:
    """Return the write; one that would replace the id of a newer image only if that is allowed."""
    publication, clients = write.publication, context.clients
    if not write.before or publication.publish.allow_older:
        return write
    has = _created_at(write.before, clients[publication.destination], clients.__getitem__)
    return replace(write, state=ParameterState.NEWER) if has > publication.source.created_at else write


def _may_overwrite(publication: Publication) -> bool:
    return isinstance(publication.target, LaunchTemplate) or publication.target.overwrite


def _is_taken(publication: Publication, before: str) -> UsageError:
    return UsageError(
        f"The parameter {publication.path} in {publication.place} contains {before}, and may not be overwritten.",
        why="The manifest has overwrite: false for it.",
        next_step="Give each release its own path, for example with {name}. Or delete the parameter if that image "
        "was withdrawn.",
    )


def _created_at(image_id: str, ec2: Ec2, sources: Callable[[str], Ec2]) -> str:
    """Return when an image, or the image that it was copied from, was created; empty if that is not known."""
    image = ec2.describe_images([image_id]).get(image_id)
    if image is None:
        return ""
    region, _, source_id = source_of(image).partition("/")  # of a copy of a copy: the first source
    if not source_id:
        return image.created_at
    try:
        source = sources(region).describe_images([source_id]).get(source_id)
    except (AmicopyError, ValueError):  # a tag that names no region
        source = None
    return source.created_at if source else image.created_at


def publish_copies(
    context: Context,
    entries: Sequence[KnownEntry],
    writes: Sequence[ParameterWrite],
    outcomes: Mapping[Key, Outcome],
) -> tuple[ParameterWrite, ...]:
    """Write the parameters of the copies that are up to date; return all parameters with what was done.

    An entry that publishes only when all copies are ready writes none of its parameters before.
    """
    may_publish = {known.number for known in entries if _may_publish(known, outcomes)}

    def tasks() -> Iterator[tuple[tuple[int, Destination, str], Callable[[], ParameterWrite]]]:
        for write in writes:
            publication = write.publication
            image_id = _ready_image_id(publication, outcomes) if publication.entry_number in may_publish else ""
            is_due = write.state is ParameterState.PUT and image_id
            yield publication.key, partial(_publish, context, write, image_id) if is_due else partial(withheld, write)

    most = most_at_once(write.destination.account for write in writes)
    return tuple(all_at_once(tasks(), Stop(), most=most).values())  # not interrupted: what was written has to be told


def publish_ready(
    context: Context,
    entries: Sequence[KnownEntry],
    writes: Sequence[ParameterWrite],
    outcomes: Mapping[Key, Outcome],
) -> tuple[ParameterWrite, ...]:
    """Write the parameters of entries that publish each copy by itself, where it is up to date; return all."""
    each = {known.number for known in entries if known.entry.publish and not known.entry.publish.when_all}
    due = [
        write
        for write in writes
        if write.state is ParameterState.PUT
        and write.publication.entry_number in each
        and _ready_image_id(write.publication, outcomes)
    ]
    done = {one.publication.key: one for one in publish_copies(context, entries, due, outcomes)} if due else {}
    return tuple(done.get(write.publication.key, write) for write in writes)


def _may_publish(known: KnownEntry, outcomes: Mapping[Key, Outcome]) -> bool:
    publish = known.entry.publish
    ours = [outcomes[row.key] for row in known.rows]
    if publish is None or not ours:
        return False
    # A copy that may fail and has failed does not count; one that is still being made does.
    complete = all(one.is_well or (one.row.best_effort and one.is_lost) for one in ours)
    return complete or not publish.when_all


def _ready_image_id(publication: Publication, outcomes: Mapping[Key, Outcome]) -> str:
    """Return the id to publish; empty if the copy is not up to date."""
    outcome = outcomes.get((publication.source.reference, publication.destination))
    if outcome is None:
        return publication.image_id  # the source itself
    return outcome.image_id if outcome.is_well else ""


def _publish(context: Context, before: ParameterWrite, image_id: str) -> ParameterWrite:
    """Write one parameter after reading it again: meanwhile another run may have published a newer image."""
    if context.stop.is_set():
        return withheld(before)
    try:
        write = _read_parameter(context, before.publication, image_id)
        if write.state is not ParameterState.PUT:
            return write
        if write.publication.is_template:
            from amicopy.jobs.publish_template import put_template

            put_template(context, write.publication, image_id)
        else:
            _put_parameter(context, write.publication, image_id)
    except Interrupted:
        return withheld(before)
    except AmicopyError as error:
        return replace(before, image_id=image_id, state=ParameterState.FAILED, error=error)
    finally:
        context.clients.release(before.destination)
    return replace(write, state=ParameterState.DONE)


def _put_parameter(context: Context, publication: Publication, image_id: str) -> None:
    """Write a parameter, and wait until it has its new value."""
    parameters = context.clients.parameters(publication.destination)
    put = partial(
        parameters.put,
        publication.path,
        image_id,
        description=publication.description,
        overwrite=_may_overwrite(publication),
    )
    context.with_retries(put)
    read_back(context, publication, image_id, partial(parameters.get, publication.path))


def read_back(context: Context, publication: Publication, image_id: str, get: Callable[[], str]) -> None:
    """Wait until what ``get`` reads is the image: Systems Manager accepts an AMI id before it has validated it.

    Raises:
        OutputFailed: it still has another value after a minute.
    """
    give_up = context.clock.now() + _ACCEPTED_WITHIN
    while (found := context.with_retries(get)) != image_id:
        if context.clock.now() >= give_up:
            what = "launch template" if publication.is_template else "parameter"
            service = "EC2" if publication.is_template else "Systems Manager"
            raise OutputFailed(
                f"The {what} {publication.path} in {publication.place} still contains {found or 'nothing'}.",
                why=f"{service} accepted {image_id} and does not show it"
                + ("." if publication.is_template else "; it validates AMI ids afterwards."),
                next_step="Run the same command again.",
            )
        context.clock.sleep(_READ_BACK_SECONDS, until=context.stop)
        context.stop.check()


def withheld(write: ParameterWrite) -> ParameterWrite:
    """Return the parameter as one that a later run will write, if it was to be written."""
    return replace(write, state=ParameterState.WAITING) if write.state is ParameterState.PUT else write
