"""amicopy for programs: what the commands do, as functions; the package's own names.

Refuses to print, to read options, and to end the process.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from amicopy.aws.session import AwsSession, Session, session_for
from amicopy.core.errors import AmicopyError, UsageError
from amicopy.core.events import Event
from amicopy.core.models import Principal
from amicopy.core.request import CopyRequest, Protection
from amicopy.core.run_options import Order, Terms
from amicopy.execute.report import Report
from amicopy.jobs.cancel import CancelJob, CancelResult
from amicopy.jobs.context import Context
from amicopy.jobs.copy import CopyJob
from amicopy.jobs.status import StatusJob, StatusResult
from amicopy.jobs.sync import SyncJob, SyncResult
from amicopy.jobs.verify import VerifyJob, VerifyResult
from amicopy.plan.plan import Plan

__all__ = [
    "AmicopyError",
    "CancelJob",
    "CancelResult",
    "Context",
    "CopyJob",
    "CopyRequest",
    "Event",
    "Order",
    "Plan",
    "Principal",
    "Protection",
    "Report",
    "Session",
    "StatusJob",
    "StatusResult",
    "SyncJob",
    "SyncResult",
    "Terms",
    "VerifyJob",
    "VerifyResult",
    "cancel",
    "copy",
    "status",
    "sync",
    "verify",
]


def copy(
    image_ids: str | Iterable[str],
    *,
    to: str | Sequence[str],
    source_region: str | None = None,
    exclude: str | Sequence[str] = (),
    best_effort: str | Sequence[str] = (),
    name: str = "",
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    carry_tags: bool = True,
    share: str | Iterable[str] | None = None,
    carry_permissions: bool = True,
    encrypt: bool = False,
    keys: Mapping[str, str] | None = None,
    complete_within: timedelta | None = None,
    deprecate_after: timedelta | None = None,
    carry_deprecation: bool = True,
    protect: Protection | None = None,
    preflight: bool = True,
    terms: Terms | None = None,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> Report:
    """Copy AMIs to other regions, as ``amicopy copy`` does, and return what became of each destination.

    The same call again joins, completes and repairs; where all is as asked it writes nothing. ``on_event`` is called
    with each event as it happens, in this thread. ``keys`` holds KMS keys by region, under ``""`` the one for all
    others; ``share`` accounts, ARNs of organizations or organizational units, or ``public``; empty: nobody.

    Failures and refusals are in the report (``report.outcomes``, ``report.exit_code()``). When anything is refused,
    nothing is started.

    Raises:
        UsageError: the arguments contradict each other, or name a region that does not exist; AWS was not asked.
        ValueError: a principal is none.
        AmicopyError: nothing could be planned: no credentials, no such AMI, no permission to look.
    """
    wish = CopyRequest(
        source_region=source_region or "",
        image_ids=_listed(image_ids),
        destinations=(),
        name=name,
        description=description,
        tags=dict(tags or {}),
        carry_tags=carry_tags,
        carry_permissions=carry_permissions,
        share=None if share is None else frozenset(map(Principal.parse, _listed(share))),
        encrypt=encrypt,
        keys=dict(keys or {}),
        complete_within_minutes=int(complete_within.total_seconds() // 60) if complete_within else None,
        carry_deprecation=carry_deprecation,
        deprecate_after=deprecate_after,
        protect=protect,
        preflight=preflight,
    )
    order = Order(wish=wish, to=_listed(to), exclude=_listed(exclude), best_effort=_listed(best_effort))
    job = CopyJob(_context(context, session, profile, region), [order], terms)
    job.plan()
    _heard(job.events(), on_event)
    return job.report


def sync(
    manifest: str | Path,
    *,
    terms: Terms | None = None,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> SyncResult:
    """Make a manifest true, as ``amicopy sync`` does, and return what became of copies, parameters and old copies.

    Raises:
        ManifestInvalid: with everything that is wrong, each with file, line and column.
        OSError: the file cannot be read.
        AmicopyError: nothing could be planned.
    """
    from amicopy.manifest.read import read_manifest

    job = SyncJob(
        _context(context, session, profile, region), read_manifest(str(manifest), Path(manifest).read_bytes()), terms
    )
    job.plan()
    _heard(job.events(), on_event)
    return job.finish()


def status(
    image_ids: str | Iterable[str],
    *,
    source_region: str | None = None,
    where: str | Sequence[str] = "all",
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> StatusResult:
    """Return every copy of the AMIs in the regions named by ``where``; reads only.

    Raises:
        ImageNotFound: an AMI is not there, and no copy of it is.
        AmicopyError: nothing could be read.
    """
    return StatusJob(
        _context(context, session, profile, region), _about(image_ids, source_region), _listed(where)
    ).look()


def verify(
    image_ids: str | Iterable[str],
    *,
    source_region: str | None = None,
    where: str | Sequence[str] = "all",
    wish: CopyRequest | None = None,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> VerifyResult:
    """Return how every copy of the AMIs compares with its source, or with ``wish``; reads only.

    Raises:
        ImageNotFound: an AMI is not there, and no copy of it is.
        AmicopyError: nothing could be read.
    """
    asked = wish or _about(image_ids, source_region)
    return VerifyJob(_context(context, session, profile, region), asked, _listed(where)).verdict()


def cancel(
    image_ids: str | Iterable[str],
    *,
    where: str | Sequence[str],
    source_region: str | None = None,
    available: bool = False,
    session: AwsSession | Session | None = None,
    profile: str | None = None,
    region: str | None = None,
    context: Context | None = None,
) -> CancelResult:
    """Deregister pending and failed copies (``available``: finished ones too) and delete their snapshots.

    The ids are sources' or copies' own. Returns a verdict for each image and snapshot. To look first, use `CancelJob`.

    Raises:
        ValueError: no id is given.
        AmicopyError: nothing could be read.
    """
    ids = _listed(image_ids)
    if not ids:
        raise ValueError("give the ids of sources or copies")
    job = CancelJob(
        _context(context, session, profile, region),
        ids,
        _listed(where),
        source_region=source_region,
        available=available,
    )
    return job.remove(job.find())


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


def _about(image_ids: str | Iterable[str], source_region: str | None) -> CopyRequest:
    return CopyRequest(source_region=source_region or "", image_ids=_listed(image_ids), destinations=())


def _listed(texts: str | Iterable[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _heard(events: Iterable[Event | None], on_event: Callable[[Event], object] | None) -> None:
    """Go through the events to their end, handing each on."""
    for event in events:
        if event is not None and on_event is not None:
            on_event(event)
