"""Values that must not be found anywhere afterwards, and every way to send them that a client has."""

from __future__ import annotations

import base64
import secrets
import struct
import urllib.parse
import uuid
from decimal import Decimal
from typing import Any, Callable

import asyncpg
import psycopg
import psycopg2
import psycopg2.extras
from psycopg.types.json import Jsonb

from server import Server, Target


class Canaries:
    """Each is sent one way only, so that one that is found says which way it took."""

    def __init__(self) -> None:
        self.words: dict[str, list[bytes]] = {}

    def _keep(self, name: str, *forms: bytes) -> None:
        assert name not in self.words, name
        self.words[name] = list(forms)

    def text(self, name: str) -> str:
        word = f"canary{secrets.token_hex(9)}"
        self._keep(name, word.encode())
        return word

    def secret(self, name: str) -> str:
        """With characters that a URL has to escape."""
        word = f"p%w@{secrets.token_hex(9)}:/? {secrets.token_hex(4)}"
        self._keep(name, word.encode(), urllib.parse.quote(word, safe="").encode(), word[5:22].encode())
        return word

    def integer(self, name: str) -> int:
        number = secrets.randbelow(10**17) + 10**17
        self._keep(name, str(number).encode(), struct.pack("!q", number), struct.pack("=q", number))
        return number

    def real(self, name: str) -> float:
        number = secrets.randbelow(10**14) / 10**15 + 0.5
        self._keep(name, repr(number)[1:].encode(), struct.pack("!d", number), struct.pack("=d", number))
        return number

    def uuid(self, name: str) -> uuid.UUID:
        value = uuid.UUID(bytes=secrets.token_bytes(16))
        self._keep(name, str(value).encode(), value.hex.encode(), value.bytes)
        return value

    def raw(self, name: str) -> bytes:
        value = secrets.token_bytes(12)
        self._keep(name, value)
        return value

    def add(self, name: str, word: str) -> str:
        """One that others made."""
        self._keep(name, word.encode())
        return word


