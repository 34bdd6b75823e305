"""AWS sessions and their clients: one session per run or per caller, one client per service and region."""

import copy
import functools
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from amicopy.aws.configuration import client_error, configuration_error
from amicopy.aws.credentials import load_credentials
from amicopy.aws.emulators import raise_for_error_page
from amicopy.aws.startup.handlers import FUNCTION_SERVICES, SERVICES
from amicopy.aws.startup.sessions import botocore_session, client_settings, session_beside, stock_botocore
from amicopy.aws.startup.tls import SharedTlsContext
from amicopy.core.errors import UsageError
from amicopy.core.version import __version__

# A region that doesn't answer is given up within a minute: 3 attempts of one connect or one read timeout each.
# CopyImage and the Describe operations answer within a second or two, even from the other side of the world.
CONNECT_SECONDS = 5
READ_SECONDS = 15

BLOCKS_IN_FLIGHT = 16
"""How many blocks of a region's snapshots are asked for at once: more gains nothing, and others use the same quota."""
_CONNECTIONS = {"ebs": BLOCKS_IN_FLIGHT}  # botocore's default is 10


class AwsSession(Protocol):
    """A ``boto3.Session`` or a ``botocore.session.Session``: what the two have in common."""

    @property
    def available_profiles(self) -> Any:
        """The profiles in the configuration files."""

    def get_credentials(self) -> Any:
        """Return the session's credentials, or None."""


Credentials = tuple[str, str] | tuple[str, str, str | None]
"""An access key, its secret key, and the token that temporary credentials have."""


