"""Applications about connections: what is prepared on them, new ones, and several that meet.

Stock rows from 1001 on are for those that write beside each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from corpus import SIZES, Book
from corpus.plain import app, author_country_book

# --- lost updates: what happens to a row between a read and the write ---

READ = "SELECT n FROM corpus.stock WHERE id = $1"
WRITE = "UPDATE corpus.stock SET n = $1 WHERE id = $2"


def row(n: int) -> int:
    return 1001 + n * 11


def sell(kit: Any, key: int) -> None:
    """By somebody else, meanwhile."""
    with kit.new() as other:
        other.begin()
        other.ask("UPDATE corpus.stock SET n = n - 1 WHERE id = $1", key)
        other.commit()


@app("write-back", "lost_update")
def write_back(kit: Any, n: int) -> None:
    kit.begin()
    ((left,),) = kit.ask(READ, row(n))
    sell(kit, row(n))
    kit.ask(WRITE, left - 1, row(n))
    kit.commit()


@app("write-back-in-two-transactions", "lost_update", near="transaction_overhead", traced=True)
def write_back_later(kit: Any, n: int) -> None:
    kit.begin()
    ((left,),) = kit.ask(READ, row(n))
    kit.commit()
    sell(kit, row(n))
    kit.begin()
    kit.ask(WRITE, left - 1, row(n))
    kit.commit()


@app("write-back-locked", near="lost_update")
def write_back_locked(kit: Any, n: int) -> None:
    sell(kit, row(n))
    kit.begin()
    ((left,),) = kit.ask(READ + " FOR UPDATE", row(n))
    kit.ask(WRITE, left - 1, row(n))
    kit.commit()


@app("write-back-of-another-row", near="lost_update")
def write_back_of_another(kit: Any, n: int) -> None:
    kit.begin()
    ((left,),) = kit.ask(READ, row(n))
    sell(kit, row(n + 1))
    kit.ask(WRITE, left - 1, row(n))
    kit.commit()


@app("computed-by-the-database", near="lost_update")
def computed(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask(READ, row(n))
    sell(kit, row(n))
    kit.ask("UPDATE corpus.stock SET n = n - $1 WHERE id = $2", 1, row(n))
    kit.commit()


@app("read-again-after-the-other", near="lost_update", also="duplicate_query")
def read_again(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask(READ, row(n))
    sell(kit, row(n))
    ((left,),) = kit.ask(READ, row(n))
    kit.ask(WRITE, left - 1, row(n))
    kit.commit()


@app("compared-before-it-is-set", near="lost_update")
def compare_and_set(kit: Any, n: int) -> None:
    kit.begin()
    ((left,),) = kit.ask(READ, row(n))
    sell(kit, row(n))
    changed = kit.ask(WRITE + " AND n = $3 RETURNING n", left - 1, row(n), left)
    assert changed == []
    kit.rollback()


# --- new connections ---


def greet(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("SELECT name FROM corpus.authors WHERE id = $1", (n % 400 + 1) * 1013)
    kit.commit()


@app("connection-for-each-request", "connection_churn", times=12)
def fresh(kit: Any, n: int) -> None:
    with kit.new() as other:
        greet(other, n)


@app("connection-for-every-third-request", "connection_churn", times=33)
def now_and_then(kit: Any, n: int) -> None:
    if n % 3:
        greet(kit, n)
        return
    with kit.new() as other:
        greet(other, n)


@app("connection-for-two-requests", near="connection_churn", times=12)
def fresh_for_two(kit: Any, n: int) -> None:
    with kit.new() as other:
        greet(other, 2 * n)
        greet(other, 2 * n + 1)


@app("connections-of-a-short-test", near="connection_churn", times=9)
def fresh_but_few(kit: Any, n: int) -> None:
    with kit.new() as other:
        greet(other, n)


@app("connections-of-a-probe", near="connection_churn", times=12)
def probe(kit: Any, n: int) -> None:
    with kit.new() as other:
        other.ask("SELECT 1")
    with kit.new():
        pass
    greet(kit, n)


@app("connection-for-one-request-in-thirty", near="connection_churn", times=360)
def seldom(kit: Any, n: int) -> None:
    if n % 30:
        greet(kit, n)
        return
    with kit.new() as other:
        greet(other, n)


# --- several transactions in one request, which has a trace id ---


def in_transactions(kit: Any, n: int, reads_each: int, rounds: int = 3) -> None:
    for i in range(rounds):
        kit.begin()
        author_country_book(kit, n + i, reads_each)
        kit.commit()


@app("transaction-for-each-read", "transaction_overhead", traced=True)
def transaction_for_each_read(kit: Any, n: int) -> None:
    for i, (table, base, step) in enumerate((("authors", 0, 1013), ("countries", 5000, 17))):
        kit.begin()
        kit.ask(f"SELECT id, name FROM corpus.{table} WHERE id = $1", base + (n + i + 1) * step)
        kit.commit()


@app("transaction-for-each-of-many-reads", "transaction_overhead", also="n_plus_one", traced=True)
def transaction_for_each_of_many(kit: Any, n: int) -> None:
    in_transactions(kit, n, 1, 4)


@app("two-reads-in-each-transaction", near="transaction_overhead", traced=True)
def two_reads_each(kit: Any, n: int) -> None:
    in_transactions(kit, n, 2)


@app("one-transaction", near="transaction_overhead", traced=True)
def one_transaction(kit: Any, n: int) -> None:
    in_transactions(kit, n, 3, 1)


@app("one-transaction-for-one-read", near="transaction_overhead", traced=True)
def one_read(kit: Any, n: int) -> None:
    in_transactions(kit, n, 1, 1)


@app("transactions-that-write", near="transaction_overhead", traced=True)
def writes_each(kit: Any, n: int) -> None:
    for i in range(3):
        kit.begin()
        kit.ask("INSERT INTO corpus.log (what, n) VALUES ($1, $2)", "traced", n + i)
        kit.commit()


@app("transactions-that-lock", near="transaction_overhead", traced=True)
def locks_each(kit: Any, n: int) -> None:
    for i in range(3):
        kit.begin()
        kit.ask(READ + " FOR UPDATE", row(n + i))
        kit.commit()


# --- prepared statements ---

EXTENDED = Book()  # for drivers that send values beside the text
prepared = EXTENDED.app
MANY = 40  # requests


# That a text with both holds other values each time cannot be told: they are not among those that are bound.
@prepared("literals-and-values", also="statement_cache", times=MANY)
def literals(kit: Any, n: int) -> None:
    kit.ask(f"SELECT name FROM corpus.authors WHERE id = {(n + 1) * 1013} AND name <> $1", "nobody")


@prepared("trace-in-the-text", "statement_cache", times=MANY, traced=True)
def trace(kit: Any, n: int) -> None:
    kit.ask("SELECT title FROM corpus.books WHERE id = $1", (n + 1) * 7 + 100000)


@prepared("trace-in-two-texts", "statement_cache", times=MANY, traced=True)
def trace_in_two(kit: Any, n: int) -> None:
    kit.ask("SELECT id, title FROM corpus.books WHERE id = $1", (n + 1) * 7 + 100000)
    kit.ask("SELECT stars FROM corpus.reviews WHERE id = $1", (n + 1) * 3 + 900000)


@prepared("values-beside-the-text", near="statement_cache", times=MANY)
def values(kit: Any, n: int) -> None:
    kit.ask("SELECT id, name FROM corpus.authors WHERE id = $1 AND name <> $2", (n + 1) * 1013, "nobody")


@prepared("trace-and-few-requests", near="statement_cache", times=SIZES[3], traced=True)
def trace_few(kit: Any, n: int) -> None:
    kit.ask("SELECT id, stars FROM corpus.reviews WHERE id = $1", (n + 1) * 3 + 900000)


@prepared("literals-and-few-requests", near="statement_cache", times=SIZES[3])
def literals_few(kit: Any, n: int) -> None:
    kit.ask(f"SELECT slug FROM corpus.authors WHERE id = {(n + 1) * 1013} AND name <> $1", "nobody")


@prepared("lists-of-all-lengths", near="statement_cache", times=MANY)
def lists(kit: Any, n: int) -> None:
    keys = [(i + 1) * 1013 for i in range(n + 1)]
    places = ", ".join(f"${i + 1}" for i in range(len(keys)))
    kit.ask(f"SELECT code FROM corpus.authors WHERE id IN ({places})", *keys)


@prepared("trace-not-kept", also="connection_churn", near="statement_cache", traced=True, times=MANY)
def trace_on_new(kit: Any, n: int) -> None:
    with kit.new() as other:
        other.ask("SELECT title, author_id FROM corpus.books WHERE id = $1", (n + 1) * 7 + 100000)


# psycopg2 puts all values into the text and prepares nothing: there is no cache to miss.
SIMPLE = Book([replace(a, label=frozenset(), near=a.near | a.label) for a in EXTENDED.apps])

# --- what only a pool of asyncpg's can ---

POOL = Book()


@POOL.app("transaction-for-each-read", "transaction_overhead")
def pooled_transactions(kit: Any, n: int) -> None:
    transaction_for_each_read(kit, n)


@POOL.app("one-transaction", near="transaction_overhead")
def pooled_transaction(kit: Any, n: int) -> None:
    in_transactions(kit, n, 3, 1)


@POOL.app("literals-only", "statement_cache", times=MANY)
def literals_only(kit: Any, n: int) -> None:
    kit.ask(f"SELECT country_id FROM corpus.authors WHERE id = {(n + 1) * 1013}")


@POOL.app("at-once", near="consecutive", also="slow_statement", times=3)
def at_once(kit: Any, n: int) -> None:
    kit.at_once(
        *(
            f"SELECT max(id) FROM corpus.{table} WHERE (SELECT pg_sleep(0.06)) IS NOT NULL"
            for table in ("authors", "countries", "books", "stock")
        )
    )


@POOL.app("by-a-portal", near="whole_result", also="slow_statement", times=2)
def by_a_portal(kit: Any, n: int) -> None:
    assert kit.walk("SELECT id, repeat(md5(id::text), 6500) FROM corpus.articles WHERE id <= 60", 10) == 60
