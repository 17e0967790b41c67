from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("flask")

from flask import Blueprint, Flask, abort, send_file, stream_with_context
from flask.views import MethodView
from served import ASK, DSN, needs_server
from werkzeug.test import create_environ

from pgsleuth_tags import current_endpoint
from pgsleuth_tags.flask import init_app

HERE = Path(__file__).resolve().parent
SEEN: list = []


def note():
    endpoint = current_endpoint.get()
    SEEN.append((*endpoint.tags(), endpoint.request_id))


def build():
    app = Flask("shop")
    app.before_request(note)
    init_app(app)
    init_app(app)
    blueprint = Blueprint("api", "shop", url_prefix="/api")

    @blueprint.get("/items/<int:item_id>")
    def item(item_id):
        note()
        return ""

    @app.post("/awaited/<path:name>")
    async def awaited(name):
        await asyncio.gather(asyncio.to_thread(note))
        return ""

    @app.get("/streamed/<name>")
    def streamed(name):
        def parts():
            note()
            yield "a"
            note()
            yield "b"

        return stream_with_context(parts())

    @app.get("/failing")
    def failing():
        abort(500)

    class Class(MethodView):
        def put(self, item_id):
            note()
            return ""

    app.add_url_rule("/class/<item_id>", view_func=Class.as_view("class"))
    app.register_blueprint(blueprint)
    return app


@pytest.fixture
def client():
    SEEN.clear()
    return build().test_client()


@pytest.mark.parametrize(
    ("method", "path", "route", "count"),
    [
        ("GET", "/api/items/7", "/api/items/<int:item_id>", 2),
        ("POST", "/awaited/a/b", "/awaited/<path:name>", 2),
        ("GET", "/streamed/x", "/streamed/<name>", 3),
        ("PUT", "/class/7", "/class/<item_id>", 2),
    ],
)
def test_init_app_knows_the_rule(client, method, path, route, count):
    response = client.open(path, method=method)
    assert (response.status_code, response.text) == (200, "ab" if "streamed" in path else "")
    assert len(SEEN) == count
    assert {seen[:3] for seen in SEEN} == {("flask", method, route)}
    assert len({seen[3] for seen in SEEN}) == 1
    assert current_endpoint.get() is None


def test_init_app_unknown_path_and_method_are_not_repeated(client):
    assert client.get("/nowhere/7").status_code == 404
    assert client.open("/failing", method="BREW").status_code == 405
    assert client.get("/failing").status_code == 500
    assert [seen[:3] for seen in SEEN] == [
        ("flask", "GET", ""),
        ("flask", "", ""),
        ("flask", "GET", "/failing"),
    ]
    assert current_endpoint.get() is None


def test_init_app_each_request_has_its_own_id(client):
    for _ in range(3):
        client.get("/api/items/7")
    assert len({seen[3] for seen in SEEN}) == 3


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_init_app_streamed_body_is_closed(parts):
    closed = []

    class Body:
        def __iter__(self):
            return iter(["a", "b"])

        def close(self):
            closed.append(current_endpoint.get().tags())

    app = Flask("shop")
    init_app(app)
    app.add_url_rule("/body", view_func=lambda: app.response_class(Body()), endpoint="body")
    response = app.test_client().get("/body", buffered=False)
    for _ in zip(range(parts), response.iter_encoded()):
        pass
    response.close()
    assert set(closed) == {("flask", "GET", "/body")}
    assert current_endpoint.get() is None


def test_init_app_leaves_files_to_the_server(tmp_path):
    (tmp_path / "file").write_text("content")

    class Wrapper:
        def __init__(self, file, _size=0):
            self.file = file

    app = Flask("shop")
    init_app(app)
    app.add_url_rule("/file", view_func=lambda: send_file(tmp_path / "file"), endpoint="file")
    environ = create_environ("/file")
    environ["wsgi.file_wrapper"] = Wrapper
    body = app(environ, lambda *_: None)
    assert isinstance(body, Wrapper)
    body.file.close()


@needs_server
def test_statements_carry_the_rule():
    pytest.importorskip("psycopg")
    from pgsleuth_tags.psycopg import TaggedConnection, tagged_connection_class

    connection_class = tagged_connection_class(TaggedConnection, HERE)
    app = Flask("shop")
    init_app(app)

    @app.get("/authors/<int:author_id>")
    def author(author_id):
        with connection_class.connect(DSN) as connection:
            return connection.execute(f"{ASK} AND %s = 7", (author_id,)).fetchone()[0]

    @app.get("/later")
    def later():
        def parts():
            with connection_class.connect(DSN) as connection:
                yield connection.execute(ASK).fetchone()[0]

        return stream_with_context(parts())

    client = app.test_client()
    sent = client.get("/authors/7").text
    assert "/*code.file.path='test_flask.py',code.function.name='author',code.line.number='" in sent
    assert sent.endswith("framework='flask',method='GET',route='/authors/<int:author_id>'*/")
    assert client.get("/later").text.endswith("framework='flask',method='GET',route='/later'*/")
