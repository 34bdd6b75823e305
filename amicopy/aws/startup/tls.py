"""One TLS context for all clients of a session, so that the CA bundle is read once and not at every connection.

Doesn't change what is trusted. A client that is built in another way keeps its own context (docs/adr/0008).
"""

import ssl
import threading
from collections.abc import Callable
from typing import Any


class SharedTlsContext:
    """The TLS context of the first client, for all clients that follow; they must trust the same CA bundle."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None

    def apply_to(self, client: Any) -> None:
        """Make a botocore client that hasn't connected yet use the shared context."""
        settings = _pool_settings(client)
        context = settings.get("ssl_context")
        if not isinstance(context, ssl.SSLContext):
            return
        if self._context is None:
            self._context = context
            # urllib3 calls these before every connection. The first takes 15 ms; the second frees what another
            # thread may be copying at that moment.
            for name in ("load_verify_locations", "set_alpn_protocols"):
                setattr(context, name, _once(getattr(context, name)))
        settings["ssl_context"] = self._context


def _pool_settings(client: Any) -> dict[str, Any]:
    """Return the settings that a client makes connections with, to change in place; an unused dict if not found."""
    part = client
    for name in ("_endpoint", "http_session", "_manager", "connection_pool_kw"):
        part = getattr(part, name, None)
    return part if isinstance(part, dict) else {}


def _once(method: Callable[..., None]) -> Callable[..., None]:
    """Return the method, changed to do nothing when it is called again with the same arguments."""
    seen: set[str] = set()
    lock = threading.Lock()

    def call(*arguments: Any, **named: Any) -> None:
        given = repr((arguments, named))
        with lock:
            if given not in seen:
                method(*arguments, **named)
                seen.add(given)

    return call
