"""Lengths of files and functions; names of files come on standard input.

Functions stay within 80 lines (in C from brace to brace), files within 800. Files over 300 lines are counted
and not refused. How deep a C function nests is clang-tidy's to judge.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from sources import files_from_stdin, read

FUNCTION_MAX = 80
FILE_MAX = 800
FILE_AIM = 300


def c_functions(text: str) -> Iterator[tuple[int, int]]:
    """(first line, lines) of each body. clang-format puts the braces of functions, and only these, alone in
    the first column."""
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield start, number - start + 1
            start = 0


def python_functions(text: str) -> Iterator[tuple[int, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1


def functions(path: str, text: str) -> Iterator[tuple[int, int]]:
    if path.endswith((".c", ".h")):
        return c_functions(text)
    if path.endswith(".py"):
        return python_functions(text)
    return iter(())


def main() -> int:
    long_files = faults = 0
    # Names without a dot are scripts: dev and its like.
    paths = [p for p in files_from_stdin("") if Path(p).suffix in (".c", ".h", ".py", ".sh", "")]
    for path in paths:
        text = read(path)
        lines = text.count("\n")
        long_files += lines > FILE_AIM
        if lines > FILE_MAX:
            faults += 1
            print(f"{path}: {lines} lines, at most {FILE_MAX}")
        for start, length in functions(path, text):
            if length > FUNCTION_MAX:
                faults += 1
                print(f"{path}:{start}: function of {length} lines, at most {FUNCTION_MAX}")
    print(f"{len(paths)} files, {long_files} over {FILE_AIM} lines, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
