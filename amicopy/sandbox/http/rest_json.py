"""The EBS direct APIs on the wire: paths, headers and JSON (botocore's model "ebs", protocol rest-json)."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from amicopy.sandbox.ec2.errors import EbsError, Ec2Error

Response = tuple[int, list[tuple[str, str]], bytes]

_ROUTES = (
    ("GET", re.compile(r"/snapshots/([^/]+)/blocks/([^/]+)"), "GetSnapshotBlock"),
    ("GET", re.compile(r"/snapshots/([^/]+)/blocks"), "ListSnapshotBlocks"),
    ("GET", re.compile(r"/snapshots/([^/]+)/changedblocks"), "ListChangedBlocks"),
    ("POST", re.compile(r"/snapshots"), "StartSnapshot"),
    ("PUT", re.compile(r"/snapshots/([^/]+)/blocks/([^/]+)"), "PutSnapshotBlock"),
    ("POST", re.compile(r"/snapshots/completion/([^/]+)"), "CompleteSnapshot"),
)
_QUERY = {
    "blockToken": "BlockToken",
    "pageToken": "NextToken",
    "maxResults": "MaxResults",
    "startingBlockIndex": "StartingBlockIndex",
}
_NUMBERS = {"BlockIndex", "MaxResults", "StartingBlockIndex"}
_HEADERS = {
    "DataLength": "x-amz-Data-Length",
    "Checksum": "x-amz-Checksum",
    "ChecksumAlgorithm": "x-amz-Checksum-Algorithm",
}
# What a fault for any service is called here: code, reason and HTTP status.
_SPELLINGS = {
    "RequestLimitExceeded": ("RequestThrottledException", "ACCOUNT_THROTTLED", 400),
    "InternalError": ("InternalServerException", "", 500),
    "AuthFailure": ("AccessDeniedException", "UNAUTHORIZED_ACCOUNT", 403),
}
# Members of this service's errors that a client may rely on.
_REASONS = {"AccessDeniedException": "UNAUTHORIZED_ACCOUNT"}


def parse(environ: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the operation that a request calls and its parameters, as far as they are in its path and its query.

    Raises:
        EbsError: there is no such operation, or a number isn't one.
    """
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    for verb, pattern, operation in _ROUTES:
        match = pattern.fullmatch(path)
        if verb != method or match is None:
            continue
        params: dict[str, Any] = dict(zip(("SnapshotId", "BlockIndex"), map(unquote, match.groups()), strict=False))
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        params |= {name: query[sent] for sent, name in _QUERY.items() if sent in query}
        return operation, {name: _number(name, text) if name in _NUMBERS else text for name, text in params.items()}
    raise EbsError("UnknownOperationException", "", f"There is no operation {method} {path}.", 404)


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,10}", text):
        raise EbsError("ValidationException", "INVALID_PARAMETER_VALUE", f"{name} is not a number: {text!r}.")
    return int(text)


def serialize(response: Mapping[str, Any]) -> Response:
    """Return a response on the wire: a block as the body with its checksum in headers, anything else as JSON."""
    headers = [("x-amzn-RequestId", str(uuid.uuid4()))]
    if "BlockData" not in response:
        return 200, [*headers, ("Content-Type", "application/json")], json.dumps(dict(response)).encode()
    headers += [(sent, str(response[name])) for name, sent in _HEADERS.items()]
    return 200, [*headers, ("Content-Type", "application/octet-stream")], response["BlockData"]


def serialize_error(error: Ec2Error) -> Response:
    """Return an error on the wire, spelled as this service spells it."""
    code, reason, status = _SPELLINGS.get(error.code, (error.code, getattr(error, "reason", ""), error.status))
    body = {"Message": error.message, "Reason": reason or _REASONS.get(code, "")}
    headers = [
        ("x-amzn-RequestId", str(uuid.uuid4())),
        ("x-amzn-ErrorType", code),
        ("Content-Type", "application/json"),
    ]
    return status, headers, json.dumps({name: value for name, value in body.items() if value}).encode()
