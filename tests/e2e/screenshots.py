"""The pictures in docs/, made anew: screenshots.py REPORT.html [URL of a live page]

With build/test-venv/bin/python, after `./dev demo`; the URL is the one that `run --admin-listen` prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from browser import chromium

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIZE = {"width": 1200, "height": 1600}
LIVE_S = 25  # of traffic, so that the chart has something to show


def show(browser: Browser, url: str, scheme: str) -> Page:
    page = browser.new_context(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce").new_page()
    page.goto(url)
    return page


def unfold_loop(page: Page) -> None:
    """The first N+1 instead of whatever comes first."""
    page.locator("#opportunities details.issue[open] > summary").first.click()
    page.locator("#opportunities details.issue", has=page.locator(".proof .column")).first.locator(
        "summary"
    ).first.click()
    page.locator(".growth canvas").first.wait_for()
    page.evaluate("document.activeElement.blur()")


def main() -> None:
    with chromium() as browser:
        report = Path(sys.argv[1]).resolve().as_uri()
        for name, scheme in (("report", "light"), ("report-dark", "dark")):
            page = show(browser, report, scheme)
            unfold_loop(page)
            page.screenshot(path=DOCS / f"{name}.png")
        page = show(browser, report, "light")
        page.locator("#endpoint-rows a", has_text="n-plus-one").first.click()
        page.screenshot(path=DOCS / "endpoint.png", clip={"x": 0, "y": 0, "width": 1200, "height": 760})
        if len(sys.argv) > 2:
            page = show(browser, sys.argv[2], "light")
            page.wait_for_timeout(LIVE_S * 1000)
            page.screenshot(path=DOCS / "live.png", clip={"x": 0, "y": 0, "width": 1200, "height": 900})


main()
