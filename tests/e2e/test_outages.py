"""Servers, helpers and peers that die, stop or go silent, and resources that run out."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

import wire
from faults import TOLD_S
from proxy import Proxy, StartProxy, eventually, read_yaml, run_command
from rest import SANITIZER, Rest, is_quiet
from server import OPEN_ROLE, Server, Target, run_server

MIB = 1 << 20
STOPPED_S = 2
SILENT_S = 180  # far more than a client may take for its start
ENDLESS = "SELECT repeat('x', 1000), generate_series(1, 100000000)"  # rows come as they are made
LATE_S, LATE_ROWS = 7, 120  # longer than a lingering client is waited for; more than sockets hold
COPY_ROW = wire.message("d", b"x" * 8000 + b"\n")


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server of this module's own, to be killed."""
    for server in run_server(max_connections="24"):
        server.sql("CREATE TABLE flood (line text); GRANT INSERT ON flood TO app", server.admin_of("app"))
        yield server


def start(pgsleuth: StartProxy, behind: Server, **options: Any) -> Proxy:
    """Warm, and without sessions."""
    started = pgsleuth(behind.app, env=SANITIZER, workers=2, **{"report_interval_s": 0, **options})
    for _ in range(4):
        with wire.log_in(started.target) as session:
            session.ask("SELECT repeat('x', 1000000)")
    eventually("it sleeps", lambda: is_quiet(started))
    return started


@pytest.fixture
def proxy(mortal: Server, pgsleuth: StartProxy) -> Proxy:
    return start(pgsleuth, mortal)


@pytest.fixture(scope="module")
def steady(mortal: Server, start_for_module: StartProxy) -> Rest:
    """One that outlives the tests of this module; each must find it as it was."""
    return Rest(start(start_for_module, mortal))


def serves(target: Target) -> bool:
    try:
        with wire.log_in(target) as session:
            return [m.body for m in session.ask("SELECT 17") if m.type == "D"] == [b"\0\1\0\0\0\x0217"]
    except (OSError, AssertionError):
        return False


def told(peer: socket.socket) -> bytes:
    """All up to the end, which must come in time."""
    peer.settimeout(TOLD_S)
    return wire.read_to_end(peer)


def last_error(data: bytes) -> str:
    """SQLSTATE of the error or warning before the end."""
    answers = [m for m in wire.split(data) if m.type in "EN"]
    return answers[-1].fields()["C"] if answers else ""


