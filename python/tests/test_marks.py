from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from served import ASK, DSN, FAR_SECONDS, Receiver, Served, needs_server

from pgsleuth_tags import marks, new_request_id

ONLY_UDP = pytest.mark.parametrize("receiver", ["udp"], indirect=True)
PORT = "SELECT client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()"


@pytest.fixture(params=["udp", "unix"])
def receiver(request, tmp_path):
    with socket.socket(
        socket.AF_INET if request.param == "udp" else socket.AF_UNIX, socket.SOCK_DGRAM
    ) as bound:
        bound.bind(("127.0.0.1", 0) if request.param == "udp" else str(tmp_path / "marks"))
        receiver = Receiver(bound)
        marks.enable(receiver.target)
        yield receiver
        marks.disable()


class Connection:
    """A connection as far as marks look at it."""

    def __init__(self, opened):
        self.opened = opened

    def fileno(self):
        return self.opened.fileno()


@pytest.fixture
def connection():
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        made = Connection(client)
        made.port = client.getsockname()[1]
        yield made


def test_mark_has_the_form_of_a_comment(receiver, connection):
    with Served("/users/{user_id}", "4d2-1"):
        marks.before_statement(connection)
    assert receiver.take(1) == [
        f"client='127.0.0.1%3A{connection.port}',method='GET',request='4d2-1',route='/users/{{user_id}}'"
    ]


def test_mark_is_sent_once_a_request_and_connection(receiver, connection):
    for request in ("1", "2"):
        with Served("/a", request):
            for _ in range(5):
                marks.before_statement(connection)
    assert [re.search("request='(.)'", mark)[1] for mark in receiver.take(2)] == ["1", "2"]


def test_mark_follows_when_the_route_becomes_known(receiver, connection):
    with Served("", "7") as request:
        marks.before_statement(connection)
        request.route = "/found"
        marks.before_statement(connection)
        marks.before_statement(connection)
    first, second = receiver.take(2)
    assert first.endswith(",method='GET',request='7'")
    assert second.endswith(",method='GET',request='7',route='/found'")


def test_mark_without_a_request_names_the_connection_only(receiver, connection):
    marks.before_statement(connection)
    with Served("/a", "1"):
        marks.before_statement(connection)
    marks.before_statement(connection)
    marks.before_statement(connection)
    first, second, third = receiver.take(3)
    assert first == third == f"client='127.0.0.1%3A{connection.port}'"
    assert "request='1'" in second


def test_mark_of_ipv6_has_brackets(receiver):
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        made = Connection(client)
        marks.before_statement(made)
        port = client.getsockname()[1]
    assert receiver.take(1) == [f"client='%5B%3A%3A1%5D%3A{port}'"]


def test_mark_value_survives_and_a_route_too_long_is_left_out(receiver, connection):
    with Served("/é'/*{x}", "1"):
        marks.before_statement(connection)
    with Served("/" + "é" * 500, "2"):
        marks.before_statement(connection)
    first, second = receiver.take(2)
    assert unquote(re.search("route='([^']*)'", first)[1]) == "/é'/*{x}"
    assert second.endswith("request='2'")


def test_mark_of_a_connection_without_port_is_not_sent(receiver):
    left, right = socket.socketpair()
    with left, right:
        made = Connection(left)
        with Served("/a", "1"):
            marks.before_statement(made)
    assert receiver.take(0) == []


def test_mark_to_nobody_and_to_a_full_socket_does_not_raise(tmp_path, connection):
    path = str(tmp_path / "marks")
    room = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text("ascii"))
    last = str(room + 9)
    try:
        marks.enable(path)
        with Served("/a", "0"):
            marks.before_statement(connection)  # nothing there
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.bind(path)
            for number in range(room + 10):
                with Served("/a", str(number)):
                    marks.before_statement(connection)
            assert b"request='0'" in bound.recv(4096)
            with Served("/a", last):
                marks.before_statement(connection)  # what was lost is said again when there is room
            assert f"request='{last}'" in Receiver(bound).take_all()[-1]
        marks.before_statement(object())  # nothing that a driver has
        marks.before_statement(None)
    finally:
        marks.disable()


