"""Fixtures: a private PostgreSQL for the whole run, and pgsleuth processes for a test or a module."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from matrix import Matrix
from proxy import RUNNING, Proxy, StartProxy, binary, run_command
from server import Server, Target, run_server

collect_ignore = ["django_shop"]  # a project that a test runs
TEST_S = 150
SLOW_TEST_S = 900


def pytest_configure() -> None:
    # A runner that loses patience sends SIGTERM: fixtures must end what they started all the same.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))
    # A shell's background ignores it, and what is ignored stays so in every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"pgsleuth: {binary()}"


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that hangs in a driver has its pgsleuth taken away: then the driver fails, and the test."""
    slow = any(request.node.get_closest_marker(name) for name in ("demo", "long", "slow"))
    timer = threading.Timer(
        SLOW_TEST_S if slow else TEST_S, lambda: [proxy.kill() for proxy in list(RUNNING)]
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    yield from run_server()


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """Servers of both versions with every way to log in; what the cells want is started with the first."""
    made = Matrix(tmp_path_factory.mktemp("matrix"))
    try:
        yield made
    finally:
        made.close()


def _factory(server: Server, folder: Path, started: list[Proxy]) -> StartProxy:
    def start(behind: Target | None = None, *, env: dict[str, str] | None = None, **options: Any) -> Proxy:
        proxy = Proxy(folder / f"pgsleuth-{len(started)}", behind or server.app, env=env, **options)
        started.append(proxy)
        return proxy.start()

    return start


def _end(started: list[Proxy]) -> None:
    """What the test did not stop is stopped, and its end checked, here; nothing survives a failed check."""
    try:
        for proxy in started:
            if proxy.process is not None and proxy.process.returncode is None:
                proxy.stop()
    finally:
        for proxy in started:
            proxy.kill()


@pytest.fixture
def pgsleuth(server: Server, tmp_path: Path) -> Iterator[StartProxy]:
    """Start a pgsleuth in front of the server: pgsleuth(behind, option=value...) -> Proxy."""
    started: list[Proxy] = []
    try:
        yield _factory(server, tmp_path, started)
    finally:
        _end(started)


@pytest.fixture
def pgsleuth_report() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `pgsleuth report` with these arguments."""
    return lambda *arguments: run_command("report", *arguments)


@pytest.fixture(scope="module")
def start_for_module(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartProxy]:
    """As `pgsleuth`, for those that stay until the module is done."""
    started: list[Proxy] = []
    try:
        yield _factory(server, tmp_path_factory.mktemp("relay"), started)
    finally:
        _end(started)


@pytest.fixture(scope="module")
def relay(start_for_module: StartProxy) -> Proxy:
    """One pgsleuth for all tests of a module that only need some relay."""
    return start_for_module(workers=2)
