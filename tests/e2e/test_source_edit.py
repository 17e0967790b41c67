"""Functions that the report edits answer, in the place of the application's own, the same without the fault.

The applications are in sourced/. What the editor makes of single functions is in tests/data/edits, which the
unit tests hold it to; here they are read by Python.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from advice import check_python
from proxy import Proxy, issues_of
from server import Server, Target
from shops import make_tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = Path(os.environ.get("PGSLEUTH_TEST_VENV") or ROOT / "build/test-venv") / "bin/python"
CASES = ROOT / "tests/data/edits/cases.txt"
TIMES = 6
LIMIT_S = 60
# What is counted, for a page, in less than it takes otherwise to be a fault.
COUNTS_MS = "0.001,50,500,5000"
# route -> the rule whose cure is edited in
FASTAPI = {
    "/authors": "n_plus_one",
    "/books": "n_plus_one",
    "/old": "n_plus_one",
    "/shelf": "n_plus_one",
    "/top": "unbounded_result",
    "/customers": "select_star",
}
DJANGO = {
    "/authors": "n_plus_one",
    "/books": "n_plus_one",
    "/top": "unbounded_result",
    "/some": "count_query",
    "/customers": "select_star",
}
# Where the loop asks by itself there is no edit that is surely right.
BY_TEMPLATE = {"fastapi_app": ("/by-hand", "n_plus_one"), "django_app": ("/counted", "n_plus_one")}


def cases() -> list[tuple[str, str, str]]:
    found = []
    for case in CASES.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, rest = case.partition("\n")
        code, _, after = rest.partition("---\n")
        found.append((name, code, after))
    return found


EDITED = [case for case in cases() if case[2] != "template\n"]


def test_cases_are_found() -> None:
    assert len(cases()) >= 100
    assert len(EDITED) >= 35


@pytest.mark.parametrize(("name", "code", "after"), EDITED, ids=[name for name, *_ in EDITED])
def test_edited_case_is_python_that_differs_where_the_cure_is(name: str, code: str, after: str) -> None:
    check_python(after)
    (function,) = (node for node in ast.parse(after).body if not isinstance(node, ast.ImportFrom))
    before = next(
        node
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and "<-" in (lines(code, node))
    )
    assert type(function) is type(before), name
    assert ast.dump(function) != ast.dump(before)
    assert function.name == before.name
    assert ast.dump(function.args) == ast.dump(before.args)
    assert len(function.body) == len(before.body)


def lines(code: str, node: Any) -> str:
    return "\n".join(code.splitlines()[node.lineno - 1 : node.end_lineno])


@dataclass(frozen=True)
class Run:
    report: dict[str, Any]
    answers: dict[str, Any]

    def issues(self, route: str, rule: str) -> list[dict[str, Any]]:
        return [
            issue
            for issue in issues_of(self.report)
            if issue["rule"] == rule and issue["endpoint"].endswith(route)
        ]


def run_app(source: Path, script: str, target: Target) -> dict[str, Any]:
    done = subprocess.run(
        [str(PYTHON), str(source / f"{script}.py"), str(TIMES), json.dumps(target.libpq())],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=source,
        env={
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(ROOT / "python/src"),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def run(folder: Path, source: Path, script: str, server: Server) -> Run:
    proxy = Proxy(folder, server.app, source=source, report_interval_s="0", rules_count_query_ms=COUNTS_MS)
    try:
        proxy.start()
        run_app(source, script, proxy.target)  # the grammar's facts of its statements come meanwhile
        answers = run_app(source, script, proxy.target)
        return Run(proxy.stop().report, answers)
    finally:
        proxy.kill()


def start_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def put_in(path: Path, issue: dict[str, Any]) -> None:
    """The edited function in the place of the one it was made of, and its imports on top."""
    check_python(issue["optimized_code"])
    code = issue["optimized_code"].splitlines()
    (function,) = (node for node in ast.parse(issue["optimized_code"]).body if hasattr(node, "args"))
    imports = [line for line in code[: start_of(function) - 1] if line.startswith("from ")]
    text = path.read_text(encoding="utf-8")
    old = [node for node in ast.walk(ast.parse(text)) if getattr(node, "name", None) == function.name]
    (node,) = (found for found in old if isinstance(found, type(function)))
    before = text.splitlines()
    new = textwrap.indent("\n".join(code[start_of(function) - 1 :]), " " * node.col_offset).splitlines()
    after = [*before[: start_of(node) - 1], *new, *before[node.end_lineno :]]
    at = after.index("from __future__ import annotations") + 1
    path.write_text("\n".join([*after[:at], *imports, *after[at:], ""]), encoding="utf-8")


@pytest.mark.parametrize(("script", "faults"), [("fastapi_app", FASTAPI), ("django_app", DJANGO)])
def test_edited_functions_answer_the_same_without_the_faults(
    script: str, faults: dict[str, str], server: Server, tmp_path: Path
) -> None:
    make_tables(server)
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(HERE / f"sourced/{script}.py", source)
    before = run(tmp_path / "before", source, script, server)
    for route, rule in faults.items():
        (issue,) = before.issues(route, rule)
        assert issue["optimized_code_source"] == "edited", (route, issue["optimized_code"])
        assert issue["current_code"] != issue["optimized_code"]
        put_in(source / f"{script}.py", issue)
    (left,) = before.issues(*BY_TEMPLATE[script])
    assert left["optimized_code_source"] == "template"
    after = run(tmp_path / "after", source, script, server)
    assert after.answers == before.answers
    for route, rule in faults.items():
        assert after.issues(route, rule) == [], (source / f"{script}.py").read_text("utf-8")
