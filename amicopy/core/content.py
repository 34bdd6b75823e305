"""The data of a copy's volumes compared with the source's, as values."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from amicopy.core.errors import AmicopyError

BLOCKS_OF_SAMPLE = 460
"""How many random blocks of a volume are compared: if 1 % of its blocks differ, one of these does in 99 % of cases."""


class ContentLevel(StrEnum):
    """How much of the data is compared."""

    SIZE = "size"  # the size of all written blocks, which DescribeSnapshots shows
    LIST = "list"  # which blocks are written
    SAMPLE = "sample"  # the same, and the SHA-256 of random blocks
    FULL = "full"  # the SHA-256 of every block

    @property
    def reads_data(self) -> bool:
        """Whether blocks are read, and not only listed."""
        return self in {ContentLevel.SAMPLE, ContentLevel.FULL}


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeContent:
    """One volume of a copy compared with the source's; block numbers are in ascending order."""

    device: str
    source_snapshot_id: str
    copy_snapshot_id: str
    source_bytes: int | None  # of all written blocks; None: EC2 doesn't say
    copy_bytes: int | None
    is_reencrypted: bool = False  # encrypted, or with another key
    source_blocks: int | None = None  # how many are written; None: not listed
    copy_blocks: int | None = None
    only_in_source: int = 0  # how many only one side lists as written
    only_in_copy: int = 0
    compared: int | None = None  # how many were compared; None: none were to be
    sampled: tuple[int, ...] = ()  # which, unless all were
    differing: tuple[int, ...] = ()
    source_digest: str = ""  # of the compared blocks, see `digest_of`
    copy_digest: str = ""

    @property
    def problem(self) -> str:
        """What differs, in words; empty if nothing does."""
        if self.compared is not None:
            if not self.differing:
                return ""
            shown = ", ".join(map(str, self.differing[:5])) + (", …" if len(self.differing) > 5 else "")
            plural = "blocks differ" if len(self.differing) > 1 else "block differs"
            return f"{self.device}: {len(self.differing)} of {self.compared} compared {plural}: {shown}"
        if self.source_blocks is not None:
            return self._difference_of_lists()
        if self.is_reencrypted or None in (self.source_bytes, self.copy_bytes) or self.source_bytes == self.copy_bytes:
            return ""
        return f"{self.device}: the source has {self.source_bytes} bytes of data, the copy {self.copy_bytes}"

    def _difference_of_lists(self) -> str:
        sides = ((self.only_in_source, "the source"), (self.only_in_copy, "the copy"))
        words = [
            f"{count} {'blocks are' if count > 1 else 'block is'} written in {side} only"
            for count, side in sides
            if count
        ]
        return f"{self.device}: {' and '.join(words)}; compare them with --content sample" if words else ""

    @property
    def note(self) -> str:
        """A note about a volume without a problem; empty if there is none."""
        if self.problem:
            return ""
        if None in (self.source_bytes, self.copy_bytes):
            return f"{self.device}: EC2 doesn't show the size of the data"
        if self.source_bytes != self.copy_bytes:
            return f"{self.device}: the source has {self.source_bytes} bytes of data, the copy {self.copy_bytes}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyContent:
    """The content of one copy, or why it could not be compared."""

    level: ContentLevel
    seed: int | None = None  # of a sample
    volumes: tuple[VolumeContent, ...] = ()
    error: AmicopyError | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What differs, in words."""
        return tuple(volume.problem for volume in self.volumes if volume.problem)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about volumes that don't differ."""
        return tuple(volume.note for volume in self.volumes if volume.note)

    @property
    def state(self) -> str:
        """``differs``, ``not-compared`` or ``identical``, as far as the level goes."""
        if self.problems:
            return "differs"
        return "not-compared" if self.error else "identical"


def digest_of(indexes: Sequence[int], digests: bytes) -> str:
    """Return the SHA-256 over the index (8 bytes, big-endian) and the SHA-256 of each block, as hexadecimal digits."""
    whole = hashlib.sha256()
    for at, index in enumerate(indexes):
        whole.update(index.to_bytes(8))
        whole.update(digests[32 * at : 32 * at + 32])
    return whole.hexdigest()
