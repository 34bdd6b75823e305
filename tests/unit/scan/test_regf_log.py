"""Logs of the registry: a hive is read as Windows would have it, up to the first change that is missing or damaged."""

import random
import struct
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from operator import xor
from typing import Any

import pytest

from amicopy.scan.device import Unreadable
from amicopy.scan.file_system import Steps
from amicopy.scan.marvin32 import marvin32
from amicopy.scan.regf import MOST_STEPS, Hive, base_block
from amicopy.scan.regf_log import replayed
from amicopy.scan.registry import Damage, keys_as_files
from tests.support.hives import entry, hive, log, numbered, old_log, with_checksum

SEED = 0x82EF4D887A4E55C5


class Held:
    """Bytes in memory as a device; it counts what is read."""

    block_size = 4096

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Unreadable("it is beyond the end")
        return self._data[offset : offset + length]

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        assert all(length >= 0 for _, length in ranges)

    def is_in_memory(self, ranges: Iterable[tuple[int, int]]) -> bool:
        return bool(list(ranges))


def tree(version: int) -> dict[str, Any]:
    """A tree of which each version changes another page, and whose hive grows with each."""
    parts = {f"Part{number}": {"v": "new" if number < version else "old", "x": "x" * 2500} for number in range(5)}
    return {**parts, "Rest": {f"Key{number}": {"v": str(number)} for number in range(30 * version)}}


VERSIONS = [numbered(hive(tree(version)), 7, 7) for version in range(1, 6)]
ENTRIES = [entry(old, new, 7 + number) for number, (old, new) in enumerate(pairwise(VERSIONS))]
OTHER_6 = entry(VERSIONS[4], VERSIONS[0], 6)
OLD = old_log(VERSIONS[0], VERSIONS[1], 8)
LARGE = with_checksum(OLD[:40] + struct.pack("<I", 8 << 20) + OLD[44:])
DIRTY = numbered(VERSIONS[0], 8, 7)


def read(dirty: bytes, *logs: bytes) -> tuple[dict[str, str], str]:
    device, problem = replayed(Held(dirty), [Held(one) for one in logs], Steps(MOST_STEPS))
    return listing(device), problem


def listing(device: Any) -> dict[str, str]:
    return {path: content.decode() for path, content in keys_as_files(Hive(device), "", Damage(), deep=True)}


def version(number: int) -> dict[str, str]:
    return listing(Held(VERSIONS[number]))


def test_the_hash_is_marvin32() -> None:
    """The first two are those of dotnet/runtime's tests; the last is the header of an entry that Windows wrote."""
    assert marvin32(b"", 0x004FB61A001BDBCC) == 0x30ED35C100CD3C7D
    assert marvin32(b"\xaf", 0x004FB61A001BDBCC) == 0x48E73FC77D75DDC1
    header = "48764c45002e00000000000083000000000007000200000" + "01dd9b16db892ae9e" + "64e21730e4c21db4"
    data = bytes.fromhex(header)
    assert marvin32(data[:32], SEED).to_bytes(8, "little") == data[32:]


@pytest.mark.parametrize(
    "logs",
    [
        pytest.param([(7, ENTRIES)], id="one log"),
        pytest.param([(7, ENTRIES[:3]), (10, ENTRIES[3:])], id="two logs"),
        pytest.param([(9, ENTRIES[2:]), (7, ENTRIES[:2])], id="the second one first"),
        pytest.param([(7, ENTRIES), (6, [OTHER_6, *ENTRIES[:1]])], id="a log of before the hive was written"),
        pytest.param([(7, ENTRIES), (12, [entry(VERSIONS[4], VERSIONS[0], 12)])], id="a log that does not follow"),
        pytest.param([(7, [*ENTRIES, OTHER_6])], id="remains of an earlier round"),
        pytest.param([(7, [*ENTRIES, b"HvLE" + bytes(5000)])], id="remains that are no entry"),
        pytest.param([(7, [*ENTRIES, entry(VERSIONS[4], VERSIONS[0], 12)])], id="an entry that does not follow"),
        pytest.param([(7, []), (7, ENTRIES)], id="an empty one"),
    ],
)
def test_all_changes_that_follow_each_other_are_applied(logs: Sequence[tuple[int, Sequence[bytes]]]) -> None:
    assert read(DIRTY, *(log(VERSIONS[0], first, *entries) for first, entries in logs)) == (version(4), "")


