"""SIGKILL at any moment of a capture: it is read to its last whole record, a beginning of the traffic."""

from __future__ import annotations

import contextlib
import random
import re
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy import STOP_S, Proxy, read_yaml, run_command
from server import Server

SEED = 20260214
A_ROUTE = 100  # statements in a row that name the same route
LATEST_S = 1.2  # of the kills, from the start of the process
HEADER_BYTES = 16


@dataclass
class Traffic:
    """Of one client: what was sent and what was answered, in this order and no other."""

    sent: int = 0
    answered: int = 0


def talk(proxy: Proxy, traffic: Traffic, over: threading.Event) -> None:
    """Until the process is gone; it may not even be there yet."""
    while not over.is_set() and traffic.sent == 0:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection,
        ):
            while not over.is_set():
                tag = f"/*route='/{traffic.sent // A_ROUTE}',method='GET'*/"
                sql = f"SELECT id FROM people WHERE id = {traffic.sent % 100} {tag}"
                traffic.sent += 1
                connection.execute(sql.encode()).fetchall()
                traffic.answered += 1
        time.sleep(0.005)


def kill_at(server: Server, folder: Path, delay_s: float) -> tuple[Traffic, Path]:
    capture = folder / "capture"
    proxy = Proxy(folder, server.app, capture=str(capture), report_interval_s="1s")
    traffic = Traffic()
    over = threading.Event()
    proxy.launch()
    began = time.monotonic()
    thread = threading.Thread(target=talk, args=(proxy, traffic, over))
    thread.start()
    try:
        time.sleep(max(0.0, began + delay_s - time.monotonic()))
        helpers = proxy.helpers()
        proxy.kill()
        proxy._no_helper_left(helpers)
    finally:
        over.set()
        proxy.kill()
        thread.join(STOP_S)
    return traffic, capture


def whole_records(content: bytes) -> tuple[int, bool]:
    """How many there are, and whether something is left over behind them; each begins with its length."""
    at, n = HEADER_BYTES, 0
    while at + 8 <= len(content):
        (length,) = struct.unpack_from("=I", content, at)
        if at + length > len(content):
            break
        at, n = at + length, n + 1
    return n, at < len(content)


def assert_prefix(report: dict[str, Any], traffic: Traffic) -> None:
    """Each route has all of its statements, but for the last one, which has those that were seen by then."""
    found = {}
    for row in report["endpoints"]:
        match = re.fullmatch(r"GET /(\d+)", row["name"])
        assert match, row["name"]
        assert row["queries"]["max"] == 1
        found[int(match[1])] = row["requests"]
    total = report["run"]["statements"]
    assert total <= traffic.sent
    whole, rest = divmod(total, A_ROUTE)
    expected = {**dict.fromkeys(range(whole), A_ROUTE), **({whole: rest} if rest else {})}
    assert found == expected


def judge(folder: Path, traffic: Traffic, capture: Path) -> str:
    """What the report makes of it: absent, nothing, whole or cut."""
    content = capture.read_bytes() if capture.is_file() else b""
    done = run_command("report", str(capture), f"--report-dir={folder / 'again'}")
    if not content:
        assert done.returncode == 2
        assert traffic.answered == 0
        return "absent"
    n, cut = whole_records(content)
    assert done.returncode in (0, 4), done.stderr
    assert ("in the middle of a record" in done.stderr) == (cut and n > 0), done.stderr
    if n == 0:
        assert (done.returncode, len(done.stderr.splitlines())) == (4, 1), done.stderr
        return "nothing"
    assert done.stderr == "" or cut, done.stderr
    report = read_yaml(folder / "again" / "report.yaml")
    assert_prefix(report, traffic)
    assert (report["run"]["statements"] > 0) == (done.returncode == 0)
    if done.returncode == 4:
        return "nothing"
    return "cut" if cut else "whole"


@pytest.mark.parametrize("times", [20, pytest.param(200, marks=pytest.mark.long)])
def test_capture_of_a_killed_run_is_read_to_its_last_whole_record(
    server: Server, tmp_path: Path, times: int
) -> None:
    moments = random.Random(SEED)  # noqa: S311 # moments, not keys
    became: dict[str, int] = {}
    for n in range(times):
        folder = tmp_path / str(n)
        traffic, capture = kill_at(server, folder, moments.uniform(0, LATEST_S))
        what = judge(folder, traffic, capture)
        became[what] = became.get(what, 0) + 1
    print(became)
    assert became.get("whole", 0) + became.get("cut", 0) > times // 4


def test_capture_killed_before_its_first_record_holds_no_traffic(server: Server, tmp_path: Path) -> None:
    proxy = Proxy(tmp_path / "run", server.app, capture=str(tmp_path / "capture"))
    try:
        proxy.start().stop()
    finally:
        proxy.kill()
    whole = (tmp_path / "capture").read_bytes()
    for size in (HEADER_BYTES, HEADER_BYTES + 1, HEADER_BYTES + 8, HEADER_BYTES + 40):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        done = run_command("report", str(path), f"--report-dir={tmp_path / 'again'}")
        assert (done.returncode, len(done.stderr.splitlines())) == (4, 1), done.stderr
        assert not (tmp_path / "again").exists()
