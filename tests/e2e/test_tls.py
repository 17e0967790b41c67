"""TLS on both legs, and what SCRAM makes of two certificates."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

import asyncpg
import psycopg
import pytest

import wire
from certs import Authority, Pair
from drivers import repeatedly
from proxy import Proxy, StartProxy, run_command
from server import OPEN_ROLE, Server, Target, free_port, run_server

MIB = 1 << 20
ALPN = "postgresql"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.close()


@pytest.fixture(scope="module")
def stranger() -> Iterator[Authority]:
    made = Authority("somebody else")
    yield made
    made.close()


@pytest.fixture(scope="module")
def server_pair(authority: Authority) -> Pair:
    return authority.sign("localhost")


@pytest.fixture(scope="module")
def proxy_pair(authority: Authority) -> Pair:
    return authority.sign("localhost")


@pytest.fixture(scope="module")
def tls_server(authority: Authority, server_pair: Pair) -> Iterator[Server]:
    yield from run_server(certificate=server_pair, client_ca=authority.cert)


def client_context(authority: Authority | None = None, alpn: str | None = ALPN) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = authority is not None
    if authority is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority.cert)
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    return context


def server_context(pair: Pair, alpn: str | None = ALPN) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    return context


def encrypted(target: Target, context: ssl.SSLContext, *, direct: bool = False) -> ssl.SSLSocket:
    peer = wire.connect(target)
    try:
        if not direct:
            peer.sendall(wire.SSL_REQUEST)
            assert wire.read_exactly(peer, 1) == b"S"
        return context.wrap_socket(peer, server_hostname="localhost")
    except BaseException:
        peer.close()
        raise


def shown(target: Target) -> bytes | None:
    """The certificate that a client sees."""
    with encrypted(target, client_context()) as peer:
        return peer.getpeercert(binary_form=True)


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(pair.cert).read_text(encoding="ascii"))


def eventually(what: str, condition: Callable[[], bool], limit_s: float = 30) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, f"not within {limit_s} s: {what}"
        time.sleep(0.02)


# --- which case works for whom ---

LEGS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
# What the client's URL asks for, whether the client's leg has TLS then, whether the login succeeds.
CASES = {
    "clear to clear": (
        "disable",
        None,
        [("disable", False, True), ("prefer", False, True), ("require", True, False)],
    ),
    "clear to TLS": ("require", None, [("disable", False, True), ("prefer", False, True)]),
    "TLS to clear": (
        "disable",
        "proxy",
        [("prefer", True, True), ("require", True, True), ("require&channel_binding=require", True, False)],
    ),
    "TLS to TLS, the server's certificate": (
        "require",
        "server",
        [("require", True, True), ("require&channel_binding=require", True, True), ("disable", False, True)],
    ),
    "TLS to TLS, another certificate": (
        "require",
        "proxy",
        [
            ("require", True, False),
            ("require&channel_binding=disable", True, True),
            ("require&channel_binding=require", True, False),
            ("prefer", False, True),  # libpq's second try
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_login_works_where_the_legs_allow_it(
    case: str, tls_server: Server, server_pair: Pair, proxy_pair: Pair, pgsleuth: StartProxy
) -> None:
    upstream_mode, certificate, clients = CASES[case]
    pairs = {"server": server_pair, "proxy": proxy_pair}
    proxy = pgsleuth(
        tls_server.app,
        upstream=tls_server.app.url(query=f"sslmode={upstream_mode}"),
        **(pairs[certificate].options() if certificate else {}),
    )
    for mode, tls, works in clients:
        try:
            with psycopg.connect(proxy.target.url(query=f"sslmode={mode}")) as connection:
                assert works, mode
                assert connection.pgconn.ssl_in_use == tls, mode
                row = connection.execute(LEGS).fetchone()
                assert row == (upstream_mode != "disable",), mode
        except psycopg.OperationalError:
            if works:
                raise
    asyncio.run(asyncpg_logs_in(proxy.target, certificate is not None))
    outcome = proxy.stop()
    assert outcome.report["coverage"]["opaque_sessions"] == 0


async def asyncpg_logs_in(target: Target, tls: bool) -> None:
    """It binds nothing, so every case is one for it."""
    context = client_context(alpn=None) if tls else False
    connection = await asyncpg.connect(**target.asyncpg(), ssl=context)
    try:
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


def test_bound_login_is_refused_with_the_remedies(
    tls_server: Server, proxy_pair: Pair, pgsleuth: StartProxy
) -> None:
    proxy = pgsleuth(
        tls_server.app, upstream=tls_server.app.url(query="sslmode=require"), **proxy_pair.options()
    )
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError) as refused:
            psycopg.connect(proxy.target.url(query="sslmode=require"))
        words = str(refused.value)
        for remedy in ("--tls-cert", "channel_binding=disable", "sslmode=disable"):
            assert remedy in words
    outcome = proxy.stop()
    assert outcome.stderr.count("SCRAM channel binding") == 1
    assert outcome.report["coverage"]["refused_sessions"] == 3


def test_offer_is_kept_whole_when_asked_for(tls_server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(tls_server.app, no_tls_strip_channel_binding=True)
    with pytest.raises(psycopg.OperationalError, match="SCRAM-SHA-256-PLUS"):
        psycopg.connect(proxy.target.url(query="sslmode=disable"))


# --- client leg: how it begins ---


@pytest.fixture
def front(tls_server: Server, proxy_pair: Pair, pgsleuth: StartProxy) -> Proxy:
    """TLS to the client, clear to the server."""
    return pgsleuth(
        tls_server.app, upstream=tls_server.app.url(query="sslmode=disable"), **proxy_pair.options()
    )


def test_direct_tls_is_taken_with_the_right_protocol_only(front: Proxy, authority: Authority) -> None:
    with wire.log_in(
        front.target, encrypted(front.target, client_context(authority), direct=True)
    ) as session:
        assert session.socket.selected_alpn_protocol() == ALPN  # type: ignore[attr-defined]
        assert session.ask("SELECT 1")[-1].body == b"I"
    with pytest.raises(ssl.SSLError):
        encrypted(front.target, client_context(alpn="http/1.1"), direct=True)
    with encrypted(front.target, client_context(alpn=None), direct=True) as peer:
        peer.sendall(wire.startup(user=OPEN_ROLE, database="app"))
        assert wire.read_to_end(peer) == b""


def test_start_up_packet_in_one_read_with_the_end_of_the_handshake_is_not_left_lying(
    front: Proxy, authority: Authority
) -> None:
    """A quick client's handshake may be over in pgsleuth's first step; each login is a chance of it."""
    query = f"sslmode=verify-full&sslrootcert={authority.cert}&sslnegotiation=direct"
    for n in range(50):
        with psycopg.connect(front.target.url(query=query), connect_timeout=20) as connection:
            assert connection.execute("SELECT %s::int", (n,)).fetchone() == (n,)


def test_negotiated_tls_needs_no_protocol_name(front: Proxy) -> None:
    with wire.log_in(front.target, encrypted(front.target, client_context(alpn=None))) as session:
        assert session.ask("SELECT 1")[-1].body == b"I"
    with pytest.raises(ssl.SSLError):
        encrypted(front.target, client_context(alpn="http/1.1"))


def test_tls_before_1_2_is_refused_and_1_3_can_be_demanded(
    tls_server: Server, proxy_pair: Pair, pgsleuth: StartProxy
) -> None:
    proxy = pgsleuth(tls_server.app, tls_min_version="1.3", **proxy_pair.options())
    old = client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        encrypted(proxy.target, old)
    with encrypted(proxy.target, client_context()) as peer:
        assert peer.version() == "TLSv1.3"


@pytest.mark.parametrize(
    "early", [b"x", wire.startup(user=OPEN_ROLE, database="app", application_name="smuggled")]
)
def test_clear_bytes_before_tls_never_reach_the_server(
    front: Proxy, tls_server: Server, early: bytes
) -> None:
    """CVE-2021-23214: in one piece with the request, they are refused; later, they are no TLS."""
    with wire.connect(front.target) as peer:
        peer.sendall(wire.SSL_REQUEST + early)
        (fatal,) = wire.split(wire.read_to_end(peer))
        assert fatal.fields()["C"] == "08P01"
    with wire.connect(front.target) as peer:
        peer.sendall(wire.SSL_REQUEST)
        assert wire.read_exactly(peer, 1) == b"S"
        peer.sendall(early + bytes(64))
        answer = wire.read_to_end(peer)
        assert not answer or answer[0] == 0x15  # nothing but a TLS alert
    assert tls_server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'smuggled'") == "0"


@pytest.mark.parametrize("request_packet", [wire.SSL_REQUEST, wire.GSSENC_REQUEST])
def test_request_for_encryption_inside_tls_is_refused(front: Proxy, request_packet: bytes) -> None:
    with encrypted(front.target, client_context()) as peer:
        peer.sendall(request_packet)
        (fatal,) = wire.split(wire.read_to_end(peer))
    assert (fatal.type, fatal.fields()["C"]) == ("E", "0A000")


def test_start_up_packet_in_many_records_is_taken(front: Proxy) -> None:
    peer = encrypted(front.target, client_context())
    for byte in wire.startup(user=OPEN_ROLE, database="app"):
        peer.sendall(bytes([byte]))
    assert wire.read_until(peer, "Z")
    peer.close()


def test_query_in_one_record_with_the_start_up_is_not_left_lying(front: Proxy) -> None:
    """What TLS has decrypted but the session could not take yet makes no socket readable."""
    with encrypted(front.target, client_context()) as peer:
        peer.sendall(wire.startup(user=OPEN_ROLE, database="app") + wire.query("SELECT 1") + wire.TERMINATE)
        messages = wire.split(wire.read_to_end(peer))
    assert [m.type for m in messages if m.type in "TDCZ"] == ["Z", "T", "D", "C", "Z"]


def test_client_certificate_is_checked_when_it_is_shown(
    authority: Authority, stranger: Authority, tls_server: Server, proxy_pair: Pair, pgsleuth: StartProxy
) -> None:
    proxy = pgsleuth(
        tls_server.app,
        upstream=tls_server.app.url(query="sslmode=disable"),
        tls_client_ca=authority.cert,
        **proxy_pair.options(),
    )
    good, bad = authority.sign("app"), stranger.sign("app")
    assert logs_in(proxy, "sslmode=require")
    assert logs_in(proxy, f"sslmode=require&sslcert={good.cert}&sslkey={good.key}")
    assert not logs_in(proxy, f"sslmode=require&sslcert={bad.cert}&sslkey={bad.key}")


def logs_in(proxy: Proxy, query: str) -> bool:
    try:
        psycopg.connect(proxy.target.url(query=query)).close()
    except psycopg.OperationalError:
        return False
    return True


# --- server leg ---


def greet(peer: socket.socket) -> None:
    """A server of few words: everybody is let in."""
    if len(length := peer.recv(4)) < 4:
        return  # it was refused
    wire.read_exactly(peer, int.from_bytes(length, "big") - 4)
    peer.sendall(wire.message("R", bytes(4)) + wire.message("Z", b"I"))
    wire.read_to_end(peer)


class Fake:
    """Answers an SSLRequest as it was told; keeps what it was sent."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.context = context
        self.openings: list[bytes] = []

    def __call__(self, peer: socket.socket) -> None:
        first = peer.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)
        if not first:
            return  # the preflight
        self.openings.append(first)
        if first != wire.SSL_REQUEST:
            greet(peer)
            return
        wire.read_exactly(peer, 8)
        peer.sendall(self.answer)
        if self.answer == b"S" and self.context is not None:
            with suppress(ssl.SSLError), self.context.wrap_socket(peer, server_side=True) as inside:
                greet(inside)
        elif self.answer == b"N":
            greet(peer)
        else:
            wire.read_to_end(peer)


