"""The decoder page in a headless Chromium, opened as a file; skipped where there is no Chromium.

With PMDSWP_NEEDS_BROWSER in the environment, a missing browser is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NoReturn

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from browser.reader import Reader
from pmdswp.render import decoder

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        _miss(f"{name} is not installed (Debian: apt install chromium chromium-driver)")
    return path


def _miss(reason: str) -> NoReturn:
    if os.environ.get("PMDSWP_NEEDS_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = _program("chromium")
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # with the path of the driver, Selenium looks for none on the network
    chrome = Chrome(options=options, service=Service(executable_path=_program("chromedriver")))
    chrome.set_script_timeout(60)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "decoder.html"
    path.write_text(decoder.page(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core: that of PMDSWP_AXE, or else the one that the Python package has."""
    path = os.environ.get("PMDSWP_AXE")
    if path is not None:
        return Path(path).read_text(encoding="utf-8")
    try:
        return resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        _miss("axe-core-python is not installed")


@pytest.fixture
def reader(driver: Chrome, page_file: Path) -> Iterator[Reader]:
    """A reader of the page, which may neither complain in the console nor fetch anything."""
    reader = Reader(driver, page_file)
    yield reader
    assert reader.console() == []
    assert driver.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
