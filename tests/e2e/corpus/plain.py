"""Applications in plain SQL, the same for every driver. `kit` is one of kits.py."""

from __future__ import annotations

import time
from typing import Any, Callable

from corpus import ROWS, SIZES, Book

PLAIN = Book()
app = PLAIN.app

AUTHORS = "SELECT id, name, country_id, slug, code FROM corpus.authors WHERE id > $1 ORDER BY id LIMIT $2"
BOOKS_OF = "SELECT id, title FROM corpus.books WHERE author_id = $1 ORDER BY id"
IDLE_S = 0.3


def authors(kit: Any, n: int, size: int) -> list[Any]:
    return list(kit.ask(AUTHORS, n * 1013 * 3, size))


def author_country_book(kit: Any, n: int, reads: int = 3) -> None:
    """The first of three reads by key, none of which needs another."""
    for table, base, step in (("authors", 0, 1013), ("countries", 5000, 17), ("books", 100000, 7))[:reads]:
        kit.ask(f"SELECT id FROM corpus.{table} WHERE id = $1", base + (n + 1) * step)


# --- N+1: a statement for each row, over the sizes ---


def per_row(size: int, statement: str, column: int) -> Callable[[Any, int], None]:
    def request(kit: Any, n: int) -> None:
        for author in authors(kit, n, size):
            kit.ask(statement, author[column])

    return request


CHILDREN = {
    "children": (BOOKS_OF, 0),
    "parent": ("SELECT name FROM corpus.countries WHERE id = $1", 2),
    "by-text": ("SELECT title FROM corpus.books WHERE author_slug = $1 LIMIT 10", 3),
    "by-uuid": ("SELECT title FROM corpus.books WHERE author_code = $1 LIMIT 10", 4),
    "count": ("SELECT count(*) FROM corpus.books WHERE author_id = $1", 0),
}
for kind, (child, position) in CHILDREN.items():
    for size in SIZES:
        PLAIN.add(f"n-plus-one-{kind}-{size}", per_row(size, child, position), "n_plus_one")


@app("n-plus-one-nested", "n_plus_one")
def nested(kit: Any, n: int) -> None:
    for author in authors(kit, n, 6):
        for book in kit.ask(BOOKS_OF, author[0]):
            kit.ask("SELECT stars FROM corpus.reviews WHERE book_id = $1", book[0])


@app("n-plus-one-two-children", "n_plus_one")
def two_children(kit: Any, n: int) -> None:
    for author in authors(kit, n, 10):
        kit.ask(BOOKS_OF, author[0])
        kit.ask("SELECT name FROM corpus.countries WHERE id = $1", author[2])


@app("n-plus-one-then-more", "n_plus_one")
def then_more(kit: Any, n: int) -> None:
    kit.ask("SELECT value FROM corpus.settings WHERE key = $1", f"key-{n + 1}")
    for author in authors(kit, n, 12):
        kit.ask(BOOKS_OF, author[0])
    kit.ask("SELECT n FROM corpus.stock WHERE id = $1", (n + 1) * 11)


# --- what looks like one and is none ---


@app("batch-any", near="n_plus_one")
def batch_any(kit: Any, n: int) -> None:
    ids = [author[0] for author in authors(kit, n, 20)]
    kit.ask("SELECT author_id, title FROM corpus.books WHERE author_id = ANY($1::int[]) LIMIT 400", ids)


@app("batch-in-chunks", near="n_plus_one")
def batch_chunks(kit: Any, n: int) -> None:
    ids = [author[0] for author in authors(kit, n, 20)]
    for start in range(0, 20, 5):
        chunk = ids[start : start + 5]
        places = ", ".join(f"${i + 1}" for i in range(5))
        kit.ask(f"SELECT author_id, title FROM corpus.books WHERE author_id IN ({places}) LIMIT 99", *chunk)


@app("join", near="n_plus_one join_blow_up")
def join(kit: Any, n: int) -> None:
    kit.ask(
        "SELECT a.id, b.title FROM corpus.authors a JOIN corpus.books b ON b.author_id = a.id"
        " WHERE a.id > $1 ORDER BY a.id LIMIT 60",
        n,
    )


@app("login", near="n_plus_one")
def login(kit: Any, n: int) -> None:
    (user,) = kit.ask("SELECT id, country_id FROM corpus.authors WHERE id = $1", (n + 1) * 1013)
    kit.ask("SELECT name FROM corpus.countries WHERE id = $1", user[1])
    kit.ask(BOOKS_OF + " LIMIT 5", user[0])


