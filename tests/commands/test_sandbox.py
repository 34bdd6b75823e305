"""``amicopy sandbox``, as a process of its own."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conftest import Run

DEAD_PROXY = "http://127.0.0.1:1"  # nothing listens there


@contextmanager
def served(*options: str) -> Iterator[dict[str, str]]:
    """Yield the variables that a sandbox of its own prints to export."""
    command = [sys.executable, "-m", "amicopy", "sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        exported: dict[str, str] = {}
        for line in process.stdout:
            if line.startswith("#"):
                break
            word, assignment = line.split(maxsplit=1)
            if word == "export":
                name, _, value = shlex.split(assignment)[0].partition("=")
                exported[name] = value
        try:
            yield exported
        finally:
            process.terminate()


def client_of(exported: dict[str, str], region: str = "us-east-1", service: str = "ec2") -> Any:
    return boto3.client(
        service,
        region,
        endpoint_url=exported["AWS_ENDPOINT_URL"],
        aws_access_key_id=exported["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=exported["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


COPY = {"Name": "batch", "SourceImageId": "ami-0a11ce5a3b1e00002", "SourceRegion": "us-east-1"}


@pytest.mark.parametrize(("options", "is_throttled"), [((), False), (("--rates", "ec2"), True)])
def test_only_with_rates_is_a_second_change_of_block_public_access_throttled(
    options: tuple[str, ...], *, is_throttled: bool
) -> None:
    with served(*options) as exported:
        client = client_of(exported)
        client.disable_image_block_public_access()
        if is_throttled:  # EC2 gives a token back every ten seconds
            with pytest.raises(ClientError, match="RequestLimitExceeded"):
                client.disable_image_block_public_access()
        else:
            client.disable_image_block_public_access()


def test_new_copy_is_visible_at_once_and_available_when_asked() -> None:
    with served("--copy-seconds", "0") as exported:
        client = client_of(exported, "eu-west-1")
        image_id = client.copy_image(**COPY)["ImageId"]
        assert client.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "available"
        client.create_tags(Resources=[image_id], Tags=[{"Key": "k", "Value": "v"}])


def test_new_copy_is_invisible_and_pending_as_long_as_asked() -> None:
    with served("--consistency", "3600", "--copy-seconds", "3600") as exported:
        client = client_of(exported, "eu-west-1")
        image_id = client.copy_image(**COPY)["ImageId"]
        with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
            client.describe_images(ImageIds=[image_id])


@pytest.mark.parametrize(
    ("value", "count", "there", "closed"),
    [
        ("eu-west-1,af-south-1", 3, "af-south-1", "us-west-2"),
        ("all", 34, "mx-central-1", "us-gov-west-1"),
    ],
)
def test_regions_that_are_named_exist_and_are_enabled(value: str, count: int, there: str, closed: str) -> None:
    with served("--regions", value) as exported:
        answer = client_of(exported).describe_regions(AllRegions=True)["Regions"]
        assert len(answer) == count
        assert all(row["OptInStatus"] != "not-opted-in" for row in answer)
        assert {"us-east-1", there} <= {row["RegionName"] for row in answer}
        client_of(exported, there).copy_image(**COPY)
        with pytest.raises(ClientError, match="AuthFailure"):
            client_of(exported, closed).describe_images()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--regions", "mars-1"], "unknown region 'mars-1'"),
        (["--regions", ","], "it is empty"),
        (["--fault", "CopyImag=throttle"], "Did you mean CopyImage?"),
        (["--fault", "copy@eu-west-11=fail"], "Did you mean eu-west-1?"),
        (["--regions", "us-east-1", "--fault", "copy@eu-west-1=fail"], "unknown region 'eu-west-1'"),
    ],
)
def test_sandbox_refuses_what_would_have_no_effect(amicopy: Run, options: list[str], words: str) -> None:
    ran = amicopy("sandbox", *options)
    assert ran.code == 2
    assert words in ran.err


def test_environment_goes_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "10.0.0.1")
    with served() as exported:
        assert exported["NO_PROXY"] == "10.0.0.1,127.0.0.1"
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, DEAD_PROXY)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, exported[name])
        assert len(client_of(exported).describe_images(Owners=["self"])["Images"]) == 6


def test_profile_and_token_of_the_shell_are_unset() -> None:
    command = [sys.executable, "-m", "amicopy", "sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "unset AWS_PROFILE AWS_SESSION_TOKEN\n"
        process.terminate()


def test_sandbox_of_a_run_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, DEAD_PROXY)
    command = ["amicopy", "status", "ami-0a11ce5a3b1e00002", "--in", "us-west-2", "--sandbox"]
    ran = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "no copy yet\n")


def test_sample_accounts_are_shown_with_their_units_and_can_be_entered() -> None:
    command = [sys.executable, "-m", "amicopy", "sandbox", "--accounts", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = list(iter(process.stdout.readline, "# In another terminal, with the lines above:\n"))
        suggested = [process.stdout.readline().strip() for _ in range(3)]
        assert suggested[-1] == "#   amicopy copy ami-0a11ce5a3b1e00002 --to us-west-2 --account 111122223333"
        start = lines.index("# Accounts in the organization, each with a role amicopy:\n") + 1
        shown = [line.split()[1:] for line in lines[start : start + 9]]
        assert shown[0] == ["111122223333", "production-1", "in", "ou-exam-a92f4798"]
        assert shown[-2:] == [["and", "13", "more"], ["999900001111", "closed", "in", "ou-exam-8120accc,", "closed"]]
        (endpoint,) = [line.rpartition("=")[2].strip() for line in lines if "AWS_ENDPOINT_URL" in line]
        keys = {"aws_access_key_id": "AKIASBOX123456789012", "aws_secret_access_key": "sandbox"}
        sts = boto3.client("sts", "us-east-1", endpoint_url=endpoint, **keys)
        answer = sts.assume_role(RoleArn="arn:aws:iam::500000000020:role/amicopy", RoleSessionName="test")
        assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::500000000020:assumed-role/amicopy/test"
        sts.close()
        process.terminate()


def test_disk_image_is_an_ami_with_the_content_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "web server.img"
    path.write_bytes(b"boot" + bytes(2**20))
    with served("--image", str(path)) as exported:
        (image,) = client_of(exported).describe_images(Filters=[{"Name": "name", "Values": ["web server"]}])["Images"]
        snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        ebs = client_of(exported, service="ebs")
        (block,) = ebs.list_snapshot_blocks(SnapshotId=snapshot_id)["Blocks"]
        data = ebs.get_snapshot_block(SnapshotId=snapshot_id, **block)["BlockData"].read()
    assert data == b"boot".ljust(2**19, b"\0")


@pytest.mark.parametrize(("name", "why"), [("none.img", "No such file"), ("empty.img", "is empty"), ("", "directory")])
def test_file_that_is_no_disk_image_is_a_usage_error(amicopy: Run, tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "empty.img").touch()
    ran = amicopy("sandbox", "--image", str(tmp_path / name))
    assert ran.code == 2
    assert why in ran.err
