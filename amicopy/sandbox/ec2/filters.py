"""Filters and pagination, the same for all Describe operations."""

import base64
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from amicopy.sandbox.ec2 import errors
from amicopy.sandbox.state import Call

Row = TypeVar("Row")
Column = Callable[[Row], Iterable[str]]
MAX_VALUES = 200


def apply_filters(
    filters: Sequence[Mapping[str, Any]] | None,
    rows: Iterable[Row],
    *,
    columns: Mapping[str, Column[Row]],
    tags: Callable[[Row], Mapping[str, str]],
) -> list[Row]:
    """Return the rows that match every filter. A row matches a filter if it matches any of its values.

    ``columns`` maps the name of a filter to the values that a row has for it.
    """
    kept = list(rows)
    for item in filters or []:
        name, values = item.get("Name") or "", item.get("Values") or []
        if not name:
            raise errors.missing_parameter("Filter.Name")
        if len(values) > MAX_VALUES:
            raise errors.Ec2Error(
                "FilterLimitExceeded",
                f"The maximum number of filter values specified on a single call is {MAX_VALUES}",
            )
        matches = _matcher(tuple(values))
        column = _column(name, columns, tags)
        kept = [row for row in kept if any(matches(value) for value in column(row))]
    return kept


def _column(name: str, columns: Mapping[str, Column[Row]], tags: Callable[[Row], Mapping[str, str]]) -> Column[Row]:
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda row: [tags(row)[key]] if key in tags(row) else []
    if name == "tag-key":
        return lambda row: tags(row)
    if name in columns:
        return columns[name]
    raise errors.Ec2Error("InvalidParameterValue", f"The filter '{name}' is invalid")


def _matcher(values: tuple[str, ...]) -> Callable[[str], bool]:
    exact = {value for value in values if not set(value) & set("*?\\")}
    patterns = [_pattern(value) for value in values if value not in exact]
    return lambda text: text in exact or any(pattern.fullmatch(text) for pattern in patterns)


@functools.lru_cache(maxsize=1024)
def _pattern(value: str) -> re.Pattern[str]:
    # A backslash escapes the wildcard after it.
    parts = re.findall(r"\\[*?\\]|.", value, flags=re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


def boolean_text(value: object) -> str:
    """Return a boolean as filters spell it."""
    return "true" if value else "false"


def refuse_pages_of_ids(call: Call, ids: str) -> None:
    """Refuse MaxResults together with the parameter ``ids``."""
    if call.params.get(ids) and call.params.get("MaxResults") is not None:
        name = f"{ids[0].lower()}{ids[1:]}"
        raise errors.invalid_combination(
            f"The parameter {name} cannot be used with the parameter maxResults. Remove maxResults and try again."
        )


def paginate(call: Call, rows: Sequence[Any], *, key: str, min_results: int = 1) -> dict[str, Any]:
    """Return the requested page of ``rows`` as the member ``key``, with the token of the next page."""
    max_results, token = call.params.get("MaxResults"), call.params.get("NextToken")
    if max_results is None and token is None:
        return {key: list(rows)}
    if max_results is not None and not min_results <= max_results <= 1000:
        raise errors.invalid_value(max_results, "maxResults", f"Expecting a value between {min_results} and 1000.")
    start = _offset(token) if token else 0
    end = start + (max_results or 1000)
    response: dict[str, Any] = {key: list(rows[start:end])}
    if end < len(rows):
        response["NextToken"] = base64.urlsafe_b64encode(f"from:{end}".encode()).decode()
    return response


def _offset(token: str) -> int:
    try:
        name, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if name == "from" and number.isdigit():
            return int(number)
    except ValueError:
        pass
    raise errors.invalid_value(token, "nextToken", "Token is not valid.")
