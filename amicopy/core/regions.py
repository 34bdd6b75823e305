"""Regions as a user writes them (lists, ``all``, patterns, exclusions), checked and resolved."""

import difflib
import fnmatch
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from amicopy.core.errors import UsageError
from amicopy.core.models import Region
from amicopy.core.problems import Problems

ALL = "all"


def listed_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in several comma-separated lists, in the order written."""
    names = (name.strip() for text in texts for name in text.split(","))
    return tuple(name for name in names if name)


def split_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in several comma-separated lists, each once, in the order written."""
    return tuple(dict.fromkeys(listed_names(texts)))


def regions_text(regions: Sequence[str]) -> str:
    """Return the regions for a sentence: their names, or their number if they are many."""
    return ", ".join(regions) if len(regions) <= 4 else f"any of {len(regions)} regions"


def is_pattern(name: str) -> bool:
    """Return True if ``name`` stands for several regions."""
    return name == ALL or any(sign in name for sign in "*?[")


def expand(name: str, regions: Sequence[str]) -> list[str]:
    """Return the regions that ``name`` stands for: itself, or those of ``regions`` that it matches, sorted."""
    if not is_pattern(name):
        return [name]
    return sorted(regions if name == ALL else fnmatch.filter(regions, name))


def names_region(texts: Iterable[str], region: str) -> bool:
    """Return whether one of these lists of names and patterns names the region."""
    return any(expand(name, [region]) == [region] for name in split_names(texts))


def includes_region(names: Sequence[str], region: str) -> bool:
    """Return whether a list that limits something to regions lets this one in: an empty list limits nothing."""
    return not names or names_region(names, region)


def excluded(names: Iterable[str], known: Sequence[str]) -> set[str]:
    """Return the regions that names and patterns to be left out stand for."""
    return {region for name in names for region in expand(name, known)}


def check_regions(
    names: Iterable[str], known: Collection[str], option: str, *, listed: Collection[str] | None = None
) -> None:
    """Check that every name is a region, and that every pattern matches at least one.

    Raises:
        UsageError: some are not; the error names all of them, and the nearest regions to each, or else those of
            ``listed`` (by default all).
    """
    choice = f"The regions are: {', '.join(sorted(known if listed is None else listed))}."
    names = list(names)
    for name in names:
        if is_pattern(name) and name != ALL and not fnmatch.filter(known, name):
            raise UsageError(
                f"{option}: no region matches {name!r}.",
                why=choice,
                next_step="Check the pattern, and quote it for the shell: --to 'eu-*'",
            )
    unknown = [name for name in names if not is_pattern(name) and name not in known]
    if not unknown:
        return
    near = {name: difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6) for name in unknown}
    hints = (
        f"{f'Instead of {name}, did' if len(unknown) > 1 else 'Did'} you mean {' or '.join(some)}?"
        for name, some in near.items()
        if some
    )
    raise UsageError(
        f"{option}: unknown region{'s' * (len(unknown) > 1)} {', '.join(map(repr, unknown))}.",
        why=" ".join([*hints, *([] if all(near.values()) else [choice])]),
        next_step="Correct the name. A newly launched region needs a newer botocore: pip install --upgrade botocore",
    )


def choose_regions(
    names: Sequence[str],
    *,
    exclude: Sequence[str],
    source: str,
    known: Sequence[str],
    enabled: Sequence[str],
    in_source_region: bool = False,
    spelling: Mapping[str, str],
) -> tuple[str, ...]:
    """Return the destinations, each once, in the order given; patterns match enabled regions except the source's.

    With ``in_source_region`` the source's own region is allowed: for a copy that is encrypted with another key.

    Raises:
        UsageError: the source's own region is given, or no region is left.
    """
    to, excluding = (spelling.get(name, name) for name in ("to", "exclude"))
    chosen: list[str] = []
    for name in names:
        if is_pattern(name):
            chosen += [region for region in expand(name, enabled) if region != source]
        elif name == source and not in_source_region:
            raise UsageError(
                f"{to} includes {source}, the source region.",
                why="That would create a duplicate of the source in its own region.",
                next_step=f"Leave {source} out. Only a copy that is encrypted with its own key can be made there.",
            )
        else:
            chosen.append(name)
    left_out = excluded(exclude, known)
    regions = tuple(region for region in dict.fromkeys(chosen) if region not in left_out)
    if not names:
        raise UsageError(f"{to} has no region.", next_step="Give one or more, for example us-west-2,eu-west-1.")
    if not regions:
        raise UsageError(
            "No destination is left.",
            why=f"{excluding}{f' and the source region {source}' if source else ''} remove every region of {to} "
            f"{','.join(names)}.",
            next_step=f"Add a region to {to}, or remove one from {excluding}.",
        )
    return regions


