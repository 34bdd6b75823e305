"""``amicopy scan``: read disks, report what points to their region, and what was read."""

import contextlib
from dataclasses import dataclass
from functools import partial

from amicopy.cli.connection import run_connected
from amicopy.cli.environment import Environment
from amicopy.cli.ignore_file import ignored_findings
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.signals import stopping_on_signals
from amicopy.cli.terminal import exit_code_of, reported_bug, say, tell_failure, to_stdout
from amicopy.core.errors import AmicopyError, ExitCode
from amicopy.jobs.context import Context
from amicopy.jobs.scan import ScanReport, scan_files
from amicopy.jobs.scan_snapshots import scan_snapshots
from amicopy.render.result import write_json, write_lines
from amicopy.render.scan import coverage_lines, finding_lines, sarif_document, scan_document, write_findings
from amicopy.scan.result import ScanOptions, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCommand:
    """One ``amicopy scan``, as it was typed."""

    connection: ConnectionOptions
    image_ids: tuple[str, ...]
    snapshots: tuple[str, ...]
    paths: tuple[str, ...]
    region: str
    to_regions: tuple[str, ...]
    to_accounts: tuple[str, ...]
    owner: str  # of what has no owner that is known
    deep: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    groups: tuple[str, ...]
    min_severity: str
    fail_on: str
    ignore_file: str | None
    max_blocks: int | None
    output: OutputOptions

    def options(self, region: str = "") -> ScanOptions:
        """Return what is looked for, in an image of ``region``.

        Raises:
            UsageError: the ignore file cannot be read, or a line of it is wrong.
        """
        return ScanOptions(
            region=region or self.region,
            to_regions=self.to_regions,
            account=self.owner,
            to_other_account=bool(set(self.to_accounts) - {self.owner}),
            to_accounts=self.to_accounts,
            deep=self.deep,
            include=self.include,
            exclude=self.exclude,
            rules=self.groups,
            ignored=ignored_findings(self.ignore_file),
            min_severity=Severity[self.min_severity.upper()],
        )

    @property
    def threshold(self) -> Severity | None:
        """The severity from which on findings fail the scan; None: never."""
        return None if self.fail_on == "never" else Severity[self.fail_on.upper()]


def scan(environment: Environment, command: ScanCommand) -> int:
    """Run ``amicopy scan``; return the exit code."""
    if command.paths:
        return _scan_files(environment, command)
    return run_connected("scan", environment, command.connection, command.output, partial(_scan_snapshots, command))


def _scan_snapshots(command: ScanCommand, context: Context) -> int:
    report = scan_snapshots(
        context,
        command.image_ids,
        command.snapshots,
        command.options(context.source_region(command.region)),
        max_blocks=command.max_blocks,
        fail_on=command.threshold,
    )
    return tell_scan(report, command.output)


def _scan_files(environment: Environment, command: ScanCommand) -> int:
    """Scan raw disk images, for which nothing of AWS is needed or imported."""
    failure: AmicopyError
    with contextlib.ExitStack() as stack:
        if environment.handle_signals:
            stack.enter_context(stopping_on_signals(environment.stop))
        try:
            report = scan_files(
                command.paths,
                command.options(),
                environment.stop,
                max_blocks=command.max_blocks,
                fail_on=command.threshold,
            )
            return tell_scan(report, command.output)
        except AmicopyError as error:
            failure, code = error, exit_code_of(error, environment.stop)
        except Exception as error:
            failure, code = reported_bug(error), ExitCode.BUG
    return tell_failure("scan", failure, code, command.output.format)


def tell_scan(report: ScanReport, output: OutputOptions) -> int:
    """Write a report in the requested format; return the exit code."""
    if output.format == "json":
        written = to_stdout(partial(write_json, scan_document(report)))
    elif output.format == "sarif":
        written = to_stdout(partial(write_json, sarif_document(report)))
    elif output.format == "text":
        written = to_stdout(partial(write_lines, finding_lines(report)))
    else:
        written = to_stdout(partial(write_findings, report))
    if output.format != "json" and not output.quiet:
        say(coverage_lines(report))
    return int(report.exit_code or written)
