"""AWS sessions and clients: one session a run, one client per service and region, made where they are cheap.

Refuses to call anything: the gateway does. botocore is used without boto3's layer on top (docs/adr/0003).
"""

import functools
import os
import threading
from collections.abc import Mapping
from typing import Any
from urllib.request import getproxies

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ProfileNotFound

from amicopy.aws.startup.handlers import LeanSession
from amicopy.aws.startup.loader import shared_loader
from amicopy.aws.startup.tls import SharedContext
from amicopy.core.errors import CredentialsMissing, UsageError
from amicopy.core.version import __version__

# A region that does not answer is given up within a minute: 3 attempts of one connection or one read time-out each.
# CopyImage and the describes answer within a second or two, from the far side of the world too.
CONNECT_SECONDS = 5
READ_SECONDS = 15


class Session:
    """Where credentials, regions, endpoints, retries and proxies come from: what boto3 reads, and these options.

    Any thread may ask for a client. They are made one at a time, since botocore's sessions bear no more.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        endpoint_url: str | None = None,
        credentials: tuple[str, str] | None = None,
        region: str | None = None,
        patience_seconds: int | None = None,
    ) -> None:
        """Read the configuration; with ``patience_seconds`` a call that takes longer is given up, and not repeated.

        Raises:
            CredentialsMissing: the profile does not exist, or a file cannot be read.
        """
        self._session = LeanSession(profile=profile)
        self._endpoint_url = endpoint_url
        self._region = region
        if credentials:
            self._session.set_credentials(*credentials)
        try:
            loader = shared_loader(self._session.get_config_variable("data_path"))
            self._session.register_component("data_loader", loader)
            self._config = _client_config(self._session, patience_seconds)
        except BotoCoreError as error:
            raise configuration_error(error) from error
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        self._tls = SharedContext()

    @property
    def region(self) -> str | None:
        """The configured region, or None.

        Raises:
            CredentialsMissing: the named profile does not exist, or its file cannot be read.
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
        # The list that botocore resolves endpoints with. Asking its sessions instead reads another, older list, service
        # by service, which takes longer than all the rest of a start (117 ms against 0.2 ms).
        data = self._session.get_component("data_loader").load_data("partitions")
        found = {
            region: partition["id"]
            for partition in data["partitions"]
            for region in partition["regions"]
            if not region.endswith("-global")
        }
        return dict(sorted(found.items()))

    def client(self, service: str, region: str) -> Any:
        """Return the client for ``service`` in ``region``, made at the first asking.

        Raises:
            CredentialsMissing: the profile or the configuration is broken.
            UsageError: the endpoint is no URL.
        """
        with self._making:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._made(service, region)
            return self._clients[service, region]

    def _made(self, service: str, region: str) -> Any:
        try:
            client = self._session.create_client(
                service, region_name=region, endpoint_url=self._endpoint_url, config=self._config
            )
        except BotoCoreError as error:
            raise configuration_error(error) from error
        except ValueError as error:
            raise UsageError(
                f"The endpoint {self._endpoint_url or os.environ.get('AWS_ENDPOINT_URL', '')!r} cannot be used.",
                why=str(error),
                next_step="Give a URL such as http://127.0.0.1:5000, or none: unset AWS_ENDPOINT_URL.",
            ) from error
        self._tls.give(client)
        return client


def _client_config(session: Any, patience_seconds: int | None) -> Config:
    """Return botocore's settings for every client.

    botocore retries what never left or what EC2 asks to repeat: 3 attempts in all, ``standard`` mode, because it
    limits retries when everything fails, where ``legacy`` hammers on. What outlasts that is the lane's to wait for.
    """
    retries: Mapping[str, Any] = {"mode": "standard"}
    chosen = os.environ.get("AWS_RETRY_MODE") or session.get_scoped_config().get("retry_mode")
    return Config(
        connect_timeout=patience_seconds or CONNECT_SECONDS,
        read_timeout=patience_seconds or READ_SECONDS,
        proxies=None if getproxies() else {},  # else each client looks through the whole environment for them
        retries={"total_max_attempts": 1} if patience_seconds else None if chosen else retries,
        user_agent_extra=f"amicopy/{__version__}",
    )


def configuration_error(error: BotoCoreError) -> CredentialsMissing:
    """Return our error for a profile or configuration file that botocore cannot use."""
    if isinstance(error, ProfileNotFound):
        return CredentialsMissing(
            f"{error}.",
            next_step="Name one that exists with --profile or AWS_PROFILE: aws configure list-profiles",
        )
    return CredentialsMissing(
        "The AWS configuration cannot be used.", why=str(error), next_step="Mend it: aws configure list"
    )
