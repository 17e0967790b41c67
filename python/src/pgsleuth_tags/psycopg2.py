"""Tags what psycopg2 sends: ``psycopg2.connect(dsn, cursor_factory=TaggedCursor)``."""

from __future__ import annotations

import os
from typing import Any

from psycopg2 import extensions, sql

from pgsleuth_tags._tagger import Tagger

__all__ = ["TagMixin", "TaggedCursor", "tagged_cursor_class"]


class TagMixin:
    """Goes before a cursor class of psycopg2: ``class MyCursor(TagMixin, DictCursor): ...``."""

    _pgsleuth_tagger = Tagger()

    def _tag(self, query: Any, formatted: bool) -> Any:
        if isinstance(query, sql.Composable):
            query = query.as_string(self)
        connection = self.connection  # type: ignore[attr-defined] # of the cursor class behind this one
        return self._pgsleuth_tagger.before(connection, query, double_percent=formatted)

    def execute(self, query: Any, vars: Any = None) -> Any:  # noqa: A002 - psycopg2's own name
        cursor: Any = super()
        return cursor.execute(self._tag(query, vars is not None), vars)

    def executemany(self, query: Any, vars_list: Any) -> Any:
        cursor: Any = super()
        return cursor.executemany(self._tag(query, True), vars_list)

    def copy_expert(self, sql: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        cursor: Any = super()
        return cursor.copy_expert(self._tag(sql, False), file, *args, **kwargs)


class TaggedCursor(TagMixin, extensions.cursor):  # type: ignore[misc] # without type information
    """psycopg2's own cursor, named ones too."""


def tagged_cursor_class(
    cursor_class: type[Any] = TaggedCursor,
    root: str | os.PathLike[str] | None = None,
    *,
    tags: bool = True,
    trace: bool = False,
) -> type[Any]:
    """Return ``cursor_class`` with file names relative to ``root``.

    With ``tags=False`` it only marks; with ``trace=True`` statements have their request's ``traceparent``.
    """
    tagger = Tagger(root, tags=tags, trace=trace)
    return type(cursor_class.__name__, (cursor_class,), {"_pgsleuth_tagger": tagger})
