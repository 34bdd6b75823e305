"""The hook into moto: the world's operations are answered here, everything else falls through to moto.

Refuses to keep state: the world comes with each request, so several sandboxes can live in one process.
"""

import functools
import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import unescape

import moto.ec2.urls
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends
from moto.ec2.responses import EC2Response
from moto.iam.access_control import CreateAccessKeyFailure, create_access_key
from moto.iam.exceptions import NotFoundException
from moto.iam.models import get_account_id_from, iam_backends
from moto.kms.models import kms_backends
from moto.sts.models import sts_backends

from amicopy.sandbox.ec2.errors import Ec2Error, not_validated
from amicopy.sandbox.ec2.operations import OPERATIONS
from amicopy.sandbox.faults import ConnectionCut, ForeignPage, TruncatedAnswer
from amicopy.sandbox.http.iam import Caller, Guard
from amicopy.sandbox.http.query_protocol import Wire, error_xml
from amicopy.sandbox.records import KeyFacts
from amicopy.sandbox.settings import partition_of
from amicopy.sandbox.world import World

FRONT = "amicopy.front"  # where a request's environment holds the `Front`
CUT = "amicopy.cut"  # where an answer leaves word that the connection is to be cut
Reply = tuple[int, dict[str, str], str]
# Like most such pages no well-formed XML: botocore takes one that is for an answer without content.
PROXY_PAGE = "<!doctype html><title>Proxy error</title><h1>The proxy could not reach the server</h1><hr>"
# moto has these, but what they make would be invisible to the world.
_WITHHELD = frozenset({"CreateImage", "CreateSnapshots"})
_log = logging.getLogger(__name__)


@functools.cache
def ec2_wire() -> Wire:
    """Return EC2's wire format; the model is loaded once."""
    return Wire(get_service_model("ec2"))


def install() -> None:
    """Put our answers in front of moto's EC2; harmless to a moto that is used without a sandbox."""
    moto.ec2.urls.url_paths["{0}/"] = SandboxEC2Response.dispatch


def forget_moto_state() -> None:
    """Empty every backend of moto's."""
    BackendDict.reset()
    reset_model_data()


def connect(world: World) -> None:
    """Let the world find moto's KMS keys and EBS volumes."""
    world.keys = key_in_kms
    world.volumes = volume_in_moto


def key_in_kms(account: str, region: str, key: str) -> KeyFacts | None:
    """Return what moto's KMS knows of a key: an id, an alias or an ARN of either."""
    if key.startswith("arn:"):
        region, account = key.split(":")[3:5]
    try:
        found = kms_backends[account][region].describe_key(key)
    except (KeyError, AttributeError):  # moto's ways to say that there is none
        return None
    managed = any(str(alias).startswith("alias/aws/") for alias in found.aliases)
    return KeyFacts(
        arn=found.arn,
        state=found.key_state,
        usage=found.key_usage or "ENCRYPT_DECRYPT",  # what CreateKey makes when it is not told
        spec=found.key_spec,
        aws_managed=managed,
    )


def kms_resource(account: str, region: str, body: bytes) -> str | None:
    """Return the ARN that a request to KMS is about, for the policies; None: no single one."""
    try:
        facts = key_in_kms(account, region, json.loads(body)["KeyId"])
    except (ValueError, KeyError, TypeError):
        return None
    return facts.arn if facts else None


def volume_in_moto(account: str, region: str, volume_id: str) -> int | None:
    """Return the size in GiB of a volume that moto holds."""
    volume = ec2_backends[account][region].volumes.get(volume_id)
    return int(volume.size) if volume is not None else None


