"""Scanning the sources of a plan before its first copy, and remembering on them what was found."""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources

from amicopy.core.ec2_rules import MAX_TAGS
from amicopy.core.errors import AmicopyError, Interrupted
from amicopy.core.ignored_findings import is_sensitive
from amicopy.core.image_scan import ImageScan, ScannedLine, recorded_scan
from amicopy.core.models import SCANNED_TAG, Image, user_tags
from amicopy.core.request import CopyRequest
from amicopy.core.version import __version__
from amicopy.core.write import Write, WriteOperation, tag_list
from amicopy.jobs.context import Context
from amicopy.jobs.scan import ScannedDisk, ScanReport
from amicopy.jobs.scan_snapshots import scan_image
from amicopy.plan.image_scans import is_to_be_public, sources_to_scan, with_scans
from amicopy.plan.plan import Plan
from amicopy.scan.result import Finding, ScanOptions
from amicopy.scan.rules import DEFAULT_GROUPS

_MOST_LINES = 100  # of one source that are kept


def scanned(context: Context, requests: Sequence[CopyRequest], plans: Sequence[Plan]) -> list[Plan]:
    """Return the plans with what is in their sources, as far as their requests want to know; each is read once.

    What cannot be read is part of the result. Only reads.

    Raises:
        Interrupted: a signal has arrived.
    """
    known: dict[tuple[str, str], ImageScan] = {}
    with_results = []
    for request, plan in zip(requests, plans, strict=True):
        if request.scan is None:
            with_results.append(plan)
            continue
        scans: dict[str, ImageScan] = {}
        for source in sources_to_scan(plan):
            options = _options(request, source, is_public=is_to_be_public(plan, source))
            key = source.reference, scan_digest(options, source.snapshot_ids)
            if key not in known:
                known[key] = _recorded(source, key[1]) or _scan(context, source, options, key[1])
            files = dict.fromkeys(one.file for one in options.ignored if one.file)
            scans[source.reference] = replace(known[key], ignore_files=tuple(files))
        with_results.append(with_scans(plan, request, scans))
    return with_results


def _options(request: CopyRequest, source: Image, *, is_public: bool) -> ScanOptions:
    assert request.scan is not None
    return ScanOptions(
        region=source.region,
        account=source.owner_id,
        to_other_account=bool(request.accounts),
        rules=(*DEFAULT_GROUPS, "left") if is_public else (),
        ignored=request.scan.ignored,
    )


def scan_digest(options: ScanOptions, snapshot_ids: Sequence[str]) -> str:
    """Return what is the same only if a scan finds the same: what is looked for, the code that does, the snapshots."""
    account = options.account if options.to_other_account else ""
    ignored = sorted((one.rule, one.path) for one in options.ignored)
    text = json.dumps(
        [__version__, _code_digest(), options.region, account, options.rules, ignored, sorted(snapshot_ids)]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def _code_digest() -> str:
    """Return a digest of the rules and readers, which are no data: a condition of a rule is a function."""
    digest = hashlib.sha256()
    for file in sorted(resources.files("amicopy.scan").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _recorded(source: Image, digest: str) -> ImageScan | None:
    return recorded_scan(source.region, source.image_id, source.tags.get(SCANNED_TAG, ""), digest)


def _scan(context: Context, source: Image, options: ScanOptions, digest: str) -> ImageScan:
    report = scan_image(context, source, options)
    errors = [disk.error for disk in report.disks if disk.error]
    if errors and len(errors) == len(report.disks):
        return ImageScan(region=source.region, image_id=source.image_id, error=errors[0])
    found = _findings(report)
    pins = [(disk, one) for disk, one in found if not is_sensitive(one.rule)]
    secrets = [(disk, one) for disk, one in found if one.rule.startswith("secret-")]
    left = [(disk, one) for disk, one in found if one.rule.startswith("left-")]
    several = len(report.disks) > 1
    counts: dict[str, int] = {}
    for _, finding in pins:
        counts[finding.severity.word] = counts.get(finding.severity.word, 0) + 1
    return ImageScan(
        region=source.region,
        image_id=source.image_id,
        digest=digest,
        counts=counts,
        secrets=len(secrets),
        left=len(left),
        ignored=sum(disk.result.ignored for disk in report.disks),
        lines=_lines(pins, several=several),
        secret_lines=_lines(secrets, several=several),
        left_lines=_lines(left, several=several),
        not_read=tuple(_not_read(report)),
        files=sum(disk.result.coverage.files for disk in report.disks),
        blocks=sum(disk.result.coverage.blocks_read for disk in report.disks),
    )


def _findings(report: ScanReport) -> list[tuple[ScannedDisk, Finding]]:
    found = [(disk, finding) for disk in report.disks for finding in disk.result.findings]
    return sorted(found, key=lambda pair: -pair[1].severity)


def _lines(found: Sequence[tuple[ScannedDisk, Finding]], *, several: bool) -> tuple[ScannedLine, ...]:
    return tuple(
        ScannedLine(
            place=f"{f'{disk.name}:' if several else ''}{one.path}{f':{one.line}' if one.line else ''}",
            rule=one.rule,
            severity=one.severity.word,
            message=one.message,
            excerpt=one.excerpt,
        )
        for disk, one in found[:_MOST_LINES]
    )


def _not_read(report: ScanReport) -> Iterable[str]:
    for disk in report.disks:
        if disk.error:
            yield f"{disk.name}: {disk.error.why or disk.error.what}".rstrip(".")
        for gap in disk.result.coverage.not_read:
            if gap.is_gap:
                yield " ".join(filter(None, [disk.name, gap.volume, gap.path])) + f": {gap.reason}"


def remember_scans(context: Context, scans: Sequence[ImageScan], *, reserved: Mapping[str, int]) -> None:
    """Record complete scans in a tag of each source that this account owns, so that the next run need not read it.

    ``reserved`` is how many tags each source (by its reference) must still have room for. What cannot be recorded is
    said, and read again by the next run.
    """
    fresh = [scan for scan in scans if scan.is_complete and not scan.is_recorded]
    for region in dict.fromkeys(scan.region for scan in fresh):
        ec2 = context.clients[region]
        some = {scan.image_id: scan for scan in fresh if scan.region == region}
        try:
            own = ec2.describe_own_images(tuple(some))
            for image_id, image in own.items():
                room = MAX_TAGS - len(user_tags(image.tags)) - reserved.get(image.reference, 0)
                if room > 0 or SCANNED_TAG in image.tags:
                    tags = tag_list({SCANNED_TAG: some[image_id].tag_value})
                    ec2.write(Write(WriteOperation.CREATE_TAGS, {"Resources": [image_id], "Tags": tags}))
        except Interrupted:
            raise
        except AmicopyError as error:
            context.say(f"the scan cannot be recorded in {region}, so the next run reads the image again: {error.what}")
