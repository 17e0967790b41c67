"""Applications that a cache would help, or would not: whether it does shows after a minute only.

They have a run of their own, in which their requests take turns: in the other one hundreds of applications
read the same few rows, and a cache would help them all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from corpus import App, Book, Call, call

CACHED = Book()
app = CACHED.app
LASTS_S = 64  # what is seen for less than a minute is not judged
PAUSE_S = 0.5


def taking_turns(kit: str, apps: Iterable[App]) -> Iterator[Call]:
    apps = list(apps)
    began = time.monotonic()
    n = 0
    while time.monotonic() - began < LASTS_S:
        for each in apps:
            yield call(kit, each, n)
        n += 1
        time.sleep(max(0.0, began + n * PAUSE_S - time.monotonic()))


# A statement is one wherever it comes from, so each kit has its own: the column is named after it.


@app("numbers-of-all", "cacheable_read")
def numbers(kit: Any, n: int) -> None:
    kit.ask(f"SELECT kind, count(*) AS {kit.word} FROM corpus.events GROUP BY kind")


@app("numbers-of-one", "cacheable_read")
def numbers_of_one(kit: Any, n: int) -> None:
    kit.ask(f"SELECT kind, max(note) AS {kit.word} FROM corpus.events WHERE kind = $1 GROUP BY kind", n % 3)


@app("always-another", near="cacheable_read")
def another(kit: Any, n: int) -> None:
    kit.ask(f"SELECT max(note) AS {kit.word} FROM corpus.events WHERE id > $1 AND kind = 3", n)


@app("written-meanwhile", near="cacheable_read")
def written(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask(f"SELECT max(md5(n::text)) AS {kit.word} FROM corpus.stock, generate_series(1, 30)")
    kit.ask("UPDATE corpus.stock SET n = n + 0 WHERE id = $1", 3300)
    kit.commit()


@app("always-other-rows", near="cacheable_read")
def other_rows(kit: Any, n: int) -> None:
    kit.ask(f"SELECT max(note) AS {kit.word}, clock_timestamp() FROM corpus.events WHERE kind = 4")


@app("seldom", near="cacheable_read")
def seldom(kit: Any, n: int) -> None:
    if n % 7 == 0:  # less than twenty times in all
        kit.ask(f"SELECT name AS {kit.word} FROM corpus.countries WHERE id = $1", 5017)


@app("only-at-first", near="cacheable_read")
def at_first(kit: Any, n: int) -> None:
    if n < 80:
        kit.ask(f"SELECT min(note) AS {kit.word} FROM corpus.events WHERE kind = $1", 5)


@app("locked", near="cacheable_read")
def locked(kit: Any, n: int) -> None:
    kit.begin()
    kit.ask(f"SELECT n AS {kit.word}, pg_sleep(0.002) FROM corpus.stock WHERE id = $1 FOR UPDATE", 3289)
    kit.commit()
