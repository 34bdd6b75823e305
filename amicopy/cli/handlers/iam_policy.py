"""``amicopy iam-policy``: what a command line or manifests need, and the policy for it as JSON on stdout."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import click

from amicopy.aws.session import Session
from amicopy.cli.environment import Environment
from amicopy.cli.named_files import manifest_content
from amicopy.cli.terminal import say
from amicopy.core.accounts import DEFAULT_ROLE, TargetAccount
from amicopy.core.content import ContentLevel
from amicopy.core.destination import Destination
from amicopy.core.functions import DISPATCHER
from amicopy.core.grants import Grants
from amicopy.core.notification import Notification
from amicopy.core.regions import check_regions, includes_region, is_pattern
from amicopy.core.request import DIRECT, MANIFEST, OPTIONS, CopyRequest
from amicopy.core.templates import fill_template
from amicopy.manifest.model import OWN_ACCOUNT, ByParameter, Entry, LaunchTemplate, Parameter
from amicopy.manifest.read import read_manifest
from amicopy.plan.iam_needs import ANY_REGION, ANYWHERE, Needs, Parameters
from amicopy.plan.iam_policy import policy, trust_policy

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IamPolicyCommand:
    """One ``amicopy iam-policy``, as it was typed."""

    command: str
    request: CopyRequest
    function: str = ""  # the Lambda function that runs the command
    regions: tuple[str, ...] = ()  # --in
    manifests: tuple[str, ...] = ()  # paths; for a function also s3://… and ssm:…
    profile: str | None = None
    dry_run: bool = False
    repair: bool = False
    prune: bool = False
    available: bool = False
    only_snapshots: bool = False  # of scan
    undo: bool = False
    restores: bool = False
    parameters: bool = True  # of retire
    source_buckets: tuple[str, ...] = ()
    any_image: bool = False
    fast_launch: bool = False  # copies have EC2 Fast Launch
    external_id: str = ""
    trusted: str = ""  # --account-role: who may assume the role that the policy is for
    notifications: tuple[Notification, ...] = ()
    content: ContentLevel | None = None


def iam_policy(_environment: Environment, command: IamPolicyCommand) -> int:
    """Run ``amicopy iam-policy``; return the exit code.

    Raises:
        ManifestInvalid: a manifest cannot be read.
        CredentialsMissing: the region is needed, and the profile or the configuration cannot be used.
    """
    paths = [path for path in command.manifests if not _is_elsewhere(path)]
    entries = [one for path in paths for one in read_manifest(path, manifest_content(path))]
    requests = [request for entry in entries for request in entry.requests] or [command.request]
    _check_regions(command, requests)
    sources = list(dict.fromkeys(request.source_region for request in requests))
    places = [*sources, *command.regions, *(name for request in requests for name in request.to)]
    if "" in sources and (command.command in {"copy", "sync"} or not any(_is_name(place) for place in places)):
        configured = Session(profile=command.profile).region or ""
        sources = list(dict.fromkeys(region or configured for region in sources))
        places.append(configured)
        if configured and command.command in {"copy", "sync"}:
            say([f"note: --from is not given; the policy is for sources in the configured region, {configured}"])
    switched = [one for entry in entries for one in entry.fast_launch.values() if one is not None]
    if not all(one.launch_template for one in switched):
        managed = f"arn:{_partition(places)}:iam::aws:policy/EC2FastLaunchFullAccess"
        say([f"note: fast_launch without a launch_template also needs {managed}: EC2 makes a VPC in your name"])
    needs = _needs(command, requests, entries, _regions(sources), _partition(places))
    document = policy(needs)
    if command.trusted:
        document = {"TrustPolicy": trust_policy(command.trusted, command.external_id), "Policy": document}
    click.echo(json.dumps(document, indent=2))
    return 0


def _check_regions(command: IamPolicyCommand, requests: Sequence[CopyRequest]) -> None:
    """Refuse a region that there isn't: a policy for it would not allow anything."""
    known = Session(profile=command.profile).partitions
    spelling = MANIFEST if command.manifests else OPTIONS
    check_regions(command.regions, known, OPTIONS["regions"])
    for request in requests:
        check_regions(filter(None, [request.source_region]), known, spelling["source_region"])
        check_regions(request.to, known, spelling.get("to", "to"))
        check_regions(request.exclude, known, spelling.get("exclude", "exclude"))


