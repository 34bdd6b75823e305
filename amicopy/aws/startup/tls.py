"""One TLS context for all clients of a session: the CA bundle is read once, not at every connection.

Refuses to change what is trusted, and to fail: a botocore or urllib3 that is built otherwise goes on as it is
(docs/adr/0008).
"""

import ssl
import threading
from collections.abc import Callable
from typing import Any


class SharedContext:
    """The context of the first client, handed to all that follow; they have to trust the same CA bundle."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None

    def give(self, client: Any) -> None:
        """Let a client of botocore's, which has not connected yet, use the shared context."""
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
    """Return what a client makes its connections with, to be changed; where it is not found, a dict of nobody's."""
    part = client
    for name in ("_endpoint", "http_session", "_manager", "connection_pool_kw"):
        part = getattr(part, name, None)
    return part if isinstance(part, dict) else {}


def _once(method: Callable[..., None]) -> Callable[..., None]:
    """Return the method, which does nothing when it is called again with what it has been called with."""
    seen: set[str] = set()
    lock = threading.Lock()

    def call(*arguments: Any, **named: Any) -> None:
        given = repr((arguments, named))
        with lock:
            if given not in seen:
                method(*arguments, **named)
                seen.add(given)

    return call
