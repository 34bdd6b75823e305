"""The EBS direct APIs that read a snapshot: its list of written blocks, and each block.

Source: EBS User Guide, "Use EBS direct APIs to access the contents of an EBS snapshot", with its questions and answers.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from amicopy.sandbox.content import BLOCK_BYTES, has_block
from amicopy.sandbox.ec2.errors import EbsError, token_refused
from amicopy.sandbox.records import Snapshot
from amicopy.sandbox.state import Call

BLOCK_TOKEN_LASTS = timedelta(days=7)
PAGE_TOKEN_LASTS = timedelta(minutes=60)
_FEWEST, _MOST = 100, 10_000  # blocks in a page


def list_snapshot_blocks(call: Call) -> dict[str, Any]:
    """ListSnapshotBlocks: show a page of the blocks that have been written, each with a token to get it."""
    snapshot = _readable(call)
    blocks = snapshot.data.blocks
    size = min(_MOST, max(_FEWEST, call.params.get("MaxResults") or _MOST))
    begin = call.params.get("StartingBlockIndex") or 0
    if token := call.params.get("NextToken"):
        begin = _opened(call, token, "page", snapshot)
    chosen = [index for index in blocks if index >= begin][: size + 1] if begin else list(blocks[: size + 1])
    expires = call.now + BLOCK_TOKEN_LASTS
    response: dict[str, Any] = {
        "Blocks": [
            {"BlockIndex": index, "BlockToken": _token("block", snapshot, index, expires)} for index in chosen[:size]
        ],
        "ExpiryTime": expires.timestamp(),
        "VolumeSize": snapshot.gib,
        "BlockSize": BLOCK_BYTES,
    }
    if len(chosen) > size:
        response["NextToken"] = _token("page", snapshot, chosen[size], call.now + PAGE_TOKEN_LASTS)
    return response


def get_snapshot_block(call: Call) -> dict[str, Any]:
    """GetSnapshotBlock: return the data of one block and its checksum."""
    snapshot = _readable(call)
    index = call.params["BlockIndex"]
    if _opened(call, call.params.get("BlockToken") or "", "block", snapshot) != index:
        raise token_refused(call.operation)
    if not has_block(snapshot.data, index):
        raise EbsError("ValidationException", "INVALID_BLOCK", f"The snapshot has no block {index}.")
    data = snapshot.data.read(index)
    return {"BlockData": data, "DataLength": len(data), "Checksum": checksum(data), "ChecksumAlgorithm": "SHA256"}


OPERATIONS: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    "GetSnapshotBlock": get_snapshot_block,
    "ListSnapshotBlocks": list_snapshot_blocks,
}


def checksum(data: bytes) -> str:
    """Return the SHA-256 of a block as the API writes it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def _readable(call: Call) -> Snapshot:
    """Return the snapshot of the request, or refuse what the APIs don't read.

    AWS documents what can't be read (questions and answers for EBS direct APIs), and not with which error.
    """
    snapshot_id = call.params["SnapshotId"]
    snapshot = call.state.snapshots[call.region].get(snapshot_id)
    if snapshot is None or not call.sees_snapshot(snapshot):
        message = f"The snapshot '{snapshot_id}' does not exist."
        raise EbsError("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", message, 404)
    reads_shared = call.state.unconfirmed.ebs_direct_reads_shared
    if snapshot.owner != call.account and not (reads_shared and call.account in snapshot.shared_with):
        raise _not_readable(snapshot_id, "it is a public snapshot, or a snapshot of another account")
    if snapshot.state != "completed":
        raise _not_readable(snapshot_id, f"it is {snapshot.state}")
    if snapshot.storage_tier == "archive":
        raise _not_readable(snapshot_id, "it is archived")
    if snapshot.outpost_arn:
        raise _not_readable(snapshot_id, "it is a local snapshot of an Outpost")
    _check_key(call, snapshot)
    return snapshot


def _not_readable(snapshot_id: str, why: str) -> EbsError:
    return EbsError("ValidationException", "INVALID_SNAPSHOT_ID", f"The snapshot '{snapshot_id}' can't be read: {why}.")


def _check_key(call: Call, snapshot: Snapshot) -> None:
    """Refuse an encrypted snapshot whose key the caller may not or cannot use; an unknown key counts as usable."""
    key = call.state.keys(snapshot.owner, snapshot.region, snapshot.kms_key_id) if snapshot.encrypted else None
    if key is None:
        return
    if not call.is_allowed("kms:Decrypt", key.arn):
        message = f"The caller is not authorized to perform kms:Decrypt on {key.arn}."
        raise EbsError("AccessDeniedException", "DEPENDENCY_ACCESS_DENIED", message, 403)
    if not key.usable:
        raise EbsError("ValidationException", "INVALID_CUSTOMER_KEY", f"The key {key.arn} is {key.state}.")


def _token(kind: str, snapshot: Snapshot, index: int, expires: datetime) -> str:
    """Return a token in the alphabet of the API: base64."""
    text = f"{kind} {snapshot.snapshot_id} {index} {int(expires.timestamp())}"
    seal = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return base64.b64encode(f"{text} {seal}".encode()).decode()


def _opened(call: Call, token: str, kind: str, snapshot: Snapshot) -> int:
    """Return the block index in a token, or refuse one that has expired, or was issued for something else."""
    try:
        text, _, _seal = base64.b64decode(token, validate=True).decode().rpartition(" ")
        issued_for, snapshot_id, index, expires = text.split()
        moment = datetime.fromtimestamp(int(expires), call.now.tzinfo)
        is_own = _token(issued_for, snapshot, int(index), moment) == token
    except (ValueError, OverflowError):
        raise token_refused(call.operation) from None
    if not is_own or (issued_for, snapshot_id) != (kind, snapshot.snapshot_id) or call.now > moment:
        raise token_refused(call.operation)
    return int(index)
