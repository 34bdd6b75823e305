"""Credentials of every kind reach EC2 through a session of ours; each in a process of its own, as for a user."""

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import botocore.credentials
import botocore.session
import botocore.tokens
import pytest
from botocore.utils import EVENT_ALIASES

from amicopy.aws.session import Session
from amicopy.aws.startup.handlers import SERVICES, LeanSession

LATER = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
ROLE = "arn:aws:iam::111122223333:role/copier"
CALL = "from amicopy.aws.session import Session; Session().client('ec2', 'eu-west-1').describe_regions()"


def as_xml(operation: str, key: str) -> str:
    """Return what STS says, whichever way a role was assumed."""
    return (
        f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{LATER}</Expiration></Credentials></{operation}Result></{operation}Response>"
    )


def as_json(key: str, token: str) -> str:
    """Return what containers and instances are told."""
    told = {"AccessKeyId": key, "SecretAccessKey": "s", token: "t", "Expiration": LATER, "Code": "Success"}
    return json.dumps(told)


class Amazon(http.server.BaseHTTPRequestHandler):
    """Everybody who hands out credentials, and EC2, which notes whose it is shown."""

    shown: list[str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        ends = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
        role = {"accessKeyId": "ASIASSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": ends}
        self._say(
            {
                "/federation/credentials": json.dumps({"roleCredentials": role}),
                "/container": as_json("ASIACONTAINER", "Token"),
                "/latest/meta-data/iam/security-credentials/": "copier",
                "/latest/meta-data/iam/security-credentials/copier": as_json("ASIAINSTANCE", "Token"),
            }[path]
        )

    def do_PUT(self) -> None:
        self._say("a token of the instance's")

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        operation = asked["Action"][0]
        match operation:
            case "AssumeRole":
                self._say(as_xml(operation, "ASIAROLE"))
            case "AssumeRoleWithWebIdentity":
                self._say(as_xml(operation, "ASIAWEB"))
            case _:
                self.shown.append(self.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
                self._say("<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>")

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """Say nothing."""


@pytest.fixture
def amazon() -> Iterator[Any]:
    """Its address, and the access keys that EC2 was shown."""

    class Handler(Amazon):
        shown: list[str] = []  # noqa: RUF012 - this test's own class

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", Handler.shown
        server.shutdown()


KEYS = "aws_access_key_id = AKIAHOME\naws_secret_access_key = s\n"
ACCOUNT = "sso_account_id = 111122223333\nsso_role_name = copier\n"
START = "sso_start_url = https://us.example/start\nsso_region = eu-west-1\n"
SSO, SSO_SESSION = f"sso_session = us\n{ACCOUNT}", f"[sso-session us]\n{START}"
PROCESS = "credential_process = sh -c 'cat $HOME/process.json'\n"
KINDS: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "variables": ("", {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}, "AKIAENV"),
    "profile": (f"[profile mine]\n{KEYS}", {"AWS_PROFILE": "mine"}, "AKIAHOME"),
    "role": (f"[profile home]\n{KEYS}[profile mine]\nsource_profile = home\nrole_arn = {ROLE}\n", {}, "ASIAROLE"),
    "web identity": ("", {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", "AWS_ROLE_ARN": ROLE}, "ASIAWEB"),
    "sso": (f"[profile mine]\n{SSO}{SSO_SESSION}", {}, "ASIASSO"),
    "sso of old": (f"[profile mine]\n{START}{ACCOUNT}", {}, "ASIASSO"),
    "role by sso": (
        f"[profile home]\n{SSO}{SSO_SESSION}[profile mine]\nsource_profile = home\nrole_arn = {ROLE}\n",
        {},
        "ASIAROLE",
    ),
    "process": (f"[profile mine]\n{PROCESS}", {}, "AKIAPROCESS"),
    "container": ("", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{amazon}/container"}, "ASIACONTAINER"),
    "instance": ("", {"AWS_EC2_METADATA_DISABLED": "false"}, "ASIAINSTANCE"),
    "role by instance": (
        f"[profile mine]\ncredential_source = Ec2InstanceMetadata\nrole_arn = {ROLE}\n",
        {"AWS_EC2_METADATA_DISABLED": "false"},
        "ASIAROLE",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_reach_ec2(kind: str, amazon: Any, tmp_path: Path) -> None:
    address, shown = amazon
    configuration, variables, expected = KINDS[kind]
    aws = tmp_path / ".aws"
    (aws / "sso" / "cache").mkdir(parents=True)
    (aws / "config").write_text(configuration)
    (tmp_path / "token").write_text("a token of the cluster's")
    process = {"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s"}
    (tmp_path / "process.json").write_text(json.dumps(process))
    token = json.dumps({"accessToken": "t", "expiresAt": LATER, "startUrl": "https://us.example/start"})
    for name in ("us", "https://us.example/start"):
        digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        (aws / "sso" / "cache" / f"{digest}.json").write_text(token)
    profile = {"AWS_PROFILE": "mine"} if "[profile mine]" in configuration else {}
    given = {name: text.format(home=tmp_path, amazon=address) for name, text in variables.items()}
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": address,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": address,
        "AWS_REGION": "eu-west-1",
        **profile,
        **given,
    }
    for _ in ("the cache is made", "the cache is read"):
        subprocess.run([sys.executable, "-c", CALL], env=environment, check=True)
    assert shown == [expected, expected]


@pytest.mark.parametrize("service", sorted(SERVICES))
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "mars-north-1"])
def test_every_service_in_use_is_asked_where_botocore_asks_it(service: str, region: str) -> None:
    stock = botocore.session.Session()
    stock.set_credentials("AKIDEXAMPLE", "secret")
    if service not in stock.get_available_services():
        pytest.skip(f"this botocore has no {service}")
    ours = Session(credentials=("AKIDEXAMPLE", "secret")).client(service, region)
    theirs = stock.create_client(service, region_name=region)
    assert ours.meta.endpoint_url == theirs.meta.endpoint_url
    assert ours._request_signer.signing_name == theirs._request_signer.signing_name
    assert ours._request_signer.region_name == theirs._request_signer.region_name
    assert ours.meta.config.signature_version == theirs.meta.config.signature_version


def test_what_botocore_gets_credentials_from_is_among_the_services_in_use() -> None:
    sources = [Path(module.__file__).read_text() for module in (botocore.credentials, botocore.tokens)]
    names = [re.findall(r"""(?:create_client|client_creator)\(\s*['"]([\w-]+)""", text) for text in sources]
    assert {"sts", "sso"} <= {name for some in names for name in some} <= SERVICES


def handlers(session: botocore.session.Session, event: str) -> list[Any]:
    """Return what a session's clients do at an event, in order."""
    emitter = session.get_component("event_emitter")
    return list(getattr(emitter, "_emitter", emitter)._handlers.prefix_search(event))


@pytest.mark.parametrize("service", sorted(SERVICES))
@pytest.mark.parametrize(
    "phase", ["creating-client-class", "before-parameter-build", "before-call", "choose-signer", "before-parse"]
)
def test_only_handlers_of_other_services_are_left_out(service: str, phase: str) -> None:
    stock, lean = botocore.session.Session(), LeanSession()
    event = f"{phase}.{EVENT_ALIASES.get(service, service)}.AssumeRoleWithWebIdentity"
    assert stock.get_component("event_emitter")._alias_event_name(event) == event
    assert handlers(lean, event) == handlers(stock, event)
    assert not handlers(lean, "before-sign.s3")
    assert handlers(stock, "before-sign.s3")


def test_threads_that_ask_at_once_get_one_client() -> None:
    session = Session(credentials=("AKIDEXAMPLE", "secret"))
    with ThreadPoolExecutor(8) as threads:
        clients = list(threads.map(lambda _: session.client("kms", "eu-west-1"), range(8)))
    assert len({id(client) for client in clients}) == 1
