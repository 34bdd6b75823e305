"""botocore's session without the event handlers of services that amicopy doesn't call."""

from collections.abc import Iterable
from typing import Any

import botocore.session
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.utils import EVENT_ALIASES

# The services that amicopy calls, and those that botocore gets credentials from. `Session.client` accepts no others.
SERVICES = frozenset(
    {"ec2", "ebs", "kms", "ssm", "service-quotas", "sns", "events", "sts", "organizations", "sso", "sso-oidc", "signin"}
)
# Those that only Lambda functions call. A session's first client of one registers all of botocore's handlers.
FUNCTION_SERVICES = frozenset({"dynamodb", "s3", "sqs"})


class LeanSession(botocore.session.Session):  # type: ignore[misc]
    """Registers 17 of botocore's 127 handlers, because each client copies all that are registered.

    Every handler of ``services``, and every handler that applies to all services, is registered. A client of another
    service gets all handlers: botocore itself creates one where a new source of credentials needs it.
    """

    def __init__(self, profile: str | None = None, services: Iterable[str] = SERVICES) -> None:
        self._services = frozenset(services)
        self._event_services = {EVENT_ALIASES.get(service, service) for service in self._services}
        self._left_out: list[tuple[str, Any, tuple[Any, ...], dict[str, Any]]] = []
        self._scoped_config: Any = None
        self._emitter = HierarchicalEmitter()
        super().__init__(event_hooks=self._emitter, profile=profile)
        # Each client copies the aliaser, and each copy translates every event name again: so only the names in use.
        aliases = {old: new for old, new in EVENT_ALIASES.items() if new in self._event_services}
        self.register_component("event_emitter", EventAliaser(self._emitter, aliases))

    def get_scoped_config(self) -> Any:
        """Return the profile's settings, looked up once: creating a client asks for them about fifty times.

        Raises whatever botocore's session raises.
        """
        if self._scoped_config is None:
            self._scoped_config = super().get_scoped_config()
        return self._scoped_config

    def register(self, event_name: str, handler: Any, *arguments: Any, **named: Any) -> None:
        """Register a handler as botocore does, or keep it for later if no client in use emits its event."""
        if self._is_in_use(event_name):
            super().register(event_name, handler, *arguments, **named)
        else:
            self._left_out.append((event_name, handler, arguments, named))

    def create_client(self, service_name: str, *arguments: Any, **named: Any) -> Any:
        """Create a client as botocore does, after registering all handlers if the service isn't one in use."""
        if service_name not in self._services and self._left_out:
            for event_name, handler, positional, keywords in self._left_out:
                super().register(event_name, handler, *positional, **keywords)
            self._left_out.clear()
            self.register_component("event_emitter", EventAliaser(self._emitter))
        return super().create_client(service_name, *arguments, **named)

    def _is_in_use(self, event_name: str) -> bool:
        """Return True if a client may emit an event named ``PHASE``, ``PHASE.SERVICE`` or ``PHASE.SERVICE.OPERATION``.

        The events of botocore's documentation pages are never emitted here.
        """
        phase, _, rest = event_name.partition(".")
        service = rest.partition(".")[0]
        return phase != "docs" and EVENT_ALIASES.get(service, service) in {"", "*", *self._event_services}
