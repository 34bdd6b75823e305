"""What the Tab key completes besides options and commands: regions, and the account's AMIs.

Errors are silent: a message would land in the middle of the command line.
"""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# How long to wait for a list; without it the id can still be typed.
_SECONDS = 2


def complete_regions(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the regions that the last word of a comma list may become."""
    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",")
    words = _known_regions() if comma else ["all", *_known_regions()]
    return [f"{before}{comma}{name}" for name in words if name.startswith(last) and name not in taken]


def complete_region(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the regions that a word may become."""
    return [name for name in _known_regions() if name.startswith(incomplete)]


def _known_regions() -> list[str]:
    """Return the regions of the partition of the configured region; of ``aws`` if there is none."""
    try:
        from amicopy.aws.session import Session

        session = Session()
        partitions = session.partitions
        own = partitions.get(session.region or "", "aws")
        return [region for region, partition in partitions.items() if partition == own]
    except Exception:
        return []


def complete_images(ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the account's AMIs in the region of ``--from`` or the configured one, newest first, with their names."""
    if not (incomplete.startswith("ami-") or "ami-".startswith(incomplete)):
        return []
    try:
        found = _own_images(ctx.params)
    except Exception:  # no credentials, no network, no permission: nothing to offer
        return []
    from click.shell_completion import CompletionItem

    return [CompletionItem(image_id, help=name) for image_id, name in found if image_id.startswith(incomplete)]


def _own_images(params: dict[str, Any]) -> list[tuple[str, str]]:
    from amicopy.aws.session import Session
    from amicopy.jobs.context import Context
    from amicopy.jobs.existing_copies import own_images
    from amicopy.render.text import safe

    session = Session(profile=params.get("profile"), endpoint_url=params.get("endpoint_url"), timeout_seconds=_SECONDS)
    images = own_images(Context(session=session), params.get("source_region"))
    return [(image.image_id, safe(image.name)) for image in images]
