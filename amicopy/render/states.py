"""How each state of a copy is shown: the words while it runs and once it has ended, its sign, its tone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    State.CHECKING: StateWords("being checked", "available, not checked"),
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


def known_words(outcome: Outcome) -> str:
    """Return the id of a copy that this run has left, or why there is none."""
    if outcome.image_id:
        return outcome.image_id
    if outcome.state is State.REQUESTED:
        return "requested, no AMI id yet"
    if outcome.row.waits_for:
        return f"not started: it waits for the copy in {outcome.row.waits_for}"
    return STATES[State.QUEUED if outcome.state is State.QUEUED else State.PLANNED].ended


def counts_by_state(outcomes: Iterable[Outcome]) -> Sequence[tuple[tuple[str, str], int]]:
    """Return the tone and the words of each state, and how many copies are in it: failures first, what is done last."""
    ordered = sorted(outcomes, key=lambda outcome: _COUNTED_IN_ORDER.index(outcome.state))
    return list(Counter((STATES[outcome.state].tone, _running_words(outcome)) for outcome in ordered).items())


def progress_counts(outcomes: Sequence[Outcome]) -> Sequence[tuple[str, bool]]:
    """Return ``2 of 33 done`` and how many of the others are in each state; True where that is bad."""
    well = sum(outcome.is_well for outcome in outcomes)
    others = counts_by_state(outcome for outcome in outcomes if not outcome.is_well)
    return [
        (f"{well} of {len(outcomes)} done", False),
        *((f"{many} {words}", tone == "bad") for (tone, words), many in others),
    ]


_COUNTED_IN_ORDER = (
    *(State.FAILED, State.REFUSED, State.ROLLED_BACK),
    *(
        State.COPYING,
        State.COMPLETING,
        State.CHECKING,
        State.SHARING_DEFERRED,
        State.QUEUED,
        State.REQUESTED,
        State.PLANNED,
    ),
    *(State.DONE, State.UNCHANGED),
)


def _running_words(outcome: Outcome) -> str:
    return state_words(outcome) if outcome.left else STATES[outcome.state].running
