"""What the integrations share: the comment made from the endpoint being served and the call site."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pgsleuth_tags import marks
from pgsleuth_tags._callsite import CallSite, Locator
from pgsleuth_tags._comment import append, render, with_trace
from pgsleuth_tags._request import Endpoint, current_endpoint

__all__ = ["Endpoint", "Tagger", "current_endpoint"]

_MAX_COMMENTS = 4096
_NO_ENDPOINT = ("", "", "")


class Tagger:
    """Adds the comment to a statement's text, unless made with ``tags=False``.

    The same call site under the same route always gives the same comment, so drivers' statement caches, which
    are keyed by text, still hit. What differs between two requests is added with ``trace=True`` alone: the
    request's ``traceparent`` header, behind all else.
    """

    def __init__(
        self, root: str | os.PathLike[str] | None = None, *, tags: bool = True, trace: bool = False
    ) -> None:
        self._locator = Locator(root)
        self._tags = tags
        self._trace = trace
        self._comments: dict[tuple[CallSite | None, tuple[str, str, str], bool], str] = {}

    def before(self, connection: object, sql: Any, *, double_percent: bool = False) -> Any:
        """Mark the driver's ``connection`` and return ``sql``, text or bytes, as it is to be sent."""
        marks.before_statement(connection)
        if isinstance(sql, str):
            return self.tag(sql, double_percent=double_percent)
        if isinstance(sql, bytes) and self._tags:
            # The comment is ASCII, and so is what decides about its place, in every encoding of a client.
            return self.tag(sql.decode("latin-1"), double_percent=double_percent).encode("latin-1")
        return sql

    def tag(self, sql: str, *, double_percent: bool = False) -> str:
        """Return ``sql`` with its comment. ``double_percent`` is for drivers that will format the text."""
        if not self._tags:
            return sql
        endpoint = current_endpoint.get()
        tags = endpoint.tags() if endpoint is not None else _NO_ENDPOINT
        key = (self._find(endpoint), tags, double_percent)
        comment = self._comments.get(key)
        if comment is None:
            comment = self._remember(key)
        if self._trace:
            comment = with_trace(comment, getattr(endpoint, "traceparent", ""))
        return append(sql, comment)

    def _find(self, endpoint: Endpoint | None) -> CallSite | None:
        site = self._locator.find()
        if site is None:
            task = getattr(endpoint, "task", None)
            waiting = task() if task is not None else None
            if waiting is not None:
                return self._locator.find_awaiting(waiting)
        return site

    def _remember(self, key: tuple[CallSite | None, tuple[str, str, str], bool]) -> str:
        site, tags, double_percent = key
        comment = render(_pairs(site, tags))
        if double_percent:
            comment = comment.replace("%", "%%")
        if len(self._comments) >= _MAX_COMMENTS:
            self._comments.clear()
        self._comments[key] = comment
        return comment


def _pairs(site: CallSite | None, tags: tuple[str, str, str]) -> Mapping[str, str]:
    framework, method, route = tags
    pairs = {"framework": framework, "method": method, "route": route}
    if site is not None:
        pairs["code.file.path"] = site.file
        pairs["code.function.name"] = site.function
        pairs["code.line.number"] = str(site.line)
    return pairs
