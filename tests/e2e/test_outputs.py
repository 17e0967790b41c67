"""Documents besides report.yaml: `-o FILE`, in the format of its ending."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psycopg
import pytest

from proxy import StartProxy, read_yaml, run_command
from server import Server

CAPTURE = Path(__file__).parents[1] / "data" / "captures" / "sqlalchemy-psycopg3-orm.capture"


def report(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command("report", str(CAPTURE), f"--report-dir={folder / 'report'}", *arguments)


def test_each_file_is_written_in_the_format_of_its_ending(tmp_path: Path) -> None:
    files = [f"-o{tmp_path / name}" for name in ("a.json", "deep/b.yaml", "c.yml", "d.txt")]
    done = report(tmp_path, *files, "-o", f"json:{tmp_path / 'e.whatever'}")
    assert done.returncode == 0, done.stderr
    whole = read_yaml(tmp_path / "report" / "report.yaml")
    assert json.loads((tmp_path / "a.json").read_text()) == whole
    assert json.loads((tmp_path / "e.whatever").read_text()) == whole
    assert read_yaml(tmp_path / "deep" / "b.yaml") == whole == read_yaml(tmp_path / "c.yml")
    assert (tmp_path / "d.txt").read_text() == done.stdout.rpartition("\nreport: ")[0]
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.json",
        "deep",
        "c.yml",
        "d.txt",
        "e.whatever",
        "report",
    }


def test_standard_output_takes_a_document_instead_of_the_summary(tmp_path: Path) -> None:
    done = report(tmp_path, "-o", "json:-")
    assert json.loads(done.stdout) == read_yaml(tmp_path / "report" / "report.yaml")


@pytest.mark.parametrize("output", ["report", "a.xls", ".json", "json:"])
def test_output_without_a_format_is_refused_with_2(output: str, tmp_path: Path) -> None:
    done = report(tmp_path, f"--output={output}")
    assert done.returncode == 2
    assert "--output: " in done.stderr
    assert "yaml, json" in done.stderr
    assert not (tmp_path / "report").exists()


def test_output_that_cannot_be_written_is_refused_with_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = report(tmp_path, f"--output={tmp_path / 'file' / 'a.json'}")
    assert done.returncode == 2
    assert f"cannot write {tmp_path / 'file'}" in done.stderr


def test_run_writes_outputs_at_its_end(server: Server, pgsleuth: StartProxy, tmp_path: Path) -> None:
    proxy = pgsleuth(server.app, output=f"{tmp_path / 'a.json'},{tmp_path / 'b.txt'}", report_interval_s="0")
    with psycopg.connect(**proxy.target.libpq()) as connection:
        connection.execute("SELECT name FROM people LIMIT 1")
    outcome = proxy.stop()
    assert json.loads((tmp_path / "a.json").read_text()) == outcome.report
    assert "SELECT" not in (tmp_path / "b.txt").read_text().partition("\n")[0]


def test_run_refuses_an_output_without_a_format(server: Server, tmp_path: Path) -> None:
    done = run_command(
        "run", "--upstream", server.app.url(), f"--report-dir={tmp_path / 'report'}", "-o", "x.xls"
    )
    assert done.returncode == 2
    assert "--output: x.xls" in done.stderr
