"""A sandbox on loopback: any AWS client can talk to it.

Refuses every interface but 127.0.0.1, and to answer what `gate` does not let in.
"""

import contextlib
import io
import os
import socket
import threading
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from amicopy.core.clock import Clock, SystemClock
from amicopy.core.errors import SandboxUnavailable
from amicopy.sandbox.behavior import Timing, Unconfirmed
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.faults import ConnectionCut
from amicopy.sandbox.http.query_protocol import error_xml
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from amicopy.sandbox.samples import populate
from amicopy.sandbox.world import World

# Read by moto when it is imported, or when it makes a backend: 1,300 images a region that nobody asked for.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")

from amicopy.sandbox.http import moto_adapter as adapter
from amicopy.sandbox.http.gate import ONE_AT_A_TIME, Gate, access_key_for

HOST = "127.0.0.1"
_OURS_TO_SAY = ("connection", "content-length", "date", "server", "transfer-encoding")


class Sandbox:
    """A running local EC2. Use it as a context manager, or `stop` it."""

    def __init__(
        self,
        *,
        port: int,
        clock: Clock,
        timing: Timing,
        unconfirmed: Unconfirmed,
        samples: bool,
        enforce_iam: bool,
    ) -> None:
        self._clock, self._timing, self._unconfirmed = clock, timing, unconfirmed
        self._samples, self._enforce_iam = samples, enforce_iam
        world = self._new_world(clock, timing, unconfirmed, samples=samples)
        self._gate = Gate(world, enforce_iam=enforce_iam)
        with socket.create_server((HOST, port)) as listening:
            self._server = _Server(listening, self._gate)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox", daemon=True
        )
        self._thread.start()

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        clock: Clock | None = None,
        timing: Timing | None = None,
        unconfirmed: Unconfirmed | None = None,
        samples: bool = True,
        enforce_iam: bool = False,
    ) -> Self:
        """Serve on loopback until stopped; port 0 takes a free one.

        Raises:
            SandboxUnavailable: the port is taken.
        """
        try:
            return cls(
                port=port,
                clock=clock or SystemClock(),
                timing=timing or Timing(),
                unconfirmed=unconfirmed or Unconfirmed(),
                samples=samples,
                enforce_iam=enforce_iam,
            )
        except OSError as error:
            raise SandboxUnavailable(
                f"The sandbox cannot listen on port {port}.",
                why=f"The system says: {error.strerror}.",
                next_step="Name another port, or none: a free one is found then.",
            ) from error

    @staticmethod
    def _new_world(clock: Clock, timing: Timing, unconfirmed: Unconfirmed, *, samples: bool) -> World:
        world = World(clock, timing=timing, unconfirmed=unconfirmed)
        adapter.connect(world)
        if samples:
            populate(world)
        return world

    @property
    def world(self) -> World:
        """Return the EC2 behind the server."""
        return self._gate.world

    @property
    def endpoint_url(self) -> str:
        """Return what AWS_ENDPOINT_URL is to be set to."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which any AWS client talks to this sandbox."""
        keys = self.credentials(DEFAULT_ACCOUNT)
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @staticmethod
    def credentials(account: str) -> dict[str, str]:
        """Return what a boto3 session takes to act as this account, allowed everything."""
        return {"aws_access_key_id": access_key_for(account), "aws_secret_access_key": "sandbox"}

    def reset(
        self,
        *,
        clock: Clock | None = None,
        timing: Timing | None = None,
        unconfirmed: Unconfirmed | None = None,
        samples: bool | None = None,
        enforce_iam: bool | None = None,
    ) -> World:
        """Begin anew on the same port, with a fresh world and an empty moto; what is not given stays."""
        with ONE_AT_A_TIME:
            adapter.forget_moto_state()
            world = self._new_world(
                clock or self._clock,
                timing or self._timing,
                unconfirmed or self._unconfirmed,
                samples=self._samples if samples is None else samples,
            )
            guarded = self._enforce_iam if enforce_iam is None else enforce_iam
            self._gate.begin_anew(world, enforce_iam=guarded)
        return world

    def stop(self) -> None:
        """Stop serving and cut what is still connected; a second time does nothing."""
        self._server.stop()
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the sandbox, which runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()


class _Server(ThreadedWSGIServer):
    """A thread per connection, which is kept open for as long as the client likes."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, listening: socket.socket, gate: Gate) -> None:
        # Handing over a socket that listens already: werkzeug would end the process over a busy port.
        super().__init__(HOST, 0, _no_app, handler=_Handler, fd=listening.fileno())
        self.gate = gate
        self.stopping = threading.Event()
        self._connected: set[socket.socket] = set()

    def stop(self) -> None:
        if self.stopping.is_set():
            return
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._connected):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connected.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connected.discard(request)
        super().shutdown_request(request)


def _no_app(_environ: Any, _start_response: Any) -> Any:
    raise NotImplementedError  # the handler asks the gate


class _Handler(WSGIRequestHandler):
    """HTTP/1.1 with connections kept open: werkzeug's own closes each after one answer."""

    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            status, headers, payload = self.server.gate.answer(environ)
        except ConnectionCut as cut:
            self.server.stopping.wait(cut.hang_seconds)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        except Exception as error:
            self.log_error("a bug in the sandbox, or in moto: %r", error)
            bug = Ec2Error("InternalError", "An internal error has occurred", 500)
            status, headers, payload = bug.status, [], error_xml(bug, "bug").encode()
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _OURS_TO_SAY and not name.lower().startswith("access-control-"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name for it
        if type == "error":
            super().log(type, message, *args)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stay quiet: the world keeps its own list of requests."""
