"""The endpoint being served, and the identity of a request."""

from __future__ import annotations

import itertools
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Callable, Protocol

# The method is the client's word until routing has accepted it, and would otherwise be of any number.
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})


class Endpoint(Protocol):
    """The request being served. Asked at each statement, since a route is known only after routing.

    It may have more attributes: ``request_id`` and ``traceparent``, the header of that name, for marks; and
    ``task``, a callable that returns the asyncio task that serves the request, for drivers that run in a
    thread on its behalf.
    """

    def tags(self) -> tuple[str, str, str]:
        """Return framework, method and route template; an unknown one is empty."""


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

current_endpoint: ContextVar[Endpoint | None] = ContextVar("pgsleuth_endpoint", default=None)


class _Numbers:
    """Request ids that no other process gives, be it a fork or one of the same number in a container."""

    def __init__(self) -> None:
        self._prefix = ""
        self._count = itertools.count(1)
        self.renew()

    def renew(self) -> None:
        self._prefix = secrets.token_hex(4)

    def next(self) -> str:
        return f"{self._prefix}-{next(self._count):x}"


_numbers = _Numbers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_numbers.renew)


def new_request_id() -> str:
    """Return a short opaque id. It goes into marks and never into a statement."""
    return _numbers.next()


def checked_traceparent(value: str) -> str:
    """Return a W3C traceparent, or nothing: the header is the client's word."""
    return value if _TRACEPARENT.fullmatch(value) else ""


class EachPart:
    """Iterates over ``content`` with ``endpoint`` the current one whenever the next part is made.

    For a body that the server reads when the framework has long left the request. Between two parts the
    context is the server's own.
    """

    def __init__(self, content: Iterable[Any], endpoint: Endpoint) -> None:
        self.content = content
        self._parts = iter(content)
        self._endpoint = endpoint

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.served(next, self._parts)

    def served(self, function: Callable[..., Any], *args: Any) -> Any:
        token = current_endpoint.set(self._endpoint)
        try:
            return function(*args)
        finally:
            current_endpoint.reset(token)
