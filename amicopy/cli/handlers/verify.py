"""``amicopy verify``: compare and tell; with ``--repair`` write, then compare again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from amicopy.cli.confirm import agreed, confirmed
from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.handlers.survey_notes import tell_survey
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.output_files import check_files, write_files
from amicopy.cli.terminal import say, show
from amicopy.core.content import ContentLevel
from amicopy.core.errors import ExitCode
from amicopy.core.events import AttributeWritten, Event
from amicopy.core.request import CopyRequest
from amicopy.jobs.context import Context
from amicopy.jobs.verify import VerifyJob, VerifyResult
from amicopy.plan.content import ASK_ABOVE_USD, ReadingCost
from amicopy.render.progress_lines import event_words
from amicopy.render.text import counted, error_lines, safe
from amicopy.render.verify import (
    content_errors,
    content_lines,
    differing,
    not_compared_notes,
    verdict_document,
    without_copy_words,
    write_verdicts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyCommand:
    """One ``amicopy verify``, as it was typed."""

    request: CopyRequest
    regions: tuple[str, ...]
    connection: ConnectionOptions
    output: OutputOptions
    repair: bool = False
    prune: bool = False
    yes: bool = False
    dry_run: bool = False
    content: ContentLevel | None = None
    seed: int | None = None


def verify(environment: Environment, command: VerifyCommand) -> int:
    """Run ``amicopy verify``; return the exit code."""
    return run_connected(
        "verify", environment, command.connection, command.output, partial(_verify, command, environment)
    )


def _verify(command: VerifyCommand, environment: Environment, context: Context) -> int:
    """Compare every copy with its source, repair what can be if requested, and tell."""
    check_files(command.output)
    job = VerifyJob(context, command.request, command.regions)
    quiet = command.output.quiet
    changes: list[str] = []

    def told(event: Event) -> None:
        words = event_words(event)
        if isinstance(event, AttributeWritten):
            changes.append(f"{event.place} {event.image_id} {words}")
        if words and not quiet:
            say([f"{event.place}  {words}"])

    verdict = job.verdict()
    if command.repair:
        say(_intentions(verdict, command))
    if command.repair and not command.dry_run:
        question = _question(verdict, prunes=command.prune)
        if question and not agreed(question, yes=command.yes):
            return ExitCode.FAILED
        verdict = job.repaired(verdict, prunes=command.prune, told=told, pruned=changes.append)
        for error in verdict.not_repaired:
            say(error_lines(error))
    if command.content:
        compared = job.with_content(verdict, command.content, seed=command.seed, approve=partial(_approved, command))
        if compared is None:
            say(["no data was read"])
            return ExitCode.FAILED
        verdict = compared
    written = _tell(verdict, command.output, changes)
    errors = write_files(_pages(verdict, command.output, environment, context))
    say(line for error in errors for line in error_lines(error))
    written = written or (ExitCode.FAILED if errors else ExitCode.OK)
    tell_survey(job.existing, verdict.survey, quiet=quiet)
    return int(verdict.exit_code or written)


def _pages(
    verdict: VerifyResult, output: OutputOptions, environment: Environment, context: Context
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the path of the requested HTML page and the function that writes it."""
    if output.html:
        from amicopy.render.content_page import verdict_page
        from amicopy.render.files import write_atomically

        page = verdict_page(
            verdict.copies,
            now=context.clock.now(),
            exit_code=verdict.exit_code,
            command_line=environment.same_command,
            counts=context.calls.count(),
        )
        yield output.html, partial(write_atomically, output.html, page)


def _approved(command: VerifyCommand, cost: ReadingCost) -> bool:
    """Say what reading costs; ask if that is more than a dollar."""
    if cost.most_usd > ASK_ABOVE_USD and not command.yes:
        return confirmed(f"Read {cost}?", otherwise="no data was read", advice="Take --content sample, or run")
    if cost.blocks and not command.output.quiet:
        say([f"reading {cost}"])
    return True


def _intentions(verdict: VerifyResult, command: VerifyCommand) -> Iterator[str]:
    """Yield what would be written, for a dry run, and what will be removed."""
    if command.dry_run:
        for one in verdict.copies:
            yield from (f"would fix in {one.place}: {safe(str(difference))}" for difference in one.repairs)
            if one.may_be_written and (awaited := one.awaited_check):
                yield f"would not share {one.copy.image_id} in {one.place}: it {safe(awaited.words)}"
    else:
        for one in verdict.copies:
            yield from (f"will fix in {one.place}: {safe(str(difference))}" for difference in one.shared_by_repair)
    if command.prune:
        verb = "would remove" if command.dry_run else "will remove"
        yield from (f"{verb} what is extra in {one.place}: {safe(str(extra))}" for one, extra in verdict.prunable)


def _question(verdict: VerifyResult, *, prunes: bool) -> str:
    """Return what has to be agreed to before the repair: sharing that nobody named, and removals; empty if neither."""
    shared = [one for one in verdict.copies if one.shared_by_repair]
    pruned = verdict.prunable if prunes else ()
    parts = []
    if shared:
        parts.append(f"share {counted(len(shared), 'copy', 'copies')} like the source")
    if pruned:
        parts.append(f"remove {counted(len(pruned), 'extra')}")
    accounts = ", ".join(sorted({one.copy.owner_id for one in (*shared, *(one for one, _ in pruned))}))
    return f"{' and '.join(parts)} in account {accounts}?" if parts else ""


def _tell(verdict: VerifyResult, output: OutputOptions, changes: Sequence[str]) -> int:
    found = verdict.copies
    document = partial(verdict_document, found, verdict.survey, verdict.exit_code, changes, verdict.without_copy)
    written = show(output.format, document, partial(write_verdicts, found, output.format))
    if not output.quiet:
        say(without_copy_words(verdict.without_copy))
    if output.format == "text":
        say(f"{one.place}  {words}" for one in found for words in map(safe, differing(one)))
    say(line for error in content_errors(found) for line in error_lines(error))
    if not output.quiet:
        say(map(safe, content_lines(found)))
        notes = [note for one in found if one.desired for note in one.desired.notes] + not_compared_notes(found)
        say(f"note: {safe(note)}" for note in dict.fromkeys(notes))
    return int(written)
