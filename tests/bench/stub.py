"""A TLS endpoint that answers from memory, near or far away, and knows when each CopyImage has arrived.

Its answers come from the sandbox's EC2 the first time and are remembered by region and request body, so that a run
after the first costs the server next to nothing. Refuses to copy: a CopyImage gets an id, and that is all.
"""

import re
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from amicopy.core.clock import SystemClock
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.http.moto_adapter import ec2_protocol
from amicopy.sandbox.http.query_protocol import error_xml
from amicopy.sandbox.http.server import Sandbox
from amicopy.sandbox.records import DEFAULT_ACCOUNT
from amicopy.sandbox.world import World
from tests.bench.ec2 import register
from tests.bench.helper import serve

_SCOPE = re.compile(rb"Credential=[^/]+/\d+/([^/]+)/")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class _Counted:
    """What came from one client: what a killed one has left in its connections is not the next one's."""

    connect_seconds: Sequence[float]  # how long a connection takes to be made, by turns as they come in
    answer_seconds: Sequence[float]
    connections: int = 0
    requests: int = 0
    copies: dict[str, float] = field(default_factory=dict)  # when CopyImage arrived, by region


class Stub:
    """The endpoint, and the questions that can be asked about it."""

    def __init__(self) -> None:
        self._world = World(SystemClock())
        self._world.opt_in()
        self._image = register(self._world, DEFAULT_ACCOUNT)
        self._answers: dict[tuple[str, bytes], bytes] = {}
        self._lock = threading.Lock()
        self._arrived = threading.Condition()
        self.begin()

    def listen(self, folder: str, certificate: str) -> dict[str, Any]:
        """Serve from now on; return where, and the environment of a client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder) / certificate)
        listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        threading.Thread(target=self._accept, args=(listening, context), daemon=True).start()
        keys = Sandbox.credentials(DEFAULT_ACCOUNT)
        return {
            "image": self._image.image_id,
            "environment": {
                "AWS_ENDPOINT_URL": f"https://127.0.0.1:{listening.getsockname()[1]}",
                "AWS_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                **{name.upper(): value for name, value in keys.items()},
            },
        }

    def begin(self, connect_seconds: Sequence[float] = (0.0,), answer_seconds: Sequence[float] = (0.0,)) -> None:
        """Count anew; to the next client the hosts are so far away, by turns as its connections come in."""
        self._counted = _Counted(connect_seconds=connect_seconds, answer_seconds=answer_seconds)

    def copies(self, count: int, timeout: float) -> dict[str, Any]:
        """Return when CopyImage arrived for so many regions (monotonic clock), having waited for them."""
        counted = self._counted
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(counted.copies) >= count, timeout):
                raise TimeoutError(f"only {len(counted.copies)} CopyImage arrived")
            return {
                "at": sorted(counted.copies.values()),
                "requests": counted.requests,
                "connections": counted.connections,
            }

    def _accept(self, listening: socket.socket, context: ssl.SSLContext) -> None:
        while True:
            connection, _ = listening.accept()
            counted = self._counted
            number, counted.connections = counted.connections, counted.connections + 1
            threading.Thread(target=self._converse, args=(connection, context, counted, number), daemon=True).start()

    def _converse(self, connection: socket.socket, context: ssl.SSLContext, counted: "_Counted", number: int) -> None:
        time.sleep(counted.connect_seconds[number % len(counted.connect_seconds)])
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with context.wrap_socket(connection, server_side=True) as stream, stream.makefile("rb") as reader:
                while head := _head(reader):
                    length = _LENGTH.search(head)
                    answer = self._answer(counted, head, reader.read(int(length[1]) if length else 0))
                    time.sleep(counted.answer_seconds[number % len(counted.answer_seconds)])
                    stream.sendall(answer)
        except OSError:  # the client has been ended
            return

    def _answer(self, counted: "_Counted", head: bytes, body: bytes) -> bytes:
        now = time.monotonic()
        scope = _SCOPE.search(head)
        region = scope[1].decode() if scope else ""
        is_copy = b"Action=CopyImage&" in body and b"DryRun=true" not in body
        with self._arrived:
            counted.requests += 1
            if is_copy:
                counted.copies.setdefault(region, now)
                self._arrived.notify_all()
        if is_copy:
            image = f"<imageId>ami-{hash(region) & 0xFFFFFFFF:08x}</imageId>"
            return _http(200, f"<CopyImageResponse>{image}</CopyImageResponse>")
        with self._lock:
            if (region, body) not in self._answers:
                self._answers[region, body] = self._asked(region, body)
            return self._answers[region, body]

    def _asked(self, region: str, body: bytes) -> bytes:
        form = dict(parse_qsl(body.decode()))
        name = form.get("Action", "")
        try:
            answer = self._world.call(name, ec2_protocol().parse(name, form), region=region)
        except Ec2Error as error:
            return _http(error.status, error_xml(error, "stub"))
        return _http(200, ec2_protocol().serialize(name, answer, "stub"))


def _head(reader: BinaryIO) -> bytes:
    """Return a request's head; nothing at the end of the connection."""
    lines = []
    while (line := reader.readline()).strip():
        lines.append(line)
    return b"".join(lines)


def _http(status: int, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status} .\r\nContent-Type: text/xml;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def main() -> None:
    """Answer until standard input ends."""
    stub = Stub()
    serve({"listen": stub.listen, "begin": stub.begin, "copies": stub.copies})


if __name__ == "__main__":
    main()
