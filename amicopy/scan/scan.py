"""Scans one disk: its volumes, the files on them, the rules; returns findings and coverage."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from amicopy.core.errors import Interrupted
from amicopy.core.ignored_findings import Ignored, is_sensitive
from amicopy.scan import rpm
from amicopy.scan.device import BlockLimitReached, Disk, Unreadable
from amicopy.scan.ext import Ext
from amicopy.scan.file_system import FileSystem
from amicopy.scan.left import left_behind
from amicopy.scan.lines import MOST_PER_FILE, Match, Matcher
from amicopy.scan.mounts import with_boot_findings
from amicopy.scan.ntfs import Ntfs
from amicopy.scan.packages import DPKG_STATUS, NEVER_PACKAGED, Packages, digests
from amicopy.scan.regions import named_in
from amicopy.scan.registry import contents_of_registry
from amicopy.scan.result import Coverage, Finding, NotRead, ScanOptions, ScanResult, VolumeCoverage
from amicopy.scan.rules import DEFAULT_GROUPS, rules_for
from amicopy.scan.select import Selection, is_windows
from amicopy.scan.text import as_text
from amicopy.scan.volumes import NOT_NEEDED, PhysicalVolumes, Volume, volumes
from amicopy.scan.walk import Walk
from amicopy.scan.xfs import Xfs

_READERS: dict[str, Callable[..., FileSystem]] = {"ext": Ext, "xfs": Xfs, "NTFS": Ntfs}
_LARGEST_STATUS = 32 * 1024 * 1024
_TOO_MANY = f"it has more than {MOST_PER_FILE} findings: the others are not listed"
_UNREADABLE = {
    "LUKS": "it is encrypted with LUKS, and only its key opens it",
    "BitLocker": "it is encrypted with BitLocker, and only its key opens it",
    "RAID": "it is part of a RAID",
    "": "it holds nothing that amicopy knows",
}


def scan_device(
    device: Disk,
    options: ScanOptions,
    *,
    check: Callable[[], None] = lambda: None,
    others: PhysicalVolumes | None = None,
) -> ScanResult:
    """Return what points to the region on a disk, and what was read of it.

    ``others`` are the physical volumes of all disks that belong together: logical volumes can be on several of them.
    The content of a disk is not trusted: what is damaged is a gap in the coverage, never an error. ``check`` is called
    often and raises Interrupted if the scan is to end: that is a gap as well.
    """
    scan = _Scan(options, check)
    try:
        for volume in volumes(device, others):
            scan.read(volume)
    except (BlockLimitReached, Interrupted) as error:
        reason = "it was interrupted" if isinstance(error, Interrupted) else str(error)
        scan.gap(NotRead(volume="", path="", reason=f"the scan ended early: {reason}", is_gap=True))
    except Unreadable as error:
        scan.gap(NotRead(volume="", path="", reason=str(error), is_gap=True))
    return scan.result(device)


class _Scan:
    """One scan of one disk."""

    def __init__(self, options: ScanOptions, check: Callable[[], None]) -> None:
        self._options = options
        self._check = check
        self._of_region = "region" in (options.rules or DEFAULT_GROUPS)
        self._matcher = Matcher(rules_for(options), check)
        self._findings: list[Finding] = []
        self._ignored = 0
        self._used: set[Ignored] = set()
        self._volumes: list[VolumeCoverage] = []
        self._not_read: list[NotRead] = []

    def gap(self, what: NotRead) -> None:
        """Record what was not read."""
        self._not_read.append(what)

    def read(self, volume: Volume) -> None:
        """Read one volume, or say why not."""
        reader = _READERS.get(volume.kind)
        if volume.problem:
            self._skip(volume, volume.problem, is_gap=True)
        elif volume.kind in NOT_NEEDED:
            self._skip(volume, f"{volume.kind}: holds no configuration", is_gap=False)
        elif reader is None:
            reason = _UNREADABLE.get(volume.kind, f"amicopy does not read {volume.kind}")
            self._skip(volume, reason, is_gap=True)
        else:
            try:
                files = reader(volume.device)
            except BlockLimitReached:
                raise
            except Unreadable as error:
                self._skip(volume, str(error), is_gap=True)
            else:
                self._read_files(volume, files)

    def _skip(self, volume: Volume, reason: str, *, is_gap: bool) -> None:
        self._not_read.append(NotRead(volume=volume.name, path="", reason=reason, is_gap=is_gap))
        kind = volume.kind or "unknown"
        self._volumes.append(VolumeCoverage(name=volume.name, kind=kind, size=volume.device.size))

    def _read_files(self, volume: Volume, files: FileSystem) -> None:
        if files.size > volume.device.size:
            reason = f"the disk was cut: the file system has {files.size} bytes, the volume {volume.device.size}"
            self.gap(NotRead(volume=volume.name, path="", reason=reason, is_gap=True))
        walk = Walk(volume.name, volume.device, files, self._check)
        try:
            self._match(walk, volume)
        except BlockLimitReached:
            raise
        except Unreadable as error:
            self.gap(NotRead(volume=volume.name, path="", reason=str(error), is_gap=True))
        finally:
            self._cover(walk, volume, files)

    def _match(self, walk: Walk, volume: Volume) -> None:
        wants_left = "left" in self._options.rules
        names = walk.root_names()
        selection = Selection(
            names,
            deep=self._options.deep,
            names_in=walk.names_in,
            include=self._options.include,
            exclude=self._options.exclude,
            unpruned=("/var/lib/cloud",) if wants_left else (),
        )
        contents = walk.contents(selection)
        if is_windows(names):
            contents = chain(contents, contents_of_registry(walk, selection, deep=self._options.deep))
        packages = Packages()
        by_file: list[tuple[str, tuple[str, str], list[Finding]]] = []
        try:
            for path, content in contents:
                packages.learn(path, content)
                text = as_text(content, always=selection.is_included(path))
                if text is None:
                    walk.was_not_text(content)
                matches = with_boot_findings(
                    self._matcher.matches(text or b"", path), path, text or b"", of_region=self._of_region
                )
                found = [self._finding(volume.name, path, match) for match in matches]
                if len(found) >= MOST_PER_FILE:
                    self.gap(NotRead(volume=volume.name, path=path, reason=_TOO_MANY, is_gap=True))
                if wants_left and (left := left_behind(path)):
                    found.append(replace(left, volume=volume.name))
                if found:
                    by_file.append((path, digests(content), found))
            if by_file:
                self._learn(packages, {path for path, _, _ in by_file}, walk, volume)
        finally:
            self._keep_changed(by_file, packages, walk)

    def _learn(self, packages: Packages, paths: set[str], walk: Walk, volume: Volume) -> None:
        """Read what the package managers record of these files; what cannot be read is said."""
        if status := walk.content_of(DPKG_STATUS, _LARGEST_STATUS):
            packages.learn(DPKG_STATUS, status)
        paths = {path for path in paths if not path.startswith(NEVER_PACKAGED)}
        if not paths:
            return
        reason = ""
        for place in rpm.PATHS:
            try:
                database = walk.content_of(place, rpm.LARGEST + 1)
                for file, vendor in rpm.file_digests(database, paths) if database else ():
                    packages.add_rpm(file, vendor)
            except rpm.NotAnRpmDatabase as error:
                reason = f"rpm database, so that unchanged files of the distribution count: {error}"
        older = next((kind for place, kind in rpm.OLDER.items() if walk.size_of(place)), "")
        if older:
            reason = f"rpm database, so that unchanged files of the distribution count: {older} is not read"
        if reason:
            self.gap(NotRead(volume=volume.name, path="", reason=reason, is_gap=False))

    def _keep_changed(
        self, by_file: list[tuple[str, tuple[str, str], list[Finding]]], packages: Packages, walk: Walk
    ) -> None:
        """Keep the findings in files that are not as the distribution delivered them, and secrets in all."""
        for path, file_digests, found in by_file:
            shown = [finding for finding in found if finding.severity >= self._options.min_severity]
            package = packages.owner(path, file_digests)
            kept = [finding for finding in shown if not package or is_sensitive(finding.rule)]
            self._keep(kept)
            if left_out := len(shown) - len(kept):
                count = "a finding" if left_out == 1 else f"{left_out} findings"
                walk.leave_out(path, f"{count}: unchanged since the distribution's package {package} was installed")

    def _finding(self, volume: str, path: str, match: Match) -> Finding:
        rule = match.rule
        return Finding(
            volume=volume,
            path=path,
            line=match.line,
            rule=rule.name,
            severity=rule.severity,
            message=rule.message,
            excerpt=match.excerpt,
            advice=rule.advice,
            in_destination=_in_destination(match, self._options),
        )

    def _keep(self, found: list[Finding]) -> None:
        for finding in found:
            if covering := [one for one in self._options.ignored if one.covers(finding.rule, finding.path)]:
                self._ignored += 1
                self._used.update(covering)
            else:
                self._findings.append(finding)

    def _cover(self, walk: Walk, volume: Volume, files: FileSystem) -> None:
        seen = walk.seen
        self._volumes.append(
            VolumeCoverage(
                name=volume.name,
                kind=files.kind,
                size=volume.device.size,
                directories=seen.directories,
                files=seen.files,
                bytes=seen.bytes,
                notes=tuple(files.notes),
            )
        )
        self._not_read += seen.gaps
        if seen.more_gaps:
            reason = "damaged as well"
            self.gap(NotRead(volume=volume.name, path="", reason=reason, is_gap=True, files=seen.more_gaps))
        self._not_read += seen.parts_left_out
        self._not_read += (
            NotRead(volume=volume.name, path="", reason=reason, is_gap=False, files=count)
            for reason, count in sorted(seen.left_out.items())
        )

    def result(self, device: Disk) -> ScanResult:
        """Return all of it, the most severe findings first."""
        order = sorted(self._findings, key=lambda one: (-one.severity, one.volume, one.path, one.line, one.rule))
        coverage = Coverage(
            volumes=tuple(self._volumes),
            not_read=tuple(self._not_read),
            blocks_read=device.blocks_read,
            blocks_allocated=device.source.allocated,
        )
        return ScanResult(findings=tuple(order), ignored=self._ignored, used=frozenset(self._used), coverage=coverage)


def _in_destination(match: Match, options: ScanOptions) -> str:
    """Return what an endpoint is called in the one region that the image goes to; empty if that cannot be derived."""
    if len(options.to_regions) != 1 or match.rule.name != "endpoint":
        return ""
    return named_in(match.excerpt, options.region, options.to_regions[0])
