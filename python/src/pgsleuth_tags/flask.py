"""The route being served, for Flask: ``init_app(app)``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from flask import Flask, request

from pgsleuth_tags._request import METHODS, EachPart, checked_traceparent, current_endpoint, new_request_id

__all__ = ["TagMiddleware", "init_app"]

_EXTENSION = "pgsleuth_tags"


def init_app(app: Flask) -> None:
    """Make each request's route known to the statements sent under it. A second call does nothing.

    Also while a streamed response is sent. Templates are those of the rules, blueprints' prefixes included.
    """
    if _EXTENSION in app.extensions:
        return
    app.extensions[_EXTENSION] = TagMiddleware
    # Before the application's own functions: what they send belongs to the route too.
    app.before_request_funcs.setdefault(None, []).insert(0, _routed)
    app.wsgi_app = TagMiddleware(app.wsgi_app)  # type: ignore[method-assign]


class TagMiddleware:
    """Around the application's WSGI function: Flask ends its own contexts at other times in each version."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        endpoint = _Request(environ.get("REQUEST_METHOD", ""), environ.get("HTTP_TRACEPARENT", ""))
        token = current_endpoint.set(endpoint)
        try:
            body = self.wsgi_app(environ, start_response)
        finally:
            current_endpoint.reset(token)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            return body  # a file sends no statement, and a server's shortcut for files must stay
        return _Body(body, endpoint)


def _routed() -> None:
    endpoint = current_endpoint.get()
    if isinstance(endpoint, _Request) and request.url_rule is not None:
        endpoint.route = request.url_rule.rule


class _Request:
    __slots__ = ("_method", "request_id", "route", "traceparent")

    def __init__(self, method: str, traceparent: str) -> None:
        self.request_id = new_request_id()
        self.traceparent = checked_traceparent(traceparent)
        self.route = ""
        self._method = method if method in METHODS else ""

    def tags(self) -> tuple[str, str, str]:
        return "flask", self._method, self.route


class _Body(EachPart):
    def close(self) -> None:
        close = getattr(self.content, "close", None)
        if close is not None:
            self.served(close)
