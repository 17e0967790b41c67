"""The running pgsleuth of a test session."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

HOST = "127.0.0.1"
READY_S = 30
STOP_S = 60
_TRIES = 5  # another process may take a free port before pgsleuth does
_CANNOT_HAVE = 2  # its exit code when what it was given cannot be had, such as the port
_PR_SET_PDEATHSIG = 1
_LONGEST_FOLDER = 70
# pgsleuth refuses variables of its prefix that it does not know.
_OURS = ("PGSLEUTH_BIN", "PGSLEUTH_VENV", "PGSLEUTH_ADMIN_URL", "PGSLEUTH_LONG", "PGSLEUTH_TEST_DSN")
_NOT_ITS = ("PGSLEUTH_LISTEN", "PGSLEUTH_UPSTREAM", "PGSLEUTH_MARKS", "PGSLEUTH_REPORT_DIR", "DATABASE_URL")


class CannotRunError(Exception):
    """With the reason, on one line."""


def find_binary(named: str) -> str:
    """The option, then the variable PGSLEUTH_BIN, then PATH."""
    for source, name in (("--pgsleuth-bin", named), ("PGSLEUTH_BIN", os.environ.get("PGSLEUTH_BIN", ""))):
        if name:
            path = shutil.which(os.path.expanduser(name))
            if path is None:
                raise CannotRunError(f"{source} is {name}, which is not a program")
            return os.path.abspath(path)
    path = shutil.which("pgsleuth")
    if path is None:
        raise CannotRunError("no program pgsleuth: give --pgsleuth-bin or PGSLEUTH_BIN, or put it on PATH")
    return os.path.abspath(path)


def _short_folder() -> str | None:
    """The path of a Unix socket is limited; not everybody's temporary folder is."""
    return None if len(tempfile.gettempdir()) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108 # one of its own in it


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> Callable[[], Any] | None:
    """Where the kernel can: pgsleuth writes its report and ends when this process dies, however it dies."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Pgsleuth:
    """Started by ``start``; ``stop`` may be called at any time, and again."""

    def __init__(self, binary: str, upstream: str, report_dir: Path) -> None:
        self._binary = binary
        self._upstream = upstream
        self.report_dir = report_dir
        self.port = 0
        self._folder = Path(tempfile.mkdtemp(prefix="pgsleuth-pytest-", dir=_short_folder()))
        self.marks = str(self._folder / "marks")
        self._process: subprocess.Popen[bytes] | None = None
        self.code: int | None = None

    def start(self) -> None:
        for _ in range(_TRIES):
            self.port = _free_port()
            self._launch()
            if self._is_ready():
                return
            if self.code != _CANNOT_HAVE or "cannot listen" not in self.complaint():
                break
        reason = self.complaint()
        code = self.code
        self.stop()
        raise CannotRunError(f"pgsleuth did not start (exit code {code}): {reason}")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in (*_OURS, *_NOT_ITS)}
        # Plans of tables with a handful of rows tell nothing; whoever wants them says so.
        kept.setdefault("PGSLEUTH_EXPLAIN_ENABLED", "false")
        return kept

    def _launch(self) -> None:
        self.code = None
        with (self._folder / "stdout").open("wb") as out, (self._folder / "stderr").open("wb") as err:
            self._process = subprocess.Popen(  # noqa: S603 # the user's own program
                [
                    *(self._binary, "run", f"--listen={HOST}:{self.port}", f"--upstream={self._upstream}"),
                    *(f"--report-dir={self.report_dir}", f"--marks={self.marks}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._environment(),
                start_new_session=True,  # a Ctrl-C is for pytest, which then ends pgsleuth in good order
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 # one call of libc; no thread runs yet
            )

    def _is_ready(self) -> bool:
        assert self._process is not None  # noqa: S101 # it was launched
        until = time.monotonic() + READY_S
        ask = [self._binary, "health", f"--listen={HOST}:{self.port}"]
        while time.monotonic() < until:
            self.code = self._process.poll()
            if self.code is not None:
                return False
            done = subprocess.run(  # noqa: S603 # the user's own program
                ask, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=self._environment()
            )
            if done.returncode == 0:
                return True
            time.sleep(0.05)
        return False

    def complaint(self) -> str:
        """The last line that it logged."""
        lines = self._read("stderr").strip().splitlines()
        return re.sub(r"^pgsleuth: (error: )?", "", lines[-1]) if lines else "it did not say why"

    @property
    def summary(self) -> str:
        return self._read("stdout")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _read(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def write_report(self, wait_s: float = READY_S) -> None:
        """Have it write its report now."""
        path = self.report_dir / "report.yaml"
        before = _identity(path)
        if self._process is None or not self.is_running:
            raise CannotRunError("pgsleuth does not run any more")
        self._process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + wait_s
        while _identity(path) == before:
            if time.monotonic() > until or not self.is_running:
                raise CannotRunError(f"no report was written: {self.complaint()}")
            time.sleep(0.02)

    def end(self) -> None:
        """Until its last report is written."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_S)
        self.code = self._process.returncode

    def stop(self) -> None:
        self.end()
        shutil.rmtree(self._folder, ignore_errors=True)


def _identity(path: Path) -> tuple[int, int]:
    """Reports come in by a rename: another file each time."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)
