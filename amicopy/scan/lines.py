"""Matches the rules with the lines of one file."""

import codecs
import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from amicopy.scan.regions import ANY_REGION
from amicopy.scan.result import Severity
from amicopy.scan.rule import AN_ID, Rule

_LONGEST = 2000  # characters of a line that are matched at once; a longer one is cut
_OVERLAP = 200
_AROUND = 3  # lines before and after that tell a list of regions, or a store that is not of AWS
# Stores with S3's interface whose regions are not AWS's.
_ELSEWHERE = re.compile(
    r"(?i:wasabisys|digitaloceanspaces|linodeobjects|backblazeb2|cloudflarestorage|aliyuncs|minio|localstack)"
    r"|(?:localhost|127\.0\.0\.1|host\.docker\.internal):(?:4566|9000)"
)
_A_LIST = 3  # different regions make one
_MOST_SHOWN = 120
MOST_PER_FILE = 200

_COMMENT = re.compile(r"\s*(?:#|;|//|/\*|<!--|(?i:rem|@rem|dnl)\s|--\s+[A-Z])")
_STAR_COMMENT = re.compile(r"\s*\*(?:\s|/|$)")
_STAR_SUFFIXES = (".java", ".js", ".ts", ".c", ".h", ".cpp", ".go", ".php", ".css", ".kt", ".cs", ".rs", ".swift")
_UTF_16 = {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
_NEWLINE = re.compile("\n")
_AN_ID_BYTES = re.compile(AN_ID.pattern.encode())
# Examples, tests and documentation. A folder `test` or `docs` is none of them: it may be what is deployed there.
_SHOWS = re.compile(
    r"/(?:examples?|samples?|tests|testdata|fixtures|__tests__|spec)/|\.(?:example|sample|dist|md|rst|adoc)$|\.(?:example|sample)\.\w{1,8}$"
    r"|/(?:test_[^/]*\.py|[^/]*_(?:test|spec)\.(?:go|py|rb)|[^/]*\.(?:test|spec)\.[jt]sx?|(?:readme|changelog|notes)(?:\.txt)?)$",
    re.IGNORECASE,
)
_RESOLV_CONF = "/etc/resolv.conf"
_REST = re.compile(r"\s#\s|;\s*//")


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that a line matches."""

    rule: Rule
    line: int
    excerpt: str
    text: str  # of the line; it may hold secrets: not to be shown


class Matcher:
    """Finds the lines of files that match rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._literals = {text: text.encode() for rule in rules if rule.paths is None for text in rule.literals}
        self._wants_ids = any(not rule.literals for rule in rules)
        self._everywhere = tuple(rule for rule in rules if rule.paths is None)
        paths = [f"(?:{rule.paths.pattern})" for rule in rules if rule.paths]
        self._special = re.compile("|".join(paths)) if paths else None

    def matches(self, data: bytes, path: str) -> list[Match]:
        """Return the matches in a file; of one rule at most one on a line."""
        plain = in_utf_8(data)
        # Most files end here, so it has to be fast: searching is faster in bytes than in text.
        present = {literal for literal, searched in self._literals.items() if searched in plain}
        some = self._of(path)
        present |= {literal for rule in some if rule.paths for literal in rule.literals if literal.encode() in plain}
        has_ids = self._wants_ids and _AN_ID_BYTES.search(plain) is not None
        if not present and not has_ids:
            return []
        rules = [
            rule
            for rule in some
            if (any(literal in present for literal in rule.literals) if rule.literals else has_ids)
        ]
        text = plain.decode("utf-8", "replace")
        starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]
        lines = _Lines(text, starts, path)
        found: list[Match] = []
        numbers = {bisect_right(starts, position) for position in _positions(text, present, has_ids=has_ids)}
        for number in sorted(numbers):
            found += _in_line(lines, number, rules)
            if len(found) >= MOST_PER_FILE:
                break
        return [_as_important(match, path) for match in found]

    def _of(self, path: str) -> Sequence[Rule]:
        """Return the rules for a file of this path."""
        if self._special is None or not self._special.search(path):
            return self._everywhere
        return [rule for rule in self._rules if rule.paths is None or rule.paths.search(path)]


def _positions(text: str, literals: Iterable[str], *, has_ids: bool) -> Iterator[int]:
    """Yield where a rule may match."""
    for literal in literals:
        position = text.find(literal)
        while position >= 0:
            yield position
            position = text.find(literal, position + len(literal))
    if has_ids:
        yield from (match.start() for match in AN_ID.finditer(text))


