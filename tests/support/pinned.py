"""Images whose content is known, for scans."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from amicopy.sandbox.content import DiskImage
from amicopy.sandbox.records import Image, Volume
from amicopy.sandbox.world import World
from tests.support.disks import make_ext, write_tree
from tests.support.planted import PINNED
from tests.support.scenes import a_source

_GIB = 1 << 30


class Pinned(Protocol):
    """Registers an AMI whose volume has these files (`PINNED` by default); returns the file of the disk, too."""

    def __call__(
        self,
        files: Mapping[str, str | bytes] | None = None,
        *,
        image: Mapping[str, Any] | None = None,
        **volume: Any,
    ) -> tuple[Path, Image]:
        """``image`` are members of the AMI, ``volume`` those of its volume."""


def maker(folder: Path, world: World) -> Pinned:
    """Return what makes such images, with their disks in ``folder``."""

    def make(
        files: Mapping[str, str | bytes] | None = None, *, image: Mapping[str, Any] | None = None, **volume: Any
    ) -> tuple[Path, Image]:
        number = sum(1 for _ in folder.glob("disk*.img"))
        given = PINNED if files is None else files
        tree = write_tree(folder / f"tree{number}", {"etc/hostname": "web\n", "var/x": "", "usr/x": "", **given})
        path = make_ext(folder / f"disk{number}.img", tree, ("-t", "ext4"), size="16M")
        with path.open("r+b") as file:
            file.truncate(_GIB)  # as large as the volume
        content = DiskImage.open(path)
        root = Volume(device="/dev/xvda", gib=1, content=content, **volume)
        return path, a_source(world, **{"volumes": [root], **(image or {})})

    return make
