"""What a statement costs more with pgsleuth_tags, in microseconds of processor time.

    python bench/overhead.py [ROUNDS]

Nothing is sent to a database: the hooks are called as the drivers call them, at the depths of stack that
applications have. Each round measures with and without, in turns; told is the median of the differences.
Run it with the package installed, or with PYTHONPATH=src.
"""

from __future__ import annotations

import functools
import socket
import statistics
import sys
import time
from collections.abc import Callable

from pgsleuth_tags import Tagger, current_endpoint, marks, new_request_id

STATEMENTS = 2000
ROUNDS = 15
DEPTHS = (5, 30, 100)
SQL = "SELECT authors.id, authors.name FROM authors WHERE authors.id = %(id)s AND authors.deleted IS NULL"


class Request:
    def __init__(self) -> None:
        self.request_id = new_request_id()

    def tags(self) -> tuple[str, str, str]:
        return "fastapi", "GET", "/authors/{author_id}/books/{book_id}"


def library(depth: int) -> Callable[[Callable[[], object]], None]:
    """Return a function that calls another below ``depth`` frames of a library."""
    space: dict[str, Callable[..., None]] = {}
    code = "def call(function, depth):\n    call(function, depth - 1) if depth > 1 else function()\n"
    exec(compile(code, f"/opt/site-packages/orm{depth}.py", "exec"), space)  # noqa: S102 - a library's frames
    return lambda function: space["call"](function, depth)


def spent(call: Callable[[Callable[[], object]], None], function: Callable[[], object]) -> float:
    begun = time.process_time()
    for _ in range(STATEMENTS):
        call(function)
    return (time.process_time() - begun) / STATEMENTS * 1e6


def added(call: Callable[[Callable[[], object]], None], function: Callable[[], object], rounds: int) -> float:
    call(function)
    return statistics.median(spent(call, function) - spent(call, lambda: None) for _ in range(rounds))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    tagger, untagged = Tagger(), Tagger(tags=False)
    current_endpoint.set(Request())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket() as server:
        receiver.bind(("127.0.0.1", 0))
        server.bind(("127.0.0.1", 0))
        server.listen()
        connection = socket.create_connection(server.getsockname())

        # Without a frame of this file: the nearest one of the application is to be above the library's.
        tag = functools.partial(tagger.before, connection, SQL)
        mark = functools.partial(untagged.before, connection, SQL)

        def mark_next_request() -> None:
            current_endpoint.set(Request())
            untagged.before(connection, SQL)

        for depth in DEPTHS:
            print(f"tag, {depth:3d} frames of libraries:        {added(library(depth), tag, rounds):6.2f} us")
        marks.enable(f"127.0.0.1:{receiver.getsockname()[1]}")
        call = library(DEPTHS[1])
        print(f"tag and mark, {DEPTHS[1]} frames:             {added(call, tag, rounds):6.2f} us")
        print(f"mark alone, same request:           {added(call, mark, rounds):6.2f} us")
        print(f"mark alone, another request (sent): {added(call, mark_next_request, rounds):6.2f} us")
        connection.close()


if __name__ == "__main__":
    main()