def test_numbers_that_were_skipped_before_the_log_do_not_matter() -> None:
    assert read(numbered(VERSIONS[0], 6, 5), log(VERSIONS[0], 7, *ENTRIES)) == (version(4), "")


def test_the_second_log_is_not_applied_after_a_gap() -> None:
    assert read(DIRTY, log(VERSIONS[0], 7, *ENTRIES[:1]), log(VERSIONS[0], 9, *ENTRIES[2:])) == (version(1), "")


def test_the_second_log_continues_a_first_one_that_was_not_written_whole() -> None:
    torn = log(VERSIONS[0], 7, ENTRIES[0], ENTRIES[1][:1000].ljust(len(ENTRIES[1]), b"\0"))
    assert read(DIRTY, torn, log(VERSIONS[0], 8, *ENTRIES[1:])) == (version(4), "")


def test_an_empty_file_beside_the_log_does_not_matter() -> None:
    assert read(DIRTY, b"", log(VERSIONS[0], 7, *ENTRIES), b"") == (version(4), "")


def test_a_hive_that_grew_is_read_where_it_had_nothing() -> None:
    assert len(VERSIONS[4]) > len(VERSIONS[0])
    padded = DIRTY + b"\xff" * 4096  # as files are on the disk: what is behind the bins is no part of them
    assert read(padded, log(VERSIONS[0], 7, *ENTRIES)) == (version(4), "")


@pytest.mark.parametrize(("damaged", "applied"), [(0, 0), (1, 1), (3, 3)])
def test_an_entry_that_was_not_written_whole_ends_it(damaged: int, applied: int) -> None:
    entries = [bytearray(one) for one in ENTRIES]
    entries[damaged][1000:2000] = bytes(1000)
    what = "the rest of its log" if applied else "its log"
    found = read(DIRTY, log(VERSIONS[0], 7, *map(bytes, entries)))
    assert found == (version(applied), f"{what} could not be applied: a change in it was not written whole")


def test_an_entry_of_which_the_end_is_missing_ends_it() -> None:
    cut = log(VERSIONS[0], 7, *ENTRIES)[:-512]
    found = read(DIRTY, cut)
    assert found == (version(3), "the rest of its log could not be applied: a change in it was not written whole")


def test_a_hive_that_grew_has_an_end_and_zeros_where_nothing_was_written() -> None:
    sparse = entry(VERSIONS[0][:4096] + VERSIONS[1][4096:], VERSIONS[1], 7)  # no page has changed, but there are more
    device, _ = replayed(Held(DIRTY), [Held(log(VERSIONS[0], 7, sparse))], Steps(MOST_STEPS))
    assert device.size == len(VERSIONS[1]) > len(DIRTY)
    assert device.read(device.size - 8, 8) == bytes(8)
    with pytest.raises(Unreadable, match="beyond the end of the hive"):
        device.read(device.size - 8, 9)


@pytest.mark.parametrize("total", [0, 0xFFFFFFFF])
def test_a_checksum_is_never_0_or_all_ones(total: int) -> None:
    words = struct.unpack("<127I", VERSIONS[0][:508])
    last = reduce(xor, words[:-1]) ^ total
    assert not base_block(Held(with_checksum(VERSIONS[0][:504] + struct.pack("<II", last, 0)))).is_dirty


def _rehashed(data: bytes) -> bytes:
    head = data[:24] + marvin32(data[40:], SEED).to_bytes(8, "little")
    return head + marvin32(head, SEED).to_bytes(8, "little") + data[40:]


