"""`pytest --pgsleuth` for FastAPI with SQLAlchemy: TestClient, `def` and `async def`, routers and mounts."""

from __future__ import annotations

from conftest import Project, issues, rules

PROJECT = "fastapi_shop"


def environment(dsn: str) -> dict[str, str]:
    return {"DATABASE_URL": dsn}


def line_of(text: str, project: Project) -> int:
    lines = (project.folder / "app.py").read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(lines, 1) if text in line]
    assert len(found) == 1, found
    return found[0]


def test_budgets_hold_to_the_statement_and_the_report_names_routes(project: Project) -> None:
    done = project.run("--pgsleuth", "-v")
    done.assert_outcomes(passed=8, failed=2)
    done.stdout.fnmatch_lines(
        [
            "pgsleuth: pointed at it: DATABASE_URL",
            "*test_slow_list_over_its_budget FAILED*",
            "*test_async_list_over_its_budget FAILED*",
            "*query budget of 6 exceeded: 7 statements*",
            "* 6 x SELECT *FROM authors WHERE authors.id = ?*",
            f"*app.py:{line_of('book.author.name] for book in db.scalars(select', project)}, in GET /books*",
            "*query budget of 6 exceeded: 7 statements*",
            f"*app.py:{line_of('await db.scalar(select(Author)', project)}, in GET /async-books*",
        ]
    )
    for name in ("GET /books", "GET /async-books"):
        slow = project.endpoint(name)
        assert slow["endpoint"]["queries"]["max"] == 7
        found = next(issue for issue in issues(slow) if issue["rule"] == "n_plus_one")
        assert found["file"] == "app.py"
    for name in ("GET /catalogue/{author_id}/books", "GET /admin/authors/{author_id}"):
        clean = project.endpoint(name)
        assert clean["endpoint"]["queries"]["max"] == 1
        assert "n_plus_one" not in rules(clean)


def test_budgets_and_the_handle_work_without_pgsleuth(project: Project) -> None:
    done = project.run()
    done.assert_outcomes(passed=8, failed=2)
    done.stdout.no_fnmatch_line("*= pgsleuth =*")
