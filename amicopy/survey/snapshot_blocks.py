"""The blocks of one snapshot: which have been written, and their data, asked for until it arrives undamaged."""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial

from amicopy.aws.ebs import BLOCK_BYTES, Block, BlockPage, EbsClient
from amicopy.aws.session import BLOCKS_IN_FLIGHT
from amicopy.core.clock import Clock
from amicopy.core.errors import BlockDamaged, BlockTokenExpired
from amicopy.core.parallel import Stop, as_they_come
from amicopy.core.retries import with_read_retries

_ATTEMPTS = 3  # for a block that arrives damaged


class SnapshotBlocks:
    """The written blocks of a snapshot. Takes about 100 bytes of memory for each, and keeps no data."""

    def __init__(self, ebs: EbsClient, snapshot_id: str, clock: Clock, stop: Stop) -> None:
        """List the blocks: one call for every 10,000 of them.

        Raises what `EbsClient.list_snapshot_blocks` raises, and Interrupted as soon as ``stop`` is set.
        """
        self.snapshot_id = snapshot_id
        self.region = ebs.region
        self.volume_gib = 0
        self.pages = 0
        self._ebs, self._clock, self._stop = ebs, clock, stop
        self._indexes = array("I")
        self._tokens: list[str] = []
        for page in self._listed():
            self.pages += 1
            self.volume_gib = page.volume_gib
            self._indexes.extend(index for index, _ in page.blocks)
            self._tokens.extend(token for _, token in page.blocks)

    @property
    def indexes(self) -> Sequence[int]:
        """The indexes of the written blocks, in ascending order."""
        return self._indexes

    @property
    def size(self) -> int:
        """The size of the volume in bytes."""
        return self.volume_gib * 2**30

    def holds(self, index: int) -> bool:
        """Return whether the block has been written; if not, its bytes are zeros."""
        at = bisect_left(self._indexes, index)
        return at < len(self._indexes) and self._indexes[at] == index

    def read(self, index: int) -> bytes:
        """Return the data of a written block; raise what `block` raises."""
        return self.block(index).data

    def block(self, index: int) -> Block:
        """Return a written block.

        Raises:
            BlockDamaged: it arrived damaged three times.
            AmicopyError: what `EbsClient.get_snapshot_block` raises, after throttling has lasted for five minutes.
        """
        at = bisect_left(self._indexes, index)
        for attempt in range(1, _ATTEMPTS + 1):
            get = partial(self._ebs.get_snapshot_block, self.snapshot_id, index, self._tokens[at])
            try:
                return with_read_retries(self._clock, self._stop, get)
            except BlockDamaged as error:
                if attempt == _ATTEMPTS:
                    raise BlockDamaged(
                        f"Block {index} of {self.snapshot_id} in {self.region} arrived damaged {_ATTEMPTS} times.",
                        why=error.why,
                        next_step="Run the command again. If the same block fails again, check proxies between this "
                        "machine and AWS, or ask AWS Support to check the snapshot.",
                    ) from error
            except BlockTokenExpired:
                if attempt == _ATTEMPTS:
                    raise
                page = self._page(first=index)
                self._tokens[at] = dict(page.blocks).get(index, self._tokens[at])
        raise AssertionError("the last attempt returns or raises")

    def digest(self, index: int) -> bytes:
        """Return the SHA-256 of a block, of zeros if it has never been written; raise what `block` raises."""
        return self.block(index).sha256 if self.holds(index) else ZEROS_DIGEST

    def fetch(self, indexes: Iterable[int]) -> Generator[tuple[int, bytes]]:
        """Yield these written blocks as they arrive, in any order; raise what `read` raises."""
        tasks = ((index, partial(self.read, index)) for index in indexes)
        yield from as_they_come(tasks, self._stop, most=BLOCKS_IN_FLIGHT)

    def _listed(self) -> Iterator[BlockPage]:
        """Yield all pages; where the token of the next one has expired, continue behind the last block."""
        next_token, first = "", 0
        while True:
            try:
                page = self._page(next_token=next_token, first=first)
            except BlockTokenExpired:
                if not next_token:
                    raise
                next_token = ""
                continue
            yield page
            next_token = page.next_token
            if not next_token:
                return
            if page.blocks:
                first = page.blocks[-1][0] + 1

    def _page(self, *, next_token: str = "", first: int = 0) -> BlockPage:
        read = partial(self._ebs.list_snapshot_blocks, self.snapshot_id, next_token=next_token, first=first)
        return with_read_retries(self._clock, self._stop, read)


ZEROS_DIGEST = hashlib.sha256(bytes(BLOCK_BYTES)).digest()
"""The SHA-256 of a block that has never been written."""
