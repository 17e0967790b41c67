"""No value of the traffic, no password and no message of a login is in anything that pgsleuth writes."""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import signal
import subprocess
import urllib.parse
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

import wire
from canaries import (
    Canaries,
    assert_none_in,
    with_asyncpg,
    with_passwords,
    with_psycopg2,
    with_psycopg3,
    with_superuser,
)
from proxy import STOP_S, Proxy, StartProxy, eventually, read_yaml, run_command
from server import Server
from shops import make_tables


def test_canary_is_found_in_each_of_its_shapes() -> None:
    """Else none of the tests below could fail."""
    canaries = Canaries()
    canaries.text("text"), canaries.secret("secret"), canaries.integer("number")
    canaries.uuid("uuid"), canaries.raw("raw"), canaries.real("real")
    for words in canaries.words.values():
        for word in words:
            quoted = urllib.parse.quote_from_bytes(word, safe="").encode()
            coded = [base64.b64encode(b"?" * n + word + b"behind") for n in range(4)]
            for shape in (word, word.hex().encode(), quoted, *coded):
                with pytest.raises(AssertionError):
                    assert_none_in({"file": b"before " + shape + b" behind"}, canaries)
    assert_none_in({"file": b"before and behind"}, canaries)


def everything_left(proxy: Proxy, capture: Path, tmp_path: Path) -> dict[str, bytes]:
    """Every file and stream of the run, and of a second report of its capture."""
    again = tmp_path / "again"
    page = f"--output={again / 'report.html'}"
    done = run_command("report", str(capture), f"--report-dir={again}", page, "--log-level=debug")
    assert done.returncode in (0, 4), done.stderr
    files = [p for folder in (proxy.folder, again) for p in folder.rglob("*") if p.is_file()]
    assert {"report.yaml", "stdout", "stderr"} <= {p.name for p in files}
    left = {str(p): p.read_bytes() for p in [*files, capture]}
    return {**left, "stdout of report": done.stdout.encode(), "stderr of report": done.stderr.encode()}


def make_plans(proxy: Proxy, canaries: Canaries) -> None:
    """Statements slow enough to be explained: pgsleuth keeps them with their values, in memory."""
    with psycopg.connect(**proxy.target.libpq(), autocommit=True, prepare_threshold=1) as connection:
        literal, parameter = canaries.text("explained literal"), canaries.text("explained parameter")
        for _ in range(5):
            connection.execute(f"SELECT id FROM shop.orders WHERE email = '{literal}'".encode())
            connection.execute("SELECT id FROM shop.orders WHERE note = %s", (parameter,))
    report = proxy.report_dir / "report.yaml"

    def made() -> bool:
        proxy.send(signal.SIGUSR1)
        return report.is_file() and read_yaml(report)["coverage"]["explained"] >= 2

    eventually("two plans", made)


def send_nonsense(proxy: Proxy, canaries: Canaries) -> None:
    """Sessions that become opaque, or never become one."""
    hidden = f"-c shop.word={canaries.text('start-up option')}"
    with wire.log_in(proxy.target, options=hidden) as session:
        session.ask(f"SELECT '{canaries.text('before nonsense')}'")
        session.socket.sendall(b"\xfe\0\0\0\x20" + canaries.text("nonsense").encode())
        wire.read_to_end(session.socket)
    with wire.connect(proxy.target) as peer:
        peer.sendall(canaries.text("no start-up packet").encode())
        wire.read_to_end(peer)
    with wire.log_in(proxy.target) as session:  # cut in the middle
        session.socket.sendall(wire.query(f"SELECT '{canaries.text('cut query')}'")[:-1])
    with wire.log_in(proxy.target) as session:  # a Bind without a Parse
        body = (
            b"\0nowhere\0\0\0\0\1\0\0\0\x1e" + canaries.text("bind of nothing").encode().ljust(30) + b"\0\0"
        )
        session.socket.sendall(wire.message("B", body) + wire.SYNC)
        wire.read_until(session.socket, "Z")


