"""Tags what an SQLAlchemy engine sends, whatever driver is under it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from pgsleuth_tags._tagger import Tagger

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["instrument"]

_FORMATTING = frozenset({"format", "pyformat"})
_MARK = "_pgsleuth_tags"


def instrument(
    engine: Engine | AsyncEngine,
    root: str | os.PathLike[str] | None = None,
    *,
    tags: bool = True,
    trace: bool = False,
) -> None:
    """Tag every statement of ``engine``, and mark its connections where marks are enabled.

    File names are shown relative to ``root`` (default: the current folder). With ``tags=False`` the
    statements stay as they are; with ``trace=True`` they have their request's ``traceparent``, too. A second
    call on the same engine does nothing.
    """
    target: Any = getattr(engine, "sync_engine", engine)
    if getattr(target, _MARK, False):
        return
    tagger = Tagger(root, tags=tags, trace=trace)

    def before_cursor_execute(
        connection: Connection,
        _cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        _executemany: bool,
    ) -> tuple[str, Any]:
        double = _formats(connection, parameters, context)
        # Under an AsyncEngine the driver's own connection, too, not SQLAlchemy's adapter.
        raw = connection.connection.driver_connection
        return tagger.before(raw, statement, double_percent=double), parameters

    event.listen(target, "before_cursor_execute", before_cursor_execute, retval=True)
    setattr(target, _MARK, True)


def _formats(connection: Connection, parameters: Any, context: Any) -> bool:
    # A driver of a format style turns %% into % whenever it is given parameters, even an empty tuple.
    # SQLAlchemy always gives some, save under the option no_parameters when there are none. The others
    # (asyncpg's numeric_dollar) send the text as it is, so doubling there would reach the server.
    if connection.dialect.paramstyle not in _FORMATTING:
        return False
    options = getattr(context, "execution_options", None) or {}
    return bool(parameters) or not options.get("no_parameters", False)
