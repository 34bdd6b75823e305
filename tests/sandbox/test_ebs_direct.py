"""The EBS direct APIs of the sandbox over HTTP: what boto3 reads of a snapshot, and what is refused."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from amicopy.sandbox.behavior import Unconfirmed
from amicopy.sandbox.content import BLOCK_BYTES, DiskImage, MadeUp
from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.records import Volume
from tests.sandbox.over_http import AWAY, HOME, OTHER_ACCOUNT, Aws, asked, code_of

MIB = 2**20


def disk(tmp_path: Path, *parts: tuple[int, bytes], size: int = 64 * MIB) -> Path:
    """Return a sparse file with these bytes at these offsets."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        for offset, data in parts:
            file.seek(offset)
            file.write(data)
        file.truncate(size)
    return path


def snapshot_of(aws: Aws, **volume: Any) -> str:
    (snapshot_id,) = aws.source(volumes=[Volume(**volume)]).snapshot_ids
    return snapshot_id


def listed(ebs: Any, snapshot_id: str, **params: Any) -> dict[int, str]:
    """Return the token of every block, from as many pages as there are."""
    tokens: dict[int, str] = {}
    while True:
        page = ebs.list_snapshot_blocks(SnapshotId=snapshot_id, **params)
        tokens |= {block["BlockIndex"]: block["BlockToken"] for block in page["Blocks"]}
        if "NextToken" not in page:
            return tokens
        params["NextToken"] = page["NextToken"]


def block(ebs: Any, snapshot_id: str, index: int, token: str) -> bytes:
    answer = ebs.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token)
    data: bytes = answer["BlockData"].read()
    assert (answer["DataLength"], answer["ChecksumAlgorithm"]) == (BLOCK_BYTES, "SHA256")
    assert base64.b64decode(answer["Checksum"]) == hashlib.sha256(data).digest()
    return data


def test_disk_image_is_read_block_by_block_without_its_holes_and_zeros(aws: Aws, tmp_path: Path) -> None:
    path = disk(tmp_path, (5, b"boot"), (40 * MIB, bytes(MIB)), (50 * MIB + 3, b"data"), size=64 * MIB + 7)
    ebs, snapshot_id = aws.client("ebs", HOME), snapshot_of(aws, gib=1, content=DiskImage.open(path))
    tokens = listed(ebs, snapshot_id)
    assert list(tokens) == [0, 100]
    assert block(ebs, snapshot_id, 100, tokens[100]) == (b"\0\0\0data").ljust(BLOCK_BYTES, b"\0")
    page = ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
    assert (page["VolumeSize"], page["BlockSize"]) == (1, BLOCK_BYTES)
    assert (page["ExpiryTime"] - aws.clock.now()).days == 7
    (row,) = aws.client(region=HOME).describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert row["FullSnapshotSizeInBytes"] == 2 * BLOCK_BYTES


def test_last_block_of_a_file_is_filled_with_zeros(aws: Aws, tmp_path: Path) -> None:
    ebs = aws.client("ebs", HOME)
    snapshot_id = snapshot_of(aws, content=DiskImage.open(disk(tmp_path, (MIB, b"end"), size=MIB + 3)))
    ((index, token),) = listed(ebs, snapshot_id).items()
    assert (index, block(ebs, snapshot_id, index, token)[:4]) == (2, b"end\0")


def test_pages_have_at_least_100_blocks_and_start_where_asked(aws: Aws) -> None:
    ebs, snapshot_id = aws.client("ebs", HOME), snapshot_of(aws, content=MadeUp("x", 250))
    first = ebs.list_snapshot_blocks(SnapshotId=snapshot_id, MaxResults=100)
    assert [len(first["Blocks"]), first["Blocks"][-1]["BlockIndex"]] == [100, 99]
    assert list(listed(ebs, snapshot_id, MaxResults=100)) == list(range(250))
    assert list(listed(ebs, snapshot_id, StartingBlockIndex=240)) == list(range(240, 250))
    assert "NextToken" not in ebs.list_snapshot_blocks(SnapshotId=snapshot_id)


