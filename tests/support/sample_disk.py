"""Builds the disk of the sandbox's sample image ``app-server``: ``make sample-disk``. Needs mke2fs, and no root.

The result is in the repository, since not every machine has mke2fs: `amicopy/sandbox/app-server.disk.xz`. The secret is
made up; it is put together so that no scanner takes it for a real one in this repository.
"""

import tempfile
from pathlib import Path

from amicopy.sandbox.content import DiskImage, pack
from amicopy.sandbox.samples import APP_SERVER_DISK, APP_SERVER_GIB
from tests.support.disks import gpt, make_ext, write_tree

MIB = 1 << 20
FILES: dict[str, str | bytes] = {
    "etc/hostname": "app-server\n",
    "etc/os-release": 'NAME="Example Linux"\nID=example\n',
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\n"
    "fs-0a12b34c56d78e90f.efs.us-east-1.amazonaws.com:/ /srv nfs4 _netdev 0 0\n",
    "etc/cron.d/backup": "0 3 * * * root aws s3 sync /srv s3://example-backup --region us-east-1\n",
    "etc/environment": 'AWS_DEFAULT_REGION="us-east-1"\n',
    "etc/apt/sources.list": "deb http://us-east-1.ec2.archive.ubuntu.com/ubuntu noble main\n",
    "opt/app/config/database.yml": "production:\n  host: prod.c9akciq32.us-east-1.rds.amazonaws.com\n",
    "opt/app/config/queue.json": '{"queue": "https://sqs.us-east-1.amazonaws.com/444455556666/mail"}\n',
    "opt/app/deploy.sh": "#!/bin/sh\nSECURITY_GROUP=sg-0a1b2c3d4e5f60718\n",
    "home/deploy/.aws/credentials": "[default]\naws_access_key_id = " + "AKIA" + "QWERTYUIOPASDFG2\n",
    "usr/share/doc/app/README": "us-east-1 is the default region\n",
    "var/log/app.log": "connected to us-east-1\n",
}
_BIOS, _EFI = "21686148-6449-6e6f-744e-656564454649", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def build(folder: Path) -> DiskImage:
    """Return the disk: a GPT with an ext4 root of 8 GiB, and partitions that boot it."""
    size = APP_SERVER_GIB << 30
    root_size = size - 8 * MIB
    same = ("-t", "ext4", "-L", "root", "-U", "0a11ce5a-3b1e-4000-8000-000000000008")
    root = make_ext(folder / "root", write_tree(folder / "tree", FILES), same, size=f"{root_size // 1024}k")
    partitions = {14: (MIB, b"\xeb"), 15: (MIB, b""), 1: (root_size, b"")}
    path = gpt(folder / "disk", partitions, {14: _BIOS, 15: _EFI}, size=size)
    content = DiskImage.open(root)
    with path.open("r+b") as file:  # behind the two others, and a block at a time: it is large and mostly empty
        for index in content.blocks:
            file.seek(3 * MIB + index * (MIB // 2))
            file.write(content.read(index))
    return DiskImage.open(path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        APP_SERVER_DISK.write_bytes(pack(build(Path(name))))
