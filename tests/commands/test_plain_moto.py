"""Whole commands against moto as it is, in this process and as a server: what other people's tests use."""

import logging
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.server import ThreadedMotoServer

import amicopy as library
from amicopy.core.clock import SystemClock
from amicopy.core.errors import ExitCode, OperationNotImplemented
from amicopy.execute.report import State
from tests.conftest import Run
from tests.support.clock import FakeClock
from tests.support.scenes import EAST, HOME, SOMEBODY, WEST

TO = f"{WEST},{EAST}"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """moto's server; it logs a traceback for everything that it lacks."""
    log = logging.getLogger("werkzeug")
    log.setLevel(logging.CRITICAL)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()
    log.setLevel(logging.NOTSET)


@pytest.fixture(params=["in process", "server"])
def moto(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """An empty moto, and a session for it; the environment points at it, too."""
    environment = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": HOME}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": HOME}
    if request.param == "in process":
        with mock_aws():
            yield boto3.Session(**keys)
        return
    url = request.getfixturevalue("server")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")):
        yield boto3.Session(**keys)


class Account:
    """The test's own look at moto."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session

    def ec2(self, region: str) -> Any:
        """Return a client of EC2."""
        return self._session.client("ec2", region_name=region)

    def source(self) -> str:
        """Return the id of a new image with a tag, shared with another account."""
        ec2 = self.ec2(HOME)
        image_id: str = ec2.register_image(Name="web-1", Description="A web server")["ImageId"]
        ec2.create_tags(Resources=[image_id], Tags=[{"Key": "Release", "Value": "1"}])
        ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": [{"UserId": SOMEBODY}]})
        ec2.close()
        return image_id

    def images(self, region: str) -> list[dict[str, Any]]:
        """Return the account's images."""
        ec2 = self.ec2(region)
        images: list[dict[str, Any]] = ec2.describe_images(Owners=["self"])["Images"]
        ec2.close()
        return images

    def copy(self, region: str) -> dict[str, Any]:
        """Return the only image."""
        [image] = self.images(region)
        return image

    def tags(self, region: str, resource_id: str) -> dict[str, str]:
        """Return the tags of an image or a snapshot."""
        ec2 = self.ec2(region)
        found = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource_id]}])["Tags"]
        ec2.close()
        return {tag["Key"]: tag["Value"] for tag in found}


@pytest.fixture
def account(moto: boto3.Session) -> Account:
    """The account behind the session."""
    return Account(moto)


@pytest.fixture
def source(account: Account) -> str:
    """An image to copy."""
    return account.source()


