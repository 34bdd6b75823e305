"""IAM's condition operators, as far as policies for images, snapshots, keys and parameters use them.

The context has lower-case keys, because those of IAM ignore case. A value is one text, or several for a key with many
values. An operator that isn't known never holds.
"""

import fnmatch
from collections.abc import Mapping
from typing import Any

Context = Mapping[str, str | tuple[str, ...]]


def conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Return True if every condition of a statement holds."""
    return all(
        _holds(operator, context.get(key.lower()), [str(value) for value in as_list(values)])
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def is_like(value: str, pattern: str) -> bool:
    """Return True if the value matches a pattern, in which ``*`` and ``?`` alone are special."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def as_list(value: Any) -> list[Any]:
    """Return what may be one value or a list of them as a list."""
    return value if isinstance(value, list) else [value]


def _holds(operator: str, actual: str | tuple[str, ...] | None, expected: list[str]) -> bool:
    if operator == "Null":
        return (actual is None) is (expected[0].lower() == "true")
    quantifier, _, name = operator.rpartition(":")
    if name.endswith("IfExists"):
        name = name.removesuffix("IfExists")
        if actual is None:
            return True
    values = () if actual is None else (actual,) if isinstance(actual, str) else actual
    match quantifier:
        case "ForAllValues":
            return all(_matches(name, value, expected) for value in values)
        case "ForAnyValue":
            return any(_matches(name, value, expected) for value in values)
        case "" if name in {"StringNotEquals", "StringNotLike"}:
            return all(_matches(name, value, expected) for value in values)  # also without the key
        case "":
            return len(values) == 1 and _matches(name, values[0], expected)
    return False


def _matches(operator: str, value: str, expected: list[str]) -> bool:
    match operator:
        case "StringEquals" | "ArnEquals":
            return value in expected or (operator == "ArnEquals" and any(is_like(value, one) for one in expected))
        case "StringNotEquals":
            return value not in expected
        case "StringLike" | "ArnLike":
            return any(is_like(value, one) for one in expected)
        case "StringNotLike":
            return not any(is_like(value, one) for one in expected)
        case "Bool":
            return value.lower() in [one.lower() for one in expected]
    return False
