"""Hears locust's events: a run of pgsleuth's for each run of locust's, its report and its verdict at the end.

In a distributed test the master alone acts; workers load the same files and do nothing.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from locust import events
from locust.runners import WorkerRunner

from pgsleuth_locust import report as reports
from pgsleuth_locust import tab
from pgsleuth_locust.client import NOT_FOUND, Admin, AdminError

_log = logging.getLogger("pgsleuth_locust")
_FAILED = 1
_CANNOT = 2


def add_options(parser: Any, **_: Any) -> None:
    # Not in a group: those do not know what the page is to show.
    parser.add_argument(
        "--pgsleuth-url",
        metavar="URL",
        default="",
        env_var="PGSLEUTH_ADMIN_URL",
        include_in_web_ui=False,
        help="Admin API of the pgsleuth before the application's database: http://127.0.0.1:6433/?token=...",
    )
    parser.add_argument(
        "--pgsleuth-report",
        metavar="FILE",
        default="",
        include_in_web_ui=False,
        help="Keep the report in this file, as JSON.",
    )
    parser.add_argument(
        "--pgsleuth-fail",
        action="store_true",
        default=False,
        include_in_web_ui=False,
        help="End with exit code 1 when the report says NEEDS_OPTIMIZATION, or there is none.",
    )


def begin(environment: Any, **_: Any) -> None:
    """When locust has read its command line: whoever is asked to watch a run says now when it cannot."""
    options = environment.parsed_options
    url = getattr(options, "pgsleuth_url", "")
    if not url or isinstance(environment.runner, WorkerRunner):
        return
    try:
        admin = Admin(url)
        admin.get("/api/v1/status")
    except AdminError as error:
        # Nothing has been started yet.
        _log.error("--pgsleuth-url: %s", error)
        sys.exit(_CANNOT)
    companion = Companion(environment, admin)
    environment.events.test_start.add_listener(companion.on_test_start)
    environment.events.spawning_complete.add_listener(companion.on_spawning_complete)
    environment.events.test_stop.add_listener(companion.on_test_stop)
    environment.events.quitting.add_listener(companion.on_quitting)
    if environment.web_ui is not None:
        tab.add(environment, admin)


class Companion:
    """One for the process that has the statistics: a local runner's, or the master's."""

    def __init__(self, environment: Any, admin: Admin) -> None:
        self._environment = environment
        self._admin = admin
        self._options = environment.parsed_options
        self._runs = 0
        self._is_open = False
        self._bad = False

    def on_test_start(self, **_: Any) -> None:
        self._runs += 1
        self._is_open = True
        try:
            self._admin.post("/api/v1/runs", name=f"locust {self._runs}")
        except AdminError as error:
            if error.status == NOT_FOUND:
                _log.warning("this pgsleuth knows no runs: its report is of all since it was started")
            else:
                self._failed("the run could not begin", error)

    def on_spawning_complete(self, **_: Any) -> None:
        try:
            self._admin.post("/api/v1/marks", name="spawning_complete")
        except AdminError as error:
            _log.error("pgsleuth: the end of spawning could not be marked: %s", error)

    def on_test_stop(self, **_: Any) -> None:
        # A master that quits stops before its workers have; then the end is near, and soon enough.
        if self._environment.web_ui is not None:
            self._finish()

    def on_quitting(self, **_: Any) -> None:
        self._finish()
        if self._bad and self._options.pgsleuth_fail:
            self._environment.process_exit_code = _FAILED

    def _finish(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        try:
            written = self._admin.post("/api/v1/snapshot")
            report = self._admin.get("/api/v1/report")
        except AdminError as error:
            self._failed("there is no report", error)
            return
        self._bad = self._bad or reports.needs_optimization(report)
        for line in reports.verdict(report):
            print(line)
        print(f"pgsleuth: its report is in {written.get('report_dir')}", flush=True)
        self._keep(report)

    def _keep(self, report: dict[str, Any]) -> None:
        path = self._options.pgsleuth_report
        if not path:
            return
        try:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1, ensure_ascii=False)
                file.write("\n")
        except OSError as error:
            self._failed(f"the report cannot be kept in {path}", error)

    def _failed(self, what: str, error: Exception) -> None:
        self._bad = True
        _log.error("pgsleuth: %s: %s", what, error)


_events: Any = events  # locust has no types for it
_events.init_command_line_parser.add_listener(add_options)
_events.init.add_listener(begin)
