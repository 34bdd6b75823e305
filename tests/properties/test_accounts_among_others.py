"""Runs that copy into other accounts, several at once, killed, interrupted, beside a person who changes the source.

They take turns call by call. After each write: nothing is shared that is neither the user's nor recorded, nothing of
that is carried to a copy, and no account has two copies in a region. In the end, when every command has run once more:
the source has its user's permissions and tags, each account one faithful copy, and no record is left.

``make test`` plays a few sequences. AMICOPY_TORTURE=N plays N, AMICOPY_TORTURE_SEED=S others.
"""

import os

from tests.support.among.accounts import Crowd
from tests.support.among.promises import BrokenPromise
from tests.support.torture import Tally, Wireless

LONG = int(os.environ.get("AMICOPY_TORTURE", "0"))
SEED = int(os.environ.get("AMICOPY_TORTURE_SEED", "1"))
MOST_FOUND = int(os.environ.get("AMICOPY_TORTURE_FOUND", "10"))  # then the search ends


def test_runs_across_accounts_keep_every_promise_whatever_happens_meanwhile(wireless: Wireless, tally: Tally) -> None:
    found = []
    for seed in range(SEED, SEED + (LONG or 4)):
        crowd = Crowd(wireless, seed)
        tally.counts["sequences across accounts"] += 1
        try:
            crowd.play()
        except BrokenPromise as error:
            found.append(f"seed {seed}\n" + "\n".join(crowd.steps) + f"\n{error}")
            print(f"\n{found[-1]}\n", flush=True)
        finally:
            wireless.world = None
        if len(found) >= MOST_FOUND:
            break
    assert not found, "\n\n".join(found)
