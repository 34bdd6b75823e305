"""The cut model of EC2 sends byte for byte what the whole one sends, and reads the same out of an answer."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import OperationModel, Shape

from amicopy.aws.session import Session
from tests.support.installed import INSTALLED_OPERATIONS

KEYS = ("AKIDEXAMPLE", "secret")
UNKNOWN_REGION = "mars-north-1"
MOMENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EMPTY = b"<Response><requestId>r</requestId></Response>"

# What tells two requests of the same content apart: when, which attempt, and the signature over all of it.
MOMENTARY = {"X-Amz-Date", "amz-sdk-invocation-id"}


class Wire:
    """Takes a client's requests from it and answers in EC2's place."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.sent: list[AWSPreparedRequest] = []
        self.status, self.answer = 200, EMPTY
        client.meta.events.register("before-send.ec2", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.sent.append(request)
        raw = io.BytesIO(self.answer)
        raw.stream = lambda *_, **__: iter([self.answer])  # type: ignore[attr-defined]
        return AWSResponse(request.url, self.status, {"Content-Type": "text/xml"}, raw)

    def call(self, operation: str, **parameters: Any) -> Any:
        """Return what the client makes of the answer."""
        return self.client._make_api_call(operation, parameters)

    def bytes_sent(self) -> tuple[str, str, dict[str, str], bytes]:
        """Return the last request: method, URL, headers and body."""
        request = self.sent[-1]
        headers = {name: str(_text(value)) for name, value in request.headers.items() if name not in MOMENTARY}
        headers["Authorization"] = re.sub(r"/\d{8}/|Signature=\w+", "", headers["Authorization"])
        return request.method, request.url, headers, request.body


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


@pytest.fixture(scope="module")
def stock() -> botocore.session.Session:
    """A session of botocore's, with the whole model."""
    session = botocore.session.Session()
    session.set_credentials(*KEYS)
    return session


def regions() -> list[str]:
    """Return the first region of every partition that botocore knows, and one that it does not."""
    partitions = botocore.session.Session().get_data("partitions")["partitions"]
    real = [[name for name in partition["regions"] if not name.endswith("-global")] for partition in partitions]
    return [*(names[0] for names in real), UNKNOWN_REGION]


Pair = tuple[Wire, Wire]


@pytest.fixture(params=regions())
def pair(request: pytest.FixtureRequest, stock: botocore.session.Session) -> Pair:
    """The same region's client with the cut and with the whole model, set up alike."""
    ours = Session(credentials=KEYS)
    whole = stock.create_client("ec2", region_name=request.param, config=ours._config)
    return Wire(ours.client("ec2", request.param)), Wire(whole)


@pytest.fixture
def home(stock: botocore.session.Session) -> Pair:
    """The same, in one region."""
    ours = Session(credentials=KEYS)
    return Wire(ours.client("ec2", "us-east-1")), Wire(stock.create_client("ec2", region_name="us-east-1"))


def value(shape: Shape, name: str = "", depth: int = 0) -> Any:
    """Return a value for a shape: every member, two of each list, letters that have to be escaped."""
    match shape.type_name:
        case "structure":
            return {key: value(member, key, depth + 1) for key, member in shape.members.items()}
        case "list":
            return [value(shape.member, f"{name}-{number}", depth + 1) for number in (1, 2)]
        case "string":
            return shape.enum[-1] if shape.enum else f"{name} é&<>=+ 雪"
        case "integer" | "long":
            return 60 + depth
        case "boolean":
            return True
        case "timestamp":
            return MOMENT
    raise AssertionError(f"{shape.type_name}: give it a value here")


def model(wire: Wire, operation: str) -> OperationModel:
    """Return a client's model of an operation."""
    return wire.client.meta.service_model.operation_model(operation)


# Of their large shapes the cut model has only what amicopy sends and reads: that much has to be the same.
PARTLY = {
    *("DescribeFastLaunchImages", "DisableFastLaunch", "EnableFastLaunch"),
    *("CreateLaunchTemplateVersion", "DescribeLaunchTemplateVersions", "ModifyLaunchTemplate"),
    *("DescribeInstanceStatus", "DescribeInstances", "DescribeSubnets", "RunInstances", "TerminateInstances"),
}


def full_model(pair: Pair, operation: str) -> OperationModel:
    """Return the model of an operation that has everything which both clients have to know."""
    small, whole = pair
    return model(small if operation in PARTLY else whole, operation)


def required(shape: Shape) -> dict[str, Any]:
    """Return values for the required members only."""
    return {key: value(shape.members[key], key) for key in shape.required_members}


def parameters(pair: Pair, operation: str) -> Iterator[dict[str, Any]]:
    """Yield as little as can be sent, each member added alone, and all that can be sent."""
    shape = full_model(pair, operation).input_shape
    least = required(shape)
    yield least
    for key, member in shape.members.items():
        yield {**least, key: value(member, key)}
    yield value(shape)


@pytest.mark.parametrize("operation", INSTALLED_OPERATIONS)
def test_the_same_bytes_are_sent_in_every_partition(
    operation: str, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, whole = pair
    monkeypatch.setattr("botocore.handlers.uuid.uuid4", lambda: "the-same-token")
    for given in parameters(pair, operation):
        for wire in pair:
            wire.call(operation, **given)
        assert small.bytes_sent() == whole.bytes_sent()


def test_all_that_can_be_sent_is_in_the_bytes(home: Pair) -> None:
    small, whole = home
    members = model(whole, "CopyImage").input_shape.members
    small.call("CopyImage", **value(model(whole, "CopyImage").input_shape))
    sent = parse_qs(small.sent[-1].body)
    assert {name.partition(".")[0].removesuffix("s") for name in sent} == {
        "Action",
        "Version",
        *(name.removesuffix("s") for name in members),
    }
    assert sent["Name"] == ["Name é&<>=+ 雪"]


@pytest.mark.parametrize("operation", INSTALLED_OPERATIONS)
def test_the_same_is_read_out_of_an_answer(operation: str, home: Pair) -> None:
    shape = full_model(home, operation).output_shape
    told = answer(shape) if shape else EMPTY.decode()
    read = []
    for wire in home:
        wire.answer = told.encode()
        read.append(wire.call(operation, **required(full_model(home, operation).input_shape)))
    assert read[0] == read[1]
    assert json.dumps(read[0], default=str) == json.dumps(read[1], default=str)  # in the same order
    assert set(read[0]) - {"ResponseMetadata"} == set(shape.members if shape else ())


def answer(shape: Shape, tag: str = "Response") -> str:
    """Return what EC2 would say, with every member that it can have."""
    match shape.type_name:
        case "structure":
            inside = "".join(
                answer(member, member.serialization.get("name", key)) for key, member in shape.members.items()
            )
        case "list":
            inside = "".join(answer(shape.member, shape.member.serialization.get("name", "item")) for _ in range(2))
        case "timestamp":
            inside = "2026-11-23T09:00:00.000Z"
        case "boolean":
            inside = "true"
        case _:
            inside = escape(str(value(shape, tag)))
    return f"<{tag}>{inside}</{tag}>"


def test_the_same_error_is_read_out_of_a_refusal(home: Pair) -> None:
    raised = []
    for wire in home:
        wire.status = 400
        wire.answer = (
            b"<Response><Errors><Error><Code>InvalidAMIID.NotFound</Code><Message>The image id is unknown</Message>"
            b"</Error></Errors><RequestID>r</RequestID></Response>"
        )
        with pytest.raises(ClientError) as error:
            wire.call("DescribeImages", ImageIds=["ami-1"])
        raised.append((str(error.value), error.value.response, type(error.value).__name__))
    assert raised[0] == raised[1]
    assert raised[0][1]["Error"]["Code"] == "InvalidAMIID.NotFound"


@pytest.mark.parametrize("wrong", [{}, {"Name": "ab"}, {"Name": 3}, {"Names": "web"}, {"Encrypted": "no"}])
def test_the_same_parameters_are_refused_before_they_are_sent(wrong: Mapping[str, Any], home: Pair) -> None:
    raised = []
    for wire in home:
        with pytest.raises(ParamValidationError) as error:
            wire.call("CopyImage", **wrong)
        raised.append(str(error.value))
    assert raised[0] == raised[1]


def test_fips_and_dual_stack_endpoints_are_the_same(stock: botocore.session.Session) -> None:
    for choice in ({"use_fips_endpoint": True}, {"use_dualstack_endpoint": True}):
        ours = Session(credentials=KEYS)
        ours._config = ours._config.merge(Config(**choice))
        small = ours.client("ec2", "us-east-1")
        whole = stock.create_client("ec2", region_name="us-east-1", config=ours._config)
        assert small.meta.endpoint_url == whole.meta.endpoint_url != "https://ec2.us-east-1.amazonaws.com"
