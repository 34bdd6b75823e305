"""The scan that docs/howto/before-you-copy.md shows is what the command says of such an image."""

import re
from pathlib import Path

import pytest

from amicopy.scan.result import ScanOptions
from amicopy.scan.rules import rules_for
from tests.conftest import Run
from tests.support.disks import gpt, make_ext, tool, write_tree

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "howto" / "before-you-copy.md"
MIB = 1 << 20

FILES: dict[str, str | bytes] = {
    "etc/hostname": "web\n",
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\n"
    "fs-0a12b34c56d78e90f.efs.us-east-1.amazonaws.com:/ /srv nfs4 _netdev 0 0\n",
    "etc/cron.d/backup": "0 3 * * * root aws s3 sync /srv s3://example-backup --region us-east-1\n",
    "etc/environment": 'AWS_DEFAULT_REGION="us-east-1"\n',
    "etc/apt/sources.list": "deb http://us-east-1.ec2.archive.ubuntu.com/ubuntu noble main\n",
    "opt/app/config/database.yml": "production:\n  host: prod.c9akciq32.us-east-1.rds.amazonaws.com\n",
    "opt/app/config/queue.json": '{"queue": "https://sqs.us-east-1.amazonaws.com/444455556666/mail"}\n',
    "opt/app/deploy.sh": "#!/bin/sh\nSECURITY_GROUP=sg-0a1b2c3d4e5f60718\n",
    "usr/share/doc/x": "us-east-1",
}
ROLES = {14: "21686148-6449-6e6f-744e-656564454649", 15: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"}


def comparable(text: str) -> list[str]:
    """Return the lines, without the numbers of blocks, which depend on mke2fs."""
    return [re.sub(r"\d+ of \d+ blocks", "N of N blocks", line) for line in text.splitlines() if line]


@pytest.mark.skipif(not tool("mke2fs"), reason="mke2fs (e2fsprogs) is not installed")
def test_the_page_shows_what_is_said(amicopy: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = make_ext(Path("root"), write_tree(tmp_path / "tree", FILES), ("-t", "ext4"), size="16M").read_bytes()
    gpt(Path("web.img"), {1: (16 * MIB, root), 14: (MIB, b"\xeb"), 15: (MIB, b"")}, ROLES, size=24 * MIB)
    console = re.search(r"```console\n\$ amicopy ([^\n]*)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert console
    ran = amicopy(*console[1].split())
    assert ran.code == 4
    assert comparable(ran.out + ran.err) == comparable(console[2])


def test_every_rule_is_explained() -> None:
    options = ScanOptions(region="us-east-1", account="444455556666", to_other_account=True)
    explained = set(re.findall(r"`([a-z-]+)`", (DOCS / "explanation" / "scan.md").read_text()))
    assert {rule.name for rule in rules_for(options)} - explained == set()