class Session:
    """Where credentials, region, endpoints, retries and proxies come from.

    Built from a boto3 or botocore session, or from the configuration that the AWS CLI and boto3 read, too. Safe to use
    from several threads: clients are created one at a time, because botocore's sessions are not thread-safe.
    """

    def __init__(
        self,
        *,
        session: AwsSession | None = None,
        profile: str | None = None,
        region: str | None = None,
        credentials: Credentials | None = None,
        endpoint_url: str | None = None,
        timeout_seconds: int | None = None,
        ignore_proxies: bool = False,
        while_asking: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Read the configuration.

        ``session`` brings its own profile and credentials, and isn't changed. ``region`` and ``endpoint_url`` take
        precedence over what is configured. With ``timeout_seconds`` a call that takes longer fails and isn't retried.
        With ``ignore_proxies`` every call goes to its endpoint directly, whatever HTTP_PROXY and HTTPS_PROXY say.
        Credentials are loaded when the first client is created, within ``while_asking()``: botocore may ask for an
        MFA code at the terminal then.

        Raises:
            CredentialsMissing: the profile doesn't exist, or a file can't be read.
            UsageError: ``session`` is given together with ``profile`` or ``credentials``.
            TypeError: ``session`` is neither a boto3 nor a botocore session.
        """
        if session is not None and (profile or credentials):
            raise UsageError(
                "A session cannot be used together with a profile or credentials.",
                why="It has a profile and credentials of its own.",
                next_step="Give one or the other, for example boto3.Session(profile_name=…).",
            )
        self._region = region
        self._endpoint_url = endpoint_url
        self.environment = _environment(profile, credentials, region, endpoint_url, ignore_proxies=ignore_proxies)
        """The variables that make a program use the same AWS and credentials; without those that are set already."""
        self._assumed: Any = None  # credentials that stand in for the user's own: those of a role
        try:
            self._session = botocore_session(profile) if session is None else _botocore_session_of(session)
            if credentials:
                self._session.set_credentials(*credentials)
            self._config = _client_config(self._session, timeout_seconds, client_settings() if session is None else {})
            if ignore_proxies:  # botocore asks the environment only if this is None
                self._config = self._config.merge(Config(proxies={}))
        except BotoCoreError as error:
            raise configuration_error(error) from error
        # boto3's own method, not botocore's under it: the caller's class may override it.
        self._create: Callable[..., Any] = getattr(session, "client", None) or self._session.create_client
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._while_asking = while_asking
        self._caller_session = session  # its clients may have credentials that only they know
        self._are_credentials_loaded = False
        self.is_authenticated = False  # AWS has accepted these credentials at least once
        self._tls = None if stock_botocore() else SharedTlsContext()

    @property
    def region(self) -> str | None:
        """The configured region, or None.

        Raises:
            CredentialsMissing: the named profile doesn't exist, or its file can't be read.
        """
        if self._region:
            return self._region
        try:
            region: str | None = self._session.get_config_variable("region")
        except BotoCoreError as error:
            raise configuration_error(error) from error
        return region

    @functools.cached_property
    def partitions(self) -> Mapping[str, str]:
        """The partition of every region that the installed botocore knows, sorted by region; EC2 is in all of them."""
        # The list that botocore resolves endpoints with. A session's get_available_regions reads another, older list,
        # service by service, which takes longer than all the rest of a start (117 ms against 0.2 ms).
        data = self._session.get_component("data_loader").load_data("partitions")
        partitions = {
            region: partition["id"]
            for partition in data["partitions"]
            for region in partition["regions"]
            if not region.endswith("-global")
        }
        return dict(sorted(partitions.items()))

    def with_credentials(self, credentials: Any) -> "Session":
        """Return a session with other credentials, botocore's, and everything else of this one.

        It has the same endpoint, proxies, time-outs, TLS context and models, so that it costs little memory.
        """
        other = copy.copy(self)
        other._session = session_beside(self._session, credentials)
        other._create = other._session.create_client
        other._clients = {}
        other._lock = threading.Lock()
        other._assumed = credentials
        other._are_credentials_loaded = True
        other.is_authenticated = False
        return other

    def environment_now(self) -> dict[str, str | None]:
        """Return the variables that make a program act as this session does now; None: to be unset.

        Those of a role's session work until it ends, at least a few minutes and at most an hour.

        Raises:
            AmicopyError: the role cannot be assumed again.

        AWS: STS AssumeRole, if the session is about to end.
        """
        if self._assumed is None:
            return dict(self.environment)
        keys = self._assumed.get_frozen_credentials()
        return {
            **self.environment,
            "AWS_PROFILE": None,  # some programs prefer it to keys
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_SESSION_TOKEN": keys.token,
        }

    def forget_clients(self, region: str) -> None:
        """Drop the clients of a region, with the memory that they take; the next call there makes new ones."""
        with self._lock:
            for key in [key for key in self._clients if key[1] == region]:
                del self._clients[key]

    def client(self, service: str, region: str) -> Any:
        """Return the botocore client for ``service`` in ``region``, created on first use.

        Raises:
            CredentialsMissing: there are none, or the profile, the configuration or their source is broken.
            CredentialsRejected, CredentialsExpired, Unreachable: their source gives none.
            UsageError: the endpoint isn't a URL, or a setting isn't a number.
            LookupError: amicopy doesn't use this service; a bug of ours.
        """
        if service not in SERVICES | FUNCTION_SERVICES:
            raise LookupError(
                f"amicopy creates no clients for {service!r}: add it to SERVICES in amicopy/aws/startup/handlers.py, "
                "which decides whose event handlers are registered."
            )
        with self._lock:
            if not self._are_credentials_loaded:
                with self._while_asking():
                    load_credentials(
                        self._caller_session or self._session, self._session, required=self._caller_session is None
                    )
                self._are_credentials_loaded = True
            if (service, region) not in self._clients:
                self._clients[service, region] = self._create_client(service, region)
            return self._clients[service, region]

    def _create_client(self, service: str, region: str) -> Any:
        config = self._config
        if service in _CONNECTIONS:
            config = config.merge(Config(max_pool_connections=_CONNECTIONS[service]))
        try:
            client = self._create(service, region_name=region, endpoint_url=self._endpoint_url, config=config)
        except (BotoCoreError, ValueError, OSError) as error:
            raise client_error(error, self._session, service, self._endpoint_url) from error
        client.meta.events.register("before-parse", raise_for_error_page)
        if self._tls:
            self._tls.apply_to(client)
        return client


def _environment(
    profile: str | None,
    credentials: tuple[str, str] | tuple[str, str, str | None] | None,
    region: str | None,
    endpoint_url: str | None,
    *,
    ignore_proxies: bool,
) -> dict[str, str]:
    key, secret, token = [*(credentials or ("", "")), None][:3]
    return {
        **({"AWS_PROFILE": profile} if profile else {}),
        **({"AWS_ENDPOINT_URL": endpoint_url} if endpoint_url else {}),
        **({"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if region else {}),
        **({"NO_PROXY": "*", "no_proxy": "*"} if ignore_proxies else {}),
        # An empty token, rather than that of other credentials.
        **(
            {"AWS_ACCESS_KEY_ID": key or "", "AWS_SECRET_ACCESS_KEY": secret or "", "AWS_SESSION_TOKEN": token or ""}
            if credentials
            else {}
        ),
    }


def session_for(session: "AwsSession | Session | None", profile: str | None, region: str | None) -> Session:
    """Return the session for a call of the Python API.

    Without ``session`` and ``profile`` that is boto3's default session, if the program has set one up.

    Raises what `Session` raises.
    """
    if isinstance(session, Session):
        if profile or region:
            raise UsageError(
                "An amicopy.Session cannot be used together with a profile or a region.",
                next_step="Give them to the session: amicopy.Session(profile=…, region=…).",
            )
        return session
    if session is None and not profile:
        # Never imported for this: a program without boto3 doesn't have to wait for it.
        session = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    return Session(session=session, profile=profile, region=region)


def _botocore_session_of(session: AwsSession) -> botocore.session.Session:
    """Return the botocore session to read settings from: ``session`` itself, or the one inside boto3's."""
    # boto3 has no public name for it. It has been called this since boto3's first release; a contract test holds it.
    inner = getattr(session, "_session", session)
    if isinstance(session, Session) or not isinstance(inner, botocore.session.Session):
        raise TypeError(f"session has to be a boto3.Session or a botocore session, not {type(session).__name__}")
    return inner


def _client_config(session: Any, timeout_seconds: int | None, settings: Mapping[str, Any]) -> Config:
    """Return the settings of every client; those of a session's own default client configuration take precedence.

    botocore retries requests that weren't sent or that EC2 asks to repeat: 3 attempts in all. In ``standard`` mode it
    retries less when everything fails, which ``legacy`` mode doesn't. Lanes wait for what takes longer.
    """
    mode_is_set = os.environ.get("AWS_RETRY_MODE") or session.get_scoped_config().get("retry_mode")
    retries: Mapping[str, Any] | None = None if mode_is_set else {"mode": "standard"}
    config = Config(
        connect_timeout=timeout_seconds or CONNECT_SECONDS,
        read_timeout=timeout_seconds or READ_SECONDS,
        retries={"total_max_attempts": 1} if timeout_seconds else retries,
        user_agent_extra=f"amicopy/{__version__}",
        **settings,
    )
    default = session.get_default_client_config()
    return config.merge(default) if default is not None else config
