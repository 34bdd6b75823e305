"""One TLS context for all clients of a session: the CA bundle is read once, and trust is what it was."""

import http.server
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509  # moto needs it too
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from amicopy.aws.client import CallCounter
from amicopy.aws.ec2_reads import Ec2Reads
from amicopy.aws.session import Session
from amicopy.aws.startup.tls import SharedTlsContext
from amicopy.core.errors import Unreachable

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
ANSWER = (
    b'<GetEbsEncryptionByDefaultResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
    b"<ebsEncryptionByDefault>true</ebsEncryptionByDefault></GetEbsEncryptionByDefaultResponse>"
)


def issued(directory: Path, host: str) -> Path:
    """Write a certificate for a host, signed by itself, and its key into one file; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{host}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every call."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Shows a certificate; a client that does not like it hangs up, which is normal."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that serves with a certificate and points sessions at it, as the host ``localhost``."""
    servers = []

    def start(certificate: Path) -> None:
        server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{server.server_port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def readers(session: Session | None = None) -> list[Ec2Reads]:
    """Return a reader per region, of one session."""
    session = session or Session(credentials=("AKIDEXAMPLE", "secret"))
    return [Ec2Reads(session, region, CallCounter()) for region in REGIONS]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The CA bundles that were read, in the order in which they were."""
    loaded: list[Any] = []
    load = ssl.SSLContext.load_verify_locations

    def load_and_tell(context: ssl.SSLContext, *arguments: Any) -> None:
        loaded.append(arguments[0])
        load(context, *arguments)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load_and_tell)
    return loaded


def test_the_ca_bundle_is_read_once_for_all_regions(
    tmp_path: Path, serve: Any, loads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = issued(tmp_path, "localhost")
    serve(certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    assert [reader.encryption_by_default() for reader in readers()] == [True, True, True]
    assert loads == [str(certificate)]


def test_the_bundle_of_the_profile_is_used(tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issued(tmp_path, "localhost")
    serve(certificate)
    (tmp_path / "config").write_text(f"[profile mine]\nca_bundle = {certificate}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    mine = Session(profile="mine", credentials=("AKIDEXAMPLE", "secret"))
    assert [reader.encryption_by_default() for reader in readers(mine)] == [True, True, True]
    for reader in readers():  # of a session that trusts the public authorities only
        with pytest.raises(Unreachable):
            reader.encryption_by_default()


def test_a_certificate_of_nobody_known_is_refused_in_every_region(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(issued(tmp_path, "localhost"))
    (tmp_path / "others").mkdir()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(issued(tmp_path / "others", "localhost")))
    for reader in readers():
        with pytest.raises(Unreachable):
            reader.encryption_by_default()


def test_a_certificate_of_another_host_is_refused_in_every_region(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = issued(tmp_path, "elsewhere.example")
    serve(certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    for reader in readers():
        with pytest.raises(Unreachable):
            reader.encryption_by_default()


def test_a_bundle_that_cannot_be_read_fails_every_region_and_is_tried_again(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = issued(tmp_path, "localhost")
    serve(certificate)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("nothing")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    regions = readers()
    for reader in regions:
        with pytest.raises(Unreachable):
            reader.encryption_by_default()
    bundle.write_bytes(certificate.read_bytes())
    assert [reader.encryption_by_default() for reader in regions] == [True, True, True]


def test_all_regions_at_once_read_the_bundle_once(
    tmp_path: Path, serve: Any, loads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = issued(tmp_path, "localhost")
    serve(certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    told: list[bool] = []
    threads = [
        threading.Thread(target=lambda reader=reader: told.append(reader.encryption_by_default()))
        for reader in readers()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True, True, True]
    assert loads == [str(certificate)]


class Proxy(http.server.BaseHTTPRequestHandler):
    """Connects its clients with whom they name, and passes on what both say."""

    connected: list[str]

    def do_CONNECT(self) -> None:
        self.connected.append(self.path)
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=self._pass_on, args=(far, self.connection))
            back.start()
            self._pass_on(self.connection, far)
            back.join()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while some := one.recv(65536):
                other.sendall(some)
            other.shutdown(socket.SHUT_WR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """Say nothing."""


def test_a_proxy_is_gone_through(tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issued(tmp_path, "localhost")
    serve(certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr(Proxy, "connected", [], raising=False)
    proxy = Server(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    try:
        assert [reader.encryption_by_default() for reader in readers()] == [True, True, True]
    finally:
        proxy.shutdown()
        proxy.socket.close()
    assert Proxy.connected == [os.environ["AWS_ENDPOINT_URL"].removeprefix("https://")] * len(REGIONS)


def test_another_bundle_is_read_when_it_is_asked_for(tmp_path: Path, loads: list[Any]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    SharedTlsContext().apply_to(client_with({"ssl_context": context}))
    paths = [str(issued(tmp_path, host)) for host in ("one.example", "two.example")]
    for path in (*paths, *paths):
        context.load_verify_locations(path, None, None)
    assert loads == paths


def client_with(settings: Any) -> Any:
    """Return what is built as a client of botocore's is, down to the settings of its connections."""
    manager = SimpleNamespace(connection_pool_kw=settings)
    return SimpleNamespace(_endpoint=SimpleNamespace(http_session=SimpleNamespace(_manager=manager)))


@pytest.mark.parametrize(
    "client",
    [object(), SimpleNamespace(_endpoint=None), client_with(None), client_with({}), client_with({"ssl_context": None})],
)
def test_a_client_that_is_built_otherwise_stays_as_it_is(client: Any) -> None:
    before = repr(client)
    SharedTlsContext().apply_to(client)
    assert repr(client) == before
