"""What a report says: the verdict in a few lines, and its endpoints beside locust's names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

NEEDS = "NEEDS_OPTIMIZATION"
SEVERITIES = ("critical", "high", "medium", "low")
_SHOWN = 10
# {id}, {path:path}, <int:id>, :id, and the * of patterns.
_PARAMETER = re.compile(r"\{[^{}/]*\}|<[^<>/]*>|(?<=/):\w+|\*")


def needs_optimization(report: Mapping[str, Any]) -> bool:
    return report.get("status") == NEEDS


def verdict(report: Mapping[str, Any]) -> list[str]:
    """For people: the status, the score, and the worst issues."""
    run = report.get("run") or {}
    found = report.get("issues") or {}
    counts = ", ".join(f"{len(found[name])} {name}" for name in SEVERITIES if found.get(name))
    lines = [
        f"pgsleuth: {report.get('status')}, score {report.get('performance_score')},"
        f" issues: {counts or 'none'} ({run.get('requests')} requests, {run.get('statements')} statements)"
    ]
    issues = [(name, issue) for name in SEVERITIES for issue in found.get(name) or ()]
    for name, issue in issues[:_SHOWN]:
        place = f"  {issue['file']}:{issue['line']}" if issue.get("file") else ""
        lines.append(f"  {name:8} {issue.get('issue')}{place}")
    if len(issues) > _SHOWN:
        lines.append(f"  and {len(issues) - _SHOWN} others")
    return lines


def side_by_side(
    names: Iterable[tuple[str, str]], endpoints: Iterable[Mapping[str, Any]]
) -> list[tuple[tuple[str, str] | None, Mapping[str, Any] | None]]:
    """Pairs of locust's (method, name) and pgsleuth's endpoints; what has no partner stands alone."""
    left = list(endpoints)
    taken: set[int] = set()
    rows: list[tuple[tuple[str, str] | None, Mapping[str, Any] | None]] = []
    for method, name in names:
        found = _partner(method, name, left)
        if found is not None:
            taken.add(id(found))
        rows.append(((method, name), found))
    rows += [(None, endpoint) for endpoint in left if id(endpoint) not in taken]
    return rows


def _partner(method: str, name: str, endpoints: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    path = _path(name)
    best: Mapping[str, Any] | None = None
    fewest = -1
    for endpoint in endpoints:
        route = endpoint.get("route")
        if not route or endpoint.get("method") not in (method, None, ""):
            continue
        if same_route(route, path):
            return endpoint
        parameters = len(_PARAMETER.findall(route))
        if matches(route, path) and (fewest < 0 or parameters < fewest):
            best, fewest = endpoint, parameters
    return best


def _path(name: str) -> str:
    """locust's name may be a whole URL, a path with its query, a template, or anything."""
    word = name.split(" ", 1)[1] if re.match(r"[A-Z]+ /", name) else name
    try:
        return urlsplit(word).path if "://" in word else word.partition("?")[0]
    except ValueError:
        return word


def same_route(one: str, other: str) -> bool:
    """Whether both are the same template, whatever its parameters are called."""
    return _PARAMETER.sub("{}", one).rstrip("/") == _PARAMETER.sub("{}", other).rstrip("/")


def matches(route: str, path: str) -> bool:
    """Whether a path fits a route."""
    pattern = ""
    end = 0
    for found in _PARAMETER.finditer(route):
        deep = found[0] == "*" or ":path" in found[0] or found[0].startswith("<path:")
        pattern += re.escape(route[end : found.start()]) + (".+" if deep else "[^/]+")
        end = found.end()
    pattern += re.escape(route[end:].rstrip("/")) + "/?"
    return re.fullmatch(pattern, path) is not None
