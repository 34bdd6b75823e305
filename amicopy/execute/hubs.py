"""The copies that others are made from, while they are being made: what the lanes of a run share about them."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amicopy.aws.ec2 import Clients
from amicopy.core.clock import Clock
from amicopy.core.destination import Destination, Key
from amicopy.core.errors import AmicopyError
from amicopy.core.events import LeftBecause
from amicopy.core.lineage import is_ours, is_proven
from amicopy.core.models import HUB_TAG, Image
from amicopy.core.write import Write, WriteOperation, tag_list
from amicopy.plan.plan import Row
from amicopy.plan.relays import HUB_PATIENCE
from amicopy.survey.relays import Relays

if TYPE_CHECKING:  # loaded when a price is asked for
    from amicopy.core.prices import Prices


@dataclass(frozen=True, slots=True)
class Hub:
    """What has become of a copy that others wait for: it is available, or why it is not."""

    image: Image | None = None
    left: LeftBecause | None = None  # this run does not wait for it any longer
    reason: str = ""  # why others are not made from it
    is_joined: bool = False  # another run has asked for it: what it is a copy of, only EC2's record says


class Hubs:
    """Tells lanes that wait for a copy in another region what has become of it; safe to use from several threads."""

    def __init__(
        self, rows: Iterable[Row], clients: Clients, clock: Clock, relays: Relays, prices: "Prices | None" = None
    ) -> None:
        waiting = (row for row in rows if row.waits or row.destination.account)
        waited_for = {(row.source.reference, row.waits_for) for row in waiting if row.waits_for}
        self._known: dict[Key, Hub | None] = dict.fromkeys((source, where) for source, where in waited_for if where)
        self._used: set[str] = set()  # references of images
        self._marked: set[str] = set()
        self._clients = clients
        self._relays = relays
        self._clock = clock
        self._prices = prices
        self._give_up = clock.now() + HUB_PATIENCE
        self._lock = threading.Lock()

    def report(self, key: Key, hub: Hub) -> None:
        """Say what has become of a copy, if others wait for it; what was said first stays."""
        with self._lock:
            if key in self._known and self._known[key] is None:
                self._known[key] = hub

    def is_open(self, row: Row) -> bool:
        """Return whether the copy that ``row`` is made from is still being made, and worth waiting for."""
        return row.waits and self._known.get(_key(row)) is None and self._clock.now() < self._give_up

    def of(self, row: Row) -> Hub:
        """Return what has become of the copy that ``row`` waited for."""
        found = self._known.get(_key(row))
        minutes = int(HUB_PATIENCE.total_seconds() // 60)
        return found or Hub(reason=f"the copy in {row.waits_for} is still not available after {minutes} minutes")

    def proves(self, row: Row) -> bool:
        """Return whether the copy that another account's copy waited for is one by EC2's own word.

        One that was there before, the plan has looked at; one that this run has asked for, EC2 has made as asked.
        """
        hub = self._known.get(_key(row))
        if hub is None or hub.image is None or not hub.is_joined:
            return True
        image_id = hub.image.image_id
        return is_proven(row.source, self._relays.checked({image_id: hub.image})[image_id])

    def cost_words(self, row: Row, planned: Row) -> str:
        """Return what the transfer of a copy costs that is made from another image than planned."""
        from amicopy.plan.estimate import transfer_words

        return transfer_words(row, planned, self._prices)

    def use(self, source: Image, origin: Image) -> AmicopyError | None:
        """Mark a copy as one that others are made from, before the first is; return why that failed.

        `cancel` and `keep` look for such copies before they remove it. What is not ours they leave alone anyway.
        """
        with self._lock:
            self._used.add(origin.reference)
            if HUB_TAG in origin.tags or origin.reference in self._marked or not is_ours(source, origin):
                return None
            tags = tag_list({HUB_TAG: "yes"})
            write = Write(WriteOperation.CREATE_TAGS, {"Resources": [origin.image_id], "Tags": tags})
            try:
                self._clients[origin.region].write(write)
            except AmicopyError as error:
                return error
            self._marked.add(origin.reference)
            return None

    def is_used(self, region: str, image_id: str) -> bool:
        """Return whether this run has begun to make other copies from an image."""
        return f"{region}/{image_id}" in self._used


def _key(row: Row) -> Key:
    return row.source.reference, row.waits_for or Destination("")
