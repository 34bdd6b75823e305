"""The regions that options name: checked before AWS is asked, resolved once the enabled ones are known.

Refuses to ask AWS.
"""

from collections.abc import Callable, Mapping, Sequence

from amicopy.aws.session import Session
from amicopy.core.errors import UsageError
from amicopy.core.models import Region
from amicopy.core.regions import check_regions, choose_regions, expand, is_pattern, split_names


class NamedRegions:
    """What a person says about regions.

    Raises UsageError where a region does not exist, lies in another partition, or where nothing is left.
    """

    def __init__(self, session: Session, home: str, named: Mapping[str, Sequence[str]]) -> None:
        """Check the regions that each option (``--to``) names; ``home`` is where the sources are."""
        everywhere = session.known_regions()
        check_regions([home], everywhere, "--from")
        partition = session.partition(home)
        self.home = home
        self.known = tuple(region for region in everywhere if session.partition(region) == partition)
        self._named = {option: split_names(texts) for option, texts in named.items()}
        for option, names in self._named.items():
            check_regions(names, everywhere, option)
            for name in names:
                if not is_pattern(name) and session.partition(name) != partition:
                    raise UsageError(
                        f"{option} {name} is in another partition than {home}.",
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
            source=self.home,
            known=self.known,
            enabled=self.known if enabled is None else enabled,
            beside_source=beside_source,
        )
