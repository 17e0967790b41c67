"""A run begun while pgsleuth works: its report is of what came after, and knows what was told before."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

import wire
from admin import OPTIONS, Api
from proxy import Outcome, Proxy, StartProxy, eventually, run_command
from server import free_port
from test_http import start_application
from test_marks import Marks

STATEMENT = "SELECT name FROM people WHERE id = %s"
ROUNDS = 20


def tagged(route: str) -> bytes:
    return f"{STATEMENT} /*route='{route}',method='GET'*/".encode()


@contextmanager
def connected(proxy: Proxy, **options: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**proxy.target.libpq(), **options) as connection:
        yield connection


def request(connection: psycopg.Connection[Any], route: str, times: int) -> None:
    """One request: a transaction of statements that are prepared at their first sight."""
    with connection.transaction():
        for i in range(1, times + 1):
            connection.execute(tagged(route), (i,), prepare=True)


def calls(statements: list[dict[str, Any]]) -> dict[str, int]:
    return {s["endpoint"]: s["calls"] for s in statements}


def assert_capture_tells_the_same(outcome: Outcome, capture: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    done = run_command("report", str(capture), f"--report-dir={again}")
    assert done.returncode == 0, done.stderr
    live = {p.relative_to(outcome.report_dir): p.read_bytes() for p in outcome.report_dir.rglob("*.yaml")}
    assert {p.relative_to(again): p.read_bytes() for p in again.rglob("*.yaml")} == live


@pytest.mark.parametrize("workers", [1, 3])
def test_runs_report_is_of_what_came_after(pgsleuth: StartProxy, tmp_path: Path, workers: int) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(capture=str(capture), workers=workers, **OPTIONS)
    api = Api(proxy)
    with connected(proxy) as kept, connected(proxy) as idle:
        request(kept, "/kept", 6)
        request(idle, "/before", 7)
        with connected(proxy) as gone:
            request(gone, "/gone", 5)
        eventually("its end", lambda: api.get("/api/v1/status")["sessions"]["open"] == 2)
        api.post("/api/v1/marks", {"name": "of the first run"})
        run = api.post("/api/v1/runs", {"name": "load test"})["run"]
        assert (run["id"], run["name"]) == (2, "load test")
        assert api.get("/api/v1/status")["run"] == run
        request(kept, "/kept", 9)  # prepared long ago: no text comes again
        mark = api.post("/api/v1/marks", {"name": "of the second run"})["mark"]
        with connected(proxy) as fresh:
            request(fresh, "/after", 4)
    outcome = proxy.stop()
    report = outcome.report
    assert (report["run"]["id"], report["run"]["name"]) == (2, "load test")
    assert report["run"]["started"] == run["started"]
    assert report["run"]["marks"] == [mark]
    assert report["run"]["sessions"] == 3
    assert report["run"]["requests"] == 2
    endpoints = {e["name"]: e for e in report["endpoints"]}
    assert set(endpoints) == {"GET /kept", "GET /after"}
    assert endpoints["GET /kept"]["queries"]["max"] == 9
    assert outcome.endpoint("GET /kept")["endpoint"]["new_connections"] == 0
    assert outcome.endpoint("GET /after")["endpoint"]["new_connections"] == 1
    assert report["coverage"]["statements_without_facts"] == 0
    found = [
        sql["text"] for i in outcome.issues() for sql in i["evidence"]["sql"] if "/kept" in i["endpoint"]
    ]
    assert found
    assert all("people" in text for text in found)
    assert_capture_tells_the_same(outcome, capture, tmp_path)


def test_reset_is_a_run_without_a_name(pgsleuth: StartProxy, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(capture=str(capture), **OPTIONS)
    api = Api(proxy)
    with connected(proxy) as connection:
        request(connection, "/before", 6)
        assert api.post("/api/v1/reset")["run"]["name"] is None
        request(connection, "/after", 6)
        assert api.post("/api/v1/reset", {})["run"]["id"] == 3
        request(connection, "/last", 6)
    outcome = proxy.stop()
    assert outcome.report["run"]["id"] == 3
    assert [e["name"] for e in outcome.report["endpoints"]] == ["GET /last"]
    assert_capture_tells_the_same(outcome, capture, tmp_path)


def test_run_without_traffic_has_a_report_that_says_so(pgsleuth: StartProxy, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(capture=str(capture), **OPTIONS)
    with connected(proxy) as connection:
        request(connection, "/before", 6)
    Api(proxy).post("/api/v1/runs", {"name": "nothing"})
    outcome = proxy.stop()
    assert outcome.report["run"]["requests"] == 0
    assert outcome.report["endpoints"] == []
    assert not list(outcome.report_dir.rglob("endpoints/*.yaml"))
    done = run_command("report", str(capture), f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 4, done.stderr
    written = (tmp_path / "again/report.yaml").read_bytes()
    assert written == (outcome.report_dir / "report.yaml").read_bytes()


@pytest.mark.parametrize("workers", [1, 4])
def test_runs_count_every_statement_once_and_in_its_run(pgsleuth: StartProxy, workers: int) -> None:
    """What lies in the queues when a run begins is of the one before, to the statement."""
    proxy = pgsleuth(workers=workers, **OPTIONS)
    api = Api(proxy)
    sessions = [wire.log_in(proxy.target) for _ in range(8)]
    sent = 0

    def send(session: wire.Session, route: str, times: int) -> int:
        session.ask(f"SELECT name FROM people WHERE id = 1 /*route='{route}',method='GET'*/;" * times)
        return times

    def counted(statements: int) -> bool:
        return bool(api.get("/api/v1/status")["statements"] == statements)

    try:
        for n in range(ROUNDS):
            sent += sum(send(session, "/before", 20) for session in sessions)
            # Bytes are relayed before they are read: the last ones may be counted a moment later.
            eventually("all of them", partial(counted, sent))
            assert api.post("/api/v1/runs", {"name": f"round {n}"})["run"]["id"] == n + 2
            sent += sum(send(session, "/after", 1) for session in sessions[: n % 8 + 1])
            eventually("those after it", partial(counted, sent))
    finally:
        for session in sessions:
            session.socket.close()
    outcome = proxy.stop()
    assert outcome.report["run"]["statements"] == (ROUNDS - 1) % 8 + 1
    assert [e["name"] for e in outcome.report["endpoints"]] == ["GET /after"]


def test_runs_under_load_lose_nothing_but_what_spans_the_border(pgsleuth: StartProxy, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(capture=str(capture), workers=2, **OPTIONS)
    api = Api(proxy)
    stop = threading.Event()
    failed: list[BaseException] = []

    def work(n: int) -> None:
        try:
            with connected(proxy) as connection:
                while not stop.is_set():
                    request(connection, f"/load/{n}", 5)
        except BaseException as error:  # told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    try:
        for n in range(ROUNDS):
            assert api.post("/api/v1/runs", {"name": f"run {n}"})["run"]["id"] == n + 2
            eventually("statements", lambda: api.get("/api/v1/statements")["statements"])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed, failed
    outcome = proxy.stop()
    assert outcome.report["coverage"]["dropped_records"] == 0
    names = {e["name"] for e in outcome.report["endpoints"]}
    assert names <= {f"GET /load/{n}" for n in range(6)} | {n for n in names if not n.startswith("GET")}
    assert outcome.report["run"]["id"] == ROUNDS + 1
    assert_capture_tells_the_same(outcome, capture, tmp_path)


def test_run_in_the_middle_of_a_transaction_goes_on(pgsleuth: StartProxy, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(capture=str(capture), **OPTIONS)
    api = Api(proxy)
    with connected(proxy) as connection:
        connection.execute(tagged("/half"), (1,))
        api.post("/api/v1/runs", {"name": "second half"})
        connection.execute(tagged("/half"), (2,))
        connection.execute(tagged("/half"), (3,))
        connection.commit()
    outcome = proxy.stop()
    assert outcome.report["run"]["statements"] == 2
    assert_capture_tells_the_same(outcome, capture, tmp_path)


def test_session_that_is_not_understood_is_told_to_later_runs(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(**OPTIONS)
    api = Api(proxy)
    with wire.log_in(proxy.target) as session:
        session.socket.sendall(wire.message("N", b"nonsense"))
        eventually(
            "one opaque session", lambda: api.get("/api/v1/report")["coverage"]["opaque_sessions"] == 1
        )
        api.post("/api/v1/reset")
        assert api.get("/api/v1/report")["coverage"]["opaque_sessions"] == 1
    eventually("its end", lambda: api.get("/api/v1/status")["sessions"]["open"] == 0)
    api.post("/api/v1/reset")
    assert api.get("/api/v1/report")["coverage"]["opaque_sessions"] == 0


def test_plans_of_a_later_run_are_asked_for_anew(pgsleuth: StartProxy, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(
        explain_enabled=True,
        explain_min_total_ms=0,
        explain_min_mean_ms=0,
        explain_interval_ms=100,
        capture=str(capture),
        **OPTIONS,
    )
    api = Api(proxy)

    def ask() -> None:
        with connected(proxy) as connection:
            connection.execute(b"SELECT id FROM people WHERE name = 'nobody' /*route='/plan',method='GET'*/")

    def explained() -> bool:
        return bool(api.get("/api/v1/report")["coverage"]["explained"])

    ask()  # once: values are sent soon three times, then every ten seconds
    eventually("a plan", explained)
    api.post("/api/v1/runs", {"name": "again"})
    assert not explained()
    ask()
    eventually("a plan of the second run", explained)
    outcome = proxy.stop()
    assert outcome.report["run"]["id"] == 2
    assert_capture_tells_the_same(outcome, capture, tmp_path)


def test_runs_behind_http_name_statements_that_were_prepared_before(
    pgsleuth: StartProxy, tmp_path: Path
) -> None:
    capture = tmp_path / "capture"
    http, port = free_port(), free_port()
    proxy = pgsleuth(http=f"127.0.0.1:{http}=127.0.0.1:{port}", workers=2, capture=str(capture), **OPTIONS)
    application = start_application(proxy.target.url(), port, tmp_path, {})
    try:
        api = Api(proxy)
        with httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=60) as user:
            for _ in range(6):
                assert user.get("/ask/two").json() == {"asked": 2}
            assert user.get("/ask/one").status_code == 200
            api.post("/api/v1/runs", {"name": "second"})
            for _ in range(4):
                assert user.get("/ask/two").json() == {"asked": 2}
        eventually("all requests", lambda: api.get("/api/v1/report")["run"]["http_requests"] == 4)
    finally:
        application.process.kill()
        application.process.wait(60)
    outcome = proxy.stop()
    assert [e["name"] for e in outcome.report["endpoints"]] == ["GET /ask/two"]
    asked = outcome.endpoint("GET /ask/two")["endpoint"]
    assert (asked["requests"], asked["queries"]["max"], asked["named_by"]) == (4, 2, "http")
    assert outcome.report["coverage"]["unjoined_statements"] == 0
    assert_capture_tells_the_same(outcome, capture, tmp_path)


def test_runs_know_connections_and_tags_that_marks_named_before(pgsleuth: StartProxy, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    address = f"127.0.0.1:{free_port()}"
    proxy = pgsleuth(marks=address, workers=2, capture=str(capture), **OPTIONS)
    api = Api(proxy)
    with connected(proxy, autocommit=True) as connection, Marks(address) as marks:

        def serve(number: int) -> None:
            marks.send(connection, request=str(number), method="GET", route="/marked")
            for n in range(1, 4):
                connection.execute(STATEMENT.encode(), (n,), prepare=True)

        for number in range(5):
            serve(number)
        api.post("/api/v1/runs", {"name": "second"})
        for number in range(5, 7):
            serve(number)
    outcome = proxy.stop()
    assert [(e["name"], e["requests"]) for e in outcome.report["endpoints"]] == [("GET /marked", 2)]
    assert outcome.report["coverage"]["marked_statements"] == 6
    assert_capture_tells_the_same(outcome, capture, tmp_path)


@pytest.mark.parametrize("body", [None, {}, {"name": ""}, {"name": "<b>"}, {"name": "x" * 65}, {"id": 7}])
def test_run_without_a_good_name_does_not_begin(pgsleuth: StartProxy, body: Any) -> None:
    api = Api(pgsleuth(**OPTIONS))
    assert api.ask("POST", "/api/v1/runs", body=body).code == 400
    assert api.ask("POST", "/api/v1/reset", body={"name": "reset"}).code == 400
    assert api.get("/api/v1/status")["run"]["id"] == 1


def test_runs_asked_for_at_once_begin_one_after_the_other(pgsleuth: StartProxy) -> None:
    api = Api(pgsleuth(workers=2, **OPTIONS))
    codes: list[int] = []

    def begin() -> None:
        codes.append(api.ask("POST", "/api/v1/runs", body={"name": "at once"}).code)

    threads = [threading.Thread(target=begin) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {200, 409}
    assert api.get("/api/v1/status")["run"]["id"] == 1 + codes.count(200) > 1


def test_run_whose_client_leaves_begins_all_the_same(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(**OPTIONS)
    api = Api(proxy)
    head = f"POST /api/v1/reset HTTP/1.1\r\nHost: {api.name}\r\nAuthorization: Bearer {api.token}\r\n\r\n"
    for _ in range(30):
        with api.connect() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.sendall(head.encode())
    eventually("a run", lambda: api.get("/api/v1/status")["run"]["id"] > 1)
    with connected(proxy) as connection:
        request(connection, "/after", 3)
    with api.connect() as peer:  # and at the very end
        peer.sendall(head.encode())
        proxy.stop()
