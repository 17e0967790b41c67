"""What pgsleuth leaves behind: whole files, in time, free of secrets, whatever becomes of its helper."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import psycopg
import psycopg2
import pytest

import wire
from proxy import Proxy, StartProxy, read_yaml
from server import Server
from shops import make_tables

WAIT_S = 60


def eventually(what: str, condition: Callable[[], Any]) -> None:
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, f"not within {WAIT_S} s: {what}"
        time.sleep(0.02)


@contextmanager
def traffic(proxy: Proxy) -> Iterator[list[int]]:
    """Statements, each of a shape of its own, while the block lasts; the list grows by one for each."""
    over = threading.Event()
    answers: list[int] = []

    def run() -> None:
        with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
            while not over.is_set():
                n = len(answers)
                row = connection.execute(f"SELECT {n} AS c{n} FROM people LIMIT 1".encode()).fetchone()
                assert row == (n,)
                answers.append(n)

    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            run()
        except BaseException as error:  # raised again where it can be seen
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]


# --- when and how ---


def test_sigusr1_writes_a_report_and_the_run_goes_on(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app, report_interval_s="0")
    report = proxy.report_dir / "report.yaml"
    assert not report.exists()
    with psycopg.connect(**proxy.target.libpq()) as connection:
        connection.execute("SELECT name FROM people LIMIT 1")
        proxy.send(signal.SIGUSR1)
        eventually("a report", report.is_file)
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert read_yaml(report)["schema_version"] == "1.0"
    outcome = proxy.stop()
    assert "report written" in outcome.stderr
    assert outcome.report["run"]["sessions"] == 1


def test_report_is_written_at_intervals(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app, report_interval_s="1s")
    report = proxy.report_dir / "report.yaml"
    eventually("a first report", report.is_file)
    first = report.stat().st_mtime_ns
    eventually("a second report", lambda: report.stat().st_mtime_ns != first)


def test_report_is_whole_at_every_moment(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app, report_interval_s="1s")
    report = proxy.report_dir / "report.yaml"
    seen: set[bytes] = set()
    with traffic(proxy) as answers:
        eventually("traffic", lambda: len(answers) > 50)

        def look() -> bool:
            proxy.send(signal.SIGUSR1)
            with contextlib.suppress(FileNotFoundError):
                seen.add(report.read_bytes())
            return len(seen) >= 20

        eventually("twenty reports", look)
    for text in seen:
        # The first key and the last one: nothing is missing in between when rename is what puts it there.
        assert text.startswith(b"schema_version:")
        assert b"\npass_criteria_met:" in text
        assert text.endswith(b"\n")
    outcome = proxy.stop()
    left = [p.name for p in outcome.report_dir.rglob("*") if p.is_file() and p.suffix != ".yaml"]
    assert left == []


def test_every_endpoint_of_the_report_has_its_file_and_no_other(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app)
    folder = proxy.report_dir / "endpoints"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "of-an-earlier-run.yaml").write_text("old: true\n", encoding="utf-8")
    routes = [
        "/a",
        "/A",
        "/a/{id}",
        "/../../etc/passwd",
        "/" + "long" * 100,
        "/ü",
        "/a b",
        "/.",
        "",
        "/%2e%2e/x",
    ]
    with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        for route in routes:
            connection.execute(f"SELECT name FROM people LIMIT 3 /*method='GET',route='{route}'*/".encode())
    outcome = proxy.stop()
    named = {row["report"] for row in outcome.report["endpoints"]}
    there = {str(p.relative_to(outcome.report_dir)) for p in folder.iterdir()}
    assert there == named
    assert len(named) == len(outcome.report["endpoints"]) > 5
    for row in outcome.report["endpoints"]:
        assert read_yaml(outcome.report_dir / row["report"])["endpoint"]["key"] == row["key"]


# --- secrets ---

CANARIES = [f"canary{n:02}x{secrets.token_hex(8)}" for n in range(26)]
NUMBERS = [str(secrets.randbelow(10**15) + 10**15) for _ in range(4)]


def spill_secrets(proxy: Proxy, server: Server) -> None:
    """Every canary goes over the wire, each another way."""
    at = iter(CANARIES)
    with psycopg.connect(**proxy.target.libpq(), autocommit=True, prepare_threshold=1) as c:
        literals = [
            f"SELECT name FROM people WHERE name = '{next(at)}'",
            f"SELECT name FROM people WHERE name IN ('a', '{next(at)}') LIMIT 5",
            f"SELECT name FROM people WHERE name LIKE E'{next(at)}\\'%'",
            f"SELECT name FROM people WHERE name = $tag${next(at)}$tag$",
            f"SELECT name FROM people WHERE name = U&'{next(at)}\\0041'",
            f"SELECT name FROM people /* {next(at)} */ LIMIT 1",
            f"SELECT name FROM people LIMIT 1 -- {next(at)}",
            f"SELECT name FROM people LIMIT 1 /*route='/r',traceparent='{next(at)}',user='{next(at)}'*/",
            f"SELECT jsonb_build_object('{next(at)}', name) FROM people LIMIT 1",
            f"ALTER ROLE CURRENT_USER SET search_path = '{next(at)}'",
            "ALTER ROLE CURRENT_USER RESET search_path",
            f"SET application_name = '{next(at)}'",
            f"NOTIFY news, '{next(at)}'",
            f"SELECT name FROM people WHERE id = {NUMBERS[0]} OR id IN (1, {NUMBERS[1]})",
            f"DO $$ BEGIN RAISE NOTICE '{next(at)}'; END $$",
        ]
        for sql in literals:
            c.execute(sql.encode())
        for sql in (f"SELECT '{next(at)}'::int", f"SELECT '{next(at)}", f"SELECT 1 /* {next(at)}"):
            with pytest.raises(psycopg.Error):
                c.execute(sql.encode())
        for _ in range(3):
            c.execute("SELECT name FROM people WHERE name = %s", (CANARIES[20],), binary=True)
            c.execute("SELECT name FROM people WHERE id = %s", (int(NUMBERS[2]),))
            c.execute("SELECT %s AS back FROM people LIMIT 3", (CANARIES[21],))
        c.execute("CREATE TEMP TABLE t (v text UNIQUE)")
        with c.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
            copy.write_row((CANARIES[22],))
        with pytest.raises(psycopg.errors.UniqueViolation):
            c.execute("INSERT INTO t VALUES (%s)", (CANARIES[22],))
        with c.cursor() as cursor, cursor.copy("COPY t TO STDOUT") as copy:
            assert CANARIES[22].encode() in b"".join(copy)
        # One that is slow enough to be explained, with its values.
        for _ in range(5):
            c.execute(f"SELECT id FROM shop.orders WHERE email = '{CANARIES[23]}'".encode())
            c.execute("SELECT id FROM shop.orders WHERE note = %s", (CANARIES[24],))
    with psycopg2.connect(**proxy.target.libpq()) as c2, c2.cursor() as cursor:
        cursor.execute("SELECT name FROM people WHERE name = %s", (CANARIES[20],))
    c2.close()
    admin = server.admin.at(proxy.target.host, proxy.target.port)
    with psycopg.connect(**admin.libpq(), autocommit=True) as c:
        c.execute(f"CREATE ROLE secretive LOGIN PASSWORD '{CANARIES[25]}'".encode())
    try:
        mine = {**proxy.target.libpq(), "user": "secretive", "password": CANARIES[25]}
        psycopg.connect(**mine).close()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**{**mine, "password": CANARIES[25] + "!"})
    finally:
        server.sql("DROP ROLE secretive")


def spill_clear_text_password(proxy: Proxy) -> None:
    """The fake server asks for it in the clear."""
    with wire.connect(proxy.target) as peer:
        peer.sendall(wire.startup(user="someone"))
        assert wire.read_message(peer).type == "R"
        peer.sendall(wire.message("p", CANARIES[0].encode() + b"\0"))
        wire.read_to_end(peer)


def everything_left(proxy: Proxy, extra: Path) -> dict[str, bytes]:
    files = [p for p in [*proxy.folder.rglob("*"), extra] if p.is_file()]
    assert {"report.yaml", "stdout", "stderr"} <= {p.name for p in files}
    return {str(p): p.read_bytes() for p in files}


def assert_no_secret(left: dict[str, bytes], words: list[str]) -> None:
    for name, content in left.items():
        for word in words:
            for shape in (word.encode(), word.encode().hex().encode(), word.encode("utf-16-le")):
                assert shape not in content, f"{word} (number {words.index(word)}) is in {name}"


def test_no_secret_of_the_traffic_is_kept_anywhere(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    make_tables(server)
    capture = tmp_path / "capture"
    proxy = pgsleuth(
        server.app,
        capture=str(capture),
        log_level="debug",
        explain_enabled=True,
        explain_min_mean_ms="0.1",
        explain_min_total_ms="0",
        report_interval_s="0",
    )
    spill_secrets(proxy, server)
    report = proxy.report_dir / "report.yaml"

    def plans_made() -> bool:
        proxy.send(signal.SIGUSR1)
        return report.is_file() and read_yaml(report)["coverage"]["explained"] >= 2

    eventually("two plans", plans_made)
    outcome = proxy.stop()
    assert outcome.report["run"]["statements"] > 20
    left = everything_left(proxy, capture)
    assert_no_secret(left, [*CANARIES, *NUMBERS, server.app.password, server.admin.password])
    assert b"shop.orders" in left[str(capture)]  # the capture is not just empty


def test_password_in_clear_text_is_kept_nowhere(pgsleuth: StartProxy, tmp_path: Path) -> None:
    def serve(peer: Any) -> None:
        if peer.recv(1 << 16):
            peer.sendall(wire.message("R", b"\0\0\0\3"))
            peer.recv(1 << 16)
            peer.sendall(wire.message("E", b"SFATAL\0C28P01\0Mno " + CANARIES[0].encode() + b"\0\0"))

    capture = tmp_path / "capture"
    with wire.fake_server(serve) as upstream:
        proxy = pgsleuth(upstream, capture=str(capture), log_level="debug")
        spill_clear_text_password(proxy)
        proxy.stop()
    assert_no_secret(everything_left(proxy, capture), CANARIES)


def test_capture_is_for_its_owner_only(pgsleuth: StartProxy, tmp_path: Path) -> None:
    pgsleuth(capture=str(tmp_path / "capture")).stop()
    assert (tmp_path / "capture").stat().st_mode & 0o077 == 0


# --- the parser helper ---


def kill_helper(proxy: Proxy, before: set[int]) -> int:
    """Kill a helper that was not killed before, as soon as there is one."""
    victims: list[int] = []

    def there() -> bool:
        victims[:] = [pid for pid in proxy.helpers() if pid not in before]
        return bool(victims)

    eventually("a parser helper", there)
    with contextlib.suppress(ProcessLookupError):
        os.kill(victims[0], signal.SIGKILL)
    return victims[0]


@pytest.mark.parametrize("times", [1, 6])
def test_killed_helper_costs_neither_traffic_nor_report(
    server: Server, pgsleuth: StartProxy, times: int
) -> None:
    proxy = pgsleuth(server.app)
    killed: set[int] = set()
    with traffic(proxy) as answers:
        for _ in range(times):
            killed.add(kill_helper(proxy, killed))
            so_far = len(answers)
            eventually("traffic goes on", lambda so_far=so_far: len(answers) > so_far + 20)
        eventually("the helper is back", lambda: set(proxy.helpers()) - killed)
    outcome = proxy.stop()
    assert outcome.report["coverage"]["parser_restarts"] >= times
    assert outcome.report["coverage"]["opaque_sessions"] == 0
    assert outcome.report["run"]["statements"] >= len(answers)


def test_helper_that_always_dies_is_given_up_for_a_while(server: Server, pgsleuth: StartProxy) -> None:
    """Twenty deaths within a minute are enough: then none is started for a minute, and the audit goes on."""
    proxy = pgsleuth(server.app)
    over = threading.Event()

    def slaughter() -> None:
        while not over.wait(0.005):
            for pid in proxy.helpers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    with traffic(proxy) as answers:
        thread = threading.Thread(target=slaughter)
        thread.start()
        try:
            eventually("traffic goes on", lambda: len(answers) > 2000)
        finally:
            over.set()
            thread.join()
    outcome = proxy.stop()
    assert 1 <= outcome.report["coverage"]["parser_restarts"] <= 20
    assert outcome.report["coverage"]["statements_without_facts"] > 0
