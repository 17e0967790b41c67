"""The admin API: who may ask what, what it answers, and what hostile clients can do to it."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from admin import ADMIN, OPTIONS, READ, SAID, TOKENS, Api, read_all
from proxy import Proxy, StartProxy, eventually, read_yaml, run_command
from server import Server, free_port

OPEN = ["/livez", "/readyz"]
READS = [
    "/",
    "/metrics",
    *(f"/api/v1/{name}" for name in ("status", "endpoints", "findings", "statements", "report")),
]
WRITES = [f"/api/v1/{name}" for name in ("marks", "snapshot", "reload", "drain")]
WRONG = "not-a-token-of-the-tests"
STATEMENT = "SELECT name FROM people WHERE id = %s"
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
WAIT_S = 10  # of the API for a client


@pytest.fixture(scope="module")
def proxy(start_for_module: StartProxy) -> Proxy:
    return start_for_module(env=TOKENS, **OPTIONS)


@pytest.fixture(scope="module")
def api(proxy: Proxy) -> Api:
    return Api(proxy)


def ask_people(proxy: Proxy, route: str, times: int = 6) -> None:
    """One request of a tagged application, on a connection of its own."""
    with psycopg.connect(**proxy.target.libpq()) as connection:
        for i in range(1, times + 1):
            connection.execute(f"{STATEMENT} /*route='{route}',method='GET'*/".encode(), (i,))


def reported(api: Api, route: str) -> dict[str, Any]:
    """The endpoint's row, once it is there."""
    found: list[dict[str, Any]] = []

    def seen() -> bool:
        found[:] = [e for e in api.get("/api/v1/endpoints")["endpoints"] if e["route"] == route]
        return bool(found)

    eventually(f"{route} in the report", seen)
    return found[0]


# --- who may ask what ---


@pytest.mark.parametrize("path", [*OPEN, *READS, *WRITES])
@pytest.mark.parametrize("role", ["none", "wrong", "read", "admin"])
def test_admin_each_role_gets_what_its_route_allows(
    pgsleuth: StartProxy, api: Api, path: str, role: str
) -> None:
    token = {"none": None, "wrong": WRONG, "read": READ, "admin": ADMIN}[role]
    if path.endswith("/drain") and role == "admin":
        api = Api(pgsleuth(env=TOKENS, **OPTIONS))
    method = "POST" if path in WRITES else "GET"
    answer = api.ask(method, path, token=token, body={"name": "m"} if path in WRITES else None)
    if path in OPEN or role == "admin" or (role == "read" and path in READS):
        assert answer.code in (200, 202), answer
    elif role == "read":
        assert answer.code == 403
        assert "admin.token" in answer.json()["do"]
    else:
        assert answer.code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", [*OPEN, *READS, *WRITES])
def test_admin_other_methods_are_refused_and_the_right_one_is_told(api: Api, path: str) -> None:
    right = "POST" if path in WRITES else "GET"
    for method in METHODS:
        if method == right:
            continue
        answer = api.ask(method, path)
        assert answer.code == 405, (method, answer)
        assert answer.headers["allow"] == right


@pytest.mark.parametrize(
    "path", ["/index.html", "/api", "/api/v1/status/", "/api/v2/status", "/livez/..", "/%6civez"]
)
def test_admin_unknown_path_is_404(api: Api, path: str) -> None:
    answer = api.ask("GET", path)
    assert answer.code == 404
    assert set(answer.json()) == {"error", "do"}
    assert answer.body.count(b"\n") == 1


def test_admin_token_in_the_query_is_for_get_alone(api: Api) -> None:
    assert api.ask("GET", f"/api/v1/status?token={READ}", token=None).code == 200
    assert api.ask("GET", f"/api/v1/status?x=1&token={ADMIN}&y", token=None).code == 200
    assert api.ask("GET", f"/api/v1/status?token={READ}&token={READ}", token=None).code == 401
    assert api.ask("GET", f"/api/v1/status?token={ADMIN}", token=WRONG).code == 401
    assert api.ask("POST", f"/api/v1/reload?token={ADMIN}", token=None).code == 401


