"""The documents for other programs are what these take, and hostile text in them is nothing but text."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import cmarkgfm
import junitparser
import psycopg
import pytest
from lxml import etree, html

import schemas
from hostile import HOSTILE
from proxy import Outcome, Proxy, read_yaml, run_command
from server import Server

DATA = Path(__file__).resolve().parents[1] / "data"
BATCH = 40  # hostile texts of one run: their findings stand in one comment of GitHub's
TIMES = 4  # that a request asks the same question
COMMENT_MAX = 65536  # characters
ANNOTATIONS_MAX = 10  # of a level
NAMES = {"md": "report.md", "sarif": "report.sarif", "xml": "junit.xml", "github": "annotations.txt"}
# What Markdown of ours is made of; nothing that is fetched, followed or run.
ELEMENTS = {"html", "body", "div", "h2", "p", "table", "thead", "tbody", "tr", "th", "td"}
ELEMENTS |= {"details", "summary", "b", "code", "pre"}
ATTRIBUTES = {"align", "lang"}
# What GitHub makes something of after it has parsed Markdown, or would if a sign were lost.
LIVE = re.compile(
    r"[@#<>\[\]`|*_~$\\]|://|www\.|:\w+:|\bGH-\d|\b[0-9a-f]{7,40}\b|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]"
)
COMMAND = re.compile(r"::(error|warning|notice) ((?:\w+=[^,:]*,)*\w+=[^,:]*)::(.*)")


@dataclass(frozen=True)
class Written:
    """A report and its documents."""

    report: dict[str, Any]
    md: str
    sarif: dict[str, Any]
    xml: Path
    github: str


def read(report: dict[str, Any], folder: Path) -> Written:
    texts = {key: (folder / name).read_bytes().decode("utf-8") for key, name in NAMES.items()}
    return Written(report, texts["md"], json.loads(texts["sarif"]), folder / NAMES["xml"], texts["github"])


def outputs(folder: Path) -> list[str]:
    prefixes = {"github": "github:"}
    return [f"{prefixes.get(key, '')}{folder / name}" for key, name in NAMES.items()]


# --- the documents of captures that are kept, and of hostile traffic


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    made = []
    for capture in sorted((DATA / "captures").glob("*.capture")):
        folder = tmp_path_factory.mktemp(capture.stem)
        options = [f"--output={output}" for output in outputs(folder)]
        done = run_command("report", str(capture), f"--report-dir={folder / 'report'}", *options)
        assert done.returncode == 0, done.stderr
        made.append(read(read_yaml(folder / "report/report.yaml"), folder))
    return made


def literal(text: str) -> str:
    return '"' + text.replace("\0", "").replace('"', '""') + '"'


def request(connection: psycopg.Connection[Any], text: str) -> None:
    """One that asks the same again and again, with the text wherever one may stand."""
    tags = {"method": "GET", "route": f"/{text}", "file": f"app/{text}", "line": "7"}
    tag = ",".join(f"{key}='{quote(value, safe='')}'" for key, value in tags.items())
    comment = text.replace("*/", "* /").replace("/*", "/ *")
    sql = f"SELECT name AS {literal(text)} FROM people WHERE id = 1 /* {comment} */ /*{tag}*/"
    with connection.transaction():
        for _ in range(TIMES):
            connection.execute(sql.encode())


def run(server: Server, folder: Path, texts: list[str]) -> Outcome:
    proxy = Proxy(folder, server.app, output=",".join(outputs(folder)), report_interval_s="0")
    try:
        proxy.start()
        with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
            for text in texts:
                request(connection, text)
        return proxy.stop()
    finally:
        proxy.kill()


@pytest.fixture(scope="module")
def hostile(server: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    made = []
    for at in range(0, len(HOSTILE), BATCH):
        folder = tmp_path_factory.mktemp("hostile")
        made.append(read(run(server, folder, list(HOSTILE[at : at + BATCH])).report, folder))
    return made


@pytest.fixture(params=["kept", "hostile"])
def written(request: pytest.FixtureRequest) -> list[Written]:
    found: list[Written] = request.getfixturevalue(request.param)
    return found


def findings(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(severity, issue) for severity, issues in report["issues"].items() for issue in issues]


def test_hostile_texts_reach_the_documents(hostile: list[Written]) -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 200
    endpoints = sum(len(one.report["endpoints"]) for one in hostile)
    assert endpoints > 0.8 * len(HOSTILE)  # some are one route
    assert sum(len(findings(one.report)) for one in hostile) >= endpoints
    assert sum(one.md.count("<details><summary><b>") for one in hostile) >= 200
    text = "".join(one.md + one.github + one.xml.read_text(encoding="utf-8") for one in hostile)
    for sign in (
        "<script>",
        "&#60;script&#62;",
        "[a link](https://evil.example",
        "@octocat",
        "::error file=x",
    ):
        assert sign in text, sign


# --- Markdown


def outside_code(node: Any) -> Iterator[str]:
    if node.tag in ("code", "pre"):
        return
    yield node.text or ""
    for child in node:
        yield from outside_code(child)
        yield child.tail or ""


def parsed(markdown: str) -> Any:
    """What GitHub's own parser makes of it, before anything is cleaned away."""
    made = cmarkgfm.github_flavored_markdown_to_html(markdown, cmarkgfm.Options.CMARK_OPT_UNSAFE)
    return html.document_fromstring(f"<div>{made}</div>")


