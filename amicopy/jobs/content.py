"""Comparing the data of copies with their sources', block by block, through the EBS direct APIs."""

import random
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from amicopy.aws.session import BLOCKS_IN_FLIGHT
from amicopy.core.content import ContentLevel, CopyContent, VolumeContent, digest_of
from amicopy.core.destination import Destination
from amicopy.core.errors import AmicopyError, Interrupted
from amicopy.core.models import ImageState
from amicopy.core.parallel import all_at_once, as_they_come
from amicopy.jobs.context import Context
from amicopy.plan.content import (
    DIGEST_BYTES,
    ReadingCost,
    chosen_blocks,
    differing_blocks,
    one_sided,
    volumes_of,
    why_not_compared,
)
from amicopy.plan.copy_status import CopyStatus
from amicopy.survey.snapshot_blocks import ZEROS_DIGEST, SnapshotBlocks

Approve = Callable[[ReadingCost], bool]
"""Called with what reading costs before any data is read; False: it is not to be read."""


def approve_any(_cost: ReadingCost) -> bool:
    """Read, whatever it costs: for programs, which can't be asked."""
    return True


_Place = tuple[Destination, str]  # where, snapshot id


@dataclass(slots=True)
class _Reading:
    """The written blocks of one snapshot that some comparison needs, and their digests."""

    blocks: SnapshotBlocks
    chosen: set[int] | None = field(default_factory=set)  # None: all of them
    written: Sequence[int] = ()
    digests: bytearray = field(default_factory=bytearray)
    error: AmicopyError | None = None

    def choose(self, indexes: Sequence[int]) -> None:
        """Add blocks to those that are read."""
        if indexes is self.blocks.indexes:
            self.chosen = None
        elif self.chosen is not None:
            self.chosen.update(indexes)

    def prepare(self) -> None:
        """Find out which of the chosen blocks are to be read: those that aren't written are zeros."""
        if self.chosen is None:
            self.written = self.blocks.indexes
        else:
            self.written = array("I", (index for index in sorted(self.chosen) if self.blocks.holds(index)))
        self.digests = bytearray(DIGEST_BYTES * len(self.written))

    def read(self, at: int) -> None:
        """Read one of `written` and keep its digest; after a first failure, read nothing more."""
        if self.error is None:
            try:
                self.digests[DIGEST_BYTES * at : DIGEST_BYTES * (at + 1)] = self.blocks.digest(self.written[at])
            except Interrupted:
                raise
            except AmicopyError as error:
                self.error = error

    def joined(self, indexes: Sequence[int]) -> bytes:
        """Return the digests of these blocks, one after the other."""
        if indexes is self.written:
            return bytes(self.digests)
        return b"".join(map(self._digest, indexes))

    def _digest(self, index: int) -> bytes:
        at = bisect_left(self.written, index)
        if at == len(self.written) or self.written[at] != index:
            return ZEROS_DIGEST
        return bytes(self.digests[DIGEST_BYTES * at : DIGEST_BYTES * (at + 1)])


