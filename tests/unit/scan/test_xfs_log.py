"""The log of XFS: what a search finds, whatever hint it begins with, and how little it reads."""

import struct
from collections.abc import Iterable

import pytest

from amicopy.scan.xfs_log import is_dirty

BLOCK = 512
COUNT = 4096


class Ring:
    """A log whose head is somewhere, as a device that counts what is read of it."""

    block_size = BLOCK

    def __init__(self, head: int, *, is_clean: bool, is_first_round: bool = False) -> None:
        newest, oldest = (1, 0) if is_first_round else (7, 6)
        blocks = [struct.pack(">I", newest if index < head else oldest).ljust(BLOCK, b"\0") for index in range(COUNT)]
        record = (head - 2) % COUNT
        turn = newest if record < head else oldest
        header = bytearray(struct.pack(">4sIIII", b"\xfe\xed\xba\xbe", turn, 2, BLOCK, 0).ljust(BLOCK, b"\0"))
        header[40:44], header[320:324] = struct.pack(">I", 1), struct.pack(">I", 32768)
        blocks[record] = bytes(header)
        data = bytearray(blocks[(record + 1) % COUNT])
        data[9] = 0x20 if is_clean else 0
        blocks[(record + 1) % COUNT] = bytes(data)
        self._data = b"".join(blocks)
        self.size = len(self._data)
        self.touched: set[int] = set()

    def read(self, offset: int, length: int) -> bytes:
        self.touched.add(offset // BLOCK)
        return self._data[offset : offset + length]

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Nothing is fetched."""

    def is_in_memory(self, ranges: Iterable[tuple[int, int]]) -> bool:
        return True


@pytest.mark.parametrize("head", [3, 4, 700, 2048, 4095])
@pytest.mark.parametrize("hint", [0, 1, 650, 699, 700, 2000, 4094, 4095, 4096, 1 << 31])
@pytest.mark.parametrize("is_first_round", [False, True])
def test_any_hint_gives_the_same_answer(head: int, hint: int, is_first_round: bool) -> None:
    for is_clean in (False, True):
        ring = Ring(head, is_clean=is_clean, is_first_round=is_first_round)
        assert is_dirty(ring, 0, ring.size, hint) is not is_clean


def test_a_good_hint_saves_the_search() -> None:
    without, with_hint = Ring(2100, is_clean=True), Ring(2100, is_clean=True)
    is_dirty(without, 0, without.size)
    is_dirty(with_hint, 0, with_hint.size, 2090)
    assert all(index in {0, COUNT - 1} or 2090 <= index <= 2130 for index in with_hint.touched)
    assert len(with_hint.touched) < len(without.touched)
