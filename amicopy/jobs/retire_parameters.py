"""Why `retire` changes nothing: what was said about parameters is wrong, or is still to be said."""

import difflib
import shlex
from collections.abc import Collection, Iterator, Sequence

from amicopy.core.errors import AmicopyError, NoReplacement, ParameterNotFound
from amicopy.core.parameter_choices import ParameterChoices
from amicopy.core.regions import regions_text
from amicopy.execute.retire import RetireTarget
from amicopy.survey.release import Release

_SPELLED_OUT = 3  # names of parameters in advice


def refusals(
    choices: ParameterChoices,
    regions: Sequence[str],
    found: Sequence[Release],
    targets: Sequence[RetireTarget],
    *,
    is_complete: bool,
) -> Iterator[AmicopyError]:
    """Yield the errors; ``is_complete`` is False if a region could not be read, which may have what is missing."""
    there = {name for release in found for name in release.names}
    good = {image_id for release in found for image_id in release.replacements}
    where = regions_text(regions)
    if is_complete and (absent := [name for name in choices.looked_at if name not in there]):
        yield ParameterNotFound(
            f"There is no parameter {', '.join(absent)} of type String in {where}.",
            why=_near(absent, there),
            next_step="Check the name and the regions: --parameter NAME, --in REGION.",
        )
    if is_complete and (unusable := [one for _, one in choices.replacements if one not in good]):
        yield NoReplacement(
            f"No parameter can get {', '.join(dict.fromkeys(unusable))}.",
            why=f"It is not an available AMI in {where}, it is or will be retired, or it has not passed its check.",
            next_step="Use another AMI: --parameter NAME=AMI",
        )
    stuck = [
        (move.path, f"{move.path} in {target.place} has {move.before}")
        for target in targets
        for move in target.moves
        if target.is_stuck(move)
    ]
    if stuck:
        yield _without_replacement(stuck)


def _near(absent: Sequence[str], there: Collection[str]) -> str:
    """Return which of the parameters that are there may be meant."""
    near = [one for name in absent for one in difflib.get_close_matches(name, sorted(there), n=3)]
    return f"Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""


def _without_replacement(stuck: Sequence[tuple[str, str]]) -> NoReplacement:
    """Return the error about parameters, each with its name and a clause about it."""
    many = len(stuck) > 1
    names = list(dict.fromkeys(name for name, _ in stuck))
    leaving = " ".join(f"--leave-parameter {shlex.quote(name)}" for name in names[:_SPELLED_OUT])
    error = NoReplacement(
        f"{len(stuck)} parameters have an image that is to be retired, and no other image to go back to."
        if many
        else f"{stuck[0][1]}, which is to be retired, and no other image to go back to.",
        why="None of its earlier values is an AMI that is still available, so anything that reads it could no longer "
        "launch instances.",
        next_step="Give the AMI that it gets: --parameter NAME=AMI. If the previous release was retired, restore it at "
        f"the same time: --restore AMI. Or let it keep the retired image: {leaving}"
        f"{' and so on' if names[_SPELLED_OUT:] else ''}",
    )
    for _, line in stuck if many else ():
        error = error.with_detail(line)
    return error
