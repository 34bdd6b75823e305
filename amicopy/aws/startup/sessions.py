"""The botocore session of a run: the one that starts fast, or botocore's own."""

import os
from typing import Any
from urllib.request import getproxies

import botocore.session

from amicopy.aws.startup.handlers import LeanSession
from amicopy.aws.startup.loader import shared_loader

_STOCK = "AMICOPY_STOCK_BOTOCORE"
_OFF = {"", "0", "false", "no", "off"}


def stock_botocore() -> bool:
    """Return True if ``AMICOPY_STOCK_BOTOCORE`` is set, which switches everything in this folder off."""
    return os.environ.get(_STOCK, "").strip().lower() not in _OFF


def botocore_session(profile: str | None) -> botocore.session.Session:
    """Return a new session for the profile, or for the configured one.

    Raises:
        BotoCoreError: the profile doesn't exist, or a file can't be read.
    """
    if stock_botocore():
        session = botocore.session.Session(profile=profile)
    else:
        session = LeanSession(profile)
        session.register_component("data_loader", shared_loader(session.get_config_variable("data_path")))
    # As in the AWS CLI and the other SDKs; botocore itself reads AWS_DEFAULT_REGION only.
    if region := os.environ.get("AWS_REGION"):
        session.set_config_variable("region", region)
    return session


def session_beside(session: botocore.session.Session, credentials: Any) -> botocore.session.Session:
    """Return a session with the same profile and the same loaded models, and with other credentials."""
    other = botocore_session(session.profile)
    other.register_component("data_loader", session.get_component("data_loader"))
    # botocore has no public way to give a session credentials that are renewed; a contract test holds this one.
    other._credentials = credentials
    return other


def client_settings() -> dict[str, Any]:
    """Return the settings of botocore's ``Config`` that save each client a look at the environment for proxies."""
    return {} if stock_botocore() or getproxies() else {"proxies": {}}
