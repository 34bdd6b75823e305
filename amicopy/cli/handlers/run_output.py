"""What copy and sync have in common: the terms of a run, how it is shown, where its result goes.

Refuses to know what the run is for.
"""

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from amicopy.cli.environment import Environment
from amicopy.cli.output_files import wanted_files, write_files
from amicopy.cli.terminal import bug_report, say, to_stdout
from amicopy.core.errors import ExitCode
from amicopy.core.events import Event
from amicopy.core.run_options import RunOptions
from amicopy.execute.report import Report
from amicopy.jobs.context import Context
from amicopy.render.exports import EXPORTS
from amicopy.render.json_documents import event_document
from amicopy.render.progress_lines import PlainView
from amicopy.render.result import json_of, table_of, text_of, write_json, write_json_line, write_text
from amicopy.render.text import error_lines

LIVE_PROGRESS = timedelta(seconds=5)
PLAIN_PROGRESS = timedelta(minutes=1)


class RunOutput:
    """One run as its user sees it."""

    def __init__(self, environment: Environment, context: Context, options: Mapping[str, Any]) -> None:
        self._environment = environment
        self._context = context
        self._options = options

    @property
    def run_options(self) -> RunOptions:
        """The run options that the command line sets."""
        options = self._options
        return RunOptions(
            timeout=options["timeout"],
            wait=not options["no_wait"],
            share_when_all=options["share_when"] == "all",
            cancel_failed=options["on_failure"] == "cancel",
            cancel_interrupted=options["on_interrupt"] == "cancel",
            most_in_flight=options["max_in_flight"],
            progress=None if options["quiet"] else LIVE_PROGRESS if self._is_live else PLAIN_PROGRESS,
        )

    def follow(self, report: Report, events: Iterable[Event | None]) -> None:
        """Show what happens; what was done before a bug is still to be told, so that goes into the report."""
        if report.refused or not report.plan.has_work:
            return
        try:
            with contextlib.closing(self._view(report)) as view:
                for event in events:
                    if event is None:
                        view.glance()
                        continue
                    view.event(event, report.by_key[event.key])
                    if self._options["output"] == "jsonl":
                        to_stdout(partial(write_json_line, event_document(event)))
        except Exception as error:
            report.error = bug_report(error)

    def show(self, document: Mapping[str, Any], kind: str, for_people: Callable[[], None]) -> ExitCode:
        """Write a document to stdout in the format asked for, or else what people read."""
        match self._options["output"]:
            case "json":
                return to_stdout(partial(write_json, document))
            case "jsonl":
                return to_stdout(partial(write_json_line, {**document, "type": kind}))
        return to_stdout(for_people)

    def tell(self, report: Report, document: Mapping[str, Any], code: ExitCode) -> ExitCode:
        """Write the result to stdout and to every file asked for; return OK, or FAILED where one takes nothing."""
        formats: dict[str, Callable[[], str]] = {
            "text": partial(text_of, report.outcomes),
            "table": partial(table_of, report),
            "json": partial(json_of, document),
            "page": partial(self._page, report, code),
            **{name: partial(write, report) for name, write in EXPORTS.items()},
        }
        output = self._options["output"]
        text = partial(table_of, report, styled=sys.stdout.isatty()) if output == "table" else formats.get(output)
        written = self.show(document, "result", lambda: write_text(text() if text else ""))
        errors = write_files(wanted_files(self._options, formats, code, report))
        for error in errors:
            say(error_lines(error))
        if self._options["github"]:
            from amicopy.render.github import annotations

            say(annotations(report))
        return ExitCode.FAILED if errors else written

    def _page(self, report: Report, code: ExitCode) -> str:
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
        return sys.stderr.isatty() and not self._options["verbose"] and not self._options["quiet"]

    def _view(self, report: Report) -> Any:
        if self._options["quiet"]:
            from amicopy.render.quiet import QuietView

            return QuietView()
        if self._is_live:
            from amicopy.render.progress_live import LiveView

            return LiveView(report, self._context.clock, self._context.stop)
        return PlainView(report, self._context.clock, self._context.stop)
