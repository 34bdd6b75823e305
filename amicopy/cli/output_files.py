"""Where the result of a run goes beside stdout: files in any format, GitHub's, a page for people.

Refuses to start a run whose results could not be written.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from amicopy.cli.options import option, stacked
from amicopy.core.errors import AmicopyError, ExitCode, OutputFailed, UsageError

EXPORTED = ("tfvars", "cfn", "env", "markdown")
FILE_FORMATS = ("text", "table", "json", *EXPORTED)


class FormatAndFile(click.ParamType[tuple[str, str]]):
    """A format and the file that is to hold it."""

    name = "format=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return both, or fail with the formats that there are."""
        if isinstance(value, tuple):
            return value
        form, sign, path = value.partition("=")
        if not sign or not path or form not in FILE_FORMATS:
            self.fail(f"{value!r}: write FORMAT=FILE, FORMAT one of {', '.join(FILE_FORMATS)}.", param, ctx)
        return form, path


file_options = stacked(
    option(
        "--write",
        "files",
        multiple=True,
        type=FormatAndFile(),
        help="Write the result to a file too: text, table, json, tfvars, cfn, env or markdown; repeatable. Written "
        "whole or not at all, also when the run fails.",
    ),
    option("--report", "page", metavar="FILE", help="Write a page for people: every region's timeline, as HTML."),
    option("--github", is_flag=True, help="In GitHub Actions: fill the step's outputs and summary, annotate failures."),
)

_GITHUB = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


def check_files(options: Mapping[str, Any]) -> None:
    """Find out, before anything starts, whether all that was asked for can be written.

    Raises:
        UsageError: a file cannot be written, is named twice, or GitHub has named none.
    """
    paths = [path for _, path in options["files"]] + ([options["page"]] if options["page"] else [])
    if not paths and not options["github"]:
        return
    from amicopy.render.files import check_writable

    real = [os.path.realpath(path) for path in paths]
    for path, place in zip(paths, real, strict=True):
        if real.count(place) > 1 and Path(place).is_file() | (not Path(place).exists()):
            raise UsageError(f"{path} is named twice.", next_step="Give each output a file of its own.")
        check_writable(path)
    for name in _GITHUB if options["github"] else ():
        if not os.environ.get(name):
            raise UsageError(
                f"--github: {name} is not set.",
                why="GitHub Actions sets it in every step; this does not seem to be one.",
                next_step="Leave --github out here, or write files: --write env=amis.env",
            )
        check_writable(os.environ[name])


def write_files(tasks: Iterable[tuple[str, Callable[[], None]]]) -> Sequence[AmicopyError]:
    """Do every write; return an error for each that failed: the others are not lost with it."""
    errors: list[AmicopyError] = []
    for path, write in tasks:
        try:
            write()
        except OSError as error:
            errors.append(
                OutputFailed(
                    f"{path} could not be written.",
                    why=f"{error.strerror or error}.",
                    next_step="The copies are not touched by that; run the same command again.",
                )
            )
    return errors


def write_failure(options: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Write the document of a run that ended before it had a plan to the JSON files asked for.

    Maps and pages stay as they were: who deploys from one would lose all its ids. What cannot be written is passed
    over: the failure itself is what has to be told.
    """
    paths = [path for form, path in options.get("files", ()) if form == "json"]
    if not paths:
        return
    from amicopy.render.files import check_writable, write_atomically
    from amicopy.render.result import json_of

    for path in paths:
        with contextlib.suppress(OSError, UsageError):
            check_writable(path)
            write_atomically(path, json_of(document))


def wanted_files(
    options: Mapping[str, Any], formats: Mapping[str, Callable[[], str]], code: ExitCode, report: Any
) -> Iterable[tuple[str, Callable[[], None]]]:
    """Yield each file that the options ask for, with what writes it."""
    from amicopy.render.files import write_atomically

    for form, path in options["files"]:
        yield path, partial(_write, write_atomically, path, formats[form])
    if options["page"]:
        yield options["page"], partial(_write, write_atomically, options["page"], formats["page"])
    if options["github"]:
        from amicopy.render import github

        for name, text in zip(_GITHUB, (github.outputs(report, code), github.summary(report)), strict=True):
            yield name, partial(github.append, os.environ[name], text)


def _write(write: Callable[[str, str], None], path: str, text: Callable[[], str]) -> None:
    write(path, text())
