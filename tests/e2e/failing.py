"""A pgsleuth whose allocations fail where a test says so: the other side of failing_malloc.c."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from proxy import binary, clean_environment

SIDE_BYTES = 2048
HEAD = struct.Struct("<QQQQQQ")
PROGRAM, HELPER = 0, 1
EVERYBODYS, NOT_LIBCRYPTOS, LIBCRYPTOS = 0, 1, 2


class Memory:
    """What the library shares with us: arm it, let the program work, look what became of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(2 * SIDE_BYTES))
        with path.open("r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 2 * SIDE_BYTES)

    def environment(self, *, of_libraries: bool = False) -> dict[str, str]:
        """For the process. Libraries that are let down leak, and some crash, which is not ours to count: then
        what a sanitizer says goes to stderr alone, and leaks are not looked for."""
        library = binary().parent / "tests" / "libfailing_malloc.so"
        assert library.is_file(), f"no {library}; build the tests"
        ours = "detect_leaks=0" if of_libraries else clean_environment()["ASAN_OPTIONS"]
        return {
            "LD_PRELOAD": str(library),
            "FAILING_MALLOC": str(self.path),
            "ASAN_OPTIONS": ours + ":verify_asan_link_order=0",
        }

    def arm(self, first: int, count: int = 1, side: int = PROGRAM, whose: int = EVERYBODYS) -> None:
        """From now on: allocation number `first` fails, and `count` in all; 0: they are only counted."""
        at = side * SIDE_BYTES
        self.shared[at : at + SIDE_BYTES] = HEAD.pack(0, first, count, whose, 0, 0).ljust(SIDE_BYTES, b"\0")
        self.shared[at : at + 8] = (1).to_bytes(8, "little")

    def disarm(self) -> None:
        for side in (PROGRAM, HELPER):
            self.shared[side * SIDE_BYTES : side * SIDE_BYTES + 8] = bytes(8)

    def seen(self, side: int = PROGRAM) -> int:
        return int(HEAD.unpack_from(self.shared, side * SIDE_BYTES)[4])

    def failed(self, side: int = PROGRAM) -> int:
        return int(HEAD.unpack_from(self.shared, side * SIDE_BYTES)[5])

    def place(self, side: int = PROGRAM) -> str:
        """Who asked for the first allocation that failed: object+offset, then its callers."""
        at = side * SIDE_BYTES + HEAD.size
        return self.shared[at : (side + 1) * SIDE_BYTES].partition(b"\0")[0].decode()