def test_an_entry_whose_second_hash_is_wrong_ends_it() -> None:
    second = ENTRIES[1][:32] + bytes(8) + ENTRIES[1][40:]
    assert read(DIRTY, log(VERSIONS[0], 7, ENTRIES[0], second, *ENTRIES[2:])) == (version(1), "")


BINS = len(VERSIONS[2]) - 4096


@pytest.mark.parametrize(
    ("at", "value"),
    [
        pytest.param(16, BINS + 512, id="bins of half a page"),
        pytest.param(16, 4096, id="fewer bins than pages"),
        pytest.param(20, 1 << 30, id="more pages than the entry has"),
        pytest.param(40, 511, id="where no sector is"),
        pytest.param(40, 0xFFFFF000, id="behind the hive"),
        pytest.param(44, 4095, id="half a sector"),
        pytest.param(44, BINS, id="more than the entry has"),
        pytest.param(44, 1 << 30, id="more than the hive has"),
    ],
)
def test_an_entry_that_makes_no_sense_ends_it_even_with_its_hashes(at: int, value: int) -> None:
    second = _rehashed(ENTRIES[1][:at] + struct.pack("<I", value) + ENTRIES[1][at + 4 :])
    found = read(DIRTY, log(VERSIONS[0], 7, ENTRIES[0], second, *ENTRIES[2:]))
    assert found == (version(1), "the rest of its log could not be applied: a change in it makes no sense")


NOT_APPLIED = "its log could not be applied: "
NO_CHANGE = NOT_APPLIED + "there is no change in it"
DOES_NOT_CONTINUE = NOT_APPLIED + "it does not continue the hive"


@pytest.mark.parametrize(
    ("logs", "problem"),
    [
        pytest.param([], NOT_APPLIED + "it is not there", id="none"),
        pytest.param([b"", b""], NOT_APPLIED + "it is not there", id="empty ones"),
        pytest.param([b"regf" + bytes(5000)], NOT_APPLIED + "it is damaged", id="a damaged one"),
        pytest.param([log(VERSIONS[0], 7)], NOT_APPLIED + "it is damaged", id="a log that ends early"),
        pytest.param([log(VERSIONS[0], 7, bytes(512))], NO_CHANGE, id="no change"),
        pytest.param([numbered(log(VERSIONS[0], 7, *ENTRIES), 7, 6)], NOT_APPLIED + "it is damaged", id="two numbers"),
        pytest.param([log(VERSIONS[0], 6, OTHER_6)], DOES_NOT_CONTINUE, id="a log of before the hive was written"),
        pytest.param([log(VERSIONS[0], 7, *ENTRIES[1:])], NO_CHANGE, id="the first change is missing"),
        pytest.param([log(VERSIONS[0], 7, b"HvLE" + ENTRIES[0][4:24] + bytes(5000))], NO_CHANGE, id="no hash"),
        pytest.param([OLD[:-512]], NOT_APPLIED + "it was not written whole", id="the end of an old one is missing"),
        pytest.param([LARGE[:1500]], NOT_APPLIED + "it was not written whole", id="most of an old one is missing"),
    ],
)
def test_a_log_that_cannot_be_applied_is_named_and_the_hive_read_as_it_is(logs: list[bytes], problem: str) -> None:
    assert read(DIRTY, *logs) == (version(0), problem)


@pytest.mark.parametrize("count", [1, 4])
def test_a_hive_with_a_damaged_first_sector_gets_that_of_its_log(count: int) -> None:
    broken = b"\xff" * 512 + DIRTY[512:]
    stale = log(VERSIONS[0], 6, OTHER_6)
    assert base_block(Held(broken)).is_dirty
    assert read(broken, stale, log(VERSIONS[0], 7, *ENTRIES[:count])) == (version(count), "")
    assert read(broken, old_log(VERSIONS[0], VERSIONS[count], 8)) == (version(count), "")