class NamedRegions:
    """The regions that a user wrote, field by field: checked first, resolved once the enabled regions are known."""

    def __init__(
        self,
        partitions: Mapping[str, str],
        source_region: str,
        named: Mapping[str, Sequence[str]],
        spelling: Mapping[str, str],
    ) -> None:
        """Check the regions of each field (``to``); ``partitions`` has the partition of every known region.

        Raises:
            UsageError: a region doesn't exist, or is in another partition.
        """
        everywhere = tuple(sorted(partitions))
        self._spelling = spelling
        check_regions([source_region], everywhere, spelling.get("source_region", "source_region"))
        partition = partitions[source_region]
        self.source_region = source_region
        self.known = tuple(region for region in everywhere if partitions[region] == partition)
        self._named = {field: split_names(texts) for field, texts in named.items()}
        problems = Problems()
        for field, names in self._named.items():
            option = spelling.get(field, field)
            with problems.noted():
                check_regions(names, everywhere, option, listed=self.known)
                for name in names:
                    if not is_pattern(name) and partitions[name] != partition:
                        raise UsageError(
                            f"{option} {name} is in another partition than {source_region}.",
                            why="EC2 can't copy an AMI from one partition to another.",
                            next_step="Store it in S3 and restore it there: aws ec2 create-store-image-task",
                        )
        problems.check()

    def __getitem__(self, field: str) -> tuple[str, ...]:
        return self._named.get(field, ())

    def spelled_out(self, field: str) -> frozenset[str]:
        """Return the regions of ``field`` that are named one by one, not by a pattern."""
        return frozenset(name for name in self[field] if not is_pattern(name))

    def has_pattern(self, field: str) -> bool:
        """Return whether the regions of ``field`` depend on which are enabled."""
        return any(map(is_pattern, self[field]))

    def enabled(self, regions: Mapping[str, Region] | None) -> tuple[str, ...]:
        """Return the regions that the account has enabled; all that are known where EC2 could not be asked."""
        if regions is None:
            return self.known
        return tuple(name for name, region in regions.items() if region.enabled)

    def resolve(self, field: str, ask: Callable[[], Mapping[str, Region] | None]) -> tuple[str, ...]:
        """Return the regions of ``field`` without those of ``exclude``, each once.

        The enabled regions are read only if there is a pattern.

        Raises:
            UsageError: no enabled region matches, or all are excluded.
        """
        names = self[field]
        enabled = self.enabled(ask()) if self.has_pattern(field) else ()
        chosen = [region for name in names for region in expand(name, enabled)]
        if not chosen:
            raise UsageError(
                f"{self._spelling.get(field, field)} {','.join(names)} matches no enabled region.",
                why=f"The enabled regions are: {', '.join(enabled)}.",
                next_step="Choose one of them.",
            )
        left_out = excluded(self["exclude"], self.known)
        if left := tuple(region for region in dict.fromkeys(chosen) if region not in left_out):
            return left
        excluding = self._spelling.get("exclude", "exclude")
        raise UsageError(
            "No region is left.",
            why=f"{excluding} removes every region of {self._spelling.get(field, field)} {','.join(names)}.",
            next_step=f"Remove a region from {excluding}.",
        )

    def destinations(
        self, enabled: Sequence[str] | None = None, *, in_source_region: bool = False, elsewhere: bool = False
    ) -> tuple[str, ...]:
        """Return the destinations: the regions of ``to`` without those of ``exclude``, given the enabled regions.

        With ``elsewhere`` they are another account's, which has nothing in the source's region.
        """
        return choose_regions(
            self["to"],
            exclude=self["exclude"],
            source="" if elsewhere else self.source_region,
            known=self.known,
            enabled=self.known if enabled is None else enabled,
            in_source_region=in_source_region,
            spelling=self._spelling,
        )