@app("one-row", near="n_plus_one", times=50)
def one_row(kit: Any, n: int) -> None:
    kit.ask("SELECT name FROM corpus.authors WHERE id = $1", (n + 1) * 1013)


@app("master-detail", near="n_plus_one", times=50)
def master_detail(kit: Any, n: int) -> None:
    (book,) = kit.ask("SELECT id, author_id FROM corpus.books WHERE id = $1", (n + 1) * 7 + 100000)
    kit.ask("SELECT name FROM corpus.authors WHERE id = $1", book[1])


@app("five-different", near="n_plus_one chatty")
def five_different(kit: Any, n: int) -> None:
    kit.ask("SELECT name FROM corpus.authors WHERE id = $1", (n + 1) * 1013)
    kit.ask("SELECT name FROM corpus.countries WHERE id = $1", (n + 1) * 17 + 5000)
    kit.ask("SELECT title FROM corpus.books WHERE id = $1", (n + 1) * 7 + 100000)
    kit.ask("SELECT stars FROM corpus.reviews WHERE id = $1", (n + 1) * 3 + 900000)
    kit.ask("SELECT n FROM corpus.stock WHERE id = $1", (n + 1) * 11)


@app("page", near="unbounded_result deep_offset missing_pagination")
def page(kit: Any, n: int) -> None:
    kit.ask("SELECT id, title FROM corpus.books ORDER BY id LIMIT 20 OFFSET $1", n * 20)


@app("aggregate", near="count_query")
def aggregate(kit: Any, n: int) -> None:
    kit.ask("SELECT count(*), max(stars) FROM corpus.reviews WHERE stars = $1", n % 5)