def start_session(target: Target) -> wire.Message:
    """The server's first message, or pgsleuth's refusal."""
    with wire.connect(target) as peer:
        peer.sendall(wire.startup(user="someone"))
        return wire.read_message(peer)


def refusal(target: Target) -> str:
    first = start_session(target)
    assert first.type == "E", first
    return first.fields()["C"]


@pytest.mark.parametrize(
    ("mode", "answer", "expected"),
    [
        ("prefer", b"N", "R"),
        ("require", b"N", "08001"),
        ("prefer", b"E", "R"),  # by a second connection, in the clear
        ("require", b"E", "08001"),
        ("prefer", b"SR", "08001"),  # CVE-2021-23222: bytes that came with the answer
        ("require", b"S" + wire.message("R", bytes(4)), "08001"),
        ("prefer", b"N" + wire.message("R", bytes(4)), "08001"),
        ("require", b"?", "08001"),
    ],
)
def test_answer_to_the_request_for_tls_is_taken_as_libpq_does(
    pgsleuth: StartProxy, mode: str, answer: bytes, expected: str
) -> None:
    fake = Fake(answer)
    with wire.fake_server(fake) as upstream:
        proxy = pgsleuth(upstream, upstream=f"postgresql://{upstream.host}:{upstream.port}?sslmode={mode}")
        first = start_session(proxy.target)
        proxy.stop()
    assert expected == (first.type if first.type == "R" else first.fields()["C"])
    assert fake.openings[0] == wire.SSL_REQUEST
    assert len(fake.openings) == (2 if answer == b"E" and mode == "prefer" else 1)


