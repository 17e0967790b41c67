"""One allocation after the other fails: at the start, in a session, in a report. Nobody crashes or lies."""

from __future__ import annotations

import contextlib
import http.client
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

import wire
from admin import OPTIONS, Api
from failing import HELPER, LIBCRYPTOS, NOT_LIBCRYPTOS, PROGRAM, Memory
from proxy import (
    LOADER,
    RUNNING,
    SANITIZER,
    Proxy,
    binary,
    clean_environment,
    eventually,
    sanitizer_files,
    yaml,
)
from server import OPEN_ROLE, Server, Target, free_port

# Kerberos, which libpq asks at each login, reads through a null pointer when it finds no memory.
FRAGILE = {"libgssapi_krb5", "libkrb5", "libk5crypto"}
CODES = {0, 2, 3, 4, 5}
WAIT_S = 60
HELPER_RESTS_S = 60  # after 20 ends within a minute
REPORT_EVERY = 8  # failures of the helper: each made the report longer
PATIENCE_S = 5  # of a client, with nothing to wait for
ALL = 10**9
WORDS = ("SELECT 1 + 1", "SELECT name FROM people WHERE id = 5", "SELECT id FROM people WHERE name = 'x'")


@dataclass(frozen=True)
class Life:
    """What became of a process one of whose allocations failed."""

    n: int
    code: int | None  # None: it had to be killed
    served: bool  # or never began to listen
    errors: list[str]
    place: str
    crashed_in: str  # the library that took the process with it; empty: none did

    def __str__(self) -> str:
        return f"allocation {self.n}: exit code {self.code}, {self.errors}, at {self.place}"


def errors_of(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if ": info: " not in line]


def listens(proxy: Proxy) -> bool:
    """Once it has told so, or ended."""
    assert proxy.process is not None
    until = time.monotonic() + WAIT_S
    while "listening on" not in proxy.stderr:
        if proxy.process.poll() is not None:
            return False
        assert time.monotonic() < until, proxy.stderr
        time.sleep(0.005)
    return True


def answers(proxy: Proxy) -> bool:
    peer = wire.connect(proxy.target)
    peer.settimeout(PATIENCE_S)
    with peer, contextlib.suppress(OSError, AssertionError), wire.log_in(proxy.target, peer) as session:
        return [m.type for m in session.ask("SELECT 1")] == ["T", "D", "C", "Z"]
    return False


def api_answers(proxy: Proxy) -> bool:
    """Where there is one."""
    wanted = any(word.startswith("--admin-listen") for word in proxy.arguments)
    return not wanted or Api(proxy).ask("GET", "/api/v1/status").code == 200


def end(proxy: Proxy) -> int | None:
    assert proxy.process is not None
    try:
        return proxy.process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        proxy.kill()


def crashed_in(proxy: Proxy, code: int | None, place: str) -> str:
    """By the sanitizer's word, or by who asked for the memory when there is none. Ours are never forgiven."""
    if code is None or (code >= 0 and not SANITIZER.search(proxy.stderr)):
        return ""
    summary = re.search(r"SUMMARY: AddressSanitizer: SEGV \(\S*/(\w+)\.so", proxy.stderr)
    asked = place.split(" ")[3].partition(".so")[0]
    where = summary[1] if summary else asked if code < 0 else "pgsleuth"
    assert where in FRAGILE, proxy.stderr + place
    return where


def live(proxy: Proxy, memory: Memory, n: int, whose: int) -> Life:
    memory.arm(n, whose=whose)
    proxy.launch()
    try:
        assert proxy.process is not None
        listening = listens(proxy)
        memory.disarm()
        served = listening and answers(proxy) and api_answers(proxy)
        if proxy.process.poll() is None:
            proxy.send(signal.SIGTERM)
        code = end(proxy)
    finally:
        proxy.kill()
    assert not sanitizer_files(proxy.pid), sanitizer_files(proxy.pid)[0].read_text("utf-8")
    where = crashed_in(proxy, code, memory.place())
    return Life(n, code, served, errors_of(proxy.stderr), memory.place(), where)


