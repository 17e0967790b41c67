"""The route being served and the comment on what the ORM sends, for Django.

``MIDDLEWARE = ["pgsleuth_tags.django.TagMiddleware", ...]``, first in the list, does both. A process that
serves no requests (a command, a worker) calls ``instrument()`` instead.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncIterator
from typing import Any, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created

from pgsleuth_tags._request import METHODS, EachPart, checked_traceparent, current_endpoint, new_request_id
from pgsleuth_tags._tagger import Tagger

__all__ = ["TagMiddleware", "instrument"]

_UID = "pgsleuth_tags"


class TagMiddleware:
    """Middleware for synchronous and asynchronous stacks.

    File names are shown relative to the setting PGSLEUTH_TAGS_ROOT, else to BASE_DIR, else to the current
    folder. With PGSLEUTH_TAGS = False the statements stay as they are, and only marks are sent; with
    PGSLEUTH_TAGS_TRACE = True they have their request's ``traceparent``, too.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        root = getattr(settings, "PGSLEUTH_TAGS_ROOT", None) or getattr(settings, "BASE_DIR", None)
        tags = bool(getattr(settings, "PGSLEUTH_TAGS", True))
        instrument(root, tags=tags, trace=bool(getattr(settings, "PGSLEUTH_TAGS_TRACE", False)))

    def __call__(self, request: Any) -> Any:
        if self._is_async:
            return self._serve(request)
        endpoint = _Request(request)
        token = current_endpoint.set(endpoint)
        try:
            return _streaming(self._get_response(request), endpoint)
        finally:
            current_endpoint.reset(token)

    async def _serve(self, request: Any) -> Any:
        endpoint = _Request(request)
        endpoint.task = weakref.ref(asyncio.current_task())
        token = current_endpoint.set(endpoint)
        try:
            return _streaming(await self._get_response(request), endpoint)
        finally:
            current_endpoint.reset(token)


class _Request:
    __slots__ = ("_match", "_request", "_tags", "request_id", "task", "traceparent")

    def __init__(self, request: Any) -> None:
        self.request_id = new_request_id()
        self.traceparent = checked_traceparent(request.META.get("HTTP_TRACEPARENT", ""))
        self.task: Any = None
        self._request = request
        self._match: object = None
        self._tags = self._read(None)

    def tags(self) -> tuple[str, str, str]:
        match = self._request.resolver_match
        if match is not self._match:
            self._match, self._tags = match, self._read(match)
        return self._tags

    def _read(self, match: Any) -> tuple[str, str, str]:
        method = self._request.method or ""
        route = f"/{match.route}" if match is not None and match.route is not None else ""
        return "django", method if method in METHODS else "", route


def _streaming(response: Any, endpoint: _Request) -> Any:
    # The server reads a streamed body when the middleware has returned. A file is left alone: it sends no
    # statement, and a server's shortcut for files must stay.
    if not getattr(response, "streaming", False) or getattr(response, "file_to_stream", None) is not None:
        return response
    wrap = _each_part_async if getattr(response, "is_async", False) else EachPart
    response.streaming_content = wrap(response.streaming_content, endpoint)
    return response


async def _each_part_async(content: Any, endpoint: _Request) -> AsyncIterator[Any]:
    parts = content.__aiter__()
    while True:
        token = current_endpoint.set(endpoint)
        try:
            part = await parts.__anext__()
        except StopAsyncIteration:
            return
        finally:
            current_endpoint.reset(token)
        yield part


class _Wrapper:
    """An execute wrapper of Django's: called with each statement of one connection, executemany's too."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if hasattr(sql, "as_string"):
            sql = sql.as_string(context["cursor"].cursor)
        # Both drivers of Django turn %% into % when they are given parameters, even an empty sequence.
        double = many or params is not None
        tagged = self._tagger.before(context["connection"].connection, sql, double_percent=double)
        return execute(tagged, params, many, context)


def instrument(root: str | os.PathLike[str] | None = None, *, tags: bool = True, trace: bool = False) -> None:
    """Tag what Django sends to PostgreSQL, and mark its connections where marks are enabled.

    File names are shown relative to ``root`` (default: the current folder). With ``tags=False`` the
    statements stay as they are; with ``trace=True`` they have their request's ``traceparent``, too. A later
    call replaces what an earlier one said.
    """
    wrapper = _Wrapper(Tagger(root, tags=tags, trace=trace))

    def install(connection: Any, **_kwargs: Any) -> None:
        if connection.vendor != "postgresql":
            return
        wrappers = connection.execute_wrappers
        wrappers[:] = [known for known in wrappers if not isinstance(known, _Wrapper)]
        # First, not last: connection.execute_wrapper() takes the last one away when its block ends, and a
        # block may be open while the connection is made.
        wrappers.insert(0, wrapper)

    connection_created.disconnect(dispatch_uid=_UID)
    connection_created.connect(install, weak=False, dispatch_uid=_UID)
    for connection in connections.all():
        install(connection)
