"""The browser in which pages are tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chainrule.handin.browser import BrowserError, find_browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The Chromium of this machine. Without one the test fails: nothing is skipped for want of it."""
    try:
        browser = find_browser()
    except BrowserError:
        pytest.fail("install Chromium (./setup.sh does)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield running
        running.close()
