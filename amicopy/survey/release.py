"""Reading a release in one region: a source, its copies, who can use them, and what names them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.aws.ssm import ParameterStore, ParameterVersion
from amicopy.core.destination import Destination
from amicopy.core.ec2_rules import check_image_id
from amicopy.core.errors import AccessDenied, AmicopyError
from amicopy.core.lineage import is_ours, source_of
from amicopy.core.models import Image, ImageState
from amicopy.core.parallel import Stop, all_at_once
from amicopy.core.parameter_choices import ParameterChoices
from amicopy.core.retries import Retry
from amicopy.plan.checked import awaited_check
from amicopy.survey.copy_details import with_all_details
from amicopy.survey.destinations import look_up
from amicopy.survey.image_users import users_of

_PARAMETER = ":parameter/"
_FINISHED = {ImageState.AVAILABLE, ImageState.DISABLED}
_NO_CHOICES = ParameterChoices()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A parameter that has the id of an image of the release, and the good image that it had before."""

    path: str
    before: str
    after: str  # empty: it keeps the image, or never had another one that is still there and in use
    data_type: str
    is_left: bool = False  # the operator says that it keeps the image


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseImage:
    """One image of the release; ``image`` has its permissions, as far as they can be read."""

    image: Image
    source: str  # ``REGION/AMI``, or its own reference if it is the source itself
    is_ours: bool  # it is the account's own source, or a copy that amicopy made
    moves: tuple[Move, ...] = ()
    used_by: tuple[str, ...] = ()  # ARNs of what else names it

    @property
    def is_source(self) -> bool:
        """Whether it is the source."""
        return self.image.reference == self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one region has of the releases."""

    images: tuple[ReleaseImage, ...]
    notes: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()  # of the parameters that were asked for: those that are there
    replacements: frozenset[str] = frozenset()  # of the AMIs that were chosen: those that are there and good


def find_release(
    source_region: str,
    image_ids: Sequence[str],
    ec2: Ec2,
    parameters: ParameterStore | None,
    stop: Stop,
    retry: Retry,
    *,
    account: str = "",
    choices: ParameterChoices = _NO_CHOICES,
    uses: bool = True,
) -> Release:
    """Return the sources, if they are the account's own and in this region, and their copies; reads only.

    ``account`` is the one that is looked at, if it is another than that of the credentials: an AMI that is chosen for a
    parameter has to be its own. With ``uses``, also what else names them. With ``parameters``, the parameters that have
    the id of one of them: those that EC2 names, and those of ``choices``.

    AWS: EC2 DescribeImages, DescribeSnapshots, DescribeImageAttribute, DescribeSnapshotAttribute,
    DescribeImageReferences; Systems Manager GetParameterHistory.
    """
    references = {f"{source_region}/{image_id}" for image_id in image_ids}
    found = look_up(source_region, image_ids, ec2, stop, retry)
    copies = {image_id: image for image_id, image in found.items() if source_of(image) in references}
    sources = retry(partial(ec2.describe_own_images, image_ids)) if ec2.region == source_region else {}
    images = {**copies, **sources}
    finished = [image for image in images.values() if image.state in _FINISHED]
    images |= {image.image_id: image for image in with_all_details(ec2, finished, stop, retry=retry)}
    release = [
        ReleaseImage(
            image=image,
            source=image.reference if image.image_id in sources else source_of(image),
            is_ours=image.image_id in sources or is_ours(_named(source_of(image)), image),
        )
        for image in images.values()
    ]
    ours = [one.image.image_id for one in release if one.is_ours and one.image.state in _FINISHED]
    used_by, problem = users_of(ec2, ours if uses else [], retry)
    moved = _Moved()
    if parameters is not None:
        known = [path for arns in used_by.values() for arn in arns for path in _paths(arn)]
        moved = _moved(known, choices, frozenset(ours), account, ec2, parameters, stop, retry)
    return Release(
        images=tuple(
            replace(
                one,
                moves=tuple(move for move in moved.moves if move.before == one.image.image_id),
                used_by=tuple(arn for arn in used_by.get(one.image.image_id, ()) if _PARAMETER not in arn),
            )
            for one in release
        ),
        notes=(_unknown_users(Destination(ec2.region, account), problem),) if problem else (),
        names=moved.names,
        replacements=moved.replacements,
    )


def _named(reference: str) -> Image:
    region, _, image_id = reference.partition("/")
    return Image(image_id=image_id, region=region)


def _unknown_users(where: Destination, error: AmicopyError) -> str:
    why = f"{error.action} is not allowed" if isinstance(error, AccessDenied) else error.what
    return f"{where}: it is not known which parameters, launch templates and instances use them: {why}"


def _paths(arn: str) -> Iterator[str]:
    """Yield the names that a parameter with this ARN can have: an ARN has no leading slash."""
    _, sign, name = arn.partition(_PARAMETER)
    if sign:
        yield f"/{name}"
        if "/" not in name:
            yield name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved:
    """The parameters of one region that have an image of the release."""

    moves: tuple[Move, ...] = ()
    names: frozenset[str] = frozenset()
    replacements: frozenset[str] = frozenset()


def _moved(
    paths: Iterable[str],
    choices: ParameterChoices,
    retiring: frozenset[str],
    account: str,
    ec2: Ec2,
    store: ParameterStore,
    stop: Stop,
    retry: Retry,
) -> _Moved:
    """Return the parameters that have an image now, each with what it gets: a chosen AMI, or the newest good one."""
    every = dict.fromkeys([*paths, *choices.looked_at])
    reads = {path: partial(retry, partial(store.history, path)) for path in every}
    found = {path: versions for path, versions in all_at_once(reads, stop).items() if versions}
    histories = {path: versions for path, versions in found.items() if versions[0].value in retiring}
    earlier = {path: _earlier(versions, retiring) for path, versions in histories.items()}
    chosen = {image_id for _, image_id in choices.replacements}
    had = {image_id for ids in earlier.values() for image_id in ids}
    wanted = sorted(had | chosen)
    known = retry(partial(ec2.describe_images, wanted)) if wanted else {}
    if account:
        known = {key: one for key, one in known.items() if key in had or one.owner_id == account}
    good = {
        image_id
        for image_id, image in known.items()
        if image_id not in retiring and (image_id in choices.restored or _is_good(image))
    }
    moves = []
    for path, versions in histories.items():
        is_left = choices.leaves(path)
        candidates = () if is_left else (*choices.replacements_of(path), *earlier[path])
        after = next((image_id for image_id in candidates if image_id in good), "")
        kind = versions[0].data_type or "text"
        moves.append(Move(path=path, before=versions[0].value, after=after, data_type=kind, is_left=is_left))
    return _Moved(moves=tuple(moves), names=frozenset(found), replacements=frozenset(chosen & good))


def _is_good(image: Image) -> bool:
    """Return whether instances can be launched from an image, and nobody has found it bad."""
    is_usable = image.state is ImageState.AVAILABLE and not image.is_retired
    return is_usable and awaited_check(_named(source_of(image)), image) is None


def _earlier(versions: Sequence[ParameterVersion], retiring: frozenset[str]) -> list[str]:
    """Return the other AMIs that a parameter had, the latest first."""
    return list(dict.fromkeys(one.value for one in versions if _is_image(one.value) and one.value not in retiring))


def _is_image(text: str) -> bool:
    try:
        check_image_id(text)
    except ValueError:
        return False
    return True