def by_starlette(headers, connection):
    pytest.importorskip("fastapi")
    import httpx
    from fastapi import FastAPI

    from pgsleuth_tags.fastapi import TagMiddleware

    app = FastAPI()
    app.add_middleware(TagMiddleware)
    app.add_api_route("/a", lambda: marks.before_statement(connection))

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
            await client.get("/a", headers=headers)

    asyncio.run(ask())


def by_flask(headers, connection):
    flask = pytest.importorskip("flask")
    from pgsleuth_tags.flask import init_app

    app = flask.Flask("shop")
    init_app(app)
    app.add_url_rule("/a", view_func=lambda: str(marks.before_statement(connection)))
    app.test_client().get("/a", headers=headers)


def by_django(headers, connection):
    pytest.importorskip("django")
    from django.conf import settings
    from django.test import RequestFactory

    if not settings.configured:
        settings.configure()

    from pgsleuth_tags.django import TagMiddleware

    def view(_request):
        marks.before_statement(connection)
        return object()

    sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    TagMiddleware(view)(RequestFactory().get("/a", **sent))


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("framework", [by_starlette, by_flask, by_django])
@pytest.mark.parametrize(
    ("header", "told"), [(TRACE, f"traceparent='{TRACE}'"), ("x" * 55, None), (None, None)]
)
@ONLY_UDP
def test_mark_tells_the_trace_of_a_request_when_it_is_one(receiver, connection, framework, header, told):
    framework({"traceparent": header} if header else {}, connection)
    (mark,) = receiver.take(1)
    assert "method='GET'" in mark
    assert ("traceparent" in mark) == (told is not None)
    assert told is None or told in mark.split(",")


def test_disable_sends_no_more(receiver, connection):
    marks.disable()
    with Served("/a", "1"):
        marks.before_statement(connection)
    assert receiver.take(0) == []


@pytest.mark.parametrize(
    "target", ["", "6434", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:80", "a/b"]
)
def test_enable_refuses_what_is_no_target(target):
    with pytest.raises(ValueError, match="neither"):
        marks.enable(target)


def run_python(code, **environment):
    path = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=FAR_SECONDS,
        check=True,
    )


def test_variable_enables(receiver):
    code = (
        "import socket, pgsleuth_tags.marks as m\n"
        "a = socket.socket(); a.bind(('127.0.0.1', 0)); a.listen()\n"
        "m.before_statement(socket.create_connection(a.getsockname()))"
    )
    run_python(code, PGSLEUTH_MARKS=receiver.target)
    assert receiver.take(1)[0].startswith("client='127.0.0.1%3A")


def test_variable_without_target_warns_and_sends_nothing():
    done = run_python("import pgsleuth_tags.marks as m; print(m._sender)", PGSLEUTH_MARKS="nonsense")
    assert done.stdout.strip() == "None"
    assert "PGSLEUTH_MARKS: 'nonsense' is neither" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_request_ids_differ_after_a_fork():
    code = (
        "import os, pgsleuth_tags as t\n"
        "child = os.fork()\n"
        "os.write(1, t.new_request_id().encode() + b' ')\n"
        "child and os.waitpid(child, 0)"
    )
    ids = run_python(code).stdout.split()
    assert len(set(ids)) == 2
    assert new_request_id() != new_request_id()


# The drivers. Each asks the server for the port that it sees, and its own statement, in two requests.


def ask_psycopg():
    from pgsleuth_tags.psycopg import TaggedConnection, tagged_connection_class

    with tagged_connection_class(TaggedConnection, tags=False).connect(DSN) as connection:
        with Served("/a", "1"), connection.transaction():
            port = connection.execute(PORT).fetchone()[0]
        with Served("/b", "2"):
            return port, connection.execute(ASK).fetchone()[0]


