"""The file that names findings which are known and accepted, each with its reason."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

_LINE = re.compile(r"(?P<rule>[\w*?-]+):(?P<path>\S.*?)(?:\s+#\s*(?P<reason>.*))?")
_RULES = """
    boot-fstab endpoint arn region-setting resource-id efs-id az private-dns public-dns endpoint-old host-code
    short-code resolver model-profile sdk-enum account-id mirror bare-region endpoint-other global-service
    secret-aws-key secret-aws-secret secret-private-key secret-token secret-password
    left-authorized-keys left-host-key left-ssh-key left-history left-credentials left-user-data
"""
RULES = frozenset(_RULES.split())
"""The names of all rules of a scan."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Findings of a rule in files, both patterns, that do not count. ``file`` is the ignore file that says so."""

    rule: str
    path: str
    reason: str
    file: str = ""

    def covers(self, rule: str, path: str) -> bool:
        """Return whether a finding is meant: one that `is_sensitive` only by the beginning of its rule's name."""
        if is_sensitive(rule) and not is_sensitive(self.rule):
            return False
        return fnmatchcase(rule, self.rule) and fnmatchcase(path, self.path)


def parse(text: str, file: str = "") -> tuple[tuple[Ignored, ...], tuple[str, ...]]:
    """Return the entries ``RULE:PATH  # reason`` of an ignore file, and the problems of other lines."""
    entries: list[Ignored] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            problems.append(f"line {number}: write RULE:PATH  # reason")
        elif not any(fnmatchcase(rule, match["rule"]) for rule in RULES):
            near = get_close_matches(match["rule"], RULES, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"line {number}: there is no rule {match['rule']}{meant}")
        elif not (match["reason"] or "").strip():
            problems.append(f"line {number}: a reason is missing: {match['rule']}:{match['path']}  # reason")
        else:
            entries.append(Ignored(match["rule"], match["path"], match["reason"].strip(), file))
    return tuple(entries), tuple(problems)


def is_sensitive(rule: str) -> bool:
    """Return whether a rule finds what nobody else may get: secrets, and what an instance leaves in its image."""
    return rule.startswith(("secret-", "left-"))
