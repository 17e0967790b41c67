"""The end of the output: what ran, and what became of it."""

from __future__ import annotations

import signal

import pytest

from proxy import binary


def pytest_configure() -> None:
    # A runner that loses patience sends SIGTERM: what was started must end all the same.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


def pytest_report_header() -> str:
    return f"pgsleuth: {binary()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            # The figures are those of the fixture `told`, which gives them at the teardown.
            if getattr(report, "when", "") == "teardown" and report.user_properties:
                terminalreporter.write_line(report.nodeid.rpartition("[")[2].rstrip("]"))
                for name, value in report.user_properties:
                    terminalreporter.write_line(f"  {name}: {value}")
