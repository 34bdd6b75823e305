"""The hook into moto: the world answers its own operations, moto all others.

Keeps no state: each request brings its world along, so several sandboxes can live in one process.
"""

import contextlib
import functools
import io
import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import unescape

import moto.ec2.urls
from moto.backend_index import backend_url_patterns
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.utils import get_service_model
from moto.ec2.responses import EC2Response
from moto.iam.access_control import CreateAccessKeyFailure, create_access_key
from moto.iam.exceptions import NotFoundException
from moto.iam.models import get_account_id_from, iam_backends
from moto.kms.models import kms_backends
from moto.organizations.models import organizations_backends
from moto.sts.models import sts_backends

from amicopy.sandbox.ec2.errors import Ec2Error, not_validated
from amicopy.sandbox.ec2.operations import CHECKED_OPERATIONS, OPERATIONS
from amicopy.sandbox.ec2.tags import tags_of
from amicopy.sandbox.faults import ConnectionCut, ProxyPage, TruncatedResponse
from amicopy.sandbox.http.iam import Caller, Resource, resource_tags
from amicopy.sandbox.http.moto_accounts import principal_of
from amicopy.sandbox.http.moto_keys import may_use
from amicopy.sandbox.http.moto_resources import MotoResources, adopt_snapshots, advance_instances, known_to_moto
from amicopy.sandbox.http.query_protocol import QueryProtocol, error_xml
from amicopy.sandbox.http.signed_request import SignedRequest
from amicopy.sandbox.records import KeyMetadata
from amicopy.sandbox.settings import partition_of
from amicopy.sandbox.world import World

# Keys of a request's WSGI environment.
EC2_REQUEST = "amicopy.ec2_request"  # the `Ec2Request`
CONNECTION_CUT = "amicopy.connection_cut"  # set instead of a response: seconds to wait before closing the connection
# Not well-formed XML, like most such pages: botocore reads a well-formed one as a response without content.
PROXY_PAGE = "<!doctype html><title>Proxy error</title><h1>The proxy could not reach the server</h1><hr>"
# What EC2 does with resources that it tags, when it switches Fast Launch on: condition keys by action.
_OF_FAST_LAUNCH: Mapping[str, Mapping[str, str]] = {
    "ec2:RunInstances": {"aws:requesttag/createdby": "EC2 Fast Launch"},
    "ec2:CreateTags": {"aws:requesttag/createdby": "EC2 Fast Launch", "ec2:createaction": "RunInstances"},
    "iam:CreateServiceLinkedRole": {"iam:awsservicename": "ec2fastlaunch.amazonaws.com"},
}
Response = tuple[int, list[tuple[str, str]], bytes]
MotoRespond = Callable[[Mapping[str, str]], Any]  # from a request's form to moto's response
_log = logging.getLogger(__name__)


@functools.cache
def ec2_protocol() -> QueryProtocol:
    """Return EC2's protocol; its model is loaded once."""
    return QueryProtocol(get_service_model("ec2"))


def operation_names() -> frozenset[str]:
    """Return the operations of the services that amicopy calls."""
    services = ("ebs", "ec2", "kms", "organizations", "service-quotas", "sns", "events", "ssm", "sts")
    return frozenset(name for service in services for name in get_service_model(service).operation_names)


def install() -> None:
    """Put the world in front of moto's EC2. moto without a sandbox works as before."""
    moto.ec2.urls.url_paths["{0}/"] = SandboxEC2Response.dispatch


def reset_moto() -> None:
    """Empty all of moto's backends."""
    BackendDict.reset()
    organizations_backends.master_accounts.clear()
    reset_model_data()


def connect(world: World) -> None:
    """Make the world look up KMS keys and all other resources in moto."""
    world.state.keys = find_key
    world.state.others = MotoResources()


