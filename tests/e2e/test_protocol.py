"""Raw pipelines against a real server: answered as without pgsleuth, understood, attributed and counted."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from pathlib import Path
from typing import Any, Callable

import pytest

import records
import wire
from proxy import Outcome, StartProxy, eventually
from records import COPY, ERROR, EXTENDED, PIPELINED, REUSED, SUSPENDED, UNKNOWN, VALUES_CUT, Capture
from server import OPEN_ROLE, Server, Target
from wire import SYNC, Message, Session, message, query

NAME = "protocol"
FLUSH = b"H\0\0\0\4"
COPY_DONE = b"c\0\0\0\4"
MEMORY_CAP = "analysis over its memory cap"

Scenario = Callable[[Session], list[Message]]


# --- messages ---


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def parse(sql: str, name: str = "") -> bytes:
    return message("P", text(name) + text(sql) + b"\0\0")


def bind(*values: bytes, statement: str = "", portal: str = "") -> bytes:
    body = text(portal) + text(statement) + struct.pack("!HH", 0, len(values))
    body += b"".join(struct.pack("!I", len(value)) + value for value in values)
    return message("B", body + struct.pack("!H", 0))


def describe(kind: str, name: str = "") -> bytes:
    return message("D", kind.encode() + text(name))


def close(kind: str, name: str = "") -> bytes:
    return message("C", kind.encode() + text(name))


def execute(portal: str = "", rows: int = 0) -> bytes:
    return message("E", text(portal) + struct.pack("!I", rows))


def run(sql: str, *values: bytes) -> bytes:
    return parse(sql) + bind(*values) + execute()


def copy_data(data: str) -> bytes:
    return message("d", data.encode())


def function_call(oid: int, *arguments: bytes) -> bytes:
    body = struct.pack("!IHHH", oid, 1, 1, len(arguments))
    body += b"".join(struct.pack("!I", len(argument)) + argument for argument in arguments)
    return message("F", body + struct.pack("!H", 1))


def int4(value: int) -> bytes:
    return struct.pack("!i", value)


# --- playing ---


def ask(session: Session, sent: bytes, ready: int = 1, last: str = "Z") -> list[Message]:
    """Send; the answers up to so many ReadyForQuery (or messages of another type)."""
    session.socket.sendall(sent)
    answers: list[Message] = []
    for _ in range(ready):
        answers += wire.read_until(session.socket, last)
    return answers


def types(answers: list[Message]) -> str:
    return "".join(answer.type for answer in answers)


def sqlstates(answers: list[Message]) -> list[str]:
    return [answer.fields()["C"] for answer in answers if answer.type == "E"]


def play_at(target: Target, scenario: Scenario) -> list[Message]:
    with wire.log_in(target, application_name=NAME) as session:
        answers = scenario(session)
        # Pairing was kept: the statement behind it all is known and counted.
        answers += session.ask("SELECT 'after all'")
        session.socket.sendall(wire.TERMINATE)
        assert wire.read_to_end(session.socket) == b""
        return answers


class Played:
    """A scenario on a direct connection and through pgsleuth; the same answers, and none of it opaque."""

    def __init__(self, server: Server, pgsleuth: StartProxy, folder: Path) -> None:
        self.server = server
        self.pgsleuth = pgsleuth
        self.path = folder / "capture"

    def __call__(self, scenario: Scenario) -> tuple[list[Message], Capture]:
        direct = play_at(self.server.app, scenario)
        proxy = self.pgsleuth(self.server.app, capture=self.path)
        through = play_at(proxy.target, scenario)
        assert through == direct
        coverage = proxy.stop().report["coverage"]
        assert coverage["opaque"] == []
        assert coverage["dropped_records"] == 0
        capture = records.read(self.path, NAME)
        assert capture.statements()[-1] == "select ?"
        assert capture.exchanges[-1].states == "II"
        return through, Capture(capture.exchanges[:-1], [], capture.from_client, capture.from_server)


@pytest.fixture
def play(server: Server, pgsleuth: StartProxy, tmp_path: Path) -> Played:
    return Played(server, pgsleuth, tmp_path)


# --- errors ---


def test_query_and_function_call_behind_an_error_are_skipped_up_to_sync(play: Played) -> None:
    sent = (
        run("SELECT 1 / (id - id) FROM people")
        + query("SELECT 'skipped'")
        + function_call(177, int4(1), int4(2))
    )
    answers, capture = play(
        lambda session: ask(
            session, sent + FLUSH + run("SELECT 'skipped too'") + SYNC + run("SELECT 7") + SYNC, 2
        )
    )
    assert types(answers[:-4]) == "12EZ12DCZ"
    assert capture.statements() == ["select ? / (id - id) from people", "select ?"]
    assert [x.sqlstate for x in capture.exchanges] == ["22012", ""]
    assert capture.exchanges[0].has(ERROR | EXTENDED)
    assert capture.exchanges[1].rows == 1


def test_what_comes_behind_an_error_that_was_read_is_skipped_up_to_sync(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        answers = ask(session, parse("SELEC", "broken") + FLUSH, 1, "E")
        return answers + ask(session, query("SELECT 'skipped'") + COPY_DONE + SYNC)

    answers, capture = play(scenario)
    assert types(answers[:2]) == "EZ"
    assert capture.statements() == ["selec"]


def test_error_at_sync_skips_nothing(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        session.ask("CREATE TEMP TABLE d (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        return ask(session, run("INSERT INTO d VALUES (1), (1)") + SYNC + query("SELECT 3"), 2)

    answers, capture = play(scenario)
    assert types(answers[:-4]) == "12CEZTDCZ"
    assert capture.statements()[1:] == ["insert into d values (?), ...", "select ?"]


def test_duplicate_name_is_refused_and_keeps_its_first_meaning(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        answers = ask(session, parse("SELECT 'first'", "twice") + SYNC)
        answers += ask(
            session, parse("SELECT 2 AS second", "twice") + bind(statement="twice") + execute() + SYNC
        )
        return answers + ask(session, (bind(statement="twice") + execute() + SYNC) * 2, 2)

    answers, capture = play(scenario)
    assert sqlstates(answers) == ["42P05"]
    assert capture.statements() == ["select ? as second", "select ?", "select ?"]
    assert capture.exchanges[0].sqlstate == "42P05"
    assert [x.has(REUSED) for x in capture.exchanges[1:]] == [False, True]


def test_bind_to_an_unknown_statement_is_counted_without_a_statement(play: Played) -> None:
    answers, capture = play(lambda session: ask(session, bind(statement="nobody") + execute() + SYNC))
    assert sqlstates(answers) == ["26000"]
    assert [(x.sql, x.sqlstate) for x in capture.exchanges] == [("", "26000")]
    assert capture.exchanges[0].has(UNKNOWN | ERROR)


@pytest.mark.parametrize("between", [query("SELECT 2"), parse("SELEC") + SYNC], ids=["query", "failed_parse"])
def test_unnamed_statement_is_gone_after(play: Played, between: bytes) -> None:
    def scenario(session: Session) -> list[Message]:
        answers = ask(session, parse("SELECT 'unnamed' AS unnamed") + SYNC) + ask(session, between)
        return answers + ask(session, bind() + execute() + SYNC)

    answers, capture = play(scenario)
    assert sqlstates(answers)[-1] == "26000"
    assert capture.exchanges[-1].sql == ""
    assert capture.exchanges[-1].has(UNKNOWN | ERROR)


def test_close_of_names_that_nobody_has_is_no_error(play: Played) -> None:
    answers, capture = play(
        lambda session: ask(session, close("S", "none") + close("P", "none") + close("S") + SYNC)
    )
    assert types(answers[:4]) == "333Z"
    assert capture.exchanges == []


def test_end_of_an_idle_session_by_the_server_is_no_fault(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    proxy = pgsleuth(server.app, capture=tmp_path / "capture")
    with wire.log_in(proxy.target, application_name=NAME) as session:
        session.ask("SELECT 1")
        server.sql(f"SELECT pg_terminate_backend({session.pid})")
        answers = wire.split(wire.read_to_end(session.socket))
    assert sqlstates(answers) == ["57P01"]
    assert proxy.stop().report["coverage"]["opaque"] == []
    assert records.read(tmp_path / "capture", NAME).statements() == ["select ?"]


# --- names ---


def test_names_are_compared_by_63_bytes(play: Played) -> None:
    name = "n" * 63
    sent = parse("SELECT 'long' AS long", name + "a") + bind(statement=name + "b", portal=name + "c")
    answers, capture = play(lambda session: ask(session, sent + execute(name + "d") + SYNC))
    assert types(answers[:5]) == "12DCZ"
    assert capture.statements() == ["select ? as long"]


@pytest.mark.parametrize("sql", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_names_are_gone_after(play: Played, sql: str) -> None:
    def scenario(session: Session) -> list[Message]:
        answers = ask(session, parse("SELECT 1 AS old", "s") + SYNC) + session.ask(sql)
        answers += ask(session, bind(statement="s") + execute() + SYNC)
        answers += ask(session, parse("SELECT 1 AS new", "s") + bind(statement="s") + execute() + SYNC)
        return answers

    answers, capture = play(scenario)
    assert sqlstates(answers) == ["26000"]
    assert capture.exchanges[1].has(UNKNOWN)
    assert capture.exchanges[2].sql == "select ? as new"


def test_statement_prepared_in_sql_can_be_bound(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        answers = session.ask("PREPARE q AS SELECT $1::int")
        return answers + ask(session, bind(b"5", statement="q") + describe("P") + execute() + SYNC)

    answers, capture = play(scenario)
    assert types(answers[2:7]) == "2TDCZ"
    assert capture.exchanges[1].has(UNKNOWN)
    assert capture.exchanges[1].rows == 1


# --- portals ---


def test_executes_of_one_portal_with_a_row_limit_share_its_number(play: Played) -> None:
    sent = parse("SELECT generate_series(1, 5)") + bind(portal="cursor")
    sent += execute("cursor", 2) * 3 + SYNC
    answers, capture = play(lambda session: ask(session, sent))
    assert types(answers[:11]) == "12DDsDDsDCZ"
    assert [x.rows for x in capture.exchanges] == [2, 2, 1]
    assert [x.has(SUSPENDED) for x in capture.exchanges] == [True, True, False]
    assert len({(x.portal, x.sql) for x in capture.exchanges}) == 1
    assert capture.exchanges[0].portal != 0


def test_portal_goes_on_over_round_trips_of_a_transaction_and_dies_with_it(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        session.ask("BEGIN")
        answers = ask(
            session, parse("SELECT generate_series(1, 5)") + bind(portal="c") + execute("c", 2) + SYNC
        )
        answers += ask(session, execute("c", 2) + SYNC)
        session.ask("COMMIT")
        return answers + ask(session, execute("c", 2) + SYNC)

    answers, capture = play(scenario)
    assert sqlstates(answers) == ["34000"]
    assert [x.rows for x in capture.exchanges] == [0, 2, 2, 0, 0]
    assert capture.exchanges[1].portal == capture.exchanges[2].portal
    assert capture.exchanges[4].has(UNKNOWN | ERROR)


def test_cursor_declared_in_sql_can_be_described_and_fetched_as_a_portal(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        session.ask("BEGIN")
        session.ask("DECLARE c CURSOR FOR SELECT generate_series(1, 3)")
        answers = ask(session, describe("P", "c") + execute("c", 2) + SYNC) + session.ask("FETCH ALL FROM c")
        session.ask("COMMIT")
        return answers

    answers, capture = play(scenario)
    assert types(answers[:5]) == "TDDsZ"
    assert [x.rows for x in capture.exchanges] == [0, 0, 2, 1, 0]


def test_flush_delivers_without_sync(play: Played) -> None:
    """As asyncpg prepares."""

    def scenario(session: Session) -> list[Message]:
        answers = ask(session, parse("SELECT $1::int", "s") + describe("S", "s") + FLUSH, 1, "T")
        answers += ask(session, bind(b"1", statement="s") + execute() + FLUSH, 1, "C")
        return answers + ask(session, bind(b"2", statement="s") + execute() + SYNC)

    answers, capture = play(scenario)
    assert types(answers[:-4]) == "1tT2DC2DCZ"
    assert capture.statements() == ["select ?"] * 2
    assert [x.has(PIPELINED) for x in capture.exchanges] == [False, True]
    assert len({x.values_hash for x in capture.exchanges}) == 2


# --- COPY ---


def copy_table(session: Session) -> None:
    session.ask("CREATE TEMP TABLE c (id int)")


def test_sync_before_copy_done_is_swallowed(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        copy_table(session)
        answers = ask(session, run("COPY c FROM STDIN") + SYNC, 1, "G")
        return answers + ask(session, copy_data("1\n") + SYNC + FLUSH + copy_data("2\n") + COPY_DONE + SYNC)

    answers, capture = play(scenario)
    assert types(answers[:5]) == "12GCZ"
    assert capture.exchanges[1].has(COPY | EXTENDED)
    assert (capture.exchanges[1].bytes, capture.exchanges[1].affected) == (4, 2)


def test_copy_that_waits_for_nothing_is_counted(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        copy_table(session)
        sent = (
            run("COPY c FROM STDIN") + SYNC + copy_data("1\n") + SYNC + copy_data("22\n") + COPY_DONE + SYNC
        )
        sent += query("COPY c FROM STDIN; COPY c FROM STDIN; SELECT count(*) FROM c")
        sent += copy_data("3\n") + COPY_DONE + copy_data("4444\n") + COPY_DONE + run("SELECT 9") + SYNC
        return ask(session, sent, 3)

    answers, capture = play(scenario)
    assert types(answers[:-4]) == "12GCZGCGCTDCZ12DCZ"
    assert [x.bytes for x in capture.exchanges[1:4]] == [5, 2, 5]
    assert [x.affected for x in capture.exchanges[1:4]] == [2, 1, 1]
    assert capture.statements()[4:] == ["select count(*) from c", "select ?"]


def test_copy_that_is_refused_leaves_both_syncs_to_be_answered(play: Played) -> None:
    sent = run("COPY nowhere FROM STDIN") + SYNC + copy_data("1\n") + COPY_DONE + SYNC
    answers, capture = play(lambda session: ask(session, sent, 2))
    assert types(answers[:5]) == "12EZZ"
    assert [x.sqlstate for x in capture.exchanges] == ["42P01"]


@pytest.mark.parametrize("extended", [False, True])
def test_copy_in_that_fails_in_the_middle_ignores_the_rest(play: Played, extended: bool) -> None:
    def scenario(session: Session) -> list[Message]:
        copy_table(session)
        start = run("COPY c FROM STDIN") + SYNC if extended else query("COPY c FROM STDIN")
        answers = ask(session, start, 1, "G")
        answers += ask(
            session, copy_data("no number\n") + copy_data("1\n") * 9 + COPY_DONE + SYNC, 1 if extended else 2
        )
        return answers + ask(session, copy_data("late") + COPY_DONE + query("SELECT 5"))

    answers, capture = play(scenario)
    assert sqlstates(answers) == ["22P02"]
    assert [(x.sql, x.sqlstate) for x in capture.exchanges[1:]] == [
        ("copy c from stdin", "22P02"),
        ("select ?", ""),
    ]


def test_copy_fail_ends_the_copy_with_its_error(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        copy_table(session)
        answers = ask(session, query("COPY c FROM STDIN"), 1, "G")
        return answers + ask(session, copy_data("1\n") + message("f", text("changed my mind")))

    answers, capture = play(scenario)
    assert sqlstates(answers) == ["57014"]
    assert capture.exchanges[1].has(COPY | ERROR)


def test_copy_out_that_fails_in_the_middle_keeps_its_rows(play: Played) -> None:
    sql = "COPY (SELECT 6 / (3 - i) FROM generate_series(1, 5) i) TO STDOUT"
    answers, capture = play(
        lambda session: session.ask(sql) + ask(session, run(sql.replace("5)", "2)")) + SYNC)
    )
    assert types(answers[:-4]) == "HddEZ12HddcCZ"
    assert [(x.rows, x.bytes, x.sqlstate) for x in capture.exchanges] == [(2, 4, "22012"), (2, 4, "")]


# --- the rest of the protocol ---


def test_function_calls_are_answered_between_statements(play: Played) -> None:
    sent = function_call(177, int4(40), int4(2)) + function_call(4_000_000_000) + query("SELECT 1")
    answers, capture = play(lambda session: ask(session, sent, 3))
    assert types(answers[:-4]) == "VZEZTDCZ"
    assert answers[0].body == struct.pack("!I", 4) + int4(42)
    assert capture.statements() == ["select ?"]


def test_empty_statements_and_empty_results_are_counted(play: Played) -> None:
    def scenario(session: Session) -> list[Message]:
        answers: list[Message] = []
        for sql in (
            "",
            ";",
            " /* nothing */ ;; ",
            "SELECT FROM generate_series(1, 3)",
            "SELECT 1 WHERE false",
        ):
            answers += session.ask(sql)
        answers += ask(session, parse(";") + describe("S") + bind() + describe("P") + execute() + SYNC)
        return answers + ask(session, run("SELECT NULL, NULL") + SYNC)

    answers, capture = play(scenario)
    assert types(answers[:-4]) == "IZIZIZTDDDCZTCZ1tn2nIZ12DCZ"
    assert [x.rows for x in capture.exchanges] == [0, 0, 0, 3, 0, 0, 1]


def test_statements_of_one_query_are_told_apart_up_to_its_error(play: Played) -> None:
    sql = "BEGIN;;SELECT 1; CREATE TEMP TABLE t AS SELECT 5 AS id; SELECT id FROM people LIMIT 2; COMMIT; "
    sql += "SELECT 1/0; TABLE t"
    _, capture = play(lambda session: session.ask(sql))
    assert capture.statements()[3] == "select id from people limit ?"
    assert [x.batch for x in capture.exchanges] == [(i, 7) for i in range(6)]
    assert [x.sqlstate for x in capture.exchanges] == [""] * 5 + ["22012"]
    assert capture.exchanges[3].rows == 2


def test_notices_notifications_and_settings_come_between_any_two_messages(play: Played) -> None:
    notice = "DO $$ BEGIN RAISE NOTICE 'x'; END $$"

    def scenario(session: Session) -> list[Message]:
        sent = (
            run("LISTEN here") + run(notice) + run("SET application_name = 'other'") + run("NOTIFY here, 'y'")
        )
        sent += run("SELECT 1") + SYNC + query(f"{notice}; SET TimeZone = 'Asia/Tokyo'; {notice}; SELECT 2")
        answers = ask(session, sent, 2)
        return [m if m.type != "A" else Message("A", m.body[4:]) for m in answers]  # pid of the session

    answers, capture = play(scenario)
    assert {"N", "A", "S"} <= set(types(answers))
    assert [x.rows for x in capture.exchanges] == [0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert capture.statements()[4] == capture.statements()[8] == "select ?"


def test_65535_parameters_are_bound(play: Played) -> None:
    count = 65535
    sql = "SELECT cardinality(ARRAY[" + ",".join(f"${i + 1}::int" for i in range(count)) + "])"
    sent = parse(sql, "many") + bind(*[b"7"] * count, statement="many") + execute() + SYNC
    answers, capture = play(lambda session: ask(session, sent))
    assert answers[2].body.endswith(b"65535")
    assert capture.exchanges[0].has(VALUES_CUT)
    assert capture.exchanges[0].values_hash == 0
    assert capture.exchanges[0].rows == 1


def test_statement_of_8_mb_has_the_tag_at_its_end(play: Played) -> None:
    sql = f"SELECT length('{'x' * (8 << 20)}') /*route='%2Fbig'*/"
    answers, capture = play(lambda session: session.ask(sql) + ask(session, run(sql) + SYNC))
    assert answers[1].body.endswith(b"8388608")
    assert len(capture.exchanges) == 2
    assert all("/big" in exchange.tag for exchange in capture.exchanges)
    assert capture.from_client > 16 << 20


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_of_megabytes_are_counted(play: Played, rows: int) -> None:
    sql = f"SELECT repeat('x', 4 << 20) FROM generate_series(1, {rows})"
    _, capture = play(lambda session: session.ask(sql))
    assert (capture.exchanges[0].rows, capture.exchanges[0].bytes) == (rows, rows * ((4 << 20) + 6))


# --- what is not understood is relayed all the same ---


def eventually_waits(server: Server) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    eventually("somebody waits for the lock", lambda: server.sql(waiting) == "1")


def opaque_reasons(outcome: Outcome) -> dict[str, int]:
    return {one["reason"]: one["sessions"] for one in outcome.report["coverage"]["opaque"]}


def test_client_encoding_that_cannot_be_lexed_makes_opaque(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app)
    with wire.log_in(proxy.target) as session:
        session.ask("SET client_encoding = 'SJIS'")
        assert types(session.ask("SELECT 1")) == "TDCZ"
    assert list(opaque_reasons(proxy.stop()).values()) == [1]


@contextlib.contextmanager
def replication_allowed(server: Server) -> Any:
    server.sql(f"ALTER ROLE {OPEN_ROLE} REPLICATION")
    try:
        yield
    finally:
        server.sql(f"ALTER ROLE {OPEN_ROLE} NOREPLICATION")


def read_copy_end(peer: socket.socket) -> list[Message]:
    return [m for m in wire.read_until(peer, "Z") if m.type != "d"]


def test_replication_stream_is_opaque_and_its_bytes_are_counted(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    proxy = pgsleuth(server.app, capture=tmp_path / "capture")
    with replication_allowed(server):
        log_position = server.sql("SELECT pg_current_wal_flush_lsn()")
        with wire.log_in(proxy.target, application_name=NAME, replication="database") as session:
            (row,) = [m for m in session.ask("IDENTIFY_SYSTEM") if m.type == "D"]
            assert log_position.split("/")[0].encode() in row.body
            ask(session, query(f"START_REPLICATION PHYSICAL {log_position}"), 1, "W")
            server.sql("CREATE TABLE replicated AS SELECT generate_series(1, 20000); DROP TABLE replicated")
            streamed = 0
            while streamed < 500_000:
                got = wire.read_until(session.socket, "d")
                streamed += sum(len(m.body) for m in got)
            session.socket.sendall(COPY_DONE)
            assert read_copy_end(session.socket)[-1].body == b"I"
            assert types(session.ask("SELECT 1")) == "TDCZ"
    assert opaque_reasons(proxy.stop()) == {"replication connection": 1}
    capture = records.read(tmp_path / "capture", NAME)
    assert capture.statements()[0] == "identify_system"
    assert capture.from_server > streamed


def test_base_backup_is_understood(server: Server, pgsleuth: StartProxy, tmp_path: Path) -> None:
    """One Query with several results, a COPY in the middle of them."""
    proxy = pgsleuth(server.app, capture=tmp_path / "capture")
    with contextlib.ExitStack() as stack:
        stack.enter_context(replication_allowed(server))
        session = stack.enter_context(
            wire.log_in(proxy.target, application_name=NAME, replication="database")
        )
        answers = session.ask("BASE_BACKUP (CHECKPOINT 'fast')")
        assert re.fullmatch("[NS]*TDC[NS]*TD+C[NS]*H(d|N)+c[NS]*TDCC[NS]*Z", types(answers))
    assert proxy.stop().report["coverage"]["opaque"] == []
    assert records.read(tmp_path / "capture", NAME).statements()[0] != ""


def test_session_over_the_memory_cap_works_on_while_others_are_understood(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    proxy = pgsleuth(server.app, capture=tmp_path / "capture", analysis_max_bytes="256KiB")
    with contextlib.ExitStack() as stack:
        greedy = stack.enter_context(wire.log_in(proxy.target, application_name="greedy"))
        other = stack.enter_context(wire.log_in(proxy.target, application_name=NAME))
        other.ask("SELECT 1 AS before")
        sent = b"".join(parse(f"SELECT {i}", f"s{i}") for i in range(500))
        assert types(ask(greedy, sent + SYNC)) == "1" * 500 + "Z"
        other.ask("SELECT 1 AS after")
        for i in (0, 499):
            answers = ask(greedy, bind(statement=f"s{i}") + execute() + SYNC)
            assert answers[1].body.endswith(str(i).encode())
        assert types(greedy.ask("SELECT 1")) == "TDCZ"
    assert opaque_reasons(proxy.stop()) == {MEMORY_CAP: 1}
    assert records.read(tmp_path / "capture", NAME).statements() == [
        "select ? as before",
        "select ? as after",
    ]
    assert len(records.read(tmp_path / "capture", "greedy").opaque) == 1


def test_pipeline_over_the_memory_cap_is_counted_and_what_follows_is_read(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    """Nothing is answered before all is sent: the first statement waits for a lock."""
    proxy = pgsleuth(server.app, capture=tmp_path / "capture", analysis_max_bytes="256KiB")
    many = 5000
    with contextlib.ExitStack() as stack:
        holder = stack.enter_context(wire.log_in(server.app))
        holder.ask("SELECT pg_advisory_lock(77)")
        session = stack.enter_context(wire.log_in(proxy.target, application_name=NAME))
        session.ask("SELECT 1 AS before")
        sent = run("SELECT pg_advisory_lock(77)") + parse("SELECT $1::int", "s")
        session.socket.sendall(sent + (bind(b"7", statement="s") + execute()) * many + SYNC)
        eventually_waits(server)
        holder.ask("SELECT pg_advisory_unlock(77)")
        assert types(wire.read_until(session.socket, "Z")) == "12DC1" + "2DC" * many + "Z"
        assert types(ask(session, run("SELECT 1 AS after") + SYNC)) == "12DCZ"
    coverage = proxy.stop().report["coverage"]
    assert (coverage["opaque"], coverage["unread_statements"]) == ([], many + 1)
    assert records.read(tmp_path / "capture", NAME).statements() == [
        "select ? as before",
        "select ? as after",
    ]


def test_sessions_together_over_the_memory_cap_work_on(server: Server, pgsleuth: StartProxy) -> None:
    """None is over its share; the last ones find the budget spent by those before."""
    proxy = pgsleuth(server.app, analysis_max_bytes="256KiB")
    sent = b"".join(parse(f"SELECT {i}", f"s{i}") for i in range(60)) + SYNC
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(wire.log_in(proxy.target)) for _ in range(20)]
        for session in sessions:
            assert types(ask(session, sent)) == "1" * 60 + "Z"
        for session in sessions:
            answers = ask(session, bind(statement="s59") + execute() + SYNC)
            assert answers[1].body.endswith(b"59")
    reasons = opaque_reasons(proxy.stop())
    assert set(reasons) == {MEMORY_CAP}
    assert 0 < reasons[MEMORY_CAP] < len(sessions)