def test_copy_carries_the_content_also_with_another_key(aws: Aws) -> None:
    source = aws.source(volumes=[Volume(content=MadeUp("x", 3))])
    ec2 = aws.client()
    image_id = ec2.copy_image(**asked(source, Encrypted=True))["ImageId"]
    aws.clock.advance(60)
    (copied,) = aws.world.image(AWAY, image_id).snapshot_ids
    there, here = aws.client("ebs", HOME), aws.client("ebs", AWAY)
    blocks = [
        [block(ebs, snapshot_id, index, token) for index, token in listed(ebs, snapshot_id).items()]
        for ebs, snapshot_id in ((there, source.snapshot_ids[0]), (here, copied))
    ]
    assert blocks[0] == blocks[1]
    assert len(set(blocks[0])) == 3
    (row,) = ec2.describe_snapshots(SnapshotIds=[copied])["Snapshots"]
    assert row["FullSnapshotSizeInBytes"] == 3 * BLOCK_BYTES


def test_faults_make_a_copy_differ(aws: Aws) -> None:
    source = aws.source(volumes=[Volume(content=MadeUp("x", 10))])
    aws.world.inject(parse_fault("copy=differ:2"))
    aws.world.inject(parse_fault("copy=lose:1"))
    aws.client().copy_image(**asked(source))
    aws.clock.advance(60)
    (copied,) = aws.world.snapshots(AWAY)
    original = aws.world.snapshots(HOME)[0].data
    assert len(copied.data.blocks) == 9
    assert sum(copied.data.read(index) != original.read(index) for index in copied.data.blocks) == 2
    assert copied.full_bytes == 9 * BLOCK_BYTES


def test_tokens_expire_and_belong_to_one_block(aws: Aws) -> None:
    ebs, snapshot_id = aws.client("ebs", HOME), snapshot_of(aws, content=MadeUp("x", 150))
    page = ebs.list_snapshot_blocks(SnapshotId=snapshot_id, MaxResults=100)
    token, next_token = page["Blocks"][0]["BlockToken"], page["NextToken"]
    refused = []
    for params in (
        {"BlockIndex": 1, "BlockToken": token},
        {"BlockIndex": 0, "BlockToken": next_token},
        {"BlockIndex": 0, "BlockToken": "AAAA"},
    ):
        with pytest.raises(ClientError) as caught:
            ebs.get_snapshot_block(SnapshotId=snapshot_id, **params)
        refused.append((*code_of(caught), caught.value.response["Reason"]))
    assert set(refused) == {("ValidationException", 400, "INVALID_BLOCK_TOKEN")}
    aws.clock.advance(3601)
    with pytest.raises(ClientError) as caught:
        ebs.list_snapshot_blocks(SnapshotId=snapshot_id, NextToken=next_token)
    assert caught.value.response["Reason"] == "INVALID_PAGE_TOKEN"
    block(ebs, snapshot_id, 0, token)
    aws.clock.advance(7 * 86400)
    with pytest.raises(ClientError) as caught:
        ebs.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=0, BlockToken=token)
    assert caught.value.response["Reason"] == "INVALID_BLOCK_TOKEN"


@pytest.mark.parametrize(
    "members",
    [
        {"state": "pending"},
        {"storage_tier": "archive"},
        {"outpost_arn": "arn:aws:outposts:us-east-1:123456789012:outpost/op-1"},
        {"owner": OTHER_ACCOUNT, "shared_with": {"all"}},
        {"encrypted": True, "kms_key_id": "arn:aws:kms:us-east-1:123456789012:key/gone", "owner": OTHER_ACCOUNT},
    ],
)
def test_what_ebs_direct_does_not_read_is_refused(aws: Aws, members: dict[str, Any]) -> None:
    snapshot_id = snapshot_of(aws)
    for name, value in members.items():
        setattr(aws.world.snapshot(HOME, snapshot_id), name, value)
    with pytest.raises(ClientError) as caught:
        aws.client("ebs", HOME).list_snapshot_blocks(SnapshotId=snapshot_id)
    assert code_of(caught)[0] in {"ValidationException", "ResourceNotFoundException"}


def test_shared_snapshot_is_read_unless_ebs_does_not(aws: Aws) -> None:
    snapshot_id = snapshot_of(aws, content=MadeUp("x", 1), shared_with=frozenset({OTHER_ACCOUNT}))
    ebs = aws.client("ebs", HOME, OTHER_ACCOUNT)
    assert list(listed(ebs, snapshot_id)) == [0]
    aws.world.state.unconfirmed = Unconfirmed(ebs_direct_reads_shared=False)
    with pytest.raises(ClientError):
        listed(ebs, snapshot_id)


