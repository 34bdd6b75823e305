"""From ``--profile``, ``--endpoint-url`` and ``--sandbox`` to a session."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from amicopy.aws.session import Session
from amicopy.cli.environment import Environment
from amicopy.cli.option_values import ConnectionOptions, OutputOptions
from amicopy.cli.output_files import write_failure
from amicopy.cli.signals import ending_on_interrupt, stopping_on_signals
from amicopy.cli.terminal import exit_code_of, reported_bug, say, tell_failure
from amicopy.core.clock import Clock
from amicopy.core.errors import AmicopyError, ExitCode, ImageNotFound, SandboxUnavailable
from amicopy.jobs.context import Context
from amicopy.render.json_documents import failure_document

if TYPE_CHECKING:
    from amicopy.sandbox.behavior import Rates
    from amicopy.sandbox.http.server import Sandbox


def run_connected(
    command: str,
    environment: Environment,
    connection: ConnectionOptions,
    output: OutputOptions,
    run: Callable[[Context], int],
) -> int:
    """Call ``run`` with the context that the options describe; return its exit code, or that of an early failure."""
    failure: AmicopyError
    with contextlib.ExitStack() as stack:
        if output.verbose:
            stack.enter_context(calls_logged())
        if environment.handle_signals:
            stack.enter_context(stopping_on_signals(environment.stop))
        try:
            session = stack.enter_context(connected(connection, environment.clock))
            return run(environment.context(session, quiet=output.quiet))
        except AmicopyError as error:
            failure, code = _explained(error, connection), exit_code_of(error, environment.stop)
        except Exception as error:
            failure, code = reported_bug(error), ExitCode.BUG
        write_failure(output, failure_document(command, failure, code), command, failure, code)
        told = tell_failure(command, failure, code, output.format)
        if output.github:
            from amicopy.render.github import failure_annotation

            say([failure_annotation(failure)])
        return told


def _explained(error: AmicopyError, connection: ConnectionOptions) -> AmicopyError:
    """Return the error; of an AMI that a sandbox doesn't have, with where to find those that it has."""
    if not isinstance(error, ImageNotFound):
        return error
    from amicopy.sandbox.settings import KEY_PREFIX

    if not (connection.sandbox or os.environ.get("AWS_ACCESS_KEY_ID", "").startswith(KEY_PREFIX)):
        return error
    begins = error.next_step
    if begins and not begins.endswith("."):
        begins += "."
    return error.with_next_step(
        f"{begins} A sandbox has only its own AMIs: amicopy sandbox lists the samples.".lstrip()
    )


@contextlib.contextmanager
def connected(options: ConnectionOptions, clock: Clock) -> Iterator[Session]:
    """Yield the session that the options describe; a sandbox ends with it.

    Raises:
        CredentialsMissing: the profile or the configuration cannot be used.
        SandboxUnavailable: its libraries are not installed.
    """
    if not options.sandbox:
        yield Session(profile=options.profile, endpoint_url=options.endpoint_url, while_asking=ending_on_interrupt)
        return
    with started_sandbox(clock) as running:
        keys = running.environment
        yield Session(
            endpoint_url=running.endpoint_url,
            credentials=(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]),
            region=keys["AWS_REGION"],
            ignore_proxies=True,
        )


def started_sandbox(
    clock: Clock,
    *,
    port: int = 0,
    rates: "Rates" = "none",
    consistency: float = 0.0,
    copy_seconds: float | None = None,
    regions: Collection[str] | None = None,
    accounts: int = 0,
) -> "Sandbox":
    """Return a running sandbox with the sample AMIs.

    ``consistency`` is how many seconds a new image stays invisible. ``copy_seconds`` is how long a copy takes; None:
    a few seconds, more for larger snapshots. ``regions`` are those that exist; None: all, and those enabled by default.
    ``accounts`` is the number of sample accounts beside the default one.

    Raises:
        SandboxUnavailable: its libraries are not installed, or the port is taken.
    """
    try:
        from amicopy.sandbox.http.server import Sandbox
    except ModuleNotFoundError as error:
        raise SandboxUnavailable(
            "The sandbox is not installed.",
            why=f"There is no Python module {error.name}.",
            next_step="Install it: pip install 'amicopy[sandbox]'",
        ) from error
    from amicopy.sandbox.behavior import timing_of

    timing = timing_of(copy_seconds=copy_seconds, consistency=consistency)
    return Sandbox.start(clock=clock, port=port, rates=rates, timing=timing, regions=regions, accounts=accounts)


@contextlib.contextmanager
def calls_logged() -> Iterator[None]:
    """Write one line per AWS call to stderr, for ``-v``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("aws    %(message)s"))
    log = logging.getLogger("amicopy.calls")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
