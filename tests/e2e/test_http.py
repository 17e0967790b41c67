"""The HTTP listener: as transparent as the relay of PostgreSQL, and every statement named by its request."""

from __future__ import annotations

import contextlib
import gzip
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import brotli
import httpx
import psycopg
import pytest

from proxy import Outcome, Proxy, StartProxy, eventually, issues_of, run_command
from server import end_with_parent, free_port

HERE = Path(__file__).resolve().parent
PATIENCE_S = 30
TRACE = "00-{:032x}-00f067aa0ba902b7-01"


@dataclass
class Application:
    process: subprocess.Popen[bytes]


@dataclass
class Setup:
    """pgsleuth on both sides of one application."""

    proxy: Proxy
    http: int  # pgsleuth's port for HTTP
    app: int  # the application's own
    application: Application

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http}{path}"


def start_application(database_url: str, port: int, folder: Path, env: dict[str, str]) -> Application:
    command = [sys.executable, "-m", "uvicorn", "http_app:app", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--log-level", "warning", "--timeout-keep-alive", "60"]
    with (folder / "uvicorn.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=HERE,
            env={
                "DATABASE_URL": database_url,
                "PATH": "/usr/bin:/bin",
                "PYTHONDONTWRITEBYTECODE": "1",
                **env,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent(signal.SIGKILL),  # one call of libc
        )

    def answers() -> bool:
        assert process.poll() is None, (folder / "uvicorn.log").read_text(encoding="utf-8")
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/quiet").status_code == 200
        return False

    eventually("uvicorn answers", answers)
    return Application(process)


@pytest.fixture
def setup(pgsleuth: StartProxy, tmp_path: Path) -> Iterator[Callable[..., Setup]]:
    started: list[Application] = []

    def start(environment: dict[str, str] | None = None, **options: Any) -> Setup:
        http, app = free_port(), free_port()
        proxy = pgsleuth(http=f"127.0.0.1:{http}=127.0.0.1:{app}", **options)
        started.append(start_application(proxy.target.url(), app, tmp_path, environment or {}))
        return Setup(proxy, http, app, started[-1])

    try:
        yield start
    finally:
        for application in started:
            application.process.kill()
            application.process.wait(PATIENCE_S)


def end(setup: Setup) -> Outcome:
    return setup.proxy.stop()


def talk(port: int, data: bytes, *, half_close: bool = True, pieces: int = 0) -> bytes:
    """All that is answered to these bytes, until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as link:
        if pieces:
            for at in range(0, len(data), pieces):
                link.sendall(data[at : at + pieces])
        else:
            link.sendall(data)
        if half_close:
            link.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := link.recv(65536):
                got += piece
        return got


# --- attribution ---

ROUTES = {
    "GET /ask/one": ("GET", "/ask/one", 1),
    "GET /ask/two": ("GET", "/ask/two?secret=hunter2", 2),
    "POST /ask/seven": ("POST", "/ask/seven", 7),
    "GET /people/{id}/posts/{uuid}": ("GET", "/people/4711/posts/0f8fad5b-d9cb-469f-a165-70867728950e", 3),
}


def expect_exact(outcome: Outcome, times: int) -> None:
    for name, (_, _, statements) in ROUTES.items():
        rows = [row for row in outcome.report["endpoints"] if row["name"] == name]
        assert len(rows) == 1, [row["name"] for row in outcome.report["endpoints"]]
        row = rows[0]
        assert row["named_by"] == "http"
        assert row["attribution"] == "exact"
        assert row["requests"] == times, name
        assert (row["queries"]["p50"], row["queries"]["max"]) == (statements, statements), name
        assert row["http"]["statuses"] == {"2xx": times}
        assert row["http"]["requests"] == row["http"]["alone"] == times
        split = row["latency_split_ms"]
        parts = sum(split[part] for part in split if part != "total")
        assert parts == pytest.approx(split["total"], abs=0.01)


def test_http_one_user_every_statement_has_its_request(setup: Callable[..., Setup], tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    running = setup(workers=2, capture=str(capture))
    with httpx.Client() as client:
        for _ in range(25):
            for method, path, _ in ROUTES.values():
                assert client.request(method, running.url(path)).status_code == 200
    outcome = end(running)
    expect_exact(outcome, 25)
    assert outcome.report["run"]["sources"]["http"] == "on"
    assert outcome.report["run"]["http_requests"] == 100
    assert outcome.issues(), "the statements repeated in a loop"
    assert all(issue["attribution"] == "exact" for issue in outcome.issues())
    for secret in (b"4711", b"hunter2", b"0f8fad5b"):
        assert secret not in capture.read_bytes()
    done = run_command("report", str(capture), f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr
    again = (tmp_path / "again/report.yaml").read_bytes()
    assert again == (outcome.report_dir / "report.yaml").read_bytes()


def test_http_calibrated_eight_users_every_statement_has_its_request(setup: Callable[..., Setup]) -> None:
    running = setup(workers=2, calibrate=True)

    def user(number: int) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            for i in range(10 * len(ROUTES)):
                method, path, _ = list(ROUTES.values())[(i + number) % len(ROUTES)]
                assert client.request(method, running.url(path)).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(user, range(8)))
    expect_exact(end(running), 80)


def test_http_calibrated_request_that_waits_has_no_connection_yet(pgsleuth: StartProxy) -> None:
    """A server of one connection at a time would wait on it, and the request that may come on another."""
    http = free_port()
    with socket.create_server(("127.0.0.1", 0)) as application:
        behind = application.getsockname()[1]
        pgsleuth(http=f"127.0.0.1:{http}=127.0.0.1:{behind}", calibrate=True, workers=1)
        application.settimeout(PATIENCE_S)
        request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        first = socket.create_connection(("127.0.0.1", http), PATIENCE_S)
        first.sendall(request)
        served, _ = application.accept()
        until(served, b"\r\n\r\n")
        second = socket.create_connection(("127.0.0.1", http), PATIENCE_S)
        second.sendall(request)
        # Answered by pgsleuth itself, by the same thread: it has seen the second request by then.
        assert talk(http, HOSTILE["two lengths"], half_close=False).startswith(b"HTTP/1.1 400")
        assert select.select([application], [], [], 0)[0] == []
        served.sendall(answer)
        with first, second, served, application.accept()[0] as later:
            assert until(first, b"\r\n\r\n") == answer
            until(later, b"\r\n\r\n")
            later.sendall(answer)
            assert until(second, b"\r\n\r\n") == answer


def test_http_concurrent_never_names_a_wrong_request(setup: Callable[..., Setup]) -> None:
    running = setup(workers=2)

    def user(number: int) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            for i in range(40):
                method, path, _ = list(ROUTES.values())[(i + number) % len(ROUTES)]
                assert client.request(method, running.url(path)).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(user, range(8)))
    outcome = end(running)
    for row in outcome.report["endpoints"]:
        if row["named_by"] == "http" and row["queries"] is not None:
            assert row["queries"]["p50"] == row["queries"]["max"] == ROUTES[row["name"]][2], row
    assert outcome.report["coverage"]["unjoined_statements"] > 0


@pytest.mark.parametrize("added", [False, True])
def test_http_trace_in_sql_names_requests_in_flight_together(
    setup: Callable[..., Setup], added: bool
) -> None:
    running = setup(workers=2, http_add_traceparent=added)

    def user(number: int) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            for i in range(10):
                headers = {} if added else {"traceparent": TRACE.format(1000 * number + i + 1)}
                assert client.get(running.url("/traced"), headers=headers).status_code == 200
                assert client.get(running.url("/ask/one")).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(user, range(8)))
    rows = {row["name"]: row for row in end(running).report["endpoints"]}
    traced = rows["GET /traced"]
    assert (traced["named_by"], traced["attribution"], traced["requests"]) == ("http", "exact", 80)
    assert (traced["queries"]["p50"], traced["queries"]["max"]) == (5, 5)


@pytest.mark.parametrize("helper", ["tags", "marks"])
def test_helper_sixteen_users_every_statement_has_its_request(
    setup: Callable[..., Setup], helper: str
) -> None:
    """With marks also the latency of each request, by its traceparent."""
    address = f"127.0.0.1:{free_port()}"
    environment = {"HELPER": helper, "PYTHONPATH": str(HERE.parents[1] / "python/src")}
    if helper == "marks":
        environment["PGSLEUTH_MARKS"] = address
    # A connection's first unit has no pool's mark yet: on a busy machine a pause would end it.
    running = setup(environment, workers=2, marks=address, unit_gap_ms="30s")
    routes = {"/ask/one": ("GET", 1), "/ask/two": ("GET", 2), "/ask/seven": ("POST", 7)}
    times = 12

    def user(number: int) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            for i in range(times * len(routes)):
                path, (method, _) = list(routes.items())[(i + number) % len(routes)]
                trace = TRACE.format(1 + 1000 * number + i)
                answer = client.request(method, running.url(path), headers={"traceparent": trace})
                assert answer.status_code == 200

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(user, range(16)))
    outcome = end(running)
    for path, (method, statements) in routes.items():
        row = outcome.endpoint(f"{method} {path}")["endpoint"]
        assert row["named_by"] == {"tags": "tag", "marks": "mark"}[helper]
        # Comments name a request; where it begins and ends, the pool's own statements tell.
        assert row["attribution"] == {"tags": "marker", "marks": "exact"}[helper]
        assert row["queries"]["p50"] == row["queries"]["max"] == statements, row
        assert helper == "tags" or row["http"]["joined"] == 16 * times
        assert row["requests"] == 16 * times, row
    assert outcome.report["coverage"]["lost_marks"] == 0


def test_http_wait_for_a_connection_is_told_from_the_applications_own_time(
    setup: Callable[..., Setup],
) -> None:
    running = setup()

    def user(number: int) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            for i in range(5):
                for kind in ("faults", "twins"):
                    headers = {"traceparent": TRACE.format(1000 * number + 2 * i + (kind == "twins") + 1)}
                    url = running.url(f"/{kind}/queue?n={number + i}")
                    assert client.get(url, headers=headers).status_code == 200

    user(100)  # alone, and so without a wait
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(user, range(6)))
    outcome = end(running)
    fault = outcome.endpoint("GET /faults/queue")["endpoint"]
    twin = outcome.endpoint("GET /twins/queue")["endpoint"]
    assert fault["http"]["joined"] == twin["http"]["joined"] == 35
    split = fault["latency_split_ms"]
    assert split["pool_wait"] > 0.1 * split["total"], split
    assert split["pool_wait"] + split["database"] <= split["total"]
    other = twin["latency_split_ms"]
    assert other["pool_wait"] < 0.02 * other["total"], other


LEARNING_S = 4  # a request is judged when it is over for 3 s, by the times of what comes then
LEARNT = {"books": 5, "authors": 10, "orders": 15, "reviews": 20}  # rows of their own statements


def test_http_shapes_learnt_from_one_user_name_sixteen(setup: Callable[..., Setup]) -> None:
    """At least 95 % of the requests, none under a wrong name, and none said to be exact that is not."""
    running = setup(workers=2)
    alone, beside = 5, 25

    def user(number: int) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            for i in range(beside):
                path = f"/learn/{list(LEARNT)[(i * 7 + number) % len(LEARNT)]}"
                assert client.get(running.url(path)).status_code == 200

    with httpx.Client(timeout=PATIENCE_S) as client:
        for _ in range(alone):
            for name in LEARNT:
                assert client.get(running.url(f"/learn/{name}")).status_code == 200
    time.sleep(LEARNING_S)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(user, range(16)))
    outcome = end(running)
    named = 0
    for name, rows in LEARNT.items():
        row = outcome.endpoint(f"GET /learn/{name}")["endpoint"]
        assert row["attribution"] == "learnt"
        assert row["http"]["joined"] >= alone
        assert row["queries"]["p50"] == row["queries"]["max"] == 2, row
        assert row["rows"]["p50"] == row["rows"]["max"] == 1 + rows, row
        assert row["http"]["joined"] + row["http"]["learnt"] <= row["http"]["requests"]
        named += row["http"]["joined"] + row["http"]["learnt"]
    total = len(LEARNT) * alone + 16 * beside
    assert 0.95 * total <= named <= total


# --- what HTTP shows ---

# route -> the rules that must find something there, and no other of HTTP's
JUDGED = {
    "GET /faults/plain": {"http_compression"},
    "GET /twins/gzip": set(),
    "GET /twins/brotli/books": set(),
    "GET /faults/unchanged": {"http_caching"},
    "GET /twins/etag": set(),
    "GET /twins/changing": set(),
    "GET /faults/public": {"http_caching"},
    "POST /faults/mail": {"background_work"},
    "POST /twins/mail": set(),
    "GET /twins/limited": set(),
}
PAGED = ("/faults/plain", "/twins/gzip", "/twins/brotli/books", "/twins/changing")
OF_HTTP = {"http_compression", "http_caching", "http_keep_alive", "background_work"}


def item(outcome: Outcome, number: int) -> str:
    (found,) = [row["verdict"] for row in outcome.report["checklist"] if row["id"] == number]
    return str(found)


def test_http_faults_are_found_on_their_routes_and_not_on_their_twins(
    setup: Callable[..., Setup], tmp_path: Path
) -> None:
    capture = tmp_path / "capture"
    at = setup(capture=str(capture))
    with httpx.Client(timeout=PATIENCE_S) as client:
        for n in range(22):
            for name in JUDGED:
                method, path = name.split()
                query = f"?page={n}" if path in PAGED else ""
                headers = {"If-None-Match": '"1"'} if n > 0 and path == "/twins/etag" else {}
                if path.endswith("mail") and n >= 6:
                    continue
                client.request(method, at.url(path + query), headers=headers)
            time.sleep(0.06)  # one body in 100 ms is sampled
    outcome = end(at)
    assert {name: outcome.rules(name) & OF_HTTP for name in JUDGED} == JUDGED
    (waste,) = [
        issue
        for issue in issues_of(outcome.endpoint("GET /faults/plain"))
        if issue["rule"] == "http_compression"
    ]
    assert "smaller" in waste["impact"]
    assert {number: item(outcome, number) for number in (10, 11, 12, 15, 16, 40)} == {
        10: "fail",
        11: "fail",
        12: "fail",
        15: "pass",
        16: "pass",
        40: "fail",
    }
    assert outcome.report["score"]["coverage"] == 1.0
    done = run_command("report", str(capture), f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr
    again = (tmp_path / "again/report.yaml").read_bytes()
    assert again == (outcome.report_dir / "report.yaml").read_bytes()


def test_http_brotli_of_a_middleware_is_relayed_and_counts_as_compressed(setup: Callable[..., Setup]) -> None:
    """The middleware takes gzip for who knows no brotli, and nothing for who knows neither."""
    running = setup()
    path = "/twins/brotli/books"
    bodies = {}
    with httpx.Client(timeout=PATIENCE_S) as client:
        for coding in ("br", "gzip", "identity"):
            for _ in range(4):
                url, headers = running.url(path), {"Accept-Encoding": coding}
                with client.stream("GET", url, headers=headers) as answer:
                    assert answer.headers.get("content-encoding", "identity") == coding
                    bodies[coding] = b"".join(answer.iter_raw())
    assert brotli.decompress(bodies["br"]) == gzip.decompress(bodies["gzip"]) == bodies["identity"]
    assert len(bodies["br"]) < len(bodies["identity"]) / 4
    row = end(running).endpoint(f"GET {path}")["endpoint"]
    numbers = row["http"]["compression"]
    assert (numbers["compressed"], numbers["samples"]) == (8, 0), numbers


@pytest.mark.parametrize(("route", "blocks"), [("/faults/block", True), ("/twins/block", False)])
def test_http_request_that_blocks_the_loop_is_told(
    setup: Callable[..., Setup], route: str, blocks: bool
) -> None:
    running = setup()
    over = threading.Event()

    def hurry() -> None:
        """Somebody who is answered at once, where nothing is in the way."""
        with httpx.Client(timeout=PATIENCE_S) as client:
            while not over.is_set():
                assert client.get(running.url("/quiet")).status_code == 200
                time.sleep(0.005)

    with ThreadPoolExecutor(2) as pool, httpx.Client(timeout=PATIENCE_S) as client:
        hurried = [pool.submit(hurry) for _ in range(2)]
        try:
            time.sleep(1)
            for _ in range(8):
                assert client.get(running.url(route)).status_code == 200
                time.sleep(0.1)
        finally:
            over.set()
        for each in hurried:
            each.result()
    outcome = end(running)
    assert ("loop_stall" in outcome.rules(f"GET {route}")) == blocks
    assert "loop_stall" not in outcome.rules("GET /quiet")
    assert item(outcome, 36) == ("fail" if blocks else "pass")


@pytest.mark.long  # a machine without time to spare serves fewer at once than there are threads
@pytest.mark.parametrize(("route", "waits"), [("/faults/threads", True), ("/twins/threads", False)])
def test_http_requests_that_wait_for_a_thread_are_told(
    setup: Callable[..., Setup], route: str, waits: bool
) -> None:
    """Many more than FastAPI has threads, for some seconds."""
    running = setup()
    until = time.monotonic() + 9

    def user(_: int) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            while time.monotonic() < until:
                assert client.get(running.url(route)).status_code == 200

    with ThreadPoolExecutor(75) as pool:
        list(pool.map(user, range(75)))
    outcome = end(running)
    assert ("thread_pool" in outcome.rules(f"GET {route}")) == waits


def test_http_connection_for_each_request_is_told(setup: Callable[..., Setup]) -> None:
    at = setup()
    for _ in range(25):
        httpx.get(at.url("/quiet"))
    outcome = end(at)
    assert "http_keep_alive" in outcome.rules("GET /quiet")


def test_http_traceparent_is_kept_and_a_missing_one_added_on_request(setup: Callable[..., Setup]) -> None:
    for added in (False, True):
        running = setup(http_add_traceparent=added)
        given = TRACE.format(77)
        got = httpx.get(running.url("/header"), headers={"traceparent": given}).json()["traceparent"]
        assert got == given
        first, second = (httpx.get(running.url("/header")).json()["traceparent"] for _ in range(2))
        if added:
            assert len(first) == len(given)
            assert first != second
        else:
            assert first == second == ""


# --- transparency ---


def seeded_request(rng: random.Random) -> bytes:
    """One request that closes its connection, of any form that a client may send."""
    method = rng.choice(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    status = rng.choice([200, 200, 201, 204, 304, 400, 404, 500])
    target = f"/echo/{status}?n={rng.randrange(10**6)}"
    head = [f"{method} {target} HTTP/1.1", "Host: app", "Connection: close"]
    body = rng.randbytes(rng.choice([0, 1, 17, 4000, 70000])) if method in ("POST", "PUT", "PATCH") else b""
    form = rng.choice(["length", "chunked", "stream"])
    if form == "stream" and method in ("GET", "HEAD"):
        head[0] = f"{method} /stream/{rng.randrange(6)}/{rng.choice([1, 100, 30000])} HTTP/1.1"
    if body and form == "chunked":
        head.append("Transfer-Encoding: chunked")
        wire = b""
        while body:
            n = rng.randint(1, len(body))
            wire += f"{n:x}\r\n".encode() + body[:n] + b"\r\n"
            body = body[n:]
        body = wire + b"0\r\n\r\n"
    elif body:
        head.append(f"Content-Length: {len(body)}")
    head += [f"X-Filler-{i}: {'y' * rng.randrange(60)}" for i in range(rng.randrange(5))]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def without_date(answer: bytes) -> bytes:
    return b"\r\n".join(line for line in answer.split(b"\r\n") if not line.lower().startswith(b"date:"))


@pytest.mark.parametrize("n", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_http_seeded_requests_answered_as_directly(n: int, setup: Callable[..., Setup]) -> None:
    running = setup()
    rng = random.Random(20)  # noqa: S311 # the same requests in every run
    for i in range(n):
        request = seeded_request(rng)
        pieces = rng.choice([0, 0, 0, 1000]) if len(request) > 2000 else rng.choice([0, 0, 1, 7])
        direct = without_date(talk(running.app, request, half_close=False))
        relayed = without_date(talk(running.http, request, half_close=False, pieces=pieces))
        assert relayed == direct, (i, request[:200])


def test_http_pipelined_requests_answered_in_order(setup: Callable[..., Setup]) -> None:
    running = setup()
    request = b"".join(b"GET /echo/200?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(30))
    request += b"GET /echo/200?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    got = talk(running.http, request, half_close=False)
    at = [got.index(b"GET n=%d " % i) for i in range(30)]
    assert at == sorted(at)
    assert got.count(b"HTTP/1.1 200 OK") == 31


def test_http_expect_continue_passes_before_the_body(setup: Callable[..., Setup]) -> None:
    running = setup()
    with socket.create_connection(("127.0.0.1", running.http), PATIENCE_S) as link:
        link.sendall(
            b"POST /swallow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert link.recv(1000).startswith(b"HTTP/1.1 100 Continue")
        link.sendall(b"hello")
        got = b""
        while piece := link.recv(65536):
            got += piece
    assert got.endswith(b'{"bytes":5}')


class Upstream:
    """An application by hand: each connection is given to a function."""

    def __init__(self, port: int, serve: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", port))
        self.serve = serve
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                threading.Thread(target=self.one, args=(link,), daemon=True).start()

    def one(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            link.settimeout(PATIENCE_S)
            self.serve(link)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def until(link: socket.socket, mark: bytes) -> bytes:
    got = b""
    while mark not in got:
        piece = link.recv(65536)
        if not piece:
            return got
        got += piece
    return got


@pytest.fixture
def by_hand(pgsleuth: StartProxy) -> Iterator[Callable[..., tuple[Proxy, int]]]:
    started: list[Upstream] = []

    def start(serve: Callable[[socket.socket], None], **options: Any) -> tuple[Proxy, int]:
        http, app = free_port(), free_port()
        started.append(Upstream(app, serve))
        return pgsleuth(http=f"127.0.0.1:{http}=127.0.0.1:{app}", **options), http

    try:
        yield start
    finally:
        for upstream in started:
            upstream.close()


def test_http_upgraded_connection_is_opaque_both_ways(by_hand: Callable[..., tuple[Proxy, int]]) -> None:
    noise = bytes(range(256)) * 800

    def serve(link: socket.socket) -> None:
        until(link, b"\r\n\r\n")
        link.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while piece := link.recv(65536):
            link.sendall(piece)

    _, http = by_hand(serve)
    head = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    got = talk(http, head + noise)
    assert got.endswith(b"\r\n\r\n" + noise)


def test_http_declined_upgrade_stays_http(setup: Callable[..., Setup]) -> None:
    running = setup()
    got = talk(
        running.http,
        b"GET /echo/200?a HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
        b"GET /echo/200?b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        half_close=False,
    )
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert b"GET b " in got


def test_http_half_close_leaves_the_answer_on_its_way(by_hand: Callable[..., tuple[Proxy, int]]) -> None:
    def serve(link: socket.socket) -> None:
        said = b""
        while piece := link.recv(65536):
            said += piece
        link.sendall(b"HTTP/1.0 200 OK\r\n\r\n%d bytes, then the end" % len(said))

    _, http = by_hand(serve)
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
    assert talk(http, request).endswith(b"%d bytes, then the end" % len(request))


def test_http_strange_answers_are_relayed_unread(by_hand: Callable[..., tuple[Proxy, int]]) -> None:
    strange = b"HTTP/9.9 yes\nwhat: ever\n\n" + bytes(range(256))

    def serve(link: socket.socket) -> None:
        until(link, b"\r\n\r\n")
        link.sendall(strange)

    _, http = by_hand(serve)
    assert talk(http, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", half_close=False) == strange


@pytest.mark.slow
def test_http_large_bodies_leave_memory_flat(setup: Callable[..., Setup]) -> None:
    running = setup()
    size = 64 << 20
    httpx.post(running.url("/swallow"), content=b"x" * 1000)
    before = running.proxy.rss_bytes()

    def pieces() -> Iterator[bytes]:
        for _ in range(size >> 16):
            yield b"x" * 65536

    with httpx.Client(timeout=120) as client:
        assert client.post(running.url("/swallow"), content=pieces()).json() == {"bytes": size}
        with client.stream("GET", running.url(f"/stream/{size >> 16}/65536")) as answer:
            assert sum(len(piece) for piece in answer.iter_raw()) == size
    assert running.proxy.rss_bytes() - before < 16 << 20


# --- hostile requests ---

HOSTILE = {
    "both lengths": b"POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\nabcdef",
    "space before colon": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunked is not last": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "bad length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde",
    "bare line feed": b"GET / HTTP/1.1\nHost: a\n\n",
    "no method": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "null in header": b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
    "bad chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "bad chunk"])
def test_http_hostile_head_is_refused_and_not_one_byte_forwarded(
    by_hand: Callable[..., tuple[Proxy, int]], name: str, pieces: int
) -> None:
    seen: list[bytes] = []

    def serve(link: socket.socket) -> None:
        seen.append(link.recv(65536))

    proxy, http = by_hand(serve)
    got = talk(http, HOSTILE[name], half_close=False, pieces=pieces)
    assert got.startswith(b"HTTP/1.1 400 Bad Request\r\n"), got
    assert seen == []
    proxy.stop()


def test_http_bad_chunk_is_cut_off_before_it(by_hand: Callable[..., tuple[Proxy, int]]) -> None:
    seen: list[bytes] = []
    ended = threading.Event()

    def serve(link: socket.socket) -> None:
        got = until(link, b"abc")
        with contextlib.suppress(ConnectionResetError):
            while piece := link.recv(65536):
                got += piece
        seen.append(got)
        ended.set()

    _, http = by_hand(serve)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    with socket.create_connection(("127.0.0.1", http), PATIENCE_S) as link:
        link.sendall(head)
        time.sleep(0.2)  # two pieces, if they may be; one is as good
        link.sendall(b"zz\r\nGET /smuggled HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert link.recv(1000) == b""
    assert ended.wait(PATIENCE_S)
    assert seen == [head]


def test_http_refusal_waits_for_the_answers_before_it(setup: Callable[..., Setup]) -> None:
    running = setup()
    got = talk(
        running.http, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + HOSTILE["both lengths"], half_close=False
    )
    assert got.index(b'{"asked":4}') < got.index(b"HTTP/1.1 400 Bad Request")


def test_http_oversized_head_is_refused(by_hand: Callable[..., tuple[Proxy, int]]) -> None:
    _, http = by_hand(lambda link: link.close())
    got = talk(http, b"GET / HTTP/1.1\r\n" + b"X-A: " + b"y" * 100_000, half_close=False)
    assert got.startswith(b"HTTP/1.1 431 ")


# --- loss ---


def test_http_application_down_gives_502(pgsleuth: StartProxy) -> None:
    http = free_port()
    proxy = pgsleuth(http=f"127.0.0.1:{http}=127.0.0.1:{free_port()}")
    got = httpx.get(f"http://127.0.0.1:{http}/")
    assert (got.status_code, got.headers["connection"]) == (502, "close")
    assert "pgsleuth" in got.text
    with psycopg.connect(proxy.target.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_http_application_killed_leaves_sql_alive(setup: Callable[..., Setup]) -> None:
    running = setup()
    with psycopg.connect(running.proxy.target.url()) as connection:
        connection.execute("SELECT 1")
        assert httpx.get(running.url("/ask/one")).status_code == 200
        running.application.process.kill()
        running.application.process.wait(PATIENCE_S)
        assert connection.execute("SELECT 2").fetchone() == (2,)
    assert httpx.get(running.url("/quiet")).status_code == 502


def test_http_connection_lost_in_the_middle_of_an_answer_is_lost_to_the_client(
    by_hand: Callable[..., tuple[Proxy, int]],
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot a hundred"

    def serve(link: socket.socket) -> None:
        until(link, b"\r\n\r\n")
        link.sendall(answer)

    _, http = by_hand(serve)
    assert talk(http, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", half_close=False) == answer


def test_http_options_without_sense_are_refused_in_one_line() -> None:
    for http in ("8080", "127.0.0.1:8080=", "127.0.0.1:8080=127.0.0.1:8080"):
        done = run_command("run", "--upstream=postgresql://127.0.0.1:5", f"--http={http}")
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "http: " in done.stderr
