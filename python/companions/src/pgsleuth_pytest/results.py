"""The report of a session: read, judged, told at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pgsleuth_pytest.statements import FIXTURES

NEEDS = "NEEDS_OPTIMIZATION"
SEVERITIES = ("low", "medium", "high", "critical")
_MAX_TESTS = 3


def read(report_dir: Path) -> dict[str, Any]:
    """The aggregate report; empty when there is none."""
    import yaml

    path = report_dir / "report.yaml"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8") as file:
        loaded = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 # both are safe
    return loaded if isinstance(loaded, dict) else {}


def needing(report: Mapping[str, Any], severity: str | None = None) -> list[str]:
    """Endpoints that need optimization, or that have findings from that severity on.

    What fixtures do is in the report, but no test fails for it.
    """
    worse = SEVERITIES[SEVERITIES.index(severity) :] if severity else ()
    return [
        str(endpoint["name"])
        for endpoint in report.get("endpoints") or ()
        if not str(endpoint["name"]).startswith(FIXTURES)
        and (endpoint["status"] == NEEDS or any(endpoint["issues"][name] for name in worse))
    ]


def statements(report: Mapping[str, Any]) -> int:
    return int((report.get("run") or {}).get("statements") or 0)


def with_tests(names: Iterable[str], tests_of: Mapping[str, Iterable[str]]) -> list[str]:
    """Each endpoint with the tests that went through it."""
    lines = []
    for name in names:
        tests = sorted(tests_of.get(name, ()))
        shown = ", ".join(tests[:_MAX_TESTS]) + (
            f" and {len(tests) - _MAX_TESTS} others" if len(tests) > _MAX_TESTS else ""
        )
        lines.append(f"{name}  <- {shown}" if tests and name != shown else name)
    return lines
