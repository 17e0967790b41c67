"""A loop that is spread over a pool is found without any tag, and what only looks like one is not."""

from __future__ import annotations

from typing import Any

import pytest

from corpus import RUNNERS, Call, make_tables
from corpus.with_pools import POOLS, mark_of
from proxy import Outcome, Proxy
from server import Server

PLAN_CONFIDENCE = 0.7
KITS = [kit for kit, (book, _) in RUNNERS.items() if book is POOLS]
# Without a tag nothing tells the requests of a browser from those of a loop.
POSSIBLE = "items-by-requests-of-another-route"


@pytest.fixture(scope="module", params=KITS)
def audited(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    make_tables(server)
    proxy = Proxy(tmp_path_factory.mktemp("pool") / "run", server.app, report_interval_s="0")
    try:
        proxy.start()
        untagged = [Call(app, n, "") for app in POOLS.apps for n in range(app.times)]
        RUNNERS[request.param][1](proxy.target, untagged)
        return proxy.stop()
    finally:
        proxy.kill()


def loops(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """The N+1 of each application, by the alias in its SQL."""
    found: dict[str, dict[str, Any]] = {}
    for issue in outcome.issues():
        if issue["rule"] != "n_plus_one":
            continue
        texts = " ".join(line["text"] for line in issue["evidence"]["sql"])
        name = next(app.name for app in POOLS.apps if f" {mark_of(app)} " in texts)
        assert name not in found, name
        found[name] = issue
    return found


def test_loops_over_a_pool_are_found_and_nothing_else(audited: Outcome) -> None:
    expected = {app.name for app in POOLS.apps if "n_plus_one" in app.label}
    assert set(loops(audited)) - {POSSIBLE} == expected


def test_loops_over_a_pool_are_called_parallel(audited: Outcome) -> None:
    for name, issue in loops(audited).items():
        assert issue["label"] == "parallel_n_plus_one", name
        assert "in parallel over" in issue["impact"], name
        assert [line["role"] for line in issue["evidence"]["sql"]][:2] == ["parent", "repeated"], name


def test_only_what_holds_its_connection_is_sure_without_a_tag(audited: Outcome) -> None:
    for name, issue in loops(audited).items():
        sure = issue["confidence"] >= PLAN_CONFIDENCE
        assert sure == ("held" in name), (name, issue["confidence"])
        assert sure or issue in audited.report["issues"]["medium"] + audited.report["issues"]["low"], name
        assert sure or "possibly requests of their own" in issue["impact"], name