def test_markdown_is_text_code_and_our_own_tables(written: list[Written]) -> None:
    for one in written:
        root = parsed(one.md)
        assert {node.tag for node in root.iter()} <= ELEMENTS
        assert {name for node in root.iter() for name in node.attrib} <= ATTRIBUTES
        for text in outside_code(root):
            assert not LIVE.search(text), text


def test_markdown_has_every_finding_or_says_how_many_more(written: list[Written]) -> None:
    for one in written:
        assert len(one.md) <= COMMENT_MAX
        root = parsed(one.md)
        heads = [s.text_content() for s in root.iter("summary") if s.text != "Score"]
        more = re.search(r"^(\d+) more in the report\.$", one.md, re.MULTILINE)
        issues = findings(one.report)
        assert len(heads) + (int(more.group(1)) if more else 0) == len(issues)
        for head, (severity, issue) in zip(heads, issues):
            assert head.startswith(f"{severity.upper()} {issue['id']} ")
        assert len(list(root.iter("details"))) == len(heads) + 1


def one_line(text: str) -> str:
    return re.sub("[\n\t]", " ", text).strip(" ")


def test_markdown_table_has_the_worst_endpoints(written: list[Written]) -> None:
    for one in written:
        rows = parsed(one.md).xpath("//table")[1].xpath("tbody/tr")
        assert len(rows) == min(len(one.report["endpoints"]), 10)
        names = [one_line(row["name"]) for row in one.report["endpoints"]]
        for row in rows:
            cells = row.xpath("td")
            assert len(cells) == 7
            cell = one_line(cells[0].text_content())
            cut = cell.rstrip("…").rstrip()
            assert cell in names or (cell != cut and any(name.startswith(cut) for name in names)), cell


# --- SARIF


def test_sarif_is_what_oasis_describes(written: list[Written]) -> None:
    schemas.check(json.loads((DATA / "report/report.sarif.golden").read_bytes()), schemas.SARIF_SCHEMA)
    for one in written:
        schemas.check(one.sarif, schemas.SARIF_SCHEMA)


def test_sarif_has_each_finding_with_its_rule_and_fingerprint(written: list[Written]) -> None:
    levels = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
    for one in written:
        (run,) = one.sarif["runs"]
        rules = run["tool"]["driver"]["rules"]
        results = run["results"]
        issues = findings(one.report)
        assert len(results) == len(issues)
        for result, (severity, issue) in zip(results, issues):
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == issue["id"]
            assert result["level"] == levels[severity]
            assert result["partialFingerprints"] == {"primaryLocationLineHash": f"{issue['fingerprint']}:1"}
            (location,) = result["locations"]
            assert location["logicalLocations"][0]["fullyQualifiedName"] == issue["endpoint"]