def account_of(access_key: str) -> str:
    """Return the account that moto takes an access key for."""
    return str(get_account_id_from(access_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """One EC2 request's way to its answer."""

    world: World
    guard: Guard | None
    region: str
    account: str
    access_key: str

    def reply(self, form: Mapping[str, str], environ: dict[str, Any], moto_reply: Callable[[], Any]) -> Any:
        """Answer an EC2 request; whatever happens, in EC2's own format."""
        name, request_id = form.get("Action", ""), str(uuid.uuid4())
        headers = {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-requestid": request_id}
        try:
            answer = self._answer(name, form, moto_reply)
            return answer if isinstance(answer, tuple) else (200, headers, _xml(name, answer, request_id))
        except Ec2Error as error:
            refusal = error
        except ConnectionCut as cut:
            environ[CUT] = cut.hang_seconds
            return 500, headers, ""
        except ForeignPage as page:
            return page.status, {"Content-Type": "text/html"}, PROXY_PAGE
        except TruncatedAnswer as broken:
            whole = broken.answer[2] if isinstance(broken.answer, tuple) else _xml(name, broken.answer, request_id)
            return 200, headers, whole[: len(whole) // 2]
        except NotImplementedError:
            refusal = Ec2Error("InvalidAction", f"The action {name} is not part of this sandbox.")
        except Exception:
            _log.exception("a bug in the sandbox, or in moto, met by %s", name)
            refusal = Ec2Error("InternalError", "An internal error has occurred", 500)
        return refusal.status, headers, error_xml(refusal, request_id)

    def _answer(self, name: str, form: Mapping[str, str], moto_reply: Callable[[], Any]) -> Any:
        try:
            params = ec2_wire().read(name, form)
            denied = self._check(name, params)
        except Ec2Error as error:
            return self._pass_on(name, dict(form), _raiser(error))
        if name in _WITHHELD:
            return self._pass_on(name, params, _raiser(NotImplementedError()))
        if name in OPERATIONS and _is_ours(name, params):
            return self.world.call(name, params, region=self.region, account=self.account, denied=denied)
        return self._pass_on(name, params, lambda: _without_error(moto_reply()))

    def _check(self, name: str, params: Mapping[str, Any]) -> frozenset[str]:
        """Refuse what the caller may not do; return what EC2 may not do along with it for the caller."""
        if self.guard is None:
            return frozenset()
        snapshot_ids: list[str] = []
        if name == "CopyImage":
            held = self.world.state.images[params.get("SourceRegion", "")]
            source = held.get(params.get("SourceImageId", ""))
            snapshot_ids = source.snapshot_ids if source else []
        key, region = self.access_key, self.region
        self.guard.check(name, params, source_snapshot_ids=snapshot_ids, access_key=key, region=region)
        if name == "DeregisterImage" and not self.guard.permits("DeleteSnapshot", access_key=key, region=region):
            return frozenset({"DeleteSnapshot"})
        return frozenset()

    def _pass_on(self, name: str, params: Mapping[str, Any], answer: Callable[[], Any]) -> Any:
        return self.world.pass_on(name, params, region=self.region, account=self.account, answer=answer)


def _xml(name: str, answer: Mapping[str, Any], request_id: str) -> str:
    return ec2_wire().answer(name, answer, request_id)


def _without_error(reply: Any) -> Any:
    """Return moto's answer, or raise its refusal so that it ends up in the world's log."""
    status, _headers, body = reply
    code = re.search("<Code>(.*?)</Code>", body) if status >= 400 else None
    if code is None:
        return reply
    message = re.search("<Message>(.*?)</Message>", body, re.DOTALL)
    raise Ec2Error(unescape(code[1]), unescape(message[1]) if message else "", status)


def _raiser(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def _is_ours(name: str, params: Mapping[str, Any]) -> bool:
    """Say whether a tag operation concerns images and snapshots: the tags of all else are moto's."""
    if name in ("CreateTags", "DeleteTags"):
        resources = params.get("Resources") or []
        return not resources or any(resource.startswith(("ami-", "snap-")) for resource in resources)
    if name == "DescribeTags":
        wanted = {item.get("Name"): item.get("Values") or [] for item in params.get("Filters") or []}
        kinds, ids = wanted.get("resource-type", []), wanted.get("resource-id", [])
        return all(kind in ("image", "snapshot") for kind in kinds) and all(
            resource.startswith(("ami-", "snap-", "*")) for resource in ids
        )
    return True


class SandboxEC2Response(EC2Response):
    """moto's EC2, with a sandbox in front wherever a request brings one along."""

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        # In-process, some versions of moto hand over botocore's own request, which has no environment.
        front: Front | None = getattr(request, "environ", {}).get(FRONT)
        if front is None:
            return super()._dispatch(request, full_url, headers)
        form = {key: str(value) for key, value in request.values.items()}
        # moto wants a fresh instance of its own class: parsing has side effects on this one.
        return front.reply(form, request.environ, lambda: EC2Response()._dispatch(request, full_url, headers))


@functools.cache
def moto_app() -> Any:
    """Return moto's WSGI application, with our answers in front of its EC2."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    install()
    return DomainDispatcherApplication(create_backend_app)


def caller_in_iam(access_key: str, region: str) -> Caller:
    """Return who calls, and what their policies say, from moto's IAM.

    Raises:
        Ec2Error: nobody has this access key.
    """
    account, partition = account_of(access_key), partition_of(region)
    held = iam_backends[account][partition].access_keys.get(access_key)
    roles = sts_backends[account][partition].assumed_roles
    token = next((role.session_token for role in roles if role.access_key_id == access_key), None)
    headers = {"X-Amz-Security-Token": token} if token else {}
    if held is None and token is None:
        raise not_validated()
    try:
        key = create_access_key(account, partition, access_key, headers)
    except CreateAccessKeyFailure:
        raise not_validated() from None
    try:
        policies = key.collect_policies()
    except NotFoundException:  # moto lets a role be assumed that does not exist
        policies = []
    return key.arn, [_document(policy) for policy in policies]


def _document(policy: Any) -> str:
    if isinstance(policy, str):
        return policy
    if isinstance(policy, dict):
        return str(policy["policy_document"])
    return next(str(version.document) for version in policy.versions if version.is_default)
