"""The table of IAM actions has exactly the calls in the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from amicopy.aws import ebs as ebs
from amicopy.aws import ec2 as ec2
from amicopy.aws import ec2_reads as reader
from amicopy.aws import fast_launches as fast_launches
from amicopy.aws import fast_restores as fast_restores
from amicopy.aws import instances as instances
from amicopy.aws import launch_templates as launch_templates
from amicopy.aws import notifications as notifications
from amicopy.aws import quotas as quotas
from amicopy.aws import ssm as parameters
from amicopy.core.write import WriteOperation
from amicopy.plan.differences import ATTRIBUTES
from amicopy.plan.iam_actions import ACTIONS, Action, Where
from amicopy.plan.iam_needs import BOOT_WRITES, FAST_LAUNCH_WRITES, FAST_RESTORE_WRITES, TEMPLATE_WRITES

CALLING = {"_call", "call", "_described", "_by_id", "_pages", "_paced", "_switch"}
INDIRECT = {str(operation) for attribute in ATTRIBUTES for operation in attribute.purposes}
RETIRING = {"DisableImage", "EnableImage", "DisableImageDeprecation"}  # the source is retired with its copies
READS = ("Describe", "Get", "List")


def _name(function: ast.expr) -> str:
    """Return the last part of a called function's name."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def called() -> Iterator[str]:
    """Yield the EC2 operation of every call in the gateway's source that names one."""
    of_features = (fast_launches, fast_restores, instances, launch_templates)
    modules = (reader, ec2, ebs, *of_features, notifications, parameters, quotas)
    sources = [Path(str(module.__file__)).read_text() for module in modules]
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Call) and node.args and _name(node.func) in CALLING:
            match node.args[0]:
                case ast.Constant(value=str(operation)):
                    yield operation


def test_every_call_is_in_the_table_and_nothing_else_is() -> None:
    assert sorted(action.operation for action in ACTIONS) == sorted(
        {*called(), *INDIRECT, *RETIRING, *FAST_LAUNCH_WRITES}
    )


def test_every_write_operation_is_in_the_table_as_one() -> None:
    written = {action.operation for action in ACTIONS if action.writes and action.service == "ec2"}
    apart = BOOT_WRITES | FAST_RESTORE_WRITES | TEMPLATE_WRITES
    assert {str(operation) for operation in WriteOperation} | apart == written


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: str(action.operation))
def test_what_does_not_begin_like_a_read_writes(action: Action) -> None:
    is_limited = action.operation == "GetConsoleOutput"  # a read, but of amicopy's own instances only
    assert action.writes is not action.operation.startswith(READS) or is_limited


def test_only_retire_and_publish_write_where_the_source_is() -> None:
    writing = [action for action in ACTIONS if action.writes and action.service == "ec2"]
    assert {
        action.operation for action in writing if action.where is not Where.DESTINATION
    } == RETIRING | TEMPLATE_WRITES


def test_actions_are_spelt_as_iam_spells_them() -> None:
    assert {action.name for action in ACTIONS} >= {"ec2:CopyImage", "ec2:DescribeImages"}