def test_no_value_of_the_traffic_is_kept_anywhere(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    make_tables(server)
    canaries = Canaries()
    row = canaries.text("value in a row")
    server.sql(f"INSERT INTO people VALUES (1000, '{row}')", server.admin_of("app"))
    capture = tmp_path / "capture"
    proxy = pgsleuth(
        server.app,
        capture=str(capture),
        log_level="debug",
        explain_enabled=True,
        explain_min_mean_ms="0.1",
        explain_min_total_ms="0",
        report_interval_s="1s",
    )
    try:
        make_plans(proxy, canaries)
        with psycopg.connect(**proxy.target.libpq()) as connection:
            assert connection.execute("SELECT name FROM people WHERE id = 1000").fetchone() == (row,)
        with_psycopg3(proxy.target, canaries)
        with_psycopg2(proxy.target, canaries)
        asyncio.run(with_asyncpg(proxy.target, canaries))
        with_superuser(server, proxy.target, canaries)
        with_passwords(server, proxy.target, canaries)
        send_nonsense(proxy, canaries)
    finally:
        server.sql("DELETE FROM people WHERE id = 1000", server.admin_of("app"))
    outcome = proxy.stop()
    canaries.add("password of the upstream", server.app.password)
    canaries.add("password of the superuser", server.admin.password)
    assert len(canaries.words) >= 150
    assert outcome.report["run"]["statements"] > 100
    assert outcome.report["coverage"]["opaque_sessions"] >= 1
    left = everything_left(proxy, capture, tmp_path)
    assert_none_in(left, canaries)
    again = tmp_path / "again"
    reports = [proxy.report_dir / "report.yaml", again / "report.yaml", again / "report.html"]
    for name in (str(capture), *map(str, reports)):
        assert b"shop.orders" in left[name], "nothing is in it at all"


# --- logins that PostgreSQL 15 does not offer to everybody ---


def fake_login(peer: Any, kinds: list[bytes], canaries: dict[str, str]) -> None:
    """A server that asks step by step and then is not content, and says more than it should."""
    if not peer.recv(1 << 16):
        return
    for kind in kinds:
        peer.sendall(wire.message("R", kind))
        peer.recv(1 << 16)
    text = f"SFATAL\0C28P01\0Mno {canaries['error']}\0D{canaries['detail']}\0".encode()
    peer.sendall(wire.message("E", text + b"\0"))


@pytest.mark.parametrize("method", ["password", "md5", "scram"])
def test_nothing_of_a_login_is_kept_anywhere(pgsleuth: StartProxy, tmp_path: Path, method: str) -> None:
    canaries = Canaries()
    words = {name: canaries.text(name) for name in ("error", "detail", "answer", "second", "salt")}
    salt = words["salt"].encode()
    kinds = {
        "password": [b"\0\0\0\3"],
        "md5": [b"\0\0\0\5" + salt[-4:]],
        "scram": [b"\0\0\0\x0aSCRAM-SHA-256\0\0", b"\0\0\0\x0br=" + salt + b",s=c2FsdA==,i=4096"],
    }[method]
    answers = [words["answer"].encode() + b"\0", words["second"].encode()]
    if method == "scram":
        first = b"n,,n=,r=" + words["answer"].encode()
        answers[0] = b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first
    capture = tmp_path / "capture"
    with wire.fake_server(lambda peer: fake_login(peer, kinds, words)) as upstream:
        proxy = pgsleuth(upstream, capture=str(capture), log_level="debug")
        with wire.connect(proxy.target) as peer:
            peer.sendall(wire.startup(user="someone"))
            for _, answer in zip(kinds, answers):
                assert wire.read_message(peer).type == "R"
                peer.sendall(wire.message("p", answer))
            assert words["error"].encode() in wire.read_to_end(peer)
        proxy.stop()
    assert_none_in(everything_left(proxy, capture, tmp_path), canaries)


# --- what pgsleuth itself is told ---


def test_no_password_of_the_options_is_kept_anywhere(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    """File, environment and command line each bring one; those that lose are read all the same."""
    canaries = Canaries()
    planner = canaries.secret("explain.dsn of the command line")
    server.sql(f"CREATE ROLE planner LOGIN PASSWORD '{planner}' IN ROLE app")

    def url(name: str) -> str:
        word = urllib.parse.quote(canaries.secret(name), safe="")
        return f"postgresql://someone:{word}@127.0.0.1:1/nowhere?sslpassword={canaries.text(name + ', TLS')}"

    config = tmp_path / "c.yaml"
    upstream, dsn = url("upstream of the file"), url("dsn of the file")
    config.write_text(f"upstream: {upstream}\nexplain:\n  dsn: {dsn}\n", "utf-8")
    env = {
        "PGSLEUTH_UPSTREAM": url("upstream of the environment"),
        "PGSLEUTH_EXPLAIN_DSN": url("dsn of the environment"),
        "DATABASE_URL": url("DATABASE_URL"),
        "PGPASSWORD": canaries.secret("PGPASSWORD"),
    }
    mine = replace(server.app, user="planner", password=urllib.parse.quote(planner, safe=""))
    capture = tmp_path / "capture"
    try:
        proxy = pgsleuth(
            server.app,
            env=env,
            config=str(config),
            explain_dsn=mine.url(),
            explain_enabled=True,
            capture=str(capture),
            log_level="debug",
        )
        with psycopg.connect(**proxy.target.libpq()) as connection:
            connection.execute("SELECT name FROM people LIMIT 1")
        proxy.stop()
    finally:
        server.sql("DROP ROLE planner")
    canaries.add("password of the upstream", server.app.password)
    assert_none_in(everything_left(proxy, capture, tmp_path), canaries)


@pytest.mark.parametrize(
    "option", ["upstream", "explain-dsn", "explain-dsm", "listen", "log-level", "config", "capture"]
)
def test_no_secret_of_an_option_that_is_refused_is_said(server: Server, tmp_path: Path, option: str) -> None:
    canaries = Canaries()
    word = urllib.parse.quote(canaries.secret(option), safe="")
    value = f"postgresql://app:{word}@127.0.0.1:{server.app.port}/app"
    words = ["run", f"--report-dir={tmp_path / 'report'}", f"--{option}={value}"]
    if option != "upstream":
        words.append(f"--upstream={server.app.url()}")
    done = run_command(*words, cwd=tmp_path)
    assert done.returncode not in (0, 5)
    assert done.returncode > 0
    left = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    assert done.stderr
    assert_none_in(left, canaries)


@pytest.mark.parametrize("before", [[], ["run"], ["report"], ["health"], ["version"], ["report", "x"]])
def test_no_secret_of_a_word_out_of_place_is_said(tmp_path: Path, before: list[str]) -> None:
    canaries = Canaries()
    word = urllib.parse.quote(canaries.secret("word"), safe="")
    done = run_command(*before, f"postgresql://app:{word}@127.0.0.1:1/app", cwd=tmp_path)
    assert_none_in({"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}, canaries)
    # Alone it is a server, and none is there.
    assert done.returncode == (3 if before == [] else 0 if before == ["version"] else 2)


# --- files that are nobody else's ---


def test_capture_is_for_its_owner_only(pgsleuth: StartProxy, tmp_path: Path) -> None:
    pgsleuth(capture=str(tmp_path / "capture")).stop()
    assert (tmp_path / "capture").stat().st_mode & 0o077 == 0


def core_limit(pid: int) -> list[str]:
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in limits if line.startswith("Max core file size"))
    return line.split()[4:6]


def test_crash_leaves_no_core_file(server: Server, tmp_path: Path) -> None:
    """However large the limit is that it was started with; the helper inherits ours."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    own = {"ASAN_OPTIONS": "handle_segv=0:disable_coredump=0:detect_leaks=0", "TSAN_OPTIONS": "handle_segv=0"}
    proxy = Proxy(tmp_path / "run", server.app, env=own)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        proxy.start()
        control = subprocess.Popen(["/bin/sleep", "60"], cwd=tmp_path)
        assert core_limit(control.pid) != ["0", "0"]
        control.kill()
        control.wait()
        with psycopg.connect(**proxy.target.libpq()) as connection:
            connection.execute("SELECT name FROM people LIMIT 1")
        eventually("a helper", proxy.helpers)
        assert [core_limit(pid) for pid in (proxy.pid, *proxy.helpers())] == [["0", "0"]] * 2
        os.kill(proxy.pid, signal.SIGSEGV)
        assert proxy.process is not None
        assert proxy.process.wait(STOP_S) == -signal.SIGSEGV
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
        proxy.kill()
    assert [path for path in tmp_path.rglob("*core*") if path.is_file()] == []
