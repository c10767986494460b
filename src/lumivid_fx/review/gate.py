"""Who may ask: those who have the URL, from this machine, by its own name.

The token is the first part of every path, so that whatever a page names beside itself has it too.
The Host is looked at because a foreign page may give its own name this machine's address (DNS
rebinding), and would then be taken for ours by the browser.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""With every answer: the page runs and reads nothing but what is here, and nobody frames it."""

_REFUSED = b"This is a review of lumivid-fx; open the address that `lumivid review` printed.\n"


class Gate:
    """An ASGI application before another one, which sees what is let through.

    Args:
        app: The other one; it gets paths without the token.
        token: What every path must begin with.
        hosts: The names this server has, with its port.
    """

    def __init__(self, app: App, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        if scope["type"] != "http":
            return  # nothing else is spoken here
        token, slash, rest = scope["path"].removeprefix("/").partition("/")
        known = secrets.compare_digest(token.encode(errors="replace"), self._token)
        if not (known and slash and self._is_ours(scope)):
            await _refuse(send)
            return
        path = f"/{rest}"
        await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, _sealed(send))

    def _is_ours(self, scope: Scope) -> bool:
        said = [value for name, value in scope["headers"] if name == b"host"]
        return len(said) == 1 and said[0].decode("latin-1").lower() in self._hosts


def _sealed(send: Send) -> Send:
    async def sealed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_raw_headers()]
        await send(message)

    return sealed


async def _refuse(send: Send) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    length = (b"content-length", str(len(_REFUSED)).encode())
    headers = [kind, length, *_raw_headers()]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSED})


def _raw_headers() -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
