"""A review as its user meets it: the command in its own process, the page in a real browser."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page, sync_playwright
from tests.cli.plates import START

PATIENCE_S = 120
"""How long to wait for what comes at once on an idle machine."""

SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""WebGL without a graphics card; the same shaders, in 32-bit floats, on the CPU."""

Codes = npt.NDArray[np.uint8]


def chromium() -> str:
    """The browser's program; a test without one is skipped with the remedy."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if found is None:
        pytest.skip("the review page is looked at in Chromium: scripts/apt.sh installs it")
    return found


@contextmanager
def reviewed(*arguments: str) -> Iterator[str]:
    """Run ``lumivid review`` with arguments, and give its page's address; Ctrl-C ends it."""
    command = [sys.executable, "-c", START, "review", *arguments, "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if address := re.search(r"http://\S+", line):
                    break
            else:
                raise AssertionError("".join(said))
            yield address[0]
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=PATIENCE_S)
            assert "Traceback" not in rest
            assert rest.rstrip().endswith("the review is closed")
            assert process.returncode == 130
        finally:
            process.kill()


@contextmanager
def browser_page(width: int = 600, height: int = 360) -> Iterator[Page]:
    """An empty page of Chromium; what goes wrong in its scripts fails the test."""
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*SOFTWARE_GL])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        browser.close()
    assert not faults, faults


def wait(done: Callable[[], Any], what: str) -> None:
    """Wait until something is so. The page's own policy forbids what Playwright would wait with."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)


def settle(page: Page) -> None:
    """Wait until what is asked for stands on the page, in full resolution."""
    wait(lambda: page.evaluate("Boolean(window.review?.settled())"), "the frame")


def look(page: Page, **state: object) -> None:
    """Set how the page looks, as its controls do, and wait for the picture."""
    page.evaluate("(patch) => review.change(patch)", state)
    settle(page)


def codes(page: Page, width: int, height: int) -> Codes:
    """What stands on the canvas where the plate's pixels are, one of them a screen's, `h w 3`."""
    left, top, across, down = page.evaluate("review.place()")
    assert (across, down) == (1, 1)
    flat = page.evaluate(f"review.codes({left}, {top}, {width}, {height})")
    return np.array(flat, np.uint8).reshape(height, width, 4)[..., :3]