def flood(session: wire.Session) -> threading.Thread:
    """COPY IN without end, until the connection is over."""

    def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                session.socket.sendall(COPY_ROW)

    session.socket.sendall(wire.query("COPY flood FROM STDIN"))
    assert wire.read_until(session.socket, "G")
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@contextlib.contextmanager
def stopped(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


# --- the server ---


def open_sessions(target: Target) -> list[wire.Session]:
    """Idle, in a statement, in a transaction, in the middle of a result."""
    sessions = [wire.log_in(target) for _ in range(4)]
    sessions[1].socket.sendall(wire.query("SELECT pg_sleep(60)"))
    sessions[2].ask("BEGIN")
    sessions[3].socket.sendall(wire.query(ENDLESS))
    wire.read_exactly(sessions[3].socket, MIB)
    return sessions


def close(sessions: list[wire.Session]) -> None:
    for session in sessions:
        session.socket.close()


def test_killed_backend_ends_every_session_and_the_next_is_served(steady: Rest) -> None:
    proxy = steady.proxy
    sessions = open_sessions(proxy.target)
    os.kill(sessions[0].pid, signal.SIGKILL)
    answers = [told(session.socket) for session in sessions]
    assert answers[0] == b""
    # The postmaster ends the others too: they say so, or are in the middle of something.
    assert [last_error(answers[n]) for n in (1, 2)] == ["57P02", "57P02"]
    close(sessions)
    eventually("the server is back", lambda: serves(proxy.target))
    steady.check()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_restarted_server_is_told_and_the_next_session_served(
    mortal: Server, steady: Rest, number: int
) -> None:
    proxy = steady.proxy
    sessions = open_sessions(proxy.target)
    mortal.halt(number)
    try:
        answers = [told(session.socket) for session in sessions]
        assert [last_error(answers[n]) for n in range(3)] == ["57P01"] * 3
        close(sessions)
        with wire.connect(proxy.target) as peer:
            peer.sendall(wire.startup(user=OPEN_ROLE, database="app"))
            (refusal,) = wire.split(told(peer))
        assert (refusal.fields()["S"], refusal.fields()["C"]) == ("FATAL", "57P03")
    finally:
        mortal.launch()
    eventually("the server is back", lambda: serves(proxy.target))
    steady.check()


def begin(session: wire.Session, doing: str) -> threading.Thread | None:
    if doing == "in a statement":
        session.socket.sendall(wire.query("SELECT pg_sleep(60)"))
    elif doing == "in a transaction":
        session.ask("BEGIN")
    elif doing == "in a flood of COPY IN":
        return flood(session)
    return None


@pytest.mark.parametrize("doing", ["idle", "in a statement", "in a transaction", "in a flood of COPY IN"])
def test_terminated_backend_tells_why(mortal: Server, steady: Rest, doing: str) -> None:
    proxy = steady.proxy
    for _ in range(5):
        with wire.log_in(proxy.target) as session:
            thread = begin(session, doing)
            mortal.sql(f"SELECT pg_terminate_backend({session.pid})")
            assert last_error(told(session.socket)) == "57P01"
        if thread is not None:
            thread.join()
    assert serves(proxy.target)
    steady.check()


def test_last_words_of_a_server_that_resets_reach_the_client(pgsleuth: StartProxy) -> None:
    """They were sent before bytes arrived that nobody read, and so before the reset."""
    words = wire.message("E", b"SFATAL\0C57P01\0Mlast words\0\0")
    hangs_up = threading.Semaphore(0)

    def serve(peer: socket.socket) -> None:
        if not peer.recv(1 << 16):
            return  # the preflight
        peer.sendall(wire.message("R", b"\0\0\0\0") + wire.message("Z", b"I"))
        peer.recv(1)
        hangs_up.acquire()
        peer.sendall(words)  # and much is unread: closing resets

    with wire.fake_server(serve) as upstream:
        proxy = pgsleuth(upstream, workers=2)
        for _ in range(20):
            with wire.connect(proxy.target) as peer:
                peer.sendall(wire.startup(user="someone"))
                wire.read_until(peer, "Z")
                for _ in range(8):
                    peer.sendall(COPY_ROW)
                hangs_up.release()
                with contextlib.suppress(OSError):
                    for _ in range(8):
                        peer.sendall(COPY_ROW)
                assert told(peer) == words
        proxy.stop()


def test_stopped_backend_goes_on_where_it_was(steady: Rest) -> None:
    proxy = steady.proxy
    with wire.log_in(proxy.target) as session, wire.log_in(proxy.target) as other:
        with stopped(session.pid):
            session.socket.sendall(wire.query("SELECT 'after all'"))
            time.sleep(STOPPED_S)
            assert other.ask("SELECT 1")[-1].body == b"I"
            assert is_quiet(proxy)
        answers = wire.read_until(session.socket, "Z")
    assert [m.type for m in answers] == ["T", "D", "C", "Z"]
    assert answers[1].body.endswith(b"after all")


def test_stopped_postmaster_keeps_only_new_sessions_waiting(mortal: Server, steady: Rest) -> None:
    proxy = steady.proxy
    assert mortal.process is not None
    came: list[bool] = []
    new = threading.Thread(target=lambda: came.append(serves(proxy.target)))
    with wire.log_in(proxy.target) as session:
        with stopped(mortal.process.pid):
            new.start()
            time.sleep(STOPPED_S)
            assert session.ask("SELECT 1")[-1].body == b"I"
            assert is_quiet(proxy)
            assert came == []
        new.join()
    assert came == [True]


# --- peers that stay, and say or take nothing ---


def test_client_lost_while_the_server_takes_nothing_is_noticed(steady: Rest) -> None:
    proxy = steady.proxy
    session = wire.log_in(proxy.target)
    session.ask("SELECT 1")
    session.socket.sendall(wire.query("COPY flood FROM STDIN"))
    wire.read_until(session.socket, "G")
    with stopped(session.pid):
        session.socket.settimeout(2)
        with contextlib.suppress(socket.timeout):
            while True:
                session.socket.sendall(COPY_ROW)
        reset(session.socket)
        steady.check()


def test_clients_that_stay_when_the_server_has_gone_are_let_go(mortal: Server, steady: Rest) -> None:
    """One is silent, one does not stop to send; neither reads."""
    proxy = steady.proxy
    sessions = [wire.log_in(proxy.target) for _ in range(2)]
    thread = flood(sessions[1])
    for session in sessions:
        mortal.sql(f"SELECT pg_terminate_backend({session.pid})")
    steady.check()
    thread.join()
    close(sessions)


def test_half_closed_client_waits_without_a_busy_loop(steady: Rest) -> None:
    with wire.log_in(steady.proxy.target).socket as peer:
        peer.sendall(wire.query(f"SELECT pg_sleep({2 * STOPPED_S})"))
        peer.shutdown(socket.SHUT_WR)
        assert is_quiet(steady.proxy)
        assert [m.type for m in wire.split(wire.read_to_end(peer))] == ["T", "D", "C", "Z"]
    steady.check()


def test_client_that_reads_late_gets_all_though_the_server_has_gone(mortal: Server, steady: Rest) -> None:
    proxy = steady.proxy

    def ask(target: Target) -> bytes:
        with wire.log_in(target).socket as peer:
            size = f"SELECT repeat('x', 100000), n FROM generate_series(1, {LATE_ROWS}) n"
            peer.sendall(wire.query(size) + wire.TERMINATE)
            time.sleep(LATE_S)
            return wire.read_to_end(peer)

    with ThreadPoolExecutor(2) as both:
        direct, relayed = both.map(ask, (mortal.app, proxy.target))
    assert relayed == direct
    assert [m.type for m in wire.split(direct)][-2:] == ["C", "Z"]
    steady.check()


def test_unread_result_of_a_server_that_has_gone_ends_with_its_client(mortal: Server, steady: Rest) -> None:
    proxy = steady.proxy
    session = wire.log_in(proxy.target)
    session.socket.sendall(wire.query(ENDLESS))
    wire.read_exactly(session.socket, 100)
    mortal.sql(f"SELECT pg_terminate_backend({session.pid})")
    assert is_quiet(proxy)
    session.socket.close()
    steady.check()


@pytest.mark.long
def test_clients_that_never_finish_their_start_are_let_go(proxy: Proxy) -> None:
    rest = Rest(proxy)
    start_up = wire.startup(user=OPEN_ROLE, database="app")
    with contextlib.ExitStack() as open_ones:
        peers = [open_ones.enter_context(wire.connect(proxy.target)) for _ in range(4)]
        for peer, said in zip(peers, (b"", b"\0\0", wire.SSL_REQUEST, start_up[:-3])):
            peer.sendall(said)
        for peer in peers:
            peer.settimeout(SILENT_S)
            assert wire.read_to_end(peer) in (b"", b"N")
        rest.check()


# --- limits ---


def limit_descriptors(proxy: Proxy, more: int) -> int:
    """From now on; gives the limit there was."""
    before = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
    taken = max(int(entry.name) for entry in Path(f"/proc/{proxy.pid}/fd").iterdir()) + 1
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (taken + more, before[1]))
    return before[0]


