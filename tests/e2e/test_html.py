"""report.html in Chromium: whole without its script; sorted, filtered, linked, copied, tried out with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from browser import Watched, axe_violations, chromium, open_all, watched
from proxy import StartProxy, eventually, issues_of, read_yaml
from server import Server, Target

ROOT = Path(__file__).parents[2]
ENDPOINTS = 12
Show = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def ask(
    connection: psycopg.Connection[Any],
    sql: str,
    route: str,
    values: tuple[Any, ...] = (),
    file: str = "app/main.py",
) -> list[Any]:
    """A statement as an application with tags sends it."""
    tag = f"/*method='GET',route='{quote(route, safe='')}',file='{quote(file, safe='')}',line='7'*/"
    return connection.execute(f"{sql} {tag.replace('%', '%%')}".encode(), values).fetchall()


def loop(connection: psycopg.Connection[Any], rows: int) -> None:
    """One statement for each row of the parent."""
    for key, _ in ask(connection, "SELECT id, name FROM people ORDER BY id LIMIT %s", "/people", (rows,)):
        ask(connection, "SELECT name FROM people WHERE id = %s", "/people", (key,))


def browse(target: Target) -> None:
    """Requests of many routes: one with a loop that grows, one on a table without an index, quiet ones."""
    with psycopg.connect(**target.libpq()) as connection:
        for rows in (5, 9, 14, 20, 26) * 5:
            loop(connection, rows)
            connection.rollback()
            ask(connection, "SELECT id FROM visits WHERE visitor = %s", "/visits", ("v7",))
            connection.rollback()
            for _ in range(8):
                ask(connection, "SELECT name FROM people WHERE id = %s", "/again", (7,))
            connection.rollback()
        for i in range(ENDPOINTS):
            for _ in range(i + 2):
                ask(connection, f"SELECT count(*) + {i} FROM people", f"/quiet/{i}")
                connection.rollback()


class Report:
    def __init__(self, folder: Path, file: Path) -> None:
        self.file = file
        self.tree = read_yaml(folder / "report.yaml")
        self.endpoints: list[dict[str, Any]] = self.tree["endpoints"]
        self.pages = [read_yaml(folder / row["report"]) for row in self.endpoints]
        self.issues = issues_of(self.tree)


@pytest.fixture(scope="module")
def report(server: Server, start_for_module: StartProxy, tmp_path_factory: pytest.TempPathFactory) -> Report:
    file = tmp_path_factory.mktemp("html") / "report.html"
    server.sql(
        "DROP TABLE IF EXISTS visits;"
        "CREATE TABLE visits AS SELECT n AS id, 'v' || n % 5000 AS visitor FROM generate_series(1, 60000) n;"
        "ANALYZE visits; GRANT SELECT ON visits TO app",
        server.admin_of("app"),
    )
    proxy = start_for_module(
        server.app,
        output=str(file),
        report_interval_s="0",
        explain_enabled=True,
        explain_min_mean_ms="0.1",
        explain_min_total_ms="1ms",
    )
    browse(proxy.target)
    eventually("a plan", lambda: any("plan" in issue for issue in issues_of(proxy.report_now())))
    proxy.stop()
    return Report(proxy.report_dir, file)


@pytest.fixture
def show(browser: Browser, report: Report) -> Iterator[Show]:
    """Open the report; whatever the test does with it, it loads nothing and complains of nothing."""
    opened: list[tuple[AbstractContextManager[Watched], Watched]] = []

    def go(address: str = "", **options: Any) -> Page:
        manager = watched(browser, **options)
        seen = manager.__enter__()
        opened.append((manager, seen))
        seen.page.goto(f"{report.file.as_uri()}{address}")
        return seen.page

    yield go
    for manager, seen in opened:
        manager.__exit__(None, None, None)
        assert {url.partition("#")[0] for url in seen.requests} == {report.file.as_uri()}


def names(page: Page) -> list[str]:
    rows = page.locator("#endpoint-rows tr:not([hidden]) th")
    return rows.all_inner_texts()


def column(page: Page, number: int) -> list[float]:
    cells = page.locator(f"#endpoint-rows tr:not([hidden]) td:nth-child({number})")
    return [float(value) for value in cells.evaluate_all("(all) => all.map((c) => c.dataset.v ?? 'nan')")]


# --- without its script ---


def test_html_without_scripts_says_all_that_the_report_says(show: Show, report: Report) -> None:
    page = show(java_script_enabled=False)
    text = page.locator("main").inner_text()
    assert f"Score {report.tree['score']['value']} of 100" in (
        page.locator(".gauge").get_attribute("aria-label") or ""
    )
    assert names(page) == [row["name"] for row in report.endpoints]
    assert page.locator("#opportunities details.issue").count() == len(report.issues)
    for issue in report.issues:
        block = page.locator(f"#issue-{issue['fingerprint']}")
        assert issue["issue"] in text
        whole = block.text_content() or ""
        for code in ("optimized_code", "current_code"):
            assert issue.get(code, "") in whole
    for item in report.tree["checklist"]:
        assert item["text"] in (page.locator(f"#check-{item['id']}").text_content() or "")
    for metric in report.tree["score"]["metrics"]:
        assert page.locator(f"#metrics tr[data-weight='{metric['weight']}']").count() >= 1


def test_html_without_scripts_what_is_folded_opens(show: Show) -> None:
    page = show(java_script_enabled=False)
    last = page.locator("#opportunities details.issue").last
    last.locator("summary").first.click()
    expect(last.locator(".meta")).to_be_visible()
    first = page.locator("#endpoint-pages details.page").first
    first.locator("summary").click()
    expect(first.locator("svg.timeline")).to_be_visible()


def test_html_findings_stand_by_what_they_save(show: Show, report: Report) -> None:
    page = show(java_script_enabled=False)
    order = page.locator("#opportunities details.issue").evaluate_all(
        "(all) => all.map((d) => d.id.slice(6))"
    )
    saved = {i["fingerprint"]: i["improvement"]["db_ms_saved_per_hour"] or 0 for i in report.issues}
    assert sorted(order) == sorted(saved)
    values = [saved[fingerprint] for fingerprint in order]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0


def test_html_n_plus_one_is_proved_by_parent_column_children(show: Show, report: Report) -> None:
    proved = [i for i in report.issues if i["evidence"]["lineage"]]
    assert proved
    page = show(java_script_enabled=False)
    for issue in proved:
        boxes = page.locator(f"#issue-{issue['fingerprint']} .proof .box")
        texts = boxes.evaluate_all("(all) => all.map((b) => b.querySelector('code').textContent)")
        by_role = {sql["role"]: sql["text"] for sql in issue["evidence"]["sql"]}
        assert texts == [by_role["parent"], issue["evidence"]["lineage"]["from_column"], by_role["repeated"]]


def test_html_plans_before_and_after_are_trees(show: Show, report: Report) -> None:
    planned = [i for i in report.issues if "plan" in i]
    assert planned
    page = show(java_script_enabled=False)
    for issue in planned:
        plans = page.locator(f"#issue-{issue['fingerprint']} .plan")
        before = issue["plan"]["before"]
        tree = plans.first.locator("ul > li > ul > li")
        assert before["node"] in (tree.first.text_content() or "")
        assert before["filter"] in (tree.locator("ul code").first.text_content() or "")
        after = issue["plan"]["after"]
        assert (after["node"] if after else "Not known") in (plans.last.text_content() or "")


def test_html_endpoint_has_the_timeline_of_its_worst_sample(show: Show, report: Report) -> None:
    page = show(java_script_enabled=False)
    for row, document in zip(report.endpoints, report.pages):
        sample = document["endpoint"]["worst_sample"]
        steps = page.locator(f"#endpoint-{row['key']} table.sql3 tbody tr")
        assert steps.count() == len(sample["steps"])
        times = [int(text.replace(",", "")) for text in steps.locator("td:nth-child(4)").all_text_contents()]
        assert times == [step["times"] for step in sample["steps"]]
        assert sum(times) + sample["statements_left_out"] == sample["statements"]


# --- sorting, filtering ---


def test_html_table_is_sorted_by_any_column(show: Show) -> None:
    page = show()
    as_given = names(page)
    for number in range(2, 11):
        button = page.locator(f"#endpoint-table thead th:nth-child({number}) button")
        button.click()
        assert column(page, number) == sorted(column(page, number), reverse=True), number
        expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
        button.click()
        assert column(page, number) == sorted(column(page, number)), number
        button.click()
        assert names(page) == as_given
        expect(page.locator("th[aria-sort]")).to_have_count(0)
    page.locator("#endpoint-table thead th:nth-child(1) button").click()
    assert names(page) == sorted(as_given, key=str.lower)


def test_html_table_is_filtered_by_name_and_severity(show: Show, report: Report) -> None:
    page = show()
    part = "quiet/1"
    page.get_by_label("Name has").fill(part.upper())
    assert names(page) == [row["name"] for row in report.endpoints if part in row["name"]]
    page.get_by_label("Name has").fill("")
    page.locator("#filter select").select_option("high")
    worse = [row["name"] for row in report.endpoints if row["issues"]["critical"] + row["issues"]["high"] > 0]
    assert 0 < len(worse) < len(report.endpoints)
    assert names(page) == worse
    expect(page.locator(".toolbar output")).to_have_text(f"{len(worse)} of {len(report.endpoints)}")
    page.get_by_label("Name has").fill("no endpoint is called so")
    assert names(page) == []


def test_html_address_brings_back_how_the_table_was(show: Show) -> None:
    page = show()
    page.get_by_label("Name has").fill("orm & <b>")
    page.get_by_label("Name has").fill("/")
    page.locator("#filter select").select_option("medium")
    page.locator("#endpoint-table thead th:nth-child(6) button").click()
    found = names(page)
    address = page.evaluate("location.hash")
    again = show(address)
    assert names(again) == found
    expect(again.get_by_label("Name has")).to_have_value("/")
    expect(again.locator("th[aria-sort=descending]")).to_have_text("p95 ms")


@pytest.mark.parametrize(
    "query", ["sort=99&dir=desc", "sort=-1&dir=asc", "dir=sideways&level=all", "q=%3Cimg%20src=x%3E"]
)
def test_html_hostile_address_is_harmless(show: Show, query: str) -> None:
    page = show(f"#endpoints?{query}")
    expect(page.locator("#endpoint-table")).to_be_attached()
    assert page.locator("img").count() == 0


# --- links ---


def test_html_link_to_a_finding_unfolds_it(show: Show, report: Report) -> None:
    fingerprint = report.issues[-1]["fingerprint"]
    page = show(f"#issue-{fingerprint}")
    issue = page.locator(f"#issue-{fingerprint}")
    expect(issue.locator(".meta")).to_be_visible()
    expect(issue.locator("summary").first).to_be_focused()
    assert issue.locator("a.permalink").get_attribute("href") == f"#issue-{fingerprint}"


def test_html_link_to_an_item_unfolds_its_group(show: Show, report: Report) -> None:
    item = next(i for i in report.tree["checklist"] if i["verdict"] == "not_observed")
    page = show()
    expect(page.locator(f"#check-{item['id']}")).to_be_hidden()
    page.evaluate(f"location.hash = '#check-{item['id']}'")
    expect(page.locator(f"#check-{item['id']}")).to_be_visible()


def test_html_endpoint_is_a_page_of_its_own(show: Show, report: Report) -> None:
    row = report.endpoints[1]
    page = show()
    expect(page.locator("#endpoint-pages")).to_be_hidden()
    page.get_by_role("link", name=row["name"], exact=True).first.click()
    assert page.evaluate("location.hash") == f"#endpoint-{row['key']}"
    expect(page.locator(f"#endpoint-{row['key']} svg.timeline")).to_be_visible()
    expect(page.locator("#overview")).to_be_hidden()
    expect(page.locator("details.page:visible")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#overview")).to_be_visible()
    page.go_back()
    expect(page.locator("#overview")).to_be_hidden()
    page.get_by_role("link", name="All endpoints").click()
    expect(page.locator("#endpoint-table")).to_be_visible()


def test_html_every_link_of_the_page_leads_somewhere(show: Show) -> None:
    page = show(java_script_enabled=True)
    lost = page.evaluate(
        "[...document.querySelectorAll('a')].map((a) => a.getAttribute('href'))"
        ".filter((h) => !h.startsWith('#') || !document.getElementById(h.slice(1)))"
    )
    assert lost == []


# --- the rest of the script ---


def test_html_code_is_copied(show: Show) -> None:
    page = show(permissions=["clipboard-read", "clipboard-write"])
    code = page.locator("figure.code.after").first
    code.get_by_role("button", name="Copy").click()
    expect(code.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == code.locator("code").text_content()


def background(page: Page) -> tuple[int, ...]:
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return tuple(int(part) for part in re.findall(r"\d+", color)[:3])


def test_html_theme_is_the_systems_or_the_chosen_one(show: Show) -> None:
    light, dark = show(color_scheme="light"), show(color_scheme="dark")
    assert min(background(light)) > 200
    assert max(background(dark)) < 50
    dark.get_by_label("Theme").select_option("light")
    assert background(dark) == background(light)
    dark.reload()
    assert background(dark) == background(light)
    expect(dark.get_by_label("Theme")).to_have_value("light")
    assert max(background(show(color_scheme="dark", java_script_enabled=False))) < 50


def test_html_growth_is_drawn(show: Show) -> None:
    page = show()
    open_all(page)
    charts = page.locator("#opportunities .growth canvas")
    expect(charts.first).to_be_visible()
    inked = charts.first.evaluate(
        "(c) => new Set("
        "new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    )
    assert inked > 2


def test_html_another_value_of_a_metric_is_tried_out(show: Show, report: Report) -> None:
    page = show()
    for box in page.locator("#metrics input").all():
        box.fill("0")
    expect(page.locator(".what-if b")).to_have_text([str(report.tree["score"]["value"]), "100"])
    page.get_by_role("button", name="as measured").click()
    expect(page.locator(".what-if")).to_have_count(0)


def test_html_findings_are_tried_out(show: Show, report: Report) -> None:
    page = show()
    page.get_by_text("What if some were cured").click()
    boxes = page.locator("#what-if-findings input[type=checkbox]")
    boxes.first.check()
    expect(page.locator("#what-if-findings p")).to_contain_text("of database time an hour")
    for box in boxes.all():
        box.check()
    share = report.tree["estimated_improvement_detail"]["db_time_saved_share"]
    said = page.locator("#what-if-findings p b").nth(1).inner_text()
    assert int(said.rstrip(" %")) <= round(100 * share) + 1  # never more than all of them save together


def test_html_score_curve_is_that_of_the_program(show: Show, report: Report) -> None:
    source = (ROOT / "web" / "src" / "curve.js").read_text(encoding="utf-8").replace("export ", "")
    metrics = [m for p in report.pages for m in p["score"]["metrics"] if m["state"] == "measured"]
    assert len(metrics) > 20
    cases = [[m["value"], m["p10"], m["median"]] for m in metrics]
    page = show()
    got = page.evaluate(f"(cases) => {{ {source}; return cases.map((c) => curve(...c)); }}", cases)
    for metric, score in zip(metrics, got):
        # Values are written with three decimals and scores cut to two.
        assert abs(metric["score"] - score) <= 0.011, metric


def test_html_is_used_by_keyboard_alone(show: Show) -> None:
    page = show()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the report")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    summary = page.locator("#opportunities details.issue").nth(1).locator("summary").first
    for _ in range(200):
        page.keyboard.press("Tab")
        if summary.evaluate("(s) => s === document.activeElement"):
            break
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#opportunities details.issue").nth(1).locator(".meta")).to_be_visible()
    page.locator("#endpoint-table thead button").nth(5).focus()
    page.keyboard.press("Space")
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)


def test_html_on_paper_nothing_is_folded(show: Show) -> None:
    page = show()
    closed = page.locator("details:not([open])").count()
    assert closed > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("details:not([open])")).to_have_count(0)
    page.emulate_media(media="print")
    expect(page.locator("#endpoint-pages")).to_be_visible()
    expect(page.locator(".top")).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("details:not([open])")).to_have_count(closed)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_html_has_nothing_that_axe_is_against(show: Show, report: Report, scheme: str, width: int) -> None:
    page = show(color_scheme=scheme, viewport={"width": width, "height": 900})
    open_all(page)
    expect(page.locator("#opportunities .growth canvas").first).to_be_visible()
    assert axe_violations(page) == []
    page.evaluate(f"location.hash = '#endpoint-{report.endpoints[0]['key']}'")
    expect(page.locator("#overview")).to_be_hidden()
    assert axe_violations(page) == []


def test_html_as_it_is_without_scripts_has_nothing_that_axe_is_against(show: Show, report: Report) -> None:
    """axe is a script itself: so the page is shown without its own."""
    text = re.sub(r"<script>.*</script>", "", report.file.read_text(encoding="utf-8"), flags=re.DOTALL)
    page = show()
    page.set_content(text)
    open_all(page)
    expect(page.locator("#endpoint-pages")).to_be_visible()
    assert axe_violations(page) == []


# --- hostile texts ---

RUNS = "window.ran=(window.ran||0)+1"
HOSTILE_FORMS = [
    "<script>RUN</script>",
    "</script><script>RUN</script>",
    "</style><script>RUN</script>",
    "</title><script>RUN</script>",
    "--><script>RUN</script>",
    "<!--<script>RUN</script>",
    "]]><script>RUN</script>",
    "<img src=//evil.test/N onerror=RUN>",
    "<svg onload=RUN>",
    "<svg><script>RUN</script></svg>",
    "<iframe src=javascript:RUN>",
    "<iframe srcdoc='<script>parent.RUN</script>'>",
    "<link rel=stylesheet href=//evil.test/N>",
    "<base href=//evil.test/N>",
    "<meta http-equiv=refresh content=0;url=//evil.test/N>",
    "<object data=//evil.test/N>",
    "<a href=javascript:RUN autofocus onfocus=RUN>x</a>",
    "<details open ontoggle=RUN>",
    "<input autofocus onfocus=RUN>",
    "<style>@import '//evil.test/N'</style>",
    "<form action=//evil.test/N><input type=submit>",
    "<math><mtext><img src=//evil.test/N onerror=RUN>",
    "<template><script>RUN</script></template>",
    "<noscript><img src=//evil.test/N></noscript>",
    "<textarea><script>RUN</script>",
    "<video src=//evil.test/N onerror=RUN>",
    "x onmouseover=RUN x",
    "'\"><script>RUN</script>",
    '" autofocus onfocus="RUN',
    "' onclick='RUN",
    "`<script>RUN</script>`",
    "javascript:RUN",
    "&lt;script&gt;RUN&lt;/script&gt;",
    "&#60;script&#62;RUN&#60;/script&#62;",
    "<scr<script>ipt>RUN</script>",
    "<SCRIPT>RUN</SCRIPT>",
    "<script src=//evil.test/N></script>",
    "${RUN}",
    "{{constructor.constructor('RUN')()}}",
    "\\u003cscript\\u003eRUN\\u003c/script\\u003e",
]


def hostile_texts() -> list[str]:
    """200 of them, each with a number that tells where it came from."""
    around = ["{}", "a {}", "{} b", '"{}', "{}'"]
    forms = [shape.format(form) if "{" not in form else form for shape in around for form in HOSTILE_FORMS]
    return [form.replace("RUN", RUNS).replace("/N", f"/{i}") + f" #{i}" for i, form in enumerate(forms)]


def identifier(text: str) -> str:
    return '"' + text.replace('"', '""')[:60].replace("\\", "/") + '"'


@pytest.fixture
def hostile_report(server: Server, pgsleuth: StartProxy, tmp_path: Path) -> tuple[Path, list[str]]:
    """Each text as route, file, column of a table and comment, in a loop over the rows of a parent."""
    texts = hostile_texts()
    assert len(set(texts)) == 200
    file = tmp_path / "report.html"
    proxy = pgsleuth(server.app, output=str(file), report_interval_s="0")
    with psycopg.connect(**proxy.target.libpq(), autocommit=True, prepare_threshold=None) as connection:
        for text in texts:
            name = identifier(text).replace("%", "%%")
            comment = f"/* {text.replace('*/', '').replace('%', '%%')} */"
            for (key,) in ask(connection, f"SELECT id AS {name} FROM people LIMIT 6", text, (), text):
                child = f"SELECT name AS {name} FROM people WHERE id = %s {comment}"
                ask(connection, child, text, (key,), text)
    proxy.stop()
    return file, texts


def test_html_of_hostile_texts_runs_and_loads_nothing(
    browser: Browser, hostile_report: tuple[Path, list[str]]
) -> None:
    file, texts = hostile_report
    with watched(browser) as seen:
        page = seen.page
        page.goto(file.as_uri())
        for text in texts[::20]:
            page.get_by_label("Name has").fill(text)
        page.get_by_label("Name has").fill("")
        open_all(page)
        places = set(page.locator(".place").all_text_contents())
        assert places == {f"{text}:7" for text in texts}
        assert page.locator("#opportunities details.issue").count() >= 150
        assert page.evaluate("window.ran") is None
        elements = set(page.evaluate("[...document.querySelectorAll('*')].map((e) => e.localName)"))
        assert not elements & {"img", "iframe", "object", "video", "base", "math", "template", "textarea"}
        assert page.locator("script").count() == 1
        attributes = page.evaluate(
            "[...new Set([...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()))]"
        )
        assert [name for name in attributes if name.startswith("on") or name == "style"] == []
        assert page.evaluate("document.title").endswith("pgsleuth report")
        assert seen.requests == [file.as_uri()]
