"""amicopy among others: two teams, people, services and another account act between any two calls of any run.

A sequence is drawn from a seed. Each write is checked as it happens (tests/support/among/promises.py), and in the end,
when nobody else acts, every team runs its request again (tests/support/among/settle.py).

``make test`` plays a few sequences, the same ones each time. AMICOPY_TORTURE=N plays N, AMICOPY_TORTURE_SEED=S others;
what is found is printed as a list of steps without those that it does not need, with the seed that plays it again:
AMICOPY_TORTURE=1 AMICOPY_TORTURE_SEED=THAT.
"""

import os
import re
from functools import partial
from pathlib import Path

from tests.support.among.draw import draw
from tests.support.among.play import Play, shrunk
from tests.support.among.promises import BrokenPromise
from tests.support.among.steps import Sequence
from tests.support.torture import Tally, Wireless

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
SEED = int(os.environ.get("AMICOPY_TORTURE_SEED", "1"))
MOST_FOUND = int(os.environ.get("AMICOPY_TORTURE_FOUND", "10"))  # then the search ends


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
