"""Dispatches each HTTP request to the world or to moto, by the account, region and service in its signature.

Requests that a web page could have sent are refused, and those without an AWS signature, except for the operations of
STS that have none. Signatures aren't verified.
"""

import io
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from amicopy.sandbox import ebs_direct
from amicopy.sandbox.accounts import RoleSession
from amicopy.sandbox.ec2.errors import Ec2Error, not_validated
from amicopy.sandbox.faults import ConnectionCut, ProxyPage, TruncatedResponse
from amicopy.sandbox.http import moto_adapter, rest_json, roles
from amicopy.sandbox.http.iam import Authorizer, Caller, Resource, resource_tags
from amicopy.sandbox.http.moto_adapter import Ec2Request, Response
from amicopy.sandbox.http.moto_resources import adopt_snapshots
from amicopy.sandbox.http.other_services import UNSIGNED, XML, ServiceRequest
from amicopy.sandbox.http.query_protocol import error_xml
from amicopy.sandbox.settings import KEY_PREFIX, REGIONS, ec2_arn, partition_of
from amicopy.sandbox.world import World

_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|\[::1\]|(?:[a-z0-9-]+\.)*localhost)(?::\d+)?", re.IGNORECASE)
_SCOPE = re.compile(r"Credential=([^/, ]+)/\d+/([^/, ]+)/([^/, ]+)/")
_OWN_KEY = re.compile(rf"{KEY_PREFIX}(\d{{12}})")
# moto isn't thread-safe, and its state belongs to the process: one call at a time.
MOTO_LOCK = threading.RLock()


def access_key_for(account: str) -> str:
    """Return an access key that is allowed everything in an account."""
    return f"{KEY_PREFIX}{account}"


class Dispatcher:
    """Responds to HTTP requests from one world at a time."""

    def __init__(self, world: World, *, enforce_iam: bool = False) -> None:
        moto_adapter.moto_app()
        self._authorizer: Authorizer | None = None
        self.replace_world(world, enforce_iam=enforce_iam)

    @staticmethod
    def _account_of(key: str, session: RoleSession | None) -> str:
        own = _OWN_KEY.fullmatch(key)
        if own:
            return own[1]
        return session.account if session else moto_adapter.account_of(key)

    def _refused(self, session: RoleSession | None, environ: dict[str, Any], service: str) -> Ec2Error | None:
        if session is None:
            return None
        token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
        return roles.refusal(session, token, service=service, now=self.world.clock.now())

    def replace_world(self, world: World, *, enforce_iam: bool) -> None:
        """Respond from another world from now on."""
        self.world = world
        self._authorizer = Authorizer(_find_caller) if enforce_iam else None

    def respond(self, environ: dict[str, Any]) -> Response:
        """Return the response to one request.

        Raises:
            ConnectionCut: close the connection without a response.
        """
        refusal = _refusal(environ)
        if refusal is not None:
            return refusal
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if scope is not None:
            key, region, service = scope.groups()
        elif (form := _form_of(environ)).get("Action") in UNSIGNED:
            key, region, service = "", _region_of_role(form.get("RoleArn", "")), "sts"
            # moto finds the service in the signature.
            environ["HTTP_AUTHORIZATION"] = (
                f"AWS4-HMAC-SHA256 Credential=unsigned/20260101/{region}/{service}/aws4_request"
            )
        else:
            error = not_validated()
            return error.status, XML, error_xml(error, "unsigned").encode()
        # moto would take "region/…" in the user agent for the region of the request.
        environ["HTTP_USER_AGENT"] = environ.get("HTTP_USER_AGENT", "").replace("region/", "region-")
        with MOTO_LOCK:
            session = self.world.state.sessions.get(key)
            account = self._account_of(key, session)
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
            refused = self._refused(session, environ, service)
            kind = Ec2Request if service in ("ec2", "ebs") else ServiceRequest
            request = kind(
                world=self.world,
                authorizer=self._authorizer,
                service=service,
                region=region,
                account=account,
                access_key=key,
                session=session,
                refused=refused,
            )
            if isinstance(request, ServiceRequest):
                return request.respond(environ)
            if service == "ebs":
                return self._ebs(environ, request)
            environ[moto_adapter.EC2_REQUEST] = request
            response = moto_adapter.answer(environ)
        if moto_adapter.CONNECTION_CUT in environ:
            raise ConnectionCut(environ[moto_adapter.CONNECTION_CUT])
        return response

    def _ebs(self, environ: dict[str, Any], request: Ec2Request) -> Response:
        """Respond to a call of the EBS direct APIs: to reads from the world, to writes from moto."""
        region, account = request.region, request.account
        adopt_snapshots(self.world.state, account, region)

        def authorize() -> None:
            if request.refused is not None:
                raise request.refused
            if self._authorizer is not None:
                snapshot_id = params.get("SnapshotId", "*")
                resource = Resource(
                    ec2_arn(region, "snapshot", snapshot_id), resource_tags(request.tags_of(snapshot_id))
                )
                self._authorizer.authorize_service(
                    "ebs", operation, resource, access_key=request.access_key, region=region
                )

        def from_moto() -> Response:
            authorize()
            return moto_adapter.answer(environ)

        place = {"region": region, "account": account}
        try:
            operation, params = rest_json.parse(environ)
            if operation not in ebs_direct.OPERATIONS:
                return self.world.serve(operation, params, **place, service="ebs", respond=from_moto)
            response = self.world.call_ebs(
                operation, params, **place, check_allowed=authorize, is_allowed=request.is_allowed
            )
            return rest_json.serialize(response)
        except Ec2Error as error:
            return rest_json.serialize_error(error)
        except ProxyPage as page:
            return page.status, [("Content-Type", "text/html")], moto_adapter.PROXY_PAGE.encode()
        except TruncatedResponse as truncated:
            whole = truncated.response
            status, headers, body = whole if isinstance(whole, tuple) else rest_json.serialize(whole)
            return status, headers, body[: len(body) // 2]


def _form_of(environ: dict[str, Any]) -> dict[str, str]:
    """Return the form of a request, which can still be read afterwards."""
    body: bytes = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    return dict(parse_qsl(body.decode(errors="replace")))


def _region_of_role(arn: str) -> str:
    """Return a region of the role's partition: nothing else in an unsigned request names one."""
    partition = arn.split(":")[1] if arn.startswith("arn:") else "aws"
    return next((region for region in REGIONS if partition_of(region) == partition), REGIONS[0])


def _refusal(environ: Mapping[str, Any]) -> Response | None:
    text = [("Content-Type", "text/plain")]
    origin = environ.get("HTTP_ORIGIN")
    is_foreign = origin is not None and not _LOOPBACK.fullmatch(origin.partition("://")[2])
    if is_foreign or not _LOOPBACK.fullmatch(environ.get("HTTP_HOST", "")):
        return 403, text, b"The sandbox responds to programs on this machine, not to web pages.\n"
    if environ.get("PATH_INFO", "").startswith(("/moto-api", "/latest/", "/favicon.ico")):
        return 404, text, b"Not found.\n"
    return None


def _find_caller(access_key: str, region: str) -> Caller | None:
    return None if _OWN_KEY.fullmatch(access_key) else moto_adapter.find_caller(access_key, region)
