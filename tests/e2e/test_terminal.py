"""What a person sees in a terminal, as tmux shows it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from admin import Api
from proxy import Proxy, StartProxy, binary, clean_environment, eventually, run_command
from server import Server, free_port

OPTIONS = {"admin_listen": "127.0.0.1:0", "report_interval_s": "0"}


class Terminal:
    """A tmux server of its own with one pane of 100 columns."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.socket = folder / "tmux"
        self.environment = {**clean_environment(environment), "TERM": "xterm-256color"}
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "PS1='$ ' exec sh")
        self._prompt()

    def _tmux(self, *words: str) -> str:
        return subprocess.run(
            ["tmux", "-S", str(self.socket), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def _prompt(self) -> None:
        """What is typed before it stands there is shown in another order."""
        eventually("a prompt", lambda: self.screen().rstrip().endswith("$"))

    def run(self, *words: str) -> None:
        self._tmux("send-keys", "-l", shlex.join(words))
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        self._tmux("send-keys", key)

    def screen(self, colors: bool = False) -> str:
        return self._tmux("capture-pane", "-p", *(["-e"] if colors else []))

    def shows(self, pattern: str) -> None:
        eventually(pattern, lambda: re.search(pattern, self.screen(), re.MULTILINE))

    def ends_with(self, code: int) -> None:
        self._prompt()
        self._tmux("send-keys", "-l", "echo code=$?")
        self._tmux("send-keys", "Enter")
        self.shows(r"^code=\d+$")
        assert re.search(rf"^code={code}$", self.screen(), re.MULTILINE), self.screen()

    def close(self) -> None:
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path, {})
    try:
        yield made
    finally:
        made.close()


def url_of(proxy: Proxy) -> str:
    """As it is printed at the start."""
    api = Api(proxy)
    return f"http://{api.name}/?token={api.token}"


def ask(proxy: Proxy, times: int) -> None:
    with psycopg.connect(**proxy.target.libpq(), autocommit=True) as connection:
        for _ in range(times):
            connection.execute("SELECT name FROM people /*route='/people'*/")


def test_progress_stands_on_one_line_that_messages_do_not_tear(
    server: Server, terminal: Terminal, tmp_path: Path
) -> None:
    port = free_port()
    words = [f"--listen=127.0.0.1:{port}", f"--upstream={server.app.url()}", f"--report-dir={tmp_path}/r"]
    terminal.run(str(binary()), "run", "--no-explain-enabled", *words)
    terminal.shows(r"^0 statements, 0 endpoints, 0 findings, 0\.00 ms added a round trip, 100 % understood$")
    with psycopg.connect(**server.app.at("127.0.0.1", port).libpq(), autocommit=True) as connection:
        for _ in range(200):
            connection.execute("SELECT name FROM people /*route='/people'*/")
    terminal.shows(r"^200 statements, 1 endpoints, \d+ findings, 0\.\d+ ms added a round trip, 100 % ")
    assert len(re.findall(r"\d+ statements, ", terminal.screen())) == 1
    terminal.press("C-c")
    terminal.shows(r"^report: .*/r/report\.yaml$")
    assert re.search(r"^pgsleuth: info: writing the report", terminal.screen(), re.MULTILINE)
    assert "added a round trip" not in terminal.screen()
    terminal.ends_with(0)


def test_progress_without_a_terminal_is_a_line_of_the_log(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app)
    ask(proxy, 5)
    eventually("a line", lambda: re.search(r"info: 5 statements, \d endpoints, ", proxy.stderr))
    assert "\x1b" not in proxy.stderr


def test_top_draws_endpoints_until_q(pgsleuth: StartProxy, tmp_path: Path) -> None:
    proxy = pgsleuth(**OPTIONS)
    ask(proxy, 7)
    terminal = Terminal(tmp_path, {"PGSLEUTH_ADMIN_URL": url_of(proxy)})
    try:
        terminal.run(str(binary()), "top")
        terminal.shows(r"^/people +7 ")
        assert terminal.screen().startswith("pgsleuth 0.")
        assert "\x1b[1m" in terminal.screen(colors=True)
        ask(proxy, 3)
        terminal.shows(r"^/people +10 ")
        terminal.press("q")
        terminal.ends_with(0)
        assert "/people" not in terminal.screen()  # what was on the screen before is there again
    finally:
        terminal.close()


def test_tail_prints_what_is_called_until_interrupted(pgsleuth: StartProxy, tmp_path: Path) -> None:
    proxy = pgsleuth(**OPTIONS)
    ask(proxy, 7)
    terminal = Terminal(tmp_path, {"PGSLEUTH_ADMIN_URL": url_of(proxy)})
    try:
        terminal.run(str(binary()), "tail")

        def called() -> bool:
            ask(proxy, 1)
            return "/people" in terminal.screen()

        eventually("a statement", called)
        assert re.search(
            r"^ +\d+x +[0-9.]+ ms  /people +select name from people$", terminal.screen(), re.M | re.I
        )
        terminal.press("C-c")
        terminal.ends_with(0)
    finally:
        terminal.close()


def test_top_without_a_terminal_is_printed_once(pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(**OPTIONS)
    ask(proxy, 2)
    done = run_command("top", f"--admin-url={url_of(proxy)}")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^/people +2 ", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("", 2, "it is no http:// URL"),
        ("https://127.0.0.1:1/?token=abc", 2, "it is no http:// URL"),
        ("http://127.0.0.1:1/", 2, "there is no ?token="),
        ("http://127.0.0.1:1/?token=hunter2hunter2hunter2", 3, "no pgsleuth answers there"),
    ],
)
@pytest.mark.parametrize("command", ["top", "tail"])
def test_api_that_is_not_there_is_told_without_the_token(
    command: str, url: str, code: int, said: str
) -> None:
    done = run_command(command, f"--admin-url={url}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert said in done.stderr
    assert "hunter2" not in done.stderr


def test_wrong_token_is_told(pgsleuth: StartProxy) -> None:
    url = url_of(pgsleuth(**OPTIONS))
    done = run_command("top", f"--admin-url={url[:-4]}0000")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "token" in done.stderr
