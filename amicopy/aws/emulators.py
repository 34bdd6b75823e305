"""What answers in AWS's place in tests: moto in this process, moto's server. How these fail, and that they did.

AWS itself answers every request with XML or JSON. moto raises a Python exception through botocore where it has no
operation or no filter; its server answers with a web page, without the reason.
"""

from collections.abc import Mapping
from typing import Any

from amicopy.core.errors import OperationNotImplemented

_MOTO = "moto"
_SERVER = "Werkzeug"  # what moto's server runs on, and names in the Server header; EC2's says AmazonEC2
# Whose event handlers are part of a call to AWS: an exception in one of them is not another program's.
_OWN_HANDLERS = {"amicopy", "boto3", "botocore"}


class ErrorPage(Exception):
    """The server of an emulator failed and sent a web page."""


def raise_for_error_page(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raise for the page of an emulator's server; a handler of botocore's event ``before-parse``.

    Raises:
        ErrorPage: that is what has come, so that botocore neither parses it nor asks again after a pause.
    """
    headers = response_dict["headers"]
    is_page = str(headers.get("Content-Type", "")).startswith("text/html")
    if response_dict["status_code"] >= 500 and is_page and str(headers.get("Server", "")).startswith(_SERVER):
        raise ErrorPage(f"It sent an error page with status {response_dict['status_code']}; its log has the reason.")


def failure_of_emulator(error: Exception) -> str:
    """Return how moto failed in AWS's place, as a sentence; empty if the error comes from somewhere else."""
    if isinstance(error, ErrorPage):
        return f"An emulator answers in AWS's place. {error}"
    if package_of_handler(error) != _MOTO:
        return ""
    text = str(error) if isinstance(error, NotImplementedError) else f"{type(error).__name__}: {error}"
    return f"moto answers in AWS's place and raised: {text}"


def may_pass(error: Exception) -> bool:
    """Return whether the same call may succeed: moto is not thread-safe, and its server doesn't say what failed."""
    return not isinstance(error, NotImplementedError) and bool(failure_of_emulator(error))


def not_implemented(operation: str, service_name: str, region: str, why: str) -> OperationNotImplemented:
    """Return the error about an operation that what answers in AWS's place doesn't have."""
    return OperationNotImplemented(
        f"{service_name} in {region} cannot answer {operation}.",
        why=why,
        next_step="Leave out what needs it, or test with amicopy's sandbox: amicopy sandbox",
    )


def package_of_handler(error: Exception) -> str:
    """Return the package of the event handler that raised in botocore; empty if none did, or one of a call's own."""
    is_handler = False
    trace = error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if is_handler and package not in _OWN_HANDLERS:
            return package
        is_handler = module == "botocore.hooks"
        trace = trace.tb_next
    return ""
