"""What copies are to bear, as options, and the request that they make: shared by copy and verify.

Refuses to import what needs botocore.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from amicopy.cli.options import (
    CompletionTime,
    DeprecationTime,
    DescriptionTemplate,
    KeyOption,
    NameTemplate,
    PrincipalOption,
    TagOption,
    option,
    stacked,
)
from amicopy.core.ec2_rules import tags_problem
from amicopy.core.request import CopyRequest, Protection

wanted_options = stacked(
    option(
        "--name",
        type=NameTemplate(),
        help="Name of the copies; a template with {name} {source_id} {source_region} {region} {date}. "
        "Default: the source's.",
    ),
    option(
        "--description",
        type=DescriptionTemplate(),
        help="Description of the copies; a template. Default: says where it was copied from.",
    ),
    option(
        "--tag",
        "tags",
        multiple=True,
        type=TagOption(),
        help="One more tag for the copies and their snapshots; repeatable. It wins over the source's.",
    ),
    option("--no-tags", is_flag=True, help="Leave the source's tags behind; --tag ones are put on."),
    option(
        "--share",
        multiple=True,
        type=PrincipalOption(),
        help="Let exactly these launch the copies, instead of those the source is shared with: an account id, "
        "the ARN of an organization or organizational unit, or public; repeatable.",
    ),
    option("--no-permissions", is_flag=True, help="Leave the copies private."),
    option("--encrypt", is_flag=True, help="Encrypt the copies with the region's default key."),
    option(
        "--kms-key",
        "keys",
        multiple=True,
        type=KeyOption(),
        help="Encrypt the copies with this key: its id, alias or ARN; REGION=KEY for one destination; repeatable.",
    ),
    option("--deprecate-after", type=DeprecationTime(), help="Deprecate each copy so long after its creation: 90d."),
    option("--no-deprecation", is_flag=True, help="Leave the source's deprecation date behind."),
    option(
        "--protect",
        type=click.Choice([one.value for one in Protection]),
        is_flag=False,
        flag_value="on",
        help="Protect the copies from deregistration; 'cooldown': for 24 hours more; 'source': as the source is.",
    ),
)

completion_option = option(
    "--complete-within",
    type=CompletionTime(),
    help="Time-based copy: 15m to 48h in steps of 15 minutes. EC2 charges for it; the plan says how much.",
)


def refuse_contradictions(options: Mapping[str, Any]) -> None:
    """Raise a usage error where these options contradict each other or break EC2's rules."""
    if options["share"] and options["no_permissions"]:
        raise click.UsageError("--share and --no-permissions contradict each other: shared with these, or with nobody.")
    if options["deprecate_after"] and options["no_deprecation"]:
        raise click.UsageError("--deprecate-after and --no-deprecation contradict each other.")
    if (options["encrypt"] or options["keys"]) and any(one.is_public for one in options["share"]):
        raise click.UsageError("--share public and encryption contradict each other: no encrypted AMI can be public.")
    regions = [region for region, _ in options["keys"]]
    if twice := sorted({region for region in regions if regions.count(region) > 1}):
        keys_there = ", ".join(key for region, key in options["keys"] if region == twice[0])
        raise click.UsageError(f"--kms-key names more than one key for {twice[0] or 'all destinations'}: {keys_there}.")
    keys = [key for key, _ in options["tags"]]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise click.UsageError(f"--tag gives {', '.join(map(repr, twice))} more than once.")
    if problem := tags_problem(dict(options["tags"])):
        raise click.UsageError(f"--tag: {problem}.")


def wish_from(options: Mapping[str, Any]) -> CopyRequest:
    """Return what the options ask for; its destinations are left open."""
    return CopyRequest(
        source_region=options["source_region"] or "",
        image_ids=tuple(dict.fromkeys(options["image_ids"])),
        destinations=(),
        name=options["name"] or "",
        description=options["description"],
        tags=dict(options["tags"]),
        carry_tags=not options["no_tags"],
        carry_permissions=not options["no_permissions"],
        share=frozenset(options["share"]) or None,
        encrypt=options["encrypt"],
        keys=dict(options["keys"]),
        complete_within_minutes=_minutes(options.get("complete_within")),
        carry_deprecation=not options["no_deprecation"],
        deprecate_after=options["deprecate_after"],
        protect=Protection(options["protect"]) if options["protect"] else None,
        preflight=not options.get("no_preflight"),
    )


def _minutes(length: timedelta | None) -> int | None:
    return int(length.total_seconds() // 60) if length else None
