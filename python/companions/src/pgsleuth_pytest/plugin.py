"""What pytest loads: options, the marker ``query_budget``, the fixture ``pgsleuth``; the report."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pgsleuth_pytest import database, hooks, results
from pgsleuth_pytest.marks import Marks
from pgsleuth_pytest.process import HOST, CannotRunError, Pgsleuth, find_binary
from pgsleuth_pytest.statements import CALL, Statement, tracker, worst

# What the controller of pytest-xdist tells its workers, by their environment.
_FOR_WORKERS = "_PYTEST_PGSLEUTH"
_KEY = "pgsleuth_session"
_LOST = "pgsleuth_lost_marks"
_MARKER = "query_budget"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pgsleuth", "pgsleuth: what the tests send to PostgreSQL")
    add = group.addoption
    add("--pgsleuth", action="store_true", help="Run the tests behind a pgsleuth of their own.")
    add("--pgsleuth-bin", metavar="PATH", default="", help="The program. [PGSLEUTH_BIN, else found on PATH]")
    add(
        "--pgsleuth-database",
        metavar="URL",
        default="",
        help="The database, where it cannot be found: see the README.",
    )
    add(
        "--pgsleuth-url-variable",
        metavar="NAME",
        default="DATABASE_URL",
        help="Variable that the application reads its database's URL from. [DATABASE_URL]",
    )
    add(
        "--pgsleuth-report",
        metavar="DIR",
        default="pgsleuth-report",
        help="Where the report goes. [pgsleuth-report]",
    )
    add(
        "--pgsleuth-budget",
        metavar="N",
        type=_budget_option,
        default=None,
        help="Statements a test may send, unless it is marked with a query_budget.",
    )
    add("--pgsleuth-fail", action="store_true", help="Exit code 1 when the report says NEEDS_OPTIMIZATION.")
    add(
        "--pgsleuth-fail-on",
        choices=results.SEVERITIES,
        help="Exit code 1 when it has a finding of this severity or a worse one.",
    )


def _budget_option(text: str) -> int:
    budget = int(text)  # argparse tells of a ValueError
    if budget < 0:
        raise ValueError(text)
    return budget


# --- the session ---


class Session:
    """The fixture ``pgsleuth``: this session's pgsleuth, and what the current test has sent."""

    def __init__(self, config: pytest.Config, upstream: database.Upstream | None) -> None:
        self._config = config
        self.upstream = upstream
        self.port = 0
        self.report_dir: Path | None = None
        self.process: Pgsleuth | None = None  # None in a worker, and without --pgsleuth
        self.changed: list[str] = []
        self.elsewhere: list[str] = []
        self.url = ""

    @property
    def dsn(self) -> str | None:
        """The database's URL by way of pgsleuth; None without --pgsleuth. For what reads no variable."""
        if not self.port:
            return None
        return self.url or f"postgresql://{HOST}:{self.port}/"

    @property
    def queries(self) -> list[Statement]:
        """What the current test has sent so far, its fixtures not counted."""
        test = tracker.current
        return list(test.statements) if test is not None and test.phase == CALL else []

    @property
    def count(self) -> int:
        """How many statements that is, as a budget counts them."""
        test = tracker.current
        return test.count if test is not None and test.phase == CALL else 0

    def report(self) -> dict[str, Any]:
        """The report as it is now."""
        if self.process is None or self.report_dir is None:
            raise RuntimeError("a report needs --pgsleuth, and with pytest-xdist it is the controller's")
        self.process.write_report()
        return results.read(self.report_dir)

    def start(self, binary: str, report_dir: Path) -> None:
        if self.upstream is None:
            raise CannotRunError("no database")
        self.report_dir = report_dir
        self.process = Pgsleuth(binary, self.upstream.url, report_dir)
        self._config.add_cleanup(self.process.stop)
        self.process.start()
        self.port = self.process.port
        self._mark(self.process.marks)
        os.environ[_FOR_WORKERS] = json.dumps(
            {
                "host": self.upstream.host,
                "port": self.upstream.port,
                "proxy": self.port,
                "marks": self.process.marks,
                "url": self.url,
            }
        )
        self._config.add_cleanup(lambda: _restore({_FOR_WORKERS: None}))

    def join(self, told: dict[str, Any]) -> None:
        """In a worker: the controller's pgsleuth."""
        self.upstream = database.Upstream(told["host"], told["port"])
        self.port, self.url = told["proxy"], told["url"]
        self._mark(told["marks"])

    def _mark(self, path: str) -> None:
        tracker.marks = Marks(path)
        self._config.add_cleanup(_no_marks)

    def point_environment(self, variable: str) -> None:
        if self.upstream is None:
            return
        before = dict(os.environ)
        self.changed += database.point_environment(os.environ, variable, self.upstream, HOST, self.port)
        if variable in self.changed:
            self.url = os.environ[variable]
        now = dict(os.environ)
        others = {
            name: before.get(name) for name in before.keys() | now.keys() if before.get(name) != now.get(name)
        }
        self._config.add_cleanup(lambda: _restore(others))

    def point_django(self) -> None:
        if self.upstream is not None:
            there, self.elsewhere = database.point_django(self.upstream, HOST, self.port)
            self.changed += [f"Django's {alias!r}" for alias in there]