def test_server_that_closes_or_stays_silent_is_told_with_57p03(pgsleuth: StartProxy) -> None:
    def close(peer: socket.socket) -> None:
        peer.recv(8)

    def be_silent(peer: socket.socket) -> None:
        wire.read_to_end(peer)

    for serve in (close, be_silent):
        with wire.fake_server(serve) as upstream:
            proxy = pgsleuth(
                upstream,
                upstream=f"postgresql://{upstream.host}:{upstream.port}",
                connect_timeout_ms="500ms",
            )
            assert refusal(proxy.target) == "57P03"
            proxy.stop()


# What the certificate of the server is, what the URL says, whether it may be connected to.
VERIFIED = {
    "require takes any": ("strange", "require", True),
    "require with a root is verify-ca": ("strange", "require&sslrootcert={ca}", False),
    "verify-ca, signed": ("good", "verify-ca&sslrootcert={ca}", True),
    "verify-ca, strange": ("strange", "verify-ca&sslrootcert={ca}", False),
    "verify-ca, wrong name": ("named", "verify-ca&sslrootcert={ca}", True),
    "verify-full, address": ("good", "verify-full&sslrootcert={ca}", True),
    "verify-full, wrong name": ("named", "verify-full&sslrootcert={ca}", False),
    "verify-full, name by hostaddr": (
        "named",
        "verify-full&sslrootcert={ca}&host=db.example&hostaddr=127.0.0.1",
        True,
    ),
    "verify-full, over": ("expired", "verify-full&sslrootcert={ca}", False),
    "verify-full, ecdsa": ("ecdsa", "verify-full&sslrootcert={ca}", True),
    "verify-full, system": ("good", "verify-full&sslrootcert=system", False),
}


