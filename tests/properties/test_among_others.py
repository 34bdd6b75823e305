"""amicopy among others: two teams, people, services and another account act between any two calls of any run.

A sequence is drawn from a seed. Each write is checked as it happens (tests/support/among/promises.py), and in the end,
when nobody else acts, every team runs its request again (tests/support/among/settle.py).

``make test`` plays a few sequences, the same ones each time. AMICOPY_TORTURE=N plays N, AMICOPY_TORTURE_SEED=S others;
what is found is printed as a list of steps without those that it does not need, with the seed that plays it again:
AMICOPY_TORTURE=1 AMICOPY_TORTURE_SEED=THAT.
"""

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from amicopy.core import parallel
from tests.support.among.draw import draw
from tests.support.among.in_turn import InTurn
from tests.support.among.play import Play, shrunk
from tests.support.among.promises import BrokenPromise
from tests.support.among.steps import Sequence
from tests.support.torture import HOME, Tally, Wireless

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
SEED = int(os.environ.get("AMICOPY_TORTURE_SEED", "1"))
MOST_FOUND = int(os.environ.get("AMICOPY_TORTURE_FOUND", "10"))  # then the search ends


@pytest.fixture
def wireless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wireless]:
    """Let every client in this process talk to the world at hand, without sockets and without threads of its own."""
    Wireless.write_model(tmp_path / "models")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASBOX123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    monkeypatch.setenv("AWS_REGION", HOME)
    monkeypatch.setenv("AWS_DEFAULT_REGION", HOME)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(parallel, "Merged", InTurn)
    with Wireless().listening() as listening:
        yield listening


def broken(wireless: Wireless, sequence: Sequence, folder: Path) -> str:
    """Return which promise a sequence breaks; empty if none."""
    try:
        Play(wireless, sequence, folder).play()
    except BrokenPromise as error:
        return str(error)
    finally:
        wireless.world = None
    return ""


def kind(what: str) -> str:
    """Return what sort of finding it is, so that making a sequence smaller does not lead to another one."""
    return re.sub(r"(ami|snap)-\w+|\d+", "", what)[:40]


def _is_broken_alike(wireless: Wireless, folder: Path, like: str, sequence: Sequence) -> bool:
    return kind(broken(wireless, sequence, folder)) == like


def test_whatever_others_do_every_promise_holds(wireless: Wireless, tmp_path: Path) -> None:
    tally = Tally(SEED)
    found = []
    for seed in range(SEED, SEED + (LONG or 8)):
        sequence = draw(seed)
        tally.counts["sequences among others"] += 1
        if what := broken(wireless, sequence, tmp_path):
            small = shrunk(sequence, partial(_is_broken_alike, wireless, tmp_path, kind(what)))
            found.append(f"{small}\n{broken(wireless, small, tmp_path)}")
            print(f"\n{found[-1]}\n", flush=True)
        if len(found) >= MOST_FOUND:
            break
    print(f"\n{tally}")
    assert not found, "\n\n".join(found)
