"""Outcomes of a test suite, test by test, from the JUnit file it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

# Of two records of one test (its call and its teardown) the later word here counts.
WORDS = ("passed", "skipped", "failed", "error")


@dataclass(frozen=True)
class Outcome:
    word: str  # one of WORDS
    file: str  # what the suite has to be given to run this test again
    text: str  # of the failure, or why it was skipped


def _file(case: ElementTree.Element, folder: Path) -> str:
    """What pytest says, or, of a test that a suite took from elsewhere, where the class is."""
    said = case.get("file", "")
    if said.startswith(("/", "<", "..")):
        words = case.get("classname", "").split(".")
        for length in range(len(words), 0, -1):
            path = "/".join(words[:length]) + ".py"
            if (folder / path).is_file():
                return path
    return said


def _outcome(case: ElementTree.Element, folder: Path) -> Outcome:
    file = _file(case, folder)
    for word, tag in (("error", "error"), ("failed", "failure"), ("skipped", "skipped")):
        found = case.find(tag)
        if found is not None:
            return Outcome(word, file, f"{found.get('message', '')}\n{found.text or ''}")
    return Outcome("passed", file, "")


def read_outcomes(path: Path, folder: Path) -> dict[str, Outcome]:
    """By name of the test; `folder` is where the suite was run."""
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(path).iter("testcase"):  # noqa: S314 # written by the suite we ran
        name = f"{case.get('classname')}::{case.get('name')}"
        new = _outcome(case, folder)
        old = found.get(name)
        if old is None or WORDS.index(new.word) > WORDS.index(old.word):
            found[name] = new
    return found


def counts(outcomes: dict[str, Outcome]) -> dict[str, int]:
    words = [outcome.word for outcome in outcomes.values()]
    return {word: words.count(word) for word in WORDS}


@dataclass(frozen=True)
class Difference:
    direct: Outcome | None  # None: this side did not run it
    through: Outcome | None

    @property
    def files(self) -> set[str]:
        return {outcome.file for outcome in (self.direct, self.through) if outcome}

    @property
    def worse(self) -> bool:
        """Through pgsleuth. A test that fails on a direct connection alone is told, and is no fault."""
        if self.direct is None or self.through is None:
            return True
        return WORDS.index(self.through.word) > WORDS.index(self.direct.word)

    def __str__(self) -> str:
        def tell(side: str, outcome: Outcome | None) -> str:
            return f"{side}: {outcome.word} {outcome.text[-3000:]}" if outcome else f"{side}: not run"

        return f"{tell('direct', self.direct)}\n{tell('through', self.through)}"


def differences(direct: dict[str, Outcome], through: dict[str, Outcome]) -> dict[str, Difference]:
    """By name of the test, where one side has another word than the other."""
    found = {}
    for name in sorted({*direct, *through}):
        one, other = direct.get(name), through.get(name)
        if one is None or other is None or one.word != other.word:
            found[name] = Difference(one, other)
    return found
