"""The request for a copying run, as one value, and the validation that all interfaces share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from amicopy.core.accounts import TargetAccount, account_problems
from amicopy.core.check import Check, check_problem
from amicopy.core.destination import Destination
from amicopy.core.durations import MAX_PUBLIC_DEPRECATION, completion_problem, deprecation_problem, length_text
from amicopy.core.ec2_rules import check_image_id, description_problem, name_problem, tags_problem
from amicopy.core.errors import UsageError
from amicopy.core.grants import Grants
from amicopy.core.image_scan import ScanRequest
from amicopy.core.kms_key import check_key, key_in_region
from amicopy.core.models import MANIFEST_TAG, OWN_TAGS, SNAPSHOT_KINDS, Principal
from amicopy.core.regions import is_pattern
from amicopy.core.scan_results import ScanRequirement
from amicopy.core.templates import DESCRIPTION_FIELDS, FIELDS, template_problem

DIRECT, CHEAPEST, _VIA = "direct", "cheapest", "via:"


class Protection(StrEnum):
    """Deregistration protection for the copies (EnableImageDeregistrationProtection)."""

    ON = "on"
    COOLDOWN = "cooldown"  # continues for 24 hours after it is switched off
    SOURCE = "source"  # the same as the source's


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequest:
    """Which images to copy where, and what the copies should have."""

    image_ids: tuple[str, ...] = ()  # empty: not found yet
    source_region: str = ""  # empty: the configured region
    to: tuple[str, ...] = ()  # regions, ``all`` and patterns, in the order given
    exclude: tuple[str, ...] = ()
    best_effort: tuple[str, ...] = ()  # destinations that may fail without failing the run
    accounts: tuple[TargetAccount, ...] = ()  # that get copies beside the caller's own
    name: str = ""  # a template; empty: the source's name
    description: str | None = None  # a template; None: says where the image was copied from
    tags: Mapping[str, str] = field(default_factory=dict)  # on the copy and on its snapshots
    image_tags: Mapping[str, str] = field(default_factory=dict)  # on the copy alone
    snapshot_tags: Mapping[str, str] = field(default_factory=dict)  # on its snapshots alone
    carry_tags: bool = True
    carry_permissions: bool = True
    share: frozenset[Principal] | None = None  # None: as the source is shared
    share_snapshots: frozenset[Principal] | None = None  # who may use the snapshots; None: as the source, within share
    encrypt: bool = False
    grants: Grants = Grants.TEMPORARY  # what the other accounts need on what is copied
    kms_grant: bool = False  # and on the keys that encrypt it, as grants for the time of copying
    kms_keys: Mapping[str, str] = field(default_factory=dict)
    """By region, account, or ``ACCOUNT/REGION``; under an empty string the one for all other destinations."""
    complete_within: timedelta | None = None
    carry_deprecation: bool = True
    deprecate_after: timedelta | None = None  # counted from the copy's creation
    deprecate_at: datetime | None = None  # the same date for every copy
    protect: Protection | None = None
    route: str = "direct"  # or "cheapest", or "via:REGION"
    direct: tuple[str, ...] = ()  # destinations that are copied from the source, whatever the route
    adopt: bool = False  # complete copies that amicopy did not make, instead of leaving them alone
    require_scan: ScanRequirement | None = None  # what has to be known of the source's vulnerabilities
    scan: ScanRequest | None = None  # whether the content of the sources is read first
    check: Check | None = None  # what each copy has to pass before it is shared
    label: str = ""  # by which outputs name the source, whatever its id
    preflight: bool = True  # refuse what is known to fail later
    mark: str = ""  # the value of `MANIFEST_TAG` on the copies, by which a manifest's ``keep`` finds those it made

    def __post_init__(self) -> None:
        """Check the types of the arguments that programs most often get wrong.

        Raises:
            TypeError: one has the wrong type.
        """
        kinds = {
            "complete_within": timedelta,
            "deprecate_after": timedelta,
            "deprecate_at": datetime,
            "protect": Protection,
            "check": Check,
            "require_scan": ScanRequirement,
            "scan": ScanRequest,
        }
        for name, kind in kinds.items():
            check_type(name, getattr(self, name), kind, optional=True)
        for name in ("tags", "image_tags", "snapshot_tags", "kms_keys"):
            for key, value in getattr(self, name).items():
                check_type(f"a key of {name}", key, str)
                check_type(f"{name}[{key!r}]", value, str)

    def key_for(self, destination: Destination) -> str:
        """Return the KMS key for a destination as it was written, or an empty string."""
        keys = dict(self.kms_keys)
        for target in self.accounts:
            if target.kms_key:
                keys.setdefault(target.account, target.kms_key)
        names = (str(destination), destination.account or "", destination.region, "")
        return next((keys[name] for name in dict.fromkeys(names) if name in keys), "")

    @property
    def hub(self) -> str:
        """The region by way of which the copies are made, if the route names one."""
        return self.route.removeprefix(_VIA) if self.route.startswith(_VIA) else ""

    @property
    def complete_within_minutes(self) -> int | None:
        """The time limit of a time-based copy, in minutes (CopyImage, SnapshotCopyCompletionDurationMinutes)."""
        return int(self.complete_within.total_seconds() // 60) if self.complete_within else None

    @property
    def own_tags(self) -> dict[str, str]:
        """The tags by which a manifest finds the copies that it made."""
        return {MANIFEST_TAG: self.mark} if self.mark else {}

    @property
    def encrypts(self) -> bool:
        """The request encrypts the copies."""
        return self.encrypt or bool(self.kms_keys)


def check_type(name: str, value: object, kind: type, *, optional: bool = False) -> None:
    """Check one argument of the Python API.

    Raises:
        TypeError: it has another type.
    """
    if not isinstance(value, kind) and not (optional and value is None):
        raise TypeError(f"{name} must be of type {kind.__name__}, not {type(value).__name__}")


# How each front end writes a field of the request; fields that are not listed are written as they are.
PYTHON: Mapping[str, str] = {
    "carry_permissions": "carry_permissions=False",
    "carry_deprecation": "carry_deprecation=False",
    "hub": "route",
}
MANIFEST: Mapping[str, str] = {
    "source_region": "from",
    "kms_keys": "kms_key",
    "carry_permissions": "carry_permissions: false",
    "carry_deprecation": "carry_deprecation: false",
    "hub": "route",
    "require_scan": "require",
}
OPTIONS: Mapping[str, str] = {
    "image_ids": "AMI",
    "source_region": "--from",
    "to": "--to",
    "exclude": "--exclude",
    "best_effort": "--best-effort",
    "regions": "--in",
    "subnets": "--subnet",
    "name": "--name",
    "description": "--description",
    "tags": "--tag",
    "image_tags": "--image-tag",
    "snapshot_tags": "--snapshot-tag",
    "share": "--share",
    "share_snapshots": "--share-snapshots",
    "carry_permissions": "--no-permissions",
    "encrypt": "--encrypt",
    "kms_keys": "--kms-key",
    "complete_within": "--complete-within",
    "accounts": "--account",
    "grants": "--grants",
    "kms_grant": "--kms-grant",
    "deprecate_after": "--deprecate-after",
    "deprecate_at": "--deprecate-at",
    "carry_deprecation": "--no-deprecation",
    "adopt": "--adopt",
    "route": "--route",
    "hub": "--route",
    "direct": "--direct",
    "check": "--check",
    "require_scan": "--require-scan",
    "scan": "--scan",
}


@dataclass(frozen=True, slots=True)
class RequestProblem:
    """Something wrong with a request: the fields that it is about, and the problem."""

    fields: tuple[str, ...]
    text: str

    def words(self, spelling: Mapping[str, str]) -> str:
        """Return the problem with the fields as one front end writes them."""
        return f"{' and '.join(spelling.get(name, name) for name in self.fields)}: {self.text}"


def check_request(request: CopyRequest, spelling: Mapping[str, str] = PYTHON) -> None:
    """Check everything in a request that can be checked without AWS and without knowing the regions.

    Raises:
        UsageError: with every problem.
    """
    problems = [problem.words(spelling) for problem in request_problems(request)]
    if problems:
        raise UsageError(f"{problems[0]}.", why="; ".join(problems[1:]))


def request_problems(request: CopyRequest) -> Iterator[RequestProblem]:
    """Yield everything that contradicts itself or breaks a rule of EC2's."""
    for image_id in request.image_ids:
        yield from _unless_raised(check_image_id, image_id, "image_ids")
    for problem in account_problems(request.accounts):
        yield RequestProblem(("accounts",), problem)
    for name, template, problem_of, fields in (
        ("name", request.name, name_problem, FIELDS),
        ("description", request.description or "", description_problem, DESCRIPTION_FIELDS),
    ):
        if template and (problem := template_problem(template, problem_of, fields)):
            yield RequestProblem((name,), problem)
    for name in ("tags", "image_tags", "snapshot_tags"):
        if own := sorted(OWN_TAGS & getattr(request, name).keys()):
            yield RequestProblem((name,), f"amicopy sets {own[0]!r} itself, to record where a copy comes from")
    for name in ("image_tags", "snapshot_tags"):
        if problem := tags_problem(getattr(request, name)):
            yield RequestProblem((name,), problem)
    if problem := tags_problem({**request.tags, **request.own_tags}):
        yield RequestProblem(("tags",), problem)
    if request.share and not request.carry_permissions:
        yield RequestProblem(("share", "carry_permissions"), "cannot be used together")
    if request.share_snapshots and not request.carry_permissions:
        yield RequestProblem(("share_snapshots", "carry_permissions"), "cannot be used together")
    if others := sorted(str(one) for one in request.share_snapshots or () if one.kind not in SNAPSHOT_KINDS):
        yield RequestProblem(
            ("share_snapshots",), f"a snapshot is shared with accounts or public, not with {others[0]}"
        )
    if request.encrypts and any(one.is_public for one in request.share_snapshots or ()):
        yield RequestProblem(("share_snapshots",), "an encrypted snapshot cannot be public")
    if request.deprecate_at is not None and request.deprecate_after is not None:
        yield RequestProblem(("deprecate_at", "deprecate_after"), "cannot be used together")
    if request.deprecate_at is not None and not request.carry_deprecation:
        yield RequestProblem(("deprecate_at", "carry_deprecation"), "cannot be used together")
    if request.deprecate_after is not None and not request.carry_deprecation:
        yield RequestProblem(("deprecate_after", "carry_deprecation"), "cannot be used together")
    makes_public = any(principal.is_public for principal in request.share or ())
    if request.encrypts and makes_public:
        yield RequestProblem(
            ("share", "kms_keys" if request.kms_keys else "encrypt"), "an encrypted AMI cannot be public"
        )
    yield from _route_problems(request)
    if request.kms_grant and request.grants is not Grants.TEMPORARY:
        text = f"a grant on a key is temporary, so it needs {Grants.TEMPORARY} permissions"
        yield RequestProblem(("kms_grant", "grants"), text)
    if request.kms_grant and not request.accounts:
        yield RequestProblem(("kms_grant",), "it is for copies in other accounts")
    for key in request.kms_keys.values():
        yield from _unless_raised(check_key, key, "kms_keys")
    if request.complete_within is not None and (problem := completion_problem(request.complete_within)):
        yield RequestProblem(("complete_within",), f"{length_text(request.complete_within)} {problem}")
    if request.deprecate_after is not None and (problem := deprecation_problem(request.deprecate_after)):
        yield RequestProblem(("deprecate_after",), f"{length_text(request.deprecate_after)} {problem}")
    elif (request.deprecate_after or timedelta(0)) > MAX_PUBLIC_DEPRECATION and makes_public:
        yield RequestProblem(
            ("share", "deprecate_after"), "a public AMI is deprecated within 2 years (730d) of its creation"
        )
    if request.check is not None and (problem := check_problem(request.check)):
        yield RequestProblem(("check",), problem)


