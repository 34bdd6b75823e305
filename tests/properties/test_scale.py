"""Many AMIs at once: the work grows as they do, and no faster. Counted in lines of code run, never in seconds."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import amicopy as package
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import EAST, WEST, a_source, asked, slow

HOME_OF_CODE = str(Path(package.__file__).parent)
SANDBOX = str(Path(package.__file__).parent / "sandbox")
FEW, MANY = 12, 120  # many enough to wait for CopyImage's rate


def lines_run(do: Callable[[], object]) -> int:
    """Return how many lines of amicopy's own code run, loops and comprehensions by their turns."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        name = frame.f_code.co_filename
        if not name.startswith(HOME_OF_CODE) or name.startswith(SANDBOX):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        do()
    finally:
        sys.settrace(before)
        threading.settrace(before)
    return count


def test_ten_times_the_amis_are_not_much_more_than_ten_times_the_work(amicopy: Run, world: World) -> None:
    slow(world, 60)

    def copied(number: int, *, name: str) -> tuple[int, int]:
        """Return the work of a run that copies so many AMIs, and of one that finds nothing to do."""
        sources = [a_source(world, name=f"{name}-{one}").image_id for one in range(number)]
        command = ("copy", *sources, "--to", f"{WEST},{EAST}", "--output", "jsonl")
        first = lines_run(lambda: amicopy(*command))
        assert len(asked(world, "CopyImage", WEST)) == number
        world.requests.clear()
        again = lines_run(lambda: amicopy(*command))
        assert not asked(world, "CopyImage")
        return first, again

    few, many = copied(FEW, name="few"), copied(MANY, name="many")
    ratios = [round(after / before, 1) for before, after in zip(few, many, strict=True)]
    assert max(ratios) <= 11, ratios