def find_key(account: str, region: str, key: str) -> KeyMetadata | None:
    """Return the KMS key with this id, alias or ARN."""
    if key.startswith("arn:"):
        region, account = key.split(":")[3:5]
    try:
        found = kms_backends[account][region].describe_key(key)
    except (KeyError, AttributeError):  # moto's ways to report an unknown key
        return None
    managed = any(str(alias).startswith("alias/aws/") for alias in found.aliases)
    return KeyMetadata(
        arn=found.arn,
        state=found.key_state,
        usage=found.key_usage or "ENCRYPT_DECRYPT",  # CreateKey's default
        spec=found.key_spec,
        aws_managed=managed,
        aliases=tuple(map(str, found.aliases)),
    )


def named_resource(service: str, account: str, region: str, body: bytes) -> Resource | None:
    """Return the KMS key, the parameter or the role that a request names, or None if it names none that exists."""
    if service == "sts":
        arn = dict(parse_qsl(body.decode(errors="replace"))).get("RoleArn")
        return Resource(arn) if arn else None
    if service == "sns":
        arn = dict(parse_qsl(body.decode(errors="replace"))).get("TopicArn")
        return Resource(arn) if arn else None
    try:
        request = json.loads(body)
        if service == "events":
            return Resource(str(request["Entries"][0]["EventBusName"]))
        if service == "ssm":
            path = str(request["Name"]).lstrip("/")
            return Resource(f"arn:{partition_of(region)}:ssm:{region}:{account}:parameter/{path}")
        key = find_key(account, region, request["KeyId"]) if service == "kms" else None
    except (ValueError, KeyError, TypeError):
        return None
    if key is None:
        return None
    context: dict[str, str | tuple[str, ...]] = {"kms:resourcealiases": key.aliases}
    if "GranteePrincipal" in request:
        context["kms:granteeprincipal"] = str(request["GranteePrincipal"])
        context["kms:grantoperations"] = tuple(map(str, request.get("Operations") or ()))
    return Resource(key.arn, context)


