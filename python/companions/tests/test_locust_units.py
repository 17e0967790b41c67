"""Names of locust's beside routes of pgsleuth's, the verdict, and URLs; no server, no locust."""

from __future__ import annotations

from typing import Any

import pytest

from pgsleuth_locust.client import Admin, AdminError
from pgsleuth_locust.report import matches, same_route, side_by_side, verdict


def endpoint(method: str, route: str | None) -> dict[str, Any]:
    return {"name": f"{method} {route}", "method": method, "route": route}


@pytest.mark.parametrize(
    ("route", "path", "fits"),
    [
        ("/users/{id}", "/users/17", True),
        ("/users/{id}", "/users/17/", True),
        ("/users/{id}", "/users/17/books", False),
        ("/users/<int:pk>/", "/users/17", True),
        ("/users/:id/books", "/users/17/books", True),
        ("/files/{path:path}", "/files/a/b.txt", True),
        ("/files/*", "/files/a/b.txt", True),
        ("/a.b", "/axb", False),
        ("/", "/", True),
        ("/", "", True),
    ],
)
def test_path_fits_its_route_alone(route: str, path: str, fits: bool) -> None:
    assert matches(route, path) is fits


def test_templates_are_the_same_whatever_their_parameters_are_called() -> None:
    assert same_route("/users/{user_id}/books", "/users/:id/books/")
    assert not same_route("/users/{user_id}", "/users/me")


@pytest.mark.parametrize(
    ("method", "name", "partner"),
    [
        ("GET", "/users/{id}", "GET /users/{user_id}"),
        ("GET", "/users/me", "GET /users/me"),
        ("GET", "/users/17?full=1", "GET /users/{user_id}"),
        ("GET", "http://127.0.0.1:8000/users/17", "GET /users/{user_id}"),
        ("POST", "/users/17", "POST /users/{user_id}"),
        ("GET", "GET /users/17", "GET /users/{user_id}"),
        ("GET", "the users", None),
        ("DELETE", "/users/17", None),
        ("GET", "http://[", None),
    ],
)
def test_name_of_locust_finds_its_endpoint(method: str, name: str, partner: str | None) -> None:
    endpoints = [
        endpoint("GET", "/users/{user_id}"),
        endpoint("GET", "/users/me"),
        endpoint("POST", "/users/{user_id}"),
        endpoint("GET", None),
    ]
    rows = side_by_side([(method, name)], endpoints)
    assert rows[0][0] == (method, name)
    assert (rows[0][1] or {}).get("name") == partner
    alone = [row[1]["name"] for row in rows[1:] if row[0] is None and row[1] is not None]
    assert sorted([*alone, *([partner] if partner else [])]) == sorted(str(e["name"]) for e in endpoints)


def test_two_names_of_one_route_both_have_its_endpoint() -> None:
    only = endpoint("GET", "/users/{id}")
    assert side_by_side([("GET", "/users/1"), ("GET", "/users/2")], [only]) == [
        (("GET", "/users/1"), only),
        (("GET", "/users/2"), only),
    ]


def test_verdict_tells_the_worst_first_and_counts_the_others() -> None:
    low = {"issue": "All columns", "file": None, "line": None}
    high = {"issue": "N+1 query", "file": "a.py", "line": 7}
    report = {
        "status": "NEEDS_OPTIMIZATION",
        "performance_score": "41/100",
        "run": {"requests": 3, "statements": 30},
        "issues": {"critical": [], "high": [high], "medium": [], "low": [low] * 12},
    }
    lines = verdict(report)
    assert lines[0] == (
        "pgsleuth: NEEDS_OPTIMIZATION, score 41/100, issues: 1 high, 12 low (3 requests, 30 statements)"
    )
    assert lines[1] == "  high     N+1 query  a.py:7"
    assert lines[-1] == "  and 3 others"


@pytest.mark.parametrize("url", ["", "127.0.0.1:6433", "ftp://127.0.0.1/", "http://"])
def test_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(AdminError, match="the URL is not like"):
        Admin(url)


def test_token_is_not_a_part_of_what_is_shown() -> None:
    admin = Admin("http://127.0.0.1:6433/?token=secret")
    assert admin.base == "http://127.0.0.1:6433"
