"""The cut model of EC2: every operation that amicopy calls is in it, and all that those need."""

import ast
from pathlib import Path
from typing import Any

import botocore.session
import pytest

import amicopy
from amicopy.aws.startup.ec2_model import cut
from tests.support.installed import INSTALLED_OPERATIONS

PACKAGE = Path(amicopy.__file__).parent
OTHERS = {PACKAGE / "aws" / "startup" / "ec2_model.py", *(PACKAGE / "sandbox").rglob("*.py")}


@pytest.fixture(scope="module")
def whole() -> Any:
    """EC2's model as botocore ships it."""
    return botocore.session.Session().get_service_data("ec2")


def test_the_operations_are_those_that_the_code_names(whole: Any) -> None:
    named = {
        node.value
        for path in PACKAGE.rglob("*.py")
        if path not in OTHERS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert named & whole["operations"].keys() == set(INSTALLED_OPERATIONS)


def test_the_cut_model_has_these_operations_only(whole: Any) -> None:
    model = cut(whole)
    assert set(model["operations"]) == set(INSTALLED_OPERATIONS)
    assert model["metadata"] == whole["metadata"]
    assert 0 < len(model["shapes"]) < len(whole["shapes"]) / 10


def test_every_shape_that_is_referred_to_is_there() -> None:
    model = cut(
        a_model(
            Input={"type": "structure", "members": {"Tags": {"shape": "Tags"}}},
            Tags={"type": "list", "member": {"shape": "Tag", "locationName": "item"}},
            Tag={"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Tags"}},
            Text={"type": "string"},
            Unused={"type": "string"},
        ),
        ["CopyImage"],
    )
    assert set(model["shapes"]) == {"Input", "Tags", "Tag", "Text"}


def test_members_that_are_called_shape_or_documentation_are_kept() -> None:
    members = {"shape": {"shape": "Text"}, "documentation": {"shape": "Text", "documentation": "<p>Long.</p>"}}
    model = cut(
        a_model(
            Input={"type": "structure", "members": members, "documentation": "<p>Longer.</p>"}, Text={"type": "string"}
        ),
        ["CopyImage"],
    )
    assert model["shapes"] == {
        "Input": {"type": "structure", "members": {"shape": {"shape": "Text"}, "documentation": {"shape": "Text"}}},
        "Text": {"type": "string"},
    }


def test_every_modelled_exception_is_kept() -> None:
    refused = {"type": "structure", "members": {}, "exception": True}
    assert cut(a_model(Input={"type": "structure"}, Refused=refused), ["CopyImage"])["shapes"]["Refused"] == refused


def test_a_model_that_lacks_a_shape_or_an_operation_is_refused() -> None:
    with pytest.raises(KeyError):
        cut(a_model(), ["CopyImage"])
    with pytest.raises(KeyError):
        cut(a_model(Input={"type": "structure"}), ["CopyImage", "ModifyTheWeather"])


def test_the_model_that_is_cut_stays_as_it_is() -> None:
    model = a_model(Input={"type": "structure", "documentation": "Long."})
    cut(model, ["CopyImage"])
    assert model == a_model(Input={"type": "structure", "documentation": "Long."})


def a_model(**shapes: Any) -> dict[str, Any]:
    """Return a model with CopyImage, whose input is the shape ``Input``, and another operation."""
    return {
        "metadata": {"protocol": "ec2"},
        "operations": {
            "CopyImage": {"name": "CopyImage", "input": {"shape": "Input"}, "documentation": "Long."},
            "RunInstances": {"name": "RunInstances", "input": {"shape": "Unused"}},
        },
        "shapes": shapes,
    }
