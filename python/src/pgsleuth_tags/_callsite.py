"""The line of the application that is about to send a statement, found on the stack."""

from __future__ import annotations

import asyncio.base_events
import asyncio.events
import asyncio.runners
import os
import site
import sys
import sysconfig
from types import FrameType
from typing import Any, NamedTuple

_PACKAGE_DIR = os.path.dirname(os.path.abspath(__file__)) + os.sep
# Handle._run under asyncio's own loop, the others under uvloop, which has no frames.
_EVENT_LOOP = frozenset({asyncio.events.__file__, asyncio.base_events.__file__, asyncio.runners.__file__})
# Where a coroutine waits for a thread that does its work.
_BRIDGE = os.sep + os.path.join("asgiref", "sync.py")
_LIBRARY_PARTS = frozenset({"site-packages", "dist-packages"})
_SKIP = ""
_STOP = "\0"
_MAX_FRAMES = 400
_MAX_FILES = 4096
# Before Python 3.12 a comprehension has a frame of its own, whose name tells nobody anything.
_INNER = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


class CallSite(NamedTuple):
    """Where a statement was sent from. ``file`` is relative to the root where it lies below it."""

    file: str
    function: str
    line: int


def _library_dirs() -> tuple[str, ...]:
    found: set[str | None] = {
        sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
    found.update(getattr(site, "getsitepackages", list)())
    found.add(site.getusersitepackages() if hasattr(site, "getusersitepackages") else None)
    found.add(os.path.dirname(os.__file__))
    paths = {os.path.abspath(path) for path in found if path}
    paths |= {os.path.realpath(path) for path in paths}
    return tuple(sorted(path + os.sep for path in paths))


class Locator:
    """Finds call sites. One walk costs a dictionary look-up a frame; the decision about a file is made once.

    The cache is keyed by file name and not by code object: code objects compare equal across files.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        base = os.getcwd() if root is None else os.path.abspath(root)
        self._root = os.path.join(base, "")
        self._libraries = tuple(path for path in _library_dirs() if not self._root.startswith(path))
        self._verdicts: dict[str, str] = {}

    def find(self) -> CallSite | None:
        """Return the nearest frame that belongs to the application, or None."""
        found = self._walk(sys._getframe())
        return found if found is not None else self._walk_greenlets()

    def _walk_greenlets(self) -> CallSite | None:
        # SQLAlchemy's asyncio layer runs the driver in a greenlet; the coroutine that awaits it is suspended
        # in the parent. Looked up, not imported: without greenlet loaded there is no such parent.
        module = sys.modules.get("greenlet")
        if module is None:
            return None
        current = module.getcurrent().parent
        while current is not None:
            found = self._walk(current.gr_frame)
            if found is not None:
                return found
            current = current.parent
        return None

    def find_awaiting(self, task: Any) -> CallSite | None:
        """Return the innermost frame of the application that ``task`` is suspended in, or None.

        For drivers that run in a thread on behalf of a coroutine (Django's asynchronous ORM): the thread's
        own stack holds no application. A task that does not wait for a thread of asgiref's, and whose frames
        could thus have moved on, tells nothing.
        """
        found = None
        frame: FrameType | None = None
        waiting = task.get_coro()
        for _ in range(_MAX_FRAMES):
            inner = getattr(waiting, "cr_frame", None)
            if inner is None:
                break
            frame = inner
            found = self._site(inner) or found
            waiting = waiting.cr_await
        return found if frame is not None and frame.f_code.co_filename.endswith(_BRIDGE) else None

    def _walk(self, frame: FrameType | None) -> CallSite | None:
        # The costly part of a tag: nearly every frame is a library's, so that comes first.
        verdict_of = self._verdicts.get
        for _ in range(_MAX_FRAMES):
            if frame is None:
                return None
            verdict = verdict_of(frame.f_code.co_filename)
            if verdict is None:
                verdict = self._judge(frame.f_code.co_filename)
            if verdict:
                return None if verdict is _STOP else _call_site(frame, verdict)
            frame = frame.f_back
        return None

    def _site(self, frame: FrameType) -> CallSite | None:
        filename = frame.f_code.co_filename
        verdict = self._verdicts.get(filename)
        if verdict is None:
            verdict = self._judge(filename)
        return None if verdict in (_SKIP, _STOP) else _call_site(frame, verdict)

    def _judge(self, filename: str) -> str:
        verdict = self._decide(filename)
        if len(self._verdicts) >= _MAX_FILES:
            self._verdicts.clear()
        self._verdicts[filename] = verdict
        return verdict

    def _decide(self, filename: str) -> str:
        if filename in _EVENT_LOOP:
            return _STOP  # what is below is the line that started the loop: the same for every statement
        if filename.startswith("<"):
            return _SKIP
        shown = self.shown(filename)
        library = os.path.abspath(filename).startswith((_PACKAGE_DIR, *self._libraries))
        return _SKIP if library or not _LIBRARY_PARTS.isdisjoint(shown.split("/")) else shown

    def shown(self, filename: str) -> str:
        """Return ``filename`` as it is told: relative to the root where it lies below it."""
        path = os.path.abspath(filename)
        inside = path.startswith(self._root)
        return (path[len(self._root) :] if inside else path).replace(os.sep, "/")


def _call_site(frame: FrameType, file: str) -> CallSite:
    return CallSite(file, _function(frame), frame.f_lineno or frame.f_code.co_firstlineno)


def _function(frame: FrameType) -> str:
    outer: FrameType | None = frame
    while outer is not None and outer.f_code.co_name in _INNER:
        outer = outer.f_back
    if outer is None or outer.f_code.co_filename != frame.f_code.co_filename:
        return frame.f_code.co_name
    return outer.f_code.co_name