def _no_marks() -> None:
    if tracker.marks is not None:
        tracker.marks.close()
    tracker.marks = None


def _restore(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _session(config: pytest.Config) -> Session | None:
    found = getattr(config, _KEY, None)
    return found if isinstance(found, Session) else None


def _fail(reason: object) -> pytest.UsageError:
    return pytest.UsageError(f"--pgsleuth: {reason}")


# --- before the application is imported ---


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    options = early_config.known_args_namespace
    if options.pgsleuth_budget is not None:
        hooks.install()
    if not options.pgsleuth or options.help or options.version or options.collectonly:
        return
    hooks.install()
    session = Session(early_config, None)
    setattr(early_config, _KEY, session)
    told = os.environ.get(_FOR_WORKERS)
    if told and os.environ.get("PYTEST_XDIST_WORKER"):
        session.join(json.loads(told))
        return
    variable = options.pgsleuth_url_variable
    try:
        if options.pgsleuth_database:
            session.upstream = database.of_url(options.pgsleuth_database)
        else:
            session.upstream = database.of_environment(os.environ, variable)
        if session.upstream is not None:
            _start(early_config, session)
            if options.pgsleuth_database:
                session.url = database.pointed_at(options.pgsleuth_database, HOST, session.port)
            session.point_environment(variable)
    except database.UnfitDatabaseError as error:
        source = "--pgsleuth-database" if options.pgsleuth_database else variable
        raise _fail(f"{source}: {error}") from None
    except CannotRunError as error:
        raise _fail(error) from None


def _start(config: pytest.Config, session: Session) -> None:
    options = config.known_args_namespace
    report_dir = Path(config.invocation_params.dir, options.pgsleuth_report).absolute()
    session.start(find_binary(options.pgsleuth_bin), report_dir)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(n): the test fails when it sends more than n statements to PostgreSQL; None: any number.",
    )
    tracker.relative_to(str(config.rootpath))
    session = _session(config)
    if session is None:
        return
    try:
        if session.upstream is None:
            session.upstream = _of_django()
            _start(config, session)
        session.point_django()
    except (CannotRunError, database.UnfitDatabaseError) as error:
        raise _fail(error) from None
    if session.elsewhere and not any(name.startswith("Django") for name in session.changed):
        at = ", ".join(session.elsewhere)
        raise _fail(
            f"pgsleuth stands in front of {session.upstream.shown}, Django's databases ({at}) are elsewhere:"
            " unset what names the other one, or give --pgsleuth-database"
        )


def _of_django() -> database.Upstream:
    found = database.django_databases()
    first = found.get("default") or next(iter(found.values()), None)
    if first is None:
        raise CannotRunError(
            "no database: set DATABASE_URL or PGHOST, or Django's DATABASES, or give --pgsleuth-database"
        )
    return database.of_django(first)


