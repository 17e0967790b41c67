"""Tags what asyncpg sends: ``asyncpg.create_pool(dsn, connection_class=TaggedConnection)``."""

from __future__ import annotations

import os
import sys
from typing import Any

import asyncpg

from pgsleuth_tags._tagger import Tagger

__all__ = ["TaggedConnection", "tagged_connection_class"]

_ASYNCPG_DIR = os.path.dirname(os.path.abspath(asyncpg.__file__)) + os.sep
_POOL = asyncpg.pool.__file__


def _from_driver() -> bool:
    # asyncpg calls the same methods for BEGIN, for LISTEN and for the reset of a returned connection. Those
    # are not the application's; a call that came through the pool is.
    filename = sys._getframe(3).f_code.co_filename
    return filename.startswith(_ASYNCPG_DIR) and filename != _POOL


class TaggedConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no type information
    """A connection that tags the statements of its public methods.

    The methods are plain functions that return asyncpg's coroutine: the caller is on the stack when it calls,
    but no longer when a task awaits the result, as under ``asyncio.gather``. asyncpg does not format its
    texts, so the percent sign is never doubled.
    """

    __slots__ = ()
    _tagger = Tagger()

    def _tag(self, sql: Any) -> Any:
        return sql if _from_driver() or not isinstance(sql, str) else self._tagger.tag(sql)

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

    def prepare(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().prepare(self._tag(query), *args, **kwargs)

    def cursor(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return super().cursor(self._tag(query), *args, **kwargs)


def tagged_connection_class(root: str | os.PathLike[str]) -> type[TaggedConnection]:
    """Return a connection class that shows file names relative to ``root`` instead of the current folder."""
    return type("TaggedConnection", (TaggedConnection,), {"__slots__": (), "_tagger": Tagger(root)})
