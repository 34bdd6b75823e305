"""What the shared options amount to, as values: click's dictionary of options ends in the commands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from amicopy.core.notification import Notification
from amicopy.core.run_options import RunOptions

_LONGEST_TIMEOUT = timedelta(days=3650)  # added to a date, which must stay one


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Which EC2 to call, and with which credentials."""

    profile: str | None = None
    endpoint_url: str | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is written where."""

    format: str
    quiet: bool = False
    verbose: bool = False
    files: tuple[tuple[str, str], ...] = ()  # format and path
    html: str = ""  # path of the HTML report
    github: bool = False
    notifications: tuple[Notification, ...] = ()

    @property
    def paths(self) -> list[str]:
        """Every requested file, except those of GitHub."""
        return [path for _, path in self.files] + ([self.html] if self.html else [])


def connection_from(options: Mapping[str, Any]) -> ConnectionOptions:
    """Return what `--profile`, `--endpoint-url` and `--sandbox` say.

    Raises:
        click.UsageError: they name two endpoints.
    """
    if options["sandbox"] and options["endpoint_url"]:
        raise click.UsageError("--sandbox and --endpoint-url cannot be used together: each is an EC2 endpoint.")
    if options["sandbox"] and options["profile"]:
        raise click.UsageError("--sandbox and --profile cannot be used together: the sandbox uses no real credentials.")
    return ConnectionOptions(
        profile=options["profile"], endpoint_url=options["endpoint_url"], sandbox=options["sandbox"]
    )


def output_from(options: Mapping[str, Any]) -> OutputOptions:
    """Return what the options for output say; a command without files has none."""
    return OutputOptions(
        format=options["output"],
        quiet=options["quiet"],
        verbose=options["verbose"],
        files=tuple(options.get("files", ())),
        html=options.get("html") or "",
        github=options.get("github", False),
        notifications=tuple(options.get("notifications", ())),
    )


def run_from(options: Mapping[str, Any]) -> RunOptions:
    """Return what the options of a run say."""
    return RunOptions(
        timeout=min(options["timeout"], _LONGEST_TIMEOUT),
        wait=not options["no_wait"],
        share_when_all=options["share_when"] == "all",
        cancel_failed=options["on_failure"] == "cancel",
        cancel_interrupted=options["on_interrupt"] == "cancel",
        most_in_flight=options["max_in_flight"],
        most_checks=options["max_checks"],
    )
