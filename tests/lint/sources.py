"""What the checks of the C sources share: file lists, #include lines, includes of includes."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def files_from_stdin(*suffixes: str) -> list[str]:
    """The files of the project, as the caller lists them, that end in one of the suffixes."""
    return [name for name in sys.stdin.read().splitlines() if name.endswith(suffixes)]


@cache
def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def includes(path: str) -> list[tuple[int, str, str]]:
    """(line number, '<' or '"', name) of each #include of a file."""
    text = read(path)
    return [(text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in _INCLUDE.finditer(text)]


def closure(path: str, search: tuple[str, ...] = ("", "tests/unit/")) -> list[str]:
    """A file and every file of the project that it includes, at any depth, sorted."""
    seen = {path}
    waiting = [path]
    while waiting:
        here = waiting.pop()
        for _, _, name in includes(here):
            found = next(
                (p + name for p in (*search, f"{Path(here).parent}/") if Path(p + name).is_file()), None
            )
            if found and found not in seen:
                seen.add(found)
                waiting.append(found)
    return sorted(seen)
