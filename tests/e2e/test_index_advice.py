"""Index advice on the tables of index_cases.py: PostgreSQL 15 with and without HypoPG, and 18."""

from __future__ import annotations

import re
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from index_cases import CASES, NONE, UNUSABLE, Case
from proxy import Outcome, Proxy, issues_of, read_yaml
from server import Server, Target

KINDS = {"15-hypopg": "15", "15": "15", "18": "18"}
ROUNDS = 2
SETTLED_S = 1.5  # so long without an answer, and there are no more
PATIENCE_S = 60
SEVERITIES = ("critical", "high", "medium", "low")


def table_of(case: Case) -> str:
    return "c_" + case.name.replace("-", "_")


def statement_of(case: Case, sql: str) -> str:
    return sql.replace("{t}", table_of(case))


def make_tables(server: Server, *, hypopg: bool) -> None:
    """As the application's role, which owns them; statistics are there before the first statement."""
    script, unanalysed, invalid = [], set(), []
    for case in CASES:
        make, *marks = statement_of(case, case.make).split(";--") if ";--" in case.make else [case.make]
        script.append(statement_of(case, make) + ";")
        for mark in marks:
            word, _, name = mark.partition(" ")
            if word == "invalid":
                invalid.append(name)
            else:
                unanalysed.add(table_of(case))
    server.sql("GRANT CREATE ON SCHEMA public TO app", server.admin_of("app"))
    server.sql("\n".join(script), server.app)
    server.sql("ANALYZE", server.admin_of("app"))
    for name in invalid:
        server.sql(
            f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass",
            server.admin_of("app"),
        )
    if hypopg:
        server.sql(
            "CREATE SCHEMA extensions; CREATE EXTENSION hypopg SCHEMA extensions;"
            "GRANT USAGE ON SCHEMA extensions TO app",
            server.admin_of("app"),
        )


def run_round(target: Target, number: int) -> None:
    with psycopg.connect(**target.libpq(), autocommit=True) as connection:
        for case in CASES:
            tag = f" /*method='GET',route='/{case.name}'*/"
            for sql in case.also:
                for _ in range(case.times):
                    connection.execute(statement_of(case, sql) + tag)
            values = case.values[number % len(case.values)]
            connection.execute(statement_of(case, case.sql) + tag, values or None)


def explained(proxy: Proxy) -> int:
    report = proxy.report_dir / "report.yaml"
    before = report.stat().st_mtime_ns if report.is_file() else 0
    proxy.send(signal.SIGUSR1)
    until = time.monotonic() + 30
    while not report.is_file() or report.stat().st_mtime_ns == before:
        assert time.monotonic() < until, "no report within 30 s of SIGUSR1"
        time.sleep(0.02)
    coverage = read_yaml(report)["coverage"]
    return int(coverage["explained"]) + int(coverage["explain_failed"])


def settle(proxy: Proxy) -> None:
    """Until no more plans come."""
    until = time.monotonic() + PATIENCE_S
    count, since = explained(proxy), time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        assert time.monotonic() < until, "plans do not end"
        time.sleep(1)
        now = explained(proxy)
        if now != count:
            count, since = now, time.monotonic()


