"""Where the result of a run goes besides stdout: files in any format, GitHub's files, an HTML report."""

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from amicopy.cli.option_values import OutputOptions
from amicopy.cli.options import option, stacked
from amicopy.core.errors import AmicopyError, ExitCode, OutputFailed, UsageError
from amicopy.core.notification import Notification
from amicopy.render.formats import FILE_FORMATS


class FormatAndFile(click.ParamType[tuple[str, str]]):
    """A format and the file to write."""

    name = "format=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return both, or fail with the formats to choose from."""
        if isinstance(value, tuple):
            return value
        form, sign, path = value.partition("=")
        if not sign or not path or form not in FILE_FORMATS:
            self.fail(f"{value!r}: write FORMAT=FILE, FORMAT one of {', '.join(FILE_FORMATS)}.", param, ctx)
        return form, path


class NotificationOption(click.ParamType[Notification]):
    """An SNS topic, an EventBridge bus, or a command."""

    name = "arn|command"
    envvar_list_splitter = "\n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Notification:
        """Return the target, or fail with what one looks like."""
        if isinstance(value, Notification):
            return value
        try:
            return Notification.parse(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


file_options = stacked(
    option(
        "--write",
        "files",
        multiple=True,
        type=FormatAndFile(),
        help=f"Also write the result to a file, as {', '.join(FILE_FORMATS[:-1])} or {FILE_FORMATS[-1]}; repeatable. "
        "The file is replaced atomically, even if the run fails.",
    ),
    option("--html", metavar="FILE", help="Also write an HTML report with a timeline of every region."),
    option(
        "--notify",
        "notifications",
        multiple=True,
        type=NotificationOption(),
        help="After a run that did something, send its JSON result to an SNS topic or EventBridge bus (by ARN), or to "
        "a command's stdin; repeatable.",
    ),
    option(
        "--github",
        is_flag=True,
        help="In GitHub Actions: set the step's outputs, write its summary, annotate failures.",
    ),
)

_GITHUB = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


def check_files(output: OutputOptions) -> None:
    """Check, before anything starts, that every requested file can be written.

    Raises:
        UsageError: a file cannot be written, is named twice, or GitHub has set no file names.
    """
    paths = output.paths
    if not paths and not output.github:
        return
    from amicopy.render.files import check_writable

    try:
        real = [os.path.realpath(path) for path in paths]
    except FileNotFoundError as error:  # only the current directory can be missing here
        raise UsageError(
            "The current directory no longer exists, so relative paths lead nowhere.",
            next_step="Change to another directory, or give absolute paths.",
        ) from error
    for path, place in zip(paths, real, strict=True):
        if real.count(place) > 1 and Path(place).is_file() | (not Path(place).exists()):
            raise UsageError(f"{path} is named twice.", next_step="Give each output a file of its own.")
        check_writable(path)
    for name in _GITHUB if output.github else ():
        if not os.environ.get(name):
            raise UsageError(
                f"--github: {name} is not set.",
                why="GitHub Actions sets it in every step; this does not seem to be one.",
                next_step="Leave --github out here, or write files: --write env=amis.env",
            )
        check_writable(os.environ[name])


def write_files(tasks: Iterable[tuple[str, Callable[[], None]]]) -> Sequence[AmicopyError]:
    """Do every write; return an error for each that failed, which does not keep the others from being written."""
    errors: list[AmicopyError] = []
    for path, write in tasks:
        try:
            write()
        except OSError as error:
            errors.append(
                OutputFailed(
                    f"{path} could not be written.",
                    why=f"{error.strerror or error}.",
                    next_step="The copies themselves are not affected; run the same command again.",
                )
            )
    return errors


def write_failure(
    output: OutputOptions, document: Mapping[str, Any], command: str, error: AmicopyError, code: ExitCode
) -> None:
    """Write the document of a run that ended before it had a plan to the requested JSON files, and to GitHub's.

    Other files stay as they were, so that a deployment that reads one does not lose its ids. A file that cannot be
    written is ignored: the failure itself is what the user has to see.
    """
    if output.github:
        from amicopy.render import github

        texts = (github.failure_outputs(code), github.failure_summary(command, error))
        for name, text in zip(_GITHUB, texts, strict=True):
            with contextlib.suppress(OSError, KeyError):
                github.append(os.environ[name], text)
    paths = [path for form, path in output.files if form == "json"]
    if not paths:
        return
    from amicopy.render.files import check_writable, write_atomically
    from amicopy.render.result import json_of

    for path in paths:
        with contextlib.suppress(OSError, UsageError):
            check_writable(path)
            write_atomically(path, json_of(document))


def requested_files(
    output: OutputOptions, formats: Mapping[str, Callable[[], str]], code: ExitCode, report: Any
) -> Iterable[tuple[str, Callable[[], None]]]:
    """Yield the path of each requested file and the function that writes it."""
    from amicopy.render.files import write_atomically

    for form, path in output.files:
        yield path, partial(_write, write_atomically, path, formats[form])
    if output.html:
        yield output.html, partial(_write, write_atomically, output.html, formats["html"])
    if output.github:
        from amicopy.render import github

        for name, text in zip(_GITHUB, (github.outputs(report, code), github.summary(report)), strict=True):
            yield name, partial(github.append, os.environ[name], text)


def plan_files(
    output: OutputOptions, formats: Mapping[str, Callable[[], str]], code: ExitCode, *, has_changes: bool
) -> Iterable[tuple[str, Callable[[], None]]]:
    """Yield the path of each file that is requested of a plan and the function that writes it."""
    if output.files:
        from amicopy.render.files import write_atomically

        for form, path in output.files:
            yield path, partial(_write, write_atomically, path, formats[form])
    if output.github:
        from amicopy.render import github

        markdown = formats["markdown"]()
        texts = (github.plan_outputs(markdown, code, has_changes=has_changes), markdown)
        for name, text in zip(_GITHUB, texts, strict=True):
            yield name, partial(github.append, os.environ[name], text)


def _write(write: Callable[[str, str], None], path: str, text: Callable[[], str]) -> None:
    write(path, text())