def test_a_log_of_older_versions_of_windows_is_applied() -> None:
    new = VERSIONS[3]
    torn = DIRTY[:4096] + new[4096:5120] + DIRTY[5120:]  # a write that ended in the middle
    assert read(torn, old_log(VERSIONS[0], new, 8)) == (version(3), "")
    later = at_time(old_log(VERSIONS[0], VERSIONS[1], 8), 5)
    assert read(torn, b"", old_log(VERSIONS[0], new, 8), later) == (version(1), "")  # the latest has all of them


def at_time(data: bytes, time: int) -> bytes:
    return with_checksum(data[:12] + struct.pack("<Q", time) + data[20:])


def test_an_old_log_of_an_earlier_time_or_that_was_not_finished_is_not_applied() -> None:
    later = at_time(DIRTY, 5)
    assert read(later, at_time(OLD, 4)) == (version(0), DOES_NOT_CONTINUE)
    assert read(later, numbered(at_time(OLD, 5), 9, 8, kind=1)) == (version(0), NOT_APPLIED + "it is damaged")
    assert read(later, at_time(OLD, 5)) == (version(1), "")


def test_an_old_log_of_another_hive_is_not_applied() -> None:
    shifted = VERSIONS[1][:4096] + b"hbin\0\x10" + VERSIONS[1][4102:]
    problem = NOT_APPLIED + "what it changes is elsewhere in the hive"
    assert read(DIRTY, old_log(VERSIONS[0], shifted, 8)) == (version(0), problem)


@pytest.mark.parametrize("kind", ["entry", "old"])
def test_too_many_changes_are_refused_before_they_are_read(kind: str) -> None:
    size = 40 << 20
    if kind == "entry":
        head = b"HvLE" + struct.pack("<IIIII", size, 0, 7, 4096, 1) + bytes(8)
        data = log(VERSIONS[0], 7, head + marvin32(head, SEED).to_bytes(8, "little"), bytes(size))
    else:
        large = with_checksum(VERSIONS[0][:40] + struct.pack("<I", size) + VERSIONS[0][44:512])
        data = numbered(large, 8, 8, kind=1) + b"DIRT" + b"\xff" * (size // 4096) + bytes(512)
    device = Held(data)
    with pytest.raises(Unreadable, match="more than 32 MiB of changes"):
        replayed(Held(DIRTY), [device], Steps(MOST_STEPS))
    assert device.reads < 10


def test_hashing_is_a_part_of_the_work_that_is_limited() -> None:
    with pytest.raises(Unreadable, match="too complicated"):
        replayed(Held(DIRTY), [Held(log(VERSIONS[0], 7, *ENTRIES))], Steps(100))


def test_damaged_logs_raise_nothing_else_and_end() -> None:
    logs = [log(VERSIONS[0], 7, ENTRIES[0]), log(VERSIONS[0], 8, ENTRIES[1])]
    draw = random.Random(3)
    ended = {"whole": 0, "in part": 0, "not": 0}
    for number in range(1000):
        damaged = [bytearray(one) for one in (logs if number % 2 else [OLD])]
        for _ in range(draw.choice((1, 2, 8))):
            one = draw.choice(damaged)
            at = draw.randrange(0, min(len(one), draw.choice((600, 1200, len(one)))) - 4)
            one[at : at + 4] = draw.choice((draw.randbytes(4), b"\xff" * 4, bytes(4), one[-4:]))
        if draw.random() < 0.2:
            del damaged[-1][draw.randrange(len(damaged[-1])) :]
        if draw.random() < 0.3:
            damaged = [bytearray(with_checksum(bytes(one))) if len(one) >= 512 else one for one in damaged]
        devices = [Held(bytes(one)) for one in damaged]
        try:
            device, problem = replayed(Held(DIRTY), devices, Steps(MOST_STEPS))
            if number % 10 < 2:
                listing(device)
            ended["not" if problem.startswith("its") else "in part" if problem else "whole"] += 1
        except Unreadable:
            pass  # too many changes, or a root that a whole log has damaged
        assert sum(device.reads for device in devices) < 1000
    assert min(ended.values()) > 20, ended