@pytest.fixture(scope="module")
def leaves(authority: Authority, stranger: Authority) -> dict[str, Pair]:
    return {
        "good": authority.sign("server"),
        "strange": stranger.sign("server"),
        "named": authority.sign("db.example", ("DNS:db.example",)),
        "expired": authority.sign("server", days=-1),
        "ecdsa": authority.sign("server", key="ecdsa"),
    }


@pytest.mark.parametrize("case", VERIFIED)
def test_server_is_verified_as_the_url_asks(
    case: str, authority: Authority, leaves: dict[str, Pair], pgsleuth: StartProxy
) -> None:
    leaf, mode, passes = VERIFIED[case]
    fake = Fake(b"S", server_context(leaves[leaf]))
    with wire.fake_server(fake) as upstream:
        at = "" if "hostaddr" in mode else upstream.host
        query = f"sslmode={mode.format(ca=authority.cert)}&port={upstream.port}"
        proxy = pgsleuth(upstream, upstream=f"postgresql://{at}/?{query}")
        first = start_session(proxy.target)
        outcome = proxy.stop()
    if passes:
        assert first.type == "R", first
    else:
        assert (first.type, first.fields()["C"]) == ("E", "08001")
        assert "no TLS with the upstream server" in outcome.stderr


def test_revoked_server_is_refused_by_the_list_of_the_url_or_of_the_home(
    tmp_path: Path, pgsleuth: StartProxy
) -> None:
    """libpq reads ~/.postgresql/root.crl without being told."""
    revoking = Authority("revoking")
    leaf = revoking.sign("server")
    revoked = revoking.revoke(leaf)
    home = tmp_path / "home" / ".postgresql"
    home.mkdir(parents=True)
    (home / "root.crl").write_bytes(Path(revoked).read_bytes())
    query = f"sslmode=verify-ca&sslrootcert={revoking.cert}"
    try:
        for more, env, expected in (
            ("", {}, "R"),
            (f"&sslcrl={revoked}", {}, "E"),
            ("", {"HOME": str(home.parent)}, "E"),
        ):
            with wire.fake_server(Fake(b"S", server_context(leaf))) as upstream:
                url = f"postgresql://{upstream.host}:{upstream.port}?{query}{more}"
                proxy = pgsleuth(upstream, env=env, upstream=url)
                assert start_session(proxy.target).type == expected
                outcome = proxy.stop()
            assert ("certificate revoked" in outcome.stderr) == (expected == "E")
    finally:
        revoking.close()


