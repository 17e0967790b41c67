"""`pytest --pgsleuth` that cannot start, is broken off, or loses its pgsleuth."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import pytest
from conftest import Project

PROJECT = "plain"
LONG_S = 60


def environment(dsn: str) -> dict[str, str]:
    return {"DATABASE_URL": dsn}


def refused(project: Project, *arguments: str) -> str:
    """The one line that pytest gives as its reason."""
    done = project.run("--pgsleuth", "-k", "quick", *arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stdout.no_fnmatch_line("*passed*")
    said = [line for line in done.errlines if line]
    assert len(said) == 1, said
    assert said[0].startswith("ERROR: --pgsleuth: ")
    assert not processes_of(project)
    return said[0]


def processes_of(project: Project) -> list[int]:
    """Those of pgsleuth that write this project's report, and their helpers."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0] if words else "Z"
        except OSError:
            continue
        if state != "Z" and f"--report-dir={project.folder}/".encode() in words:
            found.append(int(entry.name))
    return found


def eventually(what: str, condition: Callable[[], object]) -> None:
    until = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


@contextmanager
def waiting(project: Project) -> Iterator[subprocess.Popen[str]]:
    """A pytest in the middle of its test, at the head of a process group as a shell makes it."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pgsleuth", "-k", "waits"]
    with (project.folder / "output").open("w") as output:
        process = subprocess.Popen(
            command, cwd=project.folder, stdout=output, stderr=output, text=True, start_new_session=True
        )
    try:
        eventually(
            "it did not begin", lambda: (project.folder / "waits").exists() or process.poll() is not None
        )
        assert process.poll() is None, (project.folder / "output").read_text()
        assert processes_of(project)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(LONG_S)


def test_a_binary_that_is_none_is_told(project: Project) -> None:
    assert "--pgsleuth-bin is /nonexistent/pgsleuth, which is not a program" in refused(
        project, "--pgsleuth-bin=/nonexistent/pgsleuth"
    )


def test_no_binary_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSLEUTH_BIN")
    monkeypatch.setenv("PATH", str(project.folder))
    assert "no program pgsleuth: give --pgsleuth-bin or PGSLEUTH_BIN, or put it on PATH" in refused(project)


def test_a_binary_that_is_another_program_is_told(project: Project) -> None:
    assert "pgsleuth did not start (exit code 1): it did not say why" in refused(
        project, "--pgsleuth-bin=/bin/false"
    )


def test_a_server_that_is_not_there_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # not listening
        monkeypatch.setenv("DATABASE_URL", f"postgresql://u@127.0.0.1:{nobody.getsockname()[1]}/shop")
        assert "pgsleuth did not start (exit code 3): " in refused(project)


def test_no_database_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert "no database: set DATABASE_URL or PGHOST" in refused(project)


def test_a_database_of_another_kind_is_told(project: Project) -> None:
    assert "--pgsleuth-database: it is no URL of a PostgreSQL database" in refused(
        project, "--pgsleuth-database=mysql://u@localhost/shop"
    )


def test_a_budget_that_is_no_number_is_told(project: Project) -> None:
    text = "import pytest\n@pytest.mark.query_budget('many')\ndef test_x(): pass\n"
    (project.folder / "test_budget.py").write_text(text)
    done = project.run("-k", "test_x or quick")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: test_budget.py::test_x: query_budget takes one whole number, or None"])
    assert project.run("-k", "quick").ret == pytest.ExitCode.OK, "a test that is not run"


def test_what_goes_around_pgsleuth_is_told(project: Project, dsn: str) -> None:
    (project.folder / "conftest.py").write_text(f"import os\nos.environ['DATABASE_URL'] = {dsn!r}\n")
    done = project.run("--pgsleuth", "-k", "quick")
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(["The tests sent statements, but pgsleuth saw none: *"])


def test_variables_of_libpq_lead_through_pgsleuth(
    project: Project, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = dsn.rpartition("@")[2].partition("/")[0].partition(":")
    monkeypatch.setenv("PGHOST", host)
    monkeypatch.setenv("PGPORT", port)
    # Without a host and a port of its own libpq looks at the variables.
    monkeypatch.setenv("DATABASE_URL", "user={} password={} dbname={}".format(*words(dsn)))
    done = project.run("--pgsleuth", "-k", "quick")
    done.stdout.fnmatch_lines(["pgsleuth: pointed at it: PGHOST"])
    assert "test_plain.py::test_quick" in project.names()


def words(dsn: str) -> tuple[str, str, str]:
    login, _, rest = dsn.partition("://")[2].partition("@")
    user, _, password = login.partition(":")
    return user, password, rest.partition("/")[2]


def test_a_variable_of_another_name_leads_through_pgsleuth(
    project: Project, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("SHOP_URL", dsn)
    (project.folder / "conftest.py").write_text(
        "import os\nos.environ['DATABASE_URL'] = os.environ['SHOP_URL']\n"
    )
    done = project.run("--pgsleuth", "--pgsleuth-url-variable=SHOP_URL", "-k", "quick")
    done.stdout.fnmatch_lines(["pgsleuth: pointed at it: SHOP_URL"])
    assert "test_plain.py::test_quick" in project.names()


def test_ctrl_c_ends_pgsleuth_with_its_report(project: Project) -> None:
    with waiting(project) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(LONG_S) == pytest.ExitCode.INTERRUPTED
        assert not processes_of(project)
    assert "KeyboardInterrupt" in (project.folder / "output").read_text()
    assert "test_plain.py::test_waits" in project.names()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_pgsleuth_ends_with_a_pytest_that_is_killed(project: Project, number: int) -> None:
    with waiting(project) as process:
        process.send_signal(number)
        process.wait(LONG_S)
        eventually("pgsleuth outlives pytest", lambda: not processes_of(project))
    assert "test_plain.py::test_waits" in project.names()


def test_a_pgsleuth_that_dies_is_told(project: Project) -> None:
    with waiting(project) as process:
        for pid in processes_of(project):
            os.kill(pid, signal.SIGKILL)
        (project.folder / "go-on").touch()
        assert process.wait(LONG_S) == pytest.ExitCode.INTERNAL_ERROR
    assert "pgsleuth ended with exit code -9" in (project.folder / "output").read_text()


def test_a_temporary_folder_with_a_long_name_is_no_hindrance(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.folder / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    assert project.run("--pgsleuth", "-k", "quick").ret == pytest.ExitCode.OK
    assert "test_plain.py::test_quick" in project.names()