def _in_line(lines: "_Lines", number: int, rules: Sequence[Rule]) -> Iterator[Match]:
    line = lines[number]
    comment = lines.comment_start(number)
    seen: set[str] = set()
    for start in range(0, max(1, len(line) - _OVERLAP), _LONGEST - _OVERLAP):
        piece = line[start : start + _LONGEST]
        taken: list[tuple[int, int]] = []
        for rule in rules:
            matches = list(_accepted(rule, piece, comment - start, taken))
            if not matches or (not rule.in_lists and lines.is_list(number)):
                continue
            if rule.after and not rule.after.search(lines.before(number)):
                continue
            taken += [match.span() for match in matches]
            if rule.name not in seen:
                seen.add(rule.name)
                is_aws = rule.name != "region-setting" or not lines.is_elsewhere(number)
                counted = rule if is_aws else replace(rule, severity=Severity.LOW)
                yield Match(counted, number, _excerpt(rule, matches[0]), piece)


def _accepted(rule: Rule, text: str, comment: int, taken: Sequence[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """Yield the matches that are accepted, in no comment, and not at the place of another rule's."""
    if (comment <= 0 and not rule.in_comments) or (rule.literals and not any(map(text.__contains__, rule.literals))):
        return
    for match in rule.pattern.finditer(text):
        if not rule.in_comments and match.start() >= comment:
            return
        if (rule.accepts and not rule.accepts(match)) or _is_example(rule, match):
            continue
        if all(match.end() <= start or match.start() >= end for start, end in taken):
            yield match


class _Lines:
    """The lines of a text, by number from 1, and what is said about them."""

    def __init__(self, text: str, starts: Sequence[int], path: str) -> None:
        self._text = text
        self._starts = starts
        self._has_stars = path.endswith(_STAR_SUFFIXES)
        self._regions: dict[int, set[str]] = {}

    def __getitem__(self, number: int) -> str:
        end = self._starts[number] if number < len(self._starts) else len(self._text)
        return self._text[self._starts[number - 1] : end].rstrip("\r\n")

    def before(self, number: int) -> str:
        """Return the line before one; empty if there is none."""
        return self[number - 1][:_LONGEST] if number > 1 else ""

    def comment_start(self, number: int) -> int:
        """Return where the comment of a line begins; beyond its end if it has none."""
        line = self[number]
        if _COMMENT.match(line) or (self._has_stars and _STAR_COMMENT.match(line)):
            return 0
        rest = _REST.search(line)
        return rest.start() if rest else len(line) + 1

    def is_list(self, number: int) -> bool:
        """Return whether the line is in a list of regions, as programs and documentation have them."""
        regions: set[str] = set()
        for near in self._around(number):
            if near not in self._regions:
                self._regions[near] = set(ANY_REGION.findall(self[near][:_LONGEST]))
            regions |= self._regions[near]
        return len(regions) >= _A_LIST

    def is_elsewhere(self, number: int) -> bool:
        """Return whether the lines around name a store that is not of AWS."""
        return any(_ELSEWHERE.search(self[near][:_LONGEST]) for near in self._around(number))

    def _around(self, number: int) -> range:
        return range(max(1, number - _AROUND), min(len(self._starts), number + _AROUND) + 1)


def in_utf_8(data: bytes) -> bytes:
    """Return the text in a file, also if it is in UTF-16 as Windows writes it; nothing if it is not text."""
    if data[:2] in _UTF_16:
        return data.decode("utf-16", "replace").encode()
    return b"" if b"\0" in data[:4096] else data


def _as_important(match: Match, path: str) -> Match:
    """Return the match; of low severity where its file shows or tests something, or where DHCP writes it anew."""
    rule = match.rule
    shows = _SHOWS.search(path) is not None and rule.group != "secrets"
    if rule.severity > Severity.LOW and (shows or (rule.name == "resolver" and path == _RESOLV_CONF)):
        return replace(match, rule=replace(rule, severity=Severity.LOW))
    return match


def _is_example(rule: Rule, match: re.Match[str]) -> bool:
    text = match[0]
    if "EXAMPLE" in text:
        return True
    return rule.group != "secrets" and ("example" in text or "xxxx" in text)


def _excerpt(rule: Rule, match: re.Match[str]) -> str:
    """Return what is shown: the match alone, never the line around it, and of a secret only what recognizes it."""
    if rule.secret is None:
        text = " ".join(match[0].split())
        return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
    value = match[rule.secret]
    if rule.name == "secret-password":  # short enough to be guessed from a digest
        return f"(password, {len(value)} characters)"
    digest = hashlib.sha256(value.encode()).hexdigest()[:8]
    return f"{value[:4]}… ({len(value)} characters, sha256 {digest})"
