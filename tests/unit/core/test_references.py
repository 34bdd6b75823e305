"""What uses an image, in words."""

import pytest

from amicopy.core.references import users_text

EC2 = "arn:aws:ec2:us-east-1:111122223333"
RECIPE = "arn:aws:imagebuilder:us-east-1:111122223333:image-recipe/web/1.0.0"


@pytest.mark.parametrize(
    ("arns", "text"),
    [
        ([f"{EC2}:instance/i-1"], "instance i-1 uses"),
        ([f"{EC2}:instance/i-1"] * 2, "instance i-1 uses"),
        ([f"{EC2}:instance/i-1", f"{EC2}:instance/i-2"], "2 instances (such as i-1) use"),
        (
            [f"{EC2}:instance/i-1", RECIPE, f"{EC2}:launch-template/lt-1"],
            "instance i-1, image recipe web/1.0.0 and launch template lt-1 use",
        ),
        (["arn:something:else"], "arn:something:else uses"),
        (["arn:1", "arn:aws:a:b:c:d"], "2 resources (such as arn:1) use"),
    ],
)
def test_each_kind_is_named_with_one_example(arns: list[str], text: str) -> None:
    assert users_text(arns) == text
