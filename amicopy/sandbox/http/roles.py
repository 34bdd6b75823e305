"""AssumeRole and its sessions: who may assume a role, for how long, and credentials that expire.

moto answers the calls, without any of these checks.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from xml.sax.saxutils import unescape

from amicopy.sandbox.accounts import Principal, RoleSession
from amicopy.sandbox.ec2.errors import Ec2Error
from amicopy.sandbox.http.moto_accounts import Role
from amicopy.sandbox.http.resource_policies import allows

_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")
_CHAINED_SECONDS = _DEFAULT_SECONDS = 3600
_JSON_SERVICES = frozenset({"ebs", "kms", "ssm", "organizations", "servicequotas"})


def check_request(form: Mapping[str, str], *, is_chained: bool) -> None:
    """Refuse an AssumeRole that is malformed, or asks for more than an hour with the credentials of a role."""
    if not _ARN.fullmatch(form.get("RoleArn", "")):
        raise Ec2Error("ValidationError", "Request ARN is invalid")
    external_id = form.get("ExternalId")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        raise Ec2Error(
            "ValidationError",
            f"1 validation error detected: Value '{external_id}' at 'externalId' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]*",
        )
    if is_chained and duration_of(form) > _CHAINED_SECONDS:
        raise Ec2Error(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )


def check_trust(form: Mapping[str, str], principal: Principal, role: Role | None, *, is_closed: bool) -> None:
    """Refuse to assume a role that doesn't exist, doesn't trust the caller, or is in a closed account."""
    context = {"sts:rolesessionname": form.get("RoleSessionName", "")}
    if "ExternalId" in form:
        context["sts:externalid"] = form["ExternalId"]
    if role is None or is_closed or not allows(role.trust, principal, "sts:AssumeRole", context):
        raise Ec2Error(
            "AccessDenied",
            f"User: {principal.arn} is not authorized to perform: sts:AssumeRole on resource: {form['RoleArn']}",
            status=403,
        )
    if duration_of(form) > role.max_session_seconds:
        raise Ec2Error(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )


def duration_of(form: Mapping[str, str]) -> int:
    """Return how long the session is to last, in seconds."""
    text = form.get("DurationSeconds", "")
    return int(text) if text.isdigit() else _DEFAULT_SECONDS


def issued_session(
    form: Mapping[str, str], response: bytes, *, account: str, now: datetime
) -> tuple[RoleSession, bytes]:
    """Return the session that moto's response issues, and the response with the time at which it ends by our clock."""
    text = response.decode()
    expires_at = (now + timedelta(seconds=duration_of(form))).replace(microsecond=0)
    session = RoleSession(
        access_key=_element(text, "AccessKeyId"),
        token=_element(text, "SessionToken"),
        account=account,
        role_arn=form["RoleArn"],
        expires_at=expires_at,
    )
    moment = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return session, re.sub("<Expiration>.*?</Expiration>", f"<Expiration>{moment}</Expiration>", text).encode()


def refusal(session: RoleSession, token: str, *, service: str, now: datetime) -> Ec2Error | None:
    """Return why the session's credentials are refused now, as the service words it; None if they aren't."""
    in_json = service in _JSON_SERVICES
    if token != session.token:
        if service == "ec2":
            return Ec2Error("AuthFailure", "AWS was not able to validate the provided access credentials", status=401)
        code = "UnrecognizedClientException" if in_json else "InvalidClientTokenId"
        return Ec2Error(code, "The security token included in the request is invalid", status=400 if in_json else 403)
    if now < session.expires_at:
        return None
    if service == "ec2":
        return Ec2Error("RequestExpired", "Request has expired.")
    code = "ExpiredTokenException" if in_json else "ExpiredToken"
    return Ec2Error(code, "The security token included in the request is expired", status=400 if in_json else 403)


def _element(text: str, name: str) -> str:
    match = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return unescape(match[1]) if match else ""
