"""The routes and the middleware of an application, read from its framework."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pgsleuth_tags._callsite import Locator

_ANY = "*"
_HTTP = ("get", "post", "put", "patch", "delete", "head", "options", "trace", "query")


class Route(NamedTuple):
    """One method of one path. ``file`` and ``line`` are where the function begins, decorators included."""

    method: str
    route: str
    function: str
    file: str
    line: int
    is_async: bool


class Application(NamedTuple):
    framework: str
    routes: list[Route]
    middleware: list[str]


def starlette_application(framework: str, app: Any, locator: Locator) -> Application:
    routes: list[Route] = []
    for path, route in _starlette_routes(app.routes, ""):
        # HEAD comes with GET, unasked.
        methods = sorted(set(route.methods or ()) - {"HEAD"}) or [_ANY]
        routes += _described(methods, path, route.endpoint, locator)
    return Application(framework, routes, [_name(each.cls) for each in app.user_middleware])


def _starlette_routes(routes: Iterable[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        if included is not None:
            # FastAPI that keeps routers as a tree: each context is the route with its routers' prefixes.
            yield from _starlette_routes(included(), prefix)
            continue
        original = getattr(route, "original_route", route)
        effective = getattr(route, "starlette_route", None) or route
        path = prefix + (getattr(effective, "path", None) or "")
        if hasattr(original, "methods"):  # not a WebSocket
            yield path, effective
        elif getattr(original, "routes", None):
            yield from _starlette_routes(original.routes, path)


def flask_application(app: Any, locator: Locator) -> Application:
    routes: list[Route] = []
    for rule in app.url_map.iter_rules():
        methods = sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}) or [_ANY]
        view = app.view_functions.get(rule.endpoint)
        if view is not None:
            routes += _described(methods, rule.rule, view, locator)
    return Application("flask", routes, list(_flask_middleware(app)))


def _flask_middleware(app: Any) -> Iterator[str]:
    outer, seen = app.wsgi_app, 0
    while outer is not None and not inspect.ismethod(outer) and seen < len(_HTTP):
        yield _name(type(outer))
        outer, seen = getattr(outer, "wsgi_app", getattr(outer, "app", None)), seen + 1
    for functions in app.before_request_funcs.values():
        yield from (_name(function) for function in functions)


def django_application(locator: Locator) -> Application:
    from django.conf import settings  # noqa: PLC0415 - only where Django is
    from django.urls import get_resolver  # noqa: PLC0415

    routes: list[Route] = []
    for path, view in _django_routes(get_resolver().url_patterns, "/"):
        routes += _described([_ANY], path, view, locator)
    return Application("django", routes, list(settings.MIDDLEWARE))


def _django_routes(patterns: Iterable[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _django_routes(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def _described(methods: Iterable[str], path: str, view: Any, locator: Locator) -> Iterator[Route]:
    handler_class = _handler_class(view)
    if handler_class is None:
        for method in methods:
            yield _route(method, path, view, locator)
        return
    offered = set(methods)
    for name in _HTTP:
        handler = getattr(handler_class, name, None)
        if handler is not None and offered & {_ANY, name.upper()}:
            yield _route(name.upper(), path, handler, locator)


def _handler_class(view: Any) -> Any:
    if inspect.isclass(view):  # Starlette's HTTPEndpoint
        return view
    return getattr(view, "view_class", None)  # Django's and Flask's as_view()


def _route(method: str, path: str, function: Any, locator: Locator) -> Route:
    while isinstance(function, functools.partial):
        function = function.func
    inner = inspect.unwrap(function)
    if not hasattr(inner, "__code__"):  # an object that is called
        inner = getattr(type(inner), "__call__", inner)  # noqa: B004 - the function, not whether there is one
    code = getattr(inner, "__code__", None)
    file, line = (locator.shown(code.co_filename), code.co_firstlineno) if code is not None else ("", 0)
    return Route(method, path, _qualified(inner), file, line, inspect.iscoroutinefunction(inner))


def _qualified(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{_qualified(thing)}"