def ask_psycopg_cursor():
    psycopg = pytest.importorskip("psycopg")
    from pgsleuth_tags.psycopg import TaggedCursor

    with psycopg.connect(DSN, cursor_factory=TaggedCursor, autocommit=True) as connection:
        with Served("/a", "1"):
            port = connection.execute(PORT).fetchone()[0]
        with Served("/b", "2"):
            return port, connection.execute(ASK).fetchone()[0]


def ask_psycopg_async():
    from pgsleuth_tags.psycopg import TaggedAsyncConnection, tagged_connection_class

    async def run():
        connection_class = tagged_connection_class(TaggedAsyncConnection, tags=False)
        async with await connection_class.connect(DSN) as connection:
            with Served("/a", "1"):
                async with connection.transaction():
                    port = (await (await connection.execute(PORT)).fetchone())[0]
            with Served("/b", "2"):
                return port, (await (await connection.execute(ASK)).fetchone())[0]

    return asyncio.run(run())


def ask_psycopg2():
    psycopg2 = pytest.importorskip("psycopg2")
    from pgsleuth_tags.psycopg2 import tagged_cursor_class

    cursor_class = tagged_cursor_class(tags=False)
    with closing(psycopg2.connect(DSN, cursor_factory=cursor_class)) as connection:
        connection.autocommit = True  # pg_stat_activity is looked at once a transaction
        cursor = connection.cursor()
        with Served("/a", "1"):
            cursor.execute(PORT)
            port = cursor.fetchone()[0]
        with Served("/b", "2"):
            cursor.execute(ASK)
            return port, cursor.fetchone()[0]


def ask_asyncpg():
    asyncpg = pytest.importorskip("asyncpg")
    from pgsleuth_tags.asyncpg import tagged_connection_class

    async def run():
        connection_class = tagged_connection_class(tags=False)
        async with asyncpg.create_pool(
            DSN, connection_class=connection_class, min_size=1, max_size=1
        ) as pool:
            with Served("/a", "1"):
                async with pool.acquire() as connection, connection.transaction():
                    port = await connection.fetchval(PORT)
            with Served("/b", "2"):
                return port, await pool.fetchval(ASK)

    return asyncio.run(run())


def ask_asyncpg_prepared():
    asyncpg = pytest.importorskip("asyncpg")
    from pgsleuth_tags.asyncpg import TaggedConnection

    async def run():
        with Served("/a", "1"):
            connection = await asyncpg.connect(DSN, connection_class=TaggedConnection)
            port = await connection.prepare(PORT)
            ask = await connection.prepare(ASK)
            number = await port.fetchval()
        with Served("/b", "2"):
            sent = await ask.fetchval()
            await connection.close()
        return number, sent

    return asyncio.run(run())


def ask_sqlalchemy(driver):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip(driver)
    from pgsleuth_tags.sqlalchemy import instrument

    engine = sqlalchemy.create_engine(DSN.replace("://", f"+{driver}://", 1))
    instrument(engine, tags=False)
    with Served("/a", "1"), engine.connect() as connection:
        port = connection.execute(sqlalchemy.text(PORT)).scalar_one()
    with Served("/b", "2"), engine.connect() as connection:
        sent = connection.execute(sqlalchemy.text(ASK)).scalar_one()
    engine.dispose()
    return port, sent


def ask_sqlalchemy_async(driver):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip(driver)
    from sqlalchemy.ext.asyncio import create_async_engine

    from pgsleuth_tags.sqlalchemy import instrument

    async def run():
        engine = create_async_engine(DSN.replace("://", f"+{driver}://", 1))
        instrument(engine, tags=False)
        with Served("/a", "1"):
            async with engine.connect() as connection:
                port = (await connection.execute(sqlalchemy.text(PORT))).scalar_one()
        with Served("/b", "2"):
            async with engine.connect() as connection:
                sent = (await connection.execute(sqlalchemy.text(ASK))).scalar_one()
        await engine.dispose()
        return port, sent

    return asyncio.run(run())


