"""The EBS direct APIs in one region: which blocks of a snapshot have been written, and their data. Reads only."""

import base64
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import BlockDamaged

BLOCK_BYTES = 512 * 1024
"""The size of a block: "Block indexes are logical indexes in units of 512 KiB blocks" (EBS direct API reference)."""
_BLOCKS_IN_PAGE = 10_000  # the most that ListSnapshotBlocks returns


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPage:
    """Some of a snapshot's written blocks, in ascending order: the index of each, and the token to get it with."""

    blocks: tuple[tuple[int, str], ...]
    volume_gib: int
    next_token: str = ""  # empty: it is the last page


class Block(NamedTuple):
    """The data of one block, and its SHA-256, which is the one that EBS sent with it."""

    data: bytes
    sha256: bytes


class EbsClient:
    """The snapshots of one region."""

    def __init__(self, session: Session, region: str, calls: CallCounter) -> None:
        self._session = session
        self.region = region
        self._calls = calls

    @functools.cached_property
    def _call(self) -> ServiceClient:  # created on first use: most runs read no block
        return ServiceClient(self._session, "ebs", self.region, self._calls)

    def list_snapshot_blocks(self, snapshot_id: str, *, next_token: str = "", first: int = 0) -> BlockPage:
        """Return a page of the blocks that have been written, from index ``first`` on, or from the last page on.

        Blocks that were never written, whose bytes are zeros, are left out.

        Raises:
            SnapshotUnreadable: it is public, pending, archived, of AWS Marketplace, or on an Outpost.
            SnapshotNotFound: there is no such snapshot, or it isn't visible.
            BlockTokenExpired: an hour has passed since the page before; continue with ``first``.
            AccessDenied: for ebs:ListSnapshotBlocks, or for kms:Decrypt of its key.

        AWS: EBS ListSnapshotBlocks.
        """
        position: dict[str, Any] = {"NextToken": next_token} if next_token else {"StartingBlockIndex": first}
        answer = self._call("ListSnapshotBlocks", SnapshotId=snapshot_id, MaxResults=_BLOCKS_IN_PAGE, **position)
        return BlockPage(
            blocks=tuple((block["BlockIndex"], block["BlockToken"]) for block in answer.get("Blocks", ())),
            volume_gib=answer.get("VolumeSize", 0),
            next_token=answer.get("NextToken") or "",
        )

    def get_snapshot_block(self, snapshot_id: str, index: int, token: str) -> Block:
        """Return one block, whose SHA-256 is the one that EBS sent with it.

        Raises:
            BlockDamaged: it isn't; worth repeating.
            BlockTokenExpired: the token is older than a week; list the block again.
            AccessDenied: for ebs:GetSnapshotBlock, or for kms:Decrypt of its key.

        AWS: EBS GetSnapshotBlock.
        """
        answer = self._call("GetSnapshotBlock", SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token)
        data: bytes = answer["BlockData"]
        digest = hashlib.sha256(data).digest()
        if why := _damage(data, digest, answer):
            raise BlockDamaged(f"Block {index} of {snapshot_id} in {self.region} arrived damaged.", why=why)
        return Block(data, digest)


def _damage(data: bytes, digest: bytes, answer: Mapping[str, Any]) -> str:
    """Return what is wrong with a block as it arrived; empty if nothing is."""
    if len(data) != BLOCK_BYTES:
        return f"It has {len(data)} bytes instead of {BLOCK_BYTES}."
    if answer.get("ChecksumAlgorithm") != "SHA256":
        return f"EBS sent no SHA-256 with it, but {answer.get('ChecksumAlgorithm') or 'no checksum'}."
    if base64.b64encode(digest).decode() != answer.get("Checksum"):
        return "Its SHA-256 is not the one that EBS sent with it."
    return ""
