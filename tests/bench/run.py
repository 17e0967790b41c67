"""What a query costs through pgsleuth, beside the same query direct and through pgbouncer.

run.py [--quick]; PGSLEUTH_BIN names the binary. Prints tables, writes build/bench.json. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import ROOT, Program, cpu_us, figure, first_line, surroundings

from server import Server, Target, find_program, free_port, run_server, server_account

PROTOCOLS = ("simple", "extended", "prepared")
CLIENTS = (1, 8)
SUBJECTS = ("direct", "pgsleuth", "pgbouncer")
PGBOUNCER_INI = """[databases]
* = host=127.0.0.1 port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = session
logfile = {folder}/pgbouncer.log
ignore_startup_parameters = extra_float_digits
"""


@dataclass(frozen=True)
class Effort:
    rounds: int
    seconds: int
    # callgrind: the difference of two runs leaves start and end out
    few: int
    many: int


FULL = Effort(rounds=5, seconds=3, few=2000, many=12000)
QUICK = Effort(rounds=2, seconds=1, few=500, many=2500)


@dataclass
class Measured:
    """One subject in one cell of one round."""

    tps: float
    latency_ms: float
    transactions: int
    cpu_us: float = 0  # of the proxy, a transaction
    helper_us: float = 0  # of pgsleuth's parser helper, a transaction


@dataclass
class Cell:
    protocol: str
    clients: int
    rounds: list[dict[str, Measured]] = field(default_factory=list)

    def median(self, subject: str, figure: str) -> float:
        return statistics.median(getattr(one[subject], figure) for one in self.rounds)

    def ratio(self, figure: str) -> float:
        """pgsleuth's to pgbouncer's in the same round."""
        return statistics.median(
            getattr(one["pgsleuth"], figure) / getattr(one["pgbouncer"], figure) for one in self.rounds
        )


@contextlib.contextmanager
def program(name: str, server: Server, wrapper: list[str] | None = None) -> Iterator[Program]:
    """pgsleuth or pgbouncer in front of the server, optionally under another program."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pgsleuth-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o777)  # pgbouncer does not run as root
        user: dict[str, Any] = {}
        if name == "pgsleuth":
            command = [
                *(os.environ["PGSLEUTH_BIN"], "run", f"--listen=127.0.0.1:{port}"),
                *(
                    f"--upstream={server.admin.url()}",
                    f"--report-dir={folder / 'report'}",
                    "--no-explain-enabled",
                ),
            ]
        else:
            ini = PGBOUNCER_INI.format(port=server.admin.port, listen=port, folder=folder)
            (folder / "pgbouncer.ini").write_text(ini, "utf-8")
            (folder / "users").write_text(f'"{server.admin.user}" ""\n', "utf-8")
            command = [pgbouncer(), str(folder / "pgbouncer.ini")]
            user = server_account()
        started = Program(
            name, [*(wrapper or []), *command], server.admin.at("127.0.0.1", port), folder, user
        )
        try:
            started.wait_ready()
            yield started
        finally:
            started.stop()


def pgbouncer() -> str:
    for path in ("/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"):
        if os.access(path, os.X_OK):
            return path
    sys.exit("pgbouncer is not installed")


# --- pgbench ---


