"""What a statement costs more with pgsleuth_tags through real drivers, in microseconds of processor time.

    PGSLEUTH_TEST_DSN=postgresql://... python bench/drivers.py [ROUNDS]

Each round runs the same statements on a plain and on a tagged connection, in turns, with marks off and on;
told is the median of the differences. Processor time, so that what else runs on the machine hardly matters;
the server's part, a longer text to read where the driver has not prepared it, is not in it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import asyncpg
import psycopg
import sqlalchemy

import pgsleuth_tags.asyncpg
import pgsleuth_tags.psycopg
import pgsleuth_tags.sqlalchemy
from pgsleuth_tags import current_endpoint, marks, new_request_id

DSN = os.environ["PGSLEUTH_TEST_DSN"]
STATEMENTS = 500
ROUNDS = 31


class Request:
    def __init__(self) -> None:
        self.request_id = new_request_id()

    def tags(self) -> tuple[str, str, str]:
        return "fastapi", "GET", "/authors/{author_id}"


def spent(function: Callable[[], object]) -> float:
    begun = time.process_time()
    for _ in range(STATEMENTS):
        function()
    return (time.process_time() - begun) / STATEMENTS * 1e6


async def spent_async(function: Callable[[], Awaitable[object]]) -> float:
    begun = time.process_time()
    for _ in range(STATEMENTS):
        await function()
    return (time.process_time() - begun) / STATEMENTS * 1e6


def tell(name: str, pairs: list[tuple[float, float]]) -> None:
    plain = statistics.median(plain for plain, _ in pairs)
    added = statistics.median(tagged - plain for plain, tagged in pairs)
    print(f"{name:34s} {added:6.1f} us, of {plain:6.1f} plain")


def bench_psycopg(rounds: int) -> list[tuple[float, float]]:
    tagged_class = pgsleuth_tags.psycopg.TaggedConnection
    with psycopg.connect(DSN, autocommit=True) as plain, tagged_class.connect(DSN, autocommit=True) as tagged:
        return [
            (
                spent(lambda: plain.execute("SELECT %s::int", (1,)).fetchone()),
                spent(lambda: tagged.execute("SELECT %s::int", (1,)).fetchone()),
            )
            for _ in range(rounds)
        ]


def bench_sqlalchemy(rounds: int) -> list[tuple[float, float]]:
    url = DSN.replace("postgresql://", "postgresql+psycopg://", 1)
    engines = [sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT") for _ in range(2)]
    pgsleuth_tags.sqlalchemy.instrument(engines[1])
    query, values = sqlalchemy.text("SELECT CAST(:i AS int)"), {"i": 1}
    with engines[0].connect() as plain, engines[1].connect() as tagged:
        return [
            (
                spent(lambda: plain.execute(query, values).all()),
                spent(lambda: tagged.execute(query, values).all()),
            )
            for _ in range(rounds)
        ]


def bench_asyncpg(rounds: int) -> list[tuple[float, float]]:
    async def run() -> list[tuple[float, float]]:
        plain = await asyncpg.connect(DSN)
        tagged = await asyncpg.connect(DSN, connection_class=pgsleuth_tags.asyncpg.TaggedConnection)
        pairs = [
            (
                await spent_async(lambda: plain.fetchval("SELECT $1::int", 1)),
                await spent_async(lambda: tagged.fetchval("SELECT $1::int", 1)),
            )
            for _ in range(rounds)
        ]
        await plain.close()
        await tagged.close()
        return pairs

    return asyncio.run(run())


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    current_endpoint.set(Request())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        for marked in ("", " with marks"):
            if marked:
                marks.enable(f"127.0.0.1:{receiver.getsockname()[1]}")
            tell(f"psycopg 3{marked}:", bench_psycopg(rounds))
            tell(f"asyncpg{marked}:", bench_asyncpg(rounds))
            tell(f"SQLAlchemy on psycopg 3{marked}:", bench_sqlalchemy(rounds))


if __name__ == "__main__":
    main()
