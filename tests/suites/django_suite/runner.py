"""Django's test runner, that also writes what became of each test to the JUnit file $SUITE_JUNIT."""

from __future__ import annotations

import os
import unittest
from typing import Any
from xml.etree import ElementTree

from django.test.runner import DiscoverRunner


def _printable(text: str) -> str:
    """What XML 1.0 can hold."""
    return "".join(c if c in "\t\n" or (c >= " " and c.isprintable()) else f"\\x{ord(c):02x}" for c in text)


class Recorder(unittest.TextTestResult):
    root = ElementTree.Element("testsuite")

    def _record(self, test: Any, tag: str = "", text: str = "") -> None:
        test = getattr(test, "test_case", test)  # of a subtest
        classname, _, name = test.id().rpartition(".")
        words = test.id().split(".")
        case = ElementTree.SubElement(
            self.root, "testcase", classname=classname, name=_printable(name), file=words[0]
        )
        if tag:
            ElementTree.SubElement(case, tag).text = _printable(text)

    def _trace(self, error: Any, test: Any) -> str:
        return str(self._exc_info_to_string(error, test))  # type: ignore[attr-defined]

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._record(test)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._record(test, "error", self._trace(err, test))

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._record(test, "failure", self._trace(err, test))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._record(test, "failure", f"{subtest}\n{self._trace(err, test)}")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._record(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._record(test, "skipped", "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._record(test, "failure", "unexpected success")


class JUnitRunner(DiscoverRunner):
    def get_resultclass(self) -> type[unittest.TextTestResult]:
        return Recorder

    def run_suite(self, suite: Any, **options: Any) -> Any:
        try:
            return super().run_suite(suite, **options)
        finally:
            ElementTree.ElementTree(Recorder.root).write(os.environ["SUITE_JUNIT"], encoding="utf-8")
