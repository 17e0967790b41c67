"""`run -- COMMAND`: the command finds pgsleuth by its environment, its failure wins, then findings count.

And what follows such a run: `check`, baselines, `diff`, `merge`.
"""

from __future__ import annotations

import datetime
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from proxy import (
    SANITIZER,
    STOP_S,
    StartProxy,
    binary,
    clean_environment,
    eventually,
    issues_of,
    read_yaml,
    run_command,
)
from server import Server, Target, free_port

HERE = Path(__file__).resolve().parent
TAGS = HERE.parents[1] / "python/src"
PSQL = 'psql -qtc "select name from people where id = 1" >/dev/null'


def run(folder: Path, target: Target | None, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`pgsleuth run WORDS` in a folder, with DATABASE_URL and no plans."""
    given = {"DATABASE_URL": target.url()} if target else {}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return run_command("run", "--no-explain-enabled", *words, env={"PATH": path, **given, **env}, cwd=folder)


def libpq_variables(target: Target) -> dict[str, str]:
    return {"PGUSER": target.user, "PGPASSWORD": target.password, "PGDATABASE": target.database}


# --- the environment and the exit code ---


def test_command_finds_pgsleuth_by_url_and_by_variables(server: Server, tmp_path: Path) -> None:
    script = f'echo "$DATABASE_URL $PGHOST $PGPORT"; {PSQL}'
    url = server.app.url("postgresql+asyncpg", query="application_name=shop&statement_cache_size=0")
    done = run(tmp_path, None, "--", "sh", "-c", script, DATABASE_URL=url, **libpq_variables(server.app))
    assert done.returncode == 0, done.stderr
    host, port = done.stdout.split()[1:3]
    assert host == "127.0.0.1"
    assert int(port) != server.app.port
    assert done.stdout.split()[0] == url.replace(f":{server.app.port}/", f":{port}/")
    assert read_yaml(tmp_path / "pgsleuth-report/report.yaml")["run"]["statements"] == 1


def test_upstream_may_be_libpqs_variables_alone(server: Server, tmp_path: Path) -> None:
    names = {**libpq_variables(server.app), "PGHOST": server.app.host, "PGPORT": str(server.app.port)}
    done = run(tmp_path, None, "--", "sh", "-c", PSQL, **names)
    assert done.returncode == 0, done.stderr
    assert read_yaml(tmp_path / "pgsleuth-report/report.yaml")["run"]["statements"] == 1


def test_url_that_asks_for_tls_works_without_a_certificate(server: Server, tmp_path: Path) -> None:
    """The upstream's leg is encrypted as it says; on this machine the command goes without."""
    url = server.app.url(query="sslmode=prefer")
    script = 'psql "$DATABASE_URL" -qtc "select name from people" >/dev/null && echo "$DATABASE_URL"'
    done = run(
        tmp_path,
        None,
        f"--upstream={url}",
        *("--", "sh", "-c", script),
        DATABASE_URL=url.replace("prefer", "require"),
    )
    assert done.returncode == 0, done.stderr
    assert "sslmode=disable" in done.stdout


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 7", 7), ("kill -TERM $$", 143), (f"{PSQL}; exit 3", 3), (PSQL, 0), ("true", 4)],
)
def test_failure_of_the_command_is_the_exit_code(
    server: Server, tmp_path: Path, script: str, code: int
) -> None:
    done = run(tmp_path, server.app, "--", "sh", "-c", script, **libpq_variables(server.app))
    assert done.returncode == code, done.stderr
    assert (tmp_path / "pgsleuth-report/report.yaml").is_file()
    assert server.app.password not in done.stdout + done.stderr


def test_nothing_seen_is_told_and_is_no_verdict_where_none_is_wanted(server: Server, tmp_path: Path) -> None:
    done = run(tmp_path, server.app, "--", "true")
    assert "Too little to judge: no statement of the application was seen, 0 connections" in done.stdout
    assert "too little to judge" in done.stderr
    assert run(tmp_path, server.app, "--fail-on=never", "--", "true").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "/no/such/program"], "cannot run /no/such/program: No such file or directory"),
        (["pytest"], "a command stands behind --"),
        (["--listen=/tmp/pgsleuth-no.sock", "--", "true"], "--listen to be host:port"),
        (["--budget=5", "--", "true"], "ENDPOINT=NUMBER"),
        (["--baseline=nowhere.yaml", "--", "true"], "cannot read nowhere.yaml"),
    ],
)
def test_command_that_cannot_be_run_or_judged_is_refused(
    server: Server, tmp_path: Path, words: list[str], said: str
) -> None:
    done = run(tmp_path, server.app, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "pgsleuth-report/report.yaml").exists()