@dataclass
class Run:
    kind: str
    folder: Path
    outcome: Outcome | None = None
    error: list[BaseException] = field(default_factory=list)

    def work(self) -> None:
        try:
            self._work()
        except BaseException as error:  # raised again by the test that asks
            self.error.append(error)

    def _work(self) -> None:
        server = Server(version=KINDS[self.kind])
        proxy: Proxy | None = None
        try:
            server.start()
            make_tables(server, hypopg="hypopg" in self.kind)
            proxy = Proxy(
                self.folder / self.kind,
                server.app,
                explain_enabled=True,
                explain_interval_ms="100ms",
                explain_min_mean_ms="0",
                report_interval_s="0",
            ).start()
            for number in range(ROUNDS):
                run_round(proxy.target, number)
                settle(proxy)
            self.outcome = proxy.stop()
        finally:
            if proxy is not None:
                proxy.kill()
            server.stop()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All three at once: each mostly waits for its advisor's pace."""
    folder = tmp_path_factory.mktemp("advice")
    made = {kind: Run(kind, folder) for kind in KINDS}
    threads = [threading.Thread(target=run.work) for run in made.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


def outcome_of(runs: dict[str, Run], kind: str) -> Outcome:
    for error in runs[kind].error:
        raise error
    outcome = runs[kind].outcome
    assert outcome is not None
    return outcome


def findings(outcome: Outcome, case: Case) -> list[tuple[str, dict[str, Any]]]:
    return [
        (severity, issue)
        for severity in SEVERITIES
        for issue in outcome.report["issues"][severity]
        if issue["rule"] == "missing_index" and issue["endpoint"] == f"GET /{case.name}"
    ]


def columns_of(issue: dict[str, Any]) -> str:
    """Of the DDL: what is in its last parentheses."""
    ddl = issue["plan"]["ddl"]
    if ddl is None:
        return UNUSABLE
    found = re.fullmatch(r"CREATE INDEX CONCURRENTLY (\S+) ON (\S+) \((.*)\);\s*", ddl)
    assert found, ddl
    return found[3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_gets_its_index_or_none(runs: dict[str, Run], kind: str, case: Case) -> None:
    outcome = outcome_of(runs, kind)
    found = findings(outcome, case)
    got = [columns_of(issue) for _, issue in found]
    want = case.expected(hypopg="hypopg" in kind)
    assert got == ([] if want == NONE else [want]), case.reason
    for severity, issue in found:
        assert severity in case.severity
        assert issue["plan"]["before"]["table"] == statement_of(case, case.table or table_of(case))
        texts = "\n".join(str(issue[key]) for key in ("issue", "impact", "optimized_code"))
        for words in case.says:
            assert statement_of(case, words) in texts


@pytest.mark.parametrize("kind", KINDS)
def test_plan_with_the_index_is_shown_where_it_could_be_tried(runs: dict[str, Run], kind: str) -> None:
    tried = 0
    for case in CASES:
        for _, issue in findings(outcome_of(runs, kind), case):
            before, after = issue["plan"]["before"], issue["plan"]["after"]
            if "hypopg" not in kind:
                assert after is None
            elif after is not None:
                assert after["source"] == "hypopg"
                assert "Index" in after["node"] or "Bitmap" in after["node"]
                assert after["cost"] <= before["cost"] / 2
                assert "HypoPG" in issue["improvement"]["method"]
                tried += 1
            elif case.expect != UNUSABLE:
                assert issue["improvement"]["kind"] == "not_estimated"
    assert (tried > 20) == ("hypopg" in kind)


@pytest.mark.parametrize("kind", KINDS)
def test_generic_plan_is_known_of_statements_with_parameters(runs: dict[str, Run], kind: str) -> None:
    by_name = {case.name: case for case in CASES}
    for name, known in (("equality", True), ("literal", False), ("few-rows", False)):
        (found,) = findings(outcome_of(runs, kind), by_name[name])
        assert (found[1]["plan"]["before"]["generic_cost"] is not None) == known


@pytest.mark.parametrize("kind", KINDS)
def test_load_of_the_advisor_is_shown_and_nothing_failed(runs: dict[str, Run], kind: str) -> None:
    report = outcome_of(runs, kind).report
    coverage = report["coverage"]
    assert coverage["explain_failed"] == 0
    assert coverage["explained"] >= len(CASES) - 1
    assert coverage["explain_statements"] > coverage["explained"] * 3
    assert coverage["explain_ms"] > 0
    assert issues_of(report)


@pytest.mark.parametrize("kind", KINDS)
def test_values_stay_out_of_what_is_written(runs: dict[str, Run], kind: str) -> None:
    outcome = outcome_of(runs, kind)
    for path in outcome.report_dir.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert "2024-01-14 20:00" not in text
            assert "'open'" not in text.replace("/open", "")
