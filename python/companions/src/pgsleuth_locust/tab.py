"""A tab of locust's page: its names beside the endpoints of pgsleuth's report, while the load runs.

locust's page shows tables that it is told of in ``template_args``, with rows that come with its statistics.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from pgsleuth_locust.client import Admin, AdminError
from pgsleuth_locust.report import SEVERITIES, side_by_side

_log = logging.getLogger("pgsleuth_locust")
_KEY = "pgsleuth"
_STATISTICS = "/stats/requests"
_FRESH_S = 2.0  # as often as the page asks
_COLUMNS = (
    ("name", "Name in locust"),
    ("endpoint", "Endpoint in pgsleuth"),
    ("requests", "# Requests"),
    ("average", "Average (ms)"),
    ("statements", "Statements p50/p95"),
    ("database", "Database p95 (ms)"),
    ("score", "Score"),
    ("issues", "Issues"),
)


def add(environment: Any, admin: Admin) -> None:
    import flask

    shown = _Shown(environment, admin)
    web_ui = environment.web_ui
    prefix = (getattr(environment.parsed_options, "web_base_path", "") or "").rstrip("/")
    columns = [{"key": key, "title": title} for key, title in _COLUMNS]
    arguments = web_ui.template_args
    arguments.setdefault("extended_tabs", []).append({"title": "pgsleuth", "key": _KEY})
    arguments.setdefault("extended_tables", []).append({"key": _KEY, "structure": columns})
    arguments.setdefault("extended_csv_files", []).append(
        {"href": f"{prefix}/pgsleuth", "title": "Download pgsleuth's report (JSON)"}
    )

    def report() -> Any:
        try:
            text = json.dumps(admin.get("/api/v1/report"), ensure_ascii=False)
        except AdminError as error:
            return flask.Response(f"{error}\n", 502, mimetype="text/plain")
        return flask.Response(text, mimetype="application/json")

    def with_rows(response: Any) -> Any:
        if flask.request.path != prefix + _STATISTICS or not response.is_json:
            return response
        statistics = response.get_json()
        statistics.setdefault("extended_stats", []).append({"key": _KEY, "data": shown.rows()})
        response.set_data(json.dumps(statistics))
        return response

    # Behind locust's login, where there is one.
    view = web_ui.auth_required_if_enabled(report)
    web_ui.app.add_url_rule(f"{prefix}/pgsleuth", endpoint=_KEY, view_func=view)
    web_ui.app.after_request(with_rows)


class _Shown:
    def __init__(self, environment: Any, admin: Admin) -> None:
        self._environment = environment
        self._admin = admin
        self._endpoints: list[Mapping[str, Any]] = []
        self._asked_at = float("-inf")

    def rows(self) -> list[dict[str, str]]:
        if time.monotonic() - self._asked_at >= _FRESH_S:
            self._asked_at = time.monotonic()
            try:
                self._endpoints = list(self._admin.get("/api/v1/report").get("endpoints") or ())
            except AdminError as error:
                _log.warning("pgsleuth: its endpoints are those of before: %s", error)
        entries = self._environment.stats.entries.values()
        known = {(entry.method or "", entry.name): entry for entry in entries}
        return [
            _row(known.get(name) if name else None, found)
            for name, found in side_by_side(known, self._endpoints)
        ]


def _row(entry: Any, endpoint: Mapping[str, Any] | None) -> dict[str, str]:
    row = dict.fromkeys((key for key, _ in _COLUMNS), "")
    if entry is not None:
        row["name"] = f"{entry.method or ''} {entry.name}".strip()
        row["requests"] = str(entry.num_requests)
        row["average"] = f"{entry.avg_response_time:.1f}"
    if endpoint is not None:
        queries, database = endpoint.get("queries") or {}, endpoint.get("db_ms") or {}
        issues = endpoint.get("issues") or {}
        row["endpoint"] = str(endpoint.get("name"))
        row["requests"] = row["requests"] or str(endpoint.get("requests"))
        row["statements"] = f"{queries.get('p50')}/{queries.get('p95')}"
        row["database"] = str(database.get("p95"))
        row["score"] = str(endpoint.get("performance_score"))
        row["issues"] = (
            ", ".join(f"{issues[name]} {name}" for name in SEVERITIES if issues.get(name)) or "none"
        )
    return row
