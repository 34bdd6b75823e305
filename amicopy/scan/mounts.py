"""Mounts that keep an instance from booting: what fstab and mount units name that other regions do not have."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from amicopy.scan.lines import Match
from amicopy.scan.result import Severity

_MAY_FAIL = re.compile(r"(?<![\w.-])(?:nofail|noauto|x-systemd\.automount|comment=systemd\.automount)(?![\w.-])")
_REQUIRED = re.compile(rb"^\s*RequiredBy\s*=", re.MULTILINE)
_RULES = {"efs-id", "endpoint", "private-dns", "public-dns", "resource-id"}
_MESSAGE = "the instance does not boot without it, and another region does not have it"
_MESSAGE_NOFAIL = "mounted at boot, and another region does not have it"
_ADVICE = "mount it from user data, with the file system of the instance's region; until then add nofail"


def with_boot_findings(matches: Iterable[Match], path: str, content: bytes) -> Iterator[Match]:
    """Yield the matches; those that name what is mounted at boot as ``boot-fstab``, one for each line."""
    is_table = path == "/etc/fstab"
    is_unit = path.endswith((".mount", ".automount")) and "/systemd/" in path
    seen: set[int] = set()
    for match in matches:
        if match.rule.name not in _RULES or not (is_table or is_unit):
            yield match
        elif match.line not in seen:
            seen.add(match.line)
            may_fail = _MAY_FAIL.search(match.text) if is_table else not _REQUIRED.search(content)
            yield replace(
                match,
                rule=replace(
                    match.rule,
                    name="boot-fstab",
                    severity=Severity.HIGH if may_fail else Severity.CRITICAL,
                    message=_MESSAGE_NOFAIL if may_fail else _MESSAGE,
                    advice=_ADVICE,
                ),
            )
