"""The file that names findings which are known and accepted, each with its reason."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

_LINE = re.compile(r"(?P<rule>[\w*?-]+):(?P<path>\S+)(?:\s+#\s*(?P<reason>.*))?")


@dataclass(frozen=True, slots=True)
class Ignored:
    """Findings of a rule in files, both patterns, that do not count."""

    rule: str
    path: str
    reason: str

    def covers(self, rule: str, path: str) -> bool:
        """Return whether a finding is meant."""
        return fnmatchcase(rule, self.rule) and fnmatchcase(path, self.path)


def parse(text: str) -> tuple[tuple[Ignored, ...], tuple[str, ...]]:
    """Return the entries ``RULE:PATH  # reason`` of an ignore file, and the problems of other lines."""
    entries: list[Ignored] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            problems.append(f"line {number}: write RULE:PATH  # reason")
        elif not (match["reason"] or "").strip():
            problems.append(f"line {number}: a reason is missing: {match['rule']}:{match['path']}  # reason")
        else:
            entries.append(Ignored(match["rule"], match["path"], match["reason"].strip()))
    return tuple(entries), tuple(problems)


def is_sensitive(rule: str) -> bool:
    """Return whether a rule finds what nobody else may get: secrets, and what an instance leaves in its image."""
    return rule.startswith(("secret-", "left-"))


def is_ignored(entries: Iterable[Ignored], rule: str, path: str) -> bool:
    """Return whether some entry covers a finding."""
    return any(entry.covers(rule, path) for entry in entries)