def _route_problems(request: CopyRequest) -> Iterator[RequestProblem]:
    if request.route not in {DIRECT, CHEAPEST} and not request.hub:
        yield RequestProblem(("route",), f"{request.route!r} is none of {DIRECT}, {CHEAPEST} and {_VIA}REGION")
    if is_pattern(request.hub) or "," in request.hub:
        yield RequestProblem(("route",), f"{_VIA} takes the name of one region, not {request.hub!r}")
    if request.direct and request.route == DIRECT:
        yield RequestProblem(("direct",), f"it is for destinations of a route other than {DIRECT}")
    if request.hub and request.hub == request.source_region:
        yield RequestProblem(("route",), f"{request.hub} is the source region, so this is the direct route")
    if request.route != DIRECT and request.complete_within is not None:
        yield RequestProblem(
            ("route", "complete_within"), "cannot be used together: the time limit is for one copy, not two in a row"
        )


def _unless_raised(check: Callable[[str], None], text: str, name: str) -> Iterator[RequestProblem]:
    try:
        check(text)
    except ValueError as error:
        yield RequestProblem((name,), str(error))


def check_destinations(request: CopyRequest, destinations: Sequence[Destination], spelling: Mapping[str, str]) -> None:
    """Check that keys and best-effort regions are about destinations, and that each key can be used in its region.

    Raises:
        UsageError: one isn't, or is the ARN of a key in another region, or a destination is left without a key.
    """
    keys, best_effort, direct = (spelling.get(name, name) for name in ("kms_keys", "best_effort", "direct"))
    listed = f"The destinations are: {', '.join(map(str, destinations))}."
    regions = {destination.region for destination in destinations}
    places = regions.union(*({str(one), one.account} for one in destinations))
    for place in request.kms_keys:
        if place and place not in places:
            raise UsageError(
                f"{keys} has a key for {place}, which is not a destination.",
                why=listed,
                next_step="Correct the region, or leave that key out.",
            )
    keyless = [destination for destination in destinations if not request.key_for(destination)]
    if request.kms_keys and keyless and not request.encrypt:
        raise UsageError(
            f"{keys} has no key for {', '.join(map(str, keyless))}.",
            why="Copies there could be left unencrypted.",
            next_step="Give a key for each destination, or one without a region for all others. With "
            f"{spelling.get('encrypt', 'encrypt')} they are encrypted with their region's default key.",
        )
    for destination in destinations:
        try:
            key_in_region(request.key_for(destination), destination.region)
        except ValueError as error:
            raise UsageError(f"{keys}: {error}.", next_step=f"Give a key of {destination} for that region.") from error
    for option, named in ((best_effort, request.best_effort), (direct, request.direct)):
        for region in named:
            if region not in regions:
                raise UsageError(
                    f"{option} has {region}, which is not a destination.",
                    why=listed,
                    next_step="Add it to the destinations, or leave it out.",
                )


