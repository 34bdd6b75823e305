"""Copy Amazon EC2 machine images to other regions, faithfully and exactly once.

The names of `amicopy.api` are this package's own: ``amicopy.copy("ami-…", to="eu-west-1")``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amicopy.api import (
        AmicopyError,
        CancelJob,
        Cancellation,
        CopyJob,
        CopyRequest,
        Event,
        Means,
        Order,
        Plan,
        Principal,
        Protection,
        Report,
        Session,
        Status,
        StatusJob,
        SyncJob,
        SyncReport,
        Terms,
        Verdict,
        VerifyJob,
        cancel,
        copy,
        status,
        sync,
        verify,
    )

__version__ = "0.1.0"

__all__ = [
    "AmicopyError",
    "CancelJob",
    "Cancellation",
    "CopyJob",
    "CopyRequest",
    "Event",
    "Means",
    "Order",
    "Plan",
    "Principal",
    "Protection",
    "Report",
    "Session",
    "Status",
    "StatusJob",
    "SyncJob",
    "SyncReport",
    "Terms",
    "Verdict",
    "VerifyJob",
    "cancel",
    "copy",
    "status",
    "sync",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Return one of the api's names; it is imported when the first is used, since it brings botocore along."""
    if name not in __all__:  # a submodule, perhaps, which Python looks for next
        raise AttributeError(f"module 'amicopy' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("amicopy.api"), name)
