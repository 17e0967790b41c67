"""Run a command beside a private PostgreSQL: with_server.py COMMAND...

The command finds it by PGSLEUTH_TEST_DSN; its exit code is this program's.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from server import run_server


def main() -> int:
    with contextlib.contextmanager(run_server)() as server:
        environment = {**os.environ, "PGSLEUTH_TEST_DSN": server.admin.url()}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
