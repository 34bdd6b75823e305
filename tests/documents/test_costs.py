"""The page on costs is followed literally: its file is written, its commands run, and they say what it shows."""

import re
from pathlib import Path

import pytest

from amicopy.sandbox.samples import populate
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.documents.test_tutorial import followed, lines
from tests.support.clock import FakeClock

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "what-it-costs.md"
PRICES = re.compile(r"^```text\n(price,.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_page_says_what_is_shown(
    amicopy: Run, world: World, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(world)
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text()
    [prices] = PRICES.findall(text)
    Path("prices.csv").write_text(prices)
    taken = list(followed(text, amicopy, clock, tmp_path))
    assert len(taken) == 9
    for command, shown, said in taken:
        assert lines(shown) == lines(said), command
