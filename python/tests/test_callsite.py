from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from pgsleuth_tags import Locator, Tagger

HERE = Path(__file__).resolve()


def test_find_names_the_caller_relative_to_root():
    site = Locator(HERE.parent).find()
    assert site is not None
    assert (site.file, site.function) == ("test_callsite.py", "test_find_names_the_caller_relative_to_root")
    assert site.line == test_find_names_the_caller_relative_to_root.__code__.co_firstlineno + 1


def test_find_outside_root_shows_the_whole_path(tmp_path):
    site = Locator(tmp_path).find()
    assert site is not None
    assert site.file == HERE.as_posix()


def test_find_skips_the_standard_library():
    locator = Locator(HERE.parent)
    found = []
    json.loads('{"a": 1}', object_hook=lambda _: found.append(locator.find()))
    assert found[0].file == "test_callsite.py"
    assert found[0].function == "<lambda>"


def test_find_names_the_function_around_a_comprehension():
    locator = Locator(HERE.parent)
    sites = [locator.find() for _ in range(2)]
    assert {site.function for site in sites} == {"test_find_names_the_function_around_a_comprehension"}
    assert len(set(sites)) == 1


@pytest.mark.parametrize("folder", ["lib/python3.11/site-packages", "dist-packages"])
def test_find_skips_packages_inside_the_root(tmp_path, folder):
    path = tmp_path / folder / "library.py"
    path.parent.mkdir(parents=True)
    path.write_text("def call(function):\n    return function()\n")
    sys.path.insert(0, str(path.parent))
    try:
        import library
    finally:
        sys.path.pop(0)
        sys.modules.pop("library", None)
    site = library.call(Locator(tmp_path).find)
    assert site.file == HERE.as_posix()


def test_find_root_inside_site_packages_counts_as_application(tmp_path):
    path = tmp_path / "site-packages" / "shop" / "views.py"
    path.parent.mkdir(parents=True)
    path.write_text("def call(function):\n    return function()\n")
    space: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    assert space["call"](Locator(path.parent).find).file == "views.py"


def test_find_follows_awaits():
    locator = Locator(HERE.parent)

    async def inner():
        await asyncio.sleep(0)
        return locator.find()

    async def outer():
        return await inner()

    assert asyncio.run(outer()).function == "inner"


def test_find_stops_at_the_event_loop(tmp_path):
    path = tmp_path / "site-packages" / "library.py"
    space: dict = {}
    exec(compile("def call(function, done):\n    done(function())\n", str(path), "exec"), space)
    locator = Locator(HERE.parent)

    async def main():
        loop = asyncio.get_running_loop()
        found = loop.create_future()
        # The loop calls it: below on the stack is only the line that started the loop.
        loop.call_soon(space["call"], locator.find, found.set_result)
        return await found

    assert asyncio.run(main()) is None


def test_find_follows_a_greenlet_to_its_parent():
    greenlet = pytest.importorskip("greenlet")
    locator = Locator(HERE.parent)
    child = greenlet.greenlet(locator.find)
    site = child.switch()
    assert site.function == "test_find_follows_a_greenlet_to_its_parent"


def test_tag_is_the_same_at_each_call_of_a_line():
    tagger = Tagger(HERE.parent)
    texts = {tagger.tag("SELECT $1") for _ in range(5)}
    assert len(texts) == 1
    assert "code.file.path='test_callsite.py'" in texts.pop()
