"""What a function is configured with: environment variables, and the sessions that its passes share."""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amicopy.aws.session import Session
from amicopy.core.errors import UsageError
from amicopy.core.notification import Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One function's settings."""

    manifest: str  # a path in the bundle, s3://BUCKET/KEY or ssm:PARAMETER
    folder: Path = Path()  # of the bundle
    region: str = ""  # the function's own
    queue_url: str = ""
    table: str = ""
    notify: str = ""  # ARNs of SNS topics and event buses

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> "Settings":
        """Return what the environment says."""
        return cls(
            manifest=variables.get("AMICOPY_MANIFEST") or "amis.yaml",
            folder=Path(variables.get("LAMBDA_TASK_ROOT", ".")),
            region=variables.get("AWS_REGION", ""),
            queue_url=variables.get("AMICOPY_QUEUE_URL", ""),
            table=variables.get("AMICOPY_TABLE", ""),
            notify=variables.get("AMICOPY_NOTIFY", ""),
        )

    def notifications(self) -> tuple[Notification, ...]:
        """Return whom a pass tells that everything is done.

        Raises:
            UsageError: one is not the ARN of a topic or an event bus, or no table is set for what was sent.
        """
        try:
            found = tuple(_topic_or_bus(text) for text in self.notify.replace(",", " ").split())
        except ValueError as error:
            raise UsageError(
                "AMICOPY_NOTIFY has a target that cannot be notified, so nothing was done.",
                why=f"{error}.",
                next_step="Give the ARNs of SNS topics and EventBridge buses, separated by commas.",
            ) from error
        if found and not self.table:
            raise UsageError(
                "AMICOPY_NOTIFY is set, but not AMICOPY_TABLE, so nothing was done.",
                why="What was sent is recorded in a DynamoDB table, so that it is not sent again.",
                next_step="Set AMICOPY_TABLE in the function's configuration, as examples/lambda does.",
            )
        return found

    def check_shared(self) -> None:
        """Check that there is a queue and a table.

        Raises:
            UsageError: one is missing.
        """
        named = {"AMICOPY_QUEUE_URL": self.queue_url, "AMICOPY_TABLE": self.table}
        if missing := [name for name, value in named.items() if not value]:
            raise UsageError(
                f"The function has no {' and no '.join(missing)}.",
                next_step="Set them in the function's configuration, as examples/lambda/fan-out.yaml does.",
            )


def _topic_or_bus(text: str) -> Notification:
    """Return a target that is an ARN.

    Raises:
        ValueError: it is not, or it is another one.
    """
    if not text.startswith("arn:"):
        raise ValueError(f"{text!r} is not an ARN, and a function runs no commands")
    return Notification.parse(text)


@functools.cache
def session() -> Session:
    """Return the session of all passes: a warm function keeps its clients and their connections."""
    return Session()


@functools.cache
def session_of_functions() -> Session:
    """Return the session for S3, SQS and DynamoDB: their clients bring all of botocore's handlers into a session."""
    return Session()
