"""The package as it is installed: its wheel, alone, under each Python that it is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
SOURCE = PROJECT / "src" / "pgsleuth_tags"
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
BUILD_SECONDS = 600


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling")
    if not SOURCE.is_dir():
        pytest.skip("the sources are not here")
    folder = tmp_path_factory.mktemp("wheel")
    # The backend of this environment, pinned there, not one that pip would fetch.
    run(
        sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-q", "-w", folder, PROJECT
    )
    (made,) = folder.glob("*.whl")
    return made


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(next(n for n in archive.namelist() if n.endswith("METADATA"))).decode()
    assert wheel.name.endswith("-py3-none-any.whl")
    assert names == {f"pgsleuth_tags/{path.name}" for path in SOURCE.iterdir() if path.is_file()}
    assert "pgsleuth_tags/py.typed" in names
    assert "Requires-Python: >=3.9" in metadata
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert [line for line in needed if "extra ==" not in line] == []


def find_python(version):
    """Return an interpreter of the version that runs, or None: pyenv has commands for what is not chosen."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [*sorted(root.glob(f"versions/{version}.*/bin/python")), shutil.which(f"python{version}")]
    for path in filter(None, found):
        asked = subprocess.run(
            [str(path), "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.stdout.strip() == version:
            return path
    return None


@pytest.mark.skipif(not os.environ.get("PGSLEUTH_LONG"), reason="long: set PGSLEUTH_LONG")
@pytest.mark.parametrize("version", VERSIONS)
def test_wheel_passes_the_tests_under_each_python(wheel, tmp_path, version):
    python = find_python(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    run(python, "-m", "venv", tmp_path / "venv")
    inside = tmp_path / "venv" / "bin" / "python"
    # Alone first: it has no dependencies.
    run(inside, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)
    where = run(
        inside, "-I", "-c", "import pgsleuth_tags.marks, pgsleuth_tags.manifest as m; print(m.__file__)"
    )
    assert "site-packages" in where
    run(inside, "-m", "pip", "install", "-q", "-r", HERE / "wheel-requirements.txt")
    # A copy: beside the sources pytest would import those.
    shutil.copytree(HERE, tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if name != "PGSLEUTH_LONG"}
    told = run(
        inside, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", "tests", cwd=tmp_path, env=environment
    )
    print(f"Python {version}: {told.strip().splitlines()[-1]}")
