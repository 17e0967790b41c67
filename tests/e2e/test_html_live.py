"""The live page of the admin API: who may watch, what comes as events, and that it goes on by itself."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, expect

from admin import ADMIN, OPTIONS, READ, TOKENS, Api
from browser import Watched, axe_violations, chromium, open_all, watched
from proxy import Proxy, StartProxy, eventually

WATCHERS = 8
EVENTS = "/api/v1/events"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def proxy(start_for_module: StartProxy) -> Proxy:
    return start_for_module(env=TOKENS, **OPTIONS)


@pytest.fixture
def api(proxy: Proxy) -> Api:
    """Nothing was seen yet: each test has a run of its own."""
    made = Api(proxy)
    made.post("/api/v1/reset")
    return made


def traffic(proxy: Proxy, route: str, times: int = 6) -> None:
    with psycopg.connect(**proxy.target.libpq()) as connection:
        for key in range(1, times + 1):
            sql = f"SELECT name FROM people WHERE id = %s /*method='GET',route='{route}'*/"
            connection.execute(sql.encode(), (key,))


class Stream:
    """Events as they come."""

    def __init__(self, api: Api, token: str = READ) -> None:
        self.peer = api.connect()
        head = f"GET {EVENTS}?token={token} HTTP/1.0\r\nHost: {api.name}\r\n\r\n"
        self.peer.sendall(head.encode())
        self.file = self.peer.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value

    def next(self, kind: str) -> str:
        """The data of the next event of this kind."""
        while True:
            name = self.file.readline().decode().rstrip("\n").removeprefix("event: ")
            assert name, "the stream has ended"
            lines = []
            while (line := self.file.readline().decode().rstrip("\n")) != "":
                assert line.startswith("data: ")
                lines.append(line[6:])
            if name == kind:
                return "\n".join(lines)

    def close(self) -> None:
        self.file.close()
        self.peer.close()


# --- events ---


def test_live_events_tell_of_the_traffic(proxy: Proxy, api: Api) -> None:
    stream = Stream(api)
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store"
    first = json.loads(stream.next("figures"))
    assert first["statements"] == 0
    traffic(proxy, "/told")
    while json.loads(stream.next("figures"))["statements"] < 6:
        pass
    while "GET /told" not in (page := stream.next("page")):
        pass
    assert page.startswith("<section id=overview")
    assert "<script" not in page
    stream.close()


def test_live_page_event_comes_again_only_when_something_was_seen(proxy: Proxy, api: Api) -> None:
    stream = Stream(api)
    traffic(proxy, "/once")
    while "GET /once" not in stream.next("page"):
        pass
    names: list[str] = []
    for _ in range(40):  # the request's end may still be a change
        name = stream.file.readline().decode().strip()
        while stream.file.readline().strip():
            pass
        names.append(name)
        if names[-3:] == ["event: figures"] * 3:
            break
    assert names[-3:] == ["event: figures"] * 3
    assert names.count("event: page") <= 2
    stream.close()


def test_live_only_so_many_may_watch(api: Api) -> None:
    streams = [Stream(api) for _ in range(WATCHERS)]
    assert [stream.status for stream in streams] == [200] * WATCHERS
    refused = api.ask("GET", EVENTS)
    assert refused.code == 503
    assert "close another" in refused.json()["do"]
    streams.pop().close()
    for stream in streams:
        stream.next("figures")

    def has_place() -> bool:
        stream = Stream(api)
        stream.close()
        return stream.status == 200

    eventually("the place of one that left", has_place)
    for stream in streams:
        stream.close()


def test_live_watcher_that_reads_nothing_holds_nobody_up(proxy: Proxy, api: Api) -> None:
    idle = socket.socket()
    idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    idle.connect((api.host, api.port))
    idle.sendall(f"GET {EVENTS}?token={READ} HTTP/1.1\r\nHost: {api.name}\r\n\r\n".encode())
    other = Stream(api)
    for i in range(2):
        traffic(proxy, f"/busy/{'x' * 200}/{i}", 60)
        other.next("figures")
    assert api.ask("GET", "/livez").code == 200
    other.close()
    idle.close()


def test_live_server_ends_while_somebody_watches(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(env=TOKENS, **OPTIONS)
    stream = Stream(Api(proxy))
    stream.next("figures")
    outcome = proxy.stop()
    assert outcome.report["run"]["sessions"] == 0
    stream.close()


def test_live_events_are_for_those_with_a_token(api: Api) -> None:
    for token in (READ, ADMIN):
        stream = Stream(api, token)
        assert stream.status == 200
        stream.close()
    for path in ("/", EVENTS):
        assert api.ask("GET", path, token=None).code == 401
        assert api.ask("GET", f"{path}?token={READ}x", token=None).code == 401
        assert api.ask("POST", path, body={}).code == 405
        assert api.ask("GET", path, headers={"Host": "evil.test"}).code == 421


def test_live_page_says_what_it_may_load(api: Api) -> None:
    answer = api.ask("GET", "/", token=READ)
    assert answer.code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; "
        r"base-uri 'none'; form-action 'none'; connect-src 'self'; frame-ancestors 'none'",
        policy,
    )
    assert READ.encode() not in answer.body
    assert ADMIN.encode() not in answer.body


# --- in the browser ---


@pytest.fixture
def live(browser: Browser, api: Api) -> Iterator[Watched]:
    """The page by the URL that a person gets. It asks for nothing but itself and its events."""
    url = f"http://{api.name}/?token={READ}"
    with watched(browser, viewport={"width": 1280, "height": 1000}) as seen:
        seen.page.goto(url)
        expect(seen.page.locator("#live .light")).to_have_text("Live")
        yield seen
        assert set(seen.requests) <= {url, f"http://{api.name}{EVENTS}?token={READ}"}


def test_live_page_goes_on_while_traffic_flows(live: Watched, proxy: Proxy) -> None:
    page = live.page
    expect(page.locator("#endpoint-rows")).to_contain_text("No request was seen")
    traffic(proxy, "/first")
    expect(page.locator("#endpoint-rows")).to_contain_text("GET /first")
    traffic(proxy, "/second", 40)
    expect(page.locator("#endpoint-rows")).to_contain_text("GET /second")
    statements = page.locator("#live dt", has_text=re.compile("^Statements$")).locator("+ dd")
    expect(statements).to_have_text("46")
    expect(page.locator("#live-chart canvas")).to_be_visible()


def test_live_page_keeps_what_its_reader_has_done(live: Watched, proxy: Proxy) -> None:
    page = live.page
    traffic(proxy, "/one")
    traffic(proxy, "/two")
    expect(page.locator("#endpoint-rows")).to_contain_text("GET /two")
    page.get_by_label("Name has").fill("/t")
    page.locator("#verdict-not_observed summary").click()
    traffic(proxy, "/three")
    expect(page.locator("#endpoint-rows")).to_contain_text("GET /three")
    expect(page.locator("#endpoint-rows tr:visible th")).to_have_count(2)
    expect(page.locator("#verdict-not_observed")).to_have_attribute("open", "")
    page.get_by_role("link", name="GET /two").first.click()
    expect(page.locator("details.page:visible")).to_have_count(1)
    traffic(proxy, "/two", 9)
    expect(page.locator("details.page:visible dd").first).to_have_text("2")
    expect(page.locator("details.page:visible")).to_have_count(1)


def test_live_page_tells_when_its_server_has_gone(browser: Browser, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(env=TOKENS, **OPTIONS)
    api = Api(proxy)
    with watched(browser) as seen:
        seen.page.goto(f"http://{api.name}/?token={READ}")
        expect(seen.page.locator("#live .light")).to_have_text("Live")
        proxy.stop()
        expect(seen.page.locator("#live .light")).to_have_text(re.compile("Connection lost|No more events"))
        assert all("net::ERR_" in complaint for complaint in seen.complaints)  # the browser's own
        seen.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_live_page_has_nothing_that_axe_is_against(live: Watched, proxy: Proxy, scheme: Any) -> None:
    page = live.page
    page.emulate_media(color_scheme=scheme)
    traffic(proxy, "/seen", 12)
    expect(page.locator("#endpoint-rows")).to_contain_text("GET /seen")
    open_all(page)
    assert axe_violations(page) == []
