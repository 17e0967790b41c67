"""What each test sends: counted, located, and told to pgsleuth under the name of its request or its test."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Callable
from weakref import WeakSet

from pgsleuth_pytest.callsite import Locator
from pgsleuth_pytest.marks import Marks

CALL = "call"
FIXTURES = "fixtures of "

# What steers the connection, as pgsleuth tells it from the application's own statements.
_STEERING = re.compile(
    r"(begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction|set|reset|show|deallocate"
    r"|close|(un)?listen|discard)\b|select\s+(1\s*;?\s*$|(pg_catalog\.)?set_config\s*\()",
    re.IGNORECASE,
)
_LEADING = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|;)+", re.DOTALL)
# For people to read and to group by, not to run: pgsleuth's own lexer does it properly.
_LITERALS = re.compile(
    r"'(?:[^']|'')*'|\$\d+(?:::\w+)?|%\(\w+\)s(?:::\w+)?|%s(?:::\w+)?|(?<![\w\"])-?\d+(?:\.\d+)?(?![\w\"])"
)
_LISTS = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Statement:
    """One call of the application; ``times`` is the number of parameter sets of an ``executemany``."""

    sql: str
    times: int
    where: str
    endpoint: str

    @property
    def shape(self) -> str:
        """The text without its values, on one line."""
        return _SPACE.sub(" ", _LISTS.sub("(?, ...)", _LITERALS.sub("?", self.sql))).strip()


class Request:
    """A request that the application serves. Its route is asked for when it is wanted: routing comes late."""

    def __init__(self, method: str, route: Callable[[], str]) -> None:
        self.method = method
        self.id = new_id()
        self.route = route


@dataclass
class Test:
    """What runs now: a test's own part, or its fixtures."""

    __test__ = False

    nodeid: str
    phase: str
    id: str = ""
    statements: list[Statement] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(statement.times for statement in self.statements)


_numbers = itertools.count(1)


def new_id() -> str:
    """Shared by no two requests or tests of all processes of a session."""
    return f"{os.getpid():x}-{next(_numbers):x}"


request: ContextVar[Request | None] = ContextVar("pgsleuth_request", default=None)
_inside: ContextVar[bool] = ContextVar("pgsleuth_inside", default=False)


@contextmanager
def serving(what: Request) -> Iterator[None]:
    token = request.set(what)
    try:
        yield
    finally:
        request.reset(token)


@contextmanager
def inside() -> Iterator[bool]:
    """What a driver calls while it does one thing is not another one. Whether this is the outermost."""
    outermost = not _inside.get()
    token = _inside.set(True)
    try:
        yield outermost
    finally:
        _inside.reset(token)


class Tracker:
    """One for the process: whoever sends tells it, whichever thread it is in."""

    def __init__(self) -> None:
        self.current: Test | None = None
        self.marks: Marks | None = None
        self.tests_of: dict[str, set[str]] = {}
        self.lost_by_workers = 0
        self._lock = threading.Lock()
        self._locator = Locator(os.getcwd())
        # Connections whose statements Django or SQLAlchemy tell of.
        self._spoken_for: WeakSet[Any] = WeakSet()

    def relative_to(self, root: str) -> None:
        self._locator = Locator(root)

    @property
    def lost_marks(self) -> int:
        return self.lost_by_workers + (self.marks.lost if self.marks is not None else 0)

    def begin(self, nodeid: str, phase: str) -> Test:
        self.current = Test(nodeid, phase, new_id())
        return self.current

    def speak_for(self, connection: Any) -> None:
        self._spoken_for.add(connection)

    def is_spoken_for(self, connection: Any) -> bool:
        return connection in self._spoken_for

    def sending(self, connection: Any, sql: str, times: int = 1, framework: str = "") -> None:
        """A statement is about to be sent on a driver's connection."""
        text = sql[_end_of_leading(sql) :]
        if not text or not times or _STEERING.match(text):
            return
        place = self._locator.find()
        names, number = self._named()
        endpoint = " ".join(name for name in names.values() if name)
        with self._lock:
            test = self.current
            if test is not None:
                where = f"{place[0]}:{place[1]}" if place else ""
                if test.phase == CALL:
                    test.statements.append(Statement(sql, times, where, endpoint))
                    self.tests_of.setdefault(endpoint, set()).add(test.nodeid)
            if self.marks is not None:
                pairs = {**names, "framework": framework, "request": number}
                if place:
                    pairs["code.file.path"], pairs["code.line.number"] = place[0], str(place[1])
                self.marks.say(connection, tuple(sorted((k, v) for k, v in pairs.items() if v)))

    def _named(self) -> tuple[dict[str, str], str]:
        """What pgsleuth makes the endpoint's name of, and what no other request or test has."""
        serving_now = request.get()
        if serving_now is not None:
            return {"method": serving_now.method, "route": serving_now.route()}, serving_now.id
        test = self.current
        if test is None:
            return {"action": f"{FIXTURES}the session"}, f"{os.getpid():x}-0"
        if test.phase == CALL:
            return {"action": test.nodeid}, test.id
        return {"action": FIXTURES + test.nodeid.split("::")[0]}, test.id


tracker = Tracker()


def _end_of_leading(sql: str) -> int:
    match = _LEADING.match(sql)
    return match.end() if match else 0


def sized(many: Any) -> Any:
    """The parameter sets of an executemany, counted without being used up."""
    return many if hasattr(many, "__len__") else list(many)


def worst(statements: list[Statement], most: int = 5) -> list[str]:
    """The shapes that were sent most often, one line each, with where the first of them came from."""
    times: Counter[tuple[str, str, str]] = Counter()
    for one in statements:
        times[one.shape, one.where, one.endpoint] += one.times
    lines = []
    for (shape, where, endpoint), count in times.most_common(most):
        shown = shape if len(shape) <= _WIDTH else shape[: _WIDTH - 4] + " ..."
        lines.append(f"{count:6} x {shown}")
        lines.append(" " * 9 + ", in ".join(part for part in (where, endpoint) if part))
    left = len(times) - most
    if left > 0:
        lines.append(f"       and {left} others")
    return lines


_WIDTH = 120
