"""The admin API of a running pgsleuth, as a client sees it: one request a connection, and raw bytes."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from proxy import Proxy, eventually

ADMIN = "admin-token-of-the-tests"
READ = "read-token-of-the-tests"
ADDRESS = "127.0.0.1:0"
OPTIONS = {"admin_listen": ADDRESS}
TOKENS = {"PGSLEUTH_ADMIN_TOKEN": ADMIN, "PGSLEUTH_ADMIN_READ_TOKEN": READ}
SAID = re.compile(r"^pgsleuth: admin (http://\S+?/)(?:\?token=(\S+))?(?: .*)?$", re.MULTILINE)
TIMEOUT_S = 60


@dataclass(frozen=True)
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    def __init__(self, proxy: Proxy) -> None:
        eventually("the URL of the admin API", lambda: SAID.search(proxy.stderr))
        found = SAID.search(proxy.stderr)
        assert found is not None
        url = urlsplit(found[1])
        assert url.hostname is not None
        assert url.port is not None
        self.host, self.port = url.hostname, url.port
        self.token = found[2] or ADMIN

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = "",
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """The token "" is the admin's; None sends none."""
        given = dict(headers or {})
        if token is not None:
            given.setdefault("Authorization", f"Bearer {token or self.token}")
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body=data, headers=given)
            response = connection.getresponse()
            lines = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, lines, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.code == 200, answer
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.ask("POST", path, body=body)
        assert answer.code in (200, 202), answer
        return answer.json()

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=TIMEOUT_S)

    def raw(self, data: bytes) -> bytes:
        """Send bytes and the end of the stream; all that comes back."""
        with self.connect() as peer:
            with contextlib.suppress(OSError):  # it may be refused before its end
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
            return read_all(peer)


def read_all(peer: socket.socket) -> bytes:
    found = b""
    try:
        while piece := peer.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found