def _needs(
    command: IamPolicyCommand,
    requests: Sequence[CopyRequest],
    entries: Sequence[Entry],
    sources: tuple[str, ...],
    partition: str,
) -> Needs:
    syncs = command.command == "sync"
    unknown = syncs and not entries  # everything that a manifest can say
    dispatches = command.function == DISPATCHER  # finds sources and regions, and leaves the rest to workers
    enters = not command.trusted and not dispatches  # other accounts
    names = [*command.regions] or [name for request in requests for name in _destinations(request)]
    destinations = _regions(names)
    places = tuple(dict.fromkeys([*sources, *destinations]))
    entries = list(_of_holder(entries, of_role=bool(command.trusted)))
    published = _parameters(_published(entries, sources))
    named = () if command.trusted else _named_sources(entries, sources)  # which the run's own account looks for
    read = _parameters([*([] if dispatches else _published(entries, sources)), *named])
    if unknown:
        read = published = Parameters(by_region=dict.fromkeys(_regions(places), frozenset({ANYWHERE})))
    if command.command == "retire" and command.parameters:  # those that name the images
        read = published = Parameters(by_region=dict.fromkeys(destinations, frozenset({ANYWHERE})))
    return Needs(
        command="dispatch" if dispatches else command.command,
        function=command.function,
        manifests_at=tuple(filter(_is_elsewhere, command.manifests)),
        partition=partition,
        sources=sources,
        destinations=destinations,
        only_look=command.dry_run or dispatches,
        permissions=any(request.carry_permissions for request in requests),
        share=any(request.share for request in requests),
        deprecation=any(request.carry_deprecation or request.deprecate_after for request in requests),
        protection=unknown or any(request.protect for request in requests),
        adopt=any(request.adopt for request in requests),
        repair=command.repair,
        prune=command.prune,
        content=command.content,
        only_snapshots=command.only_snapshots,
        scan=any(request.scan for request in requests),
        available=command.available,
        keep=not dispatches and (unknown or any(entry.keep for entry in entries)),
        undo=command.undo,
        restores=command.restores,
        checks_boot=any(request.check is not None and request.check.is_built_in for request in requests),
        reads=read,
        publishes=published,
        templates=_template_regions(entries, sources),
        fast_restores=tuple(dict.fromkeys(region for entry in entries for region in entry.fast_restore)),
        fast_launches=destinations
        if command.fast_launch
        else tuple(dict.fromkeys(region for entry in entries for region in entry.fast_launch)),
        notifications=command.notifications,
        relays=any(request.route != DIRECT for request in requests),
        keys=_keys(requests),
        source_buckets=command.source_buckets,
        accounts=_accounts(requests) if enters else (),
        role=next((target.role for target in _targets(requests)), DEFAULT_ROLE),
        units=enters and _has_units(requests, entries),
        grants=not dispatches
        and command.command in {"copy", "sync", "cancel"}
        and all(one.grants is not Grants.NONE for one in requests),
        kms_grant=any(one.kms_grant for one in requests),
        any_image=command.any_image,
    )


def _is_elsewhere(manifest: str) -> bool:
    """Return whether a function reads this manifest from S3 or Systems Manager: its content is not known here."""
    return manifest.startswith(("s3://", "ssm:"))


def _targets(requests: Iterable[CopyRequest]) -> list[TargetAccount]:
    return [target for request in requests for target in request.accounts]


def _accounts(requests: Iterable[CopyRequest]) -> tuple[str, ...]:
    """Return the accounts, each once; any if some are only known by their unit."""
    targets = _targets(requests)
    found = dict.fromkeys(target.account for target in targets)
    return (ANYWHERE,) if any(target.unit for target in targets) else tuple(found)


def _has_units(requests: Iterable[CopyRequest], entries: Iterable[Entry]) -> bool:
    """Return whether an organizational unit is named, as one that gets copies or in which their ids are published."""
    published = (one.units for entry in entries if entry.publish for one in entry.publish.targets)
    return any(target.unit for target in _targets(requests)) or any(published)


