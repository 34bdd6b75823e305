"""Every HTTP request's way in: who may ask, for which account and region, and who answers.

Refuses what a web page could have sent, and what has no AWS signature's shape; checks no signature.
"""

import contextlib
import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from amicopy.sandbox.ec2.errors import Ec2Error, not_validated
from amicopy.sandbox.faults import ConnectionCut, ForeignPage, TruncatedAnswer
from amicopy.sandbox.http import moto_adapter as adapter
from amicopy.sandbox.http.iam import Caller, Guard
from amicopy.sandbox.http.query_protocol import error_xml
from amicopy.sandbox.world import World

Answer = tuple[int, list[tuple[str, str]], bytes]

_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|\[::1\]|(?:[a-z0-9-]+\.)*localhost)(?::\d+)?", re.IGNORECASE)
_SCOPE = re.compile(r"Credential=([^/, ]+)/\d+/([^/, ]+)/([^/, ]+)/")
# An access key of ours carries its account: 20 characters, as moto expects of a key.
_KEY_PREFIX = "AKIASBOX"
_OWN_KEY = re.compile(rf"{_KEY_PREFIX}(\d{{12}})")
_XML = [("Content-Type", "text/xml;charset=UTF-8")]
# moto says of itself that it is not made for threads, and its state is the process's: one call at a time.
ONE_AT_A_TIME = threading.RLock()


def access_key_for(account: str) -> str:
    """Return an access key that stands for all of an account."""
    return f"{_KEY_PREFIX}{account}"


class Gate:
    """What stands between the sockets and the world."""

    def __init__(self, world: World, *, enforce_iam: bool = False) -> None:
        self._app = adapter.moto_app()
        self._guard: Guard | None = None
        self.begin_anew(world, enforce_iam=enforce_iam)

    def begin_anew(self, world: World, *, enforce_iam: bool) -> None:
        """Answer from another world from now on."""
        self.world = world
        self._guard = Guard(_caller) if enforce_iam else None

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Answer one request.

        Raises:
            ConnectionCut: there is to be no answer.
        """
        refusal = _refusal(environ)
        if refusal is not None:
            return refusal
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if scope is None:
            error = not_validated()
            return error.status, _XML, error_xml(error, "unsigned").encode()
        key, region, service = scope.groups()
        # moto would take a "region/…" in the user agent for the region that is meant.
        environ["HTTP_USER_AGENT"] = environ.get("HTTP_USER_AGENT", "").replace("region/", "region-")
        with ONE_AT_A_TIME:
            own = _OWN_KEY.fullmatch(key)
            account = own[1] if own else adapter.account_of(key)
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
            if service != "ec2":
                return self._other_service(environ, service, region, account, key)
            environ[adapter.FRONT] = adapter.Front(
                world=self.world, guard=self._guard, region=region, account=account, access_key=key
            )
            answer = _run(self._app, environ)
        if adapter.CUT in environ:
            raise ConnectionCut(environ[adapter.CUT])
        return answer

    def _other_service(self, environ: dict[str, Any], service: str, region: str, account: str, key: str) -> Answer:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        form = {} if target else dict(parse_qsl(body.decode(errors="replace")))
        operation = target.rpartition(".")[2] or form.get("Action", "") or environ["REQUEST_METHOD"]

        def answer() -> Answer:
            if self._guard is not None:
                resource = adapter.kms_resource(account, region, body) if service == "kms" else None
                self._guard.check_other(service, operation, resource, access_key=key, region=region)
            return _run(self._app, environ)

        try:
            return self.world.pass_on(
                operation,
                form,
                region=region,
                account=account,
                service=service,
                answer=answer,
            )
        except Ec2Error as error:
            return _foreign_error(error, in_json=bool(target))
        except ForeignPage as page:
            return page.status, [("Content-Type", "text/html")], adapter.PROXY_PAGE.encode()
        except TruncatedAnswer as broken:
            status, headers, whole = broken.answer
            return status, headers, whole[: len(whole) // 2]


def _refusal(environ: Mapping[str, Any]) -> Answer | None:
    text = [("Content-Type", "text/plain")]
    origin = environ.get("HTTP_ORIGIN")
    from_outside = origin is not None and not _LOOPBACK.fullmatch(origin.partition("://")[2])
    if from_outside or not _LOOPBACK.fullmatch(environ.get("HTTP_HOST", "")):
        return 403, text, b"The sandbox answers programs on this machine, not web pages.\n"
    if environ.get("PATH_INFO", "").startswith(("/moto-api", "/latest/", "/favicon.ico")):
        return 404, text, b"There is nothing here.\n"
    return None


def _caller(access_key: str, region: str) -> Caller | None:
    return None if _OWN_KEY.fullmatch(access_key) else adapter.caller_in_iam(access_key, region)


def _foreign_error(error: Ec2Error, *, in_json: bool) -> Answer:
    if in_json:
        body = json.dumps({"__type": error.code, "message": error.message})
        return error.status, [("Content-Type", "application/x-amz-json-1.1")], body.encode()
    envelope = error_xml(error, "refused").replace("<Response><Errors>", "<ErrorResponse>")
    envelope = envelope.replace("</Errors>", "").replace("RequestID>", "RequestId>")
    return error.status, _XML, envelope.replace("</Response>", "</ErrorResponse>").encode()


def _run(app: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        started.append((status, headers))

    with contextlib.ExitStack() as stack:
        chunks = app(environ, start_response)
        if hasattr(chunks, "close"):
            stack.callback(chunks.close)
        body = b"".join(chunks)
    status, headers = started[-1]
    return int(status.split()[0]), headers, body