@pytest.fixture
def writes(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what was called since the last time and is no read."""
    caplog.set_level(logging.INFO, logger="amicopy.calls")

    def since() -> list[str]:
        calls = [str(record.args[0]) for record in caplog.records if isinstance(record.args, tuple) and record.args]
        caplog.clear()
        return [call for call in calls if not call.startswith(("Describe", "Get", "List"))]

    return since


def test_copy_makes_complete_copies_and_again_writes_nothing(
    amicopy: Run, account: Account, source: str, writes: Callable[[], list[str]]
) -> None:
    first = amicopy("copy", source, "--to", TO)
    assert first.code == 0, first.err
    for region in (WEST, EAST):
        copy = account.copy(region)
        own = {"amicopy:source": f"{HOME}/{source}"}
        assert f"{region} {copy['ImageId']} {source} done\n" in first.out
        assert account.tags(region, copy["ImageId"]) == {"Release": "1", **own}
        assert account.tags(region, copy["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]) == own
    assert "CopyImage" in writes()
    again = amicopy("copy", source, "--to", TO)
    assert (again.code, again.out, writes()) == (0, first.out.replace(" done\n", " unchanged\n"), []), again.err
    for region in (WEST, EAST):
        assert f"note: EC2 in {region} records no sources, so copies are found by amicopy's tag alone" in again.err


def test_status_and_verify_show_the_copies(amicopy: Run, account: Account, source: str) -> None:
    amicopy("copy", source, "--to", TO, "-q")
    copies = {region: account.copy(region)["ImageId"] for region in (WEST, EAST)}
    shown = amicopy("status", source, "--in", TO, "--output", "text")
    assert shown.out == "".join(f"{region} {copy} {source} available\n" for region, copy in copies.items()), shown.err
    everywhere = amicopy("status", source, "--output", "text")
    assert sorted(everywhere.out.splitlines()) == sorted(shown.out.splitlines()), everywhere.err
    verified = amicopy("verify", source, "--in", TO, "--output", "text")
    assert verified.code == 0, verified.out + verified.err
    # An old botocore does not know all that is compared, so its verdict has other words.
    assert [line.split()[:3] for line in verified.out.splitlines()] == [[*pair, source] for pair in copies.items()]


def test_verify_finds_and_repairs_a_difference(amicopy: Run, account: Account, source: str) -> None:
    amicopy("copy", source, "--to", WEST, "-q")
    copy = account.copy(WEST)["ImageId"]
    ec2 = account.ec2(WEST)
    ec2.delete_tags(Resources=[copy], Tags=[{"Key": "Release"}])
    ec2.close()
    assert amicopy("verify", source, "--in", WEST).code == 4
    repaired = amicopy("verify", source, "--in", WEST, "--repair")
    assert repaired.code == 0, repaired.err
    assert account.tags(WEST, copy)["Release"] == "1"


def test_cancel_removes_the_copies_and_their_snapshots(amicopy: Run, account: Account, source: str) -> None:
    amicopy("copy", source, "--to", TO, "-q")
    ran = amicopy("cancel", source, "--in", TO, "--available", "--yes")
    assert ran.code == 0, ran.err
    for region in (WEST, EAST):
        ec2 = account.ec2(region)
        assert (ec2.describe_images(Owners=["self"])["Images"], ec2.describe_snapshots()["Snapshots"]) == ([], [])
        ec2.close()
    assert [image["ImageId"] for image in account.images(HOME)] == [source]


def test_sync_copies_publishes_and_again_writes_nothing(
    amicopy: Run,
    account: Account,
    moto: boto3.Session,
    source: str,
    tmp_path: Path,
    writes: Callable[[], list[str]],
) -> None:
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(f"images:\n  - source: {source}\n    to: {WEST}\n    publish: {{ssm: /golden/web}}\n")
    first = amicopy("sync", str(manifest))
    assert first.code == 0, first.err
    ssm: Any = moto.client("ssm", region_name=WEST)
    assert ssm.get_parameter(Name="/golden/web")["Parameter"]["Value"] == account.copy(WEST)["ImageId"]
    ssm.close()
    assert "CopyImage" in writes()
    again = amicopy("sync", str(manifest))
    unchanged = first.out.splitlines(keepends=True)[0].replace(" done\n", " unchanged\n")
    assert (again.code, again.out, writes()) == (0, unchanged, []), again.err


def test_the_python_api_works_with_the_session_of_the_test(
    moto: boto3.Session, account: Account, source: str, tmp_path: Path, clock: FakeClock
) -> None:
    context = library.Context(session=library.Session(session=moto), clock=clock)
    report = library.copy(source, to=TO, context=context)
    assert report.exit_code() is ExitCode.OK
    again = library.copy(source, to=TO, session=moto)
    assert [outcome.state for outcome in again.outcomes] == [State.UNCHANGED, State.UNCHANGED]
    copies = {region: account.copy(region)["ImageId"] for region in (WEST, EAST)}
    found = library.status(source, regions=TO, session=moto)
    assert {one.copy.region: one.copy.image_id for one in found.copies} == copies
    assert library.verify(source, regions=TO, session=moto).exit_code is ExitCode.OK
    manifest = tmp_path / "amis.yaml"
    manifest.write_text(f"images:\n  - source: {source}\n    to: {TO}\n")
    assert library.sync(manifest, session=moto).exit_code() is ExitCode.OK
    library.cancel(source, regions=TO, available=True, session=moto)
    assert [account.images(region) for region in (WEST, EAST)] == [[], []]


def test_every_region_at_once_in_threads(moto: boto3.Session, account: Account, source: str) -> None:
    clock = FakeClock()
    context = library.Context(session=library.Session(session=moto), clock=clock)
    report = library.copy(source, to="all", context=context)
    assert report.exit_code() is ExitCode.OK
    regions = [outcome.row.region for outcome in report.outcomes]
    assert len(regions) > 15
    assert not [region for region in regions if region.startswith(("cn-", "us-gov-"))]
    assert all(len(account.images(region)) == 1 for region in regions)


def test_a_setting_that_moto_cannot_tell_is_a_note(amicopy: Run, source: str) -> None:
    ran = amicopy("copy", source, "--to", WEST, "--share", "public", "--yes")
    assert ran.code == 0, ran.err
    assert f"note: EC2 in {WEST} cannot answer GetImageBlockPublicAccessState, so it could not be looked at" in ran.err


def test_what_moto_cannot_write_is_an_error_with_its_text(
    amicopy: Run, account: Account, source: str, request: pytest.FixtureRequest
) -> None:
    ran = amicopy("copy", source, "--to", WEST, "--deprecate-after", "30d")
    assert ran.code == 1
    assert f"error: EC2 in {WEST} cannot answer EnableImageDeprecation. [not-implemented]" in ran.err
    in_process = "moto answers in AWS's place and raised: The enable_image_deprecation action has not been implemented"
    server = "An emulator answers in AWS's place. It sent an error page with status 500; its log has the reason."
    assert in_process in ran.err or server in ran.err
    assert "bug" not in ran.err
    assert account.tags(WEST, account.copy(WEST)["ImageId"])["Release"] == "1"  # all else is written


def test_what_is_encrypted_nowhere_is_a_difference(amicopy: Run, source: str) -> None:
    ran = amicopy("copy", source, "--to", WEST, "--encrypt")
    assert ran.code == 1
    assert "[not-faithful]" in ran.err
    assert "encryption of /dev/sda1 off instead of on" in ran.err


def test_what_moto_raises_is_caught_as_one_of_our_errors(moto: boto3.Session) -> None:
    ec2 = library.Context(session=library.Session(session=moto), clock=SystemClock()).clients[HOME]
    with pytest.raises(OperationNotImplemented, match="cannot answer ListImagesInRecycleBin"):
        ec2.images_in_recycle_bin()
    assert isinstance(OperationNotImplemented("x"), library.AmicopyError)