@pytest.mark.parametrize(("offered", "expected"), [(ALPN, "R"), (None, "08001"), ("http/1.1", "08001")])
def test_direct_tls_to_the_server_needs_its_protocol(
    pgsleuth: StartProxy, proxy_pair: Pair, offered: str | None, expected: str
) -> None:
    names: list[str | None] = []

    def serve(peer: socket.socket) -> None:
        if not peer.recv(1, socket.MSG_PEEK):
            return
        context = server_context(proxy_pair, offered)
        context.sni_callback = lambda _, name, __: names.append(name)
        with suppress(ssl.SSLError), context.wrap_socket(peer, server_side=True) as inside:
            greet(inside)

    with wire.fake_server(serve) as upstream:
        url = (
            f"postgresql://localhost:{upstream.port}?hostaddr=127.0.0.1&sslmode=require&sslnegotiation=direct"
        )
        proxy = pgsleuth(upstream, upstream=url)
        first = start_session(proxy.target)
        proxy.stop()
    assert expected == (first.type if first.type == "R" else first.fields()["C"])
    assert names[-1] == "localhost"


def test_client_certificate_is_shown_to_the_server(
    authority: Authority, proxy_pair: Pair, pgsleuth: StartProxy
) -> None:
    mine = authority.sign("app")
    seen: list[bytes | None] = []
    context = server_context(proxy_pair)
    context.load_verify_locations(authority.cert)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(peer: socket.socket) -> None:
        if peer.recv(8, socket.MSG_WAITALL):
            peer.sendall(b"S")
            with context.wrap_socket(peer, server_side=True) as inside:
                seen.append(inside.getpeercert(binary_form=True))
                greet(inside)

    with wire.fake_server(serve) as upstream:
        query = f"sslmode=require&sslcert={mine.cert}&sslkey={mine.key}"
        proxy = pgsleuth(upstream, upstream=f"postgresql://{upstream.host}:{upstream.port}?{query}")
        assert start_session(proxy.target).type == "R"
        proxy.stop()
    assert seen == [der(mine)]


# --- certificates that change, and those that cannot be used ---


