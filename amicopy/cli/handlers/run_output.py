"""How a run of copy or sync is shown, and where its result goes."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from typing import Any

from amicopy.cli.environment import Environment
from amicopy.cli.option_values import OutputOptions
from amicopy.cli.output_files import plan_files, requested_files, write_files
from amicopy.cli.terminal import reported_bug, say, show, to_stdout
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.core.events import Event
from amicopy.core.regions import check_regions, is_pattern, split_names
from amicopy.core.request import CopyRequest
from amicopy.core.run_options import RunOptions
from amicopy.execute.report import Report
from amicopy.jobs.context import Context
from amicopy.plan.plan import Plan
from amicopy.render.exports import EXPORTS
from amicopy.render.json_documents import event_document
from amicopy.render.progress_lines import LinesView, QuietView, View
from amicopy.render.result import json_of, table_of, text_of, write_folded, write_json_line, write_text
from amicopy.render.text import counted, error_lines, terminal_width

LIVE_PROGRESS = timedelta(seconds=5)
PLAIN_PROGRESS = timedelta(minutes=1)


Document = Callable[[], Mapping[str, Any]]
"""Returns what JSON has of a run; made only where JSON is written."""


class RunOutput:
    """One run as its user sees it."""

    def __init__(self, environment: Environment, context: Context, output: OutputOptions) -> None:
        """Check where others are to be told.

        Raises:
            UsageError: a topic or an event bus is in a region that does not exist.
        """
        self._environment = environment
        self._context = context
        self._output = output
        called = [one.region for one in output.notifications if one.region]
        if called:
            check_regions(called, context.session.partitions, "--notify")

    def with_progress(self, options: RunOptions) -> RunOptions:
        """Return the options with how often progress is read for this output."""
        progress = None if self._output.quiet else LIVE_PROGRESS if self._is_live else PLAIN_PROGRESS
        return replace(options, progress=progress)

    @contextlib.contextmanager
    def looking(self, requests: Iterable[CopyRequest]) -> Iterator[None]:
        """Say on a live terminal that AWS is being read, until that has ended."""
        if not self._is_live:
            yield
            return
        from amicopy.render.progress_live import passing_line

        names = {name for request in requests for name in split_names(request.to)}
        regions = "the regions" if any(map(is_pattern, names)) else counted(len(names), "region")
        with passing_line(f"looking at the source and {regions}…"):
            yield

    def follow(self, report: Report, events: Iterable[Event | None]) -> AmicopyError | None:
        """Show what happens until the events end; return the bug that ended them early, or None."""
        if report.refused or not report.plan.has_work:
            return None
        try:
            with contextlib.closing(self._view(report)) as view:
                for event in events:
                    if event is None:
                        view.glance()
                        continue
                    view.event(event, report.by_key[event.key])
                    if self._output.format == "jsonl" and not getattr(event, "is_repeated", False):
                        to_stdout(partial(write_json_line, event_document(event)))
        except Exception as error:
            return reported_bug(error)
        return None

    def show(self, document: Document, kind: str, for_people: Callable[[], None]) -> ExitCode:
        """Write a document to stdout as JSON if that is the format, or else what people read."""
        if self._output.format == "jsonl":
            return to_stdout(partial(write_json_line, {**document(), "type": kind}))
        return show(self._output.format, document, for_people)

    def show_plan(
        self, plan: Plan, document: Document, lines: Iterable[str], cells: Iterable[Sequence[str]], code: ExitCode
    ) -> ExitCode:
        """Write a plan to stdout, GitHub and every requested file; return OK, or FAILED if one could not be written.

        ``lines`` are for people; ``cells`` are those of the table in Markdown.
        """
        from amicopy.render import plan_markdown

        lines = [*lines]
        markdown = cache(partial(plan_markdown.markdown, plan, tuple(cells), self._environment.same_command))
        formats: dict[str, Callable[[], str]] = {
            "text": lambda: "".join(f"{line}\n" for line in lines),
            "table": lambda: "".join(f"{line}\n" for line in lines),
            "json": lambda: json_of(document()),
            "markdown": markdown,
        }
        errors = write_files(plan_files(self._output, formats, code, has_changes=plan.has_work))
        is_markdown = self._output.format == "markdown"
        written = self.show(document, "plan", lambda: write_text(markdown()) if is_markdown else write_folded(lines))
        for error in errors:
            say(error_lines(error))
        if self._output.github:
            from amicopy.render.github import plan_annotations

            say(plan_annotations(plan))
        return ExitCode.FAILED if errors else written

    def tell(self, report: Report, document: Document, code: ExitCode, *, has_changed: bool) -> ExitCode:
        """Write the result to every requested file and to stdout, then tell others; return FAILED if that failed.

        ``has_changed``: the run did something, or waited for it. Others are told of that, and of what failed.
        """
        formats: dict[str, Callable[[], str]] = {
            "text": partial(text_of, report.outcomes),
            "table": partial(table_of, report),
            "json": lambda: json_of(document()),
            "html": partial(self._html, report, code),
            **{name: partial(write, report) for name, write in EXPORTS.items()},
        }
        form = self._output.format
        text = partial(table_of, report, terminal_width(sys.stdout)) if form == "table" else formats.get(form)
        errors = write_files(requested_files(self._output, formats, code, report))
        written = self.show(document, "result", lambda: write_text(text() if text else ""))
        if self._output.notifications and (has_changed or code is not ExitCode.OK):
            from amicopy.jobs.notify import notify

            errors = [*errors, *notify(self._context, self._output.notifications, document())]
        for error in errors:
            say(error_lines(error))
        if self._output.github:
            from amicopy.render.github import annotations

            say(annotations(report))
        return ExitCode.FAILED if errors else written

    def _html(self, report: Report, code: ExitCode) -> str:
        from amicopy.render.html_report import page

        return page(
            report,
            now=self._context.clock.now(),
            exit_code=code,
            command_line=self._environment.same_command,
            calls=self._context.calls.count(),
        )

    @property
    def _is_live(self) -> bool:
        return sys.stderr.isatty() and not self._output.verbose and not self._output.quiet

    def _view(self, report: Report) -> View:
        if self._output.quiet:
            return QuietView()
        if self._is_live:
            from amicopy.render.progress_live import LiveView

            return LiveView(report, self._context.clock, self._context.stop)
        return LinesView(report, self._context.clock, self._context.stop)
