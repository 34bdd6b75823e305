"""The sandbox as a server for any AWS client, on 127.0.0.1 only."""

import contextlib
import io
import os
import re
import socket
import threading
from collections.abc import Collection
from datetime import timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from amicopy.core.clock import Clock, SystemClock
from amicopy.core.errors import SandboxUnavailable
from amicopy.sandbox.accounts import ROLE, Account
from amicopy.sandbox.behavior import Rates, Timing, Unconfirmed
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.faults import ConnectionCut
from amicopy.sandbox.http.query_protocol import error_xml
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from amicopy.sandbox.samples import populate, sample_accounts
from amicopy.sandbox.world import World

# Read by moto when it is imported or creates a backend, so set first. moto would load 1,300 AMIs into each region.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")

from amicopy.sandbox.http import moto_accounts, moto_adapter
from amicopy.sandbox.http.dispatcher import MOTO_LOCK, Dispatcher, access_key_for

HOST = "127.0.0.1"
_SERVER_HEADERS = ("connection", "content-length", "date", "server", "transfer-encoding")


class Sandbox:
    """A running local EC2. Use it as a context manager, or call `stop`."""

    def __init__(
        self,
        *,
        port: int,
        clock: Clock,
        timing: Timing,
        unconfirmed: Unconfirmed,
        rates: Rates,
        samples: bool,
        enforce_iam: bool,
        regions: Collection[str] | None,
        accounts: int,
    ) -> None:
        self._regions, self._accounts = regions, accounts
        self._clock, self._timing, self._unconfirmed, self._rates = clock, timing, unconfirmed, rates
        self._samples, self._enforce_iam = samples, enforce_iam
        world = self._new_world(clock, timing, unconfirmed, rates, samples=samples)
        self._dispatcher = Dispatcher(world, enforce_iam=enforce_iam)
        self._add_sample_accounts()
        with socket.create_server((HOST, port)) as listener:
            self._server = _Server(listener, self._dispatcher)
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
        rates: Rates = "none",
        samples: bool = True,
        enforce_iam: bool = False,
        regions: Collection[str] | None = None,
        accounts: int = 0,
    ) -> Self:
        """Serve on loopback until stopped. Port 0 is any free port.

        ``rates="ec2"`` throttles requests as EC2 documents it: a token bucket per action, account and region. Only
        ``regions`` exist, and all of them are enabled; None: EC2's, of which some have to be enabled. ``accounts`` is
        the number of sample accounts beside the default one (see `samples.sample_accounts`).

        Raises:
            SandboxUnavailable: the port is in use, or the system doesn't permit it.
            ValueError: EC2 has no such region.
        """
        try:
            return cls(
                port=port,
                clock=clock or SystemClock(),
                timing=timing or Timing(),
                unconfirmed=unconfirmed or Unconfirmed(),
                rates=rates,
                samples=samples,
                enforce_iam=enforce_iam,
                regions=regions,
                accounts=accounts,
            )
        except OSError as error:
            raise SandboxUnavailable(
                f"The sandbox cannot listen on port {port}.",
                why=f"The system reports: {error.strerror}.",
                next_step="Choose another port, or none to use any free one.",
            ) from error

    def _new_world(
        self, clock: Clock, timing: Timing, unconfirmed: Unconfirmed, rates: Rates, *, samples: bool
    ) -> World:
        world = World(clock, timing=timing, unconfirmed=unconfirmed)
        world.rates = rates
        if self._regions is not None:
            world.limit_regions(self._regions)
        moto_adapter.connect(world)
        if samples:
            populate(world)
        return world

    def _add_sample_accounts(self) -> None:
        for sample in sample_accounts(self._accounts):
            self.add_account(sample.account_id, name=sample.name, unit=sample.unit, suspended=sample.suspended)

    @property
    def world(self) -> World:
        """Return the simulated EC2 that the server responds from."""
        return self._dispatcher.world

    @property
    def endpoint_url(self) -> str:
        """Return the value for AWS_ENDPOINT_URL."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that point any AWS client at this sandbox."""
        keys = self.credentials(DEFAULT_ACCOUNT)
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **{name: _without_proxy(os.environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")},
        }

    @staticmethod
    def credentials(account: str) -> dict[str, str]:
        """Return the keyword arguments for a boto3 session that is allowed everything in the account."""
        return {"aws_access_key_id": access_key_for(account), "aws_secret_access_key": "sandbox"}

    def add_account(
        self,
        account_id: str,
        *,
        name: str = "",
        unit: str | None = "",
        role: str = ROLE,
        trusted: Collection[str] = (DEFAULT_ACCOUNT,),
        external_id: str = "",
        max_session_seconds: int = 3600,
        regions: Collection[str] = (),
        suspended: bool = False,
    ) -> Account:
        """Add an account and return its record. From now on, only roles that exist can be assumed.

        It is a member of the default account's organization, in the organizational unit at the path ``unit``, such as
        ``workloads/test``; "" is the root, and None means that it is in no organization. ``role`` is a role that the
        accounts or ARNs in ``trusted`` may assume, with ``external_id`` if there is one; "" for no role. ``regions``
        are opt-in regions that the account has enabled. A ``suspended`` account is a closed one.

        Raises:
            ValueError: the id isn't that of an account, or the sandbox has the account already.
        """
        with MOTO_LOCK:
            state, now = self.world.state, self.world.clock.now()
            if not re.fullmatch("[0-9]{12}", account_id):
                raise ValueError(f"{account_id!r} is not an account id: write 12 digits.")
            if account_id == DEFAULT_ACCOUNT or account_id in state.accounts:
                raise ValueError(f"The sandbox has the account {account_id} already.")
            name, role_arn, parent_id = name or account_id, "", ""
            if role:
                trust = moto_accounts.trust_policy(trusted, external_id)
                role_arn = moto_accounts.create_role(account_id, role, trust, max_session_seconds)
            if unit is not None:
                parent_id = moto_accounts.add_to_organization(
                    account_id,
                    management=DEFAULT_ACCOUNT,
                    name=name,
                    unit=unit,
                    suspended=suspended,
                    # moto sorts by it, and has times without a zone
                    joined_at=now.replace(tzinfo=None) + timedelta(microseconds=len(state.accounts)),
                )
            if regions:
                self.world.opt_in(*regions, account=account_id)
            account = Account(
                account_id=account_id, name=name, role_arn=role_arn, parent_id=parent_id, suspended=suspended
            )
            state.accounts[account_id] = account
            return account

    def reset(
        self,
        *,
        clock: Clock | None = None,
        timing: Timing | None = None,
        unconfirmed: Unconfirmed | None = None,
        rates: Rates | None = None,
        samples: bool | None = None,
        enforce_iam: bool | None = None,
    ) -> World:
        """Start over on the same port with a new world and an empty moto; keep the arguments that aren't given."""
        with MOTO_LOCK:
            moto_adapter.reset_moto()
            world = self._new_world(
                clock or self._clock,
                timing or self._timing,
                unconfirmed or self._unconfirmed,
                rates or self._rates,
                samples=self._samples if samples is None else samples,
            )
            enforced = self._enforce_iam if enforce_iam is None else enforce_iam
            self._dispatcher.replace_world(world, enforce_iam=enforced)
            self._add_sample_accounts()
        return world

    def stop(self) -> None:
        """Stop serving and close all connections. Safe to repeat."""
        self._server.stop()
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the sandbox, which is already running."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the sandbox."""
        self.stop()


def _without_proxy(hosts: str) -> str:
    """Return a list of hosts that need no proxy, with the sandbox's."""
    known = [host.strip() for host in hosts.split(",") if host.strip()]
    return ",".join(known if HOST in known else [*known, HOST])


class _Server(ThreadedWSGIServer):
    """One thread per connection; connections stay open until the client closes them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, listener: socket.socket, dispatcher: Dispatcher) -> None:
        # Takes a listening socket because werkzeug would exit the process if the port were in use.
        super().__init__(HOST, 0, _no_app, handler=_Handler, fd=listener.fileno())
        self.dispatcher = dispatcher
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
    raise NotImplementedError  # the handler calls the dispatcher instead


class _Handler(WSGIRequestHandler):
    """HTTP/1.1 with keep-alive: werkzeug's own handler closes each connection after one response."""

    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def version_string(self) -> str:
        """Return the Server header: EC2's own, not werkzeug's, which moto's server sends."""
        return "AmazonEC2"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header: the time of the simulated EC2, as real AWS sends its own."""
        return format_datetime(self.server.dispatcher.world.state.clock.now(), usegmt=True)

    def run_wsgi(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            status, headers, payload = self.server.dispatcher.respond(environ)
        except ConnectionCut as cut:
            self.server.stopping.wait(cut.hang_seconds)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        except Exception as error:
            self.log_error("a bug in the sandbox or in moto: %r", error)
            bug = Ec2Error("InternalError", "An internal error has occurred", 500)
            status, headers, payload = bug.status, [], error_xml(bug, "bug").encode()
        state = self.server.dispatcher.world.state
        if state.timing.answer_seconds:
            state.clock.sleep(state.timing.answer_seconds)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _SERVER_HEADERS and not name.lower().startswith("access-control-"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        if type == "error":
            super().log(type, message, *args)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: the world keeps its own list of requests."""
