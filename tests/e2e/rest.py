"""What a pgsleuth needs while nobody uses it, and that it comes back to that."""

from __future__ import annotations

import os
import time
from pathlib import Path

from proxy import Proxy, eventually

IDLE_CPU_S = 0.3  # of a second; a busy loop takes all of it
MEMORY_BYTES = 64 << 20
# The freed memory that the sanitizer keeps back would hide what is not freed.
SANITIZER = {"ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:quarantine_size_mb=4"}


def descriptors(proxy: Proxy) -> int:
    return len(list(Path(f"/proc/{proxy.pid}/fd").iterdir()))


def cpu_s(proxy: Proxy) -> float:
    stat = Path(f"/proc/{proxy.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def is_quiet(proxy: Proxy) -> bool:
    """It sleeps, but for a moment."""
    before = cpu_s(proxy)
    time.sleep(1)
    return cpu_s(proxy) - before < IDLE_CPU_S


class Rest:
    """Taken when the process is warm and without sessions."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.fds = descriptors(proxy)
        self.rss_bytes = proxy.rss_bytes()

    def is_back(self) -> bool:
        return descriptors(self.proxy) <= self.fds

    def check(self) -> None:
        eventually("descriptors are closed", self.is_back)
        eventually("it sleeps", lambda: is_quiet(self.proxy))
        more = self.proxy.rss_bytes() - self.rss_bytes
        assert more < MEMORY_BYTES, f"{more >> 20} MiB more than at first"
