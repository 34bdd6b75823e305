"""Copy Amazon EC2 machine images (AMIs) to other regions, complete and exactly once.

The public names are those of `amicopy.api`: ``amicopy.copy("ami-…", to="eu-west-1")``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amicopy.core.version import __version__ as __version__

if TYPE_CHECKING:
    from amicopy.api import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Return a name of the API. `amicopy.api` imports botocore, so it is loaded when the first name is used."""
    api = import_module("amicopy.api")
    if name == "__all__" or name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module 'amicopy' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the API."""
    return sorted({*globals(), *import_module("amicopy.api").__all__})