@app("read-write-read", near="duplicate_query")
def read_write_read(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("SELECT n FROM corpus.stock WHERE id = $1", 11)
    kit.ask("UPDATE corpus.stock SET n = n + 0 WHERE id = $1", 11)
    kit.ask("SELECT n FROM corpus.stock WHERE id = $1", 11)
    kit.commit()


@app("one-insert", near="write_loop")
def one_insert(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("INSERT INTO corpus.log (what, n) VALUES ($1, $2)", "one", n)
    kit.commit()


@app("insert-of-many", near="write_loop")
def insert_of_many(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("INSERT INTO corpus.log (what, n) SELECT 'many', g FROM generate_series(1, 50) g")
    kit.commit()


@app("cursor", near="unbounded_result")
def cursor(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("DECLARE walk NO SCROLL CURSOR FOR SELECT id, title FROM corpus.books ORDER BY id")
    while kit.ask("FETCH FORWARD 400 FROM walk"):
        pass
    kit.ask("CLOSE walk")
    kit.commit()


# --- the other rules ---


@app("duplicate", "duplicate_query")
def duplicate(kit: Any, n: int) -> None:
    kit.begin()
    for _ in range(4):
        kit.ask("SELECT value FROM corpus.settings WHERE key = $1", f"key-{n + 1}")
        kit.ask("SELECT name FROM corpus.countries WHERE id = $1", 5017)
    kit.commit()


@app("insert-loop", "write_loop")
def insert_loop(kit: Any, n: int) -> None:
    kit.begin()
    for i in range(12):
        kit.ask("INSERT INTO corpus.log (what, n) VALUES ($1, $2)", "loop", i)
    kit.commit()


@app("update-loop", "write_loop")
def update_loop(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("SELECT id FROM corpus.stock WHERE id < 200 ORDER BY id FOR UPDATE")
    for i in range(1, 13):
        kit.ask("UPDATE corpus.stock SET n = n - 1 WHERE id = $1", i * 11)
    kit.rollback()


@app("star", "select_star")
def star(kit: Any, n: int) -> None:
    kit.ask("SELECT * FROM corpus.books WHERE id > $1 ORDER BY id LIMIT 30", n)


@app("star-that-selects-nothing", near="select_star")
def star_that_selects_nothing(kit: Any, n: int) -> None:
    kit.ask("SELECT count(*) FROM corpus.reviews WHERE book_id = $1", (n + 1) * 7 + 100000)
    kit.ask("SELECT EXISTS (SELECT * FROM corpus.books WHERE author_id = $1)", (n + 1) * 1013)


@app("unbounded", "unbounded_result")
def unbounded(kit: Any, n: int) -> None:
    kit.ask("SELECT id, title FROM corpus.books ORDER BY id")


@app("growing-list", "missing_pagination")
def growing_list(kit: Any, n: int) -> None:
    kit.ask("SELECT id FROM corpus.reviews WHERE id < $1 ORDER BY id", 900000 + (220 + 10 * n) * 3)


@app("deep-offset", "deep_offset")
def deep_offset(kit: Any, n: int) -> None:
    kit.ask("SELECT id, note FROM corpus.events ORDER BY id LIMIT 20 OFFSET $1", ROWS - 1000)


@app("page-and-count", "count_query", also="missing_index slow_statement")
def page_and_count(kit: Any, n: int) -> None:
    slowly = "(SELECT pg_sleep(0.04)) IS NOT NULL"  # evaluated once
    kit.ask(f"SELECT count(*) FROM corpus.events WHERE kind >= $1 AND {slowly}", 0)
    kit.ask("SELECT id, note FROM corpus.events ORDER BY id LIMIT 20")


@app("idle", "idle_transaction", near="long_transaction", times=3)
def idle(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("SELECT name FROM corpus.authors WHERE id = $1", (n + 1) * 1013)
    time.sleep(IDLE_S)
    kit.ask("SELECT name FROM corpus.authors WHERE id = $1", (n + 2) * 1013)
    kit.commit()


@app("idle-outside", near="idle_transaction", times=3)
def idle_outside(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("SELECT name FROM corpus.countries WHERE id = $1", 5017)
    kit.commit()
    time.sleep(IDLE_S)


@app("slow", "slow_statement", also="long_transaction", times=3)
def slow(kit: Any, n: int) -> None:
    kit.ask("SELECT name, pg_sleep(0.25) FROM corpus.authors WHERE id = $1", 1013)


@app("slow-twice", near="slow_statement long_transaction", times=2)
def slow_twice(kit: Any, n: int) -> None:
    kit.ask("SELECT slug, pg_sleep(0.25) FROM corpus.authors WHERE id = $1", 1013)


@app("long-transaction", "long_transaction", also="slow_statement", times=2)
def long_transaction(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("UPDATE corpus.stock SET n = n + 0 WHERE id = $1 AND (SELECT pg_sleep(1.2)) IS NOT NULL", 11)
    kit.commit()


@app("failed-and-open", "aborted_transaction", also="idle_transaction", times=2)
def failed_and_open(kit: Any, n: int) -> None:
    kit.begin()
    kit.fails("INSERT INTO corpus.stock VALUES ($1, 1)", 11)
    time.sleep(0.5)
    kit.rollback()


@app("failed-and-rolled-back", near="aborted_transaction sql_errors")
def failed_and_rolled_back(kit: Any, n: int) -> None:
    kit.begin()
    kit.fails("INSERT INTO corpus.stock VALUES ($1, 1)", 11)
    kit.rollback()


@app("timed-out", "sql_errors", also="slow_statement")
def timed_out(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask("SET LOCAL statement_timeout = 20")
    kit.fails("SELECT pg_sleep(5) FROM corpus.authors WHERE id = $1", 1013)
    kit.rollback()


@app("long-column", "wide_columns", also="unbounded_result missing_pagination")
def long_column(kit: Any, n: int) -> None:
    kit.ask("SELECT id, title, body FROM corpus.articles WHERE section = $1", n % 3)


@app("short-columns", near="wide_columns missing_pagination")
def short_columns(kit: Any, n: int) -> None:
    kit.ask("SELECT id, title FROM corpus.articles WHERE section = $1 LIMIT 199", n % 3)


@app(
    "join-that-repeats",
    "join_blow_up",
    also="unbounded_result wide_columns missing_pagination slow_statement",
)
def join_that_repeats(kit: Any, n: int) -> None:
    kit.ask(
        "SELECT a.body, r.id FROM corpus.articles a JOIN corpus.reviews r ON mod(r.id, 4) = a.section"
        " WHERE a.id = $1 ORDER BY a.id LIMIT 700",
        3 * (n + 1),
    )


@app("chatty", "chatty")
def chatty(kit: Any, n: int) -> None:
    kit.begin()
    for i in range(60):
        letters = chr(97 + i // 26) + chr(97 + i % 26)
        kit.ask(f"SELECT name AS {letters} FROM corpus.countries WHERE id = $1", 5017 + 17 * i)
    kit.commit()


# --- statements that wait for each other ---

SLOWLY = "(SELECT pg_sleep(0.06)) IS NOT NULL"  # evaluated once
DASHBOARD = (("authors", "slug"), ("countries", "name"), ("books", "title"), ("reviews", "stars"))


@app("dashboard", "consecutive", also="slow_statement", times=3)
def dashboard(kit: Any, n: int) -> None:
    for table, column in DASHBOARD:
        kit.ask(f"SELECT avg(length({column}::text))::float8 FROM corpus.{table} WHERE {SLOWLY}")


@app("dashboard-of-one", "consecutive", also="slow_statement", times=3)
def dashboard_of_one(kit: Any, n: int) -> None:
    key = (n + 1) * 1013
    kit.ask(f"SELECT name FROM corpus.authors WHERE id = $1 AND {SLOWLY}", key)
    kit.ask(f"SELECT max(title) FROM corpus.books WHERE author_id = $1 AND {SLOWLY}", key)
    kit.ask(f"SELECT max(n) FROM corpus.log WHERE what = $1 AND {SLOWLY}", f"author {key}")
    kit.ask(f"SELECT value FROM corpus.settings WHERE key = $1 AND {SLOWLY}", f"key-{n + 1}")


@app("each-needs-the-one-before", near="consecutive", also="slow_statement", times=3)
def chain(kit: Any, n: int) -> None:
    ((country,),) = kit.ask(
        f"SELECT country_id FROM corpus.authors WHERE id = $1 AND {SLOWLY}", (n + 1) * 1013
    )
    ((author,),) = kit.ask(f"SELECT max(id) FROM corpus.authors WHERE country_id = $1 AND {SLOWLY}", country)
    ((book,),) = kit.ask(f"SELECT min(id) FROM corpus.books WHERE author_id = $1 AND {SLOWLY}", author)
    kit.ask(f"SELECT max(stars) FROM corpus.reviews WHERE book_id = $1 AND {SLOWLY}", book)


@app("two-slow-ones", near="consecutive", also="slow_statement", times=3)
def two_slow(kit: Any, n: int) -> None:
    for table, column in DASHBOARD[:2]:
        kit.ask(f"SELECT min({column}) AS lowest FROM corpus.{table} WHERE {SLOWLY}")


@app("dashboard-that-is-quick", near="consecutive", times=3)
def quick_dashboard(kit: Any, n: int) -> None:
    for table, column in DASHBOARD:
        kit.ask(f"SELECT max({column}) AS largest FROM corpus.{table}")


@app("dashboard-that-saves-little", near="consecutive", times=3)
def small_dashboard(kit: Any, n: int) -> None:
    for table, column in DASHBOARD[:3]:
        kit.ask(
            f"SELECT min({column}) AS least FROM corpus.{table} WHERE (SELECT pg_sleep(0.012)) IS NOT NULL"
        )


@app("writes-between", near="consecutive", also="slow_statement", times=3)
def writes_between(kit: Any, n: int) -> None:
    kit.begin()
    for table, column in DASHBOARD[:3]:
        kit.ask(f"SELECT count({column}) AS many FROM corpus.{table} WHERE {SLOWLY}")
        kit.ask("INSERT INTO corpus.log (what, n) VALUES ($1, $2)", table, n)
    kit.commit()


# --- results in one piece ---

LONG = "SELECT id, repeat(md5(id::text), 6500) AS pages FROM corpus.articles WHERE id <= $1"  # 208 KB a row


@app("large-texts", "whole_result", also="wide_columns slow_statement", times=2)
def large_texts(kit: Any, n: int) -> None:
    kit.ask(LONG, 60)


@app(
    "export", "whole_result unbounded_result", also="wide_columns missing_pagination slow_statement", times=2
)
def export(kit: Any, n: int) -> None:
    kit.ask("SELECT id, kind, repeat(note, 25) AS notes FROM corpus.events")


@app("large-texts-by-a-cursor", near="whole_result", also="slow_statement", times=2)
def large_texts_by_cursor(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask(f"DECLARE pages NO SCROLL CURSOR FOR {LONG.replace('$1', '60')}")
    while kit.ask("FETCH FORWARD 10 FROM pages"):
        pass
    kit.ask("CLOSE pages")
    kit.commit()


@app("fewer-large-texts", near="whole_result", also="wide_columns slow_statement", times=2)
def fewer_large_texts(kit: Any, n: int) -> None:
    kit.ask(LONG, 45)


@app("large-texts-by-pages", near="whole_result", also="wide_columns slow_statement", times=2)
def large_texts_by_pages(kit: Any, n: int) -> None:
    for after in (0, 20, 40):
        kit.ask(LONG + " AND id > $2 ORDER BY id LIMIT 20", 60, after)


@app("large-texts-counted", near="whole_result", also="slow_statement", times=2)
def large_texts_counted(kit: Any, n: int) -> None:
    kit.ask(f"SELECT sum(length(pages)) FROM ({LONG}) AS long", 60)
