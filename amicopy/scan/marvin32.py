"""The hash Marvin32, with which Windows guards the logs of its registry."""

import struct

_MASK = 0xFFFFFFFF


def marvin32(data: bytes, seed: int) -> int:
    """Return the hash of the data, of 64 bits as its seed is."""
    low, high = seed & _MASK, seed >> 32
    whole = len(data) & ~3
    end = (data[whole:] + b"\x80").ljust(4, b"\0") + bytes(4)
    for (word,) in struct.iter_unpack("<I", data[:whole] + end):
        low = low + word & _MASK
        high ^= low
        low = (low << 20 | low >> 12) + high & _MASK
        high = (high << 9 | high >> 23) & _MASK ^ low
        low = (low << 27 | low >> 5) + high & _MASK
        high = (high << 19 | high >> 13) & _MASK
    return high << 32 | low
