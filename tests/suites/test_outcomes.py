"""The comparison finds what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes import Outcome, counts, differences, read_outcomes

PASSED, FAILED, SKIPPED = (Outcome(word, "f.py", "") for word in ("passed", "failed", "skipped"))


def test_read_outcomes_of_a_test_with_two_records_keeps_the_worse(tmp_path: Path) -> None:
    written = tmp_path / "junit.xml"
    written.write_text(
        '<testsuite><testcase classname="a.B" name="c" file="a.py"/>'
        '<testcase classname="a.B" name="c" file="a.py"><error message="teardown">why</error></testcase>'
        '<testcase classname="a.B" name="d" file="a.py"><skipped message="old"/></testcase></testsuite>',
        "utf-8",
    )
    found = read_outcomes(written, tmp_path)
    assert found == {
        "a.B::c": Outcome("error", "a.py", "teardown\nwhy"),
        "a.B::d": Outcome("skipped", "a.py", "old\n"),
    }
    assert counts(found) == {"passed": 0, "skipped": 1, "failed": 0, "error": 1}


def test_read_outcomes_of_a_test_from_elsewhere_tells_the_file_of_its_class(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.py").touch()
    written = tmp_path / "junit.xml"
    written.write_text(
        '<testsuite><testcase classname="a.b.C" name="d" file="../x.py"/></testsuite>', "utf-8"
    )
    assert read_outcomes(written, tmp_path)["a.b.C::d"].file == "a/b.py"


@pytest.mark.parametrize(
    ("direct", "through", "worse"),
    [
        (PASSED, FAILED, True),
        (PASSED, SKIPPED, True),
        (SKIPPED, FAILED, True),
        (PASSED, None, True),
        (None, PASSED, True),
        (FAILED, PASSED, False),
    ],
)
def test_differences_where_one_side_differs_tell_which_is_worse(
    direct: Outcome | None, through: Outcome | None, worse: bool
) -> None:
    found = differences({"t": direct} if direct else {}, {"t": through} if through else {})
    assert [one.worse for one in found.values()] == [worse]


def test_differences_of_equal_outcomes_are_none() -> None:
    assert differences({"t": FAILED}, {"t": FAILED}) == {}
