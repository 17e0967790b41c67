"""A database for each test, projects to run pytest in, and the companions as pip would install them."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml

pytest_plugins = ["pytester"]

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "src"
ROOT = HERE.parents[2]


@pytest.fixture(scope="session")
def binary() -> str:
    path = Path(os.environ.get("PGSLEUTH_BIN") or ROOT / "build/asan/pgsleuth").resolve()
    assert os.access(path, os.X_OK), f"no pgsleuth at {path}; set PGSLEUTH_BIN"
    return str(path)


@pytest.fixture(scope="session")
def server() -> str:
    """URL of a private server, of tests/e2e/with_server.py."""
    url = os.environ.get("PGSLEUTH_TEST_DSN", "")
    assert url, "run these tests by tests/e2e/with_server.py"
    return url


@pytest.fixture
def dsn(server: str) -> Iterator[str]:
    """URL of an empty database of this test's own."""
    name = f"shop_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with the companions and their entry points, as an installation has them."""
    text = (HERE.parent / "pyproject.toml").read_text(encoding="utf-8")
    sections = re.findall(r"\[project\.entry-points\.(\w+)\]\n((?:\w.*\n)+)", text)
    assert sections
    folder = tmp_path_factory.mktemp("installed")
    info = folder / "pgsleuth_companions-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pgsleuth-companions\nVersion: 0.1.0\n")
    points = "".join(f"[{group}]\n" + lines.replace('"', "") for group, lines in sections)
    (info / "entry_points.txt").write_text(points)
    return f"{SOURCES}{os.pathsep}{folder}"


class Project:
    """A folder with an application and its tests, and pytest in it."""

    def __init__(self, pytester: pytest.Pytester, environment: dict[str, str]) -> None:
        self.pytester = pytester
        self.folder = pytester.path
        self.environment = environment

    def prepare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in list(os.environ):
            if name.startswith(("PG", "PYTEST_", "DJANGO_", "DATABASE_URL")):
                monkeypatch.delenv(name)
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def run(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=120)

    def report(self) -> dict[str, Any]:
        return self._yaml("report.yaml")

    def endpoint(self, name: str) -> dict[str, Any]:
        rows = [row for row in self.report()["endpoints"] if row["name"] == name]
        assert len(rows) == 1, [row["name"] for row in self.report()["endpoints"]]
        return self._yaml(rows[0]["report"])

    def names(self) -> set[str]:
        return {row["name"] for row in self.report()["endpoints"]}

    def _yaml(self, name: str) -> dict[str, Any]:
        loaded = yaml.safe_load((self.folder / "pgsleuth-report" / name).read_text(encoding="utf-8"))
        assert isinstance(loaded, dict)
        return loaded


def issues(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [issue for severity in report["issues"].values() for issue in severity]


def rules(report: dict[str, Any]) -> set[str]:
    return {issue["rule"] for issue in issues(report)}


@pytest.fixture
def project(  # noqa: PLR0913, PLR0917 # fixtures
    request: pytest.FixtureRequest,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    binary: str,
    installed: str,
    dsn: str,
) -> Iterator[Project]:
    """The project that the test's module names."""
    # Where a pytest that is killed leaves what it had. Not below pytester's: that is too long for a socket.
    temporary = tempfile.mkdtemp(prefix="companions-")
    shutil.copytree(HERE / "projects" / request.module.PROJECT, pytester.path, dirs_exist_ok=True)
    made = Project(
        pytester,
        {
            "PYTHONPATH": f"{installed}{os.pathsep}{pytester.path}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PGSLEUTH_BIN": binary,
            "TMPDIR": temporary,
            **request.module.environment(dsn),
        },
    )
    made.prepare(monkeypatch)
    yield made
    shutil.rmtree(temporary)
