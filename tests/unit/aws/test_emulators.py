"""How emulators fail, told apart from failures of AWS, of a proxy and of our own."""

from typing import Any

import pytest
from botocore.hooks import HierarchicalEmitter

from amicopy.aws.emulators import ErrorPage, failure_of_emulator, may_pass, raise_for_error_page
from amicopy.aws.error_mapping import our_error
from amicopy.core.errors import OperationNotImplemented, RequestRefused

MOTO = {"Server": "Werkzeug/3.1.9 Python/3.11.7", "Content-Type": "text/html; charset=utf-8"}


def raised_in_a_handler(error: Exception, module: str) -> Exception:
    """Return the error as it comes out of botocore when an event handler of that module raises it."""
    names: dict[str, Any] = {"__name__": module, "error": error}
    exec("def handler(**_):\n    raise error", names)
    emitter = HierarchicalEmitter()
    emitter.register("before-send", names["handler"])
    with pytest.raises(type(error)) as caught:
        emitter.emit("before-send")
    return caught.value


def test_an_error_page_of_moto_s_server_is_raised() -> None:
    with pytest.raises(ErrorPage, match="status 500; its log has the reason"):
        raise_for_error_page({"status_code": 500, "headers": MOTO}, operation_model=None)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (500, {"Server": "AmazonEC2", "Content-Type": "text/xml;charset=UTF-8"}),
        (500, {"Content-Type": "text/html"}),
        (502, {"Server": "nginx", "Content-Type": "text/html"}),
        (400, MOTO | {"Content-Type": "text/xml"}),
        (404, MOTO),
        (503, MOTO | {"Content-Type": "text/xml"}),
    ],
)
def test_whatever_else_comes_is_left_to_botocore(status: int, headers: dict[str, str]) -> None:
    raise_for_error_page({"status_code": status, "headers": headers})


def test_what_moto_raises_is_an_emulator_s_and_may_be_a_race() -> None:
    error = raised_in_a_handler(KeyError("nowhere-1"), "moto.core.botocore_stubber")
    assert failure_of_emulator(error) == "moto answers in AWS's place and raised: KeyError: 'nowhere-1'"
    assert may_pass(error)


def test_what_is_not_implemented_is_not_asked_again() -> None:
    error = raised_in_a_handler(NotImplementedError("The x action has not been implemented"), "moto.core")
    assert failure_of_emulator(error) == "moto answers in AWS's place and raised: The x action has not been implemented"
    assert not may_pass(error)


def test_what_another_program_s_handler_raises_is_an_error_with_its_text_and_no_emulator() -> None:
    error = raised_in_a_handler(KeyError("span"), "tracing.hooks")
    assert (failure_of_emulator(error), may_pass(error)) == ("", False)
    ours = our_error(error, "DescribeImages", "ec2", "eu-west-1")
    assert type(ours) is RequestRefused
    assert ours.why == "An event handler of tracing, registered with botocore, raised KeyError: 'span'"


@pytest.mark.parametrize("module", ["botocore.signers", "boto3.s3.inject", "amicopy.aws.session"])
def test_a_handler_of_the_call_s_own_is_no_emulator(module: str) -> None:
    error = raised_in_a_handler(KeyError("x"), module)
    assert (failure_of_emulator(error), may_pass(error)) == ("", False)
    assert our_error(error, "CopyImage", "ec2", "eu-west-1") is None


def test_the_error_names_the_operation_the_region_and_the_way_out() -> None:
    error = raised_in_a_handler(NotImplementedError("No."), "moto.core")
    ours = our_error(error, "EnableImageDeprecation", "ec2", "eu-west-1")
    assert isinstance(ours, OperationNotImplemented)
    assert ours.what == "EC2 in eu-west-1 cannot answer EnableImageDeprecation."
    assert "amicopy sandbox" in ours.next_step
