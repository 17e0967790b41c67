"""What an HTTP request costs through pgsleuth, beside the same request direct and through HAProxy.

run_http.py [--quick]; PGSLEUTH_BIN names the binary. The application is nginx. Prints a table,
writes build/bench-http.json. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import ROOT, Program, cpu_us, figure, first_line, surroundings

from server import Server, Target, free_port, run_server

CLIENTS = (1, 8, 32)
PATHS = {"300 bytes": "/small", "10,000 bytes": "/large"}
SUBJECTS = ("direct", "pgsleuth", "haproxy")
NGINX_CONF = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{listen};
    default_type application/json;
    location = /small {{ return 200 "{small}"; }}
    location / {{ root {folder}; }}
  }}
}}
"""
HAPROXY_CFG = """global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse aggressive
frontend in
  bind 127.0.0.1:{listen}
  default_backend app
backend app
  server app 127.0.0.1:{app}
"""


@dataclass(frozen=True)
class Effort:
    rounds: int
    seconds: int


FULL = Effort(rounds=5, seconds=3)
QUICK = Effort(rounds=2, seconds=1)


@dataclass
class Measured:
    """One subject in one cell of one round."""

    rate: float  # requests a second
    p50_us: float
    p99_us: float
    cpu_us: float = 0  # of the proxy, a request


@dataclass
class Cell:
    body: str
    clients: int
    rounds: list[dict[str, Measured]] = field(default_factory=list)

    def median(self, subject: str, name: str) -> float:
        return statistics.median(getattr(one[subject], name) for one in self.rounds)

    def ratio(self, name: str) -> float:
        """pgsleuth's to HAProxy's in the same round."""
        return statistics.median(
            getattr(one["pgsleuth"], name) / getattr(one["haproxy"], name) for one in self.rounds
        )


@contextlib.contextmanager
def run(name: str, command: list[str], port: int, folder: Path) -> Iterator[Program]:
    started = Program(name, command, Target("127.0.0.1", port, "", "", ""), folder, {})
    try:
        started.wait_ready()
        yield started
    finally:
        started.stop()


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Program]:
    port = free_port()
    (folder / "large").write_text("x" * 10000, "utf-8")
    conf = NGINX_CONF.format(folder=folder, listen=port, small="x" * 300)
    (folder / "nginx.conf").write_text(conf, "utf-8")
    command = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")]
    with run("nginx", command, port, folder) as program:
        yield program