def test_disabled_key_is_refused(aws: Aws) -> None:
    kms = aws.client("kms", HOME)
    key = kms.create_key()["KeyMetadata"]
    snapshot_id = snapshot_of(aws, encrypted=True, kms_key_id=key["Arn"], content=MadeUp("x", 1))
    ebs = aws.client("ebs", HOME)
    assert list(listed(ebs, snapshot_id)) == [0]
    kms.disable_key(KeyId=key["KeyId"])
    with pytest.raises(ClientError) as caught:
        listed(ebs, snapshot_id)
    assert caught.value.response["Reason"] == "INVALID_CUSTOMER_KEY"


def test_corrupt_block_has_the_checksum_of_the_original(aws: Aws) -> None:
    ebs, snapshot_id = aws.client("ebs", HOME), snapshot_of(aws, content=MadeUp("x", 1))
    tokens = listed(ebs, snapshot_id)
    aws.world.inject(parse_fault("GetSnapshotBlock=corrupt"))
    answer = ebs.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=0, BlockToken=tokens[0])
    assert base64.b64decode(answer["Checksum"]) != hashlib.sha256(answer["BlockData"].read()).digest()
    block(ebs, snapshot_id, 0, tokens[0])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("GetSnapshotBlock=throttle", ("RequestThrottledException", 400)),
        ("GetSnapshotBlock=error:ThrottlingException: Rate exceeded", ("ThrottlingException", 400)),
        ("GetSnapshotBlock=500", ("InternalServerException", 500)),
        ("GetSnapshotBlock=expired", ("ValidationException", 400)),
        ("GetSnapshotBlock=error:403 AccessDeniedException: no", ("AccessDeniedException", 403)),
    ],
)
def test_faults_are_spelled_as_ebs_spells_them(aws: Aws, fault: str, expected: tuple[str, int]) -> None:
    ebs, snapshot_id = aws.client("ebs", HOME), snapshot_of(aws, content=MadeUp("x", 1))
    tokens = listed(ebs, snapshot_id)
    aws.world.inject(parse_fault(fault))
    with pytest.raises(ClientError) as caught:
        ebs.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=0, BlockToken=tokens[0])
    assert code_of(caught) == expected
    assert aws.world.requests[-1].operation == "GetSnapshotBlock"


@pytest.mark.parametrize("fault", ["CopyImage=corrupt", "DescribeImages=expired", "*=corrupt"])
def test_fault_of_a_block_is_refused_for_other_operations(fault: str) -> None:
    with pytest.raises(ValueError, match="affects a snapshot's blocks"):
        parse_fault(fault)


def test_rates_of_ebs_are_those_of_its_quotas(aws: Aws) -> None:
    ebs, snapshot_id = aws.client("ebs", HOME), snapshot_of(aws, content=MadeUp("x", 1))
    aws.world.rates = "ec2"
    for _ in range(50):
        ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
    with pytest.raises(ClientError) as caught:
        ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
    assert code_of(caught) == ("RequestThrottledException", 400)
    aws.clock.advance(0.1)
    ebs.list_snapshot_blocks(SnapshotId=snapshot_id)


def test_region_that_is_not_enabled_is_refused(aws: Aws) -> None:
    with pytest.raises(ClientError) as caught:
        aws.client("ebs", "af-south-1").list_snapshot_blocks(SnapshotId="snap-00000000")
    assert code_of(caught) == ("AccessDeniedException", 403)


def test_written_blocks_can_be_registered_copied_and_read(aws: Aws) -> None:
    writer = aws.client("ebs", HOME, config=Config(retries={"total_max_attempts": 1}))
    snapshot_id = writer.start_snapshot(VolumeSize=1)["SnapshotId"]
    data = b"x" * BLOCK_BYTES
    checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
    writer.put_snapshot_block(
        SnapshotId=snapshot_id,
        BlockIndex=7,
        BlockData=data,
        DataLength=BLOCK_BYTES,
        Checksum=checksum,
        ChecksumAlgorithm="SHA256",
    )
    writer.complete_snapshot(SnapshotId=snapshot_id, ChangedBlocksCount=1)
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot_id}}
    image_id = aws.client(region=HOME).register_image(Name="web", BlockDeviceMappings=[mapping])["ImageId"]
    aws.client().copy_image(**asked(aws.world.image(HOME, image_id)))
    aws.clock.advance(60)
    (copied,) = aws.world.snapshots(AWAY)
    reader = aws.client("ebs", AWAY)
    tokens = listed(reader, copied.snapshot_id)
    assert {index: block(reader, copied.snapshot_id, index, token) for index, token in tokens.items()} == {7: data}
