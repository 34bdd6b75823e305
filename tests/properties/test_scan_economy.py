"""How little a scan reads: of thousands of files a few blocks, none twice, none that was never written."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from amicopy.scan import walk
from amicopy.scan.device import BlockUnreadable, Disk, RawFile
from amicopy.scan.result import ScanOptions
from amicopy.scan.scan import scan_device
from tests.support.disks import make_ext, make_xfs, tool, write_tree

pytestmark = pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")

PINS = 30
PADDING = b"x" * 6000


class Counted(RawFile):
    """A raw file that remembers what was fetched, and how many blocks at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.fetched: list[int] = []
        self.batches: list[int] = []

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        self.fetched += indexes
        self.batches.append(len(indexes))
        return super().fetch(indexes)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6,000 files like those of a server: libraries, documentation, configuration; 30 with a pin."""
    root = tmp_path_factory.mktemp("server")
    files: dict[str, str | bytes] = {f"usr/lib/x/{n // 100}/{n}.py": PADDING for n in range(3000)}
    files |= {f"usr/share/doc/{n // 10}/{n}": b"us-east-1\n" + PADDING for n in range(2500)}
    files |= {f"etc/{n // 50}/{n}.conf": f"key = {n}\n" for n in range(500)}
    files |= {f"opt/app/{n}.yml": f"a: b\nregion: us-east-1 # {n}\n" for n in range(PINS)}
    return write_tree(root, {**files, "var/x": ""})


def _ext(server: Path, folder: Path) -> Path:
    return make_ext(folder / "d", server, ("-t", "ext4"), size="2G")


def _xfs(server: Path, folder: Path) -> Path:
    if not tool("mkfs.xfs"):
        pytest.skip("mkfs.xfs (xfsprogs) is not installed")
    return make_xfs(folder / "d", server, (), size=2 << 30)


@pytest.mark.parametrize(("make", "most_blocks", "most_batches"), [(_ext, 10, 12), (_xfs, 40, 30)])
def test_few_blocks_are_fetched_and_none_twice(
    make: Callable[[Path, Path], Path], most_blocks: int, most_batches: int, server: Path, tmp_path: Path
) -> None:
    with Counted(make(server, tmp_path)) as source:
        disk = Disk(source)
        result = scan_device(disk, ScanOptions(region="us-east-1"))
        assert len(result.findings) == PINS
        assert len(set(source.fetched)) == len(source.fetched) == disk.blocks_read <= most_blocks
        assert all(map(source.holds, source.fetched))
        assert source.allocated > 2 * disk.blocks_read
        assert len(source.batches) <= most_batches  # one after another, whatever runs at the same time within each


@pytest.mark.parametrize("make", [_ext, _xfs])
def test_deep_fetches_hardly_any_block_twice_though_memory_is_small(
    make: Callable[[Path, Path], Path], server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "_BLOCKS_TOGETHER", 4)
    with Counted(make(server, tmp_path)) as source:
        disk = Disk(source, cache_bytes=16 * source.block_size)
        result = scan_device(disk, ScanOptions(region="us-east-1", deep=True))
        assert len(result.findings) == PINS + 2500
        assert 4 * disk.cache_blocks < disk.blocks_read
        assert len(source.fetched) <= 1.4 * disk.blocks_read


def test_deep_finds_what_is_left_out_by_default(server: Path, tmp_path: Path) -> None:
    with RawFile(_ext(server, tmp_path)) as source:
        result = scan_device(Disk(source), ScanOptions(region="us-east-1", deep=True))
    assert len(result.findings) == PINS + 2500
