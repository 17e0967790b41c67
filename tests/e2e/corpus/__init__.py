"""A labelled corpus: small applications of one route each, and what an audit should say of each.

An application is a function that makes one request. Its label is the set of rules that must find something
on its route; what is not in the label, nor in `also`, must not be found. `near` names the rules whose fault
it nearly has. `kits.py` has the drivers; `plain.py`, `connections.py` and `cached.py` the applications in SQL
for all of them, `with_*.py` those of an ORM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Callable

from server import Server, Target

SIZES = (2, 3, 5, 20, 200)
ROWS = 40_000

# On a machine with too much to do any statement is slow and any client late. These are judged on applications
# that have the fault or are near it; on the others it would be the machine's.
BY_TIME = frozenset({"slow_statement", "idle_transaction", "long_transaction"})

Request = Callable[[Any, int], None]


@dataclass(frozen=True)
class App:
    name: str
    request: Request
    label: frozenset[str]
    also: frozenset[str] = frozenset()  # may be found or not: true of it, but not what it is about
    near: frozenset[str] = frozenset()
    times: int = 6
    traced: bool = False  # each request has a trace id in its tag

    @property
    def tolerated(self) -> frozenset[str]:
        """What may be found or not."""
        return self.also | (BY_TIME - self.label - self.near)


@dataclass
class Book:
    """The applications of one kit or ORM."""

    apps: list[App] = field(default_factory=list)

    def app(self, name: str, label: str = "", **more: Any) -> Callable[[Request], Request]:
        def register(function: Request) -> Request:
            self.add(name, function, label, **more)
            return function

        return register

    def add(self, name: str, function: Request, label: str = "", **more: Any) -> None:
        """Sets of rules are words; `more` are other fields of App."""
        sets = {kind: frozenset(more.pop(kind, "").split()) for kind in ("also", "near")}
        self.apps.append(App(name, function, frozenset(label.split()), **sets, **more))


@dataclass(frozen=True)
class Call:
    """One request of an application, the `n`th; `tag` is appended to each of its statements."""

    app: App
    n: int
    tag: str


# Makes the requests in their order: run(target, calls).
Runner = Callable[[Target, Iterable[Call]], None]
RUNNERS: dict[str, tuple[Book, Runner]] = {}


def route(kit: str, app: App) -> str:
    return f"/{kit}/{app.name}"


def call(kit: str, app: App, n: int) -> Call:
    place = route(kit, app)
    trace = ""
    if app.traced:
        digest = hashlib.sha256(f"{place} {n}".encode()).hexdigest()
        trace = f",traceparent='00-{digest[:32]}-{digest[32:48]}-01'"
    return Call(app, n, f" /*method='GET',route='{place}'{trace}*/")


def one_after_the_other(kit: str, apps: Iterable[App]) -> Iterator[Call]:
    """All requests of an application before those of the next."""
    return (call(kit, app, n) for app in apps for n in range(app.times))


def make_tables(server: Server) -> None:
    server.sql(
        f"""
        DROP SCHEMA IF EXISTS corpus CASCADE;
        CREATE SCHEMA corpus;
        CREATE TABLE corpus.authors (
            id int PRIMARY KEY, name text NOT NULL, country_id int NOT NULL, slug text NOT NULL UNIQUE,
            code uuid NOT NULL UNIQUE);
        CREATE TABLE corpus.countries (id int PRIMARY KEY, name text NOT NULL);
        CREATE TABLE corpus.books (
            id int PRIMARY KEY, author_id int NOT NULL REFERENCES corpus.authors, title text NOT NULL,
            author_slug text NOT NULL, author_code uuid NOT NULL);
        CREATE TABLE corpus.reviews (
            id int PRIMARY KEY, book_id int NOT NULL REFERENCES corpus.books, stars int NOT NULL);
        CREATE TABLE corpus.articles (
            id int PRIMARY KEY, section int NOT NULL, title text NOT NULL, body text NOT NULL);
        CREATE TABLE corpus.events (id int PRIMARY KEY, kind int NOT NULL, note text NOT NULL);
        CREATE TABLE corpus.log (id bigserial PRIMARY KEY, what text NOT NULL, n int NOT NULL);
        CREATE TABLE corpus.stock (id int PRIMARY KEY, n int NOT NULL);
        CREATE TABLE corpus.settings (key text PRIMARY KEY, value text NOT NULL);
        INSERT INTO corpus.countries SELECT n * 17 + 5000, 'country ' || n FROM generate_series(1, 300) n;
        INSERT INTO corpus.authors
            SELECT n * 1013, 'author ' || n, (n % 300 + 1) * 17 + 5000, 'author-' || n, md5('a' || n)::uuid
            FROM generate_series(1, 400) n;
        INSERT INTO corpus.books
            SELECT n * 7 + 100000, (n % 400 + 1) * 1013, 'book ' || n, 'author-' || (n % 400 + 1),
                md5('a' || (n % 400 + 1))::uuid
            FROM generate_series(1, 1600) n;
        INSERT INTO corpus.reviews
            SELECT n * 3 + 900000, (n % 1600 + 1) * 7 + 100000, n % 5 FROM generate_series(1, 3200) n;
        INSERT INTO corpus.articles
            SELECT n, n % 3, 'article ' || n, repeat(md5(n::text), 300) FROM generate_series(1, 600) n;
        INSERT INTO corpus.events SELECT n, n % 7, 'event ' || n FROM generate_series(1, {ROWS}) n;
        INSERT INTO corpus.stock SELECT n * 11, 100000 FROM generate_series(1, 300) n;
        INSERT INTO corpus.settings SELECT 'key-' || n, 'value' FROM generate_series(1, 50) n;
        CREATE INDEX ON corpus.books (author_id);
        CREATE INDEX ON corpus.books (author_slug);
        CREATE INDEX ON corpus.books (author_code);
        CREATE INDEX ON corpus.reviews (book_id);
        CREATE INDEX ON corpus.articles (section);
        GRANT USAGE ON SCHEMA corpus TO app;
        GRANT ALL ON ALL TABLES IN SCHEMA corpus TO app;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA corpus TO app;
        VACUUM ANALYZE;
        """,
        target=server.admin_of("app"),
    )