def comparing_options(request: CopyRequest) -> Iterator[str]:
    """Yield the options of ``amicopy verify`` that compare a copy with the same request."""
    named = {"--name": request.name, "--description": request.description}
    for option, value in named.items():
        if value:
            yield from (option, value)
    for key, value in request.tags.items():
        yield from ("--tag", f"{key}={value}")
    for option, tags in (("--image-tag", request.image_tags), ("--snapshot-tag", request.snapshot_tags)):
        for key, value in tags.items():
            yield from (option, f"{key}={value}")
    for principal in sorted(request.share or ()):
        yield from ("--share", str(principal))
    for principal in sorted(request.share_snapshots or ()):
        yield from ("--share-snapshots", str(principal))
    for region, key in request.kms_keys.items():
        yield from ("--kms-key", f"{region}={key}" if region else key)
    flags = {
        "--no-tags": not request.carry_tags,
        "--no-permissions": not request.carry_permissions,
        "--encrypt": request.encrypt,
        "--no-deprecation": not request.carry_deprecation,
        "--adopt": request.adopt,
    }
    yield from (option for option, is_set in flags.items() if is_set)
    if request.deprecate_after is not None:
        yield from ("--deprecate-after", length_text(request.deprecate_after))
    if request.deprecate_at is not None:
        yield from ("--deprecate-at", request.deprecate_at.strftime("%Y-%m-%dT%H:%MZ"))
    if request.protect is not None:
        yield from ("--protect", request.protect.value)
