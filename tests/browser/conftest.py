"""A real Chromium for tests of pages; where there is none they are skipped, and say so."""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The system's Chromium, without a window and without a network of its own."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; `make venv` installs it"
    )
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no Chromium here ({', '.join(NAMES)}); on Debian and Ubuntu: apt-get install chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=program, args=["--disable-gpu", *as_root])
        yield started
        started.close()
