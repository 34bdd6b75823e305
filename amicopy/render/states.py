"""How each state of a copy is shown: the words while it runs and once it has ended, its sign, its tone."""

from collections.abc import Mapping
from dataclasses import dataclass

from amicopy.execute.report import Outcome, State


@dataclass(frozen=True, slots=True)
class StateWords:
    """The appearance of one state."""

    running: str  # during the run
    ended: str  # in a result
    sign: str = "…"
    tone: str = "wait"  # good, bad or wait: a class of the HTML report
    end: str = "left"  # what its last moment is called in a timeline


STATES: Mapping[State, StateWords] = {
    State.PLANNED: StateWords("waiting", "not started"),
    State.REQUESTED: StateWords("requested", "requested, outcome unknown"),
    State.QUEUED: StateWords("queued", "not started, queued"),
    State.COPYING: StateWords("copying", "still copying"),
    State.COMPLETING: StateWords("applying tags and permissions", "available, incomplete"),
    State.SHARING_DEFERRED: StateWords("ready, not shared yet", "available, not shared"),
    State.DONE: StateWords("done", "available", "✓", "good", "done"),
    State.UNCHANGED: StateWords("up to date", "up to date", "✓", "good"),
    State.FAILED: StateWords("failed", "failed", "✗", "bad", "failed"),
    State.REFUSED: StateWords("refused", "refused", "✗", "bad"),
    State.ROLLED_BACK: StateWords("rolled back", "rolled back", "−", end="rolled back"),
}


def state_words(outcome: Outcome) -> str:
    """Return what became of one copy, in a few words."""
    if outcome.state is State.PLANNED and outcome.image_id:
        return STATES[State.COPYING].ended
    return STATES[outcome.state].ended
