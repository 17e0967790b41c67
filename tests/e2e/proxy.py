"""pgsleuth as a process of a test: started, watched, stopped, its report read, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Protocol

import yaml

import schemas
from server import Target, end_with_parent, free_port

# Both are safe; libyaml's is faster by far.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
START_S = 30
STOP_S = 60
POLL_S = 0.02
EVENTUALLY_S = 60
# What the sanitizers of gcc and clang print, at the beginning of their reports.
SANITIZER = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread|Memory)Sanitizer|runtime error:")
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "",
    "LSAN_OPTIONS": "",
}


RUNNING: set[Proxy] = set()  # for the watchdog of the tests


def binary() -> Path:
    named = os.environ.get("PGSLEUTH_BIN", "")
    path = Path(named) if named else Path(__file__).resolve().parents[2] / "build/asan/pgsleuth"
    assert os.access(path, os.X_OK), f"no pgsleuth at {path}; set PGSLEUTH_BIN"
    return path.resolve()


def clean_environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Nothing of the caller's but what the sanitizers are told; theirs come last and win."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    for name, ours in SANITIZER_OPTIONS.items():
        environment[name] = ":".join(part for part in (ours, os.environ.get(name, "")) if part)
    return {**environment, **(extra or {})}


def sanitizer_files(pid: int) -> list[Path]:
    """Reports that log_path of the environment sent to files."""
    found = []
    for name in SANITIZER_OPTIONS:
        for part in os.environ.get(name, "").split(":"):
            if part.startswith("log_path="):
                found.append(Path(f"{part[len('log_path=') :]}.{pid}"))
    return [path for path in found if path.is_file() and path.stat().st_size > 0]


def run_command(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A pgsleuth that ends by itself."""
    done = subprocess.run(
        [str(binary()), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=STOP_S,
        env=clean_environment(env),
        cwd=cwd,
    )
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str
    report: dict[str, Any]
    report_dir: Path
    endpoints: dict[str, dict[str, Any]]  # their reports, by the path in the aggregate report

    def endpoint(self, name: str) -> dict[str, Any]:
        """The report of one endpoint, by its name in the aggregate report."""
        rows = [row for row in self.report["endpoints"] if row["name"] == name]
        assert len(rows) == 1, [row["name"] for row in self.report["endpoints"]]
        return self.endpoints[rows[0]["report"]]

    def rules(self, name: str) -> set[str]:
        """The rules that found something on one endpoint."""
        return rules_of(self.endpoint(name))

    def issues(self) -> list[dict[str, Any]]:
        return issues_of(self.report)


def read_yaml(path: Path) -> dict[str, Any]:
    """A report, which is as the published schema says."""
    with path.open(encoding="utf-8") as file:
        loaded = yaml.load(file, Loader=LOADER)  # noqa: S506 # a safe one
    assert isinstance(loaded, dict), path
    schemas.check(loaded)
    return loaded


def issues_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [issue for severity in report["issues"].values() for issue in severity]


def rules_of(report: dict[str, Any]) -> set[str]:
    return {issue["rule"] for issue in issues_of(report)}


def essence_of(issue: dict[str, Any]) -> tuple[Any, ...]:
    """What a finding says beside times, bytes (drivers ask for text or binary) and names of the endpoint.

    Nor in how many requests it was seen: the first may be over before the grammar has told of its statements.
    """
    evidence = issue["evidence"]
    statements = [(sql["role"], sql["text"], sql["calls"], sql["rows"]) for sql in evidence["sql"]]
    counts = tuple(evidence["occurrences"].values())
    lineage = tuple((evidence["lineage"] or {}).values())
    return issue["rule"], issue["confidence_basis"], counts, lineage, *statements


class Proxy:
    """`pgsleuth run`. Options by their name on the command line, `_` for `-`; True is a bare option."""

    def __init__(
        self, folder: Path, behind: Target, *, env: dict[str, str] | None = None, **options: Any
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.target = behind.at("127.0.0.1", self.port)
        self.report_dir = folder / "report"
        self.env = env
        # Plans are for the tests that ask for them.
        given = {"no_explain_enabled": True, **options}
        if given.get("explain_enabled"):
            del given["no_explain_enabled"]
        given.setdefault("listen", f"127.0.0.1:{self.port}")
        given.setdefault("upstream", behind.url())
        given.setdefault("report_dir", str(self.report_dir))
        self.listen = str(given["listen"])
        self.arguments = ["run"]
        for name, value in given.items():
            word = "--" + name.replace("_", "-")
            self.arguments += [word] if value is True else [f"{word}={value}"]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8", errors="replace")

    def report_now(self) -> dict[str, Any]:
        """The report as it is now."""
        report = self.report_dir / "report.yaml"
        before = report.stat().st_mtime_ns if report.is_file() else 0
        self.send(signal.SIGUSR1)
        until = time.monotonic() + 30
        while not report.is_file() or report.stat().st_mtime_ns == before:
            assert time.monotonic() < until, "no report within 30 s of SIGUSR1"
            time.sleep(0.02)
        return read_yaml(report)

    def launch(self) -> None:
        """Start without waiting for anything."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                [str(binary()), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=clean_environment(self.env),
                cwd=self.folder,
                preexec_fn=end_with_parent(signal.SIGKILL),  # one call of libc
            )
        RUNNING.add(self)

    def start(self) -> Proxy:
        self.launch()
        assert self.process is not None
        until = time.monotonic() + START_S
        while run_command("health", f"--listen={self.listen}").returncode != 0:
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < until, f"not healthy after {START_S} s: {self.stderr}"
            time.sleep(POLL_S)
        return self

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def helpers(self) -> list[int]:
        """The process ids of living parser helpers."""
        return [child for child in children_of(self.pid) if is_helper(child)]

    def rss_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def wait(self, expect: int = 0, limit_s: float = STOP_S) -> Outcome:
        """Until it ends by itself or by the signal it was sent."""
        assert self.process is not None
        helpers = self.helpers()
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {limit_s} s: {self.stderr}") from None
        RUNNING.discard(self)
        assert not SANITIZER.search(self.stderr), self.stderr
        for path in sanitizer_files(self.pid):
            raise AssertionError(path.read_text(encoding="utf-8", errors="replace"))
        assert code == expect, f"exit code {code}, not {expect}: {self.stderr}"
        self._no_helper_left(helpers)
        report = self.report_dir / "report.yaml"
        endpoints = self.report_dir.glob("endpoints/*.yaml")
        return Outcome(
            code=code,
            stdout=self.stdout,
            stderr=self.stderr,
            report=read_yaml(report) if report.is_file() else {},
            report_dir=self.report_dir,
            endpoints={f"endpoints/{path.name}": read_yaml(path) for path in endpoints},
        )

    def _no_helper_left(self, helpers: list[int]) -> None:
        until = time.monotonic() + STOP_S
        for pid in helpers:
            while is_helper(pid):
                assert time.monotonic() < until, f"parser helper {pid} outlives its parent"
                time.sleep(POLL_S)

    def stop(self, number: int = signal.SIGTERM, expect: int = 0, limit_s: float = STOP_S) -> Outcome:
        assert self.process is not None
        assert self.process.poll() is None, f"it ended by itself: {self.stderr}"
        self.process.send_signal(number)
        return self.wait(expect, limit_s)

    def kill(self) -> None:
        """For clean-up only."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_S)
        RUNNING.discard(self)


def eventually(what: str, condition: Callable[[], Any]) -> None:
    until = time.monotonic() + EVENTUALLY_S
    while not condition():
        assert time.monotonic() < until, f"not within {EVENTUALLY_S} s: {what}"
        time.sleep(POLL_S)


class StartProxy(Protocol):
    """The fixture `pgsleuth`."""

    def __call__(
        self, behind: Target | None = None, *, env: dict[str, str] | None = None, **options: Any
    ) -> Proxy: ...


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # The name, in parentheses, may hold anything; the parent is the second word behind it.
            words = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(words[1]) == pid:
                found.append(int(entry.name))
    return found


def is_helper(pid: int) -> bool:
    """Running, and no other process that got the number. What has ended and waits for its parent is gone."""
    try:
        return b"parser-helper" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
