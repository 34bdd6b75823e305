"""What status and verify write to stderr about a survey."""

from amicopy.cli.terminal import say
from amicopy.core.models import Image
from amicopy.core.retirement import moment_of
from amicopy.jobs.existing_copies import ExistingCopies
from amicopy.plan.copy_status import is_comparable
from amicopy.plan.findings import Survey
from amicopy.render.text import error_lines


def tell_survey(looking: ExistingCopies, survey: Survey, *, quiet: bool) -> None:
    """Write to stderr what a person should know, what could not be read last."""
    if not quiet:
        say(f"note: {note}" for note in survey.notes)
        say(
            f"note: {source.image_id} is {_where(source)}; its copies are compared with each other"
            for source in looking.sources
            if not is_comparable(source)
        )
    # One that keeps a whole account closed is the same in each of its regions.
    for problem in dict.fromkeys(one.problem for one in survey.destinations.values() if one.problem):
        say(error_lines(problem))


def _where(source: Image) -> str:
    if not source.owner_id:
        return f"not in {source.region} anymore"
    if source.is_retired:
        undo = f"amicopy retire {source.image_id} --from {source.region} --undo"
        return f"retired in {source.region} since {moment_of(source.tags)[:10]} (to restore it: {undo})"
    return f"{source.state} in {source.region}"