def account_of(access_key: str) -> str:
    """Return the account that an access key belongs to, according to moto."""
    return str(get_account_id_from(access_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Request(SignedRequest):
    """An EC2 request with what the world needs to answer it."""

    def respond(self, form: Mapping[str, str], environ: dict[str, Any], moto_respond: MotoRespond) -> Any:
        """Return status, headers and body: always in EC2's format, unless a fault says otherwise.

        To close the connection without a response, it sets `CONNECTION_CUT` in ``environ``.
        """
        name, request_id = form.get("Action", ""), str(uuid.uuid4())
        headers = {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-requestid": request_id}
        try:
            response = self._respond(name, form, moto_respond)
            return response if isinstance(response, tuple) else (200, headers, _xml(name, response, request_id))
        except Ec2Error as caught:
            error = caught
        except ConnectionCut as cut:
            environ[CONNECTION_CUT] = cut.hang_seconds
            return 500, headers, ""
        except ProxyPage as page:
            return page.status, {"Content-Type": "text/html"}, PROXY_PAGE
        except TruncatedResponse as truncated:
            response = truncated.response
            whole = response[2] if isinstance(response, tuple) else _xml(name, response, request_id)
            return 200, headers, whole[: len(whole) // 2]
        except NotImplementedError:
            error = Ec2Error("InvalidAction", f"The action {name} is not part of this sandbox.")
        except Exception:
            _log.exception("a bug in the sandbox or in moto, during %s", name)
            error = Ec2Error("InternalError", "An internal error has occurred", 500)
        return error.status, headers, error_xml(error, request_id)

    def _respond(self, name: str, form: Mapping[str, str], moto_respond: MotoRespond) -> Any:
        try:
            params = ec2_protocol().parse(name, form, strict=name in OPERATIONS)
            self._authorize(name, params)
        except Ec2Error as error:
            return self._serve(name, dict(form), _raiser(error))
        adopt_snapshots(self.world.state, self.account, self.region)
        advance_instances(self.world.state, self.account, self.region)
        if name in OPERATIONS and _is_for_world(name, params):
            return self.world.call(name, params, region=self.region, account=self.account, is_allowed=self.is_allowed)

        def respond() -> Any:
            sent = form
            if name == "RunInstances":
                repeated = self.world.repeated_launch(params, region=self.region, account=self.account)
                if repeated is not None:
                    return repeated
            if name == "TerminateInstances" and (ended := self.world.ended(params.get("InstanceIds") or [])):
                return ended
            if name in CHECKED_OPERATIONS:
                checked = self.world.check(name, params, region=self.region, account=self.account)
                sent = ec2_protocol().form(name, checked)
            with known_to_moto(self.world.state, self.account, self.region):
                response = _raise_error(moto_respond(sent))
            if name == "RunInstances":
                instance_ids = re.findall("<instanceId>(i-[0-9a-f]+)</instanceId>", response[2])
                self.world.note_launch(params, instance_ids, region=self.region, account=self.account)
            return response

        return self._serve(name, params, respond)

    def _authorize(self, name: str, params: Mapping[str, Any]) -> None:
        """Refuse a call that the caller isn't allowed to make."""
        if self.refused is not None:
            raise self.refused
        if self.authorizer is None:
            return
        snapshot_ids: list[str] = []
        if name == "CopyImage":
            images = self.world.state.images[params.get("SourceRegion", "")]
            source = images.get(params.get("SourceImageId", ""))
            snapshot_ids = source.snapshot_ids if source else []
        key, region = self.access_key, self.region
        self.authorizer.authorize(
            name, params, source_snapshot_ids=snapshot_ids, tags_of=self.tags_of, access_key=key, region=region
        )

    def is_allowed(self, action: str, resource: str) -> bool:
        """Return True if EC2 may do this in the caller's name: delete a snapshot, use a key, or launch instances."""
        if action.startswith("kms:") and resource.split(":")[4] != self.account:
            principal = principal_of(self.access_key, self.account, self.region, self.session)
            if not may_use(resource, principal, action):
                return False
        if self.authorizer is None:
            return True
        context: dict[str, str | tuple[str, ...]] = {}
        if action.startswith("kms:"):
            key_region = resource.split(":")[3]
            key = find_key(self.account, key_region, resource)
            context["kms:viaservice"] = f"ec2.{key_region}.amazonaws.com"
            context["kms:resourcealiases"] = key.aliases if key else ()
            context["kms:encryptioncontextkeys"] = ("aws:ebs:id",)  # EBS User Guide, "How Amazon EBS encryption works"
            if action == "kms:CreateGrant":
                context["kms:grantisforawsresource"] = "true"
        else:
            context |= _OF_FAST_LAUNCH.get(action, {})
            context |= resource_tags(self.tags_of(resource.rpartition("/")[2]))
        return self.authorizer.allows(
            action, Resource(resource, context), access_key=self.access_key, region=self.region
        )

    def tags_of(self, resource_id: str) -> Mapping[str, str]:
        """Return the tags that the caller's account sees on a resource in the region of the call."""
        state = self.world.state
        record = state.images[self.region].get(resource_id) or state.snapshots[self.region].get(resource_id)
        if record is None and resource_id.startswith("i-"):
            tags = state.others.tags(self.account, self.region)
            return {tag.key: tag.value for tag in tags if tag.resource_id == resource_id}
        return tags_of(record, self.account) if record else {}

    def _serve(self, name: str, params: Mapping[str, Any], respond: Callable[[], Any]) -> Any:
        return self.world.serve(name, params, region=self.region, account=self.account, respond=respond)


def _xml(name: str, response: Mapping[str, Any], request_id: str) -> str:
    return ec2_protocol().serialize(name, response, request_id)


def _raise_error(response: Any) -> Any:
    """Return moto's response. If it is an error, raise it, so that the world records it."""
    status, _headers, body = response
    code = re.search("<Code>(.*?)</Code>", body) if status >= 400 else None
    if code is None:
        return response
    message = re.search("<Message>(.*?)</Message>", body, re.DOTALL)
    raise Ec2Error(unescape(code[1]), unescape(message[1]) if message else "", status)


def _raiser(error: Exception) -> Callable[[], Any]:
    def respond() -> Any:
        raise error

    return respond


def _is_for_world(name: str, params: Mapping[str, Any]) -> bool:
    """Return True unless it is a tag operation on resources that moto has."""
    if name in ("CreateTags", "DeleteTags"):
        resources = params.get("Resources") or []
        return not resources or any(resource.startswith(("ami-", "snap-")) for resource in resources)
    return True


class SandboxEC2Response(EC2Response):
    """moto's EC2, behind the sandbox of each request that comes with one."""

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        # In-process, some versions of moto pass botocore's own request, which has no environment.
        ec2_request: Ec2Request | None = getattr(request, "environ", {}).get(EC2_REQUEST)
        if ec2_request is None:
            return super()._dispatch(request, full_url, headers)
        form = {key: str(value) for key, value in request.values.items()}

        def moto_respond(sent: Mapping[str, str]) -> Any:
            asked = request if sent == form else _with_form(request, sent)
            # moto needs a new instance of its own class: parsing changes this one.
            return EC2Response()._dispatch(asked, full_url, headers)

        return ec2_request.respond(form, request.environ, moto_respond)


def _with_form(request: Any, form: Mapping[str, str]) -> Any:
    """Return the request with other parameters."""
    body = urlencode(form).encode()
    environ = {name: value for name, value in request.environ.items() if not name.startswith("werkzeug.")}
    return type(request)({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})


@functools.cache
def moto_app() -> Any:
    """Return moto's WSGI application, with the world in front of its EC2."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    class Application(DomainDispatcherApplication):
        # moto lists its folders twice for each request, which took a quarter of the sandbox's time.
        get_backend_for_host = functools.lru_cache(maxsize=1000)(DomainDispatcherApplication.get_backend_for_host)

    install()
    return Application(create_backend_app)


def answer(environ: dict[str, Any]) -> Response:
    """Return moto's response to a request, or the world's to one of EC2.

    Raises:
        Ec2Error: moto does not have the service, or needs a library for it that is not installed.
    """
    try:
        return _answer(environ)
    except ModuleNotFoundError as error:
        raise _unknown_service() from error
    except AttributeError as error:
        host = moto_app().infer_service_region_host(environ, environ.get("PATH_INFO", ""))
        if any(pattern.match(f"https://{host}") for _, pattern in backend_url_patterns):
            raise
        raise _unknown_service() from error


def _unknown_service() -> Ec2Error:
    return Ec2Error("UnknownOperationException", "The sandbox does not have this service.")


def _answer(environ: dict[str, Any]) -> Response:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        started.append((status, headers))

    with contextlib.ExitStack() as stack:
        chunks = moto_app()(environ, start_response)
        if hasattr(chunks, "close"):
            stack.callback(chunks.close)
        body = b"".join(chunks)
    status, headers = started[-1]
    return int(status.split()[0]), headers, body


def find_caller(access_key: str, region: str) -> Caller:
    """Return the user or role that an access key belongs to in moto's IAM.

    Raises:
        Ec2Error: the access key is unknown.
    """
    account, partition = account_of(access_key), partition_of(region)
    user_key = iam_backends[account][partition].access_keys.get(access_key)
    roles = sts_backends[account][partition].assumed_roles
    token = next((role.session_token for role in roles if role.access_key_id == access_key), None)
    headers = {"X-Amz-Security-Token": token} if token else {}
    if user_key is None and token is None:
        raise not_validated()
    try:
        key = create_access_key(account, partition, access_key, headers)
    except CreateAccessKeyFailure:
        raise not_validated() from None
    try:
        policies = key.collect_policies()
    except NotFoundException:  # moto lets a caller assume a role that doesn't exist
        policies = []
    return Caller(arn=key.arn, policies=[_document(policy) for policy in policies])


def _document(policy: Any) -> str:
    if isinstance(policy, str):
        return policy
    if isinstance(policy, dict):
        return str(policy["policy_document"])
    return next(str(version.document) for version in policy.versions if version.is_default)
