"""botocore's session without the handlers that are there for services which amicopy never calls.

Refuses to touch those of the services in use, of credentials' own, and of all services (docs/adr/0008).
"""

from typing import Any

import botocore.session
from botocore.hooks import HierarchicalEmitter

# What amicopy calls, and what botocore gets credentials from.
SERVICES = frozenset({"ec2", "kms", "ssm", "sts", "sso", "sso-oidc", "signin"})


class LeanSession(botocore.session.Session):  # type: ignore[misc]
    """Registers 17 of botocore's 127 handlers, since every client copies all that there are, and names events once.

    botocore translates the old names of services in events, for each client anew; those in use here have none.
    """

    def __init__(self, profile: str | None = None) -> None:
        """Start as botocore's session does; its own handlers are registered under their present names."""
        self._scoped: Any = None
        emitter = HierarchicalEmitter()
        super().__init__(event_hooks=emitter, profile=profile)
        self.register_component("event_emitter", emitter)

    def get_scoped_config(self) -> Any:
        """Return the profile's part of the configuration file, found once: a client asks fifty times, in vain mostly.

        Raises what botocore's session raises.
        """
        if self._scoped is None:
            self._scoped = super().get_scoped_config()
        return self._scoped

    def register(self, event_name: str, handler: Any, *arguments: Any, **named: Any) -> None:
        """Register a handler as botocore does, unless its event can never come."""
        if may_come(event_name):
            super().register(event_name, handler, *arguments, **named)


def may_come(event_name: str) -> bool:
    """Tell whether a client of ours may emit an event: ``PHASE``, ``PHASE.SERVICE`` or ``PHASE.SERVICE.OPERATION``.

    Those of botocore's documentation pages do not come: nobody builds them here.
    """
    phase, _, rest = event_name.partition(".")
    service = rest.partition(".")[0]
    return phase != "docs" and service in {"", "*", *SERVICES}
