"""``amicopy verify``: compare, tell; with ``--repair`` write, then compare again.

Refuses to judge: the comparison does.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from amicopy.cli.connection import run_connected
from amicopy.cli.copy_options import copy_request
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.survey_notes import tell_survey
from amicopy.cli.terminal import say, to_stdout
from amicopy.core.events import AttributeWritten, Event
from amicopy.jobs.context import Context
from amicopy.jobs.verify import VerifyJob, VerifyResult
from amicopy.render.progress_lines import event_words
from amicopy.render.result import write_json
from amicopy.render.text import error_lines, safe
from amicopy.render.verify import differing, verdict_document, write_verdicts


def verify(environment: Environment, **options: Any) -> int:
    """Run ``amicopy verify`` with its parsed options; return the exit code."""
    return run_connected("verify", environment, options, lambda context: _verify(context, options))


def _verify(context: Context, options: Mapping[str, Any]) -> int:
    """Compare every copy with its source, repair what can be if asked, and tell."""
    job = VerifyJob(context, copy_request(options), options["regions"])
    changes: list[str] = []

    def told(event: Event) -> None:
        words = event_words(event)
        if isinstance(event, AttributeWritten):
            changes.append(f"{event.region} {event.image_id} {words}")
        if words and not options["quiet"]:
            say([f"{event.region}  {words}"])

    verdict = job.verdict()
    if options["repair"]:
        verdict = job.repaired(verdict, prunes=options["prune"], told=told, pruned=changes.append)
        for error in verdict.not_repaired:
            say(error_lines(error))
    written = _tell(verdict, options, changes)
    tell_survey(job.existing, verdict.survey, quiet=options["quiet"])
    return int(verdict.exit_code or written)


def _tell(verdict: VerifyResult, options: Mapping[str, Any], changes: Sequence[str]) -> int:
    found = verdict.copies
    if options["output"] == "json":
        document = verdict_document(found, verdict.survey, verdict.exit_code, changes)
        written = to_stdout(partial(write_json, document))
    else:
        written = to_stdout(partial(write_verdicts, found, options["output"]))
    if verdict.without_copy and not options["quiet"]:
        say([f"there is no copy in {', '.join(verdict.without_copy)}"])
    if options["output"] == "text":
        say(f"{one.copy.region}  {words}" for one in found for words in map(safe, differing(one)))
    if not options["quiet"]:
        notes = (note for one in found if one.desired for note in one.desired.notes)
        say(f"note: {safe(note)}" for note in dict.fromkeys(notes))
    return int(written)
