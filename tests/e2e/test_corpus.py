"""Precision and recall on labelled traffic, rule by rule."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import pytest

from advice import check_advice
from corpus import RUNNERS, App, make_tables, one_after_the_other, route, sized
from corpus.cached import CACHED, taking_turns
from proxy import Outcome, Proxy, essence_of, issues_of, run_command
from server import Server

for module in ("kits", "with_sqlalchemy", "with_django", "with_pools"):
    importlib.import_module(f"corpus.{module}")

pytestmark = pytest.mark.slow

PLAIN_KITS = ("psycopg2", "psycopg3", "psycopg3-autocommit", "asyncpg")
ORM_KITS = ("sqlalchemy-psycopg2", "sqlalchemy-psycopg3", "sqlalchemy-asyncpg")
APPS = [(kit, app) for kit, (book, _) in RUNNERS.items() for app in book.apps]
CACHED_APPS = [(kit, app) for kit in PLAIN_KITS for app in CACHED.apps]
SIZED_APPS = [(kit, app) for kit in sized.KITS for app in sized.SIZED.apps]
ALL_APPS = [*APPS, *CACHED_APPS, *SIZED_APPS]
AT_LEAST = 150
AT_LEAST_A_RULE = 4
# rule -> precision and recall that it must reach; all others those of OTHER_BARS
BARS = {"n_plus_one": (1.0, 0.95)}
OTHER_BARS = (0.95, 0.9)
# In this run the same few rows are read for minutes: see corpus/cached.py, which has a run of its own.
NOTHING_CACHEABLE = "1000000,2000000,3000000,4000000"


@dataclass
class Score:
    right: int = 0
    near: int = 0  # applications that nearly have the fault
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / (self.right + len(self.wrong)) if self.right + len(self.wrong) else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + len(self.missed)) if self.right + len(self.missed) else 1.0


@dataclass
class Audited:
    main: Outcome
    cached: Outcome
    sized: Outcome


@pytest.fixture(scope="module")
def audited(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    make_tables(server)
    sized.make_roles(server)
    folder = tmp_path_factory.mktemp("corpus")

    def proxy(name: str, **options: str) -> Proxy:
        capture = str(folder / f"{name}.capture")
        # Hundreds of connections are made, on a machine that may have much else to do.
        patient = {"connect_timeout_ms": "60s", "report_interval_s": "0"}
        return Proxy(folder / name, server.app, capture=capture, **patient, **options)

    main = proxy("main", rules_cacheable_read_ms=NOTHING_CACHEABLE)
    cached = proxy("cached")
    in_pools = proxy("sized", rules_cacheable_read_ms=NOTHING_CACHEABLE)
    proxies = [main, cached, in_pools]
    try:
        for each in proxies:
            each.start()
        with ThreadPoolExecutor(len(PLAIN_KITS) + 1) as beside:
            of_pools = beside.submit(sized.run, in_pools.target, SIZED_APPS, in_pools.stop)
            runs = [
                beside.submit(RUNNERS[kit][1], cached.target, taking_turns(kit, CACHED.apps))
                for kit in PLAIN_KITS
            ]
            for kit, (book, run) in RUNNERS.items():
                run(main.target, one_after_the_other(kit, book.apps))
            for done in runs:
                done.result()
            pools = of_pools.result()
        yield Audited(main.stop(), cached.stop(), pools)
    finally:
        for each in proxies:
            each.kill()


def count(found: dict[str, Score], apps: list[tuple[str, App]], rules_of: Callable[[str], set[str]]) -> None:
    for kit, app in apps:
        name = route(kit, app)
        rules = rules_of(f"GET {name}")
        for rule in rules | app.label | app.near:
            score = found[rule]
            score.near += rule in app.near
            if rule in rules and rule in app.label:
                score.right += 1
            elif rule in app.label:
                score.missed.append(name)
            elif rule in rules and rule not in app.tolerated:
                score.wrong.append(name)


@pytest.fixture(scope="module")
def scores(audited: Audited) -> dict[str, Score]:
    found: dict[str, Score] = defaultdict(Score)
    count(found, APPS, audited.main.rules)
    count(found, CACHED_APPS, audited.cached.rules)
    count(found, SIZED_APPS, audited.sized.rules)
    return found


def test_corpus_is_large_enough() -> None:
    assert len(ALL_APPS) >= AT_LEAST
    names = [route(kit, app) for kit, app in ALL_APPS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", sorted({rule for _, app in ALL_APPS for rule in app.label}))
def test_rule_has_applications_with_the_fault_and_nearly_with_it(rule: str) -> None:
    apps = [app for _, app in ALL_APPS]
    assert sum(rule in app.label for app in apps) >= AT_LEAST_A_RULE
    assert sum(rule in app.near for app in apps) >= AT_LEAST_A_RULE


def test_precision_and_recall_of_every_rule(
    scores: dict[str, Score],
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    lines = [
        f"{len(ALL_APPS)} labelled applications",
        f"{'rule':22} right wrong missed  near precision recall    bars",
    ]
    failed = []
    for rule, score in sorted(scores.items()):
        precision, recall = BARS.get(rule, OTHER_BARS)
        lines.append(
            f"{rule:22} {score.right:5} {len(score.wrong):5} {len(score.missed):6} {score.near:5}"
            f" {score.precision:9.2f} {score.recall:6.2f} {precision:.2f} {recall:.2f}"
        )
        if score.precision < precision or score.recall < recall:
            failed.append(f"{rule}: wrong {score.wrong}, missed {score.missed}")
    for line in lines:
        record_property("summary", line)
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert not failed, "\n".join(failed)


def findings(outcome: Outcome, kit: str, app: App) -> list[tuple[Any, ...]]:
    """What is said of it, beside what may be said or not."""
    issues = issues_of(outcome.endpoint(f"GET {route(kit, app)}"))
    return sorted(essence_of(issue) for issue in issues if issue["rule"] not in app.tolerated)


@pytest.mark.parametrize("kits", [PLAIN_KITS, ORM_KITS], ids=["plain", "sqlalchemy"])
def test_same_view_has_the_same_findings_on_every_driver(audited: Audited, kits: tuple[str, ...]) -> None:
    first, *others = kits
    differ = {}
    for app in RUNNERS[first][0].apps:
        expected = findings(audited.main, first, app)
        assert {rule for rule, *_ in expected} == app.label, app.name
        for kit in others:
            found = findings(audited.main, kit, app)
            if found != expected:
                differ[route(kit, app)] = (found, expected)
    assert not differ, "\n".join(f"{name}\n  {a}\n  {b}" for name, (a, b) in differ.items())


def test_code_that_is_advised_parses_and_commands_work(audited: Audited, server: Server) -> None:
    issues, commands = check_advice(audited.main, server)
    assert issues >= len(APPS) // 4
    assert commands > 0


@pytest.mark.parametrize("run", ["main", "cached", "sized"])
def test_capture_of_the_corpus_gives_the_same_report(audited: Audited, run: str, tmp_path: Path) -> None:
    outcome: Outcome = getattr(audited, run)
    capture = outcome.report_dir.parent.parent / f"{run}.capture"
    done = run_command("report", str(capture), f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr
    for path in outcome.report_dir.rglob("*.yaml"):
        again = tmp_path / "again" / path.relative_to(outcome.report_dir)
        assert again.read_bytes() == path.read_bytes(), path.name