def shapes(word: bytes) -> list[bytes]:
    """In which a careless program may write it."""
    found = [
        word,
        word.hex().encode(),
        word.hex().upper().encode(),
        urllib.parse.quote_from_bytes(word, safe="").encode(),
    ]
    for before in range(3):  # base64 of it somewhere in a longer text
        whole = base64.b64encode(b"\0" * before + word)
        found.append(whole[4 if before else 0 : (len(word) + before) // 3 * 4])
    if word.isascii():
        found.append(word.decode().encode("utf-16-le"))
    return found


def assert_none_in(left: dict[str, bytes], canaries: Canaries) -> None:
    for file, content in left.items():
        for name, words in canaries.words.items():
            for shape in (shape for word in words for shape in shapes(word)):
                assert shape not in content, f"{name} is in {file}, as {shape!r}"


# --- statements with literals ---


def literals(c: Canaries, through: str) -> list[str]:
    def t(name: str) -> str:
        return c.text(f"{through}: {name}")

    select = "SELECT name FROM people WHERE"
    return [
        f"{select} name = '{t('string')}'",
        f"{select} name IN ('a', '{t('list')}') LIMIT 5",
        f"{select} name LIKE E'{t('escape string')}\\'%'",
        f"{select} name = $tag${t('dollar quoted')}$tag$",
        f"{select} name = U&'{t('unicode string')}\\0041'",
        f"{select} name = 'a'\n  '{t('continued string')}'",
        f"{select} name::bytea = '\\x{t('bytea').encode().hex()}'",
        f"SELECT length(X'{c.raw(f'{through}: bit string').hex()}')",
        f"{select} id = {c.integer(f'{through}: integer')} OR id = -{c.integer(f'{through}: negative')}",
        f"{select} id = {c.real(f'{through}: real')}",
        f"{select} true /* {t('comment')} */ LIMIT 1",
        f"{select} true /* a /* {t('nested comment')} */ b */ LIMIT 1",
        f"{select} true LIMIT 1 -- {t('line comment')}",
        f"{select} true LIMIT 1 /*route='/r',traceparent='{t('trace')}',user='{t('tag of no use')}'*/",
        f"SELECT jsonb_build_object('{t('json key')}', name) FROM people LIMIT 1",
        f"SELECT '{{{t('array')}}}'::text[]",
        f"SELECT 1 AS one, '{t('column')}' AS two",
        f"VALUES ('{t('values')}')",
        f"SET search_path = public, '{t('setting')}'",
        "RESET search_path",
        f"SELECT set_config('shop.word', '{t('set_config')}', false)",
        f"NOTIFY news, '{t('payload')}'",
        f"SELECT pg_notify('news', '{t('pg_notify')}')",
        f"DO $$ BEGIN RAISE NOTICE '{t('do block')}'; END $$",
        f"CREATE TEMP TABLE t (v text UNIQUE DEFAULT '{t('default')}', n int CHECK (n < 5))",
        f"COMMENT ON TABLE t IS '{t('table comment')}'",
        f"INSERT INTO t VALUES ('{t('insert')}', 1)",
        f"UPDATE t SET v = '{t('update')}' WHERE n = 1 RETURNING v",
        f"DELETE FROM t WHERE v = '{t('delete')}'",
        f"PREPARE p (text) AS {select} name = $1 OR name = '{t('prepare')}'",
        f"EXECUTE p ('{t('execute')}')",
        "DEALLOCATE p",
        f"BEGIN; DECLARE d CURSOR FOR {select} name = '{t('cursor')}'; FETCH ALL FROM d; COMMIT",
        f"EXPLAIN {select} name = '{t('explain')}'",
        f"CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS $$ SELECT '{t('function')}'::text $$",
        "SELECT pg_temp.f()",
        f"ALTER ROLE CURRENT_USER SET search_path = '{t('role setting')}'",
        "ALTER ROLE CURRENT_USER RESET search_path",
        "DROP TABLE t",
    ]


def refused(c: Canaries, through: str) -> list[str]:
    """Statements whose errors repeat their values, or that are not even statements."""
    return [
        f"SELECT '{c.text(f'{through}: cast error')}'::int",
        f"SELECT '{c.text(f'{through}: open string')}",
        f"SELECT 1 /* {c.text(f'{through}: open comment')}",
        f"SELECT $x${c.text(f'{through}: open dollar')}",
        f"DO $$ BEGIN RAISE EXCEPTION '%', '{c.text(f'{through}: exception')}'; END $$",
        f"SELEC '{c.text(f'{through}: no statement')}'",
        f"INSERT INTO people VALUES (1, '{c.text(f'{through}: unique key')}')",
        f"SELECT '{c.text(f'{through}: json error')}'::json",
    ]


def as_superuser(c: Canaries) -> list[str]:
    return [
        f"CREATE ROLE one LOGIN PASSWORD '{c.text('create role')}'",
        f"ALTER ROLE one PASSWORD '{c.text('alter role')}' VALID UNTIL '2099-01-01'",
        f"ALTER ROLE one ENCRYPTED PASSWORD 'md5{c.text('alter role, as hash').encode().hex()[:32]}'",
        f"CREATE FOREIGN DATA WRAPPER w OPTIONS (secret '{c.text('wrapper option')}')",
        f"CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host '{c.text('server option')}')",
        f"CREATE USER MAPPING FOR one SERVER s OPTIONS (password '{c.text('user mapping')}')",
        "DROP FOREIGN DATA WRAPPER w CASCADE",
        f"CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere password={c.text('subscription')}' PUBLICATION p"
        " WITH (connect = false, enabled = false, slot_name = NONE)",
        "DROP SUBSCRIPTION sub",
        "DROP ROLE one",
    ]


def fails(run: Callable[[], Any], error: type[Exception]) -> None:
    try:
        run()
    except error:
        return
    raise AssertionError("it should have been refused")


# --- drivers ---


def with_psycopg3(target: Target, c: Canaries) -> None:
    name = "psycopg 3"
    many: dict[str, Any] = {
        "text": c.text(f"{name}: text parameter"),
        "texts": [c.text(f"{name}: array parameter"), "b"],
        "json": Jsonb({"key": c.text(f"{name}: json parameter")}),
        "uuid": c.uuid(f"{name}: uuid parameter"),
        "bytes": c.raw(f"{name}: bytes parameter"),
        "int": c.integer(f"{name}: integer parameter"),
        "float": c.real(f"{name}: float parameter"),
        "numeric": Decimal(c.integer(f"{name}: numeric parameter")),
        "large": "x" * 1_000_000 + c.text(f"{name}: large parameter"),
    }
    with psycopg.connect(**target.libpq(), autocommit=True, prepare_threshold=2) as connection:
        for sql in literals(c, name):
            connection.execute(sql.encode())
        for sql in refused(c, name):
            fails(lambda sql=sql: connection.execute(sql.encode()), psycopg.Error)
        for value in many.values():
            for binary in (False, True, False):
                with connection.cursor(binary=binary) as cursor:
                    cursor.execute("SELECT %s AS back, name FROM people LIMIT 2", (value,), binary=binary)
        connection.execute("CREATE TEMP TABLE t (v text UNIQUE)")
        with connection.cursor() as cursor:
            with cursor.copy("COPY t FROM STDIN") as copy:
                copy.write_row((c.text(f"{name}: copy in"),))
            with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
                copy.write_row((c.text(f"{name}: binary copy in"),))
            with cursor.copy("COPY t TO STDOUT") as copy:
                assert len(list(copy)) == 2
            with cursor.copy(f"COPY (SELECT '{c.text(f'{name}: copy out')}') TO STDOUT".encode()) as copy:
                assert len(list(copy)) == 1
            cursor.executemany("INSERT INTO t VALUES (%s)", [(c.text(f"{name}: executemany"),)])
        twice = c.text(f"{name}: unique violation")
        for _ in range(2):
            connection.execute("INSERT INTO t VALUES (%s) ON CONFLICT DO NOTHING", (twice,))
        fails(lambda: connection.execute("INSERT INTO t VALUES (%s)", (twice,)), psycopg.IntegrityError)


def with_psycopg2(target: Target, c: Canaries) -> None:
    name = "psycopg2"
    connection = psycopg2.connect(**target.libpq())
    connection.autocommit = True
    with connection.cursor() as cursor:
        for sql in literals(c, name):
            cursor.execute(sql)
        for sql in refused(c, name):
            fails(lambda sql=sql: cursor.execute(sql), psycopg2.Error)
        cursor.execute("SELECT name FROM people WHERE name = %s", (c.text(f"{name}: parameter"),))
        cursor.execute("SELECT %s::bytea", (c.raw(f"{name}: bytes parameter"),))
        cursor.execute("SELECT %s", ([c.text(f"{name}: array parameter")],))
        cursor.execute("CREATE TEMP TABLE t (v text)")
        rows = [(c.text(f"{name}: execute_values {n}"),) for n in range(3)]
        psycopg2.extras.execute_values(cursor, "INSERT INTO t VALUES %s", rows)
        psycopg2.extras.execute_batch(cursor, "DELETE FROM t WHERE v = %s", rows)
    connection.close()


async def with_asyncpg(target: Target, c: Canaries) -> None:
    name = "asyncpg"
    connection = await asyncpg.connect(**target.asyncpg())
    for sql in literals(c, name):
        await connection.execute(sql)
    for sql in refused(c, name):
        try:
            await connection.execute(sql)
        except asyncpg.PostgresError:
            continue
        raise AssertionError(sql)
    await connection.fetch("SELECT name FROM people WHERE name = $1", c.text(f"{name}: text parameter"))
    await connection.fetch("SELECT name FROM people WHERE id = $1", c.integer(f"{name}: integer parameter"))
    await connection.fetch("SELECT $1::uuid", c.uuid(f"{name}: uuid parameter"))
    await connection.fetch("SELECT $1::bytea", c.raw(f"{name}: bytes parameter"))
    await connection.fetch("SELECT $1::jsonb", f'{{"key": "{c.text(f"{name}: json parameter")}"}}')
    await connection.fetch("SELECT $1::text[]", [c.text(f"{name}: array parameter")])
    await connection.fetch("SELECT $1::float8", c.real(f"{name}: float parameter"))
    await connection.execute("CREATE TEMP TABLE t (v text)")
    rows = [(c.text(f"{name}: executemany"),)]
    await connection.executemany("INSERT INTO t VALUES ($1)", rows)
    await connection.copy_records_to_table("t", records=[(c.text(f"{name}: copy records"),)])
    await connection.close()


def with_superuser(server: Server, through: Target, c: Canaries) -> None:
    admin = server.admin.at(through.host, through.port)
    with psycopg.connect(**admin.libpq(), autocommit=True) as connection:
        for sql in as_superuser(c):
            connection.execute(sql.encode())


def with_passwords(server: Server, through: Target, c: Canaries) -> None:
    """SCRAM, right and wrong."""
    right = c.secret("scram, right")
    quoted = right.replace("'", "''")
    server.sql(f"CREATE ROLE secretive LOGIN PASSWORD '{quoted}'")
    try:
        mine = {**through.libpq(), "user": "secretive", "password": right}
        psycopg.connect(**mine).close()
        wrong = {**mine, "password": c.secret("scram, wrong")}
        fails(lambda: psycopg.connect(**wrong), psycopg.OperationalError)
    finally:
        server.sql("DROP ROLE secretive")
