"""What every peer is given to do, and the words that all parts of the benchmark share.

Refuses to import anything heavy: the process that starts the measured ones stays small.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amicopy.sandbox.settings import REGIONS, partition_of

HOME = "us-east-1"
DESTINATIONS = tuple(region for region in REGIONS if partition_of(region) == "aws" and region != HOME)  # 33
NAME = "copy-of-web-server"  # of copies; the source's id follows
TAGS = {"Name": "web-server", "Team": "web"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Images to be copied to regions."""

    image_ids: Sequence[str]
    regions: Sequence[str]
    endpoint_url: str
    folder: Path  # of the run's own, for what a tool needs as a file
