"""Statements that no grammar takes, bytes that are no text, and sizes at the limits of the protocol change
nothing in what is found elsewhere, and stand escaped in every document."""

from __future__ import annotations

import importlib
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from proxy import Outcome, Proxy
from server import OPEN_ROLE, Server, Target
from shops import SHOPS, make_tables
from wire import Session, log_in, message, query, read_until

importlib.import_module("shops.with_psycopg3")

TIMES = 6
MIB = 1 << 20
PARAMETERS = 65535
LOOP = "GET /loop"
# Of no document: C0 but for line feed, DEL, C1, and what is no character at all.
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
MARKUP = "</pre><script>alert(1)</script>"


def many_parameters() -> bytes:
    sql = "SELECT cardinality(ARRAY[" + ",".join(f"${i + 1}::int" for i in range(PARAMETERS)) + "])"
    value = struct.pack("!i", 1) + b"7"
    bound = b"\0\0" + struct.pack("!HH", 0, PARAMETERS) + value * PARAMETERS + struct.pack("!H", 0)
    parse = message("P", b"\0" + sql.encode() + b"\0" + struct.pack("!H", 0))
    return parse + message("B", bound) + message("E", b"\0" + struct.pack("!i", 0)) + message("S", b"")


def raw(sql: bytes) -> bytes:
    return message("Q", sql + b"\0")


HOSTILE: dict[str, Callable[[], bytes]] = {
    "no grammar": lambda: query("SELEC id FORM shop.books WHERE ((( ; '"),
    "half of a grammar": lambda: query("SELECT * FROM shop.books ORDER BY HAVING author_id = $1 /*"),
    "no text": lambda: raw(b"SELECT '\xff\xfe\x80' AS \"\xc3\x28\", \xed\xa0\x80 FROM \xf8\x88"),
    "half a character": lambda: raw(b"SELECT 'caf\xc3"),
    "a megabyte of literal": lambda: query("SELECT length('" + "x" * MIB + "')"),
    "a megabyte of list": lambda: query("SELECT 1 WHERE 5 IN (" + "7777777," * (MIB // 8) + "5)"),
    "a megabyte that no grammar takes": lambda: query("SELECT ( " + "[ " * (MIB // 2)),
    "all parameters": many_parameters,
    "names": lambda: query(f'SELECT 1 AS "it\'s ""quoted""\n: - # \x1b[31m{MARKUP}"'),
    "tables": lambda: query(f'SELECT id FROM "x\'""\n{MARKUP}\x1b]0;title\x07" WHERE id = 1'),
    "tag": lambda: query("SELECT 1 /*method='GET',route='%0A%1B%5B31m%22%27%3Cscript%3E%FF%C0%80'*/"),
    "file": lambda: query(
        "SELECT 2 /*route='%2Fhostile',code.file.path='%0D%0A%3A%20%2E%2E%2F',line='%00'*/"
    ),
}


@pytest.fixture(scope="module")
def databases(server: Server) -> None:
    """Beside the shops' tables, a database of which any byte is text, with a table named by some."""
    make_tables(server)
    server.sql("DROP DATABASE IF EXISTS bytes")
    server.sql("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    server.sql(f"GRANT CREATE ON SCHEMA public TO {OPEN_ROLE}", server.admin_of("bytes"))


def say(session: Session, sent: bytes) -> list[str]:
    session.socket.sendall(sent)
    return [m.type for m in read_until(session.socket, "Z")]


def ask_hostile(target: Target) -> None:
    with log_in(target) as session:
        for name, make in HOSTILE.items():
            answers = say(session, make())
            refused = name in ("no grammar", "half of a grammar", "no text", "half a character", "tables")
            assert ("E" in answers) == (refused or name.endswith("takes")), (name, answers)
    with log_in(replace(target, database="bytes")) as session:
        table = b'"\xff\xfe \xc3\x28 <b>"'
        for sql in (b"CREATE TABLE " + table + b' ("\x80" text)', b"SELECT * FROM " + table):
            assert "E" not in say(session, raw(sql))
        assert "E" not in say(session, raw(b"SELECT '\xff' FROM " + table + b" WHERE \"\x80\" = '\xc0'"))
        say(session, raw(b"DROP TABLE " + table))


def run(server: Server, folder: Path, hostile: bool) -> Outcome:
    proxy = Proxy(folder / "run", server.app, capture=str(folder / "capture"), report_interval_s="0")
    try:
        proxy.start()
        for _ in range(TIMES):
            SHOPS["psycopg3"](proxy.target, "n-plus-one", " /*method='GET',route='/loop'*/", 1)
            SHOPS["psycopg3"](proxy.target, "one-query", " /*method='GET',route='/twin'*/", 1)
            if hostile:
                ask_hostile(proxy.target)
        return proxy.stop()
    finally:
        proxy.kill()


@pytest.fixture(scope="module")
def quiet(server: Server, databases: None, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    del databases
    return run(server, tmp_path_factory.mktemp("quiet"), hostile=False)


@pytest.fixture(scope="module")
def noisy(server: Server, databases: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    del databases
    folder = tmp_path_factory.mktemp("noisy")
    return run(server, folder, hostile=True), folder / "capture"


def without_times(issue: dict[str, Any]) -> dict[str, Any]:
    evidence = issue["evidence"]
    kept = (
        "id",
        "rule",
        "fingerprint",
        "endpoint",
        "confidence",
        "confidence_basis",
        "issue",
        "optimized_code",
    )
    return {
        **{key: issue[key] for key in kept},
        "seen": {
            key: evidence[key] for key in ("requests_seen", "requests", "occurrences", "lineage", "growth")
        },
        "sql": [(line["text"], line["calls"], line["rows"], line["bytes"]) for line in evidence["sql"]],
    }


def of_loop(outcome: Outcome) -> list[dict[str, Any]]:
    return [without_times(issue) for issue in outcome.issues() if issue["endpoint"] == LOOP]


def documents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_hostile_statements_change_no_finding_of_another_endpoint(
    quiet: Outcome, noisy: tuple[Outcome, Path]
) -> None:
    assert quiet.rules(LOOP) == {"n_plus_one"}
    assert of_loop(noisy[0]) == of_loop(quiet) != []
    assert noisy[0].rules("GET /twin") == set()


def test_hostile_statements_are_counted_where_they_are_not_understood(noisy: tuple[Outcome, Path]) -> None:
    coverage = noisy[0].report["coverage"]
    assert coverage["statements_without_facts"] > 0
    assert coverage["opaque_sessions"] == 0
    assert coverage["dropped_records"] == 0
    assert set(coverage["overflow"].values()) == {0}


def test_every_document_of_hostile_statements_is_plain_utf8(noisy: tuple[Outcome, Path]) -> None:
    found = documents(noisy[0].report_dir)
    assert any(b"script" in content for content in found.values())
    for name, content in found.items():
        text = content.decode("utf-8")
        assert not FORBIDDEN.search(text), (name, FORBIDDEN.search(text))
        assert isinstance(yaml.safe_load(text), dict)
    summary = (noisy[0].report_dir.parent / "stdout").read_bytes().decode("utf-8")
    assert not FORBIDDEN.search(summary)
    assert LOOP in summary


def test_capture_of_hostile_statements_gives_the_same_documents(
    noisy: tuple[Outcome, Path], pgsleuth_report: Any, tmp_path: Path
) -> None:
    outcome, capture = noisy
    done = pgsleuth_report(str(capture), f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr
    assert documents(tmp_path / "again") == documents(outcome.report_dir)