def test_admin_name_that_is_not_ours_is_refused(api: Api) -> None:
    """A page whose own name was made to mean this machine: everything is right but the name."""
    for name in (
        f"evil.test:{api.port}",
        "localhost",
        f"localhost:{api.port + 1}",
        "",
        f"127.0.0.1.evil:{api.port}",
    ):
        for method, path in (("GET", "/livez"), ("GET", "/api/v1/report"), ("POST", "/api/v1/reload")):
            answer = api.ask(method, path, headers={"Host": name})
            assert answer.code == 421, name
            assert "admin.hosts" in answer.json()["do"]
    for name in (f"localhost:{api.port}", f"LocalHost:{api.port}", f"[::1]:{api.port}", api.name):
        assert api.ask("GET", "/livez", headers={"Host": name}).code == 200


def test_admin_two_names_or_an_absolute_other_one_are_refused(api: Api) -> None:
    good, bad = f"Host: {api.name}\r\n", f"Host: evil.test:{api.port}\r\n"
    for lines in (good + bad, bad + good, good + good, ""):
        said = api.raw(f"GET /livez HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        assert said.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400")), said
    said = api.raw(
        f"GET http://evil.test:{api.port}/livez HTTP/1.1\r\n{good}Connection: close\r\n\r\n".encode()
    )
    assert said.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400")), said


def test_admin_hosts_option_adds_names(pgsleuth: StartProxy) -> None:
    api = Api(pgsleuth(admin_hosts="audit.test,box.test:7", **OPTIONS))
    for name, code in (("audit.test", 200), ("audit.test:1", 200), ("box.test:7", 200), ("box.test", 421)):
        assert api.ask("GET", "/livez", headers={"Host": name}).code == code


