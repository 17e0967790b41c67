"""Scenarios: what an application does with one driver, and all that the driver tells it about the answers.

A scenario takes where to connect and returns what it saw. It makes what it needs and may run any number of
times; what differs between two runs on the same server (process ids, object ids, times) is not in what it
returns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from server import Target

Scenario = Callable[[Target], list[Any]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    def register(function: Scenario) -> Scenario:
        assert name not in SCENARIOS, name
        SCENARIOS[name] = function
        return function

    return register


@contextmanager
def repeatedly(action: Callable[[], Any], every_s: float = 0.2) -> Iterator[None]:
    """Do it in a thread now and then until the block is left: a statement to cancel may not have begun."""
    over = threading.Event()

    def loop() -> None:
        while not over.wait(every_s):
            action()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


LARGE_ROW_BYTES = 64 << 20

TYPES = """SELECT 42::int2, -7::int4, 1234567890123::int8, 1.25::numeric(10,2), 2.5::float8, true, NULL::text,
    'é''quoted'' \\ %'::text, 'x'::char(3), '\\x0001ff'::bytea, '2020-02-29'::date, '12:30:45.5'::time,
    '2020-02-29 12:30:45.678'::timestamp, '2020-02-29 12:30:45+02'::timestamptz, '1 day 02:00:00'::interval,
    '7f3b1f1e-8f3c-4d5e-9b5a-0123456789ab'::uuid, '{"a": [1, null]}'::jsonb, ARRAY[1,2,NULL]::int[],
    ARRAY['a','b c']::text[], '[1,5)'::int4range, '10.0.0.1'::inet"""

# What the errors of these look like is PostgreSQL's business; that they arrive is ours.
BAD_STATEMENTS = (
    "SELEC 1",
    "SELECT nope FROM pg_class",
    "SELECT 1/0",
    "SELECT 'x'::int",
    "SELECT * FROM no_such_table",
    "SELECT no_such_function(1)",
    "DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'PX001', DETAIL = 'd', HINT = 'h', TABLE = 't'; END $$",  # noqa: E501
)
NOTICES = """DO $$ BEGIN
    RAISE NOTICE 'one %', 1; RAISE WARNING 'two' USING HINT = 'h'; RAISE INFO 'three';
END $$"""
