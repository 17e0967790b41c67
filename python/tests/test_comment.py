from __future__ import annotations

from urllib.parse import unquote

import pytest

from pgsleuth_tags import append, render

TAG = "/*route='/x'*/"


def test_render_sorts_keys_and_quotes_values():
    assert render({"route": "/users/{user_id}", "method": "GET", "code.file.path": "app/main.py"}) == (
        "/*code.file.path='app/main.py',method='GET',route='/users/{user_id}'*/"
    )


def test_render_without_values_is_empty():
    assert render({}) == ""
    assert render({"route": ""}) == ""


@pytest.mark.parametrize(
    "value", ["it's", "*/ DROP TABLE x; /*", "100%", "a,b=c", "a\\'b", "é\n\0", "<int:id>", "a+b c"]
)
def test_render_value_survives_and_cannot_leave_the_comment(value):
    comment = render({"k": value})
    inner = comment[len("/*k='") : -len("'*/")]
    assert unquote(inner) == value
    assert not set(inner) & set("'\\*;,?$\" \n\0")
    assert inner.isascii()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", f"SELECT 1 {TAG}"),
        ("SELECT 1;", f"SELECT 1 {TAG};"),
        ("SELECT 1 ; \n", f"SELECT 1 {TAG} ; \n"),
        ("SELECT 1 -- why", f"SELECT 1 -- why\n{TAG}"),
        ("SELECT 1 -- why;", f"SELECT 1 -- why\n{TAG};"),
        ("-- why\nSELECT 1", f"-- why\nSELECT 1 {TAG}"),
        ("SELECT 1 /* remark */", f"SELECT 1 /* remark */ {TAG}"),
        ("/*+ SeqScan(t) */ SELECT 1", f"/*+ SeqScan(t) */ SELECT 1 {TAG}"),
        ("", ""),
        (" ; ", " ; "),
    ],
)
def test_append_places_the_comment(sql, expected):
    assert append(sql, TAG) == expected


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT 1 {TAG}",
        f"SELECT 1 {TAG};",
        f"SELECT 1; {TAG}",
        "SELECT 1 /*db_driver='psycopg%%3A3',dbapi_threadsafety=2*/",
        "/*dddbs='shop',dde='prod'*/ SELECT 1",
        "SELECT 1 /*a='it\\'s'*/",
    ],
)
def test_append_tagged_statement_is_left_alone(sql):
    assert append(sql, "/*route='/other'*/") == sql


def test_append_twice_is_append_once():
    once = append("SELECT 1;", TAG)
    assert append(once, TAG) == once


def test_append_comment_like_literal_is_no_comment():
    sql = "SELECT '/*k=''v''*/' FROM t"
    assert append(sql, TAG) == f"{sql} {TAG}"


def test_append_empty_comment_changes_nothing():
    assert append("SELECT 1", "") == "SELECT 1"