class ContentJob:
    """Compares the content of copies, each volume with its source's."""

    def __init__(self, context: Context, level: ContentLevel, *, seed: int | None = None) -> None:
        """``seed`` decides which blocks a sample has: the same for the same seed and snapshots; None: a random one."""
        self._context = context
        self._level = level
        drawn = seed if seed is not None else random.SystemRandom().getrandbits(32)
        self._seed = drawn if level is ContentLevel.SAMPLE else None
        self._lists: Mapping[_Place, SnapshotBlocks | AmicopyError] = {}
        self._readings: dict[_Place, _Reading] = {}

    def compared(self, copies: Sequence[CopyStatus], approve: Approve) -> tuple[CopyStatus, ...] | None:
        """Return the copies with their content compared; None if ``approve`` says no.

        What cannot be read of a copy is the error of its content, and doesn't keep others from being compared.

        Raises:
            Interrupted: as soon as the run is to end.
        """
        available = [status for status in copies if status.copy.state is ImageState.AVAILABLE]
        content = self._contents(available, approve)
        if content is None:
            return None
        return tuple(replace(status, content=content.get(status.copy.reference)) for status in copies)

    def _contents(self, copies: Sequence[CopyStatus], approve: Approve) -> dict[str, CopyContent] | None:
        """Return the content of each copy by its reference; None if ``approve`` says no."""
        reasons = [why_not_compared(status, self._level) for status in copies]
        volumes = [() if reason else volumes_of(status) for status, reason in zip(copies, reasons, strict=True)]
        if self._level is not ContentLevel.SIZE:
            pairs = list(zip(copies, volumes, strict=True))
            self._lists = self._listed(dict.fromkeys(place for one in pairs for place in _places(*one)))
            for status, its_volumes in pairs:
                for volume in its_volumes:
                    self._choose(status, volume)
            if self._level.reads_data and not self._read(approve):
                return None
        return {
            status.copy.reference: self._content(status, its_volumes, reason)
            for status, its_volumes, reason in zip(copies, volumes, reasons, strict=True)
        }

    def _listed(self, places: Mapping[_Place, None]) -> Mapping[_Place, SnapshotBlocks | AmicopyError]:
        def listed(where: Destination, snapshot_id: str) -> SnapshotBlocks | AmicopyError:
            context = self._context
            try:
                ebs = context.clients.ebs(where)
                return SnapshotBlocks(ebs, snapshot_id, context.clock, context.stop)
            except Interrupted:
                raise
            except AmicopyError as error:
                return error

        tasks = {place: partial(listed, *place) for place in places}
        return all_at_once(tasks, self._context.stop, most=BLOCKS_IN_FLIGHT)

    def _lists_of(
        self, status: CopyStatus, volume: VolumeContent
    ) -> tuple[SnapshotBlocks, SnapshotBlocks] | AmicopyError:
        first, second = (self._lists[place] for place in _places(status, [volume]))
        if isinstance(first, AmicopyError):
            return first
        return second if isinstance(second, AmicopyError) else (first, second)

    def _choose(self, status: CopyStatus, volume: VolumeContent) -> None:
        lists = self._lists_of(status, volume)
        if isinstance(lists, AmicopyError) or not self._level.reads_data:
            return
        indexes = chosen_blocks(self._level, self._seed, volume, *(one.indexes for one in lists))
        for place, blocks in zip(_places(status, [volume]), lists, strict=True):
            self._readings.setdefault(place, _Reading(blocks)).choose(indexes)

    def _read(self, approve: Approve) -> bool:
        """Read what has been chosen, at most 16 blocks of a region at a time; return False if it is not to be read."""
        by_destination: dict[Destination, list[_Reading]] = {}
        for (destination, _), reading in self._readings.items():
            reading.prepare()
            by_destination.setdefault(destination, []).append(reading)
        count = sum(len(reading.written) for reading in self._readings.values())
        lists = sum(blocks.pages for blocks in self._lists.values() if isinstance(blocks, SnapshotBlocks))
        if not approve(ReadingCost(blocks=count, lists=lists)):
            return False
        tasks = {place: partial(self._read_region, readings) for place, readings in by_destination.items()}
        all_at_once(tasks, self._context.stop)
        return True

    def _read_region(self, readings: Sequence[_Reading]) -> None:
        def tasks() -> Iterator[tuple[None, Callable[[], None]]]:
            for reading in readings:
                for at in range(len(reading.written)):
                    yield None, partial(reading.read, at)

        for _ in as_they_come(tasks(), self._context.stop, most=BLOCKS_IN_FLIGHT):
            pass

    def _content(
        self, status: CopyStatus, volumes: Sequence[VolumeContent], reason: AmicopyError | None
    ) -> CopyContent:
        found, errors = [], [reason] if reason else []
        for volume in volumes:
            result = volume if self._level is ContentLevel.SIZE else self._compared(status, volume)
            if isinstance(result, AmicopyError):
                errors.append(result)
            else:
                found.append(result)
        error = AmicopyError.in_one(errors) if errors else None
        return CopyContent(level=self._level, seed=self._seed, volumes=tuple(found), error=error)

    def _compared(self, status: CopyStatus, volume: VolumeContent) -> VolumeContent | AmicopyError:
        lists = self._lists_of(status, volume)
        if isinstance(lists, AmicopyError):
            return lists
        source, copy = lists
        only_in_source, only_in_copy = one_sided(source.indexes, copy.indexes)
        volume = replace(
            volume,
            source_blocks=len(source.indexes),
            copy_blocks=len(copy.indexes),
            only_in_source=len(only_in_source),
            only_in_copy=len(only_in_copy),
        )
        if not self._level.reads_data:
            return volume
        first, second = (self._readings[place] for place in _places(status, [volume]))
        if error := first.error or second.error:
            return error
        indexes = chosen_blocks(self._level, self._seed, volume, source.indexes, copy.indexes)
        digests = first.joined(indexes), second.joined(indexes)
        is_sample = len(indexes) < len(source.indexes) + len(only_in_copy)
        return replace(
            volume,
            compared=len(indexes),
            sampled=tuple(indexes) if is_sample else (),
            differing=differing_blocks(indexes, *digests),
            source_digest=digest_of(indexes, digests[0]),
            copy_digest=digest_of(indexes, digests[1]),
        )


def _places(status: CopyStatus, volumes: Sequence[VolumeContent]) -> Iterator[_Place]:
    """Yield where the snapshots of these volumes are: for each volume the source's, then the copy's."""
    for volume in volumes:
        yield Destination(status.source.region), volume.source_snapshot_id
        yield status.destination, volume.copy_snapshot_id
