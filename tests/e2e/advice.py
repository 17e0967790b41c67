"""What a report tells people to write and to run: code that parses, commands that work."""

from __future__ import annotations

import ast
import os
import subprocess
from typing import Any

import psycopg

from proxy import Outcome, issues_of, read_yaml
from server import Server, Target

TIMEOUT_S = 60


def is_sql(code: str) -> bool:
    lines = [line for line in code.splitlines() if line and not line.startswith("--")]
    return code.startswith("--") or any(line.startswith("CREATE INDEX") for line in lines)


def codes_of(issue: dict[str, Any]) -> list[str]:
    return [issue["optimized_code"], *issue["variants"].values()]


BLOCKING = {"execute", "scalars", "scalar", "get", "query", "commit", "refresh"}


def blocking_calls(tree: ast.AST) -> list[str]:
    """Calls of a session that nobody awaits, inside of async functions."""
    found = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)):
        awaited = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Await)}
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            if name.startswith("session.") and name.split(".")[-1] in BLOCKING and id(call) not in awaited:
                found.append(name)
    return found


def check_python(code: str) -> None:
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise AssertionError(f"{error}:\n{code}") from error
    assert not blocking_calls(tree), f"a blocking call in async code:\n{code}"
    lines = [line for line in code.splitlines() if not line.lstrip().startswith("#")]
    bare = "\n".join(lines)
    paged = any(word in bare for word in ("LIMIT", "OFFSET", ".limit(", ".offset("))
    assert not paged or "ORDER BY" in bare or ".order_by(" in bare, f"a page without an order:\n{code}"


def check_sql(code: str, server: Server) -> None:
    """The server takes it, within a transaction that leaves nothing behind."""
    with psycopg.connect(**server.admin_of("app").libpq()) as conn:
        conn.execute(code.replace(" CONCURRENTLY", "").encode())
        conn.rollback()


def check_code(issue: dict[str, Any], server: Server) -> None:
    for code in codes_of(issue):
        if is_sql(code):
            check_sql(code, server)
        else:
            check_python(code)


def run_in_shell(command: str, target: Target) -> None:
    done = subprocess.run(  # noqa: S602 # the point is what a shell makes of it
        command,
        shell=True,
        check=False,
        env={**os.environ, "DATABASE_URL": target.url()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert "QUERY PLAN" in done.stdout or "EXPLAIN" not in command, f"{command}\n{done.stdout}"


def check_advice(outcome: Outcome, server: Server) -> tuple[int, int]:
    """Check all code and run all commands of a run's reports; how many of each there were."""
    reports = [read_yaml(path) for path in sorted(outcome.report_dir.rglob("*.yaml"))]
    issues = [issue for report in reports for issue in issues_of(report)]
    for issue in issues:
        check_code(issue, server)
    commands = {command for report in reports for command in report["profiling_commands"]}
    plans = sorted(command for command in commands if command.startswith("psql "))
    for command in plans:
        run_in_shell(command, server.app)
    return len(issues), len(plans)
