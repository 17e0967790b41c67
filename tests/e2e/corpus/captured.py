"""What is kept of the corpus as captures in tests/data/captures: a file for each of these drivers, groups."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from corpus import RUNNERS, App, Call, call
from corpus.cached import CACHED, taking_turns
from corpus.sized import SIZED

for module in ("kits", "with_sqlalchemy", "with_django"):
    importlib.import_module(f"corpus.{module}")

FEW = 3  # requests, where the rule wants no more
MANY = 6  # where an application makes more than this, it has to
ONCE = {
    "chatty",
    "unbounded",
    "large-texts",
    "by-a-portal",
}  # each request of these is many bytes of a capture

LOOPS = "n-plus-one-children-3 duplicate insert-loop join"
RESULTS = "star deep-offset page-and-count long-column page"
TIME = "idle slow long-transaction failed-and-open timed-out dashboard idle-outside each-needs-the-one-before"
CONNECTIONS = "write-back connection-for-each-request transaction-for-each-read connection-for-two-requests"


def times(app: App) -> int:
    if app.name in ONCE:
        return 1
    return app.times if app.times > MANY else min(app.times, FEW)


@dataclass(frozen=True)
class Kept:
    kit: str
    group: str
    names: str = ""  # of applications; all of the kit's without any

    @property
    def file(self) -> str:
        return f"{self.kit}-{self.group}"

    def apps(self) -> list[App]:
        book = {"cached": CACHED, "sized": SIZED}.get(self.group) or RUNNERS[self.kit][0]
        wanted = self.names.split()
        found = [app for app in book.apps if not wanted or app.name in wanted]
        assert len(found) >= max(1, len(wanted)), f"{self.file}: no application of one of these names"
        return found

    def calls(self) -> Iterator[Call]:
        if self.group == "cached":
            return taking_turns(self.kit, self.apps())
        return (call(self.kit, app, n) for app in self.apps() for n in range(times(app)))


KEPT = (
    Kept("psycopg2", "loops", f"{LOOPS} n-plus-one-two-children chatty five-different"),
    Kept("psycopg2", "results", f"{RESULTS} unbounded growing-list join-that-repeats large-texts"),
    Kept("psycopg2", "time", TIME),
    Kept("psycopg3", "loops", LOOPS),
    Kept("psycopg3-autocommit", "connections", CONNECTIONS),
    Kept("psycopg3-autocommit-text", "prepared", "trace-in-the-text values-beside-the-text"),
    Kept("psycopg3-autocommit", "cached", "numbers-of-all"),
    Kept("asyncpg", "loops", LOOPS),
    Kept("asyncpg", "results", RESULTS),
    Kept("asyncpg-pool", "all"),
    Kept("psycopg3", "sized", "never-given-back given-back larger-than-its-use"),
    Kept("sqlalchemy-psycopg3", "orm", "lazy-books-3 lazy-nested flush-in-a-loop write-back selectin page"),
    Kept("sqlalchemy-asyncpg", "orm", "lazy-books-3 lazy-country-5 session-for-each-read selectin page"),
    Kept(
        "django",
        "orm",
        "lazy-books-3 lazy-country-5 save-in-a-loop connection-for-each-request prefetch page",
    ),
)
