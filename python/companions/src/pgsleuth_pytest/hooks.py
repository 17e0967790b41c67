"""Finds out what an application sends, without touching it: Django, SQLAlchemy, psycopg, psycopg2, asyncpg.

Each is hooked where it is installed, once for the process. Whoever uses a driver through Django or SQLAlchemy
is counted there, with any driver; a driver's own hook counts the connections that neither of them made.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any, Callable

from pgsleuth_pytest.statements import inside, sized, tracker

_done: set[str] = set()


def install() -> None:
    for name, hook in _HOOKS.items():
        if name not in _done and importlib.util.find_spec(name.split(".")[0]) is not None:
            _done.add(name)
            hook()


# --- Django and SQLAlchemy: by what they offer for it ---


def _django() -> None:
    from django.db.backends.signals import connection_created

    # weak=False: nobody else keeps them.
    connection_created.connect(_on_django_connection, weak=False, dispatch_uid="pgsleuth_pytest")
    from pgsleuth_pytest import requests

    requests.hook_django()


def _on_django_connection(connection: Any, **_: Any) -> None:
    if connection.vendor != "postgresql":
        return
    tracker.speak_for(connection.connection)
    if _django_statement not in connection.execute_wrappers:
        # First: connection.execute_wrapper() takes the last one away when its block ends.
        connection.execute_wrappers.insert(0, _django_statement)


def _django_statement(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if many:
        params = sized(params)
    raw = context["connection"].connection
    tracker.sending(raw, _text(sql, raw), len(params) if many else 1, framework="django")
    return execute(sql, params, many, context)


def _sqlalchemy() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    @event.listens_for(Pool, "connect")
    def on_connect(_dbapi: Any, record: Any) -> None:
        tracker.speak_for(record.driver_connection)

    @event.listens_for(Engine, "before_cursor_execute")
    def on_statement(
        connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        if connection.dialect.name == "postgresql":
            raw = connection.connection.driver_connection
            tracker.sending(raw, statement, len(parameters) if many else 1)


# --- the drivers: by their classes ---


def _told(connection: Any, sql: Any, times: int = 1) -> None:
    if not tracker.is_spoken_for(connection):
        tracker.sending(connection, _text(sql, connection), times)


def _text(sql: Any, connection: Any) -> str:
    """psycopg's composed statements and bytes are as good as texts."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, (bytes, bytearray)):
        return bytes(sql).decode("utf-8", "replace")
    return str(sql.as_string(connection)) if hasattr(sql, "as_string") else str(sql)