def test_out_of_descriptors_it_serves_who_is_there_and_recovers(mortal: Server, pgsleuth: StartProxy) -> None:
    proxy = start(pgsleuth, mortal)
    rest = Rest(proxy)
    with wire.log_in(proxy.target) as session:
        before = limit_descriptors(proxy, 5)
        waiting = [wire.connect(proxy.target) for _ in range(20)]
        for peer in waiting:
            peer.sendall(wire.startup(user=OPEN_ROLE, database="app"))
        eventually("it says so", lambda: "cannot accept a connection" in proxy.stderr)
        assert session.ask("SELECT 1")[-1].body == b"I"
        assert is_quiet(proxy)
        said = len(proxy.stderr)
        proxy.send(signal.SIGUSR1)
        eventually("the report is written or refused", lambda: "report" in proxy.stderr[said:])
        assert session.ask("SELECT 1")[-1].body == b"I"
        for peer in waiting:
            peer.close()
        # Those that close before they are accepted cost a turn each.
        eventually("clients are served again", lambda: serves(proxy.target))
    rest.check()
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (before, before))
    assert proxy.stop().report["run"]["sessions"] >= 2


def test_out_of_descriptors_the_log_is_not_flooded(mortal: Server, pgsleuth: StartProxy) -> None:
    proxy = start(pgsleuth, mortal)
    with wire.log_in(proxy.target):
        before = limit_descriptors(proxy, 0)
        waiting = [wire.connect(proxy.target) for _ in range(4)]
        eventually("it says so", lambda: "cannot accept a connection" in proxy.stderr)
        began = time.monotonic()
        time.sleep(3)
        lines = proxy.stderr.count("cannot accept a connection")
        took_s = time.monotonic() - began
    for peer in waiting:
        peer.close()
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (before, before))
    proxy.stop()
    # One a second for each worker is what other warnings are held to.
    assert lines <= 2 * (took_s + 2), f"{lines} lines in {took_s:.0f} s"


