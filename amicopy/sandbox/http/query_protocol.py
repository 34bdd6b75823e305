"""EC2's query protocol on the server side: parses requests, writes responses and errors.

Strict where asked: a parameter or a value that EC2's model doesn't know is an error. Nothing here is specific to an
operation.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import OperationModel, OperationNotFoundError, ServiceModel, Shape
from botocore.serialize import create_serializer

from amicopy.sandbox.ec2.errors import Ec2Error, invalid_value

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
# What a request contains besides the operation's own parameters.
_ENVELOPE = re.compile(r"Action|Version|AWSAccessKeyId|Signature(Method|Version)?|Timestamp|X-Amz-.*")
_Tree = dict[str, Any]


class QueryProtocol:
    """Requests and responses of one service, as its model describes them."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model

    def operation(self, name: str) -> OperationModel:
        """Return the operation's model.

        Raises:
            Ec2Error: the service has no such action.
        """
        try:
            return self._model.operation_model(name)
        except OperationNotFoundError:
            raise Ec2Error("InvalidAction", f"The action {name} is not valid for this web service.") from None

    def parse(self, name: str, form: Mapping[str, str], *, strict: bool = True) -> dict[str, Any]:
        """Return the parameters of a request in boto3's shape.

        Unless ``strict``, parameters that the model doesn't know are left out, and values aren't held to its lists.

        Raises:
            Ec2Error: a parameter is unknown, or its value has the wrong type.
        """
        shape = self.operation(name).input_shape
        tree: _Tree = {}
        for key, value in form.items():
            if _ENVELOPE.fullmatch(key):
                continue
            at = tree
            *parents, leaf = key.split(".")
            for part in parents:
                at = at.setdefault(part, {})
                if not isinstance(at, dict):
                    raise _unknown(key)
            if isinstance(at.get(leaf), dict):
                raise _unknown(key)
            at[leaf] = value
        if shape is None:
            if tree and strict:
                raise _unknown(next(iter(tree)))
            return {}
        return dict(_Parser(strict=strict).parse(shape, tree, ""))

    def form(self, name: str, params: Mapping[str, Any]) -> dict[str, str]:
        """Return the form that a client sends for these parameters."""
        serializer = create_serializer("ec2", include_validation=False)
        body = serializer.serialize_to_request(dict(params), self.operation(name))["body"]
        return {key: str(value) for key, value in body.items()}

    def serialize(self, name: str, response: Mapping[str, Any], request_id: str) -> str:
        """Return a response as XML, without members that are None."""
        shape = self.operation(name).output_shape
        inside = f"<requestId>{request_id}</requestId>"
        if shape is None or not shape.members:
            inside += "<return>true</return>"
        else:
            inside += _members(shape, response)
        return f'{_DECLARATION}<{name}Response xmlns="{_NAMESPACE}">{inside}</{name}Response>'


def error_xml(error: Ec2Error, request_id: str) -> str:
    """Return an error as EC2 sends it."""
    inside = f"<Code>{_text(error.code)}</Code><Message>{_text(error.message)}</Message>"
    inside = f"<Errors><Error>{inside}</Error></Errors><RequestID>{request_id}</RequestID>"
    return f"{_DECLARATION}<Response>{inside}</Response>"


def _unknown(key: str) -> Ec2Error:
    return Ec2Error("UnknownParameter", f"The parameter {key} is not recognized")


def _sent_name(name: str, shape: Shape) -> str:
    # EC2's rule: the query name, else the capitalized location name, else the member's own name.
    if "queryName" in shape.serialization:
        return str(shape.serialization["queryName"])
    located = shape.serialization.get("name")
    return f"{located[0].upper()}{located[1:]}" if located else name


class _Parser:
    def __init__(self, *, strict: bool) -> None:
        self._strict = strict

    def parse(self, shape: Shape, value: Any, path: str) -> Any:
        if shape.type_name == "structure":
            return self._structure(shape, value, path)
        if shape.type_name == "list":
            return self._list(shape, value, path)
        if isinstance(value, dict):
            raise _unknown(f"{path}.{next(iter(value))}")
        return self._scalar(shape, value, path)

    def _structure(self, shape: Shape, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unknown(path)
        names = {_sent_name(name, member): name for name, member in shape.members.items()}
        members = {}
        for sent, inner in value.items():
            where = f"{path}.{sent}" if path else sent
            if sent in names:
                members[names[sent]] = self.parse(shape.members[names[sent]], inner, where)
            elif self._strict:
                raise _unknown(where)
        return members

    def _list(self, shape: Shape, value: Any, path: str) -> list[Any]:
        if not isinstance(value, dict):
            raise _unknown(path)
        for index in value:
            if not index.isdigit():
                raise _unknown(f"{path}.{index}")
        return [self.parse(shape.member, value[index], f"{path}.{index}") for index in sorted(value, key=int)]

    def _scalar(self, shape: Shape, text: str, path: str) -> Any:
        kind = shape.type_name
        if kind == "boolean":
            if text.lower() not in ("true", "false"):
                raise invalid_value(text, path, "Invalid boolean value.")
            return text.lower() == "true"
        if kind in ("integer", "long"):
            if not re.fullmatch(r"-?\d{1,19}", text):
                raise invalid_value(text, path, "Invalid integer value.")
            return int(text)
        if kind in ("float", "double"):
            try:
                return float(text)
            except ValueError:
                raise invalid_value(text, path, "Invalid number.") from None
        if kind == "timestamp":
            return _parse_time(text, path)
        if kind == "blob":
            return base64.b64decode(text)
        allowed = getattr(shape, "enum", None)
        # An operation refuses the types that it can't tag in its own words.
        is_tagged_type = re.fullmatch(r"TagSpecification\.\d+\.ResourceType", path)
        if allowed and text not in allowed and self._strict and not is_tagged_type:
            raise invalid_value(text, path, f"Allowed values: {', '.join(allowed)}." if len(allowed) < 20 else "")
        return text


def _parse_time(text: str, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_value(text, path, "Invalid date and time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _members(shape: Shape, value: Mapping[str, Any]) -> str:
    return "".join(
        _write(member, value[name], member.serialization.get("name", name))
        for name, member in shape.members.items()
        if value.get(name) is not None
    )


def _write(shape: Shape, value: Any, name: str) -> str:
    if shape.type_name == "structure":
        inside = _members(shape, value)
    elif shape.type_name == "list":
        item = shape.member.serialization.get("name", "item")
        inside = "".join(_write(shape.member, element, item) for element in value)
    elif shape.type_name == "boolean":
        inside = "true" if value else "false"
    elif shape.type_name == "timestamp":
        inside = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    elif shape.type_name == "blob":
        inside = base64.b64encode(value).decode()
    else:
        inside = _text(str(value))
    return f"<{name}>{inside}</{name}>"


# XML 1.0 can't represent most control characters.
_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(text: str) -> str:
    return escape(_UNWRITABLE.sub("\ufffd", text), {"\r": "&#13;"})
