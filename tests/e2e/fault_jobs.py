"""What is done while connections break: jobs with known answers, each marking the places it comes by."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import struct
from collections.abc import Awaitable
from typing import Callable

import wire
from faults import Client
from server import OPEN_ROLE, Target

DATABASE = "app"
TABLE = "faults_done"
RESULT_ROWS, ROW_BYTES = 100, 4000
BIG_ROW_BYTES = 400_000
COPY_LINES, COPY_LINE_BYTES = 60, 5000
SLEEP_S = 0.2
LONG_SLEEP_S = 3  # a cancel ends it before
CANARY_BYTES = 24

Job = Callable[[Client, str], Awaitable[None]]


async def log_in(c: Client, user: str = OPEN_ROLE) -> None:
    c.mark("start")
    await c.send(wire.startup(user=user, database=DATABASE, application_name="faults"))
    c.mark("start-up sent")
    if user == OPEN_ROLE:
        await c.until("Z")
        c.mark("logged in")


async def ask(c: Client, sql: str) -> list[wire.Message]:
    await c.send(wire.query(sql))
    return await c.until("Z")


async def leave(c: Client) -> None:
    await c.send(wire.TERMINATE)
    c.mark("terminated")
    await c.to_end()
    c.mark("end")


def rows_of(canary: str) -> str:
    return (
        f"SELECT n, repeat('{canary}', {ROW_BYTES // CANARY_BYTES}) FROM generate_series(1, {RESULT_ROWS}) n"
    )


async def job_statements(c: Client, canary: str) -> None:
    await log_in(c)
    await ask(c, f"SELECT '{canary}'")
    await c.pause("idle")
    await c.send(wire.query(f"SELECT /* {'long ' * 400}*/ '{canary}'"))
    c.mark("query sent")
    await c.until("Z")
    await c.send(wire.query(f"SELECT '{canary}', pg_sleep({SLEEP_S})"))
    await c.pause("waiting")
    await c.until("Z")
    await leave(c)


async def job_results(c: Client, canary: str) -> None:
    await log_in(c)
    await ask(c, rows_of(canary))
    c.mark("result")
    await c.send(wire.query(f"SELECT '{canary}' || repeat('x', {BIG_ROW_BYTES}) || '{canary}'"))
    await c.until("T")
    c.mark("row begins")
    await c.until("D")
    c.mark("row")
    await c.until("Z")
    await leave(c)


async def job_ssl_request(c: Client, canary: str) -> None:
    c.mark("request begins")
    await c.send(wire.SSL_REQUEST)
    c.mark("request")
    assert await c.take(1) == b"N"
    await log_in(c)
    await ask(c, f"SELECT '{canary}'")
    await leave(c)


def scram_proof(password: str, first: str, server_first: str, final: str) -> bytes:
    fields = dict(part.split("=", 1) for part in server_first.split(","))
    salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    key = hmac.digest(salted, b"Client Key", "sha256")
    said = f"{first},{server_first},{final}".encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), said, "sha256")
    return base64.b64encode(bytes(a ^ b for a, b in zip(key, signature)))


def scram_job(target: Target) -> Job:
    async def job(c: Client, canary: str) -> None:
        await log_in(c, target.user)
        await c.until("R")
        c.mark("offer")
        first = f"n=,r={canary}"
        body = f"n,,{first}".encode()
        await c.send(wire.message("p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(body)) + body))
        c.mark("first")
        (answer,) = await c.until("R")
        c.mark("challenge")
        server_first = answer.body[4:].decode()
        nonce = server_first.split(",", 1)[0]
        assert nonce.startswith(f"r={canary}"), "another session's challenge"
        final = f"c=biws,{nonce}"
        proof = await asyncio.to_thread(scram_proof, target.password, first, server_first, final)
        await c.send(wire.message("p", final.encode() + b",p=" + proof))
        c.mark("final")
        await c.until("Z")
        c.mark("logged in")
        await ask(c, f"SELECT '{canary}'")
        await leave(c)

    return job


async def job_copy_in(c: Client, canary: str) -> None:
    await log_in(c)
    await c.send(wire.query(f"COPY {TABLE} FROM STDIN"))
    await c.until("G")
    c.mark("copying")
    for n in range(COPY_LINES):
        await c.send(wire.message("d", f"{canary}\t{n}\t{'y' * COPY_LINE_BYTES}\n".encode()))
    c.mark("copied")
    await c.send(wire.message("c", b""))
    await c.until("Z")
    await leave(c)


async def job_copy_out(c: Client, canary: str) -> None:
    await log_in(c)
    await c.send(wire.query(f"COPY ({rows_of(canary)}) TO STDOUT"))
    await c.until("H")
    c.mark("copying")
    await c.until("c")
    c.mark("copied")
    await c.until("Z")
    await leave(c)


def extended(sql: str) -> bytes:
    return (
        wire.message("P", b"\0" + sql.encode() + b"\0\0\0")
        + wire.message("B", b"\0\0\0\0\0\0\0\0")
        + wire.message("D", b"P\0")
        + wire.message("E", b"\0\0\0\0\0")
    )


async def job_pipeline(c: Client, canary: str) -> None:
    """An error in the middle of it: what follows is skipped up to the Sync, which is held back."""
    await log_in(c)
    c.mark("pipeline")
    good = [f"SELECT '{canary}', {n}, repeat('z', 500)" for n in range(20)]
    await c.send(b"".join(extended(sql) for sql in good))
    c.mark("good part")
    await c.send(extended(f"SELECT '{canary}', 1 / 0") + wire.message("H", b""))
    await c.until("E")
    c.mark("error")
    await c.send(b"".join(extended(sql) for sql in good))
    c.mark("skipped part")
    await c.pause("no sync")
    await c.send(wire.SYNC + wire.query(f"SELECT '{canary}'"))
    c.mark("synced")
    await c.until("Z")
    await c.until("Z")
    await leave(c)


async def job_transaction(c: Client, canary: str) -> None:
    await log_in(c)
    await ask(c, "BEGIN")
    await ask(c, f"INSERT INTO {TABLE} SELECT '{canary}', n, '' FROM generate_series(1, {COPY_LINES}) n")
    await c.pause("in transaction")
    await ask(c, "COMMIT")
    await leave(c)


async def job_cancelled(c: Client, canary: str) -> None:
    """Somebody cancels it while it waits; see Front._cancel."""
    await log_in(c)
    await c.send(wire.query(f"SELECT '{canary}', pg_sleep({LONG_SLEEP_S})"))
    await c.pause("waiting")
    await c.until("Z")
    await leave(c)


async def job_cancelling(c: Client, canary: str) -> None:
    assert c.victim is not None, canary
    c.mark("start")
    await c.send(cancel_of(c.victim))
    c.mark("end")
    await c.to_end()


def cancel_of(victim: Client) -> bytes:
    return wire.cancel_request(struct.unpack("!I", victim.key[:4])[0], victim.key[4:])


async def begin_tls(c: Client) -> None:
    await c.send(wire.SSL_REQUEST)
    c.mark("asked")
    assert await c.take(1) == b"S"
    c.mark("answered")
    await c.start_tls()
    c.mark("encrypted")


def tls_job(job: Job) -> Job:
    async def inside(c: Client, canary: str) -> None:
        c.mark("tls begins")
        await begin_tls(c)
        await job(c, canary)

    return inside


def jobs(target: Target) -> dict[str, Job]:
    return {
        "statements": job_statements,
        "results": job_results,
        "ssl request": job_ssl_request,
        "scram": scram_job(target),
        "copy in": job_copy_in,
        "copy out": job_copy_out,
        "pipeline": job_pipeline,
        "transaction": job_transaction,
        "cancelled": job_cancelled,
        "cancelling": job_cancelling,
        "tls statements": tls_job(job_statements),
        "tls results": tls_job(job_results),
    }
