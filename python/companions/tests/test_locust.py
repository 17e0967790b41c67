"""A real locust against the bookshop of docker/app, behind a pgsleuth with its admin API."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Callable
from urllib.parse import urlsplit

import psycopg
import pytest
from conftest import HERE, ROOT, SOURCES

from pgsleuth_locust.client import Admin

LONG_S = 90
LOAD = HERE / "projects" / "load"
PSQL = shutil.which("psql") or "/usr/lib/postgresql/15/bin/psql"
SAID = re.compile(r"^pgsleuth: admin (http://\S+)", re.MULTILINE)
SLOW, FAST, ORDERS, RATINGS = (
    "GET /orm/authors-n-plus-one",
    "GET /orm/authors",
    "GET /orm/customers/{customer_id}/orders",
    "GET /orm/ratings",
)
NAMES = {SLOW, FAST, ORDERS, RATINGS}


def eventually(what: str, condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + LONG_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, what
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join((str(SOURCES), str(ROOT / "python" / "src")))
    wanted = ("PATH", "HOME", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS")
    kept = {name: os.environ[name] for name in wanted if name in os.environ}
    return {**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **more}


class Part:
    """A process with its output in a file."""

    def __init__(self, log: Path, *command: str, cwd: Path, env: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def alive(self) -> bool:
        return self.process.poll() is None

    def await_(self, condition: Callable[[], Any]) -> Any:
        """Until it is so, while the process lives."""
        found = eventually(self.said, lambda: condition() or not self.alive())
        assert self.alive(), self.said
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.alive():
            self.process.send_signal(number)
        try:
            return self.process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Bench:
    """The bookshop behind pgsleuth."""

    def __init__(self, folder: Path, url: str, application: str) -> None:
        self.folder = folder
        self.url = url
        self.application = application
        self.admin = Admin(url)

    def warm_up(self) -> None:
        """What is sent before a run begins is not in its report."""
        with urllib.request.urlopen(
            f"{self.application}/asyncpg/authors?after=1&limit=2", timeout=LONG_S
        ) as answer:
            assert answer.status == 200
        eventually("it was not seen", lambda: "GET /asyncpg/authors" in self.seen())

    def number(self) -> int:
        """Of the run that it is in."""
        return int(self.admin.get("/api/v1/status")["run"]["id"])

    def seen(self) -> set[str]:
        return {row["name"] for row in self.admin.get("/api/v1/report")["endpoints"]}

    def locust(self, name: str, *arguments: str, url: str | None = None) -> Part:
        ask = [sys.executable, "-m", "pgsleuth_locust"]
        plugin = subprocess.run(
            ask, env=environment(), check=True, capture_output=True, text=True
        ).stdout.strip()
        files = f"{LOAD / 'locustfile.py'},{plugin}"
        return Part(
            self.folder / f"{name}.log",
            *(
                str(Path(sys.executable).with_name("locust")),
                "-f",
                files,
                "--host",
                self.application,
                *arguments,
            ),
            cwd=self.folder,
            env=environment(PGSLEUTH_ADMIN_URL=self.url if url is None else url),
        )


@contextmanager
def part(log: Path, *command: str, cwd: Path, env: dict[str, str]) -> Iterator[Part]:
    made = Part(log, *command, cwd=cwd, env=env)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def bench(server: str, binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    name = f"bookshop_{secrets.token_hex(4)}"
    port, app_port = free_port(), free_port()
    at = urlsplit(server)
    with ExitStack() as stack, psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        direct = at._replace(path=f"/{name}").geturl()
        seed = [PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(ROOT / "docker/app/seed.sql"), direct]
        subprocess.run(seed, check=True, timeout=LONG_S, stdout=subprocess.DEVNULL)
        proxy = stack.enter_context(
            part(
                folder / "pgsleuth.log",
                *(
                    binary,
                    "run",
                    f"--listen=127.0.0.1:{port}",
                    f"--upstream=postgresql://{at.hostname}:{at.port}/",
                ),
                *(
                    "--admin-listen=127.0.0.1:0",
                    f"--report-dir={folder / 'report'}",
                    "--rules-chatty=2,2,2,2",
                ),
                cwd=folder,
                env=environment(),
            )
        )
        url = proxy.await_(lambda: SAID.search(proxy.said))[1]
        login = f"{at.username}:{at.password}@127.0.0.1:{port}"
        app = stack.enter_context(
            part(
                folder / "app.log",
                *(sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1"),
                *("--port", str(app_port), "--log-level", "warning"),
                cwd=ROOT / "docker" / "app",
                env=environment(DATABASE_URL=f"postgresql://{login}/{name}"),
            )
        )
        app.await_(lambda: answers("127.0.0.1", app_port))
        yield Bench(folder, url, f"http://127.0.0.1:{app_port}")
        stack.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def answers(host: str, port: int) -> bool:
    link = HTTPConnection(host, port, timeout=LONG_S)
    try:
        link.request("GET", "/healthz")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def marks(report: dict[str, Any]) -> list[str]:
    return [mark["name"] for mark in report["run"]["marks"]]


@pytest.mark.parametrize("users", [1, 8])
def test_report_is_of_the_load_alone_and_fails_it_when_asked(
    bench: Bench, tmp_path: Path, users: int
) -> None:
    bench.warm_up()
    before = bench.number()
    kept = tmp_path / "report.json"
    locust = bench.locust(
        f"load-{users}",
        *(
            "--headless",
            "-u",
            str(users),
            "-r",
            str(users),
            "--pgsleuth-fail",
            "--pgsleuth-report",
            str(kept),
        ),
    )
    try:
        locust.await_(lambda: bench.number() == before + 1)
        locust.await_(lambda: bench.seen() >= NAMES)
    finally:
        code = locust.end()
    assert code == 1, locust.said
    report = json.loads(kept.read_text(encoding="utf-8"))
    assert {row["name"] for row in report["endpoints"]} == NAMES
    assert report["run"]["name"] == "locust 1"
    assert marks(report) == ["spawning_complete"]
    assert report["status"] == "NEEDS_OPTIMIZATION"
    assert "pgsleuth: NEEDS_OPTIMIZATION, score " in locust.said
    assert f"N+1 query in {SLOW}" in locust.said
    assert f"pgsleuth: its report is in {bench.folder / 'report'}" in locust.said


def test_verdict_fails_nothing_when_not_asked(bench: Bench) -> None:
    before = bench.number()
    locust = bench.locust("unasked", "--headless", "-u", "1")
    try:
        locust.await_(lambda: bench.number() == before + 1)
        locust.await_(lambda: bench.seen() >= NAMES and marks(bench.admin.get("/api/v1/report")))
    finally:
        code = locust.end(signal.SIGINT)
    assert code == 0, locust.said
    assert "pgsleuth: NEEDS_OPTIMIZATION" in locust.said


def test_distributed_locust_acts_once(bench: Bench) -> None:
    bench.warm_up()
    before = bench.number()
    port = str(free_port())
    master = bench.locust(
        "master",
        *("--master", "--headless", "--expect-workers", "2", "-u", "4", "-r", "4", "--pgsleuth-fail"),
        *("--master-bind-port", port, "--master-bind-host", "127.0.0.1"),
    )
    workers = [
        bench.locust(f"worker-{number}", "--worker", "--master-host", "127.0.0.1", "--master-port", port)
        for number in (1, 2)
    ]
    try:
        master.await_(lambda: bench.number() == before + 1)
        master.await_(lambda: bench.seen() >= NAMES and marks(bench.admin.get("/api/v1/report")))
    finally:
        code = master.end()
        for worker in workers:
            worker.end()
    assert code == 1, master.said
    assert master.said.count("pgsleuth: NEEDS_OPTIMIZATION") == 1
    assert not [worker for worker in workers if "pgsleuth:" in worker.said]
    report = bench.admin.get("/api/v1/report")
    assert report["run"]["id"] == before + 1
    assert marks(report) == ["spawning_complete"]


def test_page_of_locust_has_a_tab_with_both_names(bench: Bench) -> None:
    port = free_port()
    before = bench.number()
    locust = bench.locust(
        "page", "--web-host", "127.0.0.1", "--web-port", str(port), "--autostart", "-u", "2", "-r", "2"
    )

    def ask(path: str, method: str = "GET") -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=LONG_S) as answer:
            return str(answer.read().decode())

    def table() -> dict[str, dict[str, str]]:
        stats = json.loads(ask("/stats/requests"))["extended_stats"]
        assert [entry["key"] for entry in stats] == ["pgsleuth"]
        return {row["name"] or row["endpoint"]: row for row in stats[0]["data"]}

    try:
        locust.await_(lambda: bench.number() == before + 1)
        locust.await_(lambda: bench.seen() >= NAMES)
        page = json.loads(re.search(r"window.templateArgs = (\{.*\})", ask("/"))[1])
        assert page["extended_tabs"] == [{"key": "pgsleuth", "title": "pgsleuth"}]
        assert page["extended_tables"][0]["key"] == "pgsleuth"
        columns = {column["key"] for column in page["extended_tables"][0]["structure"]}
        rows = eventually("no rows", lambda: found if len(found := table()) >= 5 else None)
        assert {tuple(sorted(row)) for row in rows.values()} == {tuple(sorted(columns))}
        assert rows["GET /orm/authors-n-plus-one"]["endpoint"] == SLOW
        assert rows["GET /orm/authors?after=7&limit=20"]["endpoint"] == FAST
        assert rows["GET /orm/customers/:id/orders"]["endpoint"] == ORDERS
        # A name that is no route stands alone, and so does its endpoint.
        assert rows["GET front page"]["endpoint"] == ""
        assert rows[RATINGS]["name"] == ""
        assert {row["name"] for row in json.loads(ask("/pgsleuth"))["endpoints"]} >= NAMES
        try:
            assert ask("/stop", "POST")
        except urllib.error.HTTPError:  # of an older locust
            assert ask("/stop")
        eventually(locust.said, lambda: "pgsleuth: its report is in" in locust.said)
    finally:
        code = locust.end()
    assert code == 0, locust.said
    assert locust.said.count("pgsleuth: its report is in") == 1


def test_pgsleuth_that_is_not_there_is_told_before_the_load(bench: Bench) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        locust = bench.locust("nobody", "--headless", "-u", "1", url=f"http://127.0.0.1:{port}/?token=x")
        assert locust.process.wait(LONG_S) == 2
    assert f"--pgsleuth-url: no pgsleuth at http://127.0.0.1:{port}: " in locust.said
    assert "All users spawned" not in locust.said


def test_wrong_token_is_told_before_the_load(bench: Bench) -> None:
    wrong = bench.url.partition("token=")[0] + "token=another-token-than-the-right-one"
    locust = bench.locust("token", "--headless", "-u", "1", url=wrong)
    assert locust.process.wait(LONG_S) == 2
    assert "--pgsleuth-url: GET /api/v1/status: 40" in locust.said
    assert "another-token" not in locust.said


def test_without_a_url_nothing_is_done(bench: Bench) -> None:
    before = bench.number()
    locust = bench.locust("without", "--headless", "-u", "1", url="")
    try:
        locust.await_(lambda: "All users spawned" in locust.said)
    finally:
        assert locust.end() == 0, locust.said
    assert "pgsleuth:" not in locust.said
    assert bench.number() == before


@contextmanager
def without_runs(bench: Bench) -> Iterator[str]:
    """The same pgsleuth, but of an age when it knew no runs."""
    parts = urlsplit(bench.url)

    class Old(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/api/v1/runs":
                self.send_error(404)
                return
            link = HTTPConnection(parts.hostname, parts.port, timeout=LONG_S)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {
                name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers
            }
            link.request(self.command, self.path, body, kept)
            answer = link.getresponse()
            self.send_response(answer.status)
            text = answer.read()
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            link.close()

        do_POST = do_GET  # noqa: N815 # its name is given

        def log_message(self, *_: Any) -> None:
            pass

    old = ThreadingHTTPServer(("127.0.0.1", 0), Old)
    Thread(target=old.serve_forever, daemon=True).start()
    yield parts._replace(netloc=f"127.0.0.1:{old.server_port}").geturl()
    old.shutdown()


def test_pgsleuth_without_runs_reports_of_all_it_saw(bench: Bench) -> None:
    bench.admin.post("/api/v1/reset")
    bench.warm_up()
    with without_runs(bench) as url:
        locust = bench.locust("old", "--headless", "-u", "1", url=url)
        try:
            locust.await_(lambda: SLOW in bench.seen())
        finally:
            assert locust.end() == 0, locust.said
    assert "this pgsleuth knows no runs" in locust.said
    assert "pgsleuth: NEEDS_OPTIMIZATION" in locust.said
    assert {SLOW, "GET /asyncpg/authors"} <= bench.seen()
