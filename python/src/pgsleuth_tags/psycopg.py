"""Tags what psycopg 3 sends: ``TaggedConnection.connect(dsn)``, or its cursors as ``cursor_factory``.

A pool takes ``connection_class=TaggedConnection`` or ``kwargs={"cursor_factory": TaggedCursor}``. The
connection also marks before what no cursor sends, as the BEGIN of ``connection.transaction()``.
"""

from __future__ import annotations

import os
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import Row

from pgsleuth_tags import marks
from pgsleuth_tags._tagger import Tagger

__all__ = [
    "TagMixin",
    "TaggedAsyncClientCursor",
    "TaggedAsyncConnection",
    "TaggedAsyncCursor",
    "TaggedAsyncServerCursor",
    "TaggedClientCursor",
    "TaggedConnection",
    "TaggedCursor",
    "TaggedServerCursor",
    "tagged_connection_class",
]

_RAW = tuple(
    getattr(psycopg, name)
    for name in ("AsyncRawCursor", "AsyncRawServerCursor", "RawCursor", "RawServerCursor")
    if hasattr(psycopg, name)
)
_DEFAULT = Tagger()


class TagMixin:
    """Goes before a cursor class of psycopg: ``class MyCursor(TagMixin, psycopg.RawCursor): ...``.

    The methods are plain functions that return what psycopg's return, coroutines included: the caller is on
    the stack when it calls, but no longer when a task awaits the result, as under ``asyncio.gather``.
    Statements given as t-strings are marked and not tagged.
    """

    __slots__ = ()
    _raw = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._raw = issubclass(cls, _RAW)

    def _tag(self, query: Any, formatted: bool) -> Any:
        # psycopg turns %% into % when it is given parameters, even an empty sequence; raw cursors never do.
        connection = self.connection  # type: ignore[attr-defined] # of the cursor class behind this one
        if isinstance(query, sql.Composable):
            query = query.as_bytes(self)  # type: ignore[arg-type]
        return _tagger(connection).before(connection, query, double_percent=formatted and not self._raw)

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
        cursor: Any = super()
        return cursor.execute(self._tag(query, params is not None), params, **kwargs)

    def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> Any:
        cursor: Any = super()
        return cursor.executemany(self._tag(query, True), params_seq, **kwargs)

    def stream(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
        cursor: Any = super()
        return cursor.stream(self._tag(query, params is not None), params, **kwargs)

    def copy(self, statement: Any, params: Any = None, **kwargs: Any) -> Any:
        cursor: Any = super()
        return cursor.copy(self._tag(statement, bool(params)), params, **kwargs)


def _tagger(connection: Any) -> Tagger:
    found: Tagger = getattr(connection, "_pgsleuth_tagger", _DEFAULT)
    return found


class TaggedCursor(TagMixin, psycopg.Cursor[Row]):
    __slots__ = ()


class TaggedClientCursor(TagMixin, psycopg.ClientCursor[Row]):
    __slots__ = ()


class TaggedServerCursor(TagMixin, psycopg.ServerCursor[Row]):
    __slots__ = ()


class TaggedAsyncCursor(TagMixin, psycopg.AsyncCursor[Row]):
    __slots__ = ()


class TaggedAsyncClientCursor(TagMixin, psycopg.AsyncClientCursor[Row]):
    __slots__ = ()


class TaggedAsyncServerCursor(TagMixin, psycopg.AsyncServerCursor[Row]):
    __slots__ = ()


class TaggedConnection(psycopg.Connection[Row]):
    """A connection whose cursors tag, and that marks itself before whatever it sends, BEGIN included."""

    _pgsleuth_tagger = _DEFAULT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = TaggedCursor
        self.server_cursor_factory = TaggedServerCursor

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        marks.before_statement(self)
        return super().wait(*args, **kwargs)


class TaggedAsyncConnection(psycopg.AsyncConnection[Row]):
    """The same for asyncio."""

    _pgsleuth_tagger = _DEFAULT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = TaggedAsyncCursor
        self.server_cursor_factory = TaggedAsyncServerCursor

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
        # psycopg's is a coroutine that makes a cursor when it is awaited: the caller may be gone by then.
        if isinstance(query, sql.Composable):
            query = query.as_bytes(self)
        double = params is not None and not issubclass(self.cursor_factory, _RAW)
        query = self._pgsleuth_tagger.before(self, query, double_percent=double)
        return super().execute(query, params, **kwargs)

    async def wait(self, *args: Any, **kwargs: Any) -> Any:
        marks.before_statement(self)
        return await super().wait(*args, **kwargs)


def tagged_connection_class(
    connection_class: type[Any] = TaggedConnection,
    root: str | os.PathLike[str] | None = None,
    *,
    tags: bool = True,
    trace: bool = False,
) -> type[Any]:
    """Return ``connection_class`` with file names shown relative to ``root`` instead of the current folder.

    With ``tags=False`` it only marks; with ``trace=True`` statements have their request's ``traceparent``.
    """
    tagger = Tagger(root, tags=tags, trace=trace)
    return type(connection_class.__name__, (connection_class,), {"_pgsleuth_tagger": tagger})
