"""Every template of code that rules advise is Python once its names are filled in; pages have an order."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from advice import check_python

ROOT = Path(__file__).resolve().parents[2]
STRINGS = r'((?:\s*"(?:[^"\\]|\\.)*")+)'
TEMPLATE = re.compile(r"\.(sqlalchemy|django|asyncpg)\s*=" + STRINGS)
NAMES = {"{Model}": "Order", "{rows}": "orders", "{one}": "order", "{table}": "orders", "{column}": "note"}
STACKS = {"sqlalchemy", "django", "asyncpg"}
AT_LEAST = 20  # rules and variants of rules with templates


def literal(text: str) -> str:
    """The value of C string literals side by side; their escapes are Python's too."""
    return "".join(ast.literal_eval(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', text))


def templates() -> dict[str, list[tuple[str, str]]]:
    found = {}
    for path in sorted((ROOT / "detectors" / "rules").glob("*.c")):
        texts = [(stack, literal(text)) for stack, text in TEMPLATE.findall(path.read_text(encoding="utf-8"))]
        if texts:
            found[path.stem] = texts
    return found


TEMPLATES = templates()


def test_templates_are_found() -> None:
    assert sum(len(texts) for texts in TEMPLATES.values()) >= AT_LEAST * len(STACKS)


@pytest.mark.parametrize("rule", TEMPLATES)
def test_template_is_python_for_every_stack(rule: str) -> None:
    assert {stack for stack, _ in TEMPLATES[rule]} == STACKS
    for _, code in TEMPLATES[rule]:
        for place, name in NAMES.items():
            code = code.replace(place, name)  # noqa: PLW2901 # what is left over is Python's own braces
        check_python(code)


def test_page_without_an_order_is_refused() -> None:
    with pytest.raises(AssertionError, match="without an order"):
        check_python("stmt = select(Order).limit(10)\n")
    check_python("# stmt = select(Order).limit(10)\n")


def test_blocking_call_in_async_code_is_refused() -> None:
    with pytest.raises(AssertionError, match="blocking call"):
        check_python("async def load():\n    return session.scalars(stmt).all()\n")
    check_python("async def load():\n    return (await session.scalars(stmt)).all()\n")
    check_python("def load():\n    return session.scalars(stmt).all()\n")


def test_code_that_is_no_python_is_refused() -> None:
    with pytest.raises(AssertionError):
        check_python("for row in rows\n    ...\n")
