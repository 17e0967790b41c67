"""The captures in tests/data/captures give the reports beside them, byte for byte.

    PGSLEUTH_GOLDEN=write    makes the reports anew of the captures: a rule or its words were meant to change
    PGSLEUTH_GOLDEN=record   makes the captures too, of applications of the corpus: their format has changed

With -k only those it names. What they write is to be read in `git diff` before it is committed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path

import pytest

from corpus import RUNNERS, Call, make_tables, route, sized
from corpus.cached import CACHED
from corpus.captured import KEPT, Kept
from proxy import Outcome, Proxy, run_command
from server import Server

FOLDER = Path(__file__).resolve().parents[1] / "data/captures"
MODE = os.environ.get("PGSLEUTH_GOLDEN", "")
MAX_BYTES = 1_300_000  # of all files together
CHANGED_LINES = 60  # shown of a difference
FORMAT_AT = 8  # in a capture, behind the magic
EXIT_CAPTURE = 2
GRAMMAR_S = 0.2  # in which it tells of a new statement, so that the few requests that follow are judged

assert MODE in ("", "write", "record"), f"PGSLEUTH_GOLDEN={MODE}: write, record or nothing"


def audit(kept: Kept, folder: Path) -> str:
    """What the report says, as one text; of the files of endpoints, which repeat much of it, their hashes."""
    capture = FOLDER / f"{kept.file}.capture"
    assert capture.is_file(), f"no {capture}: PGSLEUTH_GOLDEN=record makes it"
    done = run_command("report", str(capture), f"--report-dir={folder}")
    assert done.returncode == 0, f"{done.stderr}PGSLEUTH_GOLDEN=record makes captures of this version"
    report = (folder / "report.yaml").read_text(encoding="utf-8")
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "report.yaml")
    hashes = [f"{sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder)}" for path in others]
    summary = done.stdout.rpartition("report: ")[0]  # which ends with a path of this machine
    return "\n".join([summary, report, *hashes, ""])


def record(kept: Kept, server: Server, folder: Path) -> None:
    """Make its capture from live traffic; what is found must be what the corpus says."""
    capture = FOLDER / f"{kept.file}.capture"
    capture.unlink(missing_ok=True)
    proxy = Proxy(folder / kept.file, server.app, capture=str(capture), report_interval_s="0")
    labels = {f"GET {route(kept.kit, app)}": app for app in kept.apps()}

    def told() -> Iterator[Call]:
        for each in kept.calls():
            yield each
            if each.n == 0:
                time.sleep(GRAMMAR_S)

    def run() -> Outcome:
        if kept.group == "sized":
            return sized.run(proxy.target, [(kept.kit, app) for app in kept.apps()], proxy.stop)
        RUNNERS[kept.kit][1](proxy.target, told())
        return proxy.stop()

    try:
        proxy.start()
        outcome = run()
    finally:
        proxy.kill()
    for endpoint, app in labels.items():
        assert app.label <= outcome.rules(endpoint) <= app.label | app.tolerated, endpoint
    capture.chmod(0o644)


@pytest.fixture(scope="module")
def recorder(request: pytest.FixtureRequest) -> Server | None:
    """The server to record with, when that was asked for."""
    if MODE != "record":
        return None
    server: Server = request.getfixturevalue("server")
    make_tables(server)
    sized.make_roles(server)
    return server


@pytest.mark.parametrize("kept", KEPT, ids=[kept.file for kept in KEPT])
def test_capture_gives_the_report_that_is_kept_with_it(
    recorder: Server | None, kept: Kept, tmp_path: Path
) -> None:
    if recorder is not None:
        record(kept, recorder, tmp_path / "record")
    golden = FOLDER / f"{kept.file}.golden"
    report = audit(kept, tmp_path / "report")
    if MODE:
        golden.write_text(report, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8") if golden.is_file() else ""
    if report == expected:
        return
    lines = list(unified_diff(expected.splitlines(), report.splitlines(), "kept", "now", n=1, lineterm=""))
    shown = "\n".join(lines[:CHANGED_LINES])
    pytest.fail(
        f"{len(lines)} lines of difference (PGSLEUTH_GOLDEN=write if they are meant):\n{shown}", False
    )


def test_captures_hold_every_rule_of_the_corpus_and_no_more_bytes_than_a_clone_bears() -> None:
    rules = {rule for book, _ in RUNNERS.values() for app in book.apps for rule in app.label}
    rules |= {rule for app in (*CACHED.apps, *sized.SIZED.apps) for rule in app.label}
    kept = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.golden"))
    assert rules <= set(re.findall(r"^ +rule: (\w+)$", kept, re.MULTILINE))
    files = sorted(FOLDER.iterdir())
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    names = {f"{each.file}.{end}" for each in KEPT for end in ("capture", "golden")}
    assert {path.name for path in files} == names | {"README.md"}


def test_capture_of_another_version_is_refused(tmp_path: Path) -> None:
    """In one line that says so, with its own exit code; nothing is written."""
    old = bytearray((FOLDER / f"{KEPT[0].file}.capture").read_bytes())
    old[FORMAT_AT] += 1
    path = tmp_path / "old.capture"
    path.write_bytes(old)
    done = run_command("report", str(path), f"--report-dir={tmp_path / 'report'}")
    assert done.returncode == EXIT_CAPTURE
    assert len(done.stderr.splitlines()) == 1
    assert "written by another kind of machine or version" in done.stderr
    assert not (tmp_path / "report").exists()
