"""Texts, URLs and places, without any server."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pgsleuth_pytest import database, results
from pgsleuth_pytest.marks import Marks
from pgsleuth_pytest.statements import Statement, Tracker, worst


@pytest.mark.parametrize(
    ("url", "upstream", "pointed"),
    [
        (
            "postgresql+asyncpg://u:p%40@db.example:5433/shop?ssl=require&application_name=x",
            "postgresql://db.example:5433/",
            "postgresql+asyncpg://u:p%40@127.0.0.1:1/shop?application_name=x",
        ),
        (
            "postgres://u@[::1]/shop?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgresql://[::1]:5432/?sslmode=verify-full&sslrootcert=%2Fca.pem",
            "postgres://u@127.0.0.1:1/shop",
        ),
        (
            "postgresql://u@/shop?host=/var/run/pg&port=5434",
            "postgresql://%2Fvar%2Frun%2Fpg:5434/",
            "postgresql://u@127.0.0.1:1/shop",
        ),
        ("postgis://%2Ftmp%2Fpg/shop", "postgresql://%2Ftmp%2Fpg:5432/", "postgis://127.0.0.1:1/shop"),
    ],
)
def test_url_is_taken_apart_and_pointed_elsewhere(
    url: str, upstream: str, pointed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPORT", raising=False)
    assert database.of_url(url).url == upstream
    assert database.pointed_at(url, "127.0.0.1", 1) == pointed


@pytest.mark.parametrize("url", ["mysql://u@h/d", "postgresql:", "h:5432", "postgresql://a:1,b:2/d"])
def test_url_that_does_not_fit_is_refused(url: str) -> None:
    with pytest.raises(database.UnfitDatabaseError):
        database.of_url(url)


def test_environment_of_another_server_stays() -> None:
    behind = database.Upstream("db", "5432")
    environment = {"DATABASE_URL": "postgresql://u@other/shop", "PGHOST": "other", "PGPORT": "5432"}
    before = dict(environment)
    assert database.point_environment(environment, "DATABASE_URL", behind, "127.0.0.1", 1) == []
    assert environment == before


def test_names_of_the_same_host_are_one() -> None:
    assert database.Upstream("localhost", "5432").is_at("127.0.0.1", "5432")
    assert not database.Upstream("localhost", "5432").is_at("127.0.0.1", "5433")


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN;",
        "  /* why */ -- so\n commit",
        'SAVEPOINT "s1"',
        'RELEASE SAVEPOINT "s1"',
        "ROLLBACK TO x",
        "SET LOCAL x = 1",
        "SHOW x",
        "select set_config('TimeZone', 'UTC', false)",
        "SELECT 1",
        "",
        ";",
        "/* nothing */",
    ],
)
def test_what_steers_the_connection_is_not_counted(sql: str) -> None:
    tracker = Tracker()
    test = tracker.begin("a::b", "call")
    tracker.sending(object(), sql)
    assert test.count == 0


@pytest.mark.parametrize(
    "sql", ["SELECT 1, 2", "begins()", "/*tag='x'*/ SELECT x", "WITH a AS (SELECT 1) SELECT 2"]
)
def test_what_an_application_asks_is_counted(sql: str) -> None:
    tracker = Tracker()
    test = tracker.begin("a::b", "call")
    tracker.sending(object(), sql)
    tracker.sending(object(), sql, 3)
    assert test.count == 4
    tracker.begin("a::b", "teardown")
    tracker.sending(object(), sql)
    assert test.count == 4


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        ("SELECT *\n FROM t1 WHERE a = 'it''s' AND b=-1.5", "SELECT * FROM t1 WHERE a = ? AND b=?"),
        ('SELECT "T1".a FROM t WHERE a IN (1, 2,3)', 'SELECT "T1".a FROM t WHERE a IN (?, ...)'),
        ("INSERT INTO t VALUES (%(a)s, %(b)s::INTEGER)", "INSERT INTO t VALUES (?, ...)"),
        ("UPDATE t SET a = $1::VARCHAR WHERE b = %s", "UPDATE t SET a = ? WHERE b = ?"),
    ],
)
def test_shape_has_no_values(sql: str, shape: str) -> None:
    assert Statement(sql, 1, "", "").shape == shape


def test_worst_shapes_come_first_and_the_others_are_counted() -> None:
    sent = [
        Statement(f"SELECT {name}", times, "a.py:1", "GET /") for name, times in zip("abcdefg", range(1, 8))
    ]
    lines = worst(sent)
    assert lines[0] == "     7 x SELECT g"
    assert lines[1] == "         a.py:1, in GET /"
    assert lines[-1] == "       and 2 others"


@pytest.mark.parametrize(
    ("severity", "names"),
    [
        (None, ["GET /a"]),
        ("low", ["GET /a", "GET /b"]),
        ("medium", ["GET /a", "GET /b"]),
        ("high", ["GET /a"]),
    ],
)
def test_endpoints_are_judged_by_severity_and_fixtures_never(severity: str | None, names: list[str]) -> None:
    def row(method: str, route: str, status: str, **issues: int) -> dict[str, object]:
        counts = {"low": 0, "medium": 0, "high": 0, "critical": 0, **issues}
        return {"name": f"{method} {route}", "method": method, "status": status, "issues": counts}

    report = {
        "endpoints": [
            row("GET", "/a", "NEEDS_OPTIMIZATION", critical=1),
            row("GET", "/b", "PASS", medium=1),
            row("GET", "/c", "PASS"),
            row("fixtures", "of test_x.py", "NEEDS_OPTIMIZATION", high=1),
        ]
    }
    assert results.needing(report, severity) == names


def test_marks_that_cannot_be_sent_are_counted_and_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "marks")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as link,
    ):
        marks = Marks(path)
        marks.say(link, (("route", "/a'b"),))
        assert marks.lost == 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(path)
            marks.say(link, (("route", "/a'b"),))
            marks.say(link, (("route", "/a'b"),))
            marks.say(link, ())
            host, port = link.getsockname()
            client = f"client='{host}:{port}'"
            assert [listener.recv(999).decode() for _ in range(2)] == [f"{client},route='/a%27b'", client]
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.recv(999)
        marks.close()
