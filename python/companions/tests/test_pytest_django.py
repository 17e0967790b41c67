"""`pytest --pgsleuth` in a Django project with pytest-django: its test database, its test client."""

from __future__ import annotations

import psycopg
import pytest
from conftest import Project, issues, rules

PROJECT = "django_shop"


def environment(dsn: str) -> dict[str, str]:
    return {"SHOP_DATABASE": dsn}


def test_budgets_hold_to_the_statement_and_the_report_names_routes_and_tests(project: Project) -> None:
    done = project.run("--pgsleuth", "-v")
    done.assert_outcomes(passed=6, failed=1)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(
        [
            "pgsleuth: 127.0.0.1:*, in front of 127.0.0.1:*",
            "pgsleuth: pointed at it: Django's 'default'",
            "*query budget of 6 exceeded: 7 statements*",
            '* 6 x SELECT *FROM "shop_author" WHERE "shop_author"."id" = ?*',
            "*shop/urls.py:11, in GET /books/*",
            "*= pgsleuth =*",
            "pgsleuth * score *",
            "*N+1 query in GET /books/*shop/urls.py:11*",
            "*GET /books/  <- test_shop.py::test_many_books, test_shop.py::test_slow_list_over*",
        ]
    )
    slow = project.endpoint("GET /books/")
    assert (slow["endpoint"]["requests"], slow["endpoint"]["queries"]["max"]) == (3, 7)
    assert slow["endpoint"]["attribution"] == "exact"
    assert "n_plus_one" in rules(slow)
    found = next(issue for issue in issues(slow) if issue["rule"] == "n_plus_one")
    assert (found["file"], found["line"], found["stack"]) == ("shop/urls.py", 11, "django")
    assert "n_plus_one" not in rules(project.endpoint("GET /fast-books/"))
    own = project.endpoint("test_shop.py::test_loop_of_its_own")
    assert own["endpoint"]["queries"]["max"] == 6
    assert "n_plus_one" in rules(own)
    assert {"GET /books/{pk}/", "GET /later-books/", "fixtures of test_shop.py"} <= project.names()


def test_needs_optimization_fails_the_run_only_when_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_BOOKS", "300")
    many = ("--pgsleuth", "-k", "many_books")
    assert project.run(*many).ret == pytest.ExitCode.OK
    assert project.report()["status"] == "NEEDS_OPTIMIZATION"
    done = project.run(*many, "--pgsleuth-fail")
    done.assert_outcomes(passed=1, deselected=6)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    clean = project.run("--pgsleuth", "--pgsleuth-fail-on=low", "-k", "fast_list")
    clean.assert_outcomes(passed=1, deselected=6)
    assert clean.ret == pytest.ExitCode.OK, "what fixtures do fails nobody"
    assert rules(project.endpoint("fixtures of test_shop.py"))


def test_findings_of_a_severity_fail_the_run_when_asked(project: Project) -> None:
    slow = ("--pgsleuth", "-k", "within_its_budget")
    assert project.run(*slow, "--pgsleuth-fail-on=low").ret == pytest.ExitCode.TESTS_FAILED


def test_workers_of_xdist_share_one_pgsleuth(project: Project) -> None:
    done = project.run("--pgsleuth", "-n", "2")
    done.assert_outcomes(passed=6, failed=1)
    done.stdout.fnmatch_lines(
        ["*GET /books/  <- test_shop.py::test_many_books, test_shop.py::test_slow_list_over*"]
    )
    assert len([line for line in done.outlines if line.startswith("pgsleuth: 127.0.0.1:")]) == 1
    slow = project.endpoint("GET /books/")
    assert (slow["endpoint"]["requests"], slow["endpoint"]["queries"]["max"]) == (3, 7)


def test_budgets_hold_without_pgsleuth(project: Project) -> None:
    done = project.run("--pgsleuth-budget=0")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    # The others have a budget of their own, which one is over, or none on purpose.
    done.assert_outcomes(passed=4, failed=3)
    assert not (project.folder / "pgsleuth-report").exists()


def test_two_databases_that_could_be_meant_are_told(
    project: Project, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SHOW unix_socket_directories").fetchone()
    assert row is not None
    monkeypatch.setenv("PGHOST", row[0])
    monkeypatch.setenv("PGPORT", dsn.rpartition(":")[2].partition("/")[0])
    done = project.run("--pgsleuth")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: --pgsleuth: *Django's databases (default) are elsewhere*"])
    chosen = project.run("--pgsleuth", f"--pgsleuth-database={dsn}", "-k", "fast_list")
    assert chosen.ret == pytest.ExitCode.OK
    assert "GET /fast-books/" in project.names()
