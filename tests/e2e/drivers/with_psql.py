from __future__ import annotations

import re
import subprocess
from typing import Any

from drivers import scenario
from server import Target, find_program

SCRIPT = r"""
\set VERBOSITY verbose
\conninfo
SELECT 1 AS one \gset
\echo :one
BEGIN;
CREATE TEMP TABLE t (id int PRIMARY KEY, name text) ON COMMIT DROP;
INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 5) n;
\copy t from stdin
6	six
7	\N
\.
TABLE t;
\copy (SELECT * FROM t ORDER BY id DESC) to stdout csv header
SAVEPOINT s;
INSERT INTO t VALUES (1, 'again');
ROLLBACK TO s;
SELECT 1/0 AS oops \gdesc
SELECT n, n * 2 AS twice FROM generate_series(1, 3) n \gdesc
\set FETCH_COUNT 2
SELECT * FROM t ORDER BY id;
\unset FETCH_COUNT
SELECT 'SELECT ' || n FROM generate_series(1, 3) n \gexec
COMMIT;
SELECT 1 \; SELECT 2 \; SELECT 3;
DO $$ BEGIN RAISE NOTICE 'hello'; END $$;
LISTEN news;
NOTIFY news, 'mine';
\set AUTOCOMMIT off
SELECT pg_sleep(0);
COMMIT;
SELECT missing FROM nowhere;
"""
# psql's own words hold ports, process ids, and what its leg is encrypted with.
OWN_WORDS = ("You are connected", "Asynchronous notification", "SSL connection")


@scenario("psql_script")
def script(target: Target) -> list[Any]:
    done = subprocess.run(
        [find_program("psql"), "-X", "-a"],
        input=SCRIPT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=target.environment(),
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith(OWN_WORDS)]
    heard = [
        line.rsplit(" from ", 1)[0] for line in done.stdout.splitlines() if line.startswith(OWN_WORDS[1])
    ]
    # So does the schema of temporary tables.
    return [done.returncode, lines, re.sub(r"pg_temp_\d+", "pg_temp", done.stderr), heard]


@scenario("psql_without_input")
def one_liners(target: Target) -> list[Any]:
    seen: list[Any] = []
    for arguments in (
        ["-l", "-A", "-t"],
        ["-A", "-c", "SELECT 1", "-c", "SELECT 2"],
        ["-c", "SELECT 1/0"],
        ["-c", ""],
    ):
        done = subprocess.run(
            [find_program("psql"), "-X", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=target.environment(),
        )
        seen.append([done.returncode, done.stdout, done.stderr])
    return seen
