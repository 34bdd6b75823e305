"""The releases that a manifest no longer needs: sources that its names match, older than the one that it copies now."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from amicopy.core.accounts import TargetAccount
from amicopy.core.durations import length_text
from amicopy.core.parallel import all_at_once
from amicopy.core.templates import FIELDS, fill_template
from amicopy.jobs.context import Context
from amicopy.jobs.entries import invalid
from amicopy.manifest.model import ByName, Entry
from amicopy.survey.find_source import older_releases

_ANYTHING = dict.fromkeys(FIELDS, "*")


@dataclass(frozen=True, slots=True, kw_only=True)
class OldReleases:
    """What is old enough to be retired."""

    sources: tuple[tuple[str, tuple[str, ...]], ...]  # region and ids
    accounts: tuple[TargetAccount, ...]  # the others that the images are copied to
    left: tuple[str, ...]  # patterns of the parameters that name one version for ever
    notes: tuple[str, ...] = ()


def old_releases(context: Context, entries: Sequence[Entry], older_than: timedelta) -> OldReleases:
    """Return the releases of each entry that were created before the one it copies now, and this long ago; reads only.

    The newest available image of an entry is never among them, however old it is.

    Raises:
        ManifestInvalid: no entry finds its source by name, or one finds none.
    """
    named = [entry for entry in entries if isinstance(entry.source, ByName)]
    if not named:
        raise invalid(
            [f"{entry.where}: its source is not found by name, so there is none before it" for entry in entries]
        )
    before = context.clock.now() - older_than

    def tasks() -> Iterator[tuple[str, Callable[[], tuple[str, ...]]]]:
        for entry in named:
            assert isinstance(entry.source, ByName)
            ec2 = context.clients[context.source_region(entry.source.region)]
            look = partial(older_releases, entry.source, ec2, context.clock.now(), before)
            yield entry.where, partial(context.with_retries, look)

    found = all_at_once(tasks(), context.stop)
    by_region: dict[str, dict[str, None]] = {}
    for entry in named:
        region = context.source_region(entry.source.region)
        by_region.setdefault(region, {}).update(dict.fromkeys(found[entry.where]))
    once = [one for entry in entries if entry.publish for one in entry.publish.parameters if not one.overwrite]
    notes = [
        f"{entry.where}: its source is not found by name, so nothing of it is retired"
        for entry in entries
        if entry not in named
    ]
    if not any(by_region.values()):
        notes.append(f"nothing to retire: no earlier release is older than {length_text(older_than)}")
    return OldReleases(
        sources=tuple((region, tuple(ids)) for region, ids in by_region.items() if ids),
        accounts=tuple(dict.fromkeys(_without_regions(named))),
        left=tuple(dict.fromkeys(fill_template(one.path, _ANYTHING) for one in once)),
        notes=tuple(notes),
    )


def _without_regions(entries: Sequence[Entry]) -> Iterator[TargetAccount]:
    """Yield the other accounts of the entries: an earlier release may have been copied to any region there."""
    for target in (target for entry in entries for request in entry.requests for target in request.accounts):
        yield replace(target, regions=(), kms_key="")
