"""Each fault is found on its own endpoint and nothing on the same request without it, whatever the driver."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from advice import check_advice
from proxy import Outcome, Proxy, StartProxy, issues_of, rules_of
from server import Server
from shops import FAULTS, SHOPS, TWINS, make_tables

for module in sorted(Path(__file__).parent.glob("shops/with_*.py")):
    importlib.import_module(f"shops.{module.stem}")

TIMES = 8
PLANS_S = 60
IDS = {"n_plus_one": "PA001", "select_star": "PA002", "unbounded_result": "PA003", "missing_index": "PA004"}
SEVERITIES = ("critical", "high", "medium", "low")
CHECKLIST_ITEMS = 41


def route(shop: str, request: str) -> str:
    return f"/{shop}/{request}"


def tag(shop: str, request: str) -> str:
    place = f"code.file.path='app/{shop}.py',code.line.number='7'"
    return f" /*{place},method='GET',route='{route(shop, request)}'*/"


def found(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(issue["endpoint"], issue["rule"]) for issue in issues_of(report)}


EXPECTED = {(f"GET {route(shop, request)}", rule) for shop in SHOPS for request, rule in FAULTS.items()}


@pytest.fixture(scope="module")
def tables(server: Server) -> None:
    make_tables(server)


@pytest.fixture(scope="module")
def audited(
    server: Server, tables: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Outcome, Path]]:
    """The report on all requests of all shops, with plans, and the capture of the run."""
    del tables
    folder = tmp_path_factory.mktemp("audited")
    capture = folder / "capture"
    proxy = Proxy(
        folder / "run",
        server.app,
        explain_enabled=True,
        # A scan of the orders takes longer than this on any machine, so that it is among those explained.
        explain_min_mean_ms="0.5",
        explain_min_total_ms="5ms",
        capture=str(capture),
        report_interval_s="0",
    )
    try:
        proxy.start()
        for name, shop in SHOPS.items():
            for request in (*FAULTS, *TWINS):
                shop(proxy.target, request, tag(name, request), TIMES)
        until = time.monotonic() + PLANS_S  # plans come one a second
        while not found(proxy.report_now()) >= EXPECTED and time.monotonic() < until:
            time.sleep(0.2)
        yield proxy.stop(), capture
    finally:
        proxy.kill()


@pytest.mark.parametrize("request_name", FAULTS)
@pytest.mark.parametrize("shop", SHOPS)
def test_fault_is_found_on_its_endpoint_and_nothing_else(
    audited: tuple[Outcome, Path], shop: str, request_name: str
) -> None:
    assert audited[0].rules(f"GET {route(shop, request_name)}") == {FAULTS[request_name]}


@pytest.mark.parametrize("request_name", TWINS)
@pytest.mark.parametrize("shop", SHOPS)
def test_request_without_the_fault_has_no_finding(
    audited: tuple[Outcome, Path], shop: str, request_name: str
) -> None:
    report = audited[0].endpoint(f"GET {route(shop, request_name)}")
    assert issues_of(report) == []
    assert report["status"] == "PASS"
    assert report["endpoint"]["requests"] == TIMES


def test_aggregate_report_holds_all_findings_and_no_other(audited: tuple[Outcome, Path]) -> None:
    report = audited[0].report
    assert found(report) == EXPECTED
    assert report["coverage"]["opaque_sessions"] == 0
    assert report["coverage"]["dropped_records"] == 0
    assert report["coverage"]["untagged_requests"] == 0
    assert report["run"]["sources"]["explain"] == "on"
    assert len(report["checklist"]) == CHECKLIST_ITEMS
    assert {row["name"] for row in report["endpoints"]} == {
        f"GET {route(shop, request)}" for shop in SHOPS for request in (*FAULTS, *TWINS)
    }


def test_every_finding_says_what_where_and_instead(audited: tuple[Outcome, Path]) -> None:
    for issue in audited[0].issues():
        assert issue["id"] == IDS[issue["rule"]]
        assert re.fullmatch("[0-9a-f]{16}", issue["fingerprint"])
        assert issue["file"] == f"app/{issue['endpoint'].split('/')[1]}.py"
        assert issue["line"] == 7
        assert issue["issue"]
        assert issue["impact"]
        assert issue["optimized_code"].strip()
        assert 0 < issue["confidence"] <= 1
        assert all(1 <= item <= CHECKLIST_ITEMS for item in issue["checklist"])
        assert issue["evidence"]["requests_seen"] >= 1
        assert [s["text"] for s in issue["evidence"]["sql"] if s["text"]]


def test_code_that_is_advised_parses_and_commands_work(audited: tuple[Outcome, Path], server: Server) -> None:
    issues, commands = check_advice(audited[0], server)
    assert issues >= len(EXPECTED)
    assert commands > 0


def test_missing_index_names_the_index_to_make(audited: tuple[Outcome, Path]) -> None:
    for issue in audited[0].issues():
        if issue["rule"] == "missing_index":
            assert issue["plan"]["before"]["node"] == "Seq Scan"
            assert issue["plan"]["before"]["table"] == "orders"
            assert re.search(r"CREATE INDEX.*shop\.orders.*\(email\)", issue["plan"]["ddl"], re.DOTALL)


def test_advised_index_is_one_that_postgresql_takes(audited: tuple[Outcome, Path], server: Server) -> None:
    advice = {i["plan"]["ddl"] for i in audited[0].issues() if i["rule"] == "missing_index"}
    for ddl in advice:
        # CONCURRENTLY is right for production and forbidden in a transaction, in which this stays.
        sql = ddl.replace("CONCURRENTLY ", "")
        plan = server.sql(
            f"BEGIN; {sql}; ANALYZE shop.orders;\n"
            "EXPLAIN SELECT * FROM shop.orders WHERE email = 'x';\nROLLBACK;",
            server.admin_of("app"),
        )
        assert "Index" in plan or "Bitmap" in plan


def test_issues_are_sorted_by_severity_and_counted(audited: tuple[Outcome, Path]) -> None:
    report = audited[0].report
    assert [s for s in report["issues"] if s in SEVERITIES] == list(SEVERITIES)
    criteria = report["pass_criteria"]
    assert criteria["critical"] == len(report["issues"]["critical"])
    assert criteria["high"] == len(report["issues"]["high"])
    assert report["pass_criteria_met"] == (report["status"] == "PASS")


def test_summary_on_stdout_names_the_endpoints_and_the_report(audited: tuple[Outcome, Path]) -> None:
    outcome = audited[0]
    assert outcome.stdout.endswith(f"report: {outcome.report_dir}/report.yaml\n")
    assert "GET /" in outcome.stdout
    assert outcome.report["performance_score"] in outcome.stdout


def test_capture_gives_the_same_report_byte_for_byte(
    audited: tuple[Outcome, Path], pgsleuth_report: Any, tmp_path: Path
) -> None:
    outcome, capture = audited
    done = pgsleuth_report(str(capture), f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr

    def documents(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    live, again = documents(outcome.report_dir), documents(tmp_path / "again")
    assert sorted(live) == sorted(again)
    for name, content in live.items():
        assert again[name] == content, name
    assert done.stdout.rsplit("report: ", 1)[0] == outcome.stdout.rsplit("report: ", 1)[0]


@pytest.mark.parametrize("shop", SHOPS)
def test_n_plus_one_is_found_without_tags(
    shop: str, server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    del tables
    proxy = pgsleuth(server.app)
    SHOPS[shop](proxy.target, "n-plus-one", "", TIMES)
    report = proxy.stop().report
    assert rules_of(report) == {"n_plus_one"}
    (issue,) = issues_of(report)
    assert issue["location_source"] == "none"
    assert issue["attribution"] != "exact"
    assert report["coverage"]["tagged_requests"] == 0


@pytest.mark.parametrize("shop", SHOPS)
def test_requests_without_faults_and_tags_have_no_finding(
    shop: str, server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    del tables
    proxy = pgsleuth(server.app)
    for request in TWINS:
        SHOPS[shop](proxy.target, request, "", TIMES)
    assert issues_of(proxy.stop().report) == []


def severities(proxy: Proxy) -> list[str]:
    """Those of the findings, at the end."""
    report = proxy.stop().report
    return [severity for severity in SEVERITIES for _ in report["issues"][severity]]


def test_rows_below_the_threshold_are_not_unbounded(
    server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    del tables
    steps = {f"unbounded_{step}_rows": "5000" for step in ("min", "medium", "high", "critical")}
    lower = {
        "unbounded_medium_rows": "1000",
        "unbounded_high_rows": "1500",
        "unbounded_critical_rows": "2000",
    }
    for options, expected in ((steps, []), (lower, ["critical"])):
        proxy = pgsleuth(server.app, **options)
        SHOPS["psycopg3"](proxy.target, "unbounded", tag("psycopg3", "unbounded"), TIMES)
        assert severities(proxy) == expected


def test_columns_below_the_threshold_make_select_star_a_low_finding(
    server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    del tables
    for columns, expected in (("100", ["low"]), ("20", ["medium"])):
        proxy = pgsleuth(server.app, select_star_min_columns=columns)
        SHOPS["psycopg3"](proxy.target, "select-star", tag("psycopg3", "select-star"), TIMES)
        assert severities(proxy) == expected


def test_repeats_below_the_threshold_are_no_n_plus_one(
    server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    """Repeats whose values come from nowhere that was seen: only their number tells."""
    del tables
    for count, expected in (("50", set()), ("10", {"n_plus_one"})):
        proxy = pgsleuth(server.app, n_plus_one_min_count=count)
        for _ in range(TIMES):
            with psycopg.connect(**proxy.target.libpq()) as connection:
                for n in range(20):
                    sql = "SELECT title FROM shop.books WHERE author_id = %s" + tag("x", "repeats")
                    connection.execute(sql.encode(), (n * 1013,)).fetchall()
        assert rules_of(proxy.stop().report) == expected
