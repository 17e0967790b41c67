"""The application's source: findings quote the function they are about, and no file from anywhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from proxy import StartProxy, issues_of, read_yaml, run_command
from server import Server

SECRET = "NOT-FOR-THE-REPORT"  # noqa: S105 # of no login
MODULE = '''import db

OTHER = """
def not_here():
"""


@app.get("/books")
def books(
    author: int,
):
    rows = []
    for n in range(author):
        rows += db.execute("SELECT name FROM people WHERE id = %s", n)
    return rows


def later():
    pass
'''
LINE = 1 + MODULE[: MODULE.index("rows += ")].count("\n")


def send(proxy: Any, file: str, line: int, function: str) -> None:
    place = f"code.file.path='{quote(file)}',code.function.name='{quote(function)}',code.line.number='{line}'"
    tag = f" /*{place},route='/books'*/"
    with psycopg.connect(**proxy.target.libpq()) as connection:
        for n in range(20):
            connection.execute(f"SELECT name FROM people WHERE id = %s{tag}".encode(), (n,)).fetchall()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop/books.py").write_text(MODULE, encoding="utf-8")
    return folder


def test_finding_quotes_the_function_it_is_about(
    source: Path, pgsleuth: StartProxy, server: Server, pgsleuth_report: Any, tmp_path: Path
) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(server.app, source=source, capture=capture)
    send(proxy, "shop/books.py", LINE, "books")
    report = proxy.stop().report
    (issue,) = issues_of(report)
    assert (issue["file"], issue["line"], issue["location_source"]) == ("shop/books.py", LINE, "tag")
    function = MODULE[MODULE.index("@app") : MODULE.index("\n\ndef later")]
    assert issue["current_code"].rstrip() == f"# shop/books.py:{LINE}\n{function}".rstrip()
    assert report["run"]["sources"]["source"] == "on"
    done = pgsleuth_report(str(capture), f"--source={source}", f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr
    assert read_yaml(tmp_path / "again/report.yaml") == report


def outside(source: Path) -> str:
    (source.parent / "secret.py").write_text(MODULE.replace("rows = []", SECRET), encoding="utf-8")
    return "../secret.py"


def absolute(source: Path) -> str:
    outside(source)
    return str(source.parent / "secret.py")


def link_out(source: Path) -> str:
    outside(source)
    (source / "link.py").symlink_to("../secret.py")
    return "link.py"


def folder_out(source: Path) -> str:
    outside(source)
    (source / "up").symlink_to("..", target_is_directory=True)
    return "up/secret.py"


def magic_link(source: Path) -> str:
    del source
    return "/proc/self/environ"


def pipe(source: Path) -> str:
    os.mkfifo(source / "pipe.py")
    return "pipe.py"


def folder(source: Path) -> str:
    del source
    return "shop"


def too_large(source: Path) -> str:
    (source / "large.py").write_text(MODULE + "#" * 3_000_000, encoding="utf-8")
    return "large.py"


def no_text(source: Path) -> str:
    (source / "binary.py").write_bytes(bytes(range(256)) * 64)
    return "binary.py"


def missing(source: Path) -> str:
    del source
    return "nowhere.py"


def changed(source: Path) -> str:
    text = "# a line more\n" * 10 + MODULE
    (source / "changed.py").write_text(text, encoding="utf-8")
    return "changed.py"


@pytest.mark.parametrize(
    "place",
    [outside, absolute, link_out, folder_out, magic_link, pipe, folder, too_large, no_text, missing, changed],
)
def test_place_without_its_function_is_told_by_its_sql(
    place: Any, source: Path, pgsleuth: StartProxy, server: Server
) -> None:
    file = place(source)
    proxy = pgsleuth(server.app, source=source)
    send(proxy, file, LINE, "books")
    outcome = proxy.stop()
    (issue,) = issues_of(outcome.report)
    assert issue["current_code"].startswith("-- SQL")
    for document in outcome.report_dir.rglob("*.yaml"):
        assert SECRET not in document.read_text("utf-8")
    assert SECRET not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("command", ["run", "report"])
def test_folder_that_is_not_there_is_said_at_the_start(command: str, server: Server, tmp_path: Path) -> None:
    rest = (
        [str(tmp_path)] if command == "report" else [f"--upstream={server.app.url()}", "--no-explain-enabled"]
    )
    done = run_command(command, *rest, f"--source={tmp_path / 'nowhere'}")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"source: {tmp_path / 'nowhere'}: No such file or directory; give the folder" in done.stderr
