"""Which request is being served: Django, Starlette with FastAPI, Flask; by a test client or by a server."""

from __future__ import annotations

import functools
import re
from collections.abc import MutableMapping
from typing import Any

from pgsleuth_pytest.statements import Request, request, serving

_Scope = MutableMapping[str, Any]
# A parameter of Django's and Flask's; pgsleuth writes it like FastAPI's.
_PARAMETER = re.compile(r"<(?:[^<>:]*:)?(\w+)>")


def hook_django() -> None:
    from django.core.handlers.base import BaseHandler

    get_response, get_response_async = BaseHandler.get_response, BaseHandler.get_response_async

    @functools.wraps(get_response)
    def served(self: Any, request: Any) -> Any:
        with serving(_of_django(request)):
            return get_response(self, request)

    @functools.wraps(get_response_async)
    async def served_async(self: Any, request: Any) -> Any:
        with serving(_of_django(request)):
            return await get_response_async(self, request)

    BaseHandler.get_response, BaseHandler.get_response_async = served, served_async


def _of_django(request: Any) -> Request:
    from django.urls import Resolver404, resolve

    early: list[str] = []  # what middleware sends comes before Django looks for the route

    def route() -> str:
        match = request.resolver_match
        if match is not None and match.route is not None:
            return _readable(f"/{match.route}")
        if not early:
            try:
                found = resolve(request.path_info, getattr(request, "urlconf", None))
                early.append(_readable(f"/{found.route}"))
            except Resolver404:
                early.append(str(request.path_info))
        return early[0]

    return Request(request.method or "", route)


def _readable(route: str) -> str:
    return _PARAMETER.sub(r"{\1}", route)


def hook_starlette() -> None:
    from starlette.applications import Starlette

    call = Starlette.__call__

    @functools.wraps(call)
    async def served(self: Any, scope: _Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await call(self, scope, receive, send)
            return
        outer = request.get()
        if isinstance(outer, _StarletteRequest) and outer.is_above(scope):
            outer.scope = scope  # an application that is mounted in the other one
            await call(self, scope, receive, send)
            return
        with serving(_StarletteRequest(scope)):
            await call(self, scope, receive, send)

    Starlette.__call__ = served  # type: ignore[method-assign]


class _StarletteRequest(Request):
    def __init__(self, scope: _Scope) -> None:
        super().__init__(scope.get("method", ""), self._route)
        self.scope = scope

    def is_above(self, scope: _Scope) -> bool:
        headers = scope.get("headers")
        return headers is not None and headers is self.scope.get("headers")

    def _route(self) -> str:
        scope = self.scope
        route = scope.get("route")
        path = getattr(route, "path", None)
        # FastAPI may keep routers as a tree: then the route has its own part of the path only.
        state = scope.get("fastapi")
        effective = state.get("effective_route_context") if isinstance(state, dict) else None
        if getattr(effective, "original_route", None) is route and route is not None:
            path = getattr(effective, "path", path)
        if not isinstance(path, str) or hasattr(route, "routes"):
            path = ""
        return self._mounts(path) + path or str(scope.get("path", ""))

    def _mounts(self, path: str) -> str:
        """The path of the mounts above the route; what their parameters matched is replaced by the names."""
        root = self.scope.get("root_path", "")
        outer = self.scope.get("app_root_path", root)
        if root == outer or not root.startswith(outer):
            return ""
        names = {str(v): n for n, v in self.scope.get("path_params", {}).items() if f"{{{n}" not in path}
        parts = root[len(outer) :].split("/")
        return "/".join(f"{{{names[part]}}}" if part in names else part for part in parts)


def hook_flask() -> None:
    import flask

    dispatch = flask.Flask.full_dispatch_request

    @functools.wraps(dispatch)
    def served(self: Any, *args: Any, **kwargs: Any) -> Any:
        now = flask.request
        method, rule, path = now.method, now.url_rule, now.path
        with serving(Request(method, lambda: _readable(rule.rule) if rule is not None else path)):
            return dispatch(self, *args, **kwargs)

    flask.Flask.full_dispatch_request = served  # type: ignore[method-assign]
