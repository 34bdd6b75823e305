"""The blocks of snapshots, read from the sandbox through botocore: complete, checked, and as often as needed."""

import threading
import time
from functools import partial

import pytest

from amicopy.aws.client import CallCounter
from amicopy.aws.ebs import BLOCK_BYTES, Block, BlockPage, EbsClient
from amicopy.aws.session import BLOCKS_IN_FLIGHT, Session
from amicopy.core.errors import (
    AccessDenied,
    AmicopyError,
    BlockDamaged,
    BlockTokenExpired,
    Interrupted,
    KeyUnusable,
    SnapshotNotFound,
    SnapshotUnreadable,
    Throttled,
    Unreachable,
)
from amicopy.core.parallel import Stop, as_they_come
from amicopy.sandbox.content import Content, MadeUp, Stored
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import KeyMetadata, Volume
from amicopy.sandbox.world import World
from amicopy.survey.snapshot_blocks import ZEROS_DIGEST, SnapshotBlocks
from tests.support.clock import FakeClock

HOME = "us-east-1"
SPARSE = Stored({index: bytes([index % 251]) * BLOCK_BYTES for index in (0, 3, 4, 900)})


def snapshot_of(world: World, content: Content = SPARSE) -> str:
    return world.register(HOME, name="web", volumes=[Volume(gib=1, content=content)]).snapshot_ids[0]


def blocks_of(snapshot_id: str, clock: FakeClock, stop: Stop | None = None) -> SnapshotBlocks:
    return SnapshotBlocks(EbsClient(Session(), HOME, CallCounter()), snapshot_id, clock, stop or Stop())


def calls(world: World, operation: str) -> int:
    return sum(1 for request in world.requests if request.operation == operation)


def test_all_blocks_arrive_each_once(world: World, clock: FakeClock) -> None:
    blocks = blocks_of(snapshot_of(world), clock)
    assert (list(blocks.indexes), blocks.size, blocks.pages) == ([0, 3, 4, 900], 2**30, 1)
    assert dict(blocks.fetch(blocks.indexes)) == SPARSE.data
    assert (calls(world, "ListSnapshotBlocks"), calls(world, "GetSnapshotBlock")) == (1, 4)


def test_block_that_was_never_written_is_zeros_and_not_asked_for(world: World, clock: FakeClock) -> None:
    blocks = blocks_of(snapshot_of(world, Stored({7: bytes(BLOCK_BYTES)})), clock)
    assert (blocks.holds(7), blocks.holds(8)) == (True, False)
    assert blocks.digest(7) == blocks.digest(8) == ZEROS_DIGEST
    assert calls(world, "GetSnapshotBlock") == 1


def test_ten_thousand_blocks_are_a_page(world: World, clock: FakeClock) -> None:
    blocks = blocks_of(snapshot_of(world, MadeUp("x", 10_001)), clock)
    assert (len(blocks.indexes), blocks.pages) == (10_001, 2)


def test_expired_page_token_continues_behind_the_last_block(world: World, clock: FakeClock) -> None:
    world.inject(parse_fault("ListSnapshotBlocks=expired after 1"))
    blocks = blocks_of(snapshot_of(world, MadeUp("x", 20_001)), clock)
    assert list(blocks.indexes) == list(range(20_001))


def test_expired_block_token_is_renewed(world: World, clock: FakeClock) -> None:
    blocks = blocks_of(snapshot_of(world), clock)
    clock.advance(8 * 86400)
    assert blocks.read(900) == SPARSE.data[900]
    assert (calls(world, "ListSnapshotBlocks"), calls(world, "GetSnapshotBlock")) == (2, 2)


