"""Drivers' and frameworks' own tests have the outcomes through pgsleuth that they have without."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import outcomes
import workshop
from proxy import Outcome, Proxy, run_command
from server import Server, Target, end_with_parent, run_server
from suites import SUITES, Plan, Suite

SUITE_S = 1500
TRIES = 3  # of tests whose outcomes differ
# Bursts of 150,000 statements a second are in these suites, and the sanitized auditor is slow.
RING_BYTES = 64 * 1024 * 1024
# For prepared transactions and replication; more connections than any suite wants.
SETTINGS = {"wal_level": "logical", "max_prepared_transactions": "20", "max_connections": "200"}
SUPERUSER = "postgres"  # pg8000's tests know no other


def _prepared(server: Server, suite: Suite) -> Target:
    server.sql(f"CREATE ROLE {SUPERUSER} SUPERUSER LOGIN REPLICATION PASSWORD '{server.admin.password}'")
    if suite.database != "postgres":
        server.sql(f"CREATE DATABASE {suite.database} OWNER {SUPERUSER}")
    for statement in suite.prepare:
        server.sql(statement, server.admin_of(suite.database))
    return replace(server.admin_of(suite.database), user=SUPERUSER)


def _environment(suite: Suite, plan: Plan, home: Path) -> dict[str, str]:
    return {
        **plan.target.environment(),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "VIRTUAL_ENV": str(workshop.VENV),
        **suite.environment(plan),
    }


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Tests start processes of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)


def _play(suite: Suite, target: Target, folder: Path, only: tuple[str, ...]) -> dict[str, outcomes.Outcome]:
    suite.copy(folder / "tests")
    plan = Plan(target, folder / "junit.xml", only)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            suite.command(plan),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder / "tests" / suite.folder,
            env=_environment(suite, plan, folder),
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGKILL),  # one call of libc
        )
        try:
            process.wait(SUITE_S)
        finally:
            _end_group(process)
    said = (folder / "output").read_text("utf-8", "replace")
    assert plan.junit.is_file(), f"{suite.name} wrote no outcomes: {said[-4000:]}"
    found = outcomes.read_outcomes(plan.junit, folder / "tests" / suite.folder)
    # What could not be imported stands in the file without a class.
    broken = [name for name in found if name.startswith("::")]
    assert not broken, f"{suite.name}: {broken} {said[-4000:]}"
    return found


def _direct(suite: Suite, folder: Path, only: tuple[str, ...] = ()) -> dict[str, outcomes.Outcome]:
    folder.mkdir()
    with contextlib.contextmanager(run_server)(**SETTINGS) as server:
        return _play(suite, _prepared(server, suite), folder, only)


@dataclass(frozen=True)
class Through:
    found: dict[str, outcomes.Outcome]
    proxy: Outcome
    capture: Path


def _through(suite: Suite, folder: Path, only: tuple[str, ...] = ()) -> Through:
    folder.mkdir()
    with contextlib.contextmanager(run_server)(**SETTINGS) as server:
        target = _prepared(server, suite)
        options = {"workers": 2, "capture": folder / "capture", "ring_bytes": RING_BYTES}
        proxy = Proxy(folder / "pgsleuth", target, **options).start()
        try:
            found = _play(suite, proxy.target, folder, only)
            return Through(found, proxy.stop(), folder / "capture")
        finally:
            proxy.kill()


def _lasting(
    suite: Suite, folder: Path, found: dict[str, outcomes.Difference]
) -> dict[str, outcomes.Difference]:
    """Those that are worse each time their files are run: a test that comes out one way or the other
    by itself says nothing."""
    for number in range(1, TRIES):
        found = {name: one for name, one in found.items() if one.worse and name not in suite.loose}
        if not found:
            break
        files = tuple(sorted({file for difference in found.values() for file in difference.files}))
        direct = _direct(suite, folder / f"direct-{number}", files)
        through = _through(suite, folder / f"through-{number}", files).found
        again = outcomes.differences(direct, through)
        found = {name: again[name] for name in found if name in again}
    return {name: difference for name, difference in found.items() if difference.worse}


def _documents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _check_replay(through: Through, folder: Path) -> None:
    done = run_command("report", str(through.capture), f"--report-dir={folder}")
    assert done.returncode == 0, done.stderr
    live, again = _documents(through.proxy.report_dir), _documents(folder)
    assert sorted(live) == sorted(again)
    for name, content in live.items():
        assert again[name] == content, name


def _check_coverage(suite: Suite, coverage: dict[str, Any]) -> None:
    assert coverage["dropped_records"] == 0, coverage
    assert coverage["refused_sessions"] == 0, coverage
    reasons = {row["reason"] for row in coverage["opaque"]}
    assert reasons == set(suite.opaque), coverage


@pytest.fixture
def told(record_property: Any) -> Iterator[dict[str, Any]]:
    """Figures of the run, for the JUnit file and the end of the output."""
    figures: dict[str, Any] = {}
    yield figures
    for name, value in figures.items():
        record_property(name, json.dumps(value))


@pytest.mark.long
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_suite_through_pgsleuth_has_the_outcomes_of_a_direct_connection(
    suite: Suite, tmp_path: Path, told: dict[str, Any]
) -> None:
    direct = _direct(suite, tmp_path / "direct")
    told["direct"] = outcomes.counts(direct)
    assert told["direct"]["passed"] >= suite.least, told
    through = _through(suite, tmp_path / "through")
    told["through"] = outcomes.counts(through.found)
    coverage = through.proxy.report["coverage"]
    told["seen"] = {key: through.proxy.report["run"][key] for key in ("statements", "sessions", "bytes")}
    told["opaque"] = {row["reason"]: row["sessions"] for row in coverage["opaque"]}
    differing = outcomes.differences(direct, through.found)
    told["losses"] = {key: coverage[key] for key in ("statements_without_facts", "parser_restarts")}
    told["both"] = sum(
        outcome.word == "passed" and name in through.found and through.found[name].word == "passed"
        for name, outcome in direct.items()
    )
    told["worse_direct"] = sorted(name for name, one in differing.items() if not one.worse)
    told["worse_through_once"] = sorted(name for name, one in differing.items() if one.worse)
    lasting = _lasting(suite, tmp_path, differing)
    assert not lasting, "\n".join(f"{name}\n{difference}" for name, difference in lasting.items())
    _check_coverage(suite, coverage)
    _check_replay(through, tmp_path / "again")