def pgbench(target: Target, *arguments: str) -> str:
    done = subprocess.run(
        [find_program("pgbench"), *arguments],
        env=target.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode != 0:
        sys.exit(f"pgbench {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def measure(target: Target, proxy: Program | None, cell: Cell, seconds: int) -> Measured:
    pids = [proxy.process.pid] if proxy else []
    helpers = proxy.helper_pids() if proxy else []
    before = [cpu_us(pid) for pid in pids + helpers]
    shape = ["-n", "-S", "-M", cell.protocol, "-c", str(cell.clients)]
    output = pgbench(target, *shape, "-T", str(seconds))
    after = [cpu_us(pid) for pid in pids + helpers]
    spent = [b - a for a, b in zip(before, after)]
    transactions = int(figure(output, r"actually processed: (\d+)"))
    return Measured(
        tps=figure(output, r"tps = ([\d.]+)"),
        latency_ms=figure(output, r"latency average = ([\d.]+)"),
        transactions=transactions,
        cpu_us=sum(spent[: len(pids)]) / transactions,
        helper_us=sum(spent[len(pids) :]) / transactions,
    )


def measure_cells(server: Server, effort: Effort) -> list[Cell]:
    cells = [Cell(protocol, clients) for protocol in PROTOCOLS for clients in CLIENTS]
    with program("pgsleuth", server) as sleuth, program("pgbouncer", server) as bouncer:
        proxies = {"direct": None, "pgsleuth": sleuth, "pgbouncer": bouncer}
        for proxy in (sleuth, bouncer):  # connections, plans and the parser helper come up
            pgbench(proxy.target, "-n", "-S", "-c", "2", "-T", "1")
        for n in range(effort.rounds):
            for cell in cells:
                # Each goes first equally often: what heats or fills up is nobody's advantage.
                order = SUBJECTS[n % len(SUBJECTS) :] + SUBJECTS[: n % len(SUBJECTS)]
                measured = {}
                for subject in order:
                    proxy = proxies[subject]
                    target = proxy.target if proxy else server.admin
                    measured[subject] = measure(target, proxy, cell, effort.seconds)
                cell.rounds.append(measured)
            print(f"round {n + 1} of {effort.rounds}", file=sys.stderr, flush=True)
    return cells


# --- instructions ---


def instructions_of_a_run(server: Server, name: str, protocol: str, transactions: int) -> dict[str, int]:
    """User-space instructions of the first thread and of the others."""
    with tempfile.TemporaryDirectory(prefix="pgsleuth-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o777)
        wrapper = [
            *("valgrind", "-q", "--tool=callgrind", "--instr-atstart=yes", "--separate-threads=yes"),
            f"--callgrind-out-file={folder}/out",
        ]
        with program(name, server, wrapper) as proxy:
            pgbench(proxy.target, "-n", "-S", "-M", protocol, "-c", "1", "-t", str(transactions))
        counts = {"first": 0, "others": 0}
        for path in folder.glob("out*-*"):
            total = re.search(r"^(?:totals|summary): (\d+)", path.read_text("utf-8"), re.MULTILINE)
            counts["first" if path.name.endswith("-01") else "others"] += int(total.group(1)) if total else 0
    if sum(counts.values()) == 0:
        sys.exit(f"callgrind counted nothing for {name}")
    return counts


def measure_instructions(server: Server, effort: Effort) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for protocol in PROTOCOLS:
        row: dict[str, float] = {}
        for name in ("pgsleuth", "pgbouncer"):
            few = instructions_of_a_run(server, name, protocol, effort.few)
            many = instructions_of_a_run(server, name, protocol, effort.many)
            each = {key: (many[key] - few[key]) / (effort.many - effort.few) for key in few}
            row[name] = sum(each.values())
            if name == "pgsleuth":  # its first thread is the auditor, the others relay
                row["pgsleuth_relay"] = each["others"]
                row["pgsleuth_audit"] = each["first"]
        found[protocol] = row
        print(f"callgrind: {protocol}", file=sys.stderr, flush=True)
    return found


# --- telling ---


def print_cells(cells: list[Cell]) -> None:
    print(f"\n{'':12}{'tps':^28}{'latency, ms':^24}{'CPU of the proxy, us a transaction':^40}")
    print(
        f"{'protocol':9}{'c':>2}{'direct':>10}{'pgsleuth':>10}{'pgbouncer':>10}"
        f"{'direct':>8}{'pgsl.':>8}{'pgb.':>8}{'pgsleuth':>11}{'+ helper':>10}{'pgbouncer':>11}{'ratio':>7}"
    )
    for cell in cells:
        tps = "".join(f"{cell.median(subject, 'tps'):10.0f}" for subject in SUBJECTS)
        latency = "".join(f"{cell.median(subject, 'latency_ms'):8.3f}" for subject in SUBJECTS)
        cpu = cell.median("pgsleuth", "cpu_us"), cell.median("pgsleuth", "helper_us")
        other = cell.median("pgbouncer", "cpu_us")
        print(
            f"{cell.protocol:9}{cell.clients:2}{tps}{latency}"
            f"{cpu[0]:11.1f}{cpu[1]:10.2f}{other:11.1f}{cell.ratio('cpu_us'):7.2f}"
        )


def print_instructions(instructions: dict[str, dict[str, float]]) -> None:
    print("\nuser-space instructions a transaction")
    print(f"{'protocol':9}{'pgsleuth':>10}{'relaying':>10}{'auditing':>10}{'pgbouncer':>11}{'ratio':>7}")
    for protocol, row in instructions.items():
        print(
            f"{protocol:9}{row['pgsleuth']:10.0f}{row['pgsleuth_relay']:10.0f}{row['pgsleuth_audit']:10.0f}"
            f"{row['pgbouncer']:11.0f}{row['pgsleuth'] / row['pgbouncer']:7.2f}"
        )


def as_json(cell: Cell) -> dict[str, Any]:
    medians = {
        subject: {name: cell.median(subject, name) for name in ("tps", "latency_ms", "cpu_us", "helper_us")}
        for subject in SUBJECTS
    }
    ratios = {name: cell.ratio(name) for name in ("cpu_us", "tps", "latency_ms")}
    return {**asdict(cell), "median": medians, "pgsleuth_to_pgbouncer": ratios}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds, for a look")
    effort = QUICK if parser.parse_args().quick else FULL
    os.environ.setdefault("PGSLEUTH_BIN", str(ROOT / "build/release/pgsleuth"))
    for server in run_server("trust"):
        pgbench(server.admin, "-i", "-q", "-s", "1")
        cells = measure_cells(server, effort)
        instructions = measure_instructions(server, effort)
    result = {
        **surroundings(),
        "pgbouncer": first_line(pgbouncer(), "--version"),
        "postgresql": first_line(find_program("postgres"), "--version"),
        "effort": asdict(effort),
        "cells": [as_json(cell) for cell in cells],
        "instructions": instructions,
    }
    print(
        ", ".join(result[name] for name in ("pgsleuth", "pgbouncer", "postgresql")),
        f"on {result['cores']} cores",
    )
    print_cells(cells)
    print_instructions(instructions)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build/bench.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print("\nall rounds: build/bench.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
