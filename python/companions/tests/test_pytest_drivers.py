"""What a budget counts is what pgsleuth sees: each driver, each ORM, the same number from both sides."""

from __future__ import annotations

from conftest import Project

PROJECT = "drivers"
# pgsleuth also counts the FETCH from a named cursor of psycopg, which the driver sends by itself.
SEEN_BESIDES = {"test_psycopg": 1}


def environment(dsn: str) -> dict[str, str]:
    return {"DATABASE_URL": dsn}


def test_count_of_a_test_is_what_pgsleuth_saw(project: Project) -> None:
    done = project.run("--pgsleuth")
    done.assert_outcomes(passed=8)
    expected = dict(
        line.rsplit(" ", 1) for line in (project.folder / "expected.txt").read_text().splitlines()
    )
    assert len(expected) == 8
    seen = {
        row["name"]: row["queries"]["max"] for row in project.report()["endpoints"] if "::" in row["name"]
    }
    assert {
        name: int(number) + SEEN_BESIDES.get(name.split("::")[1], 0) for name, number in expected.items()
    } == seen


def test_budgets_are_the_same_without_pgsleuth(project: Project) -> None:
    project.run().assert_outcomes(passed=8)