def test_server_without_a_free_connection_says_so_itself(mortal: Server, steady: Rest) -> None:
    def fill(target: Target) -> tuple[list[socket.socket], list[wire.Message]]:
        peers: list[socket.socket] = []
        while True:
            peers.append(wire.connect(target))
            peers[-1].sendall(wire.startup(user=OPEN_ROLE, database="app"))
            greeting = [wire.read_message(peers[-1])]
            while greeting[-1].type not in "EZ":
                greeting.append(wire.read_message(peers[-1]))
            if greeting[-1].type == "E":
                return peers, greeting

    proxy = steady.proxy
    errors = []
    for target in (mortal.app, proxy.target):
        eventually("places are free", lambda: serves(mortal.app))
        peers, greeting = fill(target)
        errors.append(greeting)
        for peer in peers:
            peer.close()
    assert errors[0] == errors[1]
    assert errors[0][-1].fields()["C"] == "53300"
    eventually("a place is free again", lambda: serves(proxy.target))
    steady.check()


# --- the disk ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; for who may not mount one, see `full`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], check=False, capture_output=True
    )
    try:
        yield folder
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def full(proxy: Proxy, disk: Path) -> Iterator[None]:
    """Nothing can be written; where no disk could be mounted, files may not grow."""
    if disk.is_mount():
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        yield
        filler.unlink()
        return
    before = resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (512, before[1]))
    yield
    resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, before)


def ask_much(proxy: Proxy, times: int) -> None:
    with wire.log_in(proxy.target) as session:
        for n in range(times):
            answers = session.ask(f"SELECT {n} /*method='GET',route='%2Fdisk'*/ FROM people LIMIT 1")
            assert [m.type for m in answers] == ["T", "D", "C", "Z"]
            assert answers[1].body.endswith(str(n).encode())


def test_report_on_a_full_disk_fails_whole_and_comes_when_there_is_room(
    mortal: Server, pgsleuth: StartProxy, small_disk: Path
) -> None:
    folder = small_disk / "report"
    proxy = start(pgsleuth, mortal, report_dir=str(folder))
    proxy.report_dir = folder
    proxy.send(signal.SIGUSR1)
    eventually("a report", (folder / "report.yaml").is_file)
    before = read_yaml(folder / "report.yaml")
    with full(proxy, small_disk):
        ask_much(proxy, 100)
        proxy.send(signal.SIGUSR1)
        eventually("it says that it cannot", lambda: "cannot write" in proxy.stderr)
        assert read_yaml(folder / "report.yaml") == before
        ask_much(proxy, 100)
    outcome = proxy.stop()
    assert outcome.report["run"]["statements"] >= 200
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_report_on_a_disk_that_stays_full_is_5(
    mortal: Server, pgsleuth: StartProxy, small_disk: Path
) -> None:
    proxy = start(pgsleuth, mortal, report_dir=str(small_disk / "report"))
    with full(proxy, small_disk):
        ask_much(proxy, 10)
        proxy.stop(expect=5)


def test_capture_on_a_full_disk_stops_and_nothing_else_does(
    mortal: Server, pgsleuth: StartProxy, small_disk: Path, tmp_path: Path
) -> None:
    capture = small_disk / "capture"
    proxy = start(pgsleuth, mortal, capture=capture)
    ask_much(proxy, 50)
    with full(proxy, small_disk):
        while "the capture stops here" not in proxy.stderr:
            ask_much(proxy, 200)
        ask_much(proxy, 50)
    outcome = proxy.stop(expect=5)  # what was asked for is not all there
    assert outcome.report["run"]["statements"] >= 300
    report = tmp_path / "again"
    done = run_command("report", str(capture), f"--report-dir={report}")
    assert done.returncode == 0, done.stderr
    assert 0 < read_yaml(report / "report.yaml")["run"]["statements"] < outcome.report["run"]["statements"]


