"""Calls every route of the bookshop equally often, with other parameters each time.

The exit code is 1 when a request failed (locust's own rule) or a route was never called.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import cycle

from locust import FastHttpUser, between, events, task
from locust.env import Environment

AUTHORS, BOOKS, CUSTOMERS = 2500, 20000, 5000
GENRES = ("crime", "essay", "fantasy", "history", "poetry", "romance", "science", "travel")


def _author_page() -> str:
    return f"?after={random.randrange(AUTHORS - 50)}&limit={random.randint(20, 50)}"


def _book_page() -> str:
    return f"?after={random.randrange(BOOKS - 50)}&limit={random.randint(20, 50)}"


def _customer_page() -> str:
    return f"?after={random.randrange(CUSTOMERS - 50)}&limit={random.randint(20, 50)}"


def _genre() -> str:
    return f"?genre={random.choice(GENRES)}"


def _genre_page() -> str:
    shelf = random.randrange(len(GENRES))
    after = shelf * BOOKS // len(GENRES) + random.randrange(2000)
    return f"?genre={GENRES[shelf]}&after={after}&limit={random.randint(20, 50)}"


def _email() -> str:
    return f"?email=customer{random.randint(1, CUSTOMERS)}@example.com"


# Route template and what makes its query string, or None where the path itself has the parameter.
ROUTES: tuple[tuple[str, Callable[[], str] | None], ...] = (
    ("/authors-n-plus-one", _author_page),
    ("/authors", _author_page),
    ("/ratings-n-plus-one", _book_page),
    ("/ratings", _book_page),
    ("/customers-select-star", _customer_page),
    ("/customers", _customer_page),
    ("/books-unbounded", _genre),
    ("/books", _genre_page),
    ("/orders-by-email", _email),
    ("/customers/{customer_id}/orders", None),
)
ENDPOINTS = [(prefix + path, query) for prefix in ("/orm", "/asyncpg") for path, query in ROUTES]
ENDPOINTS.append(("/healthz", str))


class Reader(FastHttpUser):
    wait_time = between(0.0, 0.05)

    def on_start(self) -> None:
        self._endpoints = cycle(random.sample(ENDPOINTS, len(ENDPOINTS)))

    @task
    def call(self) -> None:
        template, query = next(self._endpoints)
        if query is None:
            url = template.format(customer_id=random.randint(1, CUSTOMERS))
        else:
            url = template + query()
        self.client.get(url, name=template)


@events.quitting.add_listener
def require_every_route(environment: Environment, **_: object) -> None:
    called = {name for name, _method in environment.stats.entries}
    missing = sorted(template for template, _query in ENDPOINTS if template not in called)
    if missing:
        print("never called:", ", ".join(missing))
        environment.process_exit_code = 1
