"""When to look at pending copies next: one DescribeImages per region and tick, however many copies.

Refuses to look; lanes do.
"""

from datetime import timedelta

# Batched per region, 5 s notices an end 2.5 s late on average, with fewer calls than one 15 s waiter per image.
TICK = timedelta(seconds=5)
# New ids are unknown for a moment, and the smallest copy takes longer than this.
FIRST_TICK = timedelta(seconds=2)


def next_tick(ticks: int) -> timedelta:
    """Return how long to wait after the ``ticks``-th look (0: after the copy was requested)."""
    return FIRST_TICK if ticks == 0 else TICK
