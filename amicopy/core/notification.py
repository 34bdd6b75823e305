"""Whom a run tells when everything is written: an SNS topic, an EventBridge bus, or a command."""

import re
from dataclasses import dataclass

from amicopy.core.check import Check, check_problem

_ARN = re.compile(
    r"arn:[a-z-]+:(?P<service>sns|events):(?P<region>[a-z0-9-]+):[0-9]{12}:(?:event-bus/)?[A-Za-z0-9_.@/-]+"
)
_EVENT_BUS = re.compile(r"arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One of them; ``text`` is as the user wrote it."""

    text: str
    service: str = ""  # sns or events; empty for a command
    region: str = ""  # of the topic or the bus, where it is called

    @classmethod
    def parse(cls, text: str) -> "Notification":
        """Return what the user wrote: the ARN of a topic or an event bus, or a command.

        Raises:
            ValueError: it is another ARN, or a command that cannot be run; the message says why.
        """
        if not text.startswith("arn:"):
            if problem := check_problem(Check(command=text)):
                raise ValueError(problem)
            return cls(text=text)
        match = _ARN.fullmatch(text)
        if match is None or (match["service"] == "events") != bool(_EVENT_BUS.fullmatch(text)):
            raise ValueError(
                f"{text!r} is not the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME) or an event bus "
                "(arn:aws:events:REGION:ACCOUNT:event-bus/NAME)"
            )
        return cls(text=text, service=match["service"], region=match["region"])
