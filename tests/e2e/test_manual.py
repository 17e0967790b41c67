"""What the program says of itself: one table of options behind the manual, completion and --help."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from proxy import binary, run_command

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHELLS = ("bash", "zsh", "fish")


def options_of(command: str) -> set[str]:
    """As --help lists them."""
    listed = re.findall(r"^  (?:-\w, )?--([a-z0-9-]+)", run_command(command, "--help").stdout, re.MULTILINE)
    return set(listed) - {"help"}


def commands() -> list[str]:
    text = run_command("--help").stdout.partition("commands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([a-z]+)", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "words"), [("pgsleuth.1", ["man"]), ("options.md", ["man", "options"])])
def test_page_in_docs_is_what_the_program_prints(name: str, words: list[str]) -> None:
    done = run_command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    said = f"make it anew: pgsleuth {' '.join(words)} >docs/{name}"
    assert (DOCS / name).read_text("utf-8") == done.stdout, said


def test_manual_is_one_that_man_can_set() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(DOCS / "pgsleuth.1")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub("\x1b\\[[0-9;]*m|.\b", "", done.stdout)
    assert all(re.search(rf"^ +{re.escape(command)}\b", text, re.MULTILINE) for command in commands())


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_every_command_and_every_option(shell: str) -> None:
    done = run_command("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    for command in commands():
        assert re.search(rf"\b{command}\b", done.stdout)
    for option in options_of("run") | options_of("check") | options_of("top"):
        dashes = "-l " if shell == "fish" else "--"
        assert re.search(rf"{dashes}{option}\b", done.stdout), option


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pgsleuth c", {"check", "config", "completion"}),
        ("pgsleuth check --fa", {"--fail-on"}),
        ("pgsleuth check --fail-on c", {"critical"}),
        ("pgsleuth config s", {"show"}),
        ("pgsleuth run --no-e", {"--no-explain-enabled"}),
    ],
)
def test_bash_completes(words: str, expected: set[str]) -> None:
    script = (
        f'source <("$0" completion bash); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); '
        'complete -p pgsleuth >/dev/null && _pgsleuth; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-euc", script, str(binary())], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize(
    "words", [["completion"], ["completion", "csh"], ["completion", "bash", "zsh"], ["man", "x"]]
)
def test_wrong_word_is_refused_with_what_it_should_be(words: list[str]) -> None:
    done = run_command(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "it is pgsleuth" in done.stderr


def test_config_shows_what_is_in_force_without_passwords(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("workers: 3\nlog:\n  level: debug\n", "utf-8")
    done = run_command(
        *("config", "show", "--config=a.yaml", "--ring-bytes=1MiB"),
        cwd=tmp_path,
        env={"DATABASE_URL": "postgresql://u:hunter2@h/d", "PGSLEUTH_UNIT_GAP_MS": "5"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = yaml.safe_load(done.stdout)
    assert (shown["workers"], shown["log"]["level"], shown["unit"]["gap_ms"]) == (3, "debug", "5ms")
    assert shown["upstream"] == "postgresql://u:***@h/d"
    assert "hunter2" not in done.stdout
    assert re.search(r"^workers: 3  # a.yaml:1$", done.stdout, re.MULTILINE)
    (tmp_path / "b.yaml").write_text(done.stdout, "utf-8")
    assert run_command("config", "check", "--config=b.yaml", cwd=tmp_path).returncode == 0


def test_config_check_tells_what_is_wrong_and_where(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("workers: many\n", "utf-8")
    done = run_command("config", "check", "--config=a.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "a.yaml:1:10: workers" in done.stderr
    assert run_command("config", "shwo").returncode == 2


@pytest.mark.parametrize("framework", ["fastapi", "django", "flask"])
@pytest.mark.parametrize("how", ["given", "found"])
def test_init_writes_a_file_and_prints_lines_that_are_python(
    tmp_path: Path, framework: str, how: str
) -> None:
    if how == "found":
        dependencies = f'[project]\ndependencies = ["{framework.title()}>=1", "psycopg"]\n'
        (tmp_path / "pyproject.toml").write_text(dependencies, "utf-8")
    words = [f"--framework={framework}"] if how == "given" else []
    done = run_command("init", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    compile(done.stdout, "printed", "exec")
    assert f"pgsleuth_tags.{framework}" in done.stdout
    assert run_command("config", "check", "--config=pgsleuth.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "pgsleuth.yaml").write_text("workers: 2\n", "utf-8")
    assert "stays as it is" in run_command("init", *words, cwd=tmp_path).stderr
    assert (tmp_path / "pgsleuth.yaml").read_text("utf-8") == "workers: 2\n"


def test_init_that_finds_nothing_asks(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("nodjango\nflasks\n", "utf-8")
    done = run_command("init", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert list(tmp_path.iterdir()) == [tmp_path / "requirements.txt"]
