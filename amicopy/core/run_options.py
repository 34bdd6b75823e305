"""What a copying job is asked for: which images go where, and under which terms.

Refuses to ask AWS: an order is right or wrong by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from amicopy.core.ec2_rules import MOST_IN_PROGRESS
from amicopy.core.errors import UsageError
from amicopy.core.kms_key import key_in_region
from amicopy.core.request import CopyRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Images and regions as a person names them; ``wish`` says what the copies are to bear, its destinations open."""

    wish: CopyRequest
    to: Sequence[str]  # regions, comma lists, 'all', patterns
    exclude: Sequence[str] = ()
    best_effort: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which conditions a whole job works."""

    timeout: timedelta = timedelta(hours=4)
    wait: bool = True  # False: start, settle and replace what can be, then leave
    share_when_all: bool = False  # share none before every destination has its copy
    cancel_failed: bool = False  # remove what this run started and could not bring to its end
    cancel_interrupted: bool = False  # when stopped, remove every copy that this run has started
    most_in_flight: int = MOST_IN_PROGRESS  # copies at once in one region
    progress: timedelta | None = field(default=None)  # how often snapshots are asked how far they are; None: never


def check_keys(keys: Mapping[str, str], destinations: Sequence[str]) -> None:
    """Check that every key is named for a destination, and can be used where it is named.

    Raises:
        UsageError: one is not, or is the ARN of another region's key.
    """
    for region in keys:
        if region and region not in destinations:
            raise UsageError(
                f"--kms-key names a key for {region}, which is no destination.",
                why=f"The destinations are: {', '.join(destinations)}.",
                next_step="Correct the region, or leave that key out.",
            )
    for destination in destinations:
        try:
            key_in_region(keys.get(destination, keys.get("", "")), destination)
        except ValueError as error:
            raise UsageError(f"--kms-key: {error}.", next_step=f"--kms-key {destination}=KEY") from error


def check_best_effort(regions: Sequence[str], destinations: Sequence[str]) -> None:
    """Check that every region whose failure does not count is a destination.

    Raises:
        UsageError: one is not.
    """
    for region in regions:
        if region not in destinations:
            raise UsageError(
                f"--best-effort names {region}, which is no destination.",
                why=f"The destinations are: {', '.join(destinations)}.",
                next_step="Name it in --to as well, or leave it out.",
            )
