"""Logins that cannot succeed fail as on a direct connection, or with words that tell what to do."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any, Callable

import psycopg
import psycopg2
import pytest
import sqlalchemy
from django.db import OperationalError as DjangoError
from django.db import connection as django_connection

from django_setup import use_database
from matrix import VERSIONS, Matrix
from proxy import StartProxy
from server import Target, find_program

REMEDIES = ("--tls-cert", "channel_binding=disable", "sslmode=disable")


def by_psql(target: Target) -> None:
    done = subprocess.run(
        [find_program("psql"), "-X", "-c", "SELECT 1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=target.environment(),
    )
    if done.returncode != 0:
        raise ConnectionError(done.stderr)


def by_sqlalchemy(target: Target) -> None:
    engine = sqlalchemy.create_engine(target.url("postgresql+psycopg"))
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def by_django(target: Target) -> None:
    with use_database(target):
        django_connection.ensure_connection()


CLIENTS: dict[str, Callable[[Target], Any]] = {
    "psycopg2": lambda target: psycopg2.connect(**target.libpq()).close(),
    "psycopg3": lambda target: psycopg.connect(**target.libpq()).close(),
    "psql": by_psql,
    "sqlalchemy": by_sqlalchemy,
    "django": by_django,
}
FAILURES = (
    psycopg2.OperationalError,
    psycopg.OperationalError,
    ConnectionError,
    sqlalchemy.exc.OperationalError,
    DjangoError,
)


def words_of_failure(client: str, target: Target) -> str:
    with pytest.raises(FAILURES) as refused:
        CLIENTS[client](target)
    return str(refused.value).replace(str(target.port), "PORT")


@pytest.mark.parametrize("client", CLIENTS)
def test_login_bound_to_another_certificate_is_refused_with_the_remedies(
    client: str, matrix: Matrix, pgsleuth: StartProxy
) -> None:
    """libpq binds the login to the certificate it sees, unless it is told not to."""
    behind = matrix.server("18").app
    upstream = replace(behind, parameters=matrix.verified())
    proxy = pgsleuth(behind, upstream=upstream.url(), **matrix.proxy_pair.options())
    at = replace(behind, port=proxy.port)
    words = words_of_failure(client, replace(at, parameters=matrix.verified()))
    for remedy in REMEDIES:
        assert remedy in words
    CLIENTS[client](replace(at, parameters=f"{matrix.verified()}&channel_binding=disable"))
    assert proxy.stop().report["coverage"]["refused_sessions"] == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client", CLIENTS)
def test_certificate_of_another_name_is_the_servers_to_refuse(
    client: str, version: str, matrix: Matrix, pgsleuth: StartProxy
) -> None:
    behind = replace(
        matrix.server(version).app,
        user="app_cert",
        parameters=matrix.verified(matrix.authority.sign("somebody", ())),
    )
    proxy = pgsleuth(behind, **matrix.proxy_pair.options())
    direct = words_of_failure(client, behind)
    assert 'certificate authentication failed for user "app_cert"' in direct
    for leg in ("sslmode=disable", matrix.verified()):
        assert words_of_failure(client, replace(behind, port=proxy.port, parameters=leg)) == direct


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client", CLIENTS)
def test_certificate_that_the_server_refuses_is_told_to_the_client(
    client: str, version: str, matrix: Matrix, pgsleuth: StartProxy
) -> None:
    """With TLS 1.3 the server says so when the handshake is over on this side."""
    over = matrix.authority.sign("app_cert", (), days=-1)
    behind = replace(matrix.server(version).app, user="app_cert", parameters=matrix.verified(over))
    proxy = pgsleuth(behind, **matrix.proxy_pair.options())
    assert "certificate expired" in words_of_failure(client, behind)
    for leg in ("sslmode=disable", matrix.verified()):
        words = words_of_failure(client, replace(behind, port=proxy.port, parameters=leg))
        assert "no TLS with the upstream server" in words
        assert "certificate expired" in words
    outcome = proxy.stop()
    assert outcome.report["coverage"]["refused_sessions"] == 2
    assert "certificate expired" in outcome.stderr