DRIVERS = {
    "psycopg": ask_psycopg,
    "psycopg-cursor": ask_psycopg_cursor,
    "psycopg-async": ask_psycopg_async,
    "psycopg2": ask_psycopg2,
    "asyncpg": ask_asyncpg,
    "asyncpg-prepared": ask_asyncpg_prepared,
    "sqlalchemy-psycopg": lambda: ask_sqlalchemy("psycopg"),
    "sqlalchemy-psycopg2": lambda: ask_sqlalchemy("psycopg2"),
    "sqlalchemy-psycopg-async": lambda: ask_sqlalchemy_async("psycopg"),
    "sqlalchemy-asyncpg": lambda: ask_sqlalchemy_async("asyncpg"),
}
# These have no option to leave the statement alone in this test.
TAGGED = {"psycopg-cursor", "asyncpg-prepared"}


@needs_server
@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_mark_names_the_port_that_the_server_sees(receiver, driver):
    if driver.startswith("psycopg") and driver != "psycopg2":
        pytest.importorskip("psycopg")
    port, sent = DRIVERS[driver]()
    assert (sent != ASK) == (driver in TAGGED)
    client = f"client='127.0.0.1%3A{port}',method='GET'"
    found = [mark for mark in receiver.take_all() if "request=" in mark]
    assert found == [f"{client},request='1',route='/a'", f"{client},request='2',route='/b'"]


class Relay:
    """Between driver and server, as pgsleuth is: notes what had been marked when the driver's bytes came."""

    def __init__(self, receiver):
        self._receiver = receiver
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.marks = []
        self.chunks = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def dsn(self):
        """The server's, by way of this."""
        found = urlsplit(DSN)
        port = self._listener.getsockname()[1]
        return found._replace(netloc=f"{found.netloc.rpartition('@')[0]}@127.0.0.1:{port}").geturl()

    def _run(self):
        found = urlsplit(DSN)
        with self._listener, ExitStack() as stack:
            client = stack.enter_context(self._listener.accept()[0])
            server = stack.enter_context(socket.create_connection((found.hostname, found.port)))
            answers = threading.Thread(target=self._pump, args=(server, client, None), daemon=True)
            answers.start()
            self._pump(client, server, self._note)
            answers.join(FAR_SECONDS)

    def _note(self, chunk):
        self.marks += self._receiver.take_all()
        self.chunks.append((chunk, list(self.marks)))

    @staticmethod
    def _pump(source, target, note):
        with suppress(OSError):
            while chunk := source.recv(65536):
                if note is not None:
                    note(chunk)
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    def marked_at(self, needle):
        """Return the last mark that had come when the bytes with ``needle`` came."""
        self._thread.join(FAR_SECONDS)
        (found,) = [marks for chunk, marks in self.chunks if needle in chunk]
        return found[-1]


def begin_psycopg(dsn):
    from pgsleuth_tags.psycopg import TaggedConnection

    options = {"autocommit": True, "sslmode": "disable", "gssencmode": "disable"}
    with TaggedConnection.connect(dsn, **options) as connection:
        with Served("/a", "1"), connection.transaction():
            connection.execute("SELECT 1")
        connection.execute("SELECT 'outside'")


def begin_psycopg2(dsn):
    psycopg2 = pytest.importorskip("psycopg2")
    from pgsleuth_tags.psycopg2 import TaggedCursor

    with closing(psycopg2.connect(dsn, cursor_factory=TaggedCursor, sslmode="disable")) as connection:
        with Served("/a", "1"):
            connection.cursor().execute("SELECT 1")
        connection.cursor().execute("SELECT 'outside'")