def test_admin_page_of_another_site_cannot_post(api: Api) -> None:
    for origin in ("http://evil.test", "null", f"http://localhost:{api.port}", f"http://{api.name}/"):
        assert api.ask("POST", "/api/v1/reload", headers={"Origin": origin}).code == 403
    assert api.ask("POST", "/api/v1/reload", headers={"Origin": f"http://{api.name}"}).code == 202
    answer = api.ask("GET", "/api/v1/status", headers={"Origin": "http://evil.test"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_admin_every_answer_has_the_headers_that_protect_it(api: Api) -> None:
    for path, token in (("/livez", None), ("/api/v1/status", ADMIN), ("/api/v1/status", None), ("/no", None)):
        headers = api.ask("GET", path, token=token).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


# --- tokens ---


def test_admin_random_token_is_told_once_and_nowhere_else(pgsleuth: StartProxy, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(capture=str(capture), log_level="debug", **OPTIONS)
    api = Api(proxy)
    assert re.fullmatch("[0-9a-f]{32}", api.token)
    ask_people(proxy, "/told")
    for path in READS:
        assert api.ask("GET", path).code == 200
    api.post("/api/v1/marks", {"name": "here"})
    files = api.post("/api/v1/snapshot")["files"]
    assert "report.yaml" in files
    outcome = proxy.stop()
    assert outcome.stderr.count(api.token) == 1
    left = [p for p in proxy.folder.rglob("*") if p.is_file() and p.name != "stderr"] + [capture]
    assert len(left) >= 3
    for path in left:
        assert api.token.encode() not in path.read_bytes(), path


def test_admin_random_tokens_differ(pgsleuth: StartProxy) -> None:
    first, second = (Api(pgsleuth(**OPTIONS)) for _ in range(2))
    assert first.token != second.token
    assert second.ask("GET", "/api/v1/status", token=first.token).code == 401


def test_admin_tokens_that_were_given_are_told_nowhere(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(env=TOKENS, log_level="error", **OPTIONS)
    api = Api(proxy)
    assert api.ask("GET", "/api/v1/status", token=WRONG).code == 401
    assert api.get("/api/v1/status")["version"]
    outcome = proxy.stop()
    assert SAID.search(outcome.stderr)
    for token in (ADMIN, READ, WRONG):
        assert token not in outcome.stderr


# --- the start ---


@pytest.mark.parametrize(
    ("code", "said", "options"),
    [
        (2, "admin.token", ["--admin-token=short"]),
        (2, "admin.token", ["--admin-token=0123456789 abcdefgh"]),
        (2, "admin.read_token", ["--admin-read-token=0123456789&abcdefgh"]),
        (2, "give it another", ["--admin-token=0123456789abcdef", "--admin-read-token=0123456789abcdef"]),
        (2, "admin.hosts", ["--admin-hosts=a, b"]),
        (2, "host:port", ["--admin-listen=/tmp/admin.sock"]),
        (2, "admin.listen", ["--admin-listen=127.0.0.1"]),
    ],
)
def test_admin_wrong_option_is_one_line(
    server: Server, tmp_path: Path, code: int, said: str, options: list[str]
) -> None:
    done = run_command(
        "run",
        f"--upstream={server.app.url()}",
        f"--listen=127.0.0.1:{free_port()}",
        f"--report-dir={tmp_path / 'report'}",
        "--no-explain-enabled",
        "--admin-listen=127.0.0.1:0",
        *options,
    )
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert said in errors[0]
    assert "0123456789" not in done.stderr


@pytest.mark.parametrize(
    ("listen", "warned"), [("127.0.0.1:0", False), ("localhost:0", False), ("0.0.0.0:0", True), (":0", True)]
)
def test_admin_address_that_others_reach_is_warned_of(
    pgsleuth: StartProxy, listen: str, warned: bool
) -> None:
    proxy = pgsleuth(admin_listen=listen)
    api = Api(proxy)
    assert api.host == "127.0.0.1"
    assert api.ask("GET", "/livez").code == 200
    assert ("other machines reach" in proxy.stderr) == warned


def test_admin_port_in_use_is_one_line(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command(
            "run",
            f"--upstream={server.app.url()}",
            f"--listen=127.0.0.1:{free_port()}",
            f"--report-dir={tmp_path / 'report'}",
            "--no-explain-enabled",
            f"--admin-listen=127.0.0.1:{port}",
        )
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert "--admin-listen" in errors[0]


def test_admin_port_is_not_shared_with_a_second_pgsleuth(
    pgsleuth: StartProxy, server: Server, tmp_path: Path
) -> None:
    api = Api(pgsleuth(**OPTIONS))
    second = Proxy(tmp_path / "second", server.app, admin_listen=api.name)
    second.launch()
    assert "--admin-listen" in second.wait(expect=2).stderr


def test_admin_without_the_option_listens_nowhere(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth()
    inodes = {
        Path(f"/proc/{proxy.pid}/fd/{fd}").readlink().name
        for fd in (entry.name for entry in Path(f"/proc/{proxy.pid}/fd").iterdir())
    }
    listening = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    assert len([row for row in listening if f"socket:[{row[9]}]" in inodes]) == 1
    assert not SAID.search(proxy.stderr)


# --- what it tells ---


def test_admin_documents_tell_of_the_traffic(proxy: Proxy, api: Api) -> None:
    before = api.get("/api/v1/status")
    ask_people(proxy, "/documents", 7)
    row = reported(api, "/documents")
    assert (row["method"], row["requests"]) == ("GET", 1)
    after = api.get("/api/v1/status")
    assert after["statements"] - before["statements"] >= 7
    assert after["sessions"]["total"] > before["sessions"]["total"]
    assert after["run"]["id"] == 1
    assert after["report_dir"] == str(proxy.report_dir)
    statements = api.get("/api/v1/statements")["statements"]
    mine = [s for s in statements if s["endpoint"] == "GET /documents"]
    assert [(s["calls"], s["rows"], s["verb"]) for s in mine] == [(7, 7, "SELECT")]
    assert "people" in mine[0]["sql"]
    findings = api.get("/api/v1/findings")["findings"]
    report = api.get("/api/v1/report")
    assert {f["fingerprint"] for f in findings} == {
        issue["fingerprint"] for issues in report["issues"].values() for issue in issues
    }
    assert all(f["severity"] in report["issues"] for f in findings)
    assert "/documents" in {e["route"] for e in report["endpoints"]}


def test_admin_report_is_what_the_snapshot_writes(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(report_interval_s="0", **OPTIONS)
    api = Api(proxy)
    for i in range(3):
        ask_people(proxy, f"/written/{i}")
    reported(api, "/written/2")
    done = api.post("/api/v1/snapshot")
    assert done["report_dir"] == str(proxy.report_dir)
    assert sorted(done["files"]) == sorted(
        str(p.relative_to(proxy.report_dir)) for p in proxy.report_dir.rglob("*.yaml")
    )
    assert len(done["files"]) == 4

    def same() -> bool:
        api.post("/api/v1/snapshot")
        return bool(api.get("/api/v1/report") == read_yaml(proxy.report_dir / "report.yaml"))

    eventually("the same in both", same)


def test_admin_metrics_are_openmetrics_without_sql(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(**OPTIONS)
    api = Api(proxy)
    ask_people(proxy, "/metered", 5)
    with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        connection.execute("SELECT name FROM people WHERE id = 3")
    reported(api, "/metered")
    families: dict[str, Any] = {}

    def told() -> bool:
        answer = api.ask("GET", "/metrics")
        assert answer.code == 200
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert answer.body.endswith(b"# EOF\n")
        assert b"SELECT" not in answer.body
        families.update({f.name: f for f in text_string_to_metric_families(answer.body.decode())})
        routes = {s.labels["http_route"] for s in families["db_client_operation_duration_seconds"].samples}
        return "/metered" in routes and "unnamed" in routes

    eventually("both endpoints", told)
    duration = families["db_client_operation_duration_seconds"]
    mine = [s for s in duration.samples if s.labels["http_route"] == "/metered"]
    assert [s.value for s in mine if s.name.endswith("_count")] == [5]
    buckets = [s.labels["le"] for s in mine if s.name.endswith("_bucket")]
    assert buckets == ["0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1.0", "5.0", "10.0", "+Inf"]
    assert {s.labels["db_system_name"] for s in mine} == {"postgresql"}
    assert {s.labels["http_request_method"] for s in mine} == {"GET"}
    assert families["pgsleuth_statements"].samples[0].value >= 6
    assert {s.labels["severity"] for s in families["pgsleuth_findings"].samples} == {
        "critical",
        "high",
        "medium",
        "low",
    }
    assert "http_server_request_duration_seconds" in families


# --- marks ---


def test_admin_marks_are_in_the_report_and_in_that_of_the_capture(
    pgsleuth: StartProxy, tmp_path: Path
) -> None:
    capture = tmp_path / "capture"
    proxy = pgsleuth(capture=str(capture), **OPTIONS)
    api = Api(proxy)
    assert "marks" not in api.get("/api/v1/report")["run"]
    first = api.post("/api/v1/marks", {"name": "spawning_complete"})["mark"]
    ask_people(proxy, "/marked")
    second = api.post("/api/v1/marks", {"name": "All users are gone. 1-2"})["mark"]
    assert 0 < first["at_s"] <= second["at_s"] <= api.get("/api/v1/status")["uptime_s"]
    assert api.get("/api/v1/report")["run"]["marks"] == [first, second]
    outcome = proxy.stop()
    assert outcome.report["run"]["marks"] == [first, second]
    again = tmp_path / "again"
    done = run_command("report", str(capture), f"--report-dir={again}")
    assert done.returncode == 0, done.stderr
    assert (again / "report.yaml").read_bytes() == (outcome.report_dir / "report.yaml").read_bytes()


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"{}",
        b"[]",
        b"null",
        b"{",
        b'{"name": ""}',
        b'{"name": 1}',
        b'{"name": null}',
        b'{"name": "a", "name": "b"}',
        b'{"name": "a", "more": 1}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "a\\nb"}',
        b'{"name": "\xff"}',
        b'{"name": "\xc3\xa4"}',
        b'{"name": "<script>"}',
        b'{"name": "' + b"x" * 65 + b'"}',
        b'{"name": ' + b"[" * 30000,
    ],
)
def test_admin_mark_without_a_good_name_is_refused(api: Api, body: bytes | None) -> None:
    answer = api.ask("POST", "/api/v1/marks", body=body)
    assert answer.code == 400
    assert set(answer.json()) == {"error", "do"}


def test_admin_marks_end_at_a_hundred(pgsleuth: StartProxy) -> None:
    api = Api(pgsleuth(**OPTIONS))
    for i in range(100):
        api.post("/api/v1/marks", {"name": f"mark {i}"})
    assert api.ask("POST", "/api/v1/marks", body={"name": "mark 100"}).code == 409
    assert len(api.get("/api/v1/report")["run"]["marks"]) == 100


# --- drain and reload ---


@pytest.mark.parametrize("workers", [1, 3])
def test_admin_drain_takes_no_new_session_and_keeps_the_old(pgsleuth: StartProxy, workers: int) -> None:
    proxy = pgsleuth(workers=workers, **OPTIONS)
    api = Api(proxy)
    with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        connection.execute("SELECT 1")
        assert api.get("/readyz") == {"ready": True}
        for _ in range(2):
            assert api.post("/api/v1/drain") == {"draining": True, "sessions_open": 1}

        def refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S).close()
            except ConnectionRefusedError:
                return True
            return False

        eventually("connections refused", refused)
        ready = api.ask("GET", "/readyz", token=None)
        assert ready.code == 503
        assert "draining" in ready.json()["reason"]
        assert api.ask("GET", "/livez", token=None).code == 200
        assert api.get("/api/v1/status")["draining"] is True
        for i in range(1, 4):
            assert connection.execute(STATEMENT.encode(), (i,)).fetchone()
    eventually("no session", lambda: api.get("/api/v1/status")["sessions"]["open"] == 0)


def test_admin_drain_closes_a_unix_socket(pgsleuth: StartProxy, tmp_path: Path) -> None:
    path = tmp_path / ".s.PGSQL.6432"
    proxy = pgsleuth(listen=str(path), workers=2, **OPTIONS)
    Api(proxy).post("/api/v1/drain")

    def refused() -> bool:
        with socket.socket(socket.AF_UNIX) as peer:
            return peer.connect_ex(str(path)) != 0

    eventually("connections refused", refused)


def test_admin_reload_is_that_of_the_signal(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(**OPTIONS)
    assert Api(proxy).post("/api/v1/reload") == {"reloading": True}
    eventually("the reload", lambda: "certificates and addresses reloaded" in proxy.stderr)


# --- hostile clients ---


def test_admin_garbage_hurts_nobody(api: Api) -> None:
    start = f"GET /livez HTTP/1.1\r\nHost: {api.name}\r\n".encode()
    for data in (
        b"",
        b"\r\n" * 100,
        b"\0" * 1000,
        b"GET\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"FROB /livez HTTP/1.1\r\n\r\n",
        b"CONNECT evil.test:1 HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /\xff\xfe%zz?%00 HTTP/1.1\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\n\r\n",
        start + b"no colon\r\n\r\n",
        start + b"Content-Length: -1\r\n\r\n",
        start + b"Content-Length: 99999999999999999999\r\n\r\n",
        start + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        start + b"Authorization: " + b"x" * 7000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
        start + b"\r\n" + start + b"\r\n" + b"rest",
    ):
        said = api.raw(data)
        assert b"HTTP/1.1 5" not in said or b"HTTP/1.1 501" in said, (data[:60], said)
        assert api.ask("GET", "/livez").code == 200


def test_admin_pages_of_the_library_repeat_nothing_of_the_request(api: Api) -> None:
    """What no request comes of, evhttp answers itself, without the headers of ours."""
    script = b"<script>alert(1)</script>"
    host = f"Host: {api.name}\r\n".encode()
    for data in (
        script + b" /livez HTTP/1.1\r\n" + host + b"\r\n",
        b"FROB /" + script + b" HTTP/1.1\r\n" + host + b"X: " + script + b"\r\n\r\n",
        b"GET /livez " + script + b"\r\n" + host + b"\r\n",
        b"GET http://[" + script + b"/ HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /livez HTTP/1.1\r\n" + host + script + b"\r\n\r\n",
        b"POST /livez HTTP/1.1\r\n" + host + b"Content-Length: " + script + b"\r\n\r\n",
        b"POST /" + script + b" HTTP/1.1\r\n" + host + b"Content-Length: 999999999\r\n\r\n",
    ):
        said = api.raw(data)
        assert said.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), (data, said)
        assert b"script" not in said.lower(), (data, said)
        assert b"Connection: close" in said, (data, said)


def test_admin_headers_and_bodies_have_an_end(api: Api) -> None:
    start = f"POST /api/v1/marks HTTP/1.1\r\nHost: {api.name}\r\nAuthorization: Bearer {ADMIN}\r\n"
    many = "".join(f"X-{i}: {'y' * 80}\r\n" for i in range(200))
    assert not api.raw(f"{start}{many}\r\n".encode()).startswith(b"HTTP/1.1 2")
    large = b'{"name": "' + b"x" * 70_000 + b'"}'
    assert api.raw(f"{start}Content-Length: {len(large)}\r\n\r\n".encode() + large).startswith(
        b"HTTP/1.1 413"
    )
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    said = api.raw(f"{start}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 20 + b"0\r\n\r\n")
    assert not said.startswith(b"HTTP/1.1 2")
    assert api.ask("GET", "/livez").code == 200


def test_admin_two_hundred_idle_connections_cost_others_a_short_wait(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(**OPTIONS)
    api = Api(proxy)
    before = len(list(Path(f"/proc/{proxy.pid}/fd").iterdir()))
    peers = [api.connect() for _ in range(200)]
    try:
        for peer in peers[::2]:
            peer.sendall(b"GET /livez HTT")
        began = time.monotonic()
        # The relay goes on, whoever fills the API.
        with psycopg.connect(**proxy.target.libpq()) as connection:
            connection.execute("SELECT 1")
        assert len(list(Path(f"/proc/{proxy.pid}/fd").iterdir())) <= before + 64 + 8
        for peer in peers[70:]:  # each round of 64 is ten seconds
            peer.close()
        assert api.ask("GET", "/livez", token=None).code == 200
        assert time.monotonic() - began > WAIT_S / 2  # else there was no limit to wait for
    finally:
        for peer in peers:
            peer.close()
    eventually("an answer at once", lambda: api.get("/readyz")["ready"])


def test_admin_client_that_drips_bytes_is_cut_off(api: Api) -> None:
    with api.connect() as peer:
        peer.settimeout(0.5)
        began = time.monotonic()
        ended = False
        while not ended and time.monotonic() - began < WAIT_S * 6:
            try:
                peer.sendall(b"G")
                ended = peer.recv(1) == b""
            except socket.timeout:
                continue
            except OSError:
                ended = True
    assert ended


def test_admin_client_that_leaves_in_the_middle_hurts_nobody(api: Api) -> None:
    request = f"GET /api/v1/report?token={ADMIN} HTTP/1.1\r\nHost: {api.name}\r\n\r\n".encode()
    for _ in range(50):
        with api.connect() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.sendall(request * 5)
    assert api.ask("GET", "/livez").code == 200


def test_admin_connection_is_kept_for_the_next_request(api: Api) -> None:
    request = f"GET /livez HTTP/1.1\r\nHost: {api.name}\r\n".encode()
    with api.connect() as peer:
        peer.sendall((request + b"\r\n") * 3 + request + b"Connection: close\r\n\r\n")
        assert read_all(peer).count(b"HTTP/1.1 200 OK") == 4


def test_admin_stop_with_open_connections_is_clean(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(**OPTIONS)
    api = Api(proxy)
    peers = [api.connect() for _ in range(10)]
    for peer in peers[:5]:
        peer.sendall(f"GET /api/v1/report?token={api.token} HTTP/1.1\r\nHost: {api.name}\r\n\r\n".encode())
    try:
        assert api.ask("GET", "/livez").code == 200
        proxy.stop()
    finally:
        for peer in peers:
            peer.close()
