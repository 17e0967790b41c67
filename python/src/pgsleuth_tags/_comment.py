"""The comment's text and its place in a statement. Knows nothing of frameworks or drivers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

# sqlcommenter URL-encodes values. What is left bare here beyond its unreserved characters decodes to itself,
# so a reader sees no difference; it only keeps percent signs, which format-style drivers take for
# placeholders, out of nearly every comment. Not in the list, so always encoded:
#   '  \      would end the quoted value
#   *         of "/*" and "*/": PostgreSQL nests comments, so both would break the statement
#   %  + , =  have a meaning to sqlcommenter's readers ("+" is a space to some of them)
#   ;  ? $ "  are looked for by drivers and by tools that split scripts
# and every control character, space and non-ASCII byte.
_BARE = "/{}<>:"

# One pair k='v' is enough to know a sqlcommenter comment, at either end of the statement.
_PAIR = r"[\w.%-]+='(?:[^'\\*]|\\.)*'"
_COMMENT = rf"/\*\s*{_PAIR}(?:\s*,\s*[\w.%-]+=(?:'(?:[^'\\*]|\\.)*'|\d+))*\s*\*/"
_LEADING = re.compile(rf"\s*{_COMMENT}")
_TRAILING = re.compile(rf"{_COMMENT}[\s;]*\Z")
_TAIL = " \t\r\n\f;"


def render(pairs: Mapping[str, str]) -> str:
    """Return ``/*k='v',...*/`` with sorted keys, without empty values; ``""`` when nothing is left."""
    inner = body(pairs)
    return f"/*{inner}*/" if inner else ""


def body(pairs: Mapping[str, str]) -> str:
    """Return what stands between the comment's delimiters."""
    return ",".join(
        f"{quote(key, safe='')}='{quote(value, safe=_BARE)}'" for key, value in sorted(pairs.items()) if value
    )


def with_trace(comment: str, traceparent: str) -> str:
    """Return ``comment`` with a ``traceparent`` of the W3C's form, whose name sorts behind all others."""
    if not traceparent:
        return comment
    head = f"{comment[:-2]}," if comment else "/*"
    return f"{head}traceparent='{traceparent}'*/"


def append(sql: str, comment: str) -> str:
    """Return ``sql`` with ``comment`` at its end, before a final ``;``.

    A statement that already carries a sqlcommenter comment, and one without any text, come back unchanged.
    """
    head = sql.rstrip(_TAIL)
    if not head or not comment or is_tagged(sql):
        return sql
    # After "-- remark" a comment on the same line would be a part of the remark.
    gap = "\n" if "--" in head[head.rfind("\n") + 1 :] else " "
    return f"{head}{gap}{comment}{sql[len(head) :]}"


def is_tagged(sql: str) -> bool:
    """Say whether ``sql`` begins or ends with a sqlcommenter comment."""
    if "/*" not in sql:
        return False
    start = sql.rfind("/*")
    return _TRAILING.match(sql, start) is not None or _LEADING.match(sql) is not None
