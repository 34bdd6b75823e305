"""What a scan reads of a large image, how long it waits for EBS, and what it costs the machine.

The image is a raw file. The time of the calls is computed, not waited for: 20 to 60 ms each, 16 at the same time, the
batches one after another as the scan makes them. CPU time and memory are those of a process of its own.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from amicopy.scan.device import BlockUnreadable, Disk, RawFile
from amicopy.scan.result import ScanOptions
from amicopy.scan.scan import scan_device
from tests.bench.telling import tell
from tests.support.disks import make_ext, make_xfs, tool, write_tree

IN_FLIGHT = 16
CALL_SECONDS = (0.02, 0.06)
FILES = 70_000
_LARGEST_COPIED = 400_000  # bytes of a file
PRICE_PER_BLOCK = 0.003 / 1000  # USD, GetSnapshotBlock in us-east-1


def scans(folder: Path, files: int = FILES) -> dict[str, Any]:
    """Return a row for each file system and way of reading."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = write_tree(folder / "tree", _server(files))
    rows: list[dict[str, Any]] = []
    for name, program in (("ext4", "mke2fs"), ("xfs", "mkfs.xfs")):
        if not tool(program):
            tell(f"{name}: {program} is not installed")
            continue
        tell(f"scan: making an {name} image")
        image = folder / f"{name}.img"
        if name == "ext4":
            make_ext(image, tree, ("-t", "ext4"), size="8G")
        else:
            make_xfs(image, tree, (), size=8 << 30)
        rows += (_row(name, image, way) for way in ("default", "--deep", "all blocks"))
        tell(f"scan: making an aged {name} image")
        if _is_aged(image, name, files):
            rows.append(_row(f"{name}, aged", image, "default"))
    return {"files": files, "rows": rows}


def _row(name: str, image: Path, way: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.scan", str(image), way]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"image": name, "way": way, **json.loads(ran.stdout)}


def _is_aged(image: Path, name: str, files: int) -> bool:
    """Write files of this machine as a disk fills: by the kernel, package by package, with updates and growing logs.

    Return whether that was possible: it needs root and loop devices.
    """
    mount = image.with_suffix(".mount")
    mount.mkdir(exist_ok=True)
    with image.open("wb") as file:
        file.truncate(8 << 30)
    make = [tool("mke2fs"), "-q", "-F", "-t", "ext4"] if name == "ext4" else [tool("mkfs.xfs"), "-q", "-f"]
    subprocess.run([*make, str(image)], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(mount)], capture_output=True, check=False).returncode:
        tell(f"scan: an aged {name} image needs root and loop devices")
        return False
    try:
        _fill(mount, files)
    finally:
        subprocess.run(["umount", str(mount)], check=True, capture_output=True)
    return True


def _fill(mount: Path, files: int) -> None:
    draw = random.Random(7)
    packages = _packages()
    order = sorted(packages)
    draw.shuffle(order)
    left, written = files, list[tuple[Path, Path]]()
    for place, package in enumerate(order):
        for source in packages[package][:left]:
            _copy(source, target := mount / source.relative_to("/"))
            written.append((source, target))
            if draw.random() < 0.15:  # an update
                source, target = draw.choice(written)
                target.unlink()
                _copy(source, target)
        left = files - len(written)
        with (mount / f"log{place % 20}").open("ab") as log:
            log.write(b"x" * draw.randrange(200, 90_000))
        if place % 10 == 0:
            os.sync()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def _packages() -> dict[str, list[Path]]:
    """Return files of this machine by the package that they belong to, as far as dpkg says, or by their folder."""
    owners = {}
    for listed in Path("/var/lib/dpkg/info").glob("*.list"):
        owners.update(dict.fromkeys(listed.read_text(errors="replace").splitlines(), listed.name))
    found: dict[str, list[Path]] = {}
    for root in map(Path, ("/etc", "/usr/bin", "/usr/include", "/usr/lib", "/usr/share")):
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < _LARGEST_COPIED:
                found.setdefault(owners.get(str(path), "/".join(path.parts[:6])), []).append(path)
    return found


def _server(files: int) -> dict[str, str | bytes]:
    """Return the files of a server: mostly libraries and documentation, some configuration, a few pins."""
    draw = random.Random(17)
    made: dict[str, str | bytes] = {"var/x": ""}
    for number in range(files):
        content = (b"%d some text " % number) * draw.randrange(20, 900)
        if number % 100 == 0:
            made[f"etc/{number // 5000}/{number}.conf"] = content[:300]
        elif number % 3:
            made[f"usr/lib/python3/{number // 40}/{number}.py"] = content
        else:
            made[f"usr/share/doc/{number // 20}/{number}.txt"] = content
    return {**made, **{f"opt/app/{number}.yml": "region: us-east-1\n" for number in range(50)}}


class _Timed(RawFile):
    """A raw file that adds up how long its blocks would take to arrive."""

    seconds = 0.0

    def fetch(self, indexes: Sequence[int]) -> Iterator[tuple[int, bytes | BlockUnreadable]]:
        draw, slots = random.Random(len(indexes)), [0.0] * IN_FLIGHT
        for _ in indexes:
            first = min(range(IN_FLIGHT), key=slots.__getitem__)
            slots[first] += draw.uniform(*CALL_SECONDS)
        self.seconds += max(slots)
        return super().fetch(indexes)


def _measured(image: Path, way: str) -> dict[str, Any]:
    with _Timed(image) as source:
        disk = Disk(source, cache_bytes=64 << 20) if way == "all blocks" else Disk(source)
        found = None
        if way == "all blocks":
            for start in range(0, disk.size, 64 * disk.block_size):
                disk.prefetch([(start, 64 * disk.block_size)])
        else:
            found = len(scan_device(disk, ScanOptions(region="us-east-1", deep=way == "--deep")).findings)
        return {
            "allocated": source.allocated,
            "fetched": disk.blocks_fetched,
            "waiting_seconds": round(source.seconds, 2),
            "cpu_seconds": round(time.process_time(), 2),
            "peak_mib": _peak_kib() // 1024,
            "usd": round(disk.blocks_fetched * PRICE_PER_BLOCK, 5),
            "findings": found,
        }


def _peak_kib() -> int:
    """Return the most memory that this process had; ru_maxrss would be that of the parent, if it is larger."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(Path(sys.argv[1]), sys.argv[2])))
