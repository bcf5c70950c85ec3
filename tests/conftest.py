"""Fixtures that tests of every package share."""

import copy
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.checkout import UNMEASURED
from tests.endpoint import Endpoint
from tests.stand_in_hub import Hub

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers share the cores, and torch would take all for each
os.environ["PYTHONPATH"] = UNMEASURED

settings.register_profile("same-each-time", derandomize=True)
if os.environ.get("CI"):  # elsewhere each run tries other examples
    settings.load_profile("same-each-time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, those of the whole way first, so that two workers end at about one time."""
    slow = dict.fromkeys(item.path for item in items if item.get_closest_marker("slow"))
    place = {path: number for number, path in enumerate(reversed(slow))}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture
def own_templates(monkeypatch: pytest.MonkeyPatch) -> Any:
    """LLaMA-Factory's chat templates, copied: it writes what a run says of them into the ones that all tests share."""
    from llamafactory.data import template

    copied = copy.deepcopy(template.TEMPLATES)
    monkeypatch.setattr(template, "TEMPLATES", copied)
    return copied


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A stand-in hub: put repositories under its `.root` and give processes its `.environment()`."""
    root = tmp_path / "hub"
    root.mkdir()
    with Hub(root, tmp_path) as hub:
        yield hub


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real headless browser (Chromium or Chrome; BROWSER_PATH names another), or a skip that says it is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if not path:
        pytest.skip("no chromium or google-chrome on this machine (BROWSER_PATH names one)")
    with playwright.sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = driver.chromium.launch(executable_path=path, args=flags)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of it that must see no error, run no markup of the data, and ask nothing of the network."""
    opened = browser.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append("a dialog: markup was run"))
    opened.on(
        "request",
        lambda request: (
            None if "127.0.0.1" in request.url or request.url.startswith("file:") else problems.append(request.url)
        ),
    )
    yield opened
    opened.close()
    assert problems == []
