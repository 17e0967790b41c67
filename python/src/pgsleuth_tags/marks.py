"""Request marks: which request a database connection serves, told to pgsleuth beside the connection.

A mark is a datagram to a socket of pgsleuth's own, sent before the first statement of a request on a
connection. It names the connection by its local address. SQL is not touched.

``enable("127.0.0.1:6434")``, ``enable("/run/pgsleuth/marks.sock")``, or the variable PGSLEUTH_MARKS.
"""

from __future__ import annotations

import os
import socket
import warnings
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from pgsleuth_tags._comment import body
from pgsleuth_tags._request import current_endpoint

__all__ = ["before_statement", "disable", "enable"]

_MAX_BYTES = 1024
_VARIABLE = "PGSLEUTH_MARKS"
# pgsleuth reads at once. Where it does not, a statement would go under the name of the request before.
_PATIENCE_SECONDS = 0.02
_NO_REQUEST = ("", "", "", "")

_Said = tuple[str, str, str, str]

_sender: _Sender | None = None


def enable(target: str) -> None:
    """Send marks to ``target``: ``host:port``, ``[::1]:port``, the path of a unix socket, or ``@name``.

    Raises ValueError for a target of another form and OSError for a host without an address.
    """
    _replace(_Sender(*_parse(target)))


def disable() -> None:
    """Send no marks any more."""
    _replace(None)


def _replace(sender: _Sender | None) -> None:
    global _sender
    former, _sender = _sender, sender
    if former is not None:
        former.close()


def before_statement(connection: object) -> None:
    """Tell what is being served, if this connection was last told something else.

    Never raises. Only a full unix socket is waited for, and no longer than 20 ms; a port never is.
    """
    if _sender is not None:
        with suppress(Exception):  # a statement never fails because of its mark
            _sender.mark(connection)


class _Connection:
    __slots__ = ("client", "said")

    def __init__(self, client: str) -> None:
        self.client = client
        self.said: _Said | None = None


class _Sender:
    def __init__(self, family: int, address: Any) -> None:
        self._address = address
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(_PATIENCE_SECONDS if family == socket.AF_UNIX else 0)
        # Not by descriptor or port: both are used again by the next connection.
        self._connections: WeakKeyDictionary[object, _Connection] = WeakKeyDictionary()

    def close(self) -> None:
        self._socket.close()

    def mark(self, connection: object) -> None:
        known = self._connections.get(connection)
        if known is None:
            # Told once: what has no address now is closed, or nothing that a driver has.
            known = self._connections[connection] = _Connection("")
            known.client = _client(connection)
        if not known.client:
            return
        saying = _saying()
        if saying == known.said:
            return
        # What could not be sent is tried again at the next statement.
        self._socket.sendto(_datagram(known.client, saying), self._address)
        known.said = saying


def _saying() -> _Said:
    endpoint = current_endpoint.get()
    request = getattr(endpoint, "request_id", "")
    if endpoint is None or not request:
        return _NO_REQUEST
    _framework, method, route = endpoint.tags()
    return request, method, route, getattr(endpoint, "traceparent", "")


def _datagram(client: str, said: _Said) -> bytes:
    request, method, route, traceparent = said
    head = f"client='{quote(client, safe='')}'"
    short = {"method": method, "request": request, "traceparent": traceparent}
    rest = body({**short, "route": route})
    if len(head) + 1 + len(rest) > _MAX_BYTES:
        rest = body(short)
    return f"{head},{rest}".encode() if rest else head.encode()


def _client(connection: object) -> str:
    """Return the local address of a driver's connection as pgsleuth sees it, ``""`` when it has no port."""
    name = _socket_name(connection)
    if not isinstance(name, tuple):
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _socket_name(connection: Any) -> Any:
    fileno = getattr(connection, "fileno", None)  # psycopg and psycopg2
    if fileno is None:
        return connection._transport.get_extra_info("sockname")  # asyncpg
    with socket.socket(fileno=os.dup(fileno())) as copy:
        return copy.getsockname()


def _parse(target: str) -> tuple[int, Any]:
    if target.startswith("@"):
        return socket.AF_UNIX, "\0" + target[1:]
    if target.startswith("/"):
        return socket.AF_UNIX, target
    host, colon, port = target.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise ValueError(f"{target!r} is neither host:port nor the path of a socket")
    found = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    return found[0], found[4]


if os.environ.get(_VARIABLE):
    try:
        enable(os.environ[_VARIABLE])
    except (ValueError, OSError) as error:
        # The application is not to fail at import for what only watches it.
        warnings.warn(f"{_VARIABLE}: {error}; no marks are sent", RuntimeWarning, stacklevel=2)
