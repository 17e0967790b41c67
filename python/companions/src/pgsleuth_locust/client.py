"""The admin API of a pgsleuth. Only urllib: under locust its sockets are gevent's."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import parse_qs, urlsplit

TIMEOUT_S = 60
NOT_FOUND = 404


class AdminError(Exception):
    """With what went wrong, on one line; ``status`` is that of the answer, 0 without any."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Admin:
    """``url`` as pgsleuth prints it: ``http://127.0.0.1:6433/?token=...``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AdminError("the URL is not like http://127.0.0.1:6433/?token=...")
        self.base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._token = (parse_qs(parts.query).get("token") or [""])[0]
        # Neither a proxy of the environment nor a redirect has a use for the token.
        self._opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
            self._opener.add_handler(handler)
        self._opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
        self._opener.add_handler(urllib.request.HTTPErrorProcessor())

    def get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path, None)

    def post(self, path: str, **body: str) -> dict[str, Any]:
        return self._ask("POST", path, json.dumps(body).encode() if body else b"")

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if body:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310 # http or https, as looked at above
            self.base + path, data=body, headers=headers, method=method
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                read = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AdminError(f"{method} {path}: {error.code}, {_reason(error)}", error.code) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise AdminError(f"no pgsleuth at {self.base}: {reason}") from None
        except ValueError:
            raise AdminError(f"{method} {path}: the answer is not of a pgsleuth") from None
        if not isinstance(read, dict):
            raise AdminError(f"{method} {path}: the answer is not of a pgsleuth")
        return read


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read())
        text = said.get("error", said.get("message", "")) if isinstance(said, dict) else ""
        return str(text) or str(error.reason)
    except (OSError, ValueError):
        return str(error.reason)
