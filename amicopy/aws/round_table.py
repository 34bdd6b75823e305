"""The rounds of a manifest in a DynamoDB table: which units have ended, and who may do what needs all of them.

A round is one state of a manifest and its sources. The table only saves work and keeps two processes from publishing at
once. What is true is in EC2: a lost table, or a record that is wrong, costs another pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amicopy.aws.client import CallCounter
from amicopy.aws.conditional_table import ConditionalTable, number
from amicopy.aws.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What the table has of a round."""

    done: frozenset[str] = frozenset()  # the units that are up to date
    failed: frozenset[str] = frozenset()  # those whose last pass failed
    finished: bool = False  # and what needs all units is done

    @property
    def ended(self) -> int:
        """How many units have reported an end."""
        return len(self.done | self.failed)


class RoundTable:
    """The table. Every write is conditional or a change of a set, so that their order doesn't matter."""

    def __init__(self, session: Session, region: str, calls: CallCounter, table: str) -> None:
        self._table = ConditionalTable(session, region, calls, table)

    def read(self, round_id: str, now: float) -> Round:
        """Return a round; an empty one if there is none, or if it has expired (it is deleted then).

        AWS: DynamoDB GetItem, DeleteItem.
        """
        item = self._table.get(round_id)
        if item and number(item, "expires_at") <= now:
            self._table.changed("DeleteItem", round_id, "expires_at <= :now", {":now": {"N": str(now)}})
            return Round()
        return _round(item)

    def report(self, round_id: str, unit_id: str, *, succeeded: bool, expires_at: float) -> Round:
        """Record how a unit has ended; return the round with it.

        AWS: DynamoDB UpdateItem.
        """
        into, out = ("done", "failed") if succeeded else ("failed", "done")
        keep = "expires_at = if_not_exists(expires_at, :expires)"
        values = {":unit": {"SS": [unit_id]}, ":expires": {"N": str(int(expires_at))}}
        return _round(self._table.update(round_id, f"ADD {into} :unit DELETE {out} :unit SET {keep}", values))

    def take(self, round_id: str, *, now: float, until: float) -> bool:
        """Take the round for what needs all units, until then; return whether nobody else has it or has finished it.

        AWS: DynamoDB UpdateItem with a condition.
        """
        return self._table.changed(
            "UpdateItem",
            round_id,
            "attribute_not_exists(finished_at) AND (attribute_not_exists(taken_until) OR taken_until <= :now)",
            {":now": {"N": str(now)}, ":until": {"N": str(until)}, ":expires": {"N": str(int(until) + 86400)}},
            UpdateExpression="SET taken_until = :until, expires_at = if_not_exists(expires_at, :expires)",
        )

    def give_back(self, round_id: str, *, until: float) -> None:
        """Let others take the round that was taken until then.

        AWS: DynamoDB UpdateItem with a condition.
        """
        self._table.changed(
            "UpdateItem",
            round_id,
            "taken_until = :until",
            {":until": {"N": str(until)}},
            UpdateExpression="REMOVE taken_until",
        )

    def finish(self, round_id: str, *, now: float) -> None:
        """Record that nothing is left to do.

        AWS: DynamoDB UpdateItem with a condition.
        """
        self._table.changed(
            "UpdateItem",
            round_id,
            "attribute_exists(expires_at) AND attribute_not_exists(finished_at)",
            {":now": {"N": str(now)}},
            UpdateExpression="SET finished_at = :now REMOVE taken_until",
        )


def _round(item: Mapping[str, Any]) -> Round:
    return Round(
        done=frozenset(item.get("done", {}).get("SS", ())),
        failed=frozenset(item.get("failed", {}).get("SS", ())),
        finished="finished_at" in item,
    )
