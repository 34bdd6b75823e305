"""The Python API: what the commands do, as functions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from amicopy.aws.session import AwsSession, Session, session_for
from amicopy.core.accounts import TargetAccount, account_problems
from amicopy.core.boot import BOOT_TIMEOUT, BootOptions
from amicopy.core.check import Check
from amicopy.core.content import ContentLevel
from amicopy.core.errors import AmicopyError, ExitCode, ImageNotFound, ManifestInvalid, UsageError
from amicopy.core.events import Event
from amicopy.core.grants import Grants
from amicopy.core.ignored_findings import Ignored
from amicopy.core.image_scan import ScanMode, ScanRequest
from amicopy.core.models import Principal
from amicopy.core.parameter_choices import ParameterChoices
from amicopy.core.regions import split_names
from amicopy.core.request import CopyRequest, Protection
from amicopy.core.run_options import RunOptions
from amicopy.core.scan_results import ScanRequirement
from amicopy.execute.report import Report
from amicopy.jobs.boot import BootJob, BootReport
from amicopy.jobs.cancel import CancelJob, CancelResult
from amicopy.jobs.context import Context
from amicopy.jobs.copy import CopyJob, check_boot_regions
from amicopy.jobs.retire import RetireJob, RetireResult
from amicopy.jobs.status import StatusJob, StatusResult
from amicopy.jobs.sync import SyncJob, SyncResult
from amicopy.jobs.verify import VerifyJob, VerifyResult
from amicopy.plan.plan import Plan

__all__ = [
    "AmicopyError",
    "BootJob",
    "BootOptions",
    "BootReport",
    "CancelJob",
    "CancelResult",
    "Check",
    "Context",
    "CopyJob",
    "CopyRequest",
    "Event",
    "ExitCode",
    "Grants",
    "Ignored",
    "ImageNotFound",
    "ManifestInvalid",
    "Plan",
    "Principal",
    "Protection",
    "Report",
    "RetireJob",
    "RetireResult",
    "RunOptions",
    "ScanMode",
    "ScanRequest",
    "ScanRequirement",
    "Session",
    "StatusJob",
    "StatusResult",
    "SyncJob",
    "SyncResult",
    "TargetAccount",
    "UsageError",
    "VerifyJob",
    "VerifyResult",
    "boot",
    "cancel",
    "copy",
    "retire",
    "status",
    "sync",
    "to_dict",
    "verify",
]


Accounts = str | TargetAccount | Iterable[str | TargetAccount]
"""Other accounts, as `copy` takes them."""


def copy(
    image_ids: str | Iterable[str],
    *,
    to: str | Sequence[str],
    source_region: str | None = None,
    exclude: str | Sequence[str] = (),
    best_effort: str | Sequence[str] = (),
    accounts: Accounts = (),
    grants: Grants = Grants.TEMPORARY,
    kms_grant: bool = False,
    name: str = "",
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    image_tags: Mapping[str, str] | None = None,
    snapshot_tags: Mapping[str, str] | None = None,
    carry_tags: bool = True,
    share: str | Iterable[str] | None = None,
    share_snapshots: str | Iterable[str] | None = None,
    carry_permissions: bool = True,
    encrypt: bool = False,
    kms_keys: Mapping[str, str] | None = None,
    complete_within: timedelta | None = None,
    deprecate_after: timedelta | None = None,
    deprecate_at: datetime | None = None,
    carry_deprecation: bool = True,
    adopt: bool = False,
    route: str = "direct",
    direct: str | Sequence[str] = (),
    protect: Protection | None = None,
    require_scan: ScanRequirement | None = None,
    scan: ScanRequest | None = None,
    check: Check | None = None,
    preflight: bool = True,
    run_options: RunOptions | None = None,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> Report:
    """Copy AMIs to other regions, as ``amicopy copy`` does, and return the outcome of each destination.

    Safe to repeat: a second call joins pending copies, completes incomplete ones, and changes nothing when every
    destination is up to date. Failures and refusals are in the report (``report.outcomes``, ``report.exit_code()``). If
    a destination is refused, nothing is started. A destination that doesn't answer fails alone.

    - ``image_ids``: one id or several. ``source_region``: their region; by default the session's.
    - ``to``: regions; ``all`` and patterns such as ``eu-*`` match enabled regions; ``exclude`` removes some.
    - ``best_effort``: destinations that may fail without failing the run.
    - ``accounts``: other accounts that get copies, beside the session's own: ids, ids of organizational units, or
      ``TargetAccount(account="111122223333", role="copies", external_id="…", regions=("eu-*",), kms_key="alias/a")``.
      ``grants``: the permissions that they need to copy are granted only while copying, granted and kept, or not
      granted. ``kms_grant``: while copying, they also get grants on the KMS keys.
    - ``name``, ``description``: templates with ``{name} {source_id} {source_region} {region} {date}``, in a description
      also ``{description}``. By default the source's name, and a description that says where it was copied from.
    - ``tags``: added to the copies and their snapshots; they override the source's. ``image_tags``,
      ``snapshot_tags``: for one of the two. ``carry_tags=False``: don't copy the source's tags.
    - ``share``: account ids, ARNs of organizations or organizational units, or ``public``, instead of those the source
      is shared with; empty: no one. ``share_snapshots``: who may use the snapshots, independently of ``share``.
      ``carry_permissions=False``: keep the copies private.
    - ``encrypt``: encrypt the copies. ``kms_keys``: KMS keys by region; the one under ``""`` is for all others.
    - ``complete_within``: a time-based copy, 15 minutes to 48 hours in steps of 15 minutes.
    - ``adopt``: complete and share existing copies that other tools made, instead of leaving them alone.
    - ``route``: ``cheapest`` copies by way of a region where transfer costs less, or from existing copies;
      ``via:REGION`` by way of that region. ``direct``: regions to copy directly from the source.
    - ``deprecate_after``: deprecate each copy this long after it was created; or ``deprecate_at``, on a date.
      ``carry_deprecation=False``: don't copy the source's deprecation date.
    - ``protect``: deregistration protection for the copies. ``preflight=False``: skip the checks for later failures.
    - ``require_scan``: refuse a source with worse findings of Amazon Inspector, or without a scan:
      ``ScanRequirement(severity="medium", scanned_within=timedelta(days=7))``.
    - ``scan``: scan the sources first: ``ScanRequest(mode=ScanMode.REFUSE)`` refuses sources with findings of ``high``
      or above. Copies of a source with secrets are shared with others only with ``allow_secrets=True``.
    - ``check``: a command that each copy must pass before it is shared: ``Check(command="./smoke-test")``.
    - ``run_options``: how long to wait, when to share, what to do on failure.
    - ``session``: a boto3 or botocore session; or ``profile`` and ``region``; or a ``context`` with a clock and a stop
      signal of your own.
    - ``on_event``: called with each event as it happens, in this thread.

    Raises:
        UsageError: the arguments contradict each other or break a rule of EC2's, or a region doesn't exist. AWS was not
            called.
        AmicopyError: nothing could be planned: no credentials, no such AMI, or no permission to read.
        TypeError: an argument has the wrong type.
    """
    request = CopyRequest(
        image_ids=_listed(image_ids),
        source_region=source_region or "",
        to=split_names(_listed(to)),
        exclude=split_names(_listed(exclude)),
        best_effort=split_names(_listed(best_effort)),
        accounts=_targets(accounts),
        grants=Grants(grants),
        kms_grant=kms_grant,
        name=name,
        description=description,
        tags=_mapping("tags", tags),
        image_tags=_mapping("image_tags", image_tags),
        snapshot_tags=_mapping("snapshot_tags", snapshot_tags),
        carry_tags=carry_tags,
        carry_permissions=carry_permissions,
        share=None if share is None else _principals(_listed(share)),
        share_snapshots=None if share_snapshots is None else _principals(_listed(share_snapshots)),
        encrypt=encrypt,
        kms_keys=_mapping("kms_keys", kms_keys),
        complete_within=complete_within,
        carry_deprecation=carry_deprecation,
        adopt=adopt,
        route=route,
        direct=split_names(_listed(direct)),
        deprecate_after=deprecate_after,
        deprecate_at=deprecate_at,
        protect=protect,
        require_scan=require_scan,
        scan=scan,
        check=check,
        preflight=preflight,
    )
    job = CopyJob(_context(context, session, profile, region), [request], run_options)
    check_boot_regions(job.plan(), request, job.context.spelling)
    _forward(job.events(), on_event)
    return job.report


def sync(
    manifest: str | Path,
    *,
    grants: Grants = Grants.TEMPORARY,
    kms_grant: bool = False,
    run_options: RunOptions | None = None,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> SyncResult:
    """Apply a manifest, as ``amicopy sync`` does, and return the outcome of copies, parameters and removals.

    ``grants`` and ``kms_grant`` are as in `copy`, for entries with other accounts.

    Raises:
        ManifestInvalid: the manifest has errors; all are listed, with file, line and column.
        OSError: the file cannot be read.
        AmicopyError: nothing could be planned.
    """
    from amicopy.manifest.read import read_manifest

    entries = read_manifest(str(manifest), Path(manifest).read_bytes())
    job = SyncJob(
        _context(context, session, profile, region), entries, run_options, grants=Grants(grants), kms_grant=kms_grant
    )
    job.plan()
    _forward(job.events(), on_event)
    return job.finish()


def status(
    image_ids: str | Iterable[str],
    *,
    source_region: str | None = None,
    regions: str | Sequence[str] = "all",
    exclude: str | Sequence[str] = (),
    accounts: Accounts = (),
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> StatusResult:
    """Return every copy of the AMIs in ``regions``, except in those of ``exclude``; reads only.

    ``accounts``: also look in these other accounts.

    Raises:
        ImageNotFound: an AMI is not there and has no copy.
        AmicopyError: nothing could be read.
    """
    return StatusJob(
        _context(context, session, profile, region),
        replace(_about(image_ids, source_region, exclude), accounts=_targets(accounts)),
        _listed(regions),
    ).look()


def verify(
    image_ids: str | Iterable[str],
    *,
    source_region: str | None = None,
    regions: str | Sequence[str] = "all",
    exclude: str | Sequence[str] = (),
    accounts: Accounts = (),
    request: CopyRequest | None = None,
    content: Literal["size", "list", "sample", "full"] | None = None,
    seed: int | None = None,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> VerifyResult:
    """Return how every copy of the AMIs compares with its source, or with ``request``; reads only.

    Looks in ``regions``, except in those of ``exclude``, and also in other ``accounts`` (by default, the request's).
    With ``content``, the data is also compared; a sample has the same blocks for the same ``seed``. It doesn't ask for
    confirmation of the cost.

    Raises:
        ImageNotFound: an AMI is not there and has no copy.
        AmicopyError: nothing could be read.
    """
    asked = request or _about(image_ids, source_region, exclude)
    if exclude:
        asked = replace(asked, exclude=_listed(exclude))
    if accounts:
        asked = replace(asked, accounts=_targets(accounts))
    job = VerifyJob(_context(context, session, profile, region), asked, _listed(regions))
    verdict = job.verdict()
    return (content and job.with_content(verdict, ContentLevel(content), seed=seed)) or verdict


def cancel(
    image_ids: str | Iterable[str],
    *,
    regions: str | Sequence[str],
    source_region: str | None = None,
    available: bool = False,
    in_use: bool = False,
    copy_ids: str | Iterable[str] = (),
    exclude: str | Sequence[str] = (),
    accounts: Accounts = (),
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> CancelResult:
    """Deregister pending and failed copies (``available``: finished ones too) and delete their snapshots.

    Finished copies that instances, launch templates or parameters use are only removed with ``in_use``.

    ``image_ids`` are sources (in ``source_region``, or the configured one), or copies in other regions; ``copy_ids``
    are copies; ``exclude`` removes regions from ``regions``. With ``accounts``, copies there are also removed, and so
    are the temporary permissions of these accounts. Sources are never removed. Returns the result for each image and
    snapshot. To preview, use `CancelJob`.

    Raises:
        ValueError: no id is given.
        AmicopyError: nothing could be read.
    """
    ids, own_ids = _listed(image_ids), _listed(copy_ids)
    if not ids and not own_ids:
        raise ValueError("give the ids of sources or copies")
    job = CancelJob(
        _context(context, session, profile, region),
        ids,
        _listed(regions),
        source_region=source_region,
        available=available,
        in_use=in_use,
        copy_ids=own_ids,
        exclude=_listed(exclude),
        accounts=_targets(accounts),
    )
    return job.remove(job.find())


def retire(
    image_ids: str | Iterable[str],
    *,
    source_region: str | None = None,
    regions: str | Sequence[str] = "all",
    exclude: str | Sequence[str] = (),
    accounts: Accounts = (),
    parameters: bool = True,
    parameter_names: str | Iterable[str] = (),
    replacements: Mapping[str, str | Iterable[str]] | None = None,
    leave_parameters: str | Iterable[str] = (),
    restore: str | Iterable[str] = (),
    undo: bool = False,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> RetireResult:
    """Take a release back: unshare, deprecate and disable the AMIs and the copies that amicopy made of them.

    With ``accounts``, the copies there are also retired. Systems Manager parameters with one of their ids go back to
    the last good AMI that they had, unless ``parameters`` is False; ``parameter_names`` are changed in addition to
    those that EC2 finds. ``replacements`` has, by parameter name, the AMIs that it gets instead, each in the account
    and region that has it; ``leave_parameters`` are names and patterns of parameters that keep the retired image. If a
    parameter has no good AMI and neither of these, nothing is changed, and ``result.refused`` says why. ``restore`` has
    AMIs of a retired release: it is restored first, so that the parameters can go back to it; if it cannot be restored
    completely, nothing is retired. All changes are recorded in tags; ``undo`` reverses exactly those. Safe to repeat: a
    second call finishes an interrupted one. To preview, use `RetireJob`.

    Raises:
        UsageError: a region does not exist, or an AMI is given both to retire and to restore.
        ImageNotFound: an AMI is not there and has no copy.
        RoleNotAssumed: one of ``accounts`` cannot be used.
        AmicopyError: nothing could be read.
    """
    job = RetireJob(
        _context(context, session, profile, region),
        _listed(image_ids),
        _listed(regions),
        source_region=source_region,
        exclude=_listed(exclude),
        accounts=_targets(accounts),
        parameters=parameters,
        choices=ParameterChoices(
            names=_listed(parameter_names),
            replacements=tuple((name, one) for name, ids in (replacements or {}).items() for one in _listed(ids)),
            left=_listed(leave_parameters),
        ),
        undo=undo,
        restored=_listed(restore),
    )
    return job.carry_out(job.find())


def boot(
    image_ids: str | Iterable[str],
    *,
    regions: str | Sequence[str],
    source_region: str | None = None,
    exclude: str | Sequence[str] = (),
    accounts: Accounts = (),
    instance_type: str = "",
    subnets: Mapping[str, str] | None = None,
    expect: str = "",
    timeout: timedelta = BOOT_TIMEOUT,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> BootReport:
    """Launch an instance of each AMI, or of its copy, in each region; wait for its start; terminate it.

    It doesn't ask for confirmation, and instances cost money until they are terminated. To preview, use `BootJob`. If
    one of the images can't be launched, none is (``report.refused``). ``report.targets`` has the result of each test.

    - ``instance_type``: by default a small one of the image's architecture that the image allows.
    - ``accounts``: other accounts; copies there are launched, too, each with the role in its account.
    - ``subnets``: subnets by region, or ``ACCOUNT/REGION``; the one under ``""`` is for all others. By default the
      default VPC.
    - ``expect``: a regular expression for the console output; by default, both status checks must pass.
    - ``timeout``: the time limit for each instance, at least a minute.

    Raises:
        UsageError: an argument is invalid, or a subnet is for a region that is not tested.
        RoleNotAssumed: one of ``accounts`` cannot be used.
        ImageNotFound: an AMI is not in any of the regions, and has no copy there.
        AmicopyError: nothing could be read.
    """
    options = BootOptions(
        instance_type=instance_type,
        subnets=tuple(_mapping("subnets", subnets).items()),
        expect=expect,
        timeout=timeout,
    )
    job = BootJob(
        _context(context, session, profile, region),
        _listed(image_ids),
        _listed(regions),
        options,
        source_region=source_region,
        exclude=_listed(exclude),
        accounts=_targets(accounts),
    )
    found = job.find()
    return found if found.refused else job.run(found)


def to_dict(
    result: Report | SyncResult | StatusResult | VerifyResult | CancelResult | RetireResult | BootReport,
) -> dict[str, Any]:
    """Return a result as the JSON document that the command writes with ``--output json``, ready for `json.dumps`.

    docs/json.md describes its members. ``calls`` is always empty, because a result doesn't record them.
    """
    from amicopy.render.result_documents import result_document

    return result_document(result)


def _context(
    context: Context | None, session: AwsSession | Session | None, profile: str | None, region: str | None
) -> Context:
    """Return the context of a call: the one that is given, or a new one for the session.

    Raises:
        UsageError: ``context`` is given together with a session, a profile or a region.
    """
    if context is None:
        return Context(session=session_for(session, profile, region))
    if session is not None or profile or region:
        raise UsageError(
            "A context cannot be used together with a session, a profile or a region.",
            next_step="Give them to the context's own session: Context(session=amicopy.Session(…)).",
        )
    return context


def _about(image_ids: str | Iterable[str], source_region: str | None, exclude: str | Sequence[str]) -> CopyRequest:
    return CopyRequest(source_region=source_region or "", image_ids=_listed(image_ids), exclude=_listed(exclude))


def _targets(accounts: Accounts) -> tuple[TargetAccount, ...]:
    """Return the accounts and organizational units.

    Raises:
        UsageError: one of them is invalid.
    """
    named = (accounts,) if isinstance(accounts, str | TargetAccount) else tuple(accounts)
    targets = tuple(
        one
        if isinstance(one, TargetAccount)
        else TargetAccount(unit=one)
        if one.startswith(("ou-", "r-"))
        else TargetAccount(account=one)
        for one in named
    )
    if problems := list(dict.fromkeys(account_problems(targets))):
        raise UsageError(f"accounts: {'; '.join(problems)}.")
    return targets


def _principals(texts: Iterable[str]) -> frozenset[Principal]:
    """Return the principals that these texts stand for.

    Raises:
        UsageError: one isn't a principal.
    """
    try:
        return frozenset(map(Principal.parse, texts))
    except ValueError as error:
        raise UsageError(f"share: {error}.") from error


def _mapping(name: str, given: Mapping[str, str] | None) -> dict[str, str]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{name} must be a mapping, not {type(given).__name__}")
    return dict(given or {})


def _listed(texts: str | Iterable[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _forward(events: Iterable[Event | None], on_event: Callable[[Event], object] | None) -> None:
    """Read all events to the end, and pass each to ``on_event``."""
    for event in events:
        if event is not None and on_event is not None:
            on_event(event)
