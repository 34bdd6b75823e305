"""Lambda's Runtime API on loopback: hands events to a runtime, and takes what it answers.

AWS Lambda Developer Guide, "Using the Lambda runtime API".
"""

import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_INVOCATION = "/2018-06-01/runtime/invocation"
_ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function has returned, or the error that it has raised."""

    kind: str  # response, error, or init
    content: Any


@dataclass(slots=True)
class RuntimeApi:
    """The running API."""

    address: str = ""
    _events: "queue.Queue[Mapping[str, str]]" = field(default_factory=queue.Queue)
    _answers: "queue.Queue[Answer]" = field(default_factory=queue.Queue)

    def invoke(self, event: Any, *, seconds: float = 120.0) -> Answer:
        """Return what the function answers to an event; it has so many seconds."""
        deadline = int((time.time() + seconds) * 1000)
        self._events.put({"body": json.dumps(event), "deadline": str(deadline)})
        return self._answers.get(timeout=_ANSWER_SECONDS)

    def next(self) -> Mapping[str, str]:
        """Return the next event as soon as there is one."""
        return self._events.get()

    def take(self, kind: str, body: bytes) -> None:
        """Take an answer."""
        self._answers.put(Answer(kind, json.loads(body)))


@contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """Serve the API on a free port of loopback."""
    api = RuntimeApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            event = api.next()
            body = event["body"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            self.send_header("Lambda-Runtime-Deadline-Ms", event["deadline"])
            self.send_header(
                "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:amicopy"
            )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            api.take(self.path.rpartition("/")[2] if self.path.startswith(_INVOCATION) else "init", body)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="runtime-api").start()
    api.address = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