def pytest_report_header(config: pytest.Config) -> list[str]:
    session = _session(config)
    if session is None or session.process is None or session.upstream is None:
        return []
    lines = [f"pgsleuth: {HOST}:{session.port}, in front of {session.upstream.shown}"]
    lines.append(
        f"pgsleuth: pointed at it: {', '.join(session.changed) or 'nothing; see the fixture pgsleuth.dsn'}"
    )
    if session.elsewhere:
        lines.append(f"pgsleuth: on other servers, not audited: {', '.join(session.elsewhere)}")
    return lines


# --- each test ---


@pytest.hookimpl(trylast=True)  # what is deselected is nobody's
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = False
    for item in items:
        marker = item.get_closest_marker(_MARKER)
        if marker is not None:
            _check_marker(item, marker)
        wanted = wanted or marker is not None or "pgsleuth" in getattr(item, "fixturenames", ())
    if wanted:
        hooks.install()


def _check_marker(item: pytest.Item, marker: pytest.Mark) -> None:
    budget = marker.args[0] if len(marker.args) == 1 and not marker.kwargs else "?"
    good = budget is None or (isinstance(budget, int) and not isinstance(budget, bool) and budget >= 0)
    if not good:
        raise pytest.UsageError(f"{item.nodeid}: {_MARKER} takes one whole number, or None")


def _budget(item: pytest.Item) -> int | None:
    marker = item.get_closest_marker(_MARKER)
    budget = marker.args[0] if marker is not None else item.config.getoption("pgsleuth_budget")
    return None if budget is None else int(budget)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    tracker.begin(item.nodeid, "setup")
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    tracker.begin(item.nodeid, "teardown")
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    test = tracker.begin(item.nodeid, CALL)
    result = yield
    budget = _budget(item)
    if budget is not None and test.count > budget:
        lines = [f"query budget of {budget} exceeded: {test.count} statements", *worst(test.statements)]
        pytest.fail("\n".join(lines), pytrace=False)
    return result


@pytest.fixture(scope="session")
def pgsleuth(request: pytest.FixtureRequest) -> Session:
    """The session's pgsleuth: ``.dsn``, ``.report()``, ``.queries`` and ``.count`` of the current test."""
    return _session(request.config) or Session(request.config, None)


# --- the end ---


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    ours = _session(session.config)
    if ours is None:
        return
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = {name: sorted(tests) for name, tests in tracker.tests_of.items()}
        output[_LOST] = tracker.lost_marks
    if ours.process is None or ours.report_dir is None:
        return
    died = not ours.process.is_running
    ours.process.end()
    if died or ours.process.code != 0:
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        return
    severity = session.config.getoption("pgsleuth_fail_on")
    strict = severity is not None or session.config.getoption("pgsleuth_fail")
    if (
        strict
        and session.exitstatus in _MAY_FAIL
        and results.needing(results.read(ours.report_dir), severity)
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_MAY_FAIL = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist has ended: which test went through which endpoint is known to it alone."""
    output = getattr(node, "workeroutput", None) or {}
    for name, tests in output.get(_KEY, {}).items():
        tracker.tests_of.setdefault(name, set()).update(tests)
    tracker.lost_by_workers += output.get(_LOST, 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = _session(config)
    if session is None or session.process is None or session.report_dir is None:
        return
    write = terminalreporter.write_line
    terminalreporter.section("pgsleuth")
    if session.process.code != 0:
        write(
            f"pgsleuth ended with exit code {session.process.code}: {session.process.complaint()}", red=True
        )
        return
    for line in session.process.summary.rstrip().splitlines():
        write(line)
    report = results.read(session.report_dir)
    if not results.statements(report) and tracker.tests_of:
        write(
            "The tests sent statements, but pgsleuth saw none: the application names its database elsewhere."
            " Let it use the fixture pgsleuth.dsn, or name its variable by --pgsleuth-url-variable.",
            yellow=True,
        )
    if tracker.lost_marks:
        lost = f"{tracker.lost_marks} times pgsleuth could not be told whose statements come"
        write(f"{lost}: some have a wrong name.", yellow=True)
    severity = config.getoption("pgsleuth_fail_on")
    bad = results.with_tests(results.needing(report, severity or "low"), tracker.tests_of)
    if bad:
        write("")
        write("endpoints with findings, and their tests:", yellow=True)
        for line in bad:
            write(f"  {line}")
