"""The checks find what they are for. Each test makes a small tree and runs the check in it like lint.sh."""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
LAYERS = ["common", "wire", "http", "detectors", "facts", "advisor", "report", "config", "proxy"]


def run(script, root, files, *arguments):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run(
        [sys.executable, HERE / script, *arguments],
        cwd=root,
        input="\n".join(files),
        capture_output=True,
        text=True,
        check=False,
    )


def archive(root, layer, text):
    """A static library as the build leaves it."""
    source = root / f"{layer}.c"
    source.write_text(text)
    subprocess.run(["gcc", "-c", source, "-o", source.with_suffix(".o")], check=True)
    subprocess.run(["ar", "rc", root / f"libpgsleuth_{layer}.a", source.with_suffix(".o")], check=True)


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    for layer in LAYERS:
        archive(folder, layer, f"int {layer}_x;\n")
    return folder


@pytest.fixture
def build(tmp_path, archives):
    return shutil.copytree(archives, tmp_path / "build")


@pytest.mark.parametrize(
    ("path", "include"),
    [
        ("wire/a.c", '"wire/b.h"'),
        ("wire/a.c", "<xxhash.h>"),
        ("detectors/rules/a.c", '"wire/b.h"'),
        ("detectors/facts/a.c", "<pg_query.h>"),
        ("detectors/advisor/a.c", "<libpq-fe.h>"),
        ("report/a.c", '"detectors/b.h"'),
        ("report/a.c", "<time.h>"),
        ("proxy/a.c", '"detectors/facts/b.h"'),
        ("proxy/cli/a.c", "<libpq-fe.h>"),
    ],
)
def test_arrows_an_allowed_include_passes(tmp_path, build, path, include):
    done = run("arrows.py", tmp_path, {path: f"#include {include}\n"}, build)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "include"),
    [
        ("common/a.h", '"wire/b.h"'),
        ("wire/a.c", '"detectors/b.h"'),
        ("wire/a.c", "<event2/event.h>"),
        ("wire/a.c", "<sys/socket.h>"),
        ("wire/a.c", '"common/clock.h"'),
        ("wire/a.c", '"b.h"'),
        ("wire/a.c", "<wire/b.h>"),
        ("wire/a.c", '"wire/b.c"'),
        ("detectors/a.c", '"report/b.h"'),
        ("detectors/a.c", '"detectors/advisor/b.h"'),
        ("detectors/rules/a.c", "<libpq-fe.h>"),
        ("detectors/facts/a.c", '"detectors/statement.h"'),
        ("detectors/facts/a.c", "<libpq-fe.h>"),
        ("report/a.c", '"config/b.h"'),
        ("report/a.c", "<openssl/ssl.h>"),
        ("config/a.c", '"wire/b.h"'),
        ("config/a.c", "<jansson.h>"),
        ("proxy/a.c", "<libpq-fe.h>"),
        ("proxy/a.c", "<pg_query.h>"),
    ],
)
def test_arrows_a_forbidden_include_fails(tmp_path, build, path, include):
    done = run("arrows.py", tmp_path, {path: f"/* */\n#include {include}\n"}, build)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{path}:2: ")


@pytest.mark.parametrize(
    "symbol", ["printf", "stdout", "time", "send", "event_new", "SSL_read", "PQexec", "log_line"]
)
@pytest.mark.parametrize("layer", ["wire", "detectors", "report", "config"])
def test_arrows_a_forbidden_symbol_fails(tmp_path, build, layer, symbol):
    archive(build, layer, f"extern int {symbol}x; extern char {symbol}[]; char *y = {symbol};\n")
    done = run("arrows.py", tmp_path, {}, build)
    assert done.returncode == 1
    assert f"({symbol})" in done.stdout


def test_arrows_a_symbol_of_a_higher_layer_fails(tmp_path, build):
    archive(build, "wire", "extern int report_x; int *y = &report_x;\n")
    done = run("arrows.py", tmp_path, {}, build)
    assert done.returncode == 1
    assert "wire may not use report (report_x)" in done.stdout


def test_arrows_a_missing_archive_fails(tmp_path, build):
    (build / "libpgsleuth_wire.a").unlink()
    assert run("arrows.py", tmp_path, {}, build).returncode == 1


@pytest.mark.parametrize(("lines", "status"), [(78, 0), (79, 1)])
def test_lengths_a_c_function_over_80_lines_fails(tmp_path, lines, status):
    text = "int f(void)\n{\n" + "    g();\n" * lines + "}\n"
    assert run("lengths.py", tmp_path, {"a.c": text}).returncode == status


@pytest.mark.parametrize(("lines", "status"), [(79, 0), (80, 1)])
def test_lengths_a_python_function_over_80_lines_fails(tmp_path, lines, status):
    text = "def f():\n" + "    g()\n" * lines
    assert run("lengths.py", tmp_path, {"a.py": text}).returncode == status


@pytest.mark.parametrize(("lines", "status"), [(800, 0), (801, 1)])
def test_lengths_a_file_over_800_lines_fails(tmp_path, lines, status):
    assert run("lengths.py", tmp_path, {"a.h": "\n" * lines}).returncode == status


def embed(folder, script, style="a{}"):
    (folder / "a.js").write_text(script)
    (folder / "a.css").write_text(style)
    options = ["-DSCRIPT=a.js", "-DSTYLE=a.css", "-DOUT=out.c", "-P", HERE.parents[1] / "cmake/Embed.cmake"]
    return subprocess.run(["cmake", *options], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["", "a", 'b("\\n;[$]{}\\\\")', "c" * 1000])
def test_embedded_script_has_its_bytes_and_their_hash(tmp_path, script):
    assert embed(tmp_path, script).returncode == 0
    made = (tmp_path / "out.c").read_text()
    hash_ = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f'html_script_hash[] = "{hash_}";' in made
    assert f"html_script_len = {len(script)};" in made
    digits = re.findall(r"0x(..)", made.partition("html_script_len")[0])
    assert bytes.fromhex("".join(digits)) == script.encode()


@pytest.mark.parametrize("text", ["a</script>", "a</SCRIPT b", "a<!-- b", "a</style>"])
def test_embedded_text_that_would_end_its_element_is_refused(tmp_path, text):
    assert embed(tmp_path, text).returncode != 0
    assert embed(tmp_path, "", text).returncode != 0


def test_summary_counts_tests_stages_and_broken_stages(tmp_path):
    cases = (
        '<testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><skipped/></testcase>'
    )
    files = {
        "lint.stage": "ok\n",
        "unit.stage": "failed\n",
        "unit.xml": f"<testsuites><testsuite>{cases}</testsuite></testsuites>",
        "e2e.stage": "failed\n",
        "e2e.xml": '<testsuite><testcase name="a"/></testsuite>',
    }
    done = run("summary.py", tmp_path, files, tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "3 passed, 2 failed"


def test_summary_prints_what_tests_say_for_it(tmp_path):
    test = """
def test_a(record_property):
    for line in ("rule   right", "n_plus_one  160"):
        record_property("summary", line)
    record_property("other", "not this")
"""
    (tmp_path / "test_a.py").write_text(test)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--junitxml=e2e.xml",
        "test_a.py",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    done = run("summary.py", tmp_path, {"e2e.stage": "ok\n", "lint.stage": "ok\n"}, tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["rule   right", "n_plus_one  160", "2 passed, 0 failed"]
