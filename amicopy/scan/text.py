"""Which files are text, and in which encoding."""

import codecs

_HEAD = 4096
_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def as_text(content: bytes, *, always: bool = False) -> bytes | None:
    """Return the content of a file as text without null bytes, or in UTF-16 with a byte order mark; None if it is none.

    Programs on Windows write UTF-16 without a mark, too: every other byte is zero then, as far as it is English.
    ``always`` takes any file for text, and its null bytes for ends of lines.
    """
    head = content[:_HEAD]
    if head.startswith(_BOMS) or b"\0" not in head:
        return content
    even, odd = head[::2].count(0), head[1::2].count(0)
    if not even and odd >= len(head) // 4:
        return codecs.BOM_UTF16_LE + content
    if not odd and even >= len(head) // 4:
        return codecs.BOM_UTF16_BE + content
    return content.replace(b"\0", b"\n") if always else None