def test_certificate_is_read_again_on_sighup(
    authority: Authority, tls_server: Server, tmp_path: Path, pgsleuth: StartProxy
) -> None:
    first, second = authority.sign("localhost"), authority.sign("localhost")
    used = Pair(str(tmp_path / "used.crt"), str(tmp_path / "used.key"))

    def use(pair: Pair) -> None:
        Path(used.cert).write_bytes(Path(pair.cert).read_bytes())
        Path(used.key).write_bytes(Path(pair.key).read_bytes())
        Path(used.key).chmod(0o600)

    use(first)
    proxy = pgsleuth(
        tls_server.app, upstream=tls_server.app.url(query="sslmode=disable"), workers=2, **used.options()
    )
    with wire.log_in(proxy.target, encrypted(proxy.target, client_context(authority))) as session:
        assert shown(proxy.target) == der(first)
        use(second)
        proxy.send(signal.SIGHUP)
        eventually("the new certificate is shown", lambda: shown(proxy.target) == der(second))
        assert session.ask("SELECT 1")[-1].body == b"I"
        Path(used.cert).write_text("no certificate", encoding="ascii")
        proxy.send(signal.SIGHUP)
        eventually("it is refused", lambda: "nothing was reloaded" in proxy.stderr)
        assert shown(proxy.target) == der(second)
        assert session.ask("SELECT 1")[-1].body == b"I"
    assert used.cert in proxy.stop().stderr


