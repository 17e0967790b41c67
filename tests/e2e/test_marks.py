"""Request marks: datagrams beside the SQL, by which each statement has its request's name, or none."""

from __future__ import annotations

import random
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from proxy import Proxy, StartProxy, eventually, run_command
from server import Server, free_port

USERS = 16
CONNECTIONS = 6
ROUTES = {"/one": 1, "/three": 3, "/eight": 8, "/none": 0}
PEOPLE = "SELECT name FROM people WHERE id = %s"


class Marks:
    """What the tag helper does, by hand."""

    def __init__(self, address: str) -> None:
        if address.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.connect(address)
        else:
            host, port = address.rsplit(":", 1)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
            self.socket.connect((host.strip("[]"), int(port)))

    def __enter__(self) -> Marks:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, connection: psycopg.Connection[Any], **pairs: str) -> None:
        self.socket.send(datagram(client=client_of(connection), **pairs))


def datagram(**pairs: str) -> bytes:
    return ",".join(f"{key}='{quote(value, safe='/{}')}'" for key, value in sorted(pairs.items())).encode()


def client_of(connection: psycopg.Connection[Any]) -> str:
    with socket.socket(fileno=connection.fileno()) as link:
        host, port = link.getsockname()[:2]
        link.detach()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unread_bytes(address: str) -> int:
    """Of a datagram socket, as the kernel counts them (proc(5), /proc/net/udp)."""
    port = f":{int(address.rsplit(':', 1)[1]):04X}"
    lines = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    queues = [line.split()[4] for line in lines if line.split()[1].endswith(port)]
    assert len(queues) == 1, queues
    return int(queues[0].split(":")[1], 16)


