"""What documents must look like: the schema that pgsleuth publishes, and those of other programs' formats."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

PROJECT = Path(__file__).resolve().parents[2]
REPORT_SCHEMA = PROJECT / "report/report.schema.json"
SARIF_SCHEMA = PROJECT / "build/sarif-schema/sarif-2.1.0.json"  # which ./dev fetches
JUNIT_SCHEMA = Path(__file__).with_name("junit.xsd")
SHOWN = 3  # errors


@cache
def compiled(path: Path) -> Any:
    # The pattern of a language in SARIF leaves a bracket bare, which some engines do not read.
    text = path.read_text(encoding="utf-8").replace('{2}]?$"', '{2}\\\\]?$"')
    return jsonschema_rs.validator_for(json.loads(text), validate_formats=True)


def faults(document: Any, path: Path = REPORT_SCHEMA) -> list[str]:
    """Where and why it is not as the schema wants it."""
    validator = compiled(path)
    if validator.is_valid(document):
        return []
    return [f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in validator.iter_errors(document)]


def check(document: Any, path: Path = REPORT_SCHEMA) -> None:
    found = faults(document, path)
    assert not found, f"{len(found)} faults by {path.name}: " + "; ".join(found[:SHOWN])
