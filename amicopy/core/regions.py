"""From what a user writes after ``--to`` to regions: lists, ``all``, globs, exclusions.

Refuses to ask AWS; it is handed the names that exist and those that the account has enabled.
"""

import difflib
import fnmatch
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from amicopy.core.errors import UsageError
from amicopy.core.models import Region

ALL = "all"


def split_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in several comma-separated lists, each once, in the order written."""
    names = (name.strip() for text in texts for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def is_pattern(name: str) -> bool:
    """Tell whether ``name`` stands for several regions."""
    return name == ALL or any(sign in name for sign in "*?[")


def expand(name: str, regions: Sequence[str]) -> list[str]:
    """Return the regions that ``name`` stands for: itself, or those of ``regions`` that it matches, sorted."""
    if not is_pattern(name):
        return [name]
    return sorted(regions if name == ALL else fnmatch.filter(regions, name))


def check_regions(names: Iterable[str], known: Collection[str], option: str) -> None:
    """Check that every name that is no pattern is a region, and every pattern matches one.

    Raises:
        UsageError: one is not; the error names the nearest ones.
    """
    for name in names:
        if is_pattern(name):
            if name != ALL and not fnmatch.filter(known, name):
                raise UsageError(
                    f"{option}: no region matches {name!r}.",
                    why=f"The regions are: {', '.join(sorted(known))}.",
                    next_step="Quote patterns for the shell: --to 'eu-*'",
                )
        elif name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
            raise UsageError(
                f"{option}: there is no region {name!r}.",
                why=f"Near to it: {', '.join(near)}." if near else f"The regions are: {', '.join(sorted(known))}.",
                next_step="A region newer than the installed botocore is known after: pip install --upgrade botocore",
            )


def choose_regions(
    wanted: Sequence[str],
    *,
    exclude: Sequence[str],
    source: str,
    known: Sequence[str],
    enabled: Sequence[str],
    beside_source: bool = False,
) -> tuple[str, ...]:
    """Return the destinations, each once, in the order asked; patterns stand for enabled regions but the source's.

    ``beside_source`` lets the source's own region be named: for a copy that is encrypted with another key.

    Raises:
        UsageError: the source's own region is named, or nothing is left.
    """
    chosen: list[str] = []
    for name in wanted:
        if is_pattern(name):
            chosen += [region for region in expand(name, enabled) if region != source]
        elif name == source and not beside_source:
            raise UsageError(
                f"--to names {source}, where the source is.",
                why="A copy beside its source is a second AMI of the same content.",
                next_step="Name other regions, or the source's with --from; to encrypt it anew: --encrypt.",
            )
        else:
            chosen.append(name)
    left_out = {region for name in exclude for region in expand(name, known)}
    regions = tuple(region for region in dict.fromkeys(chosen) if region not in left_out)
    if not wanted:
        raise UsageError("--to names no region.", next_step="Name one or more: --to us-west-2,eu-west-1")
    if not regions:
        raise UsageError(
            "No destination is left.",
            why=f"--to {','.join(wanted)} without {source} and --exclude {','.join(exclude) or 'nothing'} is empty.",
            next_step="Name a region with --to that --exclude does not take away.",
        )
    return regions


class NamedRegions:
    """What a person says about regions.

    Raises UsageError where a region does not exist, lies in another partition, or where nothing is left.
    """

    def __init__(self, partitions: Mapping[str, str], source_region: str, named: Mapping[str, Sequence[str]]) -> None:
        """Check the regions that each option (``--to``) names; ``source_region`` is where the sources are.

        ``partitions`` has the partition of every known region.
        """
        everywhere = tuple(sorted(partitions))
        check_regions([source_region], everywhere, "--from")
        partition = partitions[source_region]
        self.source_region = source_region
        self.known = tuple(region for region in everywhere if partitions[region] == partition)
        self._named = {option: split_names(texts) for option, texts in named.items()}
        for option, names in self._named.items():
            check_regions(names, everywhere, option)
            for name in names:
                if not is_pattern(name) and partitions[name] != partition:
                    raise UsageError(
                        f"{option} {name} is in another partition than {source_region}.",
                        why="EC2 copies no AMI from one partition to another.",
                        next_step="Store it in S3 and restore it there: aws ec2 create-store-image-task",
                    )

    def __getitem__(self, option: str) -> tuple[str, ...]:
        return self._named[option]

    def enabled(self, regions: Mapping[str, Region] | None) -> tuple[str, ...]:
        """Return the regions that the account has enabled; all that are known where EC2 could not be asked."""
        if regions is None:
            return self.known
        return tuple(name for name, region in regions.items() if region.enabled)

    def places(self, option: str, ask: Callable[[], Mapping[str, Region] | None]) -> tuple[str, ...]:
        """Return the regions that ``option`` means; EC2 is asked for the enabled ones only where a pattern needs it.

        Raises:
            UsageError: no enabled region matches.
        """
        names = self[option]
        if not any(map(is_pattern, names)):
            return names
        enabled = self.enabled(ask())
        chosen = [region for name in names for region in expand(name, enabled)]
        if not chosen:
            raise UsageError(
                f"{option} {','.join(names)} matches no enabled region.",
                why=f"Enabled are: {', '.join(enabled)}.",
                next_step="Name one of them.",
            )
        return tuple(dict.fromkeys(chosen))

    def destinations(self, enabled: Sequence[str] | None = None, *, beside_source: bool = False) -> tuple[str, ...]:
        """Return what ``--to`` without ``--exclude`` means, given the enabled regions."""
        return choose_regions(
            self["--to"],
            exclude=self["--exclude"],
            source=self.source_region,
            known=self.known,
            enabled=self.known if enabled is None else enabled,
            beside_source=beside_source,
        )
