"""The closing lines of the test run: summary.py RESULTS_DIR

Each stage left NAME.stage ("ok" or "failed"), those that ran tests NAME.xml in JUnit's form. A stage without
tests counts as one; so does a stage that failed while its tests did not (it did not build, or left a
sanitizer's report). What a test said for this place, by record_property("summary", line), stands
above them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def outcomes(path: Path) -> tuple[int, int, int]:
    """passed, failed, skipped"""
    passed = failed = skipped = 0
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))  # noqa: S314 # written by our own run
    except ElementTree.ParseError:
        return 0, 0, 0  # cut short: the stage has failed
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def said(path: Path) -> list[str]:
    try:
        properties = ElementTree.parse(path).iter("property")  # noqa: S314 # written by our own run
    except ElementTree.ParseError:
        return []
    return [each.get("value", "") for each in properties if each.get("name") == "summary"]


def main() -> int:
    results = Path(sys.argv[1])
    total_passed = total_failed = total_skipped = 0
    failed_stages = []
    for stage in sorted(results.glob("*.stage")):
        good = stage.read_text(encoding="utf-8").strip() == "ok"
        report = stage.with_suffix(".xml")
        for line in said(report) if report.is_file() else []:
            print(line)
        passed, failed, skipped = outcomes(report) if report.is_file() else (int(good), 0, 0)
        if not good:
            failed_stages.append(stage.stem)
            failed = max(failed, 1)
        total_passed += passed
        total_failed += failed
        total_skipped += skipped
    if total_skipped:
        print(f"{total_skipped} skipped")
    if failed_stages:
        print("failed stages: " + " ".join(failed_stages))
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    sys.exit(main())
