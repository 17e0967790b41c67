"""What the suites are run with: an environment of pinned packages, and the sources of the tests."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
VENV = BUILD / "suites-venv"
SOURCES = BUILD / "suites-sources"
PINS = HERE / "requirements.txt"
INSTALL_S = 900


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=INSTALL_S
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"


def _pip(*arguments: str) -> None:
    pip = (str(VENV / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
    _run(*pip, *arguments)


def python() -> Path:
    """The environment's Python; made anew when the pinned requirements or the Python change."""
    want = hashlib.sha256(f"{sys.version} {sys.base_prefix}".encode() + PINS.read_bytes()).hexdigest()
    stamp = VENV / ".stamp"
    if not stamp.is_file() or stamp.read_text("ascii") != want:
        shutil.rmtree(VENV, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(VENV))
        _pip("install", "-r", str(PINS))
        stamp.write_text(want, "ascii")
    return VENV / "bin/python"


def pinned(package: str) -> str:
    """NAME==VERSION, as the requirements have it; by NAME-binary where that is what they install."""
    for line in PINS.read_text("utf-8").splitlines():
        name, _, version = line.partition("==")
        if name.lower() in (package.lower(), f"{package.lower()}-binary"):
            return f"{package}=={version}"
    raise AssertionError(f"{package} is not in {PINS}")


def _unpack(archive: Path, folder: Path) -> None:
    """Into `folder`, without the one folder that everything in a source distribution is in."""
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(beside, filter="data")
        else:
            tar.extractall(beside)  # noqa: S202 # a pinned release of a package that is run anyway
    (only,) = beside.iterdir()
    only.rename(folder)
    beside.rmdir()


def source(package: str, requirement: str) -> Path:
    """The unpacked source distribution of `package`. pip builds nothing: it only asks for its metadata."""
    folder = SOURCES / requirement
    if not folder.is_dir():
        archives = SOURCES / f"{requirement}.sdist"
        python()
        # Only this package from source: what builds its metadata may come as wheels.
        _pip("download", "--no-deps", "--no-binary", package, "--dest", str(archives), requirement)
        (archive,) = archives.glob("*.tar.gz")
        _unpack(archive, folder)
    return folder
