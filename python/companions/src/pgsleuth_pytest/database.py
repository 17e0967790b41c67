"""Where the application's database is, and how the application is pointed at pgsleuth instead."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

_URL = re.compile(
    r"(?P<scheme>[\w+.-]+)://(?:(?P<login>[^@/?#]*)@)?(?P<at>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>.*))?"
)
_POSTGRES = re.compile(r"(postgres|postgresql|postgis|psql|pgsql|psycopg|timescale)\b", re.IGNORECASE)
# What concerns the way to the server: pgsleuth's business now. Applications reach pgsleuth in the clear.
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation")
_TAKEN_AWAY = (*_TLS, "ssl", "channel_binding", "gssencmode", "host", "port", "hostaddr")
DEFAULT_PORT = "5432"
SOCKET_FOLDERS = ("/var/run/postgresql", "/tmp")  # noqa: S108 # where libpq looks without a host


class UnfitDatabaseError(ValueError):
    """With what is wrong, on one line."""


@dataclass(frozen=True)
class Upstream:
    """A server as pgsleuth is told of it: neither user nor password, which the application sends itself."""

    host: str
    port: str
    tls: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        query = urlencode(self.tls)
        return f"postgresql://{host}:{self.port}/" + (f"?{query}" if query else "")

    @property
    def shown(self) -> str:
        return f"{self.host}:{self.port}"

    def is_at(self, host: str, port: str) -> bool:
        if not host:
            return self.host in SOCKET_FOLDERS and self.port == port
        return (_same_host(self.host), self.port) == (_same_host(host), port)


def _same_host(host: str) -> str:
    return "127.0.0.1" if host in ("localhost", "::1") else host


def of_url(url: str) -> Upstream:
    match, query = _parts(url)
    host, port = _address(match["at"])
    host = query.get("host", host) or default_host()
    port = query.get("port", port) or os.environ.get("PGPORT", "") or DEFAULT_PORT
    if "," in host or "," in match["at"]:
        raise UnfitDatabaseError("several hosts in one URL cannot be audited by a test run; name one")
    return Upstream(host, port, tuple((name, query[name]) for name in _TLS if name in query))


def pointed_at(url: str, host: str, port: int) -> str:
    """The same URL with another server, reached in the clear."""
    match, query = _parts(url)
    login = f"{match['login']}@" if match["login"] is not None else ""
    kept = urlencode([(k, v) for k, v in query.items() if k not in _TAKEN_AWAY])
    return f"{match['scheme']}://{login}{host}:{port}{match['path'] or ''}" + (f"?{kept}" if kept else "")


def _parts(url: str) -> tuple[re.Match[str], dict[str, str]]:
    match = _URL.fullmatch(url)
    if match is None or not _POSTGRES.match(match["scheme"]):
        raise UnfitDatabaseError("it is no URL of a PostgreSQL database (postgresql://user@host:port/name)")
    return match, dict(parse_qsl(match["query"] or "", keep_blank_values=True))


def _address(at: str) -> tuple[str, str]:
    if at.startswith("["):
        host, _, port = at[1:].partition("]")
        return host, port.lstrip(":")
    host, _, port = at.partition(":")
    return unquote(host), port


def default_host() -> str:
    """As libpq does: PGHOST, or the folder of the Unix socket."""
    if os.environ.get("PGHOST"):
        return os.environ["PGHOST"]
    return next((folder for folder in SOCKET_FOLDERS if os.path.isdir(folder)), "localhost")


def of_environment(environment: MutableMapping[str, str], variable: str) -> Upstream | None:
    """The variable with a URL, or libpq's own; None without either."""
    url = environment.get(variable, "")
    if url and _POSTGRES.match(url):
        return of_url(url)
    if environment.get("PGHOST"):
        tls = {name: environment.get(f"PG{name.upper()}", "") for name in _TLS}
        port = environment.get("PGPORT") or DEFAULT_PORT
        return Upstream(environment["PGHOST"], port, tuple((k, v) for k, v in tls.items() if v))
    return None


def point_environment(
    environment: MutableMapping[str, str], variable: str, behind: Upstream, host: str, port: int
) -> list[str]:
    """Point what named that server at another one; the names of the variables that were changed."""
    changed = []
    url = environment.get(variable, "")
    if url and _POSTGRES.match(url) and of_url(url).is_at(behind.host, behind.port):
        environment[variable] = pointed_at(url, host, port)
        changed.append(variable)
    named = environment.get("PGHOST", "")
    if named and behind.is_at(named, environment.get("PGPORT") or DEFAULT_PORT):
        environment["PGHOST"], environment["PGPORT"] = host, str(port)
        for name in _TLS:
            environment.pop(f"PG{name.upper()}", None)
        changed.append("PGHOST")
    return changed


# --- Django ---


def django_databases() -> dict[str, dict[str, Any]]:
    """The settings of its PostgreSQL databases by alias; they are the dictionaries that connections use."""
    try:
        from django.conf import settings
    except ImportError:
        return {}
    if not settings.configured:
        return {}
    from django.db import connections

    return {
        alias: database
        for alias, database in connections.settings.items()
        if "postg" in str(database.get("ENGINE", ""))
    }


def of_django(database: dict[str, Any]) -> Upstream:
    options = database.get("OPTIONS") or {}
    host = str(database.get("HOST") or options.get("host") or default_host())
    port = str(database.get("PORT") or options.get("port") or os.environ.get("PGPORT") or DEFAULT_PORT)
    if "," in host:
        raise UnfitDatabaseError(
            "several hosts for one database of Django's cannot be audited by a test run; name one"
        )
    return Upstream(host, port, tuple((name, str(options[name])) for name in _TLS if options.get(name)))


def point_django(behind: Upstream, host: str, port: int) -> tuple[list[str], list[str]]:
    """Aliases that were pointed at another server or are there already, and those of other servers."""
    there, elsewhere = [], []
    for alias, database in django_databases().items():
        now = of_django(database)
        if now.is_at(behind.host, behind.port):
            database["HOST"], database["PORT"] = host, str(port)
            options = database.get("OPTIONS") or {}
            for name in _TAKEN_AWAY:
                options.pop(name, None)
        elif not now.is_at(host, str(port)):
            elsewhere.append(alias)
            continue
        there.append(alias)
    return there, elsewhere