def test_limit_on_file_size_ends_no_session(mortal: Server, pgsleuth: StartProxy, tmp_path: Path) -> None:
    """The kernel tells a process that writes beyond it by SIGXFSZ, which by default ends it."""
    proxy = start(pgsleuth, mortal, capture=tmp_path / "capture")
    with wire.log_in(proxy.target) as session:
        _, hard = resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (4096, hard))
        ask_much(proxy, 500)
        proxy.send(signal.SIGUSR1)
        eventually("it says so", lambda: "cannot write" in proxy.stderr or "capture stops" in proxy.stderr)
        assert session.ask("SELECT 1")[-1].body == b"I"
    resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
    proxy.stop(expect=5)


# --- signals ---


def test_sighup_at_any_time_disturbs_nobody(steady: Rest) -> None:
    proxy = steady.proxy
    rng = random.Random(1)  # noqa: S311
    over = threading.Event()

    def hang_up() -> None:
        while not over.is_set():
            proxy.send(signal.SIGHUP)
            over.wait(rng.uniform(0, 0.01))

    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        for _ in range(20):
            ask_much(proxy, 50)
    finally:
        over.set()
        thread.join()
    steady.check()


def test_sighup_before_the_start_is_over_does_not_end_it(tmp_path: Path) -> None:
    """The server keeps the preflight waiting; then it is there, or not."""
    came, go_on = threading.Event(), threading.Event()

    def serve(_: socket.socket) -> None:
        came.set()
        go_on.wait(wire.TIMEOUT_S)

    with wire.fake_server(serve) as upstream:
        url = f"postgresql://someone:secret@{upstream.host}:{upstream.port}/somewhere"
        proxy = Proxy(tmp_path / "starting", upstream, upstream=url, explain_enabled=True)
        proxy.launch()
        try:
            assert came.wait(wire.TIMEOUT_S)
            proxy.send(signal.SIGHUP)
            time.sleep(0.2)
            assert proxy.process is not None
            assert proxy.process.poll() is None, f"ended by it: {proxy.process.returncode}"
        finally:
            go_on.set()
            proxy.kill()


def test_sighup_at_the_end_does_not_change_it(mortal: Server, pgsleuth: StartProxy) -> None:
    for _ in range(3):
        proxy = start(pgsleuth, mortal)
        ask_much(proxy, 20)
        proxy.send(signal.SIGTERM)
        assert proxy.process is not None
        until = time.monotonic() + 60
        while proxy.process.poll() is None and time.monotonic() < until:
            proxy.send(signal.SIGHUP)
            time.sleep(0.001)
        assert proxy.wait().report["run"]["statements"] >= 20


# --- the parser helper ---


def ask_new_things(proxy: Proxy, over: threading.Event, done: Callable[[], Any]) -> None:
    """Statements that the helper has not seen."""
    n = 0
    with wire.log_in(proxy.target) as session:
        while not over.is_set():
            n += 1
            names = ", ".join(f"{n} AS c{n % 50}_{m}" for m in range(n % 7 + 1))
            answers = session.ask(f"SELECT {names} FROM people LIMIT 1")
            assert [m.type for m in answers] == ["T", "D", "C", "Z"]
            done()


def test_stopped_helper_is_replaced_and_holds_nobody_up(proxy: Proxy) -> None:
    count = [0]
    over = threading.Event()

    def one_more() -> None:
        count[0] += 1

    thread = threading.Thread(target=ask_new_things, args=(proxy, over, one_more))
    thread.start()
    try:
        eventually("a parser helper", proxy.helpers)
        (helper,) = proxy.helpers()
        with stopped(helper):
            so_far = count[0]
            eventually("traffic goes on", lambda: count[0] > so_far + 200)
            eventually("there is another", lambda: set(proxy.helpers()) - {helper})
    finally:
        over.set()
        thread.join()
    outcome = proxy.stop()
    assert outcome.report["coverage"]["parser_restarts"] >= 1
    assert outcome.report["run"]["statements"] >= count[0]


def test_stopped_helper_does_not_hold_up_the_end(proxy: Proxy) -> None:
    ask_much(proxy, 10)
    eventually("a parser helper", proxy.helpers)
    (helper,) = proxy.helpers()
    with stopped(helper):
        with wire.log_in(proxy.target) as session:
            session.ask("SELECT name, id FROM people WHERE id = 3 AND name <> ''")
        proxy.stop()
    shutil.rmtree(proxy.report_dir)
