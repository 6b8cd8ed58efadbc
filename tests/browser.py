"""Debian's Chromium, by which tests see pages as readers do; where there is none they skip, saying so."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window, which plays sounds without being clicked first."""
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: install Debian's package chromium")
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


def watched(page: Any) -> list[str]:
    """A list that grows by what the page's console says, by what fails in it, and by each request beyond the disk."""
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else told.append(request.url))
    return told


def violations(page: Any, within: str, **options: Any) -> list[str]:
    """What axe finds wrong in the part of the page that the selector `within` names; the options are axe's."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{one['id']}: {one['nodes']}"
        for one in Axe().run(page, within, {"resultTypes": ["violations"]} | options).response["violations"]
    ]
