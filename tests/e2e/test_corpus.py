"""Precision and recall on labelled traffic, rule by rule."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from corpus import RUNNERS, App, make_tables
from proxy import Outcome, Proxy, run_command
from server import Server

for module in ("kits", "with_sqlalchemy", "with_django", "with_pools"):
    importlib.import_module(f"corpus.{module}")

pytestmark = pytest.mark.slow

APPS = [(kit, app) for kit, (book, _) in RUNNERS.items() for app in book.apps]
AT_LEAST = 150
BARS = {"n_plus_one": (1.0, 0.95)}  # precision, recall
OTHER_BARS = (0.95, 0.9)


def route(kit: str, app: App) -> str:
    return f"/{kit}/{app.name}"


@dataclass
class Score:
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / (self.right + len(self.wrong)) if self.right + len(self.wrong) else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + len(self.missed)) if self.right + len(self.missed) else 1.0


@pytest.fixture(scope="module")
def audited(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    make_tables(server)
    folder = tmp_path_factory.mktemp("corpus")
    proxy = Proxy(folder / "run", server.app, capture=str(folder / "capture"), report_interval_s="0")
    try:
        proxy.start()
        for kit, (book, run) in RUNNERS.items():
            run(proxy.target, book.apps, lambda app, kit=kit: f" /*method='GET',route='{route(kit, app)}'*/")
        yield proxy.stop()
    finally:
        proxy.kill()


@pytest.fixture(scope="module")
def scores(audited: Outcome) -> dict[str, Score]:
    found: dict[str, Score] = defaultdict(Score)
    for kit, app in APPS:
        rules = audited.rules(f"GET {route(kit, app)}")
        for rule in rules | app.label:
            score, name = found[rule], route(kit, app)
            if rule in rules and rule in app.label:
                score.right += 1
            elif rule in app.label:
                score.missed.append(name)
            elif rule not in app.also:
                score.wrong.append(name)
    return found


def test_corpus_is_large_enough() -> None:
    assert len(APPS) >= AT_LEAST
    names = [route(kit, app) for kit, app in APPS]
    assert len(set(names)) == len(names)


def test_precision_and_recall_of_every_rule(
    scores: dict[str, Score], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"\n{len(APPS)} applications", f"{'rule':22} right wrong missed precision recall"]
    failed = []
    for rule, score in sorted(scores.items()):
        lines.append(
            f"{rule:22} {score.right:5} {len(score.wrong):5} {len(score.missed):6}"
            f" {score.precision:9.2f} {score.recall:6.2f}"
        )
        precision, recall = BARS.get(rule, OTHER_BARS)
        if score.precision < precision or score.recall < recall:
            failed.append(f"{rule}: wrong {score.wrong}, missed {score.missed}")
    with capsys.disabled():
        print("\n".join(lines))
    assert not failed, "\n".join(failed)


def test_capture_of_the_corpus_gives_the_same_report(audited: Outcome, tmp_path: Path) -> None:
    capture = audited.report_dir.parent.parent / "capture"
    done = run_command("report", str(capture), f"--report-dir={tmp_path / 'again'}")
    assert done.returncode == 0, done.stderr
    for path in audited.report_dir.rglob("*.yaml"):
        again = tmp_path / "again" / path.relative_to(audited.report_dir)
        assert again.read_bytes() == path.read_bytes(), path.name
