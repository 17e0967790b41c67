from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def test_package_is_clean_under_strict_mypy(tmp_path):
    pytest.importorskip("mypy")
    if not (PROJECT / "pyproject.toml").is_file():
        pytest.skip("the sources are not here")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
