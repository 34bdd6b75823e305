"""Sessions: a caller's boto3 or botocore session, boto3's default one, amicopy's own, and botocore without tricks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.hooks import EventAliaser
from botocore.utils import EVENT_ALIASES
from moto import mock_aws

import amicopy
from amicopy.aws.session import Session, session_for
from amicopy.aws.startup.handlers import SERVICES, LeanSession
from amicopy.aws.startup.sessions import botocore_session
from amicopy.core.errors import UsageError
from amicopy.jobs.context import Context
from amicopy.sandbox.world import World
from tests.conftest import Run
from tests.support.scenes import a_source

KEYS = {"aws_access_key_id": "AKIATHECALLER", "aws_secret_access_key": "secret", "aws_session_token": "a-token"}


@pytest.fixture
def no_default_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 as in a program that has not set up a default session."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def sent_headers(session: Any) -> dict[str, str]:
    """Return the headers of a request that amicopy sends with a session; a handler of that session answers it."""
    sent: dict[str, str] = {}

    def answer(request: Any, **_: Any) -> AWSResponse:
        for name, value in request.headers.items():
            sent[name] = value.decode() if isinstance(value, bytes) else value

        class Raw:
            def stream(self, **_: Any) -> Iterator[bytes]:
                yield b"<DescribeRegionsResponse/>"

        return AWSResponse(request.url, 200, {}, Raw())

    events = session.events if isinstance(session, boto3.Session) else session
    events.register("before-send.ec2", answer)
    Context(session=Session(session=session)).clients["eu-west-1"].describe_regions()
    return sent


def boto3_session() -> Any:
    """A program's boto3 session with temporary credentials."""
    return boto3.Session(**KEYS, region_name="eu-west-1")


def a_botocore_session() -> Any:
    """The same as a botocore session."""
    session = botocore.session.Session()
    session.set_credentials(*KEYS.values())
    return session


@pytest.mark.parametrize("make", [boto3_session, a_botocore_session])
def test_a_callers_session_signs_with_its_temporary_credentials_and_keeps_its_event_handlers(make: Any) -> None:
    headers = sent_headers(make())
    assert "Credential=AKIATHECALLER/" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "a-token"


def test_a_callers_session_brings_its_region() -> None:
    assert Session(session=boto3_session()).region == "eu-west-1"
    assert Session(session=boto3_session(), region="eu-west-3").region == "eu-west-3"


def test_without_a_session_the_programs_default_session_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(region_name="ap-south-1"))
    assert session_for(None, None, None).region == "ap-south-1"


@pytest.mark.usefixtures("no_default_session")
def test_without_a_default_session_the_configuration_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    assert session_for(None, None, None).region == "sa-east-1"
    assert session_for(None, None, "eu-north-1").region == "eu-north-1"


def test_aws_region_counts_as_in_the_aws_cli(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_REGION", "ca-central-1")
    assert Session().region == "ca-central-1"
    assert Session(region="eu-north-1").region == "eu-north-1"
    monkeypatch.setenv("AWS_REGION", "")
    assert Session().region == "sa-east-1"


@pytest.mark.parametrize("arguments", [{"session": object()}, {"session": "default"}])
def test_what_is_not_a_session_is_refused(arguments: Any) -> None:
    with pytest.raises(TypeError, match=r"boto3\.Session or a botocore session"):
        Session(**arguments)


def test_a_session_and_a_profile_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="session cannot be used together with a profile"):
        Session(session=boto3_session(), profile="production")


@pytest.mark.parametrize("extra", [{"profile": "production"}, {"region": "eu-west-1"}, {"session": boto3_session()}])
def test_a_context_excludes_what_it_already_has(extra: Any) -> None:
    with pytest.raises(UsageError, match="context cannot be used together"):
        amicopy.status("ami-0abcdef1234567890", context=Context(session=Session()), **extra)


@mock_aws
def test_a_boto3_session_under_moto_reaches_moto() -> None:
    session = boto3_session()
    made = session.client("ec2").register_image(Name="web", RootDeviceName="/dev/sda1")["ImageId"]
    found = Context(session=Session(session=session)).clients["eu-west-1"].describe_images([made])
    assert [image.name for image in found.values()] == ["web"]


def test_the_command_line_loads_no_boto3(amicopy: Run, world: World) -> None:
    source = a_source(world)
    program = (
        "import sys; from amicopy.cli.environment import Environment; from amicopy.cli.main import main;"
        f"code = main(['copy', {source.image_id!r}, '--to', 'eu-west-1', '--no-wait', '-q'], Environment.real());"
        "print(code, 'botocore' in sys.modules, 'boto3' in sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert ran.stderr.splitlines()[-1] == "0 True False"


def test_a_client_of_a_service_without_its_handlers_is_an_error() -> None:
    with pytest.raises(LookupError, match="add it to SERVICES"):
        Session(region="eu-west-1").client("rds", "eu-west-1")


def emitted(session: Any, registered: str, event: str) -> int:
    """Return how often a handler registered under one name is called for an event of another."""
    calls: list[str] = []
    session.register(f"probe.{registered}", lambda **_: calls.append(registered))
    session.get_component("event_emitter").emit(f"probe.{event}.Operation")
    return len(calls)


@pytest.mark.parametrize("service", sorted({*SERVICES, "events", "logs"}))
def test_handlers_registered_under_an_old_name_are_called_as_by_botocore(service: str) -> None:
    current = EVENT_ALIASES.get(service, service)
    names = [current, *(old for old, new in EVENT_ALIASES.items() if new == current)]
    for registered in names:
        for event in names:
            lean = LeanSession(services={*SERVICES, service})
            assert emitted(lean, registered, event) == emitted(botocore.session.Session(), registered, event) == 1


def test_a_client_of_another_service_that_botocore_creates_itself_gets_all_handlers() -> None:
    session = LeanSession()
    lean = session.get_component("event_emitter")
    session.create_client("sqs", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    assert session.get_component("event_emitter") is not lean
    assert isinstance(session.get_component("event_emitter"), EventAliaser)


@pytest.mark.parametrize(("value", "is_stock"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_a_variable_switches_the_fast_start_off(monkeypatch: pytest.MonkeyPatch, value: str, is_stock: bool) -> None:
    monkeypatch.setenv("AMICOPY_STOCK_BOTOCORE", value)
    assert (type(botocore_session(None)) is botocore.session.Session) is is_stock


@pytest.mark.parametrize(("variable", "value"), [("AWS_MAX_ATTEMPTS", "banana"), ("AWS_MAX_ATTEMPTS", "0")])
def test_a_setting_that_is_not_a_number_is_named(
    amicopy: Run, world: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    source = a_source(world)
    monkeypatch.setenv(variable, value)
    ran = amicopy("status", source.image_id)
    assert ran.code == 2
    assert f"{variable} is {value!r}" in ran.err
    assert "whole number" in ran.err
