"""What the application is made of, as a file: routes, middleware, pool settings, versions.

``write_manifest("pgsleuth-manifest.json", app=app, engine=engine)``, at start. Without ``app``, a configured
Django is taken.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import sys
from importlib import metadata
from typing import Any

from pgsleuth_tags._callsite import Locator
from pgsleuth_tags._routes import (
    Application,
    Route,
    django_application,
    flask_application,
    starlette_application,
)

__all__ = ["describe", "write_manifest"]

_VERSION = 1
_PACKAGES = ("fastapi", "starlette", "django", "flask", "sqlalchemy", "psycopg", "psycopg2", "asyncpg")
# What PyPI has of a package under another name.
_BUILDS = {"psycopg2": "psycopg2-binary"}
# Settings of Django's that are shown, with its defaults.
_DJANGO = {"ENGINE": "", "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False}


def write_manifest(
    path: str | os.PathLike[str],
    app: Any = None,
    engine: Any = None,
    root: str | os.PathLike[str] | None = None,
) -> None:
    """Write the manifest to ``path``, whole or not at all.

    ``app`` is an application of FastAPI, Starlette or Flask, ``engine`` an Engine or an AsyncEngine of
    SQLAlchemy, or a pool of asyncpg or psycopg_pool; both may be absent. Files are relative to ``root``
    (default: the current folder).
    """
    text = json.dumps(describe(app, engine, root), indent=2) + "\n"
    target = os.fspath(path)
    temporary = f"{target}.{secrets.token_hex(4)}"
    try:
        # Not tempfile, which makes files that nobody else may read: pgsleuth may run as another user.
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def describe(
    app: Any = None, engine: Any = None, root: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Return the manifest. It holds no name, address, user or password of any database."""
    found = _application(app, Locator(root))
    return {
        "version": _VERSION,
        "python": platform.python_version(),
        "packages": _versions(),
        "framework": found.framework,
        "routes": [_route(route) for route in found.routes],
        "middleware": found.middleware,
        "pool": None if engine is None else _pool(engine),
        "databases": _databases(),
    }


def _application(app: Any, locator: Locator) -> Application:
    if app is None:
        return django_application(locator) if _django_settings() is not None else Application("", [], [])
    bases = {base.__module__.partition(".")[0] for base in type(app).__mro__}
    if "django" in bases:
        return django_application(locator)
    if "flask" in bases:
        return flask_application(app, locator)
    if "starlette" in bases:
        return starlette_application("fastapi" if "fastapi" in bases else "starlette", app, locator)
    raise TypeError(f"{type(app).__qualname__} is no application of FastAPI, Starlette, Django or Flask")


def _route(route: Route) -> dict[str, Any]:
    shown = route._asdict()
    shown["async"] = shown.pop("is_async")
    return shown


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        for distribution in (name, _BUILDS.get(name)):
            try:
                found[name] = metadata.version(distribution) if distribution else ""
            except metadata.PackageNotFoundError:
                continue
            break
    return {name: version for name, version in found.items() if version}


def _pool(engine: Any) -> dict[str, Any]:
    found = getattr(engine, "sync_engine", engine)
    library = type(found).__module__.partition(".")[0]
    if library == "sqlalchemy":
        values = _sqlalchemy_pool(found.pool)
        found = found.pool
    elif library == "asyncpg":
        least, most = found.get_min_size(), found.get_max_size()
        values = (least, most - least, None, None, False)
    elif library == "psycopg_pool":
        checked = getattr(found, "_check", None) is not None
        values = (found.min_size, found.max_size - found.min_size, found.timeout, found.max_lifetime, checked)
    else:
        raise TypeError(f"{type(engine).__qualname__} is no engine of SQLAlchemy and no pool of a driver")
    names = ("size", "max_overflow", "timeout", "recycle", "pre_ping")
    return {"class": type(found).__name__, **dict(zip(names, values))}


def _sqlalchemy_pool(pool: Any) -> tuple[Any, ...]:
    size = getattr(pool, "size", None)
    others = ("_max_overflow", "_timeout", "_recycle", "_pre_ping")
    return (size() if callable(size) else None, *(getattr(pool, name, None) for name in others))


def _django_settings() -> Any:
    # Looked up, not imported: what has not been imported is not in use.
    module = sys.modules.get("django.conf")
    return module.settings if module is not None and module.settings.configured else None


def _databases() -> dict[str, Any]:
    settings = _django_settings()
    configured = getattr(settings, "DATABASES", {}) if settings is not None else {}
    return {alias: _database(options) for alias, options in configured.items()}


def _database(options: dict[str, Any]) -> dict[str, Any]:
    shown = {key: options.get(key, default) for key, default in _DJANGO.items()}
    pool = options.get("OPTIONS", {}).get("pool")
    if isinstance(pool, dict):
        # Numbers and switches only: among the others may be what a connection is made with.
        pool = {key: value for key, value in pool.items() if isinstance(value, (bool, int, float))}
    if pool is not None:
        shown["OPTIONS"] = {"pool": pool if isinstance(pool, dict) else bool(pool)}
    return shown
