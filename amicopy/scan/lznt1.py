"""Expands what NTFS has compressed (LZNT1, [MS-XCA] section 2.5)."""

import struct

from amicopy.scan.device import Unreadable

_CHUNK = 4096


def decompressed(data: bytes, most: int) -> bytes:
    """Return what was compressed, at most so many bytes; what follows the last chunk is zeros.

    Raises Unreadable if it is damaged.
    """
    found = bytearray()
    position = 0
    while position + 2 <= len(data) and len(found) < most:
        header = struct.unpack_from("<H", data, position)[0]
        if not header:
            break
        end = position + 3 + (header & 0xFFF)
        if end > len(data):
            raise Unreadable("its compressed data is damaged")
        chunk = data[position + 2 : end]
        plain = _expanded(chunk) if header & 0x8000 else chunk
        found += plain
        position = end
        if len(plain) < _CHUNK and position + 2 <= len(data) and struct.unpack_from("<H", data, position)[0]:
            found += bytes(_CHUNK - len(plain))  # only the last chunk is short
    return bytes(found[:most])


def _expanded(chunk: bytes) -> bytes:
    found = bytearray()
    position = 0
    while position < len(chunk):
        flags = chunk[position]
        position += 1
        for bit in range(8):
            if position >= len(chunk):
                break
            if not flags >> bit & 1:
                found.append(chunk[position])
                position += 1
                continue
            if position + 2 > len(chunk) or not found:
                raise Unreadable("its compressed data is damaged")
            token = struct.unpack_from("<H", chunk, position)[0]
            position += 2
            length_bits = 12 - max(0, (len(found) - 1).bit_length() - 4)
            length, back = (token & (1 << length_bits) - 1) + 3, (token >> length_bits) + 1
            if back > len(found) or len(found) + length > _CHUNK:
                raise Unreadable("its compressed data is damaged")
            for _ in range(length):
                found.append(found[-back])
    return bytes(found)
