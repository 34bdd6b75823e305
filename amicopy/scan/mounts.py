"""Mounts that keep an instance from booting: what fstab and mount units name that other regions do not have."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from amicopy.scan.lines import Match, shown
from amicopy.scan.result import Severity
from amicopy.scan.rule import Rule

_MAY_FAIL = re.compile(r"(?<![\w.-])(?:nofail|noauto|x-systemd\.automount|comment=systemd\.automount)(?![\w.-])")
_REQUIRED = re.compile(rb"^\s*RequiredBy\s*=", re.MULTILINE)
_RULES = {"efs-id", "endpoint", "private-dns", "public-dns", "resource-id"}
_MESSAGE = "the instance does not boot without it, and another region does not have it"
_MESSAGE_NOFAIL = "mounted at boot, and another region does not have it"
_NETWORK = frozenset({"ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"})
_LOCAL = re.compile(r"(?://)?(?:localhost|127\.|\[?::1)")
_ADVICE = "mount it from user data, with the file system of the instance's region; until then add nofail"
_NETWORK_RULE = Rule(
    "boot-fstab",
    "region",
    Severity.MEDIUM,
    "mounted from a host at boot: the instance hangs where the network does not have it",
    "add nofail, or mount it from user data",
    re.compile(""),
    (),
)


def with_boot_findings(
    matches: Iterable[Match], path: str, content: bytes, *, of_region: bool = True
) -> Iterator[Match]:
    """Yield the matches; those that name what is mounted at boot as ``boot-fstab``, one for each line.

    With ``of_region``, also what is mounted from a host of the network.
    """
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
    if is_table and of_region:
        yield from _network_mounts(content, seen)


def _network_mounts(content: bytes, seen: set[int]) -> Iterator[Match]:
    """Yield the lines of fstab that mount from a host at boot, whatever its name: the other network may not have it."""
    for number, text in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        fields = text.split()
        if len(fields) < 4 or text.lstrip().startswith("#") or number in seen or fields[2] not in _NETWORK:
            continue
        if _MAY_FAIL.search(text) or _LOCAL.match(fields[0]):
            continue
        excerpt = shown(" ".join(fields[:3]))  # the options can hold a password
        yield Match(rule=_NETWORK_RULE, line=number, excerpt=excerpt, text=text)
