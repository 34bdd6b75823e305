"""What a rule is."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from amicopy.scan.result import Severity

AN_ID = re.compile(r"-(?:[0-9a-f]{17}|[0-9a-f]{8})(?![0-9a-zA-Z])")
"""What every id has; quick, because it begins with a sign that is rare."""


class Kind(Enum):
    """What a rule finds, where the lines around matter."""

    SETTING = auto()  # near a list of regions, or a store that is not of AWS, it has low severity
    ID = auto()  # near a list of regions it counts if neither its line nor the one before names one
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to look for in a line.

    ``literals`` are texts of which one is in every line that matches, for a quick search; none: `AN_ID` is.
    ``secret`` is the number of the group in ``pattern`` that is never printed. ``in_lists`` says that the rule holds in
    a list of regions too, and ``in_comments`` in comments. ``paths`` is what the path of a file has to look like,
    ``after`` what the line before has to look like. ``before`` has to match in front of ``pattern``, up to it
    (``\\Z``), and counts to the match: what is only looked for there costs nothing elsewhere. Of several matches at the
    same place the first rule counts.
    """

    name: str
    group: str
    severity: Severity
    message: str
    advice: str
    pattern: re.Pattern[str]
    literals: tuple[str, ...]
    secret: int | None = None
    kind: Kind = Kind.OTHER
    in_lists: bool = False
    in_comments: bool = False
    paths: re.Pattern[str] | None = None
    after: re.Pattern[str] | None = None
    before: re.Pattern[str] | None = None
    accepts: Callable[[re.Match[str]], bool] | None = None
