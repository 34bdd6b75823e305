"""From ``--profile``, ``--endpoint-url`` and ``--sandbox`` to a session.

Refuses to call AWS.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator

from amicopy.clock import Clock
from amicopy.errors import UsageError
from amicopy.session import Session


@contextlib.contextmanager
def connected(*, profile: str | None, endpoint_url: str | None, sandbox: bool, clock: Clock) -> Iterator[Session]:
    """Yield the session that the options ask for; a sandbox lives as long as it is used.

    Raises:
        CredentialsMissing: the profile or the configuration cannot be used.
        SandboxUnavailable: its libraries are not installed.
    """
    if not sandbox:
        yield Session(profile=profile, endpoint_url=endpoint_url)
        return
    from amicopy.sandbox.server import Sandbox

    with Sandbox.start(clock=clock) as running:
        keys = running.environment
        yield Session(
            endpoint_url=running.endpoint_url,
            credentials=(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]),
            region=keys["AWS_REGION"],
        )


def source_region_of(session: Session, asked: str | None) -> str:
    """Return the region that the sources are in: the one asked for, or the configured one.

    Raises:
        UsageError: there is neither.
    """
    region = asked or session.region
    if not region:
        raise UsageError(
            "In which region are the AMIs?",
            why="There is no --from, and neither AWS_REGION nor the profile configures a region.",
            next_step="Name it: --from us-east-1",
        )
    return region


def log_calls() -> None:
    """Write one line per AWS call to stderr, for ``-v``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("aws    %(message)s"))
    log = logging.getLogger("amicopy.calls")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
