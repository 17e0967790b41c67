"""What the integrations share: the endpoint being served and the comment made from it and the call site."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Protocol

from pgsleuth_tags._callsite import CallSite, Locator
from pgsleuth_tags._comment import append, render

_MAX_COMMENTS = 4096


class Endpoint(Protocol):
    """The request being served. Asked at each statement, since a route is known only after routing."""

    def tags(self) -> tuple[str, str, str]:
        """Return framework, method and route template; an unknown one is empty."""


current_endpoint: ContextVar[Endpoint | None] = ContextVar("pgsleuth_endpoint", default=None)
_NO_ENDPOINT = ("", "", "")


class Tagger:
    """Adds the comment to a statement's text.

    The same call site under the same route always gives the same comment, so drivers' statement caches, which
    are keyed by text, still hit. Nothing that differs between two requests may ever be added here.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self._locator = Locator(root)
        self._comments: dict[tuple[CallSite | None, tuple[str, str, str], bool], str] = {}

    def tag(self, sql: str, *, double_percent: bool = False) -> str:
        """Return ``sql`` with its comment. ``double_percent`` is for drivers that will format the text."""
        endpoint = current_endpoint.get()
        tags = endpoint.tags() if endpoint is not None else _NO_ENDPOINT
        key = (self._locator.find(), tags, double_percent)
        comment = self._comments.get(key)
        if comment is None:
            comment = self._remember(key)
        return append(sql, comment)

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
