"""What the benchmarks share: a program beside its CPU clock, and where all this ran."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from server import Target, end_with_parent  # noqa: E402

READY_S = 60


def cpu_us(pid: int) -> float:
    """User and system time of all threads, ended ones too: utime and stime, but exact to the nanosecond."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1000


class Program:
    """A proxy: its process and where it listens."""

    def __init__(
        self, name: str, command: list[str], target: Target, folder: Path, user: dict[str, Any]
    ) -> None:
        self.name = name
        self.target = target
        self.log = folder / f"{name}.out"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder)},
                preexec_fn=end_with_parent(signal.SIGKILL),
                **user,
            )

    def wait_ready(self) -> None:
        until = time.monotonic() + READY_S
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((self.target.host, self.target.port), 5),
            ):
                return
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{self.name} did not start:\n{self.log.read_text('utf-8', 'replace')}")
            time.sleep(0.05)

    def helper_pids(self) -> list[int]:
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(word) for word in (task / "children").read_text("ascii").split()]
        return found

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(READY_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def figure(output: str, pattern: str, missing: float | None = None) -> float:
    """What the pattern's group says; `missing`, or the end of it all, where nothing does."""
    found = re.search(pattern, output)
    if found is None and missing is not None:
        return missing
    if found is None:
        sys.exit(f"it printed no {pattern}:\n{output}")
    return float(found.group(1))


def first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return (done.stdout or done.stderr).splitlines()[0]


def surroundings() -> dict[str, Any]:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "cpu": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "pgsleuth": first_line(os.environ["PGSLEUTH_BIN"], "version"),
    }
