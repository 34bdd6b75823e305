"""A DynamoDB table whose items are changed under conditions, so that of several processes one comes through."""

from collections.abc import Mapping
from typing import Any

from amicopy.aws.client import CallCounter, ServiceClient
from amicopy.aws.session import Session
from amicopy.core.errors import RequestRefused

_NOT_MET = "ConditionalCheckFailedException"
_KEY = "round"  # the table's partition key

Item = Mapping[str, Any]
"""Attributes by name, as DynamoDB types them: ``{"N": "1"}``."""


class ConditionalTable:
    """The table that the functions share."""

    def __init__(self, session: Session, region: str, calls: CallCounter, table: str) -> None:
        self._table = table
        self._call = ServiceClient(session, "dynamodb", region, calls)

    def get(self, key: str) -> Item:
        """Return an item; an empty one if there is none.

        AWS: DynamoDB GetItem.
        """
        answer = self._call("GetItem", TableName=self._table, Key=_key(key), ConsistentRead=True)
        item: Item = answer.get("Item", {})
        return item

    def update(
        self, key: str, expression: str, values: Item, *, condition: str, names: Mapping[str, str] | None = None
    ) -> Item | None:
        """Change an item, or make it, if it meets the condition; return it as it is then, or None if it does not.

        AWS: DynamoDB UpdateItem with a condition.
        """
        try:
            answer = self._call(
                "UpdateItem",
                TableName=self._table,
                Key=_key(key),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=dict(values),
                ReturnValues="ALL_NEW",
                **({"ExpressionAttributeNames": dict(names)} if names else {}),
            )
        except RequestRefused as error:
            if error.code == _NOT_MET:
                return None
            raise
        item: Item = answer["Attributes"]
        return item


def number(item: Item, name: str) -> float:
    """Return a number of an item; 0 if it has none of that name."""
    return float(item.get(name, {}).get("N", 0))


def text(item: Item, name: str) -> str:
    """Return a text of an item; an empty one if it has none of that name."""
    return str(item.get(name, {}).get("S", ""))


def _key(key: str) -> dict[str, Any]:
    return {_KEY: {"S": key}}
