"""What the sandbox itself says in JSON, held to botocore's models: every member known, every required one there."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.model import Shape

from amicopy.sandbox.faults import parse_fault
from amicopy.sandbox.http.server import Sandbox
from tests.support.clock import FakeClock

REGION, OTHER_ACCOUNT = "us-east-1", "111122223333"


class Services:
    """Clients of one sandbox, which remember the last body that they received."""

    def __init__(self, sandbox: Sandbox, account: str = "123456789012") -> None:
        self.body: Any = None
        self._session = boto3.Session(region_name=REGION, **Sandbox.credentials(account))
        self._endpoint = sandbox.endpoint_url
        self.opened: list[Any] = []

    def client(self, service: str) -> Any:
        client = self._session.client(service, endpoint_url=self._endpoint)
        client.meta.events.register("before-parse", self._remember)
        self.opened.append(client)
        return client

    def _remember(self, response_dict: dict[str, Any], **_: Any) -> None:
        self.body = json.loads(response_dict["body"])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(clock=FakeClock(), samples=False, accounts=2) as running:
        yield running


@pytest.fixture
def services(sandbox: Sandbox) -> Iterator[Services]:
    made = Services(sandbox)
    yield made
    for client in made.opened:
        client.close()


def departures(value: Any, shape: Shape | None, path: str = "") -> list[str]:
    """Return where a document is not what the model says. Null is the same as nothing."""
    if value is None:
        return []
    if shape is None:
        return [] if value == {} else [f"{path} is not empty"]
    if shape.type_name == "structure":
        found = [f"{path}.{name} is unknown" for name in value if name not in shape.members]
        found += [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
        known = (name for name in value if name in shape.members)
        return found + [one for name in known for one in departures(value[name], shape.members[name], f"{path}.{name}")]
    if shape.type_name == "list":
        return [one for element in value for one in departures(element, shape.member, f"{path}[]")]
    types: dict[str, Any] = {"boolean": bool, "timestamp": float, "integer": int, "double": float}
    expected = types.get(shape.type_name, str)
    enum = getattr(shape, "enum", None)
    is_right = isinstance(value, expected) and (not enum or value in enum)
    return [] if is_right else [f"{path} is {value!r}"]


def test_a_departure_is_found() -> None:
    shape = boto3.client("kms", REGION).meta.service_model.operation_model("ListGrants").output_shape
    wrong = {"Grants": [{"Operations": ["Fly"], "CreationDate": "today", "Wings": 2}], "Truncated": 0}
    assert departures(wrong, shape) == [
        ".Grants[].Wings is unknown",
        ".Grants[].Operations[] is 'Fly'",
        ".Grants[].CreationDate is 'today'",
        ".Truncated is 0",
    ]


def test_grants(services: Services) -> None:
    kms = services.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    grantee = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    operations = ["Decrypt", "CreateGrant"]
    kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=operations, Name="n", RetiringPrincipal=grantee)
    bodies = {"CreateGrant": services.body}
    kms.list_grants(KeyId=key)
    bodies["ListGrants"] = services.body
    kms.list_retirable_grants(RetiringPrincipal=grantee)
    bodies["ListRetirableGrants"] = services.body
    kms.revoke_grant(KeyId=key, GrantId=bodies["CreateGrant"]["GrantId"])
    bodies["RevokeGrant"] = services.body
    model = kms.meta.service_model
    for operation, body in bodies.items():
        assert departures(body, model.operation_model(operation).output_shape) == [], operation
    assert bodies["ListGrants"]["Grants"] == bodies["ListRetirableGrants"]["Grants"] != []


_NEW = {".Accounts[].State is unknown"}  # moto sends it, and the lowest supported botocore does not know it


def test_empty_page_of_the_organization(services: Services, sandbox: Sandbox) -> None:
    organizations = services.client("organizations")
    for operation, params in (
        ("ListAccounts", {}),
        ("ListAccountsForParent", {"ParentId": "r-exam"}),
        ("ListChildren", {"ParentId": "r-exam", "ChildType": "ACCOUNT"}),
        ("ListOrganizationalUnitsForParent", {"ParentId": "r-exam"}),
    ):
        sandbox.world.inject(parse_fault(f"{operation}=empty"))
        shape = organizations.meta.service_model.operation_model(operation).output_shape
        answers = [organizations._make_api_call(operation, params)]
        assert set(departures(services.body, shape)) <= _NEW
        answers.append(organizations._make_api_call(operation, params | {"NextToken": answers[0]["NextToken"]}))
        assert set(departures(services.body, shape)) <= _NEW
        assert "NextToken" not in answers[1]


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("organizations", "ListAccounts", {}),
        ("kms", "DescribeKey", {"KeyId": f"arn:aws:kms:{REGION}:123456789012:key/none"}),
        ("kms", "ListGrants", {"KeyId": "none"}),
        ("kms", "RevokeGrant", {"KeyId": "alias/aws/ebs", "GrantId": "none"}),
        ("kms", "CreateGrant", {"KeyId": "alias/aws/ebs", "GranteePrincipal": "me", "Operations": ["Decrypt"]}),
    ],
)
def test_refusals_have_codes_that_their_service_knows(
    sandbox: Sandbox, service: str, operation: str, params: dict[str, Any]
) -> None:
    services = Services(sandbox, OTHER_ACCOUNT)
    client = services.client(service)
    with pytest.raises(ClientError) as caught:
        client._make_api_call(operation, params)
    known = {shape.name for shape in client.meta.service_model.operation_model(operation).error_shapes}
    # KMS's model leaves out what all of AWS may answer.
    assert caught.value.response["Error"]["Code"] in known | {"AccessDeniedException"}
    client.close()
