"""Applications that other people's packages tag, as they come from PyPI: the report names their endpoints.

The applications are in tagged/ and run in an environment of their own, by requirements-tags.txt.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

import records
from proxy import Outcome, Proxy, StartProxy, eventually, issues_of
from server import Server, Target, free_port
from shops import make_tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = Path(os.environ.get("PGSLEUTH_TAGS_VENV") or ROOT / "build/tags-venv") / "bin/python"
TIMES = 6
STATEMENTS = 13  # of a request for books: the list, and the author of each of 12
LIMIT_S = 60
# Django has the empty route, converters and regular expressions; Flask has converters.
DJANGO = ("/", "/books/", "/books/{pk}/", "/authors/{author_id}/")
FLASK = ("/", "/books/", "/books/{book_id}", "/shelves/{place}")


@dataclass(frozen=True)
class Case:
    app: str
    package: str
    endpoints: tuple[str, ...]
    traced: bool = False  # each request has a traceparent of its own in its comments
    located: bool = False  # the comments say where in the source

    @property
    def name(self) -> str:
        return f"{self.app}-{self.package}"

    @property
    def books(self) -> str:
        """The endpoint with the N+1."""
        return self.endpoints[1]


CASES = [
    Case("django", "opentelemetry", DJANGO, traced=True),
    Case("django", "opentelemetry-twice", DJANGO, traced=True),
    Case("django", "google", DJANGO),
    Case("django", "google-traced", DJANGO, traced=True),
    Case("django", "sqlcommenter", tuple(f"GET {route}" for route in DJANGO), located=True),
    # It has no words for the empty route.
    Case("django", "query-prefixer", ("__main__.front", *DJANGO[1:])),
    Case("flask", "opentelemetry-sqlalchemy", FLASK, traced=True),
    Case("flask", "opentelemetry-psycopg2", FLASK, traced=True),
    Case("flask", "opentelemetry-psycopg", FLASK, traced=True),
    Case("flask", "google-sqlalchemy", FLASK),
    Case("flask", "google-psycopg2", FLASK),
]


@pytest.fixture(scope="module", autouse=True)
def tables(server: Server) -> None:
    assert PYTHON.is_file(), f"no {PYTHON}: `. tests/lint/build.sh; tags_venv` makes it"
    make_tables(server)


def run_app(script: str, variant: str, target: dict[str, Any]) -> None:
    done = subprocess.run(
        [str(PYTHON), str(HERE / f"tagged/{script}.py"), variant, str(TIMES), json.dumps(target)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=HERE,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Run:
    outcome: Outcome
    capture: records.Capture


@pytest.fixture(scope="module")
def runs(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Each case with a pgsleuth of its own, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("tags")

    class Runs(dict[str, Run]):
        def __missing__(self, name: str) -> Run:
            app, _, package = name.partition("-")
            proxy = Proxy(
                folder / name, server.app, capture=str(folder / f"{name}.cap"), report_interval_s="0"
            )
            try:
                proxy.start()
                run_app(f"{app}_app", package, proxy.target.libpq())
                run = Run(proxy.stop(), records.read(folder / f"{name}.cap", ""))
            finally:
                proxy.kill()
            self[name] = run
            return run

    return Runs()


def rows(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in outcome.report["endpoints"]}


def line_of(script: str, mark: str) -> int:
    lines = (HERE / "tagged" / script).read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(lines, 1) if mark in line]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_package_names_the_endpoints(runs: dict[str, Run], case: Case) -> None:
    found = rows(runs[case.name].outcome)
    assert set(found) == set(case.endpoints)
    for name, row in found.items():
        assert row["named_by"] == "tag", name
        assert row["requests"] == TIMES, name
        queries = STATEMENTS if name == case.books else 1
        assert (row["queries"]["p50"], row["queries"]["max"]) == (queries, queries), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fault_is_found_on_the_endpoint_that_the_package_names(runs: dict[str, Run], case: Case) -> None:
    outcome = runs[case.name].outcome
    faults = [issue for issue in outcome.issues() if issue["rule"] == "n_plus_one"]
    assert [issue["endpoint"] for issue in faults] == [case.books]
    assert faults[0]["confidence_basis"] == "value_lineage"
    assert (faults[0]["stack"] == "django") == (case.app == "django"), "the code that is advised"
    place = (faults[0]["file"], faults[0]["line"], faults[0]["location_source"])
    if case.located:
        script = f"{case.app}_app.py"
        assert place == (script, line_of(script, "asks once for each book"), "tag")
    else:
        assert place == (None, None, "none")


@pytest.mark.parametrize("case", [case for case in CASES if case.traced], ids=lambda case: case.name)
def test_traceparent_gathers_the_statements_of_a_request(runs: dict[str, Run], case: Case) -> None:
    assert {row["attribution"] for row in rows(runs[case.name].outcome).values()} == {"exact"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_comments_that_differ_do_not_make_statements_differ(runs: dict[str, Run], case: Case) -> None:
    run = runs[case.name]
    asked = [x.sql for x in run.capture.exchanges if "books" in x.sql or "authors" in x.sql]
    assert len(asked) == TIMES * (STATEMENTS + 3)
    # The front page, the list, its authors, one book, the books of one author.
    assert len(set(asked)) == 5, sorted(set(asked))
    assert not any("/*" in sql for sql in asked)
    tags = {x.tag for x in run.capture.exchanges if x.tag}
    assert len(tags) == len(case.endpoints)
    assert not any(word in tag for tag in tags for word in ("00-", "psycopg2", "libpq"))


def test_traceparent_alone_gathers_what_the_statements_name(runs: dict[str, Run]) -> None:
    """FastAPI's instrumentation has no commenter: the driver's knows the trace and no route."""
    report = runs["flask-opentelemetry-traces-only"].outcome.report
    found = [(row["name"], row["requests"], row["queries"]["max"]) for row in report["endpoints"]]
    assert sorted(found) == [
        ("select authors -> authors", TIMES, 1),
        ("select books -> books", TIMES, 1),
        ("select books -> books", TIMES, 1),
        ("select books -> books, authors", TIMES, STATEMENTS),
    ]
    assert {(row["named_by"], row["attribution"]) for row in report["endpoints"]} == {("signature", "exact")}


def test_traceparent_in_comments_spoils_the_drivers_statement_cache_and_is_told(runs: dict[str, Run]) -> None:
    """psycopg prepares a text that comes again; with a trace in it none does."""
    outcome = runs["flask-opentelemetry-psycopg"].outcome
    told = [issue for issue in outcome.issues() if issue["rule"] == "statement_cache"]
    assert [issue["endpoint"] for issue in told] == ["/books/"]


def test_sql_tagger_says_where_in_the_source(runs: dict[str, Run]) -> None:
    """Its comments have places and no route: endpoints are named by their statements."""
    outcome = runs["django-sql-tagger"].outcome
    fault = next(issue for issue in outcome.issues() if issue["rule"] == "n_plus_one")
    assert (fault["file"], fault["location_source"]) == ("django_app.py", "tag")
    assert fault["line"] == line_of("django_app.py", "asks once for each book")
    assert {row["named_by"] for row in outcome.report["endpoints"]} == {"signature"}


def test_task_names_what_is_no_request(runs: dict[str, Run]) -> None:
    found = rows(runs["django-sqlcommenter-task"].outcome)
    assert {(name, row["requests"], row["named_by"]) for name, row in found.items()} == {
        ("shop.nightly", TIMES, "tag")
    }


def test_marginalia_names_controller_and_action(server: Server, pgsleuth: StartProxy) -> None:
    """The comments of Rails, as its documentation has them; there is no package of this for Python."""
    del server
    proxy = pgsleuth(report_interval_s="0")
    with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        for n in range(TIMES):
            for action, column in (("index", "id"), ("show", "title")):
                comment = (
                    f"/*application:Shop,controller:books,action:{action},line:/app/models/book.rb:{n}*/"
                )
                connection.execute(f"SELECT {column} FROM shop.books WHERE id = {n} {comment}".encode())
    found = rows(proxy.stop())
    assert {(name, row["requests"], row["named_by"]) for name, row in found.items()} == {
        ("books#index", TIMES, "tag"),
        ("books#show", TIMES, "tag"),
    }


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg", "sqlalchemy", "asyncpg"])
def test_application_name_tells_services_apart_that_have_no_tags(pgsleuth: StartProxy, driver: str) -> None:
    proxy = pgsleuth(report_interval_s="0")
    run_app("named_app", driver, proxy.target.libpq())
    found = rows(proxy.stop())
    assert {(name, row["requests"], row["named_by"]) for name, row in found.items()} == {
        ("shop-web: select books -> books", TIMES, "signature"),
        ("shop-worker: select books -> books", TIMES, "signature"),
    }


@contextmanager
def fastapi(target: Target, port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "uvicorn", "fastapi_app:app", "--port", str(port), "--log-level", "warning"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=HERE / "tagged",
            env={
                "PATH": "/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
                "TARGET": json.dumps(target.libpq()),
            },
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            return bool(get(port, "/healthy"))
        except OSError:
            return False

    try:
        eventually("uvicorn answers", answers)
        yield
    finally:
        process.kill()
        process.wait(LIMIT_S)


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=LIMIT_S) as answer:
        body: bytes = answer.read()
        return body


def test_traces_that_pgsleuth_gives_name_requests_that_are_in_flight_together(
    pgsleuth: StartProxy, tmp_path: Path
) -> None:
    """FastAPI with OpenTelemetry as it is: the proxy adds a traceparent, and it comes back in the SQL."""
    http, port = free_port(), free_port()
    proxy = pgsleuth(
        http=f"127.0.0.1:{http}=127.0.0.1:{port}", http_add_traceparent=True, report_interval_s="0"
    )
    with fastapi(proxy.target, port, tmp_path / "uvicorn.log"), ThreadPoolExecutor(8) as pool:
        paths = [path for n in range(1, 33) for path in ("/books", f"/books/{100000 + 7 * n}")]
        list(pool.map(lambda path: get(http, path), paths))
    outcome = proxy.stop()
    found = {name: row for name, row in rows(outcome).items() if row["queries"]["max"] > 0}
    assert {name: (row["requests"], row["queries"]["max"]) for name, row in found.items()} == {
        "GET /books": (32, STATEMENTS),
        "GET /books/{id}": (32, 1),
    }
    assert {(row["named_by"], row["attribution"]) for row in found.values()} == {("http", "exact")}
    assert {(x["endpoint"], x["rule"]) for x in issues_of(outcome.report)} >= {("GET /books", "n_plus_one")}
