"""The disk of the sample image ``app-server`` holds what the script that made it says."""

from collections.abc import Iterator, Sequence

from amicopy.sandbox.content import BLOCK_BYTES, Content, Packed, has_block
from amicopy.sandbox.samples import APP_SERVER_DISK, APP_SERVER_GIB
from amicopy.scan.device import BlockUnreadable, Disk
from amicopy.scan.ext import Ext
from amicopy.scan.volumes import volumes
from tests.support.disks import everything
from tests.support.sample_disk import FILES


class Blocks:
    """The blocks of a content, for a `Disk`."""

    block_size, size = BLOCK_BYTES, APP_SERVER_GIB << 30

    def __init__(self, content: Content) -> None:
        self._content = content
        self.allocated = len(content.blocks)

    def holds(self, index: int) -> bool:
        return has_block(self._content, index)

    def holds_any(self, first: int, end: int) -> bool:
        return any(map(self.holds, range(first, end)))

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        yield from ((index, self._content.read(index)) for index in indexes)


def test_it_has_the_files_of_the_script() -> None:
    root = next(volume for volume in volumes(Disk(Blocks(Packed(APP_SERVER_DISK)))) if volume.kind == "ext")
    found = {path: data for path, (kind, data) in everything(Ext(root.device)).items() if kind == "file"}
    assert found == {f"/{name}": str(text).encode() for name, text in FILES.items()}
