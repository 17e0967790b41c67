"""The demo application under load: what its README says is wrong with it is what the report says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy import binary, clean_environment, issues_of, read_yaml, run_command

pytestmark = pytest.mark.demo
ROOT = Path(__file__).resolve().parents[2]
VENV = Path(os.environ.get("PGSLEUTH_VENV") or ROOT / "build/demo-venv")
EXPECTED = json.loads((ROOT / "docker/app/expected.json").read_text(encoding="utf-8"))
SECONDS = "25"
LIMIT_S = 300
REPORT = ROOT / "pgsleuth-report"
CURED = ROOT / "pgsleuth-report-cured"
ONE, MANY = 1, 16  # users


def processes_with(variable: str) -> list[bytes]:
    """Command lines of the processes that inherited this variable."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if variable.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes())
    return found


def run_demo(folder: Path, users: int, cured: str = "") -> dict[str, Any]:
    folder.chmod(0o711)  # for the server's user
    left = CURED if cured else REPORT
    variables = {
        "PATH": os.environ["PATH"],
        "PGSLEUTH_BIN": str(binary()),
        "PGSLEUTH_VENV": str(VENV),
        "DEMO_SECONDS": SECONDS,
        "DEMO_USERS": str(users),
        "DEMO_CURED": cured,
        "TMPDIR": str(folder),
    }
    done = subprocess.run(
        [str(ROOT / "docker/demo.sh")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=ROOT,
        env=clean_environment(variables),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = read_yaml(left / "report.yaml")
    return {
        "stdout": done.stdout,
        "processes": processes_with(f"TMPDIR={folder}"),
        "files": [str(path) for path in folder.rglob("*")],
        "report": report,
        "endpoints": {row["name"]: read_yaml(left / row["report"]) for row in report["endpoints"]},
    }


@pytest.fixture(scope="module")
def demos() -> dict[int, dict[str, Any]]:
    """By the number of users that locust plays."""
    venv = [str(ROOT / "docker/venv.sh"), str(VENV)]
    subprocess.run(venv, check=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
    runs = {}
    for users in (ONE, MANY):
        with tempfile.TemporaryDirectory(prefix="e2e-") as folder:  # short: it has a Unix socket in it
            runs[users] = run_demo(Path(folder), users)
    return runs


@pytest.fixture(params=[ONE, MANY], ids=["one-user", "16-users"])
def demo(request: pytest.FixtureRequest, demos: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return demos[request.param]


@pytest.fixture(scope="module")
def cured(demos: dict[int, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What `diff` says of the demo and of the same without its faults, both with many users."""
    assert read_yaml(REPORT / "report.yaml") == demos[MANY]["report"]
    with tempfile.TemporaryDirectory(prefix="e2e-") as folder:
        run_demo(Path(folder), MANY, cured="yes")
    try:
        done = run_command("diff", str(REPORT), str(CURED), "--output=json:-")
        yield {"code": done.returncode, **json.loads(done.stdout)}
    finally:
        shutil.rmtree(CURED)


def findings(demo: dict[str, Any]) -> set[tuple[str, ...]]:
    return {
        (issue["endpoint"], issue["rule"], *(sql["text"] for sql in issue["evidence"]["sql"]))
        for issue in issues_of(demo["report"])
    }


def test_sixteen_users_have_the_findings_of_one(demos: dict[int, dict[str, Any]]) -> None:
    assert findings(demos[ONE])
    assert findings(demos[MANY]) == findings(demos[ONE])


def test_demo_leaves_nothing_behind_but_its_report(demo: dict[str, Any]) -> None:
    assert demo["processes"] == []
    assert demo["files"] == []
    assert demo["stdout"].splitlines()[-2:] == [
        f"page: {REPORT}/report.html",
        f"report: {REPORT}/report.yaml",
    ]
    assert (REPORT / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_cured_demo_differs_by_its_faults(cured: dict[str, Any]) -> None:
    assert cured["code"] == 0
    assert (cured["new"], cured["worse"], cured["not_seen"]) == ([], [], [])
    faults = {(row["endpoint"], defect) for row in EXPECTED for defect in row["defects"]}
    assert {(issue["endpoint"], issue["rule"]) for issue in cured["fixed"]} == faults


def test_cure_is_measured_beside_what_was_promised(cured: dict[str, Any]) -> None:
    loops = [issue for issue in cured["fixed"] if issue["rule"] == "n_plus_one"]
    assert len(loops) == 4
    for issue in loops:
        assert issue["promised"]["queries_after"] <= 2
        assert issue["measured"]["kind"] == "measured"
        assert issue["measured"]["queries_after"] == 2 < issue["measured"]["queries_before"]


@pytest.mark.parametrize("expected", EXPECTED, ids=[row["endpoint"] for row in EXPECTED])
def test_endpoint_of_the_demo_has_its_faults_and_no_other(
    demo: dict[str, Any], expected: dict[str, Any]
) -> None:
    endpoint = demo["endpoints"][expected["endpoint"]]
    assert sorted(issue["rule"] for issue in issues_of(endpoint)) == sorted(expected["defects"])


def test_nothing_of_the_demo_was_missed(demo: dict[str, Any]) -> None:
    coverage = demo["report"]["coverage"]
    assert coverage["opaque_sessions"] == 0
    assert coverage["dropped_records"] == 0
    known = {row["endpoint"] for row in EXPECTED}
    tagged = {row["name"] for row in demo["report"]["endpoints"] if row["named_by"] == "tag"}
    assert tagged == known
