"""IAM's condition operators, as the sandbox evaluates them."""

from typing import Any

import pytest

from amicopy.sandbox.http.iam_conditions import Context, conditions_hold, is_like

TAGGED: Context = {"aws:resourcetag/amicopy:source": "us-east-1/ami-1", "aws:tagkeys": ("Name", "team")}


@pytest.mark.parametrize(
    ("operator", "key", "expected", "holds"),
    [
        ("Null", "aws:ResourceTag/amicopy:source", "false", True),
        ("Null", "aws:ResourceTag/amicopy:source", "true", False),
        ("Null", "aws:ResourceTag/other", "false", False),
        ("Null", "aws:ResourceTag/other", "true", True),
        ("StringEquals", "AWS:ResourceTag/Amicopy:Source", "us-east-1/ami-1", True),
        ("StringEquals", "aws:ResourceTag/amicopy:source", "us-east-1/*", False),
        ("StringLike", "aws:ResourceTag/amicopy:source", ["eu-*", "us-east-1/*"], True),
        ("StringNotEquals", "aws:ResourceTag/amicopy:source", "us-east-1/ami-1", False),
        ("StringNotEquals", "aws:ResourceTag/other", "x", True),
        ("StringNotLike", "aws:ResourceTag/amicopy:source", "us-*", False),
        ("StringEqualsIfExists", "aws:ResourceTag/other", "x", True),
        ("StringEqualsIfExists", "aws:ResourceTag/amicopy:source", "x", False),
        ("Bool", "aws:ResourceTag/amicopy:source", "true", False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["team"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["owner"], False),
        ("ForAnyValue:StringEquals", "kms:ResourceAliases", ["alias/a"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "Name"], True),
        ("ForAllValues:StringEquals", "kms:ResourceAliases", ["alias/a"], True),
        ("NumericLessThan", "aws:TagKeys", "3", False),
    ],
)
def test_an_operator_holds_as_in_iam(operator: str, key: str, expected: Any, holds: bool) -> None:
    assert conditions_hold({operator: {key: expected}}, TAGGED) is holds


def test_every_condition_has_to_hold() -> None:
    first = {"aws:ResourceTag/amicopy:source": "us-east-1/ami-1"}
    assert conditions_hold({"StringEquals": first}, TAGGED)
    assert not conditions_hold({"StringEquals": first | {"aws:ResourceTag/other": "x"}}, TAGGED)
    assert not conditions_hold({"StringEquals": first, "Null": {"aws:TagKeys": "true"}}, TAGGED)


def test_brackets_are_letters() -> None:
    assert is_like("arn:aws:ssm:::parameter/a[1]", "arn:*:parameter/a[1]")
    assert not is_like("arn:aws:ssm:::parameter/a1", "arn:*:parameter/a[1]")