def test_sarif_points_nowhere_but_below_the_source_and_the_report(written: list[Written]) -> None:
    for one in written:
        documents = {row["name"]: row["report"] for row in one.report["endpoints"]}
        for result, (_, issue) in zip(one.sarif["runs"][0]["results"], findings(one.report)):
            place = result["locations"][0]["physicalLocation"]
            uri = place["artifactLocation"]["uri"]
            assert re.fullmatch(r"(?!/)(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri), uri
            assert ".." not in unquote(uri).split("/")
            if place["artifactLocation"]["uriBaseId"] == "SOURCE":
                assert unquote(uri) == issue["file"]
                assert place["region"]["startLine"] == issue["line"]
            else:
                assert uri == documents[issue["endpoint"]]
            assert not re.search(r"\]\(|\{\d+\}", result["message"]["text"])


# --- JUnit


def test_junit_is_what_readers_take(written: list[Written]) -> None:
    schema = etree.XMLSchema(etree.parse(schemas.JUNIT_SCHEMA))
    for path in [DATA / "report/junit.xml.golden", *(one.xml for one in written)]:
        schema.assertValid(etree.parse(path))


def test_junit_has_a_case_for_each_endpoint_and_item(written: list[Written]) -> None:
    for one in written:
        (suite,) = junitparser.JUnitXml.fromfile(str(one.xml))
        cases = list(suite)
        rows, items = one.report["endpoints"], one.report["checklist"]
        assert suite.tests == len(cases) == len(rows) * len(items)
        assert suite.failures == sum(case.is_failure for case in cases) > -1
        assert suite.skipped == sum(case.is_skipped for case in cases)
        for at, case in enumerate(cases):
            item = items[at % len(items)]["id"]
            judged = rows[at // len(items)]["checklist"]
            assert case.name.startswith(f"#{item} ")
            assert case.is_skipped == (item not in judged["fail"] + judged["pass"])
            assert not case.is_failure or item in judged["fail"]


def test_junit_fails_where_a_finding_is_critical_or_high(written: list[Written]) -> None:
    for one in written:
        severe = [i for s, i in findings(one.report) if s in ("critical", "high")]
        (suite,) = junitparser.JUnitXml.fromfile(str(one.xml))
        messages = [case.result[0].message for case in suite if case.is_failure]
        assert bool(severe) == bool(messages)
        assert set(messages) <= {re.sub("[\ufffe\uffff]", "\ufffd", issue["issue"]) for issue in severe}


# --- annotations


def unescaped(text: str, signs: str) -> str:
    for sign in signs:
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text.replace("%25", "%")


def test_annotations_are_commands_for_findings_and_one_count(written: list[Written]) -> None:
    levels = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}
    for one in written:
        want = Counter(levels[severity] for severity, _ in findings(one.report))
        *lines, last = one.github.split("\n")
        assert last == ""
        if any(n > ANNOTATIONS_MAX for n in want.values()):
            told = lines.pop()
            assert told.startswith("pgsleuth: not annotated: ")
            more = {level: int(n) for n, level in re.findall(r"(\d+) more (error|warning|notice)s?", told)}
            assert more == {k: n - ANNOTATIONS_MAX for k, n in want.items() if n > ANNOTATIONS_MAX}
        found: Counter[str] = Counter()
        titles = {f"{issue['id']} {issue['rule']}" for _, issue in findings(one.report)}
        files = {issue["file"] for _, issue in findings(one.report)}
        for line in lines:
            command = COMMAND.fullmatch(line)
            assert command, line
            found[command.group(1)] += 1
            pairs = (pair.split("=", 1) for pair in command.group(2).split(","))
            properties = {key: unescaped(value, "\r\n:,") for key, value in pairs}
            assert properties["title"] in titles
            assert properties.get("file") in {None, *files}
        assert found == Counter({level: min(n, ANNOTATIONS_MAX) for level, n in want.items()})


# --- the published schema


def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each map."""
    if isinstance(node, dict):
        yield at
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*at, key))


def part_of(node: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        node = node[key]
    return node


# Left out where there is nothing to say.
OPTIONAL = {"impact", "current_code", "optimized_code", "expected_improvement", "label", "plan"}
OPTIONAL |= {"id", "name", "marks", "sqlalchemy", "django", "asyncpg"}


def takes_no_other(document: dict[str, Any]) -> None:
    for at in places(document):
        part = part_of(document, at)
        part["another"] = 1
        assert schemas.faults(document), (*at, "another")
        del part["another"]
        for key in set(part) - OPTIONAL:
            value = part.pop(key)
            assert schemas.faults(document), (*at, key)
            part[key] = value
    assert not schemas.faults(document)


def test_schema_takes_no_key_more_and_none_less(kept: list[Written]) -> None:
    takes_no_other(read_yaml(DATA / "report/aggregate.yaml.golden"))
    report = kept[0].report["endpoints"][0]["report"]
    takes_no_other(read_yaml(kept[0].xml.parent / "report" / report))


def test_schema_wants_what_each_severity_owes() -> None:
    document = read_yaml(DATA / "report/aggregate.yaml.golden")
    for severity, key in (("critical", "impact"), ("critical", "expected_improvement"), ("high", "impact")):
        issue = document["issues"][severity][0]
        value = issue.pop(key)
        assert schemas.faults(document), (severity, key)
        issue[key] = value
