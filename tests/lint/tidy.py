"""clang-tidy over the C files named on standard input: tidy.py BUILD_DIR CACHE_DIR

A file that was clean is not looked at again until it, a header under it, its compile command, the
configuration or clang-tidy changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sources import closure, files_from_stdin


def compile_commands(build: str) -> dict[str, str]:
    entries = json.loads(Path(build, "compile_commands.json").read_text(encoding="utf-8"))
    return {os.path.relpath(entry["file"]): entry["command"] for entry in entries}


def fingerprint(path: str, common: bytes, command: str) -> str:
    digest = hashlib.sha256(common)
    digest.update(command.encode())
    for name in closure(path):
        digest.update(f"\0{name}\0".encode())
        digest.update(Path(name).read_bytes())
    return digest.hexdigest()


def findings(output: str) -> list[str]:
    """The output cut at each finding, so that one in a header is shown once and not for every includer."""
    return re.split(r"(?m)^(?=/\S+:\d+:\d+: (?:error|warning): )", output)


def main() -> int:
    build, cache = sys.argv[1], Path(sys.argv[2])
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    common = version + Path(".clang-tidy").read_bytes()
    commands = compile_commands(build)
    keys = {path: fingerprint(path, common, commands.get(path, "")) for path in files_from_stdin(".c")}
    todo = [path for path, key in keys.items() if not (cache / key).exists()]
    dirty = 0
    shown: set[str] = set()

    def look(path: str) -> tuple[str, subprocess.CompletedProcess[str]]:
        command = ["clang-tidy", "-p", build, "--quiet", path]
        return path, subprocess.run(command, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, done in pool.map(look, todo):
            if done.returncode == 0:
                (cache / keys[path]).touch()
                continue
            dirty += 1
            for finding in findings(done.stdout or done.stderr):
                if finding not in shown:
                    shown.add(finding)
                    print(finding, end="", flush=True)

    # Only what the present tree can ask for is worth keeping.
    for marker in cache.iterdir():
        if marker.name not in keys.values():
            marker.unlink()
    print(f"{len(keys)} files, {len(todo)} looked at, {dirty} with findings")
    return 1 if dirty else 0


if __name__ == "__main__":
    sys.exit(main())
