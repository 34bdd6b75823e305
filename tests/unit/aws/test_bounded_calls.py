"""Calls that never end are given up; those that do are as without a limit."""

import contextlib
import gc
import socket
import threading
from collections.abc import Iterator

import pytest

from amicopy.aws import bounded_calls
from amicopy.aws.bounded_calls import NeverEnding, within_limits
from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import Unreachable


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that a test can wait for."""
    monkeypatch.setattr(bounded_calls, "MOST_SECONDS", 0.05)


def test_results_and_errors_pass() -> None:
    assert within_limits(lambda: 7) == 7
    with pytest.raises(KeyError, match="x"):
        within_limits(lambda: dict[str, int]()["x"])


@pytest.mark.usefixtures("short")
def test_a_call_that_does_not_end_is_given_up_and_the_next_one_is_made() -> None:
    end = threading.Event()
    with pytest.raises(NeverEnding):
        within_limits(end.wait)
    assert within_limits(lambda: 7) == 7
    end.set()


def test_the_thread_ends_with_the_one_that_it_works_for() -> None:
    seen: list[threading.Thread] = []
    caller = threading.Thread(target=lambda: seen.append(within_limits(threading.current_thread)))
    caller.start()
    caller.join()
    gc.collect()
    seen[0].join(timeout=10)
    assert not seen[0].is_alive()


@pytest.fixture
def dripping() -> Iterator[str]:
    """An endpoint that begins an answer and never ends it."""
    end = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):  # the client has gone
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<")
                while not end.wait(0.01):
                    connection.sendall(b"<")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        end.set()


@pytest.mark.usefixtures("short")
def test_an_answer_that_drips_is_none(dripping: str) -> None:
    session = Session(credentials=("AKIDEXAMPLE", "secret"), endpoint_url=dripping)
    client = ServiceClient(session, "ec2", "eu-west-1", CallCounter())
    with pytest.raises(Unreachable, match="EC2 in eu-west-1 doesn't finish its response to DescribeRegions"):
        client("DescribeRegions")
