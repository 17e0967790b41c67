"""What pgsleuth leaves behind: whole files, in time, whatever becomes of its helper."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from proxy import Proxy, StartProxy, eventually, read_yaml
from server import Server


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
