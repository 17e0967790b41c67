"""What the tests against a server share."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from pgsleuth_tags import current_endpoint

DSN = os.environ.get("PGSLEUTH_TEST_DSN", "")
needs_server = pytest.mark.skipif(not DSN, reason="PGSLEUTH_TEST_DSN is not set")

# What the server has in its hands while it runs the statement, the comment included.
ASK = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"
FAR_SECONDS = 30
ROUTE = "/été/{id}/100%"
SEEN_ROUTE = "/%C3%A9t%C3%A9/{id}/100%25"


class Receiver:
    """What pgsleuth's end would get."""

    def __init__(self, bound):
        self.socket = bound

    @property
    def target(self):
        name = self.socket.getsockname()
        return name if isinstance(name, str) else f"{name[0]}:{name[1]}"

    def take(self, count):
        """Return the next ``count`` marks, of which there are to be no more."""
        self.socket.settimeout(FAR_SECONDS)
        found = [self.socket.recv(4096).decode("ascii") for _ in range(count)]
        self.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            found.append(self.socket.recv(4096))
        return found

    def take_all(self):
        """Return what has come. A datagram on one machine has come when it is sent."""
        self.socket.setblocking(False)
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self.socket.recv(4096).decode("ascii"))
        return found


class Served:
    """A request that is being served."""

    def __init__(self, route=ROUTE, request_id="", method="GET", traceparent=""):
        self.route = route
        self.request_id = request_id
        self.traceparent = traceparent
        self.method = method

    def tags(self):
        return ("fastapi", self.method, self.route)

    def __enter__(self):
        self._token = current_endpoint.set(self)
        return self

    def __exit__(self, *_error):
        current_endpoint.reset(self._token)


def assert_tagged(sent, function, file):
    __tracebackhide__ = True
    assert sent.count("/*") == 1, sent
    assert f"/*code.file.path='{file}',code.function.name='{function}',code.line.number='" in sent
    assert sent.endswith(f"framework='fastapi',method='GET',route='{SEEN_ROUTE}'*/"), sent
