"""Scanning disks for what points to their region: raw files here."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amicopy.core.errors import AmicopyError, ExitCode, UsageError
from amicopy.core.ignored_findings import Ignored
from amicopy.core.parallel import Stop
from amicopy.scan.device import Disk, RawFile, Unreadable
from amicopy.scan.result import Finding, ScanOptions, ScanResult, Severity
from amicopy.scan.scan import scan_device
from amicopy.scan.volumes import PhysicalVolumes, image_format, volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedDisk:
    """One disk and what was found on it; ``error`` if it could not be opened at all."""

    name: str  # a path, or the device of an image
    region: str
    image_id: str = ""
    snapshot_id: str = ""
    result: ScanResult = field(default_factory=ScanResult)
    error: AmicopyError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What a scan of several disks found."""

    disks: tuple[ScannedDisk, ...]
    fail_on: Severity | None = Severity.HIGH
    signal_number: int = 0
    ignored: tuple[Ignored, ...] = ()  # what was to be ignored

    @property
    def unused(self) -> tuple[Ignored, ...]:
        """The entries of an ignore file that no finding needed; none if that cannot be known."""
        used = {entry for disk in self.disks for entry in disk.result.used}
        return tuple(entry for entry in self.ignored if entry not in used) if self.is_complete else ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the most severe first."""
        found = [finding for disk in self.disks for finding in disk.result.findings]
        return tuple(sorted(found, key=lambda finding: -finding.severity))

    @property
    def is_complete(self) -> bool:
        """Everything was read that should have been."""
        everything = all(disk.result.coverage.is_complete and not disk.error for disk in self.disks)
        return everything and not self.signal_number

    def name_of(self, disk: ScannedDisk) -> str:
        """Return the name of a disk, after that of its image if several images were scanned."""
        several = len({other.image_id for other in self.disks if other.image_id}) > 1
        return f"{disk.image_id} {disk.name}" if several and disk.image_id not in {"", disk.name} else disk.name

    @property
    def failing(self) -> tuple[Finding, ...]:
        """The findings that make the scan fail."""
        if self.fail_on is None:
            return ()
        return tuple(finding for finding in self.findings if finding.severity >= self.fail_on)

    @property
    def exit_code(self) -> ExitCode:
        """DRIFT for findings; without any, PARTIAL (never OK) if something could not be read."""
        if self.signal_number:
            return ExitCode.of_signal(self.signal_number)
        if self.failing:
            return ExitCode.DRIFT
        if self.is_complete:
            return ExitCode.OK
        codes = {disk.error.exit_code for disk in self.disks if disk.error}
        if ExitCode.ACCESS in codes:
            return ExitCode.ACCESS
        read = any(disk.result.coverage.has_files for disk in self.disks)
        return ExitCode.PARTIAL if read else ExitCode.FAILED


def scan_files(
    paths: Sequence[str], options: ScanOptions, stop: Stop, *, max_blocks: int | None, fail_on: Severity | None
) -> ScanReport:
    """Scan raw disk images, which may be those of one machine; a signal ends it, and the report says so.

    Raises:
        UsageError: a file cannot be opened, or is not a raw disk image; all of them are named before any is read.
    """
    _check_images(paths)
    disks = []
    with contextlib.ExitStack() as files:
        opened = {path: Disk(files.enter_context(RawFile(path)), max_blocks=max_blocks) for path in paths}
        others = PhysicalVolumes(tuple(opened.values()))
        for path, disk in opened.items():
            result = scan_device(disk, options, check=stop.check, others=others)
            disks.append(ScannedDisk(name=path, region=options.region, result=result))
            disk.forget()
    return ScanReport(disks=tuple(disks), fail_on=fail_on, signal_number=stop.signal_number, ignored=options.ignored)


def _check_images(paths: Sequence[str]) -> None:
    problems = [(path, problem) for path in dict.fromkeys(paths) if (problem := _problem_of(path))]
    if not problems:
        return
    formats = {problem for _, problem in problems}
    next_step = "Give a raw image of a whole disk or of a partition."
    if any("raw" in problem for problem in formats):
        next_step = "Convert it first: qemu-img convert -O raw IMAGE disk.img (unpack a compressed one)."
    error = UsageError(
        f"--image: {problems[0][0]!r} {problems[0][1]}."
        if len(problems) == 1
        else f"--image: {len(problems)} files cannot be scanned.",
        next_step=next_step,
    )
    if len(problems) > 1:
        for path, problem in problems:
            error = error.with_detail(f"{path!r} {problem}.")
    raise error


def _problem_of(path: str) -> str:
    """Return why a file cannot be scanned, in words that follow its name; empty if it can be."""
    if Path(path).is_fifo() or Path(path).is_socket():
        return "is a pipe or a socket, which cannot be read from any place: name a file or a device"
    try:
        with RawFile(Path(path)) as source:
            disk = Disk(source)
            if found := image_format(disk):
                return f"is in the format {found}, not a raw disk image"
            parts = list(volumes(disk))
    except OSError as error:
        return f"cannot be read: {error.strerror or str(error).rstrip('.')}"
    except Unreadable as error:
        return f"cannot be read: {error}"
    if all(not part.kind and not part.problem for part in parts):
        return "is not a disk image: it has no partitions and no file system"
    if all(part.kind == "empty" for part in parts):
        return "is empty: it has no partitions and no file system"
    return ""
