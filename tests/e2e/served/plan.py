"""What each route of the served applications sends, and what they write down of it.

One statement is every route's, and returns another number of rows in each: one of them counted for a wrong
route shows in the rows. The applications, the load and the test read the same plan.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Route:
    method: str
    template: str
    own: int  # rows of the statement that no other route sends
    shared: int  # rows of the one that all send
    times: int  # how often a request sends that one
    greets: bool = False  # sends that one first, as those that ask who the user is

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def order(self) -> list[str]:
        shared = ["shared"] * self.times
        return [*shared, "own"] if self.greets else ["own", *shared]


ROUTES = {
    "books": Route("GET", "/books/{id}", own=5, shared=2, times=1),
    "authors": Route("GET", "/authors", own=7, shared=3, times=2, greets=True),
    "orders": Route("POST", "/orders", own=13, shared=7, times=1),
    "reviews": Route("GET", "/shelves/{id}/reviews", own=29, shared=17, times=3, greets=True),
}


def own_statement(name: str, first: str, rows: str) -> str:
    return f"SELECT title AS of_{name} FROM shop.books WHERE id > {first} ORDER BY id LIMIT {rows}"


def shared_statement(first: str, rows: str) -> str:
    return f"SELECT id FROM shop.books WHERE id > {first} ORDER BY id LIMIT {rows}"


@dataclass
class Served:
    """What a request really sent: rows of each statement, as they came back."""

    name: str
    shared: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)

    def write(self) -> None:
        """One line, in one piece, whichever process writes it."""
        line = json.dumps({"name": self.name, "shared": self.shared, "own": self.own}) + "\n"
        file = os.open(os.environ["TRUTH"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