def begin_asyncpg(dsn):
    asyncpg = pytest.importorskip("asyncpg")
    from pgsleuth_tags.asyncpg import TaggedConnection

    async def run():
        connection = await asyncpg.connect(dsn, connection_class=TaggedConnection, ssl=False)
        with Served("/a", "1"):
            async with connection.transaction():
                await connection.execute("SELECT 1")
        await connection.execute("SELECT 'outside'")
        await connection.close()

    asyncio.run(run())


@needs_server
@pytest.mark.parametrize("begin", [begin_psycopg, begin_psycopg2, begin_asyncpg])
def test_mark_comes_before_the_statement(receiver, begin):
    if begin is begin_psycopg:
        pytest.importorskip("psycopg")
    relay = Relay(receiver)
    begin(relay.dsn)
    assert "request='1'" in relay.marked_at(b"BEGIN")
    assert "request" not in relay.marked_at(b"'outside'")


AT_ONCE = 24
# On a unix socket Linux lets 10 datagrams wait (net.unix.max_dgram_qlen), and nobody reads meanwhile.


def pairs_of(marked):
    """Request and port of each mark that names a request."""
    found = (re.search("client='127.0.0.1%3A([0-9]+)'.*request='([^']*)'", mark) for mark in marked)
    return sorted((match[2], int(match[1])) for match in found if match)


@needs_server
@ONLY_UDP
def test_marks_of_concurrent_tasks_name_each_request_once(receiver):
    asyncpg = pytest.importorskip("asyncpg")
    from pgsleuth_tags.asyncpg import TaggedConnection

    async def serve(pool, number):
        with Served("/a", f"r{number}"):
            async with pool.acquire() as connection:
                port = await connection.fetchval(PORT)
                await asyncio.sleep(0)
                await connection.fetchval("SELECT 1")
        return f"r{number}", port

    async def run():
        async with asyncpg.create_pool(
            DSN, connection_class=TaggedConnection, min_size=3, max_size=3
        ) as pool:
            return await asyncio.gather(*(serve(pool, number) for number in range(AT_ONCE)))

    served = sorted(asyncio.run(run()))
    assert len({port for _request, port in served}) > 1
    assert pairs_of(receiver.take_all()) == served


@needs_server
@ONLY_UDP
def test_marks_of_threads_name_each_request_once(receiver):
    pytest.importorskip("psycopg")
    pool_module = pytest.importorskip("psycopg_pool")
    from pgsleuth_tags.psycopg import TaggedConnection

    # Both connections are held once at the same time, so both are used.
    together = threading.Barrier(2, timeout=FAR_SECONDS)

    def serve(pool, number):
        with Served("/a", f"r{number}"), pool.connection() as connection:
            port = connection.execute(PORT).fetchone()[0]
            if number < together.parties:
                together.wait()
            connection.execute("SELECT 1")
        return f"r{number}", port

    options = {"min_size": 2, "max_size": 2, "open": True, "kwargs": {"autocommit": True}}
    pool = pool_module.ConnectionPool(DSN, connection_class=TaggedConnection, **options)
    with pool, ThreadPoolExecutor(4) as threads:
        served = sorted(threads.map(lambda number: serve(pool, number), range(AT_ONCE)))
    assert len({port for _request, port in served}) == 2
    assert pairs_of(receiver.take_all()) == served


@needs_server
def test_mark_of_a_unix_socket_connection_is_not_sent(receiver):
    psycopg = pytest.importorskip("psycopg")
    from pgsleuth_tags.psycopg import TaggedConnection

    found = urlsplit(DSN)
    with psycopg.connect(DSN) as connection:
        folder = connection.execute("SHOW unix_socket_directories").fetchone()[0].partition(",")[0]
    if not os.path.exists(f"{folder}/.s.PGSQL.{found.port}"):
        pytest.skip("the server has no unix socket here")
    with TaggedConnection.connect(DSN, host=folder) as connection, Served("/a", "1"):
        assert connection.execute("SELECT inet_client_port()").fetchone() == (None,)
    assert receiver.take(0) == []
