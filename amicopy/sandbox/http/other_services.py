"""Requests to services other than EC2: moto answers them, and this module adds what moto leaves out.

Roles are assumed as their trust policies allow, KMS keys are used across accounts as their policies and grants allow,
and only the management account of an organization sees its accounts.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from amicopy.sandbox.accounts import Principal
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.faults import PAGES, EmptyPage, ProxyPage, TruncatedResponse
from amicopy.sandbox.http import account_service, moto_accounts, moto_adapter, moto_keys, roles
from amicopy.sandbox.http.moto_adapter import Response
from amicopy.sandbox.http.query_protocol import error_xml
from amicopy.sandbox.http.signed_request import SignedRequest

# Operations of STS whose callers have no AWS credentials yet.
UNSIGNED = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
XML = [("Content-Type", "text/xml;charset=UTF-8")]
_JSON = [("Content-Type", "application/x-amz-json-1.1")]
_SECOND_PAGE = "sandbox-second-page"  # the token that comes with an empty first page


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest(SignedRequest):
    """A request to a service other than EC2."""

    def respond(self, environ: dict[str, Any]) -> Response:
        """Return the response, always in the format of the service, unless a fault says otherwise.

        Raises:
            ConnectionCut: close the connection without a response.
        """
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        body: bytes = environ["wsgi.input"].read()
        _set_body(environ, body)
        in_json = bool(target) or "x-www-form-urlencoded" not in environ.get("CONTENT_TYPE", "")
        params = _json(body) if in_json else dict(parse_qsl(body.decode(errors="replace")))
        operation = target.rpartition(".")[2] or params.get("Action", "") or environ["REQUEST_METHOD"]
        if self.service == "account":
            operation = account_service.operation_of(environ.get("PATH_INFO", ""))

        def respond() -> Response:
            self._authorize(operation, body)
            return self._answer(operation, params, environ)

        try:
            return self.world.serve(
                operation,
                params,
                region=self.region,
                account=self.account,
                service=self.service,
                respond=respond,
            )
        except Ec2Error as error:
            return _error(error, in_json=in_json)
        except EmptyPage:
            return 200, _JSON, json.dumps({PAGES[operation]: [], "NextToken": _SECOND_PAGE}).encode()
        except ProxyPage as page:
            return page.status, [("Content-Type", "text/html")], moto_adapter.PROXY_PAGE.encode()
        except TruncatedResponse as truncated:
            status, headers, whole = truncated.response
            return status, headers, whole[: len(whole) // 2]

    def _authorize(self, operation: str, body: bytes) -> None:
        """Refuse credentials that have expired, and calls that the caller's policies don't allow."""
        if self.refused is not None:
            raise self.refused
        if self.authorizer is None or operation in UNSIGNED:
            return
        resource = moto_adapter.named_resource(self.service, self.account, self.region, body)
        self.authorizer.authorize_service(
            self.service, operation, resource, access_key=self.access_key, region=self.region
        )

    def _answer(self, operation: str, params: Mapping[str, Any], environ: dict[str, Any]) -> Response:
        match self.service:
            case "sts" if operation in ("AssumeRole", *UNSIGNED):
                return self._assume_role(operation, params, environ)
            case "account" if operation in account_service.OPERATIONS:
                answer = account_service.answer(operation, params, account=self.account, state=self.world.state)
                return 200, _JSON, json.dumps(answer).encode()
            case "kms":
                return self._kms(operation, params, environ)
            case "organizations":
                environ["HTTP_X_MOTO_ACCOUNT_ID"] = moto_accounts.account_for(operation, self.account)
                if params.get("NextToken") == _SECOND_PAGE:
                    rest = {name: value for name, value in params.items() if name != "NextToken"}
                    _set_body(environ, json.dumps(rest).encode())
            case "servicequotas" if operation == "GetServiceQuota":  # moto has no quotas of EC2
                return self._quota(str(params.get("QuotaCode")))
        return moto_adapter.answer(environ)

    def _principal(self) -> Principal:
        return moto_accounts.principal_of(self.access_key, self.account, self.region, self.session)

    def _assume_role(self, operation: str, form: Mapping[str, str], environ: dict[str, Any]) -> Response:
        state, now = self.world.state, self.world.clock.now()
        if operation == "AssumeRole":
            roles.check_request(form, is_chained=self.session is not None)
            if state.accounts:
                arn = form["RoleArn"]
                is_closed = moto_accounts.is_suspended(arn.split(":")[4])
                roles.check_trust(form, self._principal(), moto_accounts.find_role(arn), is_closed=is_closed)
        status, headers, body = moto_adapter.answer(environ)
        if status == 200:
            account = form["RoleArn"].split(":")[4]
            session, body = roles.issued_session(form, body, account=account, now=now)
            state.sessions[session.access_key] = session
        return status, headers, body

    def _kms(self, operation: str, params: Mapping[str, Any], environ: dict[str, Any]) -> Response:
        account = moto_keys.account_for(operation, params, self._principal(), self.region)
        answer = moto_keys.answer(
            operation,
            params,
            account=account,
            region=self.region,
            caller=self.account,
            now=self.world.clock.now(),
        )
        if answer is not None:
            return 200, _JSON, json.dumps(answer).encode()
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        return moto_adapter.answer(environ)

    def _quota(self, code: str) -> Response:
        """Return the quota of public images; there are no others."""
        if code != "L-0E3CBAB9":
            raise Ec2Error("NoSuchResourceException", "The specified resource does not exist.")
        limit = self.world.state.settings_of(self.account, self.region).public_images_limit
        quota = {"ServiceCode": "ec2", "QuotaCode": code, "Value": float(limit), "Adjustable": True}
        return 200, _JSON, json.dumps({"Quota": quota}).encode()


def _json(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _set_body(environ: dict[str, Any], body: bytes) -> None:
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))


def _error(error: Ec2Error, *, in_json: bool) -> Response:
    if in_json:
        headers = [*_JSON, ("x-amzn-ErrorType", error.code)]
        return error.status, headers, json.dumps({"__type": error.code, "message": error.message}).encode()
    envelope = error_xml(error, "refused").replace("<Response><Errors>", "<ErrorResponse>")
    envelope = envelope.replace("</Errors>", "").replace("RequestID>", "RequestId>")
    return error.status, XML, envelope.replace("</Response>", "</ErrorResponse>").encode()