@contextlib.contextmanager
def haproxy(app: int, folder: Path) -> Iterator[Program]:
    port = free_port()
    (folder / "haproxy.cfg").write_text(HAPROXY_CFG.format(listen=port, app=app), "utf-8")
    command = ["/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    with run("haproxy", command, port, folder) as program:
        yield program


@contextlib.contextmanager
def pgsleuth(app: int, server: Server, folder: Path) -> Iterator[Program]:
    port = free_port()
    command = [
        *(os.environ["PGSLEUTH_BIN"], "run", f"--listen=127.0.0.1:{free_port()}", "--no-explain-enabled"),
        *(f"--upstream={server.admin.url()}", f"--report-dir={folder / 'report'}"),
        f"--http=127.0.0.1:{port}=127.0.0.1:{app}",
    ]
    with run("pgsleuth", command, port, folder) as program:
        yield program


def microseconds(output: str, percentile: str) -> float:
    units = {"us": 1.0, "ms": 1e3, "s": 1e6}
    unit = next(u for u in units if figure(output, rf"{percentile}%\s+([\d.]+)(?={u}\n)", missing=-1) >= 0)
    return figure(output, rf"{percentile}%\s+([\d.]+){unit}\n") * units[unit]


def measure(port: int, proxy: Program | None, cell: Cell, seconds: int) -> Measured:
    before = cpu_us(proxy.process.pid) if proxy else 0
    url = f"http://127.0.0.1:{port}{PATHS[cell.body]}"
    done = subprocess.run(
        ["/usr/bin/wrk", "-t1", f"-c{cell.clients}", f"-d{seconds}", "--latency", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0 or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(f"wrk {url}:\n{done.stdout}{done.stderr}")
    spent = cpu_us(proxy.process.pid) - before if proxy else 0
    return Measured(
        rate=figure(done.stdout, r"Requests/sec:\s+([\d.]+)"),
        p50_us=microseconds(done.stdout, "50"),
        p99_us=microseconds(done.stdout, "99"),
        cpu_us=spent / figure(done.stdout, r"(\d+) requests in"),
    )


def measure_cells(server: Server, effort: Effort, folder: Path) -> list[Cell]:
    cells = [Cell(body, clients) for body in PATHS for clients in CLIENTS]
    with nginx(folder) as app:
        behind = app.target.port
        with pgsleuth(behind, server, folder) as sleuth, haproxy(behind, folder) as other:
            proxies = {"direct": None, "pgsleuth": sleuth, "haproxy": other}
            for n in range(effort.rounds):
                for cell in cells:
                    # Each goes first equally often: what heats or fills up is nobody's advantage.
                    measured = {}
                    for subject in SUBJECTS[n % len(SUBJECTS) :] + SUBJECTS[: n % len(SUBJECTS)]:
                        proxy = proxies[subject]
                        port = proxy.target.port if proxy else behind
                        measured[subject] = measure(port, proxy, cell, effort.seconds)
                    cell.rounds.append(measured)
                print(f"round {n + 1} of {effort.rounds}", file=sys.stderr, flush=True)
    return cells


def print_cells(cells: list[Cell]) -> None:
    print(
        f"\n{'':15}{'requests a second':^30}{'p50, us':^24}{'p99, us':^24}{'CPU of the proxy, us each':^32}"
    )
    names = "".join(f"{name:>10}" for name in SUBJECTS)
    narrow = "".join(f"{name:>8}" for name in ("direct", "pgsl.", "haproxy"))
    print(f"{'body':13}{'c':>2}{names}{narrow}{narrow}{'pgsleuth':>12}{'haproxy':>10}{'ratio':>8}")
    for cell in cells:
        rates = "".join(f"{cell.median(subject, 'rate'):10.0f}" for subject in SUBJECTS)
        p50 = "".join(f"{cell.median(subject, 'p50_us'):8.0f}" for subject in SUBJECTS)
        p99 = "".join(f"{cell.median(subject, 'p99_us'):8.0f}" for subject in SUBJECTS)
        cpu = cell.median("pgsleuth", "cpu_us"), cell.median("haproxy", "cpu_us")
        print(
            f"{cell.body:13}{cell.clients:2}{rates}{p50}{p99}{cpu[0]:12.1f}{cpu[1]:10.1f}{cell.ratio('cpu_us'):8.2f}"
        )


def as_json(cell: Cell) -> dict[str, Any]:
    names = ("rate", "p50_us", "p99_us", "cpu_us")
    medians = {subject: {name: cell.median(subject, name) for name in names} for subject in SUBJECTS}
    ratios = {name: cell.ratio(name) for name in names}
    return {**asdict(cell), "median": medians, "pgsleuth_to_haproxy": ratios}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds, for a look")
    effort = QUICK if parser.parse_args().quick else FULL
    os.environ.setdefault("PGSLEUTH_BIN", str(ROOT / "build/release/pgsleuth"))
    with tempfile.TemporaryDirectory(prefix="pgsleuth-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # nginx's worker is no root
        for server in run_server("trust"):
            cells = measure_cells(server, effort, folder)
    result = {
        **surroundings(),
        "haproxy": first_line("/usr/sbin/haproxy", "-v"),
        "nginx": first_line("/usr/sbin/nginx", "-v"),
        "effort": asdict(effort),
        "cells": [as_json(cell) for cell in cells],
    }
    print(", ".join(result[name] for name in ("pgsleuth", "haproxy", "nginx")), f"on {result['cores']} cores")
    print_cells(cells)
    (ROOT / "build/bench-http.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print("\nall rounds: build/bench-http.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
