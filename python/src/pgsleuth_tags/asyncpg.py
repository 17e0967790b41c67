"""Tags what asyncpg sends: ``asyncpg.create_pool(dsn, connection_class=TaggedConnection)``."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from pgsleuth_tags import marks
from pgsleuth_tags._tagger import Tagger

__all__ = ["TaggedConnection", "tagged_connection_class"]

_ASYNCPG_DIR = os.path.dirname(os.path.abspath(asyncpg.__file__)) + os.sep
_POOL = asyncpg.pool.__file__


def _from_driver() -> bool:
    # asyncpg calls the same methods for BEGIN, for LISTEN and for the reset of a returned connection. Those
    # are not the application's; a call that came through the pool is.
    filename = sys._getframe(3).f_code.co_filename
    return filename.startswith(_ASYNCPG_DIR) and filename != _POOL


class _MarkedStatement(PreparedStatement):  # type: ignore[misc] # asyncpg has no type information
    """Marks its connection each time it is used: it may outlive the request that prepared it."""

    __slots__ = ()

    def _check_conn_validity(self, meth_name: str) -> None:
        super()._check_conn_validity(meth_name)
        marks.before_statement(self._connection)


class TaggedConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no type information
    """A connection that tags the statements of its public methods, and marks itself where marks are enabled.

    The methods are plain functions that return asyncpg's coroutine: the caller is on the stack when it calls,
    but no longer when a task awaits the result, as under ``asyncio.gather``. asyncpg does not format its
    texts, so the percent sign is never doubled.
    """

    __slots__ = ()
    _tagger = Tagger()

    def _tag(self, sql: Any) -> Any:
        if _from_driver():
            marks.before_statement(self)
            return sql
        return self._tagger.before(self, sql)

    def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().execute(self._tag(query), *args, **kwargs)

    def executemany(self, command: str, *args: Any, **kwargs: Any) -> Any:
        return super().executemany(self._tag(command), *args, **kwargs)

    def fetch(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().fetch(self._tag(query), *args, **kwargs)

    def fetchmany(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().fetchmany(self._tag(query), *args, **kwargs)

    def fetchrow(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().fetchrow(self._tag(query), *args, **kwargs)

    def fetchval(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().fetchval(self._tag(query), *args, **kwargs)

    def cursor(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().cursor(self._tag(query), *args, **kwargs)

    def prepare(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return _marked(super().prepare(self._tag(query), *args, **kwargs))

    # COPY is not tagged: asyncpg puts these statements together itself.

    def copy_from_table(self, *args: Any, **kwargs: Any) -> Any:
        marks.before_statement(self)
        return super().copy_from_table(*args, **kwargs)

    def copy_from_query(self, *args: Any, **kwargs: Any) -> Any:
        marks.before_statement(self)
        return super().copy_from_query(*args, **kwargs)

    def copy_to_table(self, *args: Any, **kwargs: Any) -> Any:
        marks.before_statement(self)
        return super().copy_to_table(*args, **kwargs)

    def copy_records_to_table(self, *args: Any, **kwargs: Any) -> Any:
        marks.before_statement(self)
        return super().copy_records_to_table(*args, **kwargs)


async def _marked(preparing: Awaitable[PreparedStatement]) -> PreparedStatement:
    statement = await preparing
    if type(statement) is PreparedStatement:
        statement.__class__ = _MarkedStatement
    return statement


def tagged_connection_class(
    root: str | os.PathLike[str] | None = None, *, tags: bool = True, trace: bool = False
) -> type[TaggedConnection]:
    """Return a connection class that shows file names relative to ``root`` instead of the current folder.

    With ``tags=False`` it only marks; with ``trace=True`` statements have their request's ``traceparent``.
    """
    tagger = Tagger(root, tags=tags, trace=trace)
    return type("TaggedConnection", (TaggedConnection,), {"__slots__": (), "_tagger": tagger})