def _is_name(place: str) -> bool:
    return bool(place) and not is_pattern(place)


def _regions(names: Iterable[str]) -> tuple[str, ...]:
    """Return the regions; any region unless all are named."""
    found = tuple(dict.fromkeys(names))
    return found if found and all(_is_name(name) for name in found) else ANY_REGION


def _destinations(request: CopyRequest) -> list[str]:
    named = [name for name in request.to if name not in request.exclude]
    return [*(named or [ANYWHERE]), *([request.hub] if request.hub and request.hub not in named else [])]


def _partition(places: Iterable[str]) -> str:
    """Return the partition of the first place that names one; a pattern such as us-gov-* does, too."""
    found = (name for place in places for prefix, name in _PARTITIONS.items() if place.startswith(prefix))
    return next(found, "aws")


def _keys(requests: Iterable[CopyRequest]) -> dict[str, frozenset[str]]:
    """Return the keys of each destination; under ``*`` those of the destinations that only a pattern names."""
    keys: dict[str, frozenset[str]] = {}
    for request in requests:
        names = [name if _is_name(name) else ANYWHERE for name in _destinations(request)]
        for region in (*names, *(region for region in request.kms_keys if region)):
            keys[region] = keys.get(region, frozenset()) | {request.key_for(Destination(region))}
    if ANYWHERE in keys:  # one policy statement for all regions has to name all keys
        keys[ANYWHERE] = frozenset().union(*keys.values())
    return keys


def _of_holder(entries: Iterable[Entry], *, of_role: bool) -> Iterator[Entry]:
    """Yield the entries with what is published and switched in the account that the policy is for.

    ``of_role``: it is that of the role in other accounts, and not the caller's.
    """

    def concerns(target: Parameter | LaunchTemplate) -> bool:
        named = [(name != OWN_ACCOUNT) is of_role for name in target.accounts]
        return any(named) or bool(target.units) or not target.accounts  # a unit may have either

    for entry in entries:
        if of_role and not any(request.accounts for request in entry.requests):
            continue
        publish = entry.publish and replace(
            entry.publish,
            parameters=tuple(filter(concerns, entry.publish.parameters)),
            launch_templates=tuple(filter(concerns, entry.publish.launch_templates)),
            include_source=entry.publish.include_source and not of_role,
        )
        entry = replace(entry, publish=publish)
        yield replace(entry, fast_restore={}, fast_launch={}) if of_role else entry


def _published(entries: Iterable[Entry], sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the regions and names of the parameters that ids are published to."""
    for entry in entries:
        if entry.publish is None:
            continue
        for region in _publishing_regions(entry, sources):
            values = dict.fromkeys(("name", "source_id", "source_region", "date"), ANYWHERE)
            for parameter in entry.publish.parameters:
                if region == ANYWHERE or includes_region(parameter.regions, region):
                    yield region, fill_template(parameter.path, values | {"region": region})


def _template_regions(entries: Iterable[Entry], sources: Sequence[str]) -> tuple[str, ...]:
    """Return the regions in which launch templates get new versions, or ``*``."""
    found = {
        region: None
        for entry in entries
        if entry.publish and entry.publish.launch_templates
        for region in _publishing_regions(entry, sources)
        if region == ANYWHERE or any(includes_region(one.regions, region) for one in entry.publish.launch_templates)
    }
    return tuple(found)


def _publishing_regions(entry: Entry, sources: Sequence[str]) -> tuple[str, ...]:
    regions = [name for request in entry.requests for name in _destinations(request)]
    if entry.publish and entry.publish.include_source:
        regions += [entry.source.region] if entry.source.region else sources
    return _regions(regions)


def _named_sources(entries: Iterable[Entry], sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the regions and names of the parameters that name sources."""
    for entry in entries:
        if isinstance(entry.source, ByParameter):
            for region in [entry.source.region] if entry.source.region else sources:
                yield region, entry.source.path.split(":")[0]


def _parameters(found: Iterable[tuple[str, str]]) -> Parameters:
    by_region: dict[str, frozenset[str]] = {}
    for region, name in found:
        by_region[region] = by_region.get(region, frozenset()) | {name}
    return Parameters(by_region=by_region)
