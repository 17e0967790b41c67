"""The command line: exit codes, one line for each failure, and how a run begins and ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable

import psycopg
import pytest

import wire
from proxy import STOP_S, Proxy, StartProxy, binary, clean_environment, read_yaml, run_command
from server import Server, free_port

COMMANDS = ("run", "report", "health")


def refused(code: int, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """The one line of a pgsleuth that does not start; nothing on stdout."""
    done = run_command(*arguments, env=env, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if ": info: " not in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("pgsleuth: error: ")
    return lines[0].removeprefix("pgsleuth: error: ") if hasattr(str, "removeprefix") else lines[0][17:]


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Callable[..., str]:
    """Try to run in front of the server with these options; what it says when it does not."""

    def run(code: int, *options: str, upstream: str | None = None, env: dict[str, str] | None = None) -> str:
        words = [f"--upstream={upstream or server.app.url()}", f"--report-dir={tmp_path / 'report'}"]
        if not any(option.startswith("--listen") for option in options):
            words.append(f"--listen=127.0.0.1:{free_port()}")
        return refused(code, "run", *words, *options, env=env, cwd=tmp_path)

    return run


# --- what is wrong before anything starts: 2 ---


def test_run_without_upstream_says_what_to_give() -> None:
    said = refused(2, "run")
    assert "--upstream" in said
    assert "DATABASE_URL" in said


def test_no_command_prints_the_help_and_fails() -> None:
    done = run_command()
    assert (done.returncode, done.stderr) == (2, "")
    assert "usage: pgsleuth" in done.stdout


@pytest.mark.parametrize("command", ["rum", "", "--upstream"])
def test_unknown_command_is_named(command: str) -> None:
    assert f'no command "{command}"' in refused(2, command)


def test_unknown_option_has_a_suggestion() -> None:
    assert refused(2, "run", "--upstraem=x") == "--upstraem: unknown option; did you mean --upstream?"


def test_option_of_another_command_is_refused() -> None:
    refused(2, "health", "--workers=2")


@pytest.mark.parametrize(
    "option", ["--workers=0", "--workers=65", "--workers=two", "--report-interval-s=-1s", "--log-level=loud"]
)
def test_value_out_of_range_is_refused_with_its_name(option: str) -> None:
    assert refused(2, "run", option).startswith(option.split("=", maxsplit=1)[0])


def test_missing_value_is_refused() -> None:
    assert "needs a value" in refused(2, "run", "--workers")


def test_unexpected_argument_is_refused() -> None:
    assert "extra" in refused(2, "run", "extra")


def test_unknown_key_of_the_file_is_told_with_its_place_and_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "pgsleuth.yaml").write_text(
        "log:\n  level: info\nreport:\n  intervall_s: 5s\n", encoding="utf-8"
    )
    said = refused(2, "run", "--config=pgsleuth.yaml", cwd=tmp_path)
    assert said.startswith("pgsleuth.yaml:4:3: ")
    assert "did you mean" in said
    assert "interval_s" in said


@pytest.mark.parametrize("text", ["workers: [1\n", "workers: 1\nworkers: 2\n", "workers: &a 1\n", "- 1\n"])
def test_file_that_is_no_plain_mapping_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    assert re.match(r"c\.yaml:\d+:\d+: ", refused(2, "run", "--config=c.yaml", cwd=tmp_path))


def test_missing_file_is_told(tmp_path: Path) -> None:
    assert "nowhere.yaml" in refused(2, "run", "--config=nowhere.yaml", cwd=tmp_path)


def test_unknown_variable_is_refused_with_a_suggestion() -> None:
    said = refused(2, "run", env={"PGSLEUTH_UPSTREM": "postgresql://u:secret-word@h/d"})
    assert "did you mean PGSLEUTH_UPSTREAM?" in said
    assert "secret-word" not in said


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:0", "127.0.0.1:70000", ""])
def test_address_to_listen_on_that_is_none_is_refused(start: Callable[..., str], listen: str) -> None:
    assert start(2, f"--listen={listen}")


# --- what was given and cannot be had: 2 too ---


def test_port_in_use_is_refused(start: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port}" in start(2, f"--listen=127.0.0.1:{port}")


def test_second_pgsleuth_on_the_same_port_is_refused(start: Callable[..., str], pgsleuth: StartProxy) -> None:
    """SO_REUSEPORT would let it take half of the connections."""
    proxy = pgsleuth()
    start(2, f"--listen={proxy.listen}")
    with psycopg.connect(**proxy.target.libpq()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_unix_socket_in_use_is_refused(
    start: Callable[..., str], pgsleuth: StartProxy, server: Server
) -> None:
    path = server.folder / "taken.sock"
    proxy = pgsleuth(listen=str(path))
    start(2, f"--listen={path}")
    assert path.is_socket()
    proxy.stop()


def test_unix_socket_of_a_dead_pgsleuth_is_taken_over(pgsleuth: StartProxy, server: Server) -> None:
    path = server.folder / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    pgsleuth(listen=str(path)).stop()
    assert not path.exists()


def test_report_folder_that_is_a_file_is_refused(start: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    said = start(2, f"--report-dir={tmp_path / 'taken'}")
    assert str(tmp_path / "taken") in said
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_capture_in_a_folder_that_is_not_there_is_refused(start: Callable[..., str], tmp_path: Path) -> None:
    assert "capture" in start(2, f"--capture={tmp_path / 'nowhere' / 'capture'}")


# --- the upstream: 3 ---


def test_upstream_that_is_down_is_refused_with_3(start: Callable[..., str]) -> None:
    port = free_port()
    said = start(3, upstream=f"postgresql://u:secret-word@127.0.0.1:{port}/d")
    assert f"127.0.0.1:{port}" in said
    assert "secret-word" not in said


def test_upstream_that_does_not_answer_is_refused_with_3_in_time(start: Callable[..., str]) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # Nobody accepts and the queue is full: a further connection hangs.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        start(3, "--connect-timeout-ms=300ms", upstream=f"postgresql://u:p@127.0.0.1:{port}/d")
        for one in waiting:
            one.close()


@pytest.mark.parametrize("url", ["mysql://h/d", "not a url"])
def test_upstream_that_is_no_url_is_refused_with_2(start: Callable[..., str], url: str) -> None:
    start(2, upstream=url)


def test_upstream_whose_name_is_unknown_is_refused_with_3(start: Callable[..., str]) -> None:
    assert "no-such-host.invalid" in start(3, upstream="postgresql://no-such-host.invalid/d")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_upstream_that_is_its_own_listener_is_refused_with_3(start: Callable[..., str], host: str) -> None:
    port = free_port()
    said = start(3, f"--listen=127.0.0.1:{port}", upstream=f"postgresql://u:p@{host}:{port}/d")
    assert "own listener" in said


@pytest.mark.parametrize("own", [False, True])
def test_wrong_password_for_plans_is_refused_with_3_and_not_shown(
    start: Callable[..., str], server: Server, own: bool
) -> None:
    wrong = server.app.url().replace(server.app.password, "wrong-secret-word")
    said = start(3, f"--explain-dsn={wrong}") if own else start(3, upstream=wrong)
    assert "password authentication failed" in said
    assert "wrong-secret-word" not in said
    assert "--no-explain-enabled" in said


# --- captures: 2 and 4 ---


@pytest.fixture(scope="module")
def capture(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("capture")
    proxy = Proxy(folder / "run", server.app, capture=str(folder / "capture"))
    try:
        proxy.start()
        with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
            for n in range(50):
                connection.execute(f"SELECT name AS c{n} FROM people LIMIT 2".encode())
        proxy.stop()
    finally:
        proxy.kill()
    return folder / "capture"


def test_capture_is_reported(capture: Path, tmp_path: Path) -> None:
    done = run_command("report", str(capture), f"--report-dir={tmp_path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"report: {tmp_path}/report.yaml\n")
    assert read_yaml(tmp_path / "report.yaml")["run"]["sessions"] == 1


def test_report_without_capture_is_refused_with_2() -> None:
    refused(2, "report")


def test_report_that_cannot_be_written_is_refused_with_2(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    done = run_command("report", str(capture), f"--report-dir={tmp_path / 'taken'}")
    assert done.returncode == 2


@pytest.mark.parametrize(
    "content", [None, b"", b"PGSLEUTH", b"not a capture" * 100, b"\x7fELF" + bytes(4096)]
)
def test_capture_that_is_none_is_refused_with_2(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "capture"
    if content is not None:
        path.write_bytes(content)
    said = refused(2, "report", str(path), f"--report-dir={tmp_path / 'report'}")
    assert str(path) in said
    assert not (tmp_path / "report").exists()


def test_folder_for_a_capture_is_refused_with_2(tmp_path: Path) -> None:
    refused(2, "report", str(tmp_path), f"--report-dir={tmp_path / 'report'}")


def test_damaged_capture_is_refused_with_2_or_read(capture: Path, tmp_path: Path) -> None:
    """Whatever byte is wrong, it is refused or it is harmless; under the sanitizers."""
    whole = capture.read_bytes()
    path = tmp_path / "capture"
    refusals = 0
    for n in range(40):
        at = len(whole) * n // 40
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        done = run_command("report", str(path), f"--report-dir={tmp_path / 'report'}")
        assert done.returncode in (0, 2, 4), done.stderr
        refusals += done.returncode == 2
    assert refusals > 0


def test_cut_capture_is_read_to_its_last_whole_record(capture: Path, tmp_path: Path) -> None:
    whole = capture.read_bytes()
    path = tmp_path / "capture"
    path.write_bytes(whole[: len(whole) * 3 // 4 + 1])
    done = run_command("report", str(path), f"--report-dir={tmp_path / 'report'}")
    assert done.returncode == 0, done.stderr
    assert "in the middle of a record" in done.stderr
    assert 0 < read_yaml(tmp_path / "report" / "report.yaml")["run"]["statements"] < 50


def test_capture_without_traffic_says_so_with_4(pgsleuth: StartProxy, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    pgsleuth(capture=str(path)).stop()
    assert run_command("report", str(path), f"--report-dir={tmp_path / 'report'}").returncode == 4


# --- version, help, health ---


def test_version_is_one_line() -> None:
    for word in ("version", "--version"):
        done = run_command(word)
        assert done.returncode == 0
        assert re.fullmatch(r"pgsleuth \d+\.\d+\.\d+\n", done.stdout)


def test_help_lists_commands_and_exit_codes() -> None:
    for word in ("help", "--help", "-h"):
        done = run_command(word)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(f"\n  {command} " in done.stdout for command in COMMANDS)
        assert all(re.search(rf"\n +{code}  ", done.stdout) for code in (0, 1, 2, 3, 4, 5, 130, 143))
        assert "parser-helper" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_lists_its_options(command: str) -> None:
    done = run_command(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: pgsleuth {command}" in done.stdout
    assert ("--upstream" in done.stdout) == (command == "run")


def test_health_of_nobody_is_3() -> None:
    assert "no pgsleuth answers" in refused(3, "health", f"--listen=127.0.0.1:{free_port()}")


# --- how a run begins and ends ---


def test_options_come_from_file_environment_and_command_line_in_this_order(
    pgsleuth: StartProxy, tmp_path: Path, server: Server
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"report:\n  dir: {tmp_path / 'file'}\n  interval_s: 0\ncapture: {tmp_path / 'cap-file'}\n", "utf-8"
    )
    env = {"PGSLEUTH_REPORT_DIR": str(tmp_path / "env"), "PGSLEUTH_CAPTURE": str(tmp_path / "cap-env")}
    pgsleuth(server.app, config=str(config), env=env, report_dir=str(tmp_path / "line")).stop()
    assert (tmp_path / "line" / "report.yaml").is_file()
    assert (tmp_path / "cap-env").is_file()
    assert not any((tmp_path / name).exists() for name in ("file", "env", "cap-file"))


def test_upstream_comes_from_database_url(server: Server, tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [str(binary()), "run", f"--listen=127.0.0.1:{port}", f"--report-dir={tmp_path / 'report'}"],
        env=clean_environment({"DATABASE_URL": server.app.url()}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while process.poll() is None and run_command("health", f"--listen=127.0.0.1:{port}").returncode != 0:
            time.sleep(0.02)
        with psycopg.connect(**server.app.at("127.0.0.1", port).libpq()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=STOP_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert server.app.password not in said


def test_password_is_on_no_line_of_the_log(server: Server, pgsleuth: StartProxy) -> None:
    outcome = pgsleuth(server.app, log_level="debug", explain_enabled=True).stop()
    assert server.app.password not in outcome.stderr + outcome.stdout
    assert f"127.0.0.1:{server.app.port}" in outcome.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_at_once_it_ends_with_a_report_or_has_not_begun(
    server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    """At any moment of the start: before the handlers are there the signal itself ends it."""
    for n in range(12):
        proxy = Proxy(tmp_path / str(n), server.app)
        proxy.launch()
        try:
            time.sleep(n * 0.01)
            proxy.send(number)
            assert proxy.process is not None
            code = proxy.process.wait(STOP_S)
            assert code in (0, -number), proxy.stderr
            assert (proxy.report_dir / "report.yaml").is_file() == (code == 0)
            assert "Sanitizer" not in proxy.stderr
        finally:
            proxy.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 3])
def test_stopped_during_traffic_it_ends_with_a_report_and_0(
    server: Server, pgsleuth: StartProxy, number: signal.Signals, workers: int
) -> None:
    proxy = pgsleuth(server.app, workers=workers)
    answers = [0] * 6

    def client(n: int) -> None:
        try:
            with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
                while True:
                    connection.execute("SELECT name FROM people LIMIT 5").fetchall()
                    answers[n] += 1
        except psycopg.OperationalError:
            return  # the end, as expected

    threads = [threading.Thread(target=client, args=(n,)) for n in range(len(answers))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 30
    while min(answers) < 50 and time.monotonic() < until:
        time.sleep(0.01)
    outcome = proxy.stop(number)
    for thread in threads:
        thread.join()
    assert outcome.report["run"]["sessions"] == len(threads)
    # On a machine with too much to do the auditor may not keep up; what it drops it counts.
    seen = outcome.report["run"]["statements"] + outcome.report["coverage"]["dropped_records"]
    assert seen >= sum(answers)
    assert outcome.report["coverage"]["opaque_sessions"] == 0


def test_report_that_cannot_be_written_at_the_end_is_5(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app, report_interval_s="0")
    shutil.rmtree(proxy.report_dir)
    proxy.report_dir.write_text("in the way", encoding="utf-8")
    proxy.send(signal.SIGTERM)
    outcome_code = proxy.process.wait(STOP_S) if proxy.process else None
    assert outcome_code == 5
    assert "cannot write" in proxy.stderr


def test_closed_stdout_is_no_reason_to_fail(server: Server, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    port = free_port()
    process = subprocess.Popen(
        [
            *(str(binary()), "run", f"--listen=127.0.0.1:{port}", f"--upstream={server.app.url()}"),
            *(f"--report-dir={tmp_path / 'report'}", "--no-explain-enabled"),
        ],
        env=clean_environment(),
        stdout=writer,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        while process.poll() is None and run_command("health", f"--listen=127.0.0.1:{port}").returncode != 0:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "report" / "report.yaml").is_file()


def test_sessions_that_never_say_anything_do_not_hold_up_the_end(
    server: Server, pgsleuth: StartProxy
) -> None:
    proxy = pgsleuth(server.app)
    silent = [wire.connect(proxy.target) for _ in range(10)]
    silent[0].sendall(b"\0")
    proxy.stop()
    for peer in silent:
        peer.close()