def test_certificate_that_cannot_be_used_is_one_line_and_exit_code_9(
    authority: Authority, server: Server, proxy_pair: Pair, tmp_path: Path
) -> None:
    words = "secret words"
    other, locked = authority.sign("other"), authority.sign("locked", password=words)
    empty = tmp_path / "empty"
    empty.touch()
    cases: list[tuple[dict[str, str], str]] = [
        ({"cert": proxy_pair.cert, "key": other.key}, other.key),
        ({"cert": locked.cert, "key": locked.key}, locked.key),
        ({"cert": "/nowhere.crt", "key": proxy_pair.key}, "/nowhere.crt"),
        ({"cert": str(empty), "key": proxy_pair.key}, str(empty)),
        ({"cert": str(tmp_path), "key": proxy_pair.key}, str(tmp_path)),
        ({"cert": proxy_pair.cert}, "tls.key"),
        ({"key": proxy_pair.key}, "tls.cert"),
        ({"client-ca": authority.cert}, "tls.cert"),
        ({"cert": proxy_pair.cert, "key": proxy_pair.key, "client-ca": str(empty)}, str(empty)),
    ]
    for options, named in cases:
        arguments = [f"--tls-{name}={value}" for name, value in options.items()]
        done = run_command("run", f"--upstream={server.app.url()}", *arguments, f"--report-dir={tmp_path}/r")
        assert done.returncode == 2, (options, done.stderr)
        assert done.stderr.count("\n") == 1
        assert named in done.stderr
        assert words not in done.stderr


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=verify-full",
        "sslmode=verify-full&sslrootcert=/nowhere.crt",
        "sslmode=require&sslcert=/nowhere.crt&sslkey=/nowhere.key",
        "sslmode=require&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
        "sslmode=require&sslrootcert=system",
        "sslmode=sometimes",
        "sslnegotiation=direct",
        "gssencmode=require",
    ],
)
def test_url_that_cannot_be_followed_is_refused_at_the_start(server: Server, query: str) -> None:
    done = run_command("run", f"--upstream={server.app.url(query=query)}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert server.app.password not in done.stderr


# --- the relay ---


def test_both_directions_carry_much_at_once(
    tls_server: Server, server_pair: Pair, pgsleuth: StartProxy
) -> None:
    """Both legs stall again and again; the byte ledger of the test build compares what went through."""
    proxy = pgsleuth(
        tls_server.app, upstream=tls_server.app.url(query="sslmode=require"), **server_pair.options()
    )
    with psycopg.connect(proxy.target.url(query="sslmode=require"), autocommit=True) as connection:
        text = "x" * (8 * MIB)
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::text, %s", (text, n)) for n in range(4)]
        assert [(len(row[0]), row[1]) for row in (c.fetchone() for c in cursors)] == [
            (len(text), n) for n in range(4)
        ]
        with connection.cursor().copy(
            "COPY (SELECT repeat('y', 1000) FROM generate_series(1, 40000)) TO STDOUT"
        ) as out:
            assert sum(len(block) for block in out) == 40000 * 1001
    assert "none differ" in proxy.stop().stderr


@pytest.mark.parametrize("mode", ["disable", "require"])
def test_half_closed_client_still_gets_its_answer_over_tls(
    tls_server: Server, server_pair: Pair, pgsleuth: StartProxy, mode: str
) -> None:
    proxy = pgsleuth(
        tls_server.app, upstream=tls_server.app.url(query=f"sslmode={mode}"), **server_pair.options()
    )
    received = 0
    with wire.log_in(proxy.target, encrypted(proxy.target, client_context())).socket as peer:
        peer.sendall(wire.query("SELECT repeat('x', 1000) FROM generate_series(1, 20000)") + wire.TERMINATE)
        socket.socket.shutdown(peer, socket.SHUT_WR)  # TLS would end both ways
        while chunk := peer.recv(1 << 16):
            received += len(chunk)
    assert received > 20_000_000
    proxy.stop()


def test_cancel_passes_inside_tls_and_in_the_clear(
    tls_server: Server, server_pair: Pair, pgsleuth: StartProxy
) -> None:
    proxy = pgsleuth(
        tls_server.app, upstream=tls_server.app.url(query="sslmode=require"), **server_pair.options()
    )
    target = proxy.target
    for inside in (True, False):
        with psycopg.connect(target.url(query="sslmode=require"), autocommit=True) as connection:

            def cancel(how: bool = inside, that: psycopg.Connection[Any] = connection) -> None:
                that.cancel_safe(timeout=20) if how else that.cancel()

            with repeatedly(cancel), pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT pg_sleep(60)")


def test_courier_is_closed_only_after_the_server_has_closed(pgsleuth: StartProxy, proxy_pair: Pair) -> None:
    """libpq waits for the end, so that its cancel cannot hit the next statement."""
    request = wire.cancel_request(77, bytes(range(200)))
    got: list[bytes] = []
    release = threading.Event()

    def serve(peer: socket.socket) -> None:
        if not (length := peer.recv(4, socket.MSG_WAITALL)):
            return
        got.append(length + wire.read_exactly(peer, int.from_bytes(length, "big") - 4))
        assert release.wait(30)

    with wire.fake_server(serve) as upstream:
        proxy = pgsleuth(upstream, **proxy_pair.options())
        for inside in (False, True):
            release.clear()
            peer = encrypted(proxy.target, client_context()) if inside else wire.connect(proxy.target)
            with peer:
                peer.sendall(request)
                eventually("the server has it", lambda n=1 + inside: len(got) == n)  # type: ignore[misc]
                peer.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    peer.recv(1)
                release.set()
                peer.settimeout(30)
                assert wire.read_to_end(peer) == b""
        proxy.stop()
    assert got == [request, request]


# --- several servers ---


def test_each_listener_leads_to_its_own_server(
    server: Server, tls_server: Server, pgsleuth: StartProxy
) -> None:
    ports = [free_port(), free_port()]
    hosts = f"{server.app.host}:{server.app.port},{tls_server.app.host}:{tls_server.app.port}"
    pgsleuth(
        server.app,
        listen=",".join(f"127.0.0.1:{port}" for port in ports),
        upstream=f"postgresql://{hosts}",
    )
    for port, behind in zip(ports, (server, tls_server)):
        with psycopg.connect(behind.app.at("127.0.0.1", port).url()) as connection:
            assert connection.execute("SHOW port").fetchone() == (str(behind.app.port),)
    done = run_command("run", f"--upstream=postgresql://{hosts}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "2 hosts" in done.stderr
    done = run_command(
        "run", f"--listen=127.0.0.1:{ports[0]},localhost:{ports[0]}", f"--upstream=postgresql://{hosts}"
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "one address" in done.stderr


def test_listener_on_every_address_refuses_itself_as_server() -> None:
    port = free_port()
    done = run_command("run", f"--listen=0.0.0.0:{port}", f"--upstream=postgresql://localhost:{port}")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "own listener" in done.stderr
