"""The route being served, for FastAPI and Starlette."""

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping
from typing import Any, Callable

from pgsleuth_tags._request import METHODS, checked_traceparent, current_endpoint, new_request_id

__all__ = ["TagMiddleware"]

_Scope = MutableMapping[str, Any]
_App = Callable[[_Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class TagMiddleware:
    """Pure ASGI middleware: ``app.add_middleware(TagMiddleware)``.

    It only makes the request's scope known to the statements sent under it. ``def`` routes run in a thread
    with a copy of the context, and tasks inherit it, so both are tagged too.
    """

    def __init__(self, app: _App, framework: str = "fastapi") -> None:
        self._app = app
        self._framework = framework

    async def __call__(self, scope: _Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = current_endpoint.set(_Request(self._framework, scope))
        try:
            await self._app(scope, receive, send)
        finally:
            current_endpoint.reset(token)


class _Request:
    __slots__ = ("_framework", "_root", "_route", "_scope", "_template", "request_id", "traceparent")

    def __init__(self, framework: str, scope: _Scope) -> None:
        self.request_id = new_request_id()
        headers = scope.get("headers", ())
        trace = next((value for name, value in headers if name == b"traceparent"), b"")
        self.traceparent = checked_traceparent(trace.decode("latin-1"))
        self._framework = framework
        self._scope = scope
        self._route: object = None
        self._root = ""
        self._template = ""

    def tags(self) -> tuple[str, str, str]:
        scope = self._scope
        route, root = scope.get("route"), scope.get("root_path", "")
        if route is not self._route or root != self._root:
            self._route, self._root, self._template = route, root, _template(scope, route)
        method = scope.get("method", "")
        return self._framework, method if method in METHODS else "", self._template


def _template(scope: _Scope, route: object) -> str:
    # FastAPI that keeps routers as a tree leaves in "route" the route as its own router declared it; the path
    # with the prefixes of include_router() is in the effective context beside it.
    state = scope.get("fastapi")
    effective = state.get("effective_route_context") if isinstance(state, dict) else None
    if effective is not None and getattr(effective, "original_route", None) is route:
        path = getattr(effective, "path", None)
    else:
        path = getattr(route, "path", None)
    # Under an application mounted without a router the mount is all there is, and its path is in the prefix.
    inner = path if isinstance(path, str) and not hasattr(route, "routes") else ""
    return _mount_prefix(scope, inner) + inner


def _mount_prefix(scope: _Scope, path: str) -> str:
    """Return the path of the mounts above the route, values of their parameters replaced by names."""
    root = scope.get("root_path", "")
    outer = scope.get("app_root_path", root)
    if root == outer or not root.startswith(outer):
        return ""
    names = {str(v): n for n, v in scope.get("path_params", {}).items() if f"{{{n}" not in path}
    parts = root[len(outer) :].split("/")
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in parts)