def lives(server: Server, folder: Path, whose: int, step: int, first: int = 1, **options: Any) -> list[Life]:
    """From the first allocation of a start to the last one."""
    found: list[Life] = []
    memory = Memory(folder / "memory")
    environment = memory.environment(of_libraries=whose == LIBCRYPTOS or "explain_enabled" in options)
    n = first
    while not found or memory.seen() >= found[-1].n:
        proxy = Proxy(folder / str(n), server.app, env=environment, **options)
        found.append(live(proxy, memory, n, whose))
        n += step
    return found


# --- the start ---


@pytest.fixture(scope="module")
def starts(server: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Life]:
    folder = tmp_path_factory.mktemp("starts")
    return lives(server, folder, NOT_LIBCRYPTOS, 1, capture=str(folder / "capture"))


def assert_said(found: list[Life], fewest: int) -> None:
    """A start that failed said why, on one line."""
    refused = [life for life in found if life.code not in (0, None) and not life.crashed_in]
    for life in refused:
        assert life.code in CODES, life
        assert len(life.errors) == 1, life
        assert life.errors[0].startswith("pgsleuth: error: "), life
    assert len(refused) >= fewest


def assert_served(found: list[Life]) -> None:
    """A start that went on without its allocation serves, and ends when it is told to."""
    for life in found:
        assert life.code is not None, life
        assert life.served == (life.code == 0), life


def test_start_without_memory_says_so_and_ends(starts: list[Life]) -> None:
    assert_said(starts, 50)


def test_start_that_does_without_an_allocation_serves_and_ends(starts: list[Life]) -> None:
    assert_served(starts)


@pytest.mark.parametrize("step", [400, pytest.param(17, marks=pytest.mark.long)])
def test_start_without_memory_for_openssl_is_said_or_serves(
    server: Server, tmp_path: Path, step: int
) -> None:
    found = lives(server, tmp_path, LIBCRYPTOS, step)
    assert_said(found, 0)
    assert_served(found)


