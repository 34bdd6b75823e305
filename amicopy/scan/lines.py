"""Matches the rules with the lines of one file."""

import codecs
import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from amicopy.scan.regions import ANY_REGION
from amicopy.scan.result import Severity
from amicopy.scan.rule import AN_ID, Kind, Rule
from amicopy.scan.secret_rules import secret_rules

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
_MOST_IN_LINE = 10  # findings
_LONGEST_BEFORE = 300  # characters in front of a match
_REGION_KEY = re.compile(rf"\s*[\"']?{ANY_REGION.pattern}[\"']?\s*[:=]>?\s*\{{?\s*$")
MOST_PER_FILE = 200

_COMMENT = re.compile(r"\s*(?:#(?!define\s)|;|//|::\s|(?i:rem|@rem|dnl)\s|--\s+[A-Z])")
# What begins and ends a comment, which may have several lines, by what a name ends with.
_MARKUP = ("<!--", "-->"), (".xml", ".config", ".html", ".htm", ".xhtml", ".svg", ".csproj", ".props", ".targets")
_LANGUAGES = (
    ".java .js .ts .jsx .tsx .c .h .cpp .go .php .css .scss .kt .cs .rs .swift .tf .hcl .groovy .gradle .scala .sql"
)
_SLASH = ("/*", "*/"), tuple(_LANGUAGES.split())
_POWERSHELL = ("<#", "#>"), (".ps1", ".psm1", ".psd1")
_CLOSED = re.compile(r"\s*(?:/\*.*?\*/|<!--.*?-->|<#.*?#>)")
_OPEN = re.compile(r"\s*(?:/\*|<!--|<#)")
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

    def __init__(self, rules: Sequence[Rule], check: Callable[[], None] = lambda: None) -> None:
        """``check`` is called for each line that may match, and raises what ends the scan."""
        self._rules = rules
        self._check = check
        self._literals = {text: text.encode() for rule in rules if rule.paths is None for text in rule.literals}
        self._wants_ids = any(not rule.literals for rule in rules)
        self._everywhere = tuple(rule for rule in rules if rule.paths is None)
        paths = [f"(?:{rule.paths.pattern})" for rule in rules if rule.paths]
        self._special = re.compile("|".join(paths)) if paths else None

    def matches(self, data: bytes, path: str) -> list[Match]:
        """Return the matches in a file; the same text of one rule counts once on a line."""
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
            self._check()
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
    seen: set[tuple[str, str]] = set()
    for start in range(0, max(1, len(line) - _OVERLAP), _LONGEST - _OVERLAP):
        piece = line[start : start + _LONGEST]
        taken: list[tuple[int, int]] = []
        for rule in rules:
            places = list(_accepted(rule, piece, comment - start, taken))
            if not places or (rule.after and not rule.after.search(lines.before(number))):
                continue
            counted = _counted(rule, lines, number)
            if counted is None:
                continue
            taken += [(place.start, place.end) for place in places]
            for place in places:
                found = rule.name, piece[place.start : place.end]
                if found not in seen and len(seen) < _MOST_IN_LINE:
                    seen.add(found)
                    yield Match(counted, number, _excerpt(rule, place, piece, lines.path), piece)


def _counted(rule: Rule, lines: "_Lines", number: int) -> Rule | None:
    """Return the rule with the severity that it has in this line; None where a list of regions means nothing."""
    if rule.kind is Kind.SETTING and lines.is_elsewhere(number):
        return replace(rule, severity=Severity.LOW)
    if rule.in_lists or not lines.is_list(number):
        return rule
    regions = set(ANY_REGION.findall(lines[number][:_LONGEST]))
    match rule.kind:
        case Kind.SETTING if len(regions) < _A_LIST:
            return replace(rule, severity=Severity.LOW)
        case Kind.ID if not regions and not _REGION_KEY.match(lines.before(number)):
            return rule
    return None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a rule has matched, with what stands before that."""

    start: int
    end: int
    match: re.Match[str]


def _accepted(rule: Rule, text: str, comment: int, taken: Sequence[tuple[int, int]]) -> Iterator[_Place]:
    """Yield the matches that are accepted, in no comment, and not at the place of another rule's."""
    if (comment <= 0 and not rule.in_comments) or (rule.literals and not any(map(text.__contains__, rule.literals))):
        return
    for match in rule.pattern.finditer(text):
        if not rule.in_comments and match.start() >= comment:
            return
        lead = (
            rule.before.search(text, max(0, match.start() - _LONGEST_BEFORE), match.start()) if rule.before else match
        )
        if lead is None or (rule.accepts and not rule.accepts(match)):
            continue
        place = _Place(lead.start(), match.end(), match)
        if _is_example(rule, text[place.start : place.end]):
            continue
        if all(place.end <= start or place.start >= end for start, end in taken):
            yield place


