"""Flask with psycopg2, by its test client."""

import os

import flask
import psycopg2
import pytest

app = flask.Flask(__name__)


def names():
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM shop.pages WHERE id = %s", (1,))
        return cursor.fetchone()


@app.get("/pages/<int:number>")
def page(number):
    return {"name": "".join({names()[0] for _ in range(number)})}


@pytest.fixture(scope="session", autouse=True)
def _tables():
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA shop")
        cursor.execute("CREATE TABLE shop.pages AS SELECT 1 AS id, 'page' AS relname")
        connection.commit()


@pytest.mark.query_budget(3)
def test_within():
    assert app.test_client().get("/pages/3").json == {"name": "page"}


@pytest.mark.query_budget(3)
def test_over():
    assert app.test_client().get("/pages/4").json == {"name": "page"}
