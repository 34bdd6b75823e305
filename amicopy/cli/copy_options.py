"""The options that describe copies, and the request that they make: shared by copy and verify."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from amicopy.cli.account_options import accounts_from
from amicopy.cli.completion import complete_regions
from amicopy.cli.options import (
    CompletionTime,
    DateOption,
    DeprecationTime,
    DescriptionTemplate,
    KeyOption,
    NameList,
    NameTemplate,
    PrincipalOption,
    RouteOption,
    TagOption,
    option,
    stacked,
)
from amicopy.core.check import Check
from amicopy.core.grants import Grants
from amicopy.core.image_scan import ScanMode, ScanRequest
from amicopy.core.regions import split_names
from amicopy.core.request import DIRECT, OPTIONS, CopyRequest, Protection, request_problems

wanted_options = stacked(
    option(
        "--name",
        type=NameTemplate(),
        help="Name of the copies; a template. Default: the source's name.",
    ),
    option(
        "--description",
        type=DescriptionTemplate(),
        may_be_empty=True,
        help="Description of the copies; a template. Default: where the image was copied from.",
    ),
    option(
        "--tag",
        "tags",
        multiple=True,
        type=TagOption(),
        help="Tag for the copies and their snapshots; overrides the source's tag; repeatable.",
    ),
    option("--image-tag", "image_tags", multiple=True, type=TagOption(), help="Tag for the copies alone; repeatable."),
    option(
        "--snapshot-tag",
        "snapshot_tags",
        multiple=True,
        type=TagOption(),
        help="Tag for the copies' snapshots alone; repeatable.",
    ),
    option("--no-tags", is_flag=True, help="Do not copy the source's tags; tags given with --tag are still set."),
    option(
        "--share",
        multiple=True,
        type=PrincipalOption(),
        help="Share the copies with exactly these principals instead of the source's: an account id, the ARN of an "
        "organization or organizational unit, or public; repeatable.",
    ),
    option(
        "--share-snapshots",
        multiple=True,
        type=PrincipalOption(),
        help="Share the copies' snapshots with exactly these accounts, or public, independently of --share; "
        "repeatable.",
    ),
    option("--no-permissions", is_flag=True, help="Keep the copies private."),
    option("--encrypt", is_flag=True, help="Encrypt the copies with the region's default key."),
    option(
        "--kms-key",
        "keys",
        multiple=True,
        type=KeyOption(),
        help="Encrypt the copies with this key: its id, alias or ARN; REGION=KEY, ACCOUNT=KEY or ACCOUNT/REGION=KEY "
        "for some of them; repeatable.",
    ),
    option(
        "--deprecate-after",
        type=DeprecationTime(),
        help="Deprecate each copy this long after its creation, for example 90d.",
    ),
    option("--deprecate-at", type=DateOption(), help="Deprecate each copy on this date, for example 2027-11-30."),
    option("--no-deprecation", is_flag=True, help="Do not copy the source's deprecation date."),
    option(
        "--protect",
        type=click.Choice([one.value for one in Protection]),
        is_flag=False,
        flag_value="on",
        help="Protect the copies from deregistration; 'cooldown': with a 24-hour cooldown; 'source': like the source.",
    ),
    option(
        "--adopt",
        is_flag=True,
        help="Take over copies that other tools made: complete, share and repair them. Default: leave them alone.",
    ),
)

completion_option = option(
    "--complete-within",
    type=CompletionTime(),
    help="Time-based copy: 15m to 48h in steps of 15 minutes. EC2 charges for it; the plan shows how much.",
)


route_options = stacked(
    option(
        "--route",
        type=RouteOption(),
        default="direct",
        show_default=True,
        help="'cheapest': copy by way of another region, or from existing copies, if transfer then costs less; "
        "'via:REGION': copy by way of this region.",
    ),
    option(
        "--direct",
        multiple=True,
        type=NameList(),
        help="Destinations to copy directly from the source despite --route: they don't wait for another copy.",
        shell_complete=complete_regions,
    ),
)


def copy_request(options: Mapping[str, Any]) -> CopyRequest:
    """Return what the options ask for.

    Raises:
        click.UsageError: they contradict each other, or break a rule of EC2's.
    """
    request = CopyRequest(
        image_ids=tuple(name for name in dict.fromkeys(options["image_ids"]) if name != "-"),
        source_region=options["source_region"] or "",
        to=split_names(options.get("to", ())),
        exclude=split_names(options.get("exclude", ())),
        best_effort=split_names(options.get("best_effort", ())),
        accounts=accounts_from(options),
        grants=Grants(options.get("grants") or Grants.TEMPORARY),
        kms_grant=bool(options.get("kms_grant")),
        name=options["name"] or "",
        description=options["description"],
        tags=_each_once("--tag", options["tags"]),
        image_tags=_each_once("--image-tag", options["image_tags"]),
        snapshot_tags=_each_once("--snapshot-tag", options["snapshot_tags"]),
        carry_tags=not options["no_tags"],
        carry_permissions=not options["no_permissions"],
        share=frozenset(options["share"]) or None,
        share_snapshots=frozenset(options["share_snapshots"]) or None,
        encrypt=options["encrypt"],
        kms_keys=_each_once("--kms-key", options["keys"]),
        complete_within=options.get("complete_within"),
        carry_deprecation=not options["no_deprecation"],
        deprecate_after=options["deprecate_after"],
        deprecate_at=options["deprecate_at"],
        protect=Protection(options["protect"]) if options["protect"] else None,
        adopt=options["adopt"],
        route=options.get("route") or DIRECT,
        direct=split_names(options.get("direct", ())),
        require_scan=options.get("require_scan"),
        scan=_scan(options),
        check=_check(options),
        preflight=not options.get("no_preflight"),
    )
    problems = [problem.words(OPTIONS) for problem in request_problems(request)]
    if problems:
        raise click.UsageError("; ".join(problems) + ".")
    return request


def _scan(options: Mapping[str, Any]) -> ScanRequest | None:
    mode = options.get("scan")
    if mode is None:
        for name, option in (("allow_secrets", "--allow-secrets"), ("ignore_file", "--ignore-file")):
            if options.get(name):
                raise click.UsageError(f"{option} requires --scan.")
        return None
    from amicopy.cli.ignore_file import ignored_findings

    return ScanRequest(
        mode=ScanMode(mode),
        allow_secrets=options["allow_secrets"],
        ignored=ignored_findings(options["ignore_file"]),
    )


def _check(options: Mapping[str, Any]) -> Check | None:
    command = options.get("check")
    return None if command is None else Check(command=command, timeout=options["check_timeout"])


def _each_once(option: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs as a mapping, unless a key is given twice."""
    keys = [key for key, _ in pairs]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        values = ", ".join(value for key, value in pairs if key == twice[0])
        raise click.UsageError(f"{option} is given more than once for {twice[0] or 'all destinations'}: {values}.")
    return dict(pairs)
