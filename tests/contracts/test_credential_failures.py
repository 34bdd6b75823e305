"""A source of credentials that fails: the error names it. Each command is a process of its own, as for a user."""

import http.server
import os
import pty
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "amicopy"]
COPY = [*COMMAND, "copy", "ami-0123456789abcdef0", "--to", "us-west-2"]
ROLE = "arn:aws:iam::111122223333:role/copier"
PROFILES = f"""
[profile home]
aws_access_key_id = AKIAHOME
aws_secret_access_key = s
[profile no-json]
credential_process = echo please log in first
[profile no-process]
credential_process = /no/such/program
[profile old]
credential_process = cat expired.json
[profile role]
source_profile = home
role_arn = {ROLE}
[profile mfa]
source_profile = home
role_arn = {ROLE}
mfa_serial = arn:aws:iam::111122223333:mfa/me
[profile sso]
sso_start_url = https://us.example/start
sso_region = eu-west-1
sso_account_id = 111122223333
sso_role_name = copier
"""
EXPIRED = (
    '{"Version": 1, "AccessKeyId": "AKIAOLD", "SecretAccessKey": "s", "SessionToken": "t", '
    '"Expiration": "2020-01-01T00:00:00Z"}'
)
WRONG_CODE = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>AccessDenied</Code><Message>MultiFactorAuthentication failed with invalid MFA one time pass code.</Message>"
    "</Error><RequestId>r</RequestId></ErrorResponse>"
)


class Silent(http.server.BaseHTTPRequestHandler):
    """An instance metadata service that knows no role, and an STS that refuses every code."""

    asked: Counter[str]

    def do_PUT(self) -> None:
        self.asked["PUT"] += 1
        self._answer(404, "")

    def do_GET(self) -> None:
        self.asked["GET"] += 1
        self._answer(404, "")

    def do_POST(self) -> None:
        self._answer(403, WRONG_CODE)

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """Say nothing."""


@pytest.fixture
def silent() -> Iterator[tuple[str, Counter[str]]]:
    """The address of both, and how often instance metadata was asked for."""

    class Handler(Silent):
        asked: Counter[str] = Counter()  # noqa: RUF012 - this test's own class

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", Handler.asked
        server.shutdown()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with all these profiles."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(PROFILES)
    (tmp_path / "expired.json").write_text(EXPIRED)
    return tmp_path


def environment(home: Path, **more: str) -> Mapping[str, str]:
    closed = "http://127.0.0.1:9"
    return {
        **os.environ,
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": closed,
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **more,
    }


def ran(home: Path, command: list[str], **more: str) -> tuple[int, str]:
    result = subprocess.run(
        command,
        env=environment(home, **more),
        cwd=home,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # no terminal to ask on
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stderr


@pytest.mark.parametrize(
    ("profile", "code", "source", "why"),
    [
        ("no-json", 6, "the credential_process of profile no-json", "Its output is not JSON"),
        ("no-process", 6, "the credential_process of profile no-process", "/no/such/program"),
        ("old", 6, "the credential_process of profile old", "still expired"),
        ("role", 1, f"role {ROLE} of profile role", "Could not connect"),
        ("mfa", 6, f"role {ROLE} of profile mfa", "there is no terminal"),
        ("sso", 6, "IAM Identity Center (SSO) of profile sso", "Token"),
    ],
)
def test_the_error_names_the_source_that_failed(home: Path, profile: str, code: int, source: str, why: str) -> None:
    ended, said = ran(home, [*COPY, "--profile", profile])
    assert f"error: No credentials could be obtained from {source}." in said
    assert why in said
    assert ended == code
    assert "Traceback" not in said


def test_a_container_endpoint_that_botocore_does_not_trust_is_named(home: Path) -> None:
    variable = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    ended, said = ran(home, COPY, **{variable: "http://example.com/credentials"})
    assert f"the container's endpoint in {variable}" in said
    assert ended == 6


def test_without_credentials_the_instance_metadata_service_is_asked_once(
    home: Path, silent: tuple[str, Counter[str]]
) -> None:
    address, asked = silent
    given = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": address}
    ended, said = ran(home, [*COPY, "--to", "eu-west-1,eu-west-2,eu-west-3,eu-north-1"], **given)
    assert "There are no usable AWS credentials." in said
    assert ended == 6
    assert asked["PUT"] <= 1
    assert asked["GET"] <= 1


def on_a_terminal(home: Path, typed: bytes, **more: str) -> tuple[int, str, bool]:
    """Run a copy with MFA on a terminal, type when asked for the code; return code, text, and whether echo is on."""
    master, slave = pty.openpty()
    pid = os.fork()
    if not pid:
        os.setsid()
        os.close(os.open(os.ttyname(slave), os.O_RDWR))  # makes it the controlling terminal
        for number in (0, 1, 2):
            os.dup2(slave, number)
        os.chdir(home)
        os.execve(COPY[0], [*COPY, "--profile", "mfa"], dict(environment(home, **more)))
    said = b""
    while b"Enter MFA code" not in said:
        said += os.read(master, 4096)
    while termios.tcgetattr(slave)[3] & termios.ECHO:
        time.sleep(0.01)
    os.write(master, typed)
    _, status = os.waitpid(pid, 0)
    echo = bool(termios.tcgetattr(slave)[3] & termios.ECHO)
    os.set_blocking(master, False)
    try:
        while some := os.read(master, 4096):
            said += some
    except OSError:
        pass
    os.close(slave)
    os.close(master)
    return os.waitstatus_to_exitcode(status), " ".join(said.decode().split()), echo


def test_ctrl_c_at_the_question_for_an_mfa_code_ends_the_command_and_leaves_the_echo_on(home: Path) -> None:
    code, said, echo = on_a_terminal(home, b"\x03")
    assert "Interrupted; nothing was started." in said
    assert (code, echo) == (130, True)


def test_a_wrong_mfa_code_is_said_to_be_one(home: Path, silent: tuple[str, Counter[str]]) -> None:
    address, _ = silent
    code, said, echo = on_a_terminal(home, b"123456\n", AWS_ENDPOINT_URL=address)
    assert f"No credentials could be obtained from role {ROLE} of profile mfa. [credentials-rejected]" in said
    assert "invalid MFA one time pass code" in said
    assert (code, echo) == (6, True)
