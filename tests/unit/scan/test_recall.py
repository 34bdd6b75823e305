"""How much is found of what engineers know to pin an image: lines that were written without knowing the rules.

Each case is a file; 240 have one line that pins the image to us-east-1, to its account, or is a secret, 120 have none.
Before any rule was tuned on them, 182 of the 199 pins were found, 164 of them at medium severity or above, 11 of the 41
secrets, and 10 of the 120 other files had a false finding. The numbers here are those of today: they say that nothing
got worse, not how much is found elsewhere.
"""

import json
import lzma
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amicopy.scan.lines import Match, Matcher
from amicopy.scan.mounts import with_boot_findings
from amicopy.scan.result import ScanOptions, Severity
from amicopy.scan.rules import rules_for
from amicopy.scan.select import Selection

CASES = [
    json.loads(line)
    for line in lzma.decompress((Path(__file__).parent / "fixtures" / "lines.jsonl.xz").read_bytes()).splitlines()
]
OPTIONS = ScanOptions(
    region="us-east-1", account="111122223333", to_other_account=True, rules=("region", "account", "secrets")
)
LINUX = ("bin", "etc", "home", "opt", "root", "srv", "usr", "var")
WINDOWS = ("Program Files", "ProgramData", "Users", "Windows")


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    """The rules for all of it."""
    return Matcher(rules_for(OPTIONS))


def findings(case: dict[str, Any], matcher: Matcher) -> list[Match]:
    """Return what a scan finds in a file, if it reads it at all."""
    path = case["path"]
    root = path.split("/")[1]
    selection = Selection(WINDOWS if root in {*WINDOWS, "Program Files (x86)", "inetpub"} else LINUX, deep=False)
    if any(map(selection.why_not_entered, _folders(path))) or selection.why_not_read(path):
        return []
    content = case["content"].encode()
    return list(with_boot_findings(matcher.matches(content, path), path, content))


def _folders(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)) != "/":
        yield path


def test_what_is_found_of_what_pins_an_image(matcher: Matcher) -> None:
    pins = [case for case in CASES if case["kind"] not in {"", "secret"}]
    found = [[one for one in findings(case, matcher) if one.line == case["line"]] for case in pins]
    severe = [any(one.rule.severity >= Severity.MEDIUM for one in some) for some in found]
    assert (len(pins), sum(map(bool, found)), sum(severe)) == (199, 191, 182)


def test_what_is_found_of_secrets(matcher: Matcher) -> None:
    secrets = [case for case in CASES if case["kind"] == "secret"]
    found = [any(one.line == case["line"] for one in findings(case, matcher)) for case in secrets]
    assert (len(secrets), sum(found)) == (41, 24)


def test_what_is_found_where_nothing_is(matcher: Matcher) -> None:
    others = [case for case in CASES if not case["kind"]]
    false = [
        case["path"] for case in others if any(one.rule.severity >= Severity.MEDIUM for one in findings(case, matcher))
    ]
    assert (len(others), len(false)) == (120, 5), false
