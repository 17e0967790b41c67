"""Tells pgsleuth beside the connection which request or test a connection works for; SQL is not touched."""

from __future__ import annotations

import os
import socket
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

Pairs = tuple[tuple[str, str], ...]
_MAX_VALUE = 255  # pgsleuth cuts what is longer
_PATIENCE_S = 10


class Marks:
    """Sends datagrams to pgsleuth's socket. They wait for room: none may be lost."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_PATIENCE_S)
        self.lost = 0
        # By connection, not by port: a port is soon another connection's.
        self._said: WeakKeyDictionary[Any, tuple[str, Pairs]] = WeakKeyDictionary()

    def say(self, connection: Any, pairs: Pairs) -> None:
        """What the connection works for from now on. Nothing is sent when it was told so before."""
        client, said = self._said.get(connection, ("", ()))
        if said == pairs:
            return
        client = client or client_of(connection)
        if not client:
            return
        text = ",".join(
            f"{key}='{quote(value[:_MAX_VALUE], safe='/{}<>:')}'"
            for key, value in sorted((("client", client), *pairs))
        )
        try:
            self._socket.sendto(text.encode(), self._path)
        except OSError:
            self.lost += 1  # the session tells at its end, and when pgsleuth has ended, that
            return
        self._said[connection] = (client, pairs)

    def close(self) -> None:
        self._socket.close()


def client_of(connection: Any) -> str:
    """The local address of a driver's connection; empty when it has no port."""
    fileno = getattr(connection, "fileno", None)
    try:
        if fileno is not None:  # psycopg, psycopg2
            with socket.socket(fileno=os.dup(fileno())) as copy:
                name = copy.getsockname()
        else:  # asyncpg has nothing public
            name = connection._transport.get_extra_info("sockname")
    except Exception:
        return ""  # closed: the statement will say so itself
    if not isinstance(name, tuple):
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
