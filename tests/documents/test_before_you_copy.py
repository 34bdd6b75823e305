"""What docs/howto/before-you-copy.md shows is what the commands say of the sandbox's sample image."""

import re
from pathlib import Path

import pytest

from amicopy.sandbox.samples import populate
from amicopy.sandbox.world import World
from amicopy.scan.result import ScanOptions
from amicopy.scan.rules import rules_for
from tests.conftest import Run

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "howto" / "before-you-copy.md"
CONSOLE = re.compile(r"```console\n\$ amicopy ([^\n]*)\n(.*?)```", re.DOTALL)


def comparable(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def test_the_page_shows_what_is_said(
    amicopy: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(world)
    monkeypatch.chdir(tmp_path)
    shown = CONSOLE.findall(PAGE.read_text())
    assert [line.split()[0] for line, _ in shown] == ["scan", "copy"]
    for line, words in shown:
        ran = amicopy(*line.split())
        assert ran.code == (4 if line.startswith("scan") else 0)
        assert comparable(ran.out + ran.err) == comparable(words)


def test_every_rule_is_explained() -> None:
    options = ScanOptions(region="us-east-1", account="444455556666", to_other_account=True)
    explained = set(re.findall(r"`([a-z-]+)`", (DOCS / "explanation" / "scan.md").read_text()))
    assert {rule.name for rule in rules_for(options)} - explained == set()
