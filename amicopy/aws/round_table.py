"""The current round of a manifest in a DynamoDB table: which units have ended, and who may do what needs all of them.

A round begins when the manifest, its sources or who is notified change, also when they change back: a unit may have
changed meanwhile. Every write is for one round, and comes to nothing once another has begun. The table saves work and
keeps two processes from publishing at once. What is true is in EC2: a lost table costs another pass.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from amicopy.aws.client import CallCounter
from amicopy.aws.conditional_table import ConditionalTable, Item, number, text
from amicopy.aws.session import Session

PREFIX = "round "  # of the records' keys: others of the table are notifications
_THIS_ROUND = "round_id = :round"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What the table has of a round."""

    round_id: str = ""  # empty: there is none
    state: str = ""  # stands for what it is a round of
    started_at: float = 0.0
    expires_at: float = 0.0
    done: frozenset[str] = frozenset()  # the units that are up to date
    failed: Mapping[str, str] = field(default_factory=dict)  # what the last passes of those came to that failed
    too_large: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # how many seconds a pass had, and when
    seen_as: str = ""  # `units_state` when a pass over all units found nothing but what fails in those
    finished: bool = False  # and what needs all units is done

    @property
    def ended(self) -> frozenset[str]:
        """The units that have reported an end."""
        return self.done | self.failed.keys()

    @property
    def units_state(self) -> str:
        """What the units have reported; the same text is the same state."""
        reported = json.dumps([sorted(self.done), sorted(self.failed.items())])
        return hashlib.sha256(reported.encode()).hexdigest()

    @property
    def is_seen(self) -> bool:
        """Whether another pass over all units would find what the last one did."""
        return self.seen_as == self.units_state

    def unfinished_seconds(self, now: float) -> int:
        """Return for how long this has been left to do; 0 if it is done."""
        return 0 if self.finished or not self.round_id else max(0, int(now - self.started_at))


class RoundTable:
    """The table, for one manifest."""

    def __init__(self, session: Session, region: str, calls: CallCounter, *, table: str, manifest: str) -> None:
        self._table = ConditionalTable(session, region, calls, table)
        self._key = PREFIX + manifest

    def read(self) -> Round:
        """Return the current round; an empty one if there is none.

        AWS: DynamoDB GetItem.
        """
        return _round(self._table.get(self._key))

    def start(self, current: Round, state: str, *, now: float, expires_at: float) -> Round | None:
        """Start a round in place of the current one; return None if another process has just done so.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values = {
            ":new": {"S": str(uuid.uuid4())},
            ":state": {"S": state},
            ":now": {"N": str(now)},
            ":expires": {"N": str(int(expires_at))},
            ":none": {"M": {}},
        }
        change = (
            "SET round_id = :new, made_of = :state, started_at = :now, expires_at = :expires, "
            "failed = :none, too_large = :none "
            "REMOVE done, seen_as, finished_at, taken_until"
        )
        if not current.round_id:
            started = self._table.update(self._key, change, values, condition="attribute_not_exists(round_id)")
        else:
            values |= {":round": {"S": current.round_id}}
            started = self._table.update(self._key, change, values, condition=_THIS_ROUND)
        return None if started is None else _round(started)

    def report(self, round_id: str, unit_id: str, *, failed_as: str = "") -> Round | None:
        """Record how a unit has ended, up to date or failed; return the round with it, None if it is not the current.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values: Item = {":round": {"S": round_id}, ":unit": {"SS": [unit_id]}}
        if failed_as:
            values = {**values, ":failed_as": {"S": failed_as}}
            change = "SET failed.#unit = :failed_as DELETE done :unit"
        else:
            change = "ADD done :unit REMOVE failed.#unit"
        item = self._table.update(self._key, change, values, condition=_THIS_ROUND, names={"#unit": unit_id})
        return None if item is None else _round(item)

    def report_too_large(self, round_id: str, unit_id: str, *, seconds: float, now: float) -> None:
        """Record that a pass over a unit, or over all of them, had so many seconds, and could not even plan in them.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values = {":round": {"S": round_id}, ":pass": {"L": [{"N": str(seconds)}, {"N": str(now)}]}}
        change = "SET too_large.#unit = :pass"
        self._table.update(self._key, change, values, condition=_THIS_ROUND, names={"#unit": unit_id})

    def take(self, round_id: str, *, now: float, until: float) -> bool:
        """Take the round for what needs all units, until then; return whether nobody else has it or has finished it.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values = {":round": {"S": round_id}, ":now": {"N": str(now)}, ":until": {"N": str(until)}}
        condition = (
            f"{_THIS_ROUND} AND attribute_not_exists(finished_at) "
            "AND (attribute_not_exists(taken_until) OR taken_until <= :now)"
        )
        return self._table.update(self._key, "SET taken_until = :until", values, condition=condition) is not None

    def give_back(self, round_id: str, *, until: float, seen_as: str = "") -> None:
        """Let others take the round that was taken until then; ``seen_as``: not before a unit reports something else.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values: Item = {":round": {"S": round_id}, ":until": {"N": str(until)}, ":seen": {"S": seen_as}}
        change = "SET seen_as = :seen REMOVE taken_until"
        self._table.update(self._key, change, values, condition=f"{_THIS_ROUND} AND taken_until = :until")

    def finish(self, round_id: str, *, now: float) -> None:
        """Record that nothing is left to do.

        AWS: DynamoDB UpdateItem with a condition.
        """
        values = {":round": {"S": round_id}, ":now": {"N": str(now)}}
        change = "SET finished_at = :now REMOVE taken_until"
        self._table.update(self._key, change, values, condition=f"{_THIS_ROUND} AND attribute_not_exists(finished_at)")


def _round(item: Item) -> Round:
    return Round(
        round_id=text(item, "round_id"),
        state=text(item, "made_of"),
        started_at=number(item, "started_at"),
        expires_at=number(item, "expires_at"),
        done=frozenset(item.get("done", {}).get("SS", ())),
        failed={unit: text(item["failed"]["M"], unit) for unit in item.get("failed", {}).get("M", {})},
        too_large={unit: _pass(one) for unit, one in item.get("too_large", {}).get("M", {}).items()},
        seen_as=text(item, "seen_as"),
        finished="finished_at" in item,
    )


def _pass(value: Item) -> tuple[float, float]:
    seconds, at = (float(one["N"]) for one in value["L"])
    return seconds, at
