"""psycopg 3 prepares what it has sent five times: findings are the same before and after, and without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import records
from corpus import Call, call, make_tables, route
from corpus.kits import run_dbapi
from corpus.plain import PLAIN
from proxy import Outcome, Proxy, essence_of, issues_of
from server import Server, Target

THRESHOLDS = {"never": None, "at-the-sixth": 5, "at-once": 0}
TIMES = 8
# Of the corpus, what neither sleeps nor moves megabytes.
RULES = {
    "n_plus_one",
    "duplicate_query",
    "write_loop",
    "select_star",
    "unbounded_result",
    "missing_pagination",
    "deep_offset",
    "chatty",
}
CLEAN = {
    "batch-any",
    "join",
    "login",
    "one-row",
    "master-detail",
    "five-different",
    "page",
    "read-write-read",
}
APPS = [
    app
    for app in PLAIN.apps
    if (app.label and app.label <= RULES and not app.name.endswith("-200")) or app.name in CLEAN
]


def connect(name: str) -> Any:
    def to(target: Target) -> Any:
        arguments = {**target.libpq(), "application_name": name}
        return psycopg.connect(**arguments, prepare_threshold=THRESHOLDS[name])

    return to


def calls(name: str) -> Iterator[Call]:
    return (call(name, app, n) for app in APPS for n in range(TIMES))


@pytest.fixture(scope="module")
def audited(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Outcome, Path]]:
    make_tables(server)
    folder = tmp_path_factory.mktemp("prepared")
    capture = folder / "capture"
    proxy = Proxy(folder / "run", server.app, capture=str(capture), report_interval_s="0")
    try:
        proxy.start()
        for name in THRESHOLDS:
            # In autocommit: psycopg 3 forgets what it has prepared at a rollback.
            run_dbapi(connect(name), autocommit=True)(proxy.target, calls(name))
        yield proxy.stop(), capture
    finally:
        proxy.kill()


def reuses(capture: Path, name: str) -> dict[tuple[str, str], list[bool]]:
    """Of each statement of each endpoint, in their order: whether it was prepared before.

    Those without values are left out: they go as a Query until they are prepared.
    """
    found = defaultdict(list)
    for exchange in records.read(capture, name).exchanges:
        if exchange.has(records.EXTENDED) and exchange.tag and "?" in exchange.sql:
            found[exchange.tag, exchange.sql].append(exchange.has(records.REUSED))
    return found


def test_driver_prepares_as_it_is_told(audited: tuple[Outcome, Path]) -> None:
    for name, before in (("at-the-sixth", 6), ("at-once", 1)):
        statements = reuses(audited[1], name)
        assert not any(any(seen[:before]) for seen in statements.values())
        # Not of each: a small number is an int2 to psycopg 3, and what has other types is another statement.
        later = [seen[before:] for seen in statements.values() if len(seen) > before]
        assert sum(all(seen) for seen in later) > len(later) / 2
    never = reuses(audited[1], "never")
    assert never
    assert not any(any(seen) for seen in never.values())


@pytest.mark.parametrize("app", APPS, ids=[app.name for app in APPS])
def test_findings_do_not_depend_on_what_is_prepared(audited: tuple[Outcome, Path], app: Any) -> None:
    outcome = audited[0]
    found = {
        name: sorted(
            essence_of(issue)
            for issue in issues_of(outcome.endpoint(f"GET {route(name, app)}"))
            if issue["rule"] not in app.tolerated
        )
        for name in THRESHOLDS
    }
    assert {rule for rule, *_ in found["never"]} == app.label
    assert found["at-the-sixth"] == found["never"]
    assert found["at-once"] == found["never"]
