"""Django's ORM and cursors on each of its drivers, against a real server."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("django")

from served import Receiver, needs_server

HERE = Path(__file__).resolve().parent
PREFIX = "/%C3%A9t%C3%A9/100%25"
# What each view sends: the function that is told, and how many statements it noted.
EXPECTED = {
    "orm": ("orm", 2),
    "cursors": ("cursors", 7),
    "iterated": ("iterated", 1),
    "wrapped": ("ask", 2),
    "streamed": ("parts", 2),
    "streamed_async": (None, 2),
    "threaded": ("ask", 1),
}


def run_app(configuration, **environment):
    path = os.pathsep.join([str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", str(HERE / "django_app.py"), configuration],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["psycopg", "binding", "psycopg2"])
def seen(request):
    pytest.importorskip("psycopg2" if request.param == "psycopg2" else "psycopg")
    return run_app(request.param)


def tail(route, method="GET"):
    return f"framework='django',method='{method}',route='{route}'*/"


@needs_server
@pytest.mark.parametrize("view", sorted(EXPECTED))
def test_view_statements_carry_route_and_line(seen, view):
    function, count = EXPECTED[view]
    assert len(seen[view]) == count
    for sent in seen[view]:
        assert sent.count("/*") == 1
        assert sent.endswith(tail(f"{PREFIX}/{view}/<int:author_id>/")), sent
        if function is not None:
            assert f"/*code.file.path='django_app.py',code.function.name='{function}',code.line" in sent


@needs_server
def test_async_orm_names_the_awaiting_coroutine(seen):
    first, second = seen["awaited"]
    for sent, function in ((first, "awaited"), (second, "inner")):
        assert f"/*code.file.path='django_app.py',code.function.name='{function}',code.line" in sent
        assert sent.endswith(tail(f"{PREFIX}/awaited/<int:author_id>/"))


@needs_server
def test_async_orm_of_another_task_names_no_line(seen):
    # Which task waits for the thread is not known there, and no line is better than a wrong one.
    (sent,) = seen["gathered"]
    assert "code." not in sent
    assert sent.endswith(tail(f"{PREFIX}/gathered/<int:author_id>/"))


@needs_server
def test_class_view_is_tagged(seen):
    (sent,) = seen["Class"]
    assert "code.function.name='get'" in sent
    assert sent.endswith(tail("/class/<int:author_id>/"))


@needs_server
def test_regular_expression_is_the_route(seen):
    (sent,) = seen["regex"]
    assert sent.endswith(tail("/%5Eold/%28%3FP<year>%5B0-9%5D{4}%29/%24"))


@needs_server
def test_statement_before_routing_has_method_only(seen):
    get, head = seen["early"]
    assert get.endswith("framework='django',method='GET'*/")
    assert head.endswith("framework='django',method='HEAD'*/")


@needs_server
def test_statement_outside_a_request_has_line_only(seen):
    (sent,) = seen["outside"]
    assert "code.function.name='ask'" in sent
    assert "framework" not in sent


@needs_server
@pytest.mark.parametrize("configuration", ["psycopg", "psycopg2"])
def test_marks_name_each_request_and_leave_the_sql(configuration):
    pytest.importorskip(configuration)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        receiver = Receiver(bound)
        seen = run_app(configuration, PGSLEUTH_MARKS=receiver.target)
        found = receiver.take_all()
    assert not [sent for sents in seen.values() for sent in sents if "/*" in sent]
    routes = [re.search("route='([^']*)'", mark)[1] for mark in found if "route=" in mark]
    # Two connections in the view that closes its own.
    for view, count in (("orm", 1), ("port", 1), ("wrapped", 1), ("streamed_async", 1), ("other", 0)):
        assert routes.count(f"{PREFIX}/{view}/<int:author_id>/") == count, view
    (mark,) = [mark for mark in found if "/port/" in mark]
    assert mark.startswith(f"client='127.0.0.1%3A{seen['port'][0]}',method='GET',request='")
    # What a middleware sent before routing: the same request, its route told later.
    early = [mark for mark in found if "route=" not in mark and "request=" in mark]
    number = re.search("request='([^']*)'", early[0])[1]
    assert [mark for mark in found if number in mark and "%5Eold" in mark]
    assert "request=" not in found[-1]  # the last statement, outside of every request