def test_url_of_another_database_is_left_and_named(server: Server, tmp_path: Path) -> None:
    done = run(
        tmp_path,
        None,
        f"--upstream={server.app.url()}",
        "--fail-on=never",
        *("--", "sh", "-c", 'echo "$DATABASE_URL"'),
        DATABASE_URL="sqlite:///x",
    )
    assert done.stdout.startswith("sqlite:///x\n")
    assert "DATABASE_URL holds no URL of PostgreSQL" in done.stderr


# --- signals ---


class Started:
    """A run with a command, in a terminal of its own or without one."""

    def __init__(self, folder: Path, target: Target, script: str, *options: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [str(binary()), "run", "--no-explain-enabled", *options, "--", "sh", "-c", script],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            env=clean_environment({"DATABASE_URL": target.url()}),
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # it becomes the controlling one
        )
        os.close(slave)

    def ended(self) -> int:
        try:
            _, said = self.process.communicate(timeout=STOP_S)
            assert not SANITIZER.search(said.decode())
            return self.process.returncode
        finally:
            self.process.kill()
            os.close(self.master)


COUNT = "n=0; trap 'n=$((n+1)); echo $n >counted' {signal}; trap 'exit $((40+n))' USR2; echo >ready; " + (
    "while :; do sleep 0.02; done"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signal_is_passed_on_and_the_report_follows(
    server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    started = Started(tmp_path, server.app, COUNT.format(signal=number.name[3:]))
    eventually("the command runs", (tmp_path / "ready").exists)
    started.process.send_signal(number)
    eventually("it got the signal", (tmp_path / "counted").exists)
    started.process.send_signal(signal.SIGUSR2)
    assert started.ended() == 41
    assert (tmp_path / "pgsleuth-report/report.yaml").is_file()


def test_interrupt_of_the_terminal_reaches_the_command_once(server: Server, tmp_path: Path) -> None:
    """The terminal sends it to both; were it passed on too, pytest would take it for a second Ctrl-C."""
    started = Started(tmp_path, server.app, COUNT.format(signal="INT"))
    eventually("the command runs", (tmp_path / "ready").exists)
    os.write(started.master, b"\x03")
    eventually("it got the signal", (tmp_path / "counted").exists)
    started.process.send_signal(signal.SIGUSR2)  # passed on in order: behind what else there was
    assert started.ended() == 41


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_second_signal_leaves_at_once(
    server: Server, pgsleuth: StartProxy, number: signal.Signals, code: int
) -> None:
    proxy = pgsleuth(server.app, report_interval_s="0")
    with psycopg.connect(**proxy.target.libpq()) as connection:
        connection.execute("SELECT 1 FROM people")
        eventually("the parser runs", proxy.helpers)
        for helper in proxy.helpers():
            os.kill(helper, signal.SIGSTOP)  # so that the end has something to wait for
        connection.execute("SELECT 2, name FROM people")
    proxy.send(number)
    eventually("it says what a second one does", lambda: "interrupt once more" in proxy.stderr)
    proxy.send(number)
    assert proxy.process is not None
    assert proxy.process.wait(STOP_S) == code
    assert not (proxy.report_dir / "report.yaml").exists()


# --- a URL alone ---


def test_url_alone_runs_in_front_of_it_and_prints_the_line_to_export(server: Server, tmp_path: Path) -> None:
    port = free_port()
    url = server.app.url("postgresql+psycopg")
    for terminal in (False, True):
        master, slave = pty.openpty()
        with (tmp_path / "out").open("wb") as out:
            process = subprocess.Popen(
                [str(binary()), url, f"--listen=127.0.0.1:{port}", f"--report-dir={tmp_path}/{terminal}"],
                stdout=slave if terminal else out,
                stderr=subprocess.DEVNULL,
                env=clean_environment(),
            )
        os.close(slave)
        try:
            eventually("up", lambda: run_command("health", f"--listen=127.0.0.1:{port}").returncode == 0)
            said = os.read(master, 4096).decode() if terminal else (tmp_path / "out").read_text("utf-8")
            secret = server.app.password if terminal else "***"
            line = f"export DATABASE_URL='postgresql+psycopg://app:{secret}@127.0.0.1:{port}/"
            assert said.startswith(line), said
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_S) == 0
        finally:
            process.kill()
            process.wait()
            os.close(master)


# --- a project's own tests ---


@dataclass(frozen=True)
class Shop:
    """The Django project's tests behind pgsleuth, before and after the cure."""

    folder: Path
    before: subprocess.CompletedProcess[str]
    after: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def shop(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop") / "project"
    shutil.copytree(HERE / "django_shop", folder, ignore=shutil.ignore_patterns("__pycache__"))
    words = ("--", "pytest", "-q")
    before = run(folder, server.admin, "--report-dir=before", "--capture=before.capture", *words,
                 PYTHONPATH=str(TAGS))  # fmt: skip
    after = run(folder, server.admin, "--report-dir=after", "--capture=after.capture", *words,
                PYTHONPATH=str(TAGS), SHOP_FIXED="1")  # fmt: skip
    return Shop(folder, before, after)


def test_pytest_of_a_django_project_has_a_report_and_the_right_code(shop: Shop) -> None:
    assert "30 passed" in shop.before.stdout, shop.before.stdout + shop.before.stderr
    assert shop.before.returncode == 1
    found = issues_of(read_yaml(shop.folder / "before/report.yaml"))
    nested = [issue for issue in found if issue["rule"] == "n_plus_one"]
    assert [(issue["endpoint"], issue["file"]) for issue in nested] == [("GET /books/", "shop/urls.py")]
    assert "30 passed" in shop.after.stdout
    assert shop.after.returncode == 0, shop.after.stdout
    assert "n_plus_one" not in (shop.folder / "after/report.yaml").read_text("utf-8")


def test_failing_test_wins_over_findings(server: Server, shop: Shop) -> None:
    done = run(shop.folder, server.admin, "--report-dir=failing", "--", "pytest", "-q", "--nonsense")
    assert done.returncode == 4  # pytest's own, for a wrong command line


def test_diff_shows_the_cure_with_promised_and_measured_improvement(shop: Shop) -> None:
    done = run_command("diff", "before", "after", "-o", "diff.json", cwd=shop.folder)
    diff = json.loads((shop.folder / "diff.json").read_text("utf-8"))
    fixed = {entry["rule"]: entry for entry in diff["fixed"]}
    entry = fixed["n_plus_one"]
    assert entry["endpoint"] == "GET /books/"
    assert entry["promised"]["kind"] in ("estimated", "modelled")
    assert entry["promised"]["before_ms"] > entry["promised"]["after_ms"]
    assert entry["measured"]["kind"] == "measured"
    assert entry["measured"]["before_ms"] > entry["measured"]["after_ms"] > 0
    assert entry["measured"]["queries_before"] > 30
    assert entry["measured"]["queries_after"] == 1
    assert re.search(r"promised +[0-9.]+ -> [0-9.]+ ms \([0-9.]+x, \w+\), \d+ -> \d+ statements", done.stdout)
    assert re.search(
        r"measured +[0-9.]+ -> [0-9.]+ ms \([0-9.]+x, measured\), \d+ -> 1 statements", done.stdout
    )
    assert done.returncode == (1 if diff["new"] or diff["worse"] else 0)
    back = run_command("diff", "after.capture", "before/report.yaml", cwd=shop.folder)
    assert back.returncode == 1
    assert "New (" in back.stdout


def test_diff_refuses_what_it_cannot_compare(shop: Shop) -> None:
    assert run_command("diff", "before", cwd=shop.folder).returncode == 2
    done = run_command("diff", "before", "conftest.py", cwd=shop.folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = run_command("diff", "before", "after", "-o", "x.txt", cwd=shop.folder)
    assert done.returncode == 2
    assert "yaml or json alone" in done.stderr


def test_report_is_checked_from_yaml_json_folder_and_capture_alike(shop: Shop) -> None:
    run_command("report", "before.capture", "--report-dir=again", "-o", "again.json", cwd=shop.folder)
    outputs = set()
    for name in ("before", "before/report.yaml", "before.capture", "again.json"):
        done = run_command("check", name, cwd=shop.folder)
        assert done.returncode == 1, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert "shop/urls.py" in outputs.pop()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--fail-on=never"], 0),
        (["--fail-on=low"], 1),
        (["--fail-on=never", "--rule=n_plus*"], 1),
        (["--fail-on=never", "--rule=lost_update"], 0),
        (["--fail-on=never", "--budget=GET /books/=30"], 1),
        (["--fail-on=never", "--budget=GET /books/=500"], 0),
        (["--fail-on=never", "--budget=GET /nobody=5"], 4),
        (["--endpoint=GET /nobody"], 4),
        (["--fail-on=never", "--min-score=100"], 1),
    ],
)
def test_assertions_decide_the_exit_code(shop: Shop, words: list[str], code: int) -> None:
    done = run_command("check", "before", *words, cwd=shop.folder)
    assert done.returncode == code, done.stdout
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith({0: "ok", 1: "FAIL", 4: "too little to judge"}[code])


def test_baseline_makes_known_findings_count_no_more_until_they_expire(server: Server, shop: Shop) -> None:
    folder = shop.folder
    file = folder / ".pgsleuth-baseline.yaml"
    today = datetime.datetime.now(datetime.timezone.utc).date()
    try:
        tomorrow = str(today + datetime.timedelta(days=2))
        words = ("--reason=waits for the catalogue", "--owner=shop", f"--expires={tomorrow}")
        done = run_command("check", "before", f"--write-baseline={file.name}", *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        entries = yaml.safe_load(file.read_text("utf-8"))["findings"]
        assert {entry["owner"] for entry in entries} == {"shop"}
        assert {entry["expires"] for entry in entries} == {tomorrow}
        done = run_command("check", "before", "--fail-on=low", cwd=folder)
        assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stdout
        again = run(folder, server.admin, "--report-dir=again", "--", "pytest", "-q", PYTHONPATH=str(TAGS))
        assert again.returncode == 0, again.stderr
        assert run_command("check", "before", "--baseline=", cwd=folder).returncode == 1
        file.write_text(file.read_text("utf-8").replace(tomorrow, "2020-02-02"), "utf-8")
        done = run_command("check", "before", cwd=folder)
        assert done.returncode == 1
        assert "no longer accepted by the baseline" in done.stdout
        file.write_text("version: 1\nfindings:\n- {fingerprint: 12}\n", "utf-8")
        done = run_command("check", "before", cwd=folder)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "finding 1: " in done.stderr
    finally:
        file.unlink()


def test_merged_captures_are_judged_as_one_run(shop: Shop) -> None:
    done = run_command("merge", "before.capture", "before.capture", "--report-dir=merged", cwd=shop.folder)
    assert done.returncode == 0, done.stderr
    one, both = (read_yaml(shop.folder / name / "report.yaml") for name in ("before", "merged"))

    def requests(report: dict[str, Any]) -> int:
        return sum(row["requests"] for row in report["endpoints"] if row["name"] == "GET /books/")

    assert requests(both) == 2 * requests(one) == 60
    assert both["run"]["sessions"] == 2 * one["run"]["sessions"]
    # What the grammar told of in the first is known to the second at once: whose a statement is may differ.
    whole = [report["run"]["statements"] + report["run"]["driver_statements"] for report in (one, both)]
    assert whole[1] == 2 * whole[0]
    assert run_command("merge", "before.capture", cwd=shop.folder).returncode == 2
    assert run_command("merge", "before.capture", "conftest.py", cwd=shop.folder).returncode == 2


def test_colour_follows_the_terminal_and_the_variables(shop: Shop) -> None:
    def colored(**env: str) -> bool:
        return "\x1b[" in run_command("check", "before", cwd=shop.folder, env=env).stdout

    assert not colored()
    assert colored(FORCE_COLOR="1")
    assert not colored(FORCE_COLOR="1", NO_COLOR="1")
