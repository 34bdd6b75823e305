"""``amicopy sandbox``, as a process of its own."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError


@contextmanager
def served(*options: str) -> Iterator[dict[str, str]]:
    """Yield the variables that a sandbox of its own prints to export."""
    command = [sys.executable, "-m", "amicopy", "sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        exported = {}
        for line in process.stdout:
            if line.startswith("#"):
                break
            name, _, value = shlex.split(line)[1].partition("=")
            exported[name] = value
        try:
            yield exported
        finally:
            process.terminate()


@pytest.mark.parametrize(("options", "is_throttled"), [((), False), (("--rates", "ec2"), True)])
def test_only_with_rates_is_a_second_change_of_block_public_access_throttled(
    options: tuple[str, ...], *, is_throttled: bool
) -> None:
    with served(*options) as exported:
        client = boto3.client(
            "ec2",
            "us-east-1",
            endpoint_url=exported["AWS_ENDPOINT_URL"],
            aws_access_key_id=exported["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=exported["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.disable_image_block_public_access()
        if is_throttled:  # EC2 gives a token back every ten seconds
            with pytest.raises(ClientError, match="RequestLimitExceeded"):
                client.disable_image_block_public_access()
        else:
            client.disable_image_block_public_access()