@pytest.fixture(params=["udp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"127.0.0.1:{free_port()}" if request.param == "udp" else str(tmp_path / "marks.sock")


def endpoints(report: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """Requests, and the fewest and most statements of one, by the names that marks gave."""
    found = {}
    for e in report["endpoints"]:
        if e["named_by"] == "mark":
            assert e["attribution"] == "exact"
            found[e["name"]] = (e["requests"], e["queries"]["p50"], e["queries"]["max"])
    return found


def requests(proxy: Proxy, address: str, seed: int) -> Counter[str]:
    """Many users at once on few connections; how many requests each route had is known here alone."""
    sent: Counter[str] = Counter()
    idle: SimpleQueue[psycopg.Connection[Any]] = SimpleQueue()
    for _ in range(CONNECTIONS):
        idle.put(psycopg.connect(**proxy.target.libpq(), autocommit=True))

    def user(number: int) -> Counter[str]:
        mine: Counter[str] = Counter()
        chance = random.Random(seed * 1000 + number)  # noqa: S311 # a test's
        for turn in range(20):
            route, times = chance.choice(list(ROUTES.items()))
            connection = idle.get()
            if chance.random() < 0.2:  # a job of the application's own
                marks.send(connection)
                connection.execute(PEOPLE, (turn,)).fetchall()
            marks.send(connection, request=f"{number}-{turn}", method="GET", route=route)
            for n in range(times):
                connection.execute(PEOPLE, (n,)).fetchall()
            mine[route] += 1
            idle.put(connection)
        return mine

    with Marks(address) as marks, ThreadPoolExecutor(USERS) as pool:
        for done in pool.map(user, range(USERS)):
            sent.update(done)
    for _ in range(CONNECTIONS):
        idle.get().close()
    return sent


@pytest.mark.parametrize("workers", [1, 3])
def test_every_statement_has_the_name_of_its_request(
    workers: int, address: str, pgsleuth: StartProxy, server: Server
) -> None:
    proxy = pgsleuth(server.app, marks=address, workers=workers)
    sent = requests(proxy, address, seed=workers)
    report = proxy.stop().report
    assert endpoints(report) == {
        f"GET {route}": (sent[route], times, times) for route, times in ROUTES.items() if times
    }
    assert report["coverage"]["marked_statements"] == sum(sent[r] * times for r, times in ROUTES.items())
    assert report["coverage"]["lost_marks"] == 0
    assert not Path(address).exists()


def test_capture_with_marks_gives_the_same_report(
    pgsleuth: StartProxy, server: Server, pgsleuth_report: Any, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    proxy = pgsleuth(server.app, marks=address, capture=tmp_path / "capture")
    requests(proxy, address, seed=3)
    proxy.stop()
    again = tmp_path / "again"
    done = pgsleuth_report(str(tmp_path / "capture"), f"--report-dir={again}")
    assert done.returncode == 0, done.stderr
    live = (proxy.report_dir / "report.yaml").read_bytes()
    assert (again / "report.yaml").read_bytes() == live


def test_marks_name_connections_over_ipv6(pgsleuth: StartProxy, server: Server) -> None:
    port = free_port()
    proxy = pgsleuth(server.app, listen=f"[::1]:{free_port()}", marks=f"[::1]:{port}")
    target = proxy.target.at("::1", int(proxy.listen.rsplit(":", 1)[1]))
    with Marks(f"[::1]:{port}") as marks, psycopg.connect(**target.libpq(), autocommit=True) as connection:
        marks.send(connection, request="1", method="GET", route="/six")
        connection.execute(PEOPLE, (1,))
    assert endpoints(proxy.stop().report) == {"GET /six": (1, 1, 1)}


def test_lost_marks_leave_no_statement_with_the_name_of_another_request(
    pgsleuth: StartProxy, server: Server
) -> None:
    """pgsleuth sleeps while more marks come than the kernel keeps; the one that counts is among the lost."""
    address = f"127.0.0.1:{free_port()}"
    proxy = pgsleuth(server.app, marks=address)
    with Marks(address) as marks, psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        marks.send(connection, request="1", method="GET", route="/before")
        connection.execute(PEOPLE, (1,))
        proxy.send(signal.SIGSTOP)
        flood = datagram(client="127.0.0.1:1", request="1", route="/flood")
        for _ in range(40000):
            marks.socket.send(flood)
        marks.send(connection, request="2", method="GET", route="/lost")
        proxy.send(signal.SIGCONT)
        connection.execute(PEOPLE, (2,))
        eventually("the marks are read", lambda: unread_bytes(address) == 0)
        marks.send(connection, request="3", method="GET", route="/after")
        connection.execute(PEOPLE, (3,))
    report = proxy.stop().report
    assert report["coverage"]["lost_marks"] > 0
    assert endpoints(report) == {"GET /before": (1, 1, 1), "GET /after": (1, 1, 1)}
    assert report["coverage"]["marked_statements"] == 2


def test_what_is_no_mark_changes_nothing(address: str, pgsleuth: StartProxy, server: Server) -> None:
    proxy = pgsleuth(server.app, marks=address)
    chance = random.Random(7)  # noqa: S311 # a test's
    garbage = [b"", b"client=", b"\0" * 2048, b"x" * 4000, b"client='127.0.0.1:99999'", b"'" * 500]
    garbage += [chance.randbytes(chance.randrange(1, 1500)) for _ in range(500)]
    with Marks(address) as marks, psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        for piece in garbage:
            marks.socket.send(piece)
        marks.send(connection, request="1", method="GET", route="/real")
        for piece in garbage:
            marks.socket.send(piece)
        connection.execute(PEOPLE, (1,))
    report = proxy.stop().report
    assert endpoints(report) == {"GET /real": (1, 1, 1)}


@pytest.mark.parametrize(
    ("marks", "code", "words"),
    [
        ("nonsense", 2, 'marks: "nonsense" is not host:port'),
        ("127.0.0.1:0", 2, "with a port of 1 to 65535"),
        ("/nowhere/marks.sock", 2, "marks: cannot listen on /nowhere/marks.sock: No such file"),
    ],
)
def test_marks_that_cannot_be_listened_for_end_the_start(
    marks: str, code: int, words: str, server: Server
) -> None:
    done = run_command(
        "run", f"--listen=127.0.0.1:{free_port()}", f"--upstream={server.app.url()}", f"--marks={marks}"
    )
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_port_in_use_ends_the_start_and_a_dead_socket_is_replaced(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_command(
            "run", f"--listen=127.0.0.1:{free_port()}", f"--upstream={server.app.url()}", f"--marks={address}"
        )
    assert done.returncode == 2, done.stderr
    assert f"marks: cannot listen on {address}: Address already in use" in done.stderr
    path = str(tmp_path / "left.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(path)
    proxy = pgsleuth(server.app, marks=path)
    with Marks(path) as marks, psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        marks.send(connection, request="1", method="GET", route="/again")
        connection.execute(PEOPLE, (1,))
    assert "GET /again" in endpoints(proxy.stop().report)
