"""The line of the application, or of the test, that is about to send a statement."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from types import FrameType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_MAX_FRAMES = 400


def _libraries() -> tuple[str, ...]:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    return tuple(os.path.realpath(place) + os.sep for place in places if place)


class Locator:
    """File names come out relative to ``root`` where they lie below it."""

    def __init__(self, root: str) -> None:
        self._root = os.path.join(os.path.realpath(root), "")
        self._libraries = tuple(place for place in _libraries() if not self._root.startswith(place))
        self._shown: dict[str, str] = {}

    def find(self) -> tuple[str, int] | None:
        """The nearest line that is neither a library's nor ours, or None."""
        found = self._walk(sys._getframe())
        if found is not None:
            return found
        # SQLAlchemy's asyncio layer runs the driver in a greenlet; whoever awaits it is in the parent.
        greenlet: Any = sys.modules.get("greenlet")
        current = greenlet.getcurrent().parent if greenlet is not None else None
        while current is not None:
            found = self._walk(current.gr_frame)
            if found is not None:
                return found
            current = current.parent
        return None

    def _walk(self, frame: FrameType | None) -> tuple[str, int] | None:
        for _ in range(_MAX_FRAMES):
            if frame is None:
                return None
            shown = self._show(frame.f_code.co_filename)
            if shown:
                return shown, frame.f_lineno or frame.f_code.co_firstlineno
            frame = frame.f_back
        return None

    def _show(self, name: str) -> str:
        shown = self._shown.get(name)
        if shown is None:
            shown = self._shown[name] = self._decide(name)
        return shown

    def _decide(self, name: str) -> str:
        """Empty for what is not the application's."""
        path = os.path.realpath(name)
        if name.startswith("<") or path.startswith((_HERE, *self._libraries)):
            return ""
        if any(part in path for part in _PACKAGES):
            return ""
        return path[len(self._root) :] if path.startswith(self._root) else path