class _Lines:
    """The lines of a text, by number from 1, and what is said about them."""

    def __init__(self, text: str, starts: Sequence[int], path: str) -> None:
        self.path = path
        self._text = text
        self._starts = starts
        self._has_stars = path.endswith(_STAR_SUFFIXES)
        self._regions: dict[int, set[str]] = {}
        self._inside: list[tuple[int, int]] | None = None  # where comments of several lines are

    def __getitem__(self, number: int) -> str:
        end = self._starts[number] if number < len(self._starts) else len(self._text)
        return self._text[self._starts[number - 1] : end].rstrip("\r\n")

    def before(self, number: int) -> str:
        """Return the line before one; empty if there is none."""
        return self[number - 1][:_LONGEST] if number > 1 else ""

    def comment_start(self, number: int) -> int:
        """Return where the comment of a line begins; beyond its end if it has none."""
        line = self[number]
        if self._is_inside(self._starts[number - 1]):
            return 0
        begin = 0
        while closed := _CLOSED.match(line, begin):  # what stands behind it counts
            begin = closed.end()
        if begin == len(line) or _OPEN.match(line, begin) or _COMMENT.match(line, begin):
            return 0
        if self._has_stars and _STAR_COMMENT.match(line):
            return 0
        rest = _REST.search(line)
        return rest.start() if rest else len(line) + 1

    def _is_inside(self, position: int) -> bool:
        """Return whether a comment of several lines has begun before this place and has not ended."""
        if self._inside is None:
            self._inside = []
            for (begin, end), suffixes in (_MARKUP, _SLASH, _POWERSHELL):
                if self.path.lower().endswith(suffixes):
                    self._inside += _spans(self._text, begin, end)
        before = bisect_right(self._inside, (position, 0)) - 1
        return before >= 0 and position < self._inside[before][1]

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


def _spans(text: str, begin: str, end: str) -> Iterator[tuple[int, int]]:
    """Yield where the comments of a text are that have several lines."""
    position = text.find(begin)
    while position >= 0:
        last = text.find(end, position + len(begin))
        last = len(text) if last < 0 else last
        if text.find("\n", position, last) >= 0:
            yield position, last
        position = text.find(begin, last)


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


def _is_example(rule: Rule, text: str) -> bool:
    if "EXAMPLE" in text:
        return True
    return rule.group != "secrets" and ("example" in text or "xxxx" in text)


def _excerpt(rule: Rule, place: _Place, piece: str, path: str) -> str:
    """Return what is shown: the match alone, never the line around it, and of a secret only what recognizes it."""
    if rule.secret is None:
        return shown(_without_secrets(place, piece, path))
    value = place.match[rule.secret]
    if rule.name == "secret-password":  # short enough to be guessed from a digest
        return f"(password, {len(value)} characters)"
    digest = hashlib.sha256(value.encode()).hexdigest()[:8]
    return f"{value[:4]}… ({len(value)} characters, sha256 {digest})"


def shown(text: str) -> str:
    """Return a text as it may stand in a report: without what a URL has before its host, and not too long."""
    text = " ".join(_CREDENTIALS.sub("//…@", text).split())
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def _without_secrets(place: _Place, piece: str, path: str) -> str:
    """Return the text of a match without what is a secret, whichever rules were asked for."""
    letters = list(piece[place.start : place.end])
    for rule in _SECRETS:
        if rule.secret is None or (rule.paths and not rule.paths.search(path)):
            continue
        for match in rule.pattern.finditer(piece):
            start, end = (max(0, at - place.start) for at in match.span(rule.secret))
            letters[start:end] = "…" * len(letters[start:end])
    return re.sub("…+", "…", "".join(letters))


_SECRETS = tuple(secret_rules())
_CREDENTIALS = re.compile(r"//[^\s/@]*@")