@pytest.mark.parametrize("step", [37, pytest.param(5, marks=pytest.mark.long)])
def test_start_with_plans_without_memory_is_said_or_serves(server: Server, tmp_path: Path, step: int) -> None:
    found = lives(server, tmp_path, NOT_LIBCRYPTOS, step, explain_enabled=True)
    assert_said(found, 3)
    print(len(found), "starts, crashed in a library:", [life.crashed_in for life in found if life.crashed_in])


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.long)])
def test_start_before_the_application_without_memory_is_said_or_serves(
    server: Server, tmp_path: Path, step: int
) -> None:
    http = f"127.0.0.1:{free_port()}=127.0.0.1:{free_port()}"
    marks = str(tmp_path / "marks.sock")
    found = lives(server, tmp_path, NOT_LIBCRYPTOS, step, http=http, marks=marks)
    assert_said(found, 50 // step)
    assert_served(found)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
def test_start_with_the_admin_api_without_memory_is_said_or_serves(
    server: Server, tmp_path: Path, step: int
) -> None:
    found = lives(server, tmp_path, NOT_LIBCRYPTOS, step, **OPTIONS)
    assert_said(found, 5)
    assert_served(found)


# --- the admin API ---

# and how many allocations further each time; all it takes to accept and to reply are among the first
ASKED = [
    ("GET", "/livez", 1),
    ("GET", "/metrics", 3),
    ("GET", "/api/v1/report", 41),
    ("POST", "/api/v1/reset", 3),
]


@pytest.mark.parametrize(("method", "path", "step"), ASKED)
def test_admin_request_without_memory_leaves_the_next_one_in_peace(
    server: Server, tmp_path: Path, method: str, path: str, step: int
) -> None:
    memory = Memory(tmp_path / "memory")
    with living(server, tmp_path, memory, report_interval_s="0", **OPTIONS) as proxy:
        api = Api(proxy)
        assert run_statements(proxy.target) == "right"
        n = 1
        codes = set()
        while n == 1 or memory.seen() >= n - step:
            api.post("/api/v1/reset")  # a document that is there would not be made again
            memory.arm(n)
            with contextlib.suppress(OSError, http.client.HTTPException):
                codes.add(api.ask(method, path).code)
            memory.disarm()
            assert api.ask("GET", "/livez").code == 200, memory.place()
            n += step
        assert codes <= {200, 500, 503}
        assert 500 in codes or path == "/livez"
        assert run_statements(proxy.target) == "right"


# --- a session ---


def run_statements(target: Target) -> str:
    """Simple, extended and prepared; how it went: right, told or silent. A wrong answer is the test's end."""
    mine = {**target.libpq(), "user": OPEN_ROLE, "connect_timeout": PATIENCE_S}
    try:
        with psycopg.connect(**mine, autocommit=True) as c:
            simple = psycopg.ClientCursor(c).execute("SELECT 1 + 1 /*route='/x',method='GET'*/")
            assert simple.fetchone() == (2,)
            assert c.execute("SELECT %s::int + 1", (5,)).fetchone() == (6,)
            for n in (5, 6):
                row = c.execute("SELECT name FROM people WHERE id = %s", (n,), prepare=True).fetchone()
                assert row == (f"person {n}",)
            with c.pipeline():
                cursors = [c.execute("SELECT id FROM people WHERE id = %s", (n,)) for n in range(1, 4)]
            assert [cursor.fetchone() for cursor in cursors] == [(1,), (2,), (3,)]
    except psycopg.OperationalError as error:
        return "silent" if "timeout expired" in str(error) else "told"
    return "right"


@dataclass(frozen=True)
class Session:
    n: int
    outcome: str
    next_outcome: str
    code: int | None
    place: str


def first_session(server: Server, folder: Path, memory: Memory, n: int, count: int) -> Session:
    """Of a process that has served nobody yet, so that it has everything still to allocate."""
    options = {"connect_timeout_ms": "1s", "capture": str(folder / "capture")}
    proxy = Proxy(folder / f"{n}-{count}", server.app, env=memory.environment(), **options)
    memory.disarm()
    proxy.launch()
    try:
        assert listens(proxy)
        memory.arm(n, count)
        outcome = run_statements(proxy.target)
        memory.disarm()
        next_outcome = run_statements(proxy.target)
        proxy.send(signal.SIGTERM)
        code = end(proxy)
    finally:
        proxy.kill()
    assert not SANITIZER.search(proxy.stderr), proxy.stderr + memory.place()
    assert not sanitizer_files(proxy.pid), sanitizer_files(proxy.pid)[0].read_text("utf-8")
    return Session(n, outcome, next_outcome, code, memory.place())


@pytest.fixture(scope="module")
def sessions(server: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Session]:
    folder = tmp_path_factory.mktemp("sessions")
    memory = Memory(folder / "memory")
    found: list[Session] = []
    n = 1
    while not found or memory.seen() >= found[-1].n:
        found.append(first_session(server, folder, memory, n, 1))
        n += 1
    return found


def test_session_without_memory_leaves_the_next_one_in_peace(sessions: list[Session]) -> None:
    assert len(sessions) > 20
    for session in sessions:
        assert session.next_outcome == "right", session
        assert session.code == 0, session
    assert "told" in {session.outcome for session in sessions}


def test_session_without_memory_is_right_or_is_told(sessions: list[Session]) -> None:
    assert [session for session in sessions if session.outcome == "silent"] == []


@pytest.mark.parametrize("n", range(1, 5))
def test_client_that_speaks_late_is_served_or_told_without_memory(
    server: Server, tmp_path: Path, n: int
) -> None:
    """Its first byte comes when whatever was done about the missing memory is done."""
    memory = Memory(tmp_path / "memory")
    proxy = Proxy(tmp_path / "proxy", server.app, env=memory.environment())
    memory.disarm()
    proxy.launch()
    try:
        assert listens(proxy)
        memory.arm(n)
        with wire.connect(proxy.target) as peer:
            peer.settimeout(PATIENCE_S)
            eventually("the allocation", lambda: memory.failed() or memory.seen() >= 2)
            assert select.select([peer], [], [], 0.2)[0] == [] or peer.recv(1) == b""
            memory.disarm()
            session = None
            with contextlib.suppress(ConnectionError, AssertionError):  # told; a time-out is neither
                session = wire.log_in(proxy.target, peer)
            if session is not None:
                assert [m.type for m in session.ask("SELECT 1")] == ["T", "D", "C", "Z"]
        proxy.send(signal.SIGTERM)
        assert end(proxy) == 0
    finally:
        proxy.kill()


@contextlib.contextmanager
def living(server: Server, folder: Path, memory: Memory, **options: Any) -> Iterator[Proxy]:
    """One process that lives through all failures of the block."""
    memory.disarm()
    proxy = Proxy(folder / "living", server.app, env=memory.environment(), **options)
    proxy.launch()
    try:
        assert listens(proxy)
        yield proxy
        assert proxy.process is not None
        if proxy in RUNNING:
            assert proxy.process.poll() is None, proxy.stderr + memory.place()
            proxy.stop()
    finally:
        proxy.kill()


@pytest.mark.parametrize("count", [1, ALL], ids=["one", "all"])
def test_later_session_without_memory_leaves_the_next_one_in_peace(
    server: Server, tmp_path: Path, count: int
) -> None:
    """`all`: from that allocation on there is no memory at all until the session is over."""
    memory = Memory(tmp_path / "memory")
    with living(server, tmp_path, memory, capture=str(tmp_path / "capture")) as proxy:
        assert run_statements(proxy.target) == "right"
        outcomes = []
        n = 1
        while n == 1 or memory.seen() >= n - 1:
            memory.arm(n, count)
            outcomes.append(run_statements(proxy.target))
            memory.disarm()
            assert run_statements(proxy.target) == "right", memory.place()
            n += 1
        assert "told" in outcomes


# --- a request ---

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\nContent-Type: text/html\r\n\r\n" + b"a" * 3000
REQUEST = b"POST /a/%d HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nContent-Length: 9\r\n\r\nsomething"


def serve_http(listener: socket.socket) -> None:
    """Each connection gets the answer for each whole request, in its order."""
    while True:
        try:
            link = listener.accept()[0]
        except OSError:
            return
        with link, contextlib.suppress(OSError):
            link.settimeout(PATIENCE_S)
            while got := link.recv(65536):
                while not got.endswith(b"something"):
                    got += link.recv(65536)
                link.sendall(ANSWER * got.count(b"POST "))


@pytest.fixture
def application() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve_http, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def send_requests(port: int) -> str:
    """Two on one connection: right, told or silent. A wrong byte is the test's end."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as link:
        for n in (1, 2):
            got = b""
            try:
                link.sendall(REQUEST % n)
                while len(got) < len(ANSWER):
                    piece = link.recv(65536)
                    if not piece:
                        break
                    got += piece
            except ConnectionError:
                return "told"
            except TimeoutError:
                return "silent"
            if got != ANSWER:
                assert ANSWER.startswith(got) or got.startswith(b"HTTP/1.1 50"), got
                return "told"
    return "right"


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.long), ALL], ids=["one", "all"])
def test_request_without_memory_leaves_the_next_one_and_sql_in_peace(
    server: Server, tmp_path: Path, application: int, count: int
) -> None:
    memory = Memory(tmp_path / "memory")
    http, marks = free_port(), tmp_path / "marks.sock"
    options = {"http": f"127.0.0.1:{http}=127.0.0.1:{application}", "marks": str(marks)}
    outcomes = []
    n = 0
    while n == 0 or memory.seen() >= n:
        n += 1
        with (
            living(server, tmp_path / str(n), memory, **options) as proxy,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as marker,
        ):
            memory.arm(n, count)
            marker.sendto(b"client='127.0.0.1:9',request='%d',route='/a'" % n, str(marks))
            outcomes.append(send_requests(http))
            memory.disarm()
            assert send_requests(http) == "right", memory.place()
            assert run_statements(proxy.target) == "right", memory.place()
    assert "silent" not in outcomes
    assert len(outcomes) > 5


BIG = 3_000_000
QUIET_S = 0.4


def wait_until_quiet(memory: Memory, side: int = PROGRAM, limit_s: float = WAIT_S) -> None:
    """Until it has allocated, or failed to, and has come to rest."""
    until = time.monotonic() + limit_s
    seen, since = 0, time.monotonic()
    while seen == 0 or time.monotonic() - since < QUIET_S:
        assert time.monotonic() < until, f"still at it, or never began: {seen}"
        time.sleep(0.01)
        if memory.seen(side) != seen:
            seen, since = memory.seen(side), time.monotonic()


def read_slowly(target: Target, memory: Memory, n: int) -> bytes:
    """An answer that no socket buffer holds, read when some of it has been kept, or could not be."""
    sql = "SELECT repeat('x', 10) FROM generate_series(1, {})"
    with wire.log_in(target) as session:
        session.ask(sql.format(1))  # so that the tap knows the statement and needs no memory for it
        memory.arm(n, ALL)
        session.socket.sendall(wire.query(sql.format(BIG)))
        wait_until_quiet(memory)
        data = bytearray()
        session.socket.settimeout(PATIENCE_S)
        with contextlib.suppress(ConnectionResetError):
            while chunk := session.socket.recv(1 << 20):
                data += chunk
                if data.endswith(b"Z\0\0\0\5I"):
                    break
        return bytes(data)


def test_slow_reader_without_memory_gets_no_wrong_byte(server: Server, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    with living(server, tmp_path, memory) as proxy:
        whole = read_slowly(proxy.target, memory, 0)
        assert whole.count(b"xxxxxxxxxx") == BIG
        cut = 0
        for n in range(1, 6):
            got = read_slowly(proxy.target, memory, n)
            memory.disarm()
            assert whole.startswith(got), n
            cut += len(got) < len(whole)
            assert answers(proxy)
        assert cut > 0


# --- reports ---


def say_words(proxy: Proxy) -> None:
    with psycopg.connect(**proxy.target.libpq(), autocommit=True) as c:
        for n in range(8):
            for sql in WORDS:
                c.execute(f"{sql} /*route='/{n % 3}',method='GET'*/".encode())


def assert_whole(folder: Path) -> int:
    """Every file of a report is one, to its last line; how many there are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        assert path.suffix == ".yaml", f"{path} is left over"
        text = path.read_bytes()
        assert text.startswith(b"schema_version:"), path
        assert b"\ncoverage:" in text, path
        assert text.endswith(b"\n"), path
        assert isinstance(yaml.load(text, Loader=LOADER), dict)
    return len(files)


def report_now(proxy: Proxy) -> bool:
    """By SIGUSR1; whether it was written."""
    before = (proxy.stderr.count("report written"), proxy.stderr.count("cannot write"))
    proxy.send(signal.SIGUSR1)
    until = time.monotonic() + WAIT_S
    while True:
        now = (proxy.stderr.count("report written"), proxy.stderr.count("cannot write"))
        if now != before:
            return now[0] > before[0]
        assert proxy.process is not None
        assert proxy.process.poll() is None, proxy.stderr
        assert time.monotonic() < until, "no answer to SIGUSR1"
        time.sleep(0.002)


@pytest.mark.parametrize("step", [97, pytest.param(5, marks=pytest.mark.long)])
def test_report_without_memory_is_whole_or_absent(server: Server, tmp_path: Path, step: int) -> None:
    memory = Memory(tmp_path / "memory")
    with living(server, tmp_path, memory, report_interval_s="0") as proxy:
        say_words(proxy)
        n, failures = 1, 0
        while n == 1 or memory.seen() >= n - step:
            memory.arm(n)
            written = report_now(proxy)
            memory.disarm()
            assert_whole(proxy.report_dir)
            failures += not written
            n += step
        assert failures > 10
        assert report_now(proxy)
        assert assert_whole(proxy.report_dir) >= 3


@dataclass(frozen=True)
class End:
    n: int
    code: int | None
    place: str


def last_report(server: Server, folder: Path, memory: Memory, n: int) -> End:
    proxy = Proxy(folder / str(n), server.app, env=memory.environment(), report_interval_s="0")
    memory.disarm()
    proxy.launch()
    try:
        assert listens(proxy)
        say_words(proxy)
        memory.arm(n)
        proxy.send(signal.SIGTERM)
        code = end(proxy)
    finally:
        proxy.kill()
    assert not SANITIZER.search(proxy.stderr), proxy.stderr
    assert not sanitizer_files(proxy.pid), sanitizer_files(proxy.pid)[0].read_text("utf-8")
    assert_whole(proxy.report_dir)
    assert (proxy.report_dir / "report.yaml").is_file() == (code == 0)
    return End(n, code, memory.place())


@pytest.fixture(scope="module", params=[601, pytest.param(11, marks=pytest.mark.long)])
def ends(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> list[End]:
    folder = tmp_path_factory.mktemp("ends")
    memory = Memory(folder / "memory")
    found: list[End] = []
    n = 1
    while not found or memory.seen() >= found[-1].n:
        found.append(last_report(server, folder, memory, n))
        n += request.param
    return found


def test_last_report_without_memory_is_whole_or_absent_and_said(ends: list[End]) -> None:
    """Whole or absent is looked at for each of them, where it is made."""
    codes = {found.code for found in ends}
    assert codes >= {0, 5}
    assert codes <= {0, 5, None}, ends


def test_end_without_memory_comes(ends: list[End]) -> None:
    assert [found for found in ends if found.code is None] == []


@pytest.mark.parametrize("step", [79, pytest.param(1, marks=pytest.mark.long)])
def test_report_of_a_capture_without_memory_is_whole_or_absent(
    server: Server, tmp_path: Path, step: int
) -> None:
    capture = tmp_path / "capture"
    proxy = Proxy(tmp_path / "run", server.app, capture=str(capture))
    try:
        proxy.start()
        say_words(proxy)
        proxy.stop()
    finally:
        proxy.kill()
    memory = Memory(tmp_path / "memory")
    n, codes = 1, set()
    while n == 1 or memory.seen() >= n - step:
        folder = tmp_path / f"report-{n}"
        memory.arm(n)
        done = subprocess.run(
            [str(binary()), "report", str(capture), f"--report-dir={folder}"],
            env=clean_environment(memory.environment()),
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_S,
        )
        assert done.returncode in (0, 2, 5), f"{done.returncode} at {memory.place()}: {done.stderr}"
        assert not SANITIZER.search(done.stderr), done.stderr
        assert len(done.stderr.splitlines()) == (done.returncode != 0), done.stderr
        assert (folder / "report.yaml").is_file() == (done.returncode == 0)
        assert_whole(folder)
        codes.add(done.returncode)
        n += step
    assert codes >= {0, 5}


# --- the parser helper ---


@pytest.mark.parametrize("step", [59, pytest.param(13, marks=pytest.mark.long)])
def test_helper_without_memory_costs_neither_traffic_nor_report(
    server: Server, tmp_path: Path, step: int
) -> None:
    memory = Memory(tmp_path / "memory")
    with living(server, tmp_path, memory, report_interval_s="0") as proxy:
        n, serial = 1, 0
        while n == 1 or memory.seen(HELPER) >= n - step:
            memory.arm(n, side=HELPER)
            with psycopg.connect(**proxy.target.libpq(), autocommit=True) as c:
                for _ in range(3):  # shapes that the helper has not been asked about
                    serial += 1
                    sql = f"SELECT name AS c{serial} FROM people WHERE id IN (1, 2) AND name LIKE 'p%'"
                    assert len(c.execute(sql.encode()).fetchall()) == 2
            wait_until_quiet(memory, HELPER, WAIT_S + HELPER_RESTS_S)
            memory.disarm()
            if n // step % REPORT_EVERY == 0:
                assert report_now(proxy)
                assert_whole(proxy.report_dir)
            n += step
        assert n > step + 1
        outcome = proxy.stop()
        assert outcome.report["run"]["statements"] >= serial