@pytest.mark.parametrize(
    "fault",
    [
        "GetSnapshotBlock=throttle*5",
        "GetSnapshotBlock=error:ThrottlingException: Rate exceeded*5",
        "GetSnapshotBlock=error:RequestThrottleException: slower*5",
        "GetSnapshotBlock=error:402 ServiceQuotaExceededException: KMS*5",
        "GetSnapshotBlock=500*2",
        "GetSnapshotBlock=corrupt*2",
        "GetSnapshotBlock=truncated",
        "GetSnapshotBlock=dead*2",
        "GetSnapshotBlock=html",
        "ListSnapshotBlocks=throttle*5",
    ],
)
def test_what_passes_is_waited_for(world: World, clock: FakeClock, fault: str) -> None:
    world.inject(parse_fault(fault))
    blocks = blocks_of(snapshot_of(world), clock)
    assert dict(blocks.fetch(blocks.indexes)) == SPARSE.data


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("GetSnapshotBlock=corrupt*always", BlockDamaged, "arrived damaged 3 times"),
        ("GetSnapshotBlock=expired*always", BlockTokenExpired, "INVALID_BLOCK_TOKEN"),
        ("GetSnapshotBlock=throttle*always", Throttled, "rate"),
        ("GetSnapshotBlock=dead*always", Unreachable, "EBS in us-east-1"),
        ("GetSnapshotBlock=error:403 AccessDeniedException: no", AccessDenied, "ebs:GetSnapshotBlock"),
    ],
)
def test_what_does_not_pass_is_said(
    world: World, clock: FakeClock, fault: str, error: type[AmicopyError], words: str
) -> None:
    blocks = blocks_of(snapshot_of(world), clock)
    world.inject(parse_fault(fault))
    with pytest.raises(error) as caught:
        blocks.read(3)
    assert words in f"{caught.value} {caught.value.why}"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("ValidationException: The snapshot is public", SnapshotUnreadable, "public snapshots"),
        ("404 ResourceNotFoundException: none", SnapshotNotFound, "shared with this account"),
        ("403 AccessDeniedException: no", AccessDenied, "Allow ebs:ListSnapshotBlocks"),
    ],
)
def test_snapshot_that_cannot_be_read_is_named_with_the_way_out(
    world: World, clock: FakeClock, fault: str, error: type[AmicopyError], words: str
) -> None:
    snapshot_id = snapshot_of(world)
    world.inject(parse_fault(f"ListSnapshotBlocks=error:{fault}"))
    with pytest.raises(error) as caught:
        blocks_of(snapshot_id, clock)
    assert words in caught.value.next_step
    if error is not AccessDenied:
        assert snapshot_id in caught.value.what


def test_disabled_key_is_named_as_the_reason(world: World, clock: FakeClock) -> None:
    snapshot_id = snapshot_of(world)
    record = world.snapshot(HOME, snapshot_id)
    record.encrypted, record.kms_key_id = True, "arn:aws:kms:us-east-1:123456789012:key/k"
    world.state.keys = lambda *_: KeyMetadata(arn=record.kms_key_id, state="Disabled")
    with pytest.raises(KeyUnusable) as caught:
        blocks_of(snapshot_id, clock)
    assert "Enable its KMS key" in caught.value.next_step


class _Slow(EbsClient):
    """Answers after a moment, and counts how many calls are under way at most."""

    def __init__(self) -> None:
        super().__init__(Session(), HOME, CallCounter())
        self.under_way = self.most = self.asked = 0
        self._counting = threading.Lock()

    def list_snapshot_blocks(self, snapshot_id: str, *, next_token: str = "", first: int = 0) -> BlockPage:
        return BlockPage(blocks=tuple((index, "t") for index in range(first, 200)), volume_gib=1)

    def get_snapshot_block(self, snapshot_id: str, index: int, token: str) -> Block:
        with self._counting:
            self.under_way += 1
            self.asked += 1
            self.most = max(self.most, self.under_way)
        time.sleep(0.002)
        with self._counting:
            self.under_way -= 1
        return Block(b"", b"")


def test_at_most_sixteen_blocks_are_in_flight(clock: FakeClock) -> None:
    slow = _Slow()
    blocks = SnapshotBlocks(slow, "snap-1", clock, Stop())
    assert len(dict(blocks.fetch(blocks.indexes))) == 200
    assert slow.most == BLOCKS_IN_FLIGHT


def test_no_more_is_read_ahead_than_is_taken(clock: FakeClock) -> None:
    slow = _Slow()
    blocks = SnapshotBlocks(slow, "snap-1", clock, Stop())
    arriving = blocks.fetch(blocks.indexes)
    next(arriving)
    time.sleep(0.1)
    assert slow.asked <= 2 * BLOCKS_IN_FLIGHT + 1
    arriving.close()


def test_interrupt_ends_the_reading(clock: FakeClock) -> None:
    slow, stop = _Slow(), Stop()
    blocks = SnapshotBlocks(slow, "snap-1", clock, stop)
    arriving = blocks.fetch(blocks.indexes)
    next(arriving)
    stop.set()
    with pytest.raises(Interrupted):
        list(arriving)
    assert slow.asked < 200


def test_first_error_ends_the_others() -> None:
    def fail() -> int:
        raise Unreachable("no")

    tasks = ((number, fail if number == 5 else partial(int, number)) for number in range(10_000))
    with pytest.raises(Unreachable):
        list(as_they_come(tasks, Stop(), most=4))
