"""`pgsleuth doctor` says beforehand what `pgsleuth run` does with the same options."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import wire
from certs import Authority, Pair
from proxy import StartProxy, run_command
from server import Server, free_port, run_server


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.close()


@pytest.fixture(scope="module")
def pairs(authority: Authority) -> dict[str, Pair]:
    return {
        "server": authority.sign("localhost", days=300),
        "proxy": authority.sign("localhost", days=300),
        "ending": authority.sign("localhost", days=3),
        "named": authority.sign("elsewhere", ("DNS:elsewhere",), days=300),
    }


@pytest.fixture(scope="module")
def tls_server(pairs: dict[str, Pair]) -> Iterator[Server]:
    yield from run_server(certificate=pairs["server"])


def doctor(upstream: str, **options: str) -> subprocess.CompletedProcess[str]:
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    listen = [] if "listen" in options else [f"--listen=127.0.0.1:{free_port()}"]
    return run_command("doctor", f"--upstream={upstream}", *listen, *arguments)


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What was looked at -> ok, warn or FAIL; every one that is not ok says what to do."""
    lines = done.stdout.splitlines()
    found = {}
    for at, line in enumerate(lines):
        if line.startswith("      fix: "):
            continue
        verdict, _, rest = line.partition(" ")
        found[rest.strip().partition(": ")[0]] = verdict
        assert verdict == "ok" or lines[at + 1].startswith("      fix: "), line
    return found


# What is configured: sslmode upstream, certificate of pgsleuth; what is said of applications in the clear
# and with TLS.
CASES = {
    "D": ("disable", None, "ok", None),
    "B": ("disable", "proxy", "ok", "ok"),
    "C": ("require", None, "ok", None),
    "A": ("require", "proxy", "ok", "FAIL"),
    "A'": ("require", "server", "ok", "ok"),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict_and_reality_agree(
    case: str, tls_server: Server, pairs: dict[str, Pair], pgsleuth: StartProxy
) -> None:
    mode, certificate, clear, tls = CASES[case]
    options: dict[str, Any] = pairs[certificate].options() if certificate else {}
    upstream = tls_server.app.url(query=f"sslmode={mode}")
    done = doctor(upstream, **options)
    said = verdicts(done)
    assert said["applications in the clear"] == clear
    assert said.get("applications with TLS") == tls
    assert (f"case {case}:" in done.stdout) or case == "B"
    assert done.returncode == (2 if "FAIL" in said.values() else 0), done.stdout
    proxy = pgsleuth(tls_server.app, upstream=upstream, **options)
    for client, verdict in (("disable", clear), ("require", tls)):
        try:
            psycopg.connect(proxy.target.url(query=f"sslmode={client}")).close()
            works = True
        except psycopg.OperationalError:
            works = False
        assert works == (verdict == "ok"), client


def test_offer_that_is_not_stripped_fails_clients_in_the_clear(tls_server: Server) -> None:
    done = run_command(
        "doctor",
        f"--upstream={tls_server.app.url(query='sslmode=require')}",
        f"--listen=127.0.0.1:{free_port()}",
        "--no-tls-strip-channel-binding",
    )
    assert (done.returncode, verdicts(done)["applications in the clear"]) == (2, "FAIL")


@pytest.mark.parametrize("method", ["trust", "md5"])
def test_login_that_binds_nothing_works_in_every_case(method: str, pairs: dict[str, Pair]) -> None:
    settings = {"password_encryption": "md5"} if method == "md5" else {}
    for server in run_server(method, certificate=pairs["server"], **settings):
        done = doctor(server.app.url(query="sslmode=require"), **pairs["proxy"].options())
        assert done.returncode == 0, done.stdout
        assert verdicts(done)["applications with TLS"] == "ok"


def failing(done: subprocess.CompletedProcess[str]) -> set[str]:
    return {what for what, verdict in verdicts(done).items() if verdict == "FAIL"}


def test_server_that_is_down_refuses_or_is_none(server: Server) -> None:
    port = free_port()
    done = doctor(f"postgresql://someone@127.0.0.1:{port}/d", explain_dsn="")
    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in failing(done)
    done = doctor(server.app.url().replace(f"/{server.app.database}", "/nowhere"))
    assert "login" not in failing(done)  # the server asks for the password first
    assert done.returncode == 3
    assert "plans" in failing(done)
    done = doctor(server.app.url().replace(server.app.password, "wrong"))
    assert (done.returncode, failing(done)) == (3, {"plans"})
    assert server.app.password not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"N" + bytes(5), b"N\xff\xff\xff\xff"]
)
def test_garbage_from_the_server_is_told(answer: bytes) -> None:
    def serve(peer: socket.socket) -> None:
        if peer.recv(8):
            peer.sendall(answer)

    with wire.fake_server(serve) as target:
        done = doctor(f"postgresql://u@{target.host}:{target.port}/d", connect_timeout_ms="2s")
    assert done.returncode == 3
    assert failing(done)


def test_certificates_are_judged(authority: Authority, pairs: dict[str, Pair]) -> None:
    for server in run_server(certificate=pairs["ending"]):
        url = f"sslmode=verify-full&sslrootcert={authority.cert}"
        said = verdicts(doctor(server.app.url(query=url), **pairs["ending"].options()))
        assert said["client leg"] == "warn"
        assert said[f"127.0.0.1:{server.app.port}"] == "warn"
    for server in run_server(certificate=pairs["named"]):
        done = doctor(server.app.url(query=url))
        assert done.returncode == 3
        assert f"127.0.0.1:{server.app.port}" in failing(done)


def test_listener_in_use_is_told(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = doctor(server.app.url(), listen=f"127.0.0.1:{taken.getsockname()[1]}")
    assert (done.returncode, failing(done)) == (2, {"listeners"})


def test_options_that_cannot_be_read_end_it(server: Server, pairs: dict[str, Pair]) -> None:
    assert doctor("postgresql://u:secret@h/d?sslmode=no").returncode == 2
    done = doctor(server.app.url(), tls_cert=pairs["proxy"].cert, tls_key=pairs["server"].key)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
