"""Captures, read without pgsleuth (the records of wire/record.h): what was understood of a session."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ERROR, SUSPENDED, BATCH, PIPELINED = 1, 2, 4, 8
EXTENDED, REUSED, VALUES_CUT, COPY, UNKNOWN = 16, 32, 128, 512, 1024
VERSION = 5
FILE_HEADER = struct.Struct("=8sII")
HEADER = struct.Struct("=IHH")
SESSION_START, SESSION_END, SESSION_OPAQUE, STATEMENT, TAG, EXCHANGE = 2, 3, 4, 5, 6, 8
# A layout that changes fails here, not in the tests.
START = struct.Struct("=QqHHHH")
END = struct.Struct("=QqQQIHBB")
OPAQUE = struct.Struct("=QqH6x")
STATEMENT_FIXED = struct.Struct("=16sHHHH")
TAG_ID = struct.Struct("=Q")
EXCHANGE_FIXED = struct.Struct("=Q16sQQqIIQQQQIIIHHIBBBB5sBHQQQ")


@dataclass(frozen=True)
class Exchange:
    session: int
    sql: str
    flags: int
    rows: int
    affected: int
    bytes: int
    values_hash: int
    round_trip: int
    portal: int
    batch: tuple[int, int]
    states: str  # of the transaction, before and after; "." where it was not known
    sqlstate: str
    tag: str

    def has(self, flags: int) -> bool:
        return self.flags & flags == flags


@dataclass(frozen=True)
class Capture:
    exchanges: list[Exchange]
    opaque: list[int]  # reasons
    from_client: int
    from_server: int

    def statements(self) -> list[str]:
        return [exchange.sql for exchange in self.exchanges]


def _raw(path: Path) -> Iterator[tuple[int, bytes]]:
    data = path.read_bytes()
    magic, version, _ = FILE_HEADER.unpack_from(data)
    assert magic == b"PGSLEUTH", magic
    assert version == VERSION
    at = FILE_HEADER.size
    while at < len(data):
        length, kind, _ = HEADER.unpack_from(data, at)
        yield kind, data[at + HEADER.size : at + length]
        at += length


def _state(code: int) -> str:
    return chr(code) if code else "."


def _exchange(body: bytes, texts: dict[bytes, str], tags: dict[int, str]) -> Exchange:
    f = EXCHANGE_FIXED.unpack_from(body)
    session, identity, tag, _, _, _, _, rows, size, _, values_hash, round_trip, portal, _ = f[:14]
    index, count, flags, _, before, after, _, sqlstate, _, _, affected, _, _ = f[14:]
    return Exchange(
        session=session,
        sql=texts.get(identity, ""),
        flags=flags,
        rows=rows,
        affected=affected,
        bytes=size,
        values_hash=values_hash,
        round_trip=round_trip,
        portal=portal,
        batch=(index, count),
        states=_state(before) + _state(after),
        sqlstate=sqlstate.rstrip(b"\0").decode(),
        tag=tags.get(tag, ""),
    )


def read(path: Path, application: str) -> Capture:
    """What a capture says of the sessions of one application_name, in the order in which it was written."""
    texts: dict[bytes, str] = {}
    tags: dict[int, str] = {}
    sessions: set[int] = set()
    exchanges: list[Exchange] = []
    opaque: list[int] = []
    counted = [0, 0]
    for kind, body in _raw(path):
        if kind == SESSION_START:
            session, _, user, database, name, _ = START.unpack_from(body)
            at = START.size + user + database
            if body[at : at + name].decode() == application:
                sessions.add(session)
        elif kind == STATEMENT:
            identity, _, _, size, _ = STATEMENT_FIXED.unpack_from(body)
            text = body[STATEMENT_FIXED.size : STATEMENT_FIXED.size + size].decode()
            texts[identity] = text.replace("\1", "?").replace("\2", ", ...")
        elif kind == TAG:
            tags[TAG_ID.unpack_from(body)[0]] = body[TAG_ID.size :].rstrip(b"\0").decode("latin-1")
        elif kind == EXCHANGE:
            exchange = _exchange(body, texts, tags)
            exchanges += [exchange] if exchange.session in sessions else []
        elif kind == SESSION_OPAQUE:
            session, _, reason = OPAQUE.unpack_from(body)
            opaque += [reason] if session in sessions else []
        elif kind == SESSION_END:
            session, _, client, server, _, _, _, _ = END.unpack_from(body)
            if session in sessions:
                counted = [counted[0] + client, counted[1] + server]
    return Capture(exchanges, opaque, counted[0], counted[1])
