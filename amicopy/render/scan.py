"""Findings and coverage of a scan, for people and programs. What comes from an image is escaped."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from amicopy.core.version import __version__
from amicopy.jobs.scan import ScannedDisk, ScanReport
from amicopy.render.json_documents import envelope, error_document
from amicopy.render.result import print_table, write_folded
from amicopy.render.text import counted, error_lines, safe
from amicopy.scan.result import Finding, NotRead, Severity, VolumeCoverage

_SARIF_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning"}
_SARIF_SCORES = {Severity.CRITICAL: "9.0", Severity.HIGH: "7.0", Severity.MEDIUM: "5.0", Severity.LOW: "3.0"}
_HOME = "https://github.com/amicopy/amicopy"


def write_findings(report: ScanReport) -> None:
    """Write a table of findings for people, and what to use instead."""
    if not report.findings:
        return
    rows = [
        [finding.severity.word, _place(report, disk, finding), safe(_what(finding))]
        for disk, finding in _in_order(report)
    ]
    print_table("", ["severity", "where", "what"], rows)
    advice: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.rule not in advice.setdefault(safe(finding.advice), []):
            advice[safe(finding.advice)].append(finding.rule)
    write_folded(["", "what to do:"])
    write_folded(f"  {', '.join(rules)}  {words}" for words, rules in advice.items())


def _what(finding: Finding) -> str:
    """Return what was found, as it is written there, and what it is called where the image goes."""
    words = f"{finding.message}: {finding.excerpt}" if finding.excerpt else finding.message
    return f"{words} (there: {finding.in_destination})" if finding.in_destination else words


def finding_lines(report: ScanReport) -> Iterator[str]:
    """Yield ``SEVERITY RULE PATH:LINE EXCERPT`` for each finding."""
    for disk, finding in _in_order(report):
        place = _place(report, disk, finding)
        yield f"{finding.severity.word} {finding.rule} {place} {safe(finding.excerpt)}".rstrip()


def coverage_lines(report: ScanReport) -> Iterator[str]:
    """Yield what was read, what was not and why, and the sums, last."""
    for disk in report.disks:
        yield from _disk_lines(disk, safe(report.name_of(disk)))
    for entry in report.unused:
        yield f"note: {safe(entry.file)}: {safe(entry.rule)}:{safe(entry.path)} matches no finding"
    counts = Counter(finding.severity for finding in report.findings)
    words = [f"{counts[severity]} {severity.word}" for severity in sorted(counts, reverse=True)]
    ignored = sum(disk.result.ignored for disk in report.disks)
    words += [f"{ignored} ignored"] if ignored else []
    found = ", ".join(words) or "nothing"
    yield f"found  {found}" if report.is_complete else f"found  {found}; NOT EVERYTHING COULD BE READ"


def _disk_lines(disk: ScannedDisk, name: str) -> Iterator[str]:
    if disk.error:
        yield from error_lines(disk.error)
        return
    coverage = disk.result.coverage
    known = f" of {coverage.blocks_allocated}" if coverage.blocks_allocated is not None else ""
    yield f"read  {name}: {counted(coverage.files, 'file')}, {coverage.blocks_read}{known} blocks of 512 KiB"
    for volume in coverage.volumes:
        if volume.files or volume.directories:
            yield f"read  {_volume_name(name, volume.name)}: {_volume_words(volume)}"
        yield from (f"note: {_volume_name(name, volume.name)}: {safe(note)}" for note in volume.notes)
    for missing in coverage.not_read:
        yield f"{'NOT READ' if missing.is_gap else 'left out'}  {_missing_words(name, missing)}"


def _volume_words(volume: VolumeCoverage) -> str:
    size = f"{volume.size / (1 << 30):.1f} GiB" if volume.size >= 1 << 30 else f"{volume.size / (1 << 20):.0f} MiB"
    directories = counted(volume.directories, "directory", "directories")
    return f"{volume.kind}, {size}, {counted(volume.files, 'file')} in {directories}, {-(-volume.bytes // 1024)} KiB"


def _missing_words(name: str, missing: NotRead) -> str:
    place = f"{_volume_name(name, missing.volume)}{':' if missing.path else ''}{safe(missing.path)}"
    count = "" if missing.path or not missing.files > 1 else f" ({missing.files})"
    return f"{place}: {safe(missing.reason)}{count}"


def _volume_name(disk: str, volume: str) -> str:
    return f"{disk} {safe(volume)}" if volume else disk


def _in_order(report: ScanReport) -> list[tuple[ScannedDisk, Finding]]:
    found = [(disk, finding) for disk in report.disks for finding in disk.result.findings]
    return sorted(found, key=lambda pair: -pair[1].severity)


def _place(report: ScanReport, disk: ScannedDisk, finding: Finding) -> str:
    """Return path and line; before it the volume, and the disk if there are several."""
    line = f":{finding.line}" if finding.line else ""
    volume = finding.volume if len([one for one in disk.result.coverage.volumes if one.files]) > 1 else ""
    where = " ".join(word for word in (report.name_of(disk) if len(report.disks) > 1 else "", volume) if word)
    return safe(f"{where}{':' if where else ''}{finding.path}{line}")


def scan_document(report: ScanReport) -> dict[str, Any]:
    """Return a report as JSON-ready values."""
    counts = Counter(finding.severity for finding in report.findings)
    return {
        **envelope("scan", report.exit_code),
        "complete": report.is_complete,
        "counts": {severity.word: counts[severity] for severity in sorted(Severity, reverse=True)},
        "disks": [_disk_document(disk) for disk in report.disks],
    }


def _disk_document(disk: ScannedDisk) -> dict[str, Any]:
    coverage = disk.result.coverage
    return {
        "name": disk.name,
        "image_id": disk.image_id or None,
        "snapshot_id": disk.snapshot_id or None,
        "region": disk.region,
        "complete": coverage.is_complete and not disk.error,
        "error": error_document(disk.error),
        "blocks_read": coverage.blocks_read,
        "blocks_allocated": coverage.blocks_allocated,
        "volumes": [
            {
                "name": volume.name,
                "kind": volume.kind,
                "size": volume.size,
                "directories": volume.directories,
                "files": volume.files,
                "bytes": volume.bytes,
                "notes": list(volume.notes),
            }
            for volume in coverage.volumes
        ],
        "not_read": [
            {
                "volume": missing.volume,
                "path": missing.path or None,
                "reason": missing.reason,
                "files": missing.files,
                "is_gap": missing.is_gap,
            }
            for missing in coverage.not_read
        ],
        "ignored": disk.result.ignored,
        "findings": [_finding_document(finding) for finding in disk.result.findings],
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "volume": finding.volume,
        "path": finding.path,
        "line": finding.line or None,
        "rule": finding.rule,
        "severity": finding.severity.word,
        "message": finding.message,
        "excerpt": finding.excerpt,
        "advice": finding.advice,
        "in_destination": finding.in_destination or None,
    }


def sarif_document(report: ScanReport) -> dict[str, Any]:
    """Return a report in SARIF 2.1.0, as code scanning services take it."""
    rules: dict[str, Finding] = {}
    for finding in report.findings:
        rules.setdefault(finding.rule, finding)
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "amicopy scan",
                        "version": __version__,
                        "informationUri": _HOME,
                        "rules": [_sarif_rule(finding) for finding in rules.values()],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": report.is_complete,
                        "exitCode": int(report.exit_code),
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": text}}
                            for disk in report.disks
                            for text in _reasons(disk, report.name_of(disk))
                        ],
                    }
                ],
                "results": [
                    _sarif_result(report.name_of(disk), finding, list(rules)) for disk, finding in _in_order(report)
                ],
            }
        ],
    }


def _reasons(disk: ScannedDisk, name: str) -> Iterator[str]:
    """Yield why something of a disk was not read."""
    if disk.error:
        yield f"{name}: {disk.error.what} {disk.error.why}".rstrip()
    yield from (_missing_words(name, missing) for missing in disk.result.coverage.not_read if missing.is_gap)


def _sarif_rule(finding: Finding) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": finding.rule,
        "shortDescription": {"text": finding.message},
        "help": {"text": finding.advice},
    }
    if finding.severity in _SARIF_SCORES:
        rule["properties"] = {"security-severity": _SARIF_SCORES[finding.severity]}
    return rule


def _sarif_result(disk: str, finding: Finding, rules: Sequence[str]) -> dict[str, Any]:
    volume = f"{disk} {finding.volume}".rstrip()
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.path.lstrip("/"))}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": _SARIF_LEVELS.get(finding.severity, "note"),
        "message": {"text": _what(finding)},
        "locations": [
            {
                "physicalLocation": place,
                "logicalLocations": [{"fullyQualifiedName": volume, "kind": "volume"}],
            }
        ],
        "properties": {"severity": finding.severity.word, "advice": finding.advice},
    }
