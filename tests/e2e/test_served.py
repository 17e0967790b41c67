"""Applications under their servers, with locust in front: what the report says of each request against what
the application knows of it.

The applications are in served/. Each writes down which route a request was of and what it sent, and with
what result; the report has to give every statement, with its rows, to that route.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

from admin import OPTIONS, TOKENS, Api
from proxy import Proxy, StartProxy, eventually
from served.plan import ROUTES
from server import Server, Target, end_with_parent, free_port
from shops import make_tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPANIONS = Path(os.environ.get("PGSLEUTH_COMPANIONS_VENV") or ROOT / "build/companions-venv")
LIMIT_S = 120
PROCESSES = 2
LEARNING_S = 4  # a request is judged when it is over for 3 s, by the times of what comes then
LEARNT_AT_LEAST = 0.95

GUNICORN = ("gunicorn", "--workers", str(PROCESSES), "--timeout", "120", "--no-control-socket")
UVICORN = ("uvicorn", "--workers", str(PROCESSES), "--log-level", "warning")
SERVERS: dict[str, tuple[str, ...]] = {
    "uvicorn-fastapi": (*UVICORN, "served.fastapi_app:app"),
    "gunicorn-uvicorn-fastapi": (*GUNICORN, "-k", "uvicorn_worker.UvicornWorker", "served.fastapi_app:app"),
    "gunicorn-sync-flask": (*GUNICORN, "-k", "sync", "served.flask_app:app"),
    "gunicorn-gthread-flask": (*GUNICORN, "-k", "gthread", "--threads", "4", "served.flask_app:app"),
    "gunicorn-sync-django": (*GUNICORN, "-k", "sync", "served.django_app:app"),
    "gunicorn-gthread-django": (*GUNICORN, "-k", "gthread", "--threads", "4", "served.django_app:app"),
    "uvicorn-django": (*UVICORN, "served.django_app:asgi_app"),
}
# way of naming -> by what a route then has its name
WAYS = {"alone": "http", "calibrated": "http", "tags": "tag", "traces": "tag", "marks": "mark"}
SWITCHES = {"calibrated": "calibrate", "traces": "http_add_traceparent"}
HELPERS = ("tags", "traces", "marks")
# Comments name a request; where it begins and ends, the connections tell: asyncpg's pool resets them,
# SQLAlchemy ends its transaction, and Django's persistent ones show nothing.
BORDERS = {"fastapi": "marker", "flask": "transaction", "django": "gap"}
DEFAULT = {
    ("uvicorn-fastapi", "alone", 1),
    ("gunicorn-gthread-flask", "tags", 50),
    ("gunicorn-sync-django", "calibrated", 50),
}


def cases() -> Iterator[Any]:
    for server in SERVERS:
        for way in WAYS:
            for users in (1, 50):
                if way == "alone" and users > 1:
                    continue  # then they are not
                marks = () if (server, way, users) in DEFAULT else (pytest.mark.long,)
                yield pytest.param(server, way, users, marks=marks, id=f"{server}-{way}-{users}")


@dataclass
class Served:
    """An application between pgsleuth's listeners."""

    proxy: Proxy
    http: int  # pgsleuth's port
    folder: Path

    def load(self, users: int, turns: int) -> None:
        """By locust, which says of itself when a request failed."""
        command = [str(COMPANIONS / "bin/locust"), "-f", str(HERE / "served/locustfile.py"), "--headless"]
        command += [f"--users={users}", f"--spawn-rate={users}", "--json", "--loglevel=ERROR"]
        done = subprocess.run(
            [*command, f"--host=http://127.0.0.1:{self.http}", f"--run-time={LIMIT_S}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * LIMIT_S,
            cwd=self.folder,
            env=environment(TURNS=str(turns)),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        sent = sum(row["num_requests"] for row in json.loads(done.stdout))
        assert sent == users * turns


def environment(**more: str) -> dict[str, str]:
    kept = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, "PYTHONPATH": f"{HERE}:{ROOT / 'python/src'}", **more}


@contextmanager
def application(server: str, port: int, target: Target, folder: Path, **helped: str) -> Iterator[None]:
    name, *rest = SERVERS[server]
    log = folder / "server.log"
    bound = ["--port", str(port)] if name == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
    wanted = {"DATABASE_URL": target.url(), "TRUTH": str(folder / "truth"), **helped}
    wanted["MANIFEST"] = str(folder / "manifest.json")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", name, *bound, *rest],
            cwd=folder,
            env=environment(**wanted),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent(signal.SIGTERM),  # which its children are told
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/quiet", timeout=1) as answer:
            return bool(answer.status == 200)
        return False

    try:
        eventually(f"{server} answers", answers)
        yield
    finally:
        process.terminate()
        try:
            process.wait(LIMIT_S)
        finally:
            process.kill()


@pytest.fixture
def serve(pgsleuth: StartProxy, tmp_path: Path) -> Iterator[Callable[[str, str], Served]]:
    """Start one of SERVERS, its requests to be named in one of the WAYS."""
    with ExitStack() as started:

        def start(server: str, way: str) -> Served:
            http, port = free_port(), free_port()
            marks = f"127.0.0.1:{free_port()}"
            options: dict[str, Any] = {**OPTIONS, "workers": 2, "marks": marks}
            if way == "tags" and not server.endswith("django"):
                # A connection's first unit has no pool's mark yet: on a busy machine a pause would end it.
                options["unit_gap_ms"] = "30s"
            options["manifest"] = tmp_path / "manifest.json"
            if way in SWITCHES:
                options[SWITCHES[way]] = True
            proxy = pgsleuth(http=f"127.0.0.1:{http}=127.0.0.1:{port}", env=TOKENS, **options)
            helped = {"HELPER": way if way in HELPERS else ""}
            if way == "marks":
                helped["PGSLEUTH_MARKS"] = marks
            started.enter_context(application(server, port, proxy.target, tmp_path, **helped))
            return Served(proxy, http, tmp_path)

        yield start


@pytest.fixture(scope="module", autouse=True)
def tables(server: Server) -> None:
    assert (COMPANIONS / "bin/locust").is_file(), f"no locust in {COMPANIONS}: `companions_venv` makes it"
    make_tables(server)


Sent = dict[tuple[str, str], tuple[int, int]]  # (endpoint, "own" or "shared") -> calls, rows


def truth_of(running: Served) -> tuple[Counter[str], Sent]:
    """Of each route, its requests; and what they sent."""
    requests: Counter[str] = Counter()
    sent: Sent = {}
    for line in (running.folder / "truth").read_text(encoding="ascii").splitlines():
        said = json.loads(line)
        name = ROUTES[said["name"]].name
        requests[name] += 1
        for kind in ("own", "shared"):
            calls, rows = sent.get((name, kind), (0, 0))
            sent[name, kind] = (calls + len(said[kind]), rows + sum(said[kind]))
    return requests, sent


def reported(api: Api) -> Sent:
    """The same as pgsleuth has it, with the endpoints that have no route beside them."""
    sent: Sent = {}
    for row in api.get("/api/v1/statements")["statements"]:
        if "books" in row["sql"]:
            key = (row["endpoint"], "own" if " of_" in row["sql"].replace('"', "") else "shared")
            calls, rows = sent.get(key, (0, 0))
            sent[key] = (calls + row["calls"], rows + row["rows"])
    return sent


def all_told(running: Served, truth: Sent) -> Sent:
    """When every statement is of some endpoint, since the last requests are over for long enough."""
    api = Api(running.proxy)
    total = sum(calls for calls, _ in truth.values())

    def told() -> bool:
        return sum(calls for calls, _ in reported(api).values()) == total

    eventually(f"{total} statements are told", told)
    return reported(api)


def assert_manifest(report: dict[str, Any], rows: dict[str, dict[str, Any]], framework: str) -> None:
    """Each endpoint has the function that serves it, whoever named it, and the pool is told of."""
    source = (HERE / f"served/{framework}_app.py").read_text(encoding="utf-8").splitlines()
    names = {route.name: name for name, route in ROUTES.items()}
    for name, row in rows.items():
        place = row["handler"]
        assert (place["file"], place["function"]) == (f"{framework}_app.py", names[name])
        # Where it begins, decorators included.
        assert f"def {names[name]}(" in " ".join(source[place["line"] - 1 : place["line"] + 1])
    told = report["run"]["application"]
    settings = {one["name"]: one["value"] for one in told["settings"]}
    size = {
        "fastapi": ("pool.max_overflow", "4"),
        "flask": ("pool.size", "4"),
        "django": ("databases.default.CONN_MAX_AGE", "60"),
    }[framework]
    assert told["framework"] == framework
    assert settings[size[0]] == size[1], settings
    assert f"packages.{framework}" in settings


@pytest.mark.parametrize(("server_name", "way", "users"), list(cases()))
def test_every_statement_has_its_route(
    serve: Callable[[str, str], Served], server_name: str, way: str, users: int
) -> None:
    running = serve(server_name, way)
    running.load(users, turns=60 if users == 1 else 6)
    requests, sent = truth_of(running)
    assert all_told(running, sent) == sent
    report = running.proxy.stop().report
    rows = {row["name"]: row for row in report["endpoints"] if row["queries"] and row["queries"]["max"] > 0}
    assert set(rows) == set(requests)
    border = BORDERS[server_name.rpartition("-")[2]] if way == "tags" and users > 1 else "exact"
    for name, row in rows.items():
        assert (row["named_by"], row["attribution"]) == (WAYS[way], border), row
        assert row["requests"] == requests[name] or border == "gap", row
    assert report["coverage"]["lost_marks"] == 0
    assert_manifest(report, rows, server_name.rpartition("-")[2])


@pytest.mark.long
@pytest.mark.parametrize("users", [16, 50])
@pytest.mark.parametrize("server_name", list(SERVERS))
def test_what_is_learnt_from_one_user_names_many(
    serve: Callable[[str, str], Served],
    server_name: str,
    users: int,
    record_property: Callable[[str, object], None],
) -> None:
    """How much is named is held to a bar at 16 users; that nothing is misnamed, always."""
    running = serve(server_name, "learnt")
    running.load(1, turns=60)
    time.sleep(LEARNING_S)
    running.load(users, turns=400 // users)
    requests, sent = truth_of(running)
    found = all_told(running, sent)
    outcome = running.proxy.stop()
    for (name, kind), (calls, rows) in found.items():
        if name in requests:
            each = {"own": "own", "shared": "shared"}[kind]
            route = next(route for route in ROUTES.values() if route.name == name)
            assert rows == calls * getattr(route, each), (name, kind)
    named = sum(calls for (name, _), (calls, _) in found.items() if name in requests)
    share = named / sum(calls for calls, _ in sent.values())
    record_property("named", f"{server_name}, {users} users: {share:.3f}")
    print(
        f"{server_name}, {users} users: {100 * share:.1f} % of the statements are named, all of them rightly"
    )
    for name in requests:
        row = outcome.endpoint(name)["endpoint"]
        assert row["attribution"] == "learnt", row
    assert share >= LEARNT_AT_LEAST or users > 16
