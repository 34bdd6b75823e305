"""``amicopy sync --check-only``: everything in manifests that can be checked without calling AWS."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import click

from amicopy.aws.session import Session
from amicopy.cli.named_files import manifest_content
from amicopy.cli.option_values import OutputOptions
from amicopy.cli.terminal import tell_failure, to_stdout
from amicopy.core.errors import ExitCode, ManifestInvalid, UsageError
from amicopy.core.request import MANIFEST
from amicopy.jobs.context import Context
from amicopy.jobs.entries import check_entries
from amicopy.manifest.model import Entry
from amicopy.manifest.read import read_manifest
from amicopy.render.json_documents import manifests_document
from amicopy.render.result import write_json
from amicopy.render.text import counted


def check_manifests(paths: Sequence[str], output: OutputOptions) -> int:
    """Check the manifests; return the exit code, with the problems of all of them on stderr.

    Needs no credentials. What depends on the account (does the source exist, is the region enabled) is not checked.
    """
    session = Session()
    entries: dict[str, int] = {}
    problems: list[UsageError] = []
    for path in paths:
        try:
            entries[path] = len(_check(path, session))
        except UsageError as error:
            problems.append(error)
    if problems:
        return tell_failure("sync", _together(problems), ExitCode.USAGE, output.format)
    if output.format in {"json", "jsonl"}:
        return int(to_stdout(partial(write_json, manifests_document(entries))))
    lines = [f"{path}: {counted(count, 'entry', 'entries')}, no problems" for path, count in entries.items()]
    return int(to_stdout(partial(click.echo, "\n".join(lines)))) if not output.quiet else 0


def _check(path: str, session: Session) -> tuple[Entry, ...]:
    """Return the entries of a manifest.

    Raises:
        ManifestInvalid: with everything that is wrong.
        UsageError: it cannot be read.
    """
    entries = read_manifest(path, manifest_content(path), regions=session.partitions.keys())
    # Where a source's region comes from the environment of the run, that region isn't known here.
    located = [entry for entry in entries if entry.source.region]
    check_entries(replace(Context(session=session), spelling=MANIFEST), located)
    return entries


def _together(problems: Sequence[UsageError]) -> UsageError:
    """Return the only problem, or one error with those of all manifests."""
    if len(problems) == 1:
        return problems[0]
    details = [line for error in problems for line in (error.details or [f"{error.what} {error.why}".rstrip()])]
    return ManifestInvalid(
        f"{len(problems)} manifests have errors.", details=tuple(details), next_step=problems[0].next_step
    )
