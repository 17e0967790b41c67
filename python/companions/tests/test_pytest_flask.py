"""`pytest --pgsleuth` for Flask with psycopg2, in front of a Unix socket."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
import pytest
from conftest import Project

PROJECT = "flask_shop"


def environment(dsn: str) -> dict[str, str]:
    return {"DATABASE_URL": dsn}


@pytest.mark.parametrize("by", ["port", "unix socket"])
def test_budgets_and_routes_of_flask(
    by: str, project: Project, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "unix socket":
        with psycopg.connect(dsn) as connection:
            folder = connection.execute("SHOW unix_socket_directories").fetchone()[0]
        at = urlsplit(dsn)
        login = f"{at.username}:{at.password}"
        monkeypatch.setenv("DATABASE_URL", f"postgresql://{login}@{at.path}?host={folder}&port={at.port}")
    done = project.run("--pgsleuth")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        ["*query budget of 3 exceeded: 4 statements*", "*test_shop.py:14, in GET /pages/{number}*"]
    )
    found = project.endpoint("GET /pages/{number}")["endpoint"]
    assert (found["requests"], found["queries"]["max"], found["attribution"]) == (2, 4, "exact")
