"""The suites: where each is from, what it wants of a server, how it is run, what of it is opaque."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import workshop
from server import Target

HERE = Path(__file__).resolve().parent

REPLICATION = "replication connection"


@dataclass(frozen=True)
class Plan:
    """One run of a suite."""

    target: Target
    junit: Path
    only: tuple[str, ...]  # files of the suite; none: all of it

    def pytest(self, *arguments: str) -> list[str]:
        return [
            *(str(workshop.python()), "-s", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-o", "junit_family=xunit1"),  # with the file of each test
            *(f"--junitxml={self.junit}", *arguments),
        ]


@dataclass(frozen=True)
class Suite:
    name: str
    package: str
    take: tuple[str, ...]  # of the source distribution
    least: int  # tests that pass: with fewer, something is amiss that has nothing to do with pgsleuth
    command: Callable[[Plan], list[str]]
    environment: Callable[[Plan], dict[str, str]] = lambda _: {}
    database: str = "suite"
    prepare: tuple[str, ...] = ()  # SQL for the superuser, in that database
    folder: str = "."  # to run in, below the copy
    # Tests that fail at times on a direct connection too, and why: told, but never a fault.
    loose: dict[str, str] = field(default_factory=dict)
    # Why sessions may be opaque, as the report says it, and why the analysis can do no better.
    opaque: dict[str, str] = field(default_factory=dict)

    def copy(self, folder: Path) -> None:
        """The tests alone: the driver itself is the installed one."""
        source = workshop.source(self.package, workshop.pinned(self.package))
        for part in self.take:
            if (source / part).is_dir():
                shutil.copytree(source / part, folder / part)
            else:
                (folder / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / part, folder / part)


def psycopg2_environment(plan: Plan) -> dict[str, str]:
    return {
        "PSYCOPG2_TESTDB": plan.target.database,
        "PSYCOPG2_TESTDB_HOST": plan.target.host,
        "PSYCOPG2_TESTDB_PORT": str(plan.target.port),
        "PSYCOPG2_TESTDB_USER": plan.target.user,
        "PSYCOPG2_TESTDB_PASSWORD": plan.target.password,
        "PSYCOPG2_TEST_REPL_DSN": "",  # the same
    }


def psycopg2(name: str, **environment: str) -> Suite:
    return Suite(
        name=name,
        package="psycopg2",
        take=("tests",),
        least=690,  # with a wait callback many are skipped
        command=lambda plan: plan.pytest(*(plan.only or ("tests",))),
        environment=lambda plan: {**psycopg2_environment(plan), **environment},
        prepare=("CREATE EXTENSION hstore",),
        # With a wait callback test_replication.py is skipped.
        opaque={} if environment else {REPLICATION: "a walsender's commands are not SQL, its stream no rows"},
    )


# What sends and reads values, of the dialect and above it.
SQLALCHEMY_PARTS = """
    test/dialect/postgresql/test_query.py test/dialect/postgresql/test_on_conflict.py
    test/dialect/postgresql/test_dialect.py test/dialect/postgresql/test_async_pg.py
    test/dialect/postgresql/test_reflection.py test/dialect/test_suite.py test/engine/test_execute.py
    test/engine/test_transaction.py test/engine/test_reconnect.py test/sql/test_insert_exec.py
    test/sql/test_resultset.py test/sql/test_returning.py test/sql/test_query.py test/sql/test_types.py
    test/sql/test_defaults.py test/sql/test_sequences.py
"""
SQLALCHEMY_WHOLE = "test/dialect test/sql test/engine"


def sqlalchemy(driver: str, parts: str = SQLALCHEMY_PARTS) -> Suite:
    return Suite(
        name=f"sqlalchemy-{driver}",
        package="SQLAlchemy",
        take=("test", "lib", "setup.cfg", "pyproject.toml"),
        least=12000 if parts == SQLALCHEMY_WHOLE else 3000,
        command=lambda plan: plan.pytest(
            *(plan.only or parts.split()),
            *("--backend-only", f"--dburi={plan.target.url(f'postgresql+{driver}')}"),
        ),
        prepare=(
            *("CREATE SCHEMA test_schema", "CREATE SCHEMA test_schema_2"),
            *("CREATE EXTENSION hstore", "CREATE EXTENSION citext"),
            'CREATE COLLATION "en_US" FROM "C"',
        ),
    )


DJANGO_LABELS = """
    aggregation aggregation_regress annotations backends basic bulk_create composite_pk constraints
    custom_lookups custom_pk datatypes dates datetimes db_functions db_utils distinct_on_fields
    expressions expressions_case expressions_window extra_regress filtered_relation force_insert_update
    from_db_value get_or_create indexes introspection lookup m2m_through many_to_many model_fields
    multiple_database null_queries ordering pagination postgres_tests prefetch_related proxy_models
    queries raw_query schema select_for_update select_related transaction_hooks transactions update
"""


def django(name: str, driver: str, **options: bool) -> Suite:
    return Suite(
        name=f"django-{name}",
        package="Django",
        take=("tests",),
        least=4000,
        folder="tests",
        command=lambda plan: [
            *(str(workshop.python()), "runtests.py", "--settings=django_suite.settings", "--parallel=1"),
            *("--noinput", *(plan.only or DJANGO_LABELS.split())),
        ],
        environment=lambda plan: {
            "PYTHONPATH": str(HERE),
            "SUITE_JUNIT": str(plan.junit),
            "SUITE_DRIVER": driver,
            "SUITE_OPTIONS": json.dumps(options),
        },
    )


APIS = ("dbapi", "legacy", "native")  # of pg8000

SUITES = (
    psycopg2("psycopg2"),
    psycopg2("psycopg2-green", PSYCOPG2_TEST_GREEN="1"),
    Suite(
        name="asyncpg",
        package="asyncpg",
        take=("tests",),
        least=300,
        # These start clusters of their own, which pgsleuth is not in front of.
        command=lambda plan: plan.pytest(*(plan.only or ("tests",)), "-k", "not TestConnectionAttributes"),
        loose={
            "tests.test_execute.TestExecuteMany::test_executemany_server_failure_during_writes": (
                "whether the kernel takes 4 MB before the error is read: two of three runs fail without us"
            )
        },
        database="postgres",  # where some tests look for what others made in the default one
    ),
    Suite(
        name="pg8000",
        package="pg8000",
        take=("test",),
        least=750,
        # test/auth wants a server with rules of its own for each test.
        command=lambda plan: plan.pytest(
            *(plan.only or ("test",)),
            *("--benchmark-disable", "--ignore=test/test_readme.py"),  # the text has a password of its own
            *(f"--ignore=test/{api}/auth" for api in APIS),
        ),
        database="postgres",  # it names none
        prepare=("CREATE EXTENSION hstore",),
    ),
    sqlalchemy("psycopg2", SQLALCHEMY_WHOLE),
    *(sqlalchemy(driver) for driver in ("psycopg", "asyncpg", "pg8000")),
    django("psycopg2", "psycopg2"),
    django("psycopg", "psycopg"),
    django("psycopg-binding", "psycopg", server_side_binding=True),
)