def _replace(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = owner.__dict__.get(name)
    if original is not None:
        setattr(owner, name, functools.wraps(original)(make(original)))


def _psycopg() -> None:
    psycopg = importlib.import_module("psycopg")
    for cls in (psycopg.Cursor, psycopg.ServerCursor):
        for name in ("execute", "stream", "copy"):
            _replace(cls, name, _cursor_call)
        _replace(cls, "executemany", _cursor_many)
    for cls in (psycopg.AsyncCursor, psycopg.AsyncServerCursor):
        for name in ("stream", "copy"):  # these return what is awaited later
            _replace(cls, name, _cursor_call)
        _replace(cls, "execute", _async_cursor_call)
        _replace(cls, "executemany", _async_cursor_many)


def _cursor_call(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            if outermost:
                _told(self.connection, query)
            return original(self, query, *args, **kwargs)

    return call


def _cursor_many(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, query: Any, params_seq: Any, *args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            params_seq = sized(params_seq)
            if outermost:
                _told(self.connection, query, len(params_seq))
            return original(self, query, params_seq, *args, **kwargs)

    return call


def _async_cursor_call(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            if outermost:
                _told(self.connection, query)
            return await original(self, query, *args, **kwargs)

    return call


def _async_cursor_many(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, query: Any, params_seq: Any, *args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            params_seq = sized(params_seq)
            if outermost:
                _told(self.connection, query, len(params_seq))
            return await original(self, query, params_seq, *args, **kwargs)

    return call


def _psycopg2() -> None:
    """Its classes are C's: connections and cursors are made of classes on top of them."""
    psycopg2 = importlib.import_module("psycopg2")
    extensions = importlib.import_module("psycopg2.extensions")

    @functools.cache
    def told_cursor(base: Any) -> Any:
        body = {
            name: make(getattr(base, name))
            for name, make in (
                ("execute", _cursor_call),
                ("callproc", _cursor_call),
                ("copy_expert", _cursor_call),
                ("executemany", _cursor_many),
            )
        }
        return type(base.__name__, (base,), body)

    @functools.cache
    def told_connection(base: Any) -> Any:
        def cursor(self: Any, *args: Any, **kwargs: Any) -> Any:
            if len(args) > 1:  # cursor(name, cursor_factory)
                args = (args[0], told_cursor(args[1]), *args[2:])
            else:
                factory = kwargs.get("cursor_factory") or self.cursor_factory or extensions.cursor
                kwargs["cursor_factory"] = told_cursor(factory)
            return base.cursor(self, *args, **kwargs)

        return type(base.__name__, (base,), {"cursor": cursor})

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(dsn: Any = None, connection_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
            base = connection_factory or extensions.connection
            if isinstance(base, type):  # else a function, which makes what it likes
                base = told_connection(base)
            return original(dsn, base, *args, **kwargs)

        return connect

    _replace(psycopg2, "connect", make)


def _asyncpg() -> None:
    connection = importlib.import_module("asyncpg.connection").Connection
    prepared = importlib.import_module("asyncpg.prepared_stmt").PreparedStatement
    for name in ("execute", "fetch", "fetchval", "fetchrow", "copy_from_query"):
        _replace(connection, name, _asyncpg_call)
    for name in ("executemany", "fetchmany"):
        _replace(connection, name, _asyncpg_many)
    for name in ("copy_from_table", "copy_to_table", "copy_records_to_table"):
        _replace(connection, name, functools.partial(_asyncpg_copy, name))
    _replace(connection, "cursor", _asyncpg_cursor)
    _replace(connection, "reset", _asyncpg_own)  # by the pool
    for name in ("fetch", "fetchval", "fetchrow"):
        _replace(prepared, name, _prepared_call)
    for name in ("executemany", "fetchmany"):
        _replace(prepared, name, _prepared_many)
    _replace(prepared, "cursor", _prepared_cursor)


def _asyncpg_call(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            if outermost:
                _told(self, query)
            return await original(self, query, *args, **kwargs)

    return call


def _asyncpg_many(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, command: str, args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            args = sized(args)
            if outermost:
                _told(self, command, len(args))
            return await original(self, command, args, **kwargs)

    return call


def _asyncpg_copy(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, table: str, **kwargs: Any) -> Any:
        with inside() as outermost:
            if outermost:
                _told(self, f"{name}({table})")
            return await original(self, table, **kwargs)

    return call


def _asyncpg_cursor(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        _told(self, query)
        return original(self, query, *args, **kwargs)

    return call


def _asyncpg_own(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with inside():
            return await original(self, *args, **kwargs)

    return call


def _prepared_call(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            if outermost:
                _told(self._connection, self.get_query())
            return await original(self, *args, **kwargs)

    return call


def _prepared_many(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, args: Any, **kwargs: Any) -> Any:
        with inside() as outermost:
            args = sized(args)
            if outermost:
                _told(self._connection, self.get_query(), len(args))
            return await original(self, args, **kwargs)

    return call


def _prepared_cursor(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        _told(self._connection, self.get_query())
        return original(self, *args, **kwargs)

    return call


def _web(name: str) -> Callable[[], None]:
    def hook() -> None:
        from pgsleuth_pytest import requests

        getattr(requests, name)()

    return hook


_HOOKS: dict[str, Callable[[], None]] = {
    "django": _django,
    "sqlalchemy": _sqlalchemy,
    "psycopg": _psycopg,
    "psycopg2": _psycopg2,
    "asyncpg": _asyncpg,
    "starlette": _web("hook_starlette"),
    "flask": _web("hook_flask"),
}
