"""Whether the log of an XFS file system has changes that were never replayed."""

import struct

from amicopy.scan.device import Device, Unreadable

_BLOCK = 512
_RECORD = b"\xfe\xed\xba\xbe"
_UNMOUNTED = 0x20
_LARGEST_RECORD = 512  # headers and data of one, in blocks: 256 KiB


def is_dirty(device: Device, offset: int, size: int, hint: int = 0) -> bool:
    """Return whether the last record of the log is something else than that of an unmount.

    The log is a ring. Each of its blocks begins with the number of the round in which it was written, or with a magic
    number and then that; the head is where the round decreases, which a binary search finds. It begins at ``hint``, a
    block of the log that was written a short time before the last one, if it is one: that saves most of the search.
    """
    count = size // _BLOCK
    if count < 2:
        raise Unreadable("the log is too small")

    def turn(index: int) -> int:
        head = device.read(offset + index * _BLOCK, 8)
        return int.from_bytes(head[4:] if head.startswith(_RECORD) else head[:4], "big")

    oldest, newest = turn(count - 1), turn(0)
    if not newest:
        return False  # never used
    low, high = 0, count  # the head is in (low, high]
    if oldest != newest:
        if 0 < hint < count and turn(hint) == newest:
            low, step = hint, 1
            while low + step < count and turn(low + step) == newest:
                low, step = low + step, 2 * step
            high = min(low + step, count)
        while high - low > 1:
            middle = (low + high) // 2
            if turn(middle) == newest:
                low = middle
            else:
                high = middle
    record = _last_record(device, offset, high, count)
    return record is None or not _is_unmount(device, offset, record, count)


def _last_record(device: Device, offset: int, head: int, count: int) -> int | None:
    """Return the block in which the last record before the head begins."""
    for back in range(1, min(count, _LARGEST_RECORD + 64) + 1):
        index = (head - back) % count
        if device.read(offset + index * _BLOCK, 4) == _RECORD:
            return index
    return None


def _is_unmount(device: Device, offset: int, record: int, count: int) -> bool:
    header = device.read(offset + record * _BLOCK, _BLOCK)
    length, operations = struct.unpack_from(">I", header, 12)[0], struct.unpack_from(">I", header, 40)[0]
    if operations != 1 or length > _LARGEST_RECORD * _BLOCK:
        return False
    size = struct.unpack_from(">I", header, 320)[0]  # of the record at most; each 32 KiB have a header
    headers = max(1, -(-size // 32768)) if struct.unpack_from(">I", header, 8)[0] & 2 else 1
    data = device.read(offset + (record + headers) % count * _BLOCK, 16)
    return bool(data[9] & _UNMOUNTED)
