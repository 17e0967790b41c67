"""What hostile, slow and dying peers do to the two legs of a session, and to those beside it."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import wire
from certs import Authority, Pair
from libssl import Tls, records
from proxy import StartProxy, binary, clean_environment, eventually
from server import OPEN_ROLE, Server


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.close()


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign("localhost")


def test_flood_of_key_updates_leaves_the_worker_to_others(
    server: Server, pair: Pair, pgsleuth: StartProxy
) -> None:
    """A record without data must not keep one read of OpenSSL's going for as long as more follow."""
    proxy = pgsleuth(server.app, **pair.options())
    other = wire.log_in(proxy.target)
    peer = wire.connect(proxy.target)
    peer.sendall(wire.SSL_REQUEST)
    assert wire.read_exactly(peer, 1) == b"S"
    with Tls(peer) as tls, other:
        for _ in range(40_000):
            tls.key_update()
        tls.write(wire.startup(user=OPEN_ROLE, database="app"))
        sender = threading.Thread(target=peer.sendall, args=(tls.take(),))
        sender.start()
        for _ in range(5):
            assert other.ask("SELECT 1")[-1].body == b"I"
        answered, _, _ = select.select([peer], [], [], 0)
        assert not answered, "nobody else was served before the flood was over"
        sender.join()
        assert tls.read().startswith(b"R")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("strip", [True, False])
def test_server_that_wants_a_certificate_is_given_as_the_cause(
    authority: Authority, pair: Pair, pgsleuth: StartProxy, version: ssl.TLSVersion, strip: bool
) -> None:
    """TLS 1.3 tells after the handshake; and what is wrong with a certificate that nobody asked to be
    verified is not why it failed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    context.load_verify_locations(authority.cert)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version

    def serve(peer: socket.socket) -> None:
        if peer.recv(8, socket.MSG_WAITALL):
            peer.sendall(b"S")
            with contextlib.suppress(ssl.SSLError), context.wrap_socket(peer, server_side=True) as inside:
                wire.read_to_end(inside)

    with wire.fake_server(serve) as upstream:
        proxy = pgsleuth(
            upstream,
            upstream=f"postgresql://{upstream.host}:{upstream.port}?sslmode=require",
            tls_strip_channel_binding=str(strip).lower(),
        )
        for _ in range(10):
            with wire.connect(proxy.target) as peer:
                peer.sendall(wire.startup(user="someone"))
                (fatal,) = wire.split(wire.read_to_end(peer))
            assert (fatal.type, fatal.fields()["C"]) == ("E", "08001")
            assert "alert" in fatal.fields()["M"]
        assert "alert" in proxy.stop().stderr


def test_session_that_is_refused_or_over_takes_no_place(server: Server, pgsleuth: StartProxy) -> None:
    """However long its client leaves the end unread."""
    proxy = pgsleuth(server.app, max_sessions=1)
    with wire.log_in(proxy.target).socket as first, wire.connect(proxy.target) as refused:
        refused.sendall(wire.startup(user=OPEN_ROLE, database="app"))
        assert wire.read_message(refused).fields()["C"] == "53300"
        first.sendall(wire.TERMINATE)
        assert wire.read_to_end(first) == b""
        with wire.log_in(proxy.target) as second:
            assert second.ask("SELECT 1")[-1].body == b"I"


def test_message_of_tls_that_is_half_there_keeps_writing_waiting(pair: Pair, pgsleuth: StartProxy) -> None:
    """OpenSSL writes nothing between the records of a NewSessionTicket that it reads."""
    asked: list[bytes] = []
    question = wire.query("SELECT 1")

    def serve(peer: socket.socket) -> None:
        if not peer.recv(8, socket.MSG_WAITALL):
            return
        peer.sendall(b"S")
        with Tls(peer, cert=pair.cert, key=pair.key, fragment=512) as tls:
            assert tls.read() == wire.startup(user="someone")
            tls.write(wire.message("R", bytes(4)) + wire.message("Z", b"I"))
            tls.new_ticket()
            *first, last = records(tls.take())
            assert len(first) > 1, "the ticket is one record"
            peer.sendall(b"".join(first))
            peer.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                asked.append(tls.read())
            peer.settimeout(30)
            peer.sendall(last)
            asked.append(tls.read())
            tls.write(wire.message("Z", b"I"))
            tls.flush()

    with wire.fake_server(serve) as upstream:
        query = f"sslmode=require&sslcert={pair.cert}&sslkey={pair.key}"
        proxy = pgsleuth(upstream, upstream=f"postgresql://{upstream.host}:{upstream.port}?{query}")
        with wire.connect(proxy.target) as peer:
            peer.sendall(wire.startup(user="someone"))
            wire.read_until(peer, "Z")
            peer.sendall(question)
            assert wire.read_message(peer).type == "Z"
        proxy.stop()
    assert asked == [question]


# --- renewal ---


def test_names_are_looked_up_again_without_touching_the_certificates(
    authority: Authority, pgsleuth: StartProxy
) -> None:
    """A server that cannot be reached makes pgsleuth look where it is now; certificates wait for SIGHUP."""
    mine = authority.sign("localhost")
    Path(mine.key).chmod(0o644)  # which it warns of, each time it is read
    with wire.fake_server(lambda _: None) as upstream:
        proxy = pgsleuth(
            upstream, upstream=f"postgresql://localhost:{upstream.port}?sslmode=disable", **mine.options()
        )
    Path(mine.cert).write_text("no certificate", encoding="ascii")
    for _ in range(3):
        with wire.connect(proxy.target) as peer:
            peer.sendall(wire.startup(user="someone"))
            assert wire.read_message(peer).fields()["C"] == "57P03"
        time.sleep(1.1)  # as long as it waits between two looks
    log = proxy.stderr
    assert "nothing was reloaded" not in log
    assert "cannot look at the upstream again" not in log
    assert log.count("can be read by others") == 1
    proxy.send(signal.SIGHUP)
    eventually("the certificate is read", lambda: "nothing was reloaded" in proxy.stderr)
    proxy.stop()


def test_name_server_that_hangs_does_not_keep_the_end_waiting(tmp_path: Path, pgsleuth: StartProxy) -> None:
    hanging = tmp_path / "hanging"
    library = binary().parent / "tests" / "libhanging_names.so"
    assert library.is_file(), f"no {library}; build the tests"
    env = {
        "LD_PRELOAD": str(library),
        "HANGING_NAMES": str(hanging),
        "ASAN_OPTIONS": clean_environment()["ASAN_OPTIONS"] + ":verify_asan_link_order=0",
    }
    with wire.fake_server(lambda _: None) as upstream:
        proxy = pgsleuth(
            upstream, env=env, upstream=f"postgresql://localhost:{upstream.port}?sslmode=disable"
        )
        hanging.touch()
        proxy.send(signal.SIGHUP)
        eventually("it is looked up", lambda: not hanging.exists())
        proxy.stop()
