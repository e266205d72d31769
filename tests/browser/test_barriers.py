"""WCAG 2.2 AA, as far as axe-core sees it: no violation on any page, in light and wide, in dark and narrow."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cds.settings import PACKAGE_ROOT
from tests.browser.conftest import AUDITING, ORDERING, READING, App

AXE = PACKAGE_ROOT / "tests" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

LOOKS: list[dict[str, Any]] = [
    {"width": 1280, "color_scheme": "light"},
    {"width": 400, "color_scheme": "dark"},
]


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look['width']}-{look['color_scheme']}")
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    if not AXE.exists():
        pytest.skip("run `npm ci` in tests/browser")
    found: dict[str, Any] = request.param
    return found


Opened = Callable[..., Page]


@pytest.fixture
def opened(app: App, look: dict[str, Any]) -> Opened:
    # axe-core is put into the page by the browser, past the policy that keeps everything else out.
    return lambda patient, user, **more: app.open(patient, user, app.window(**look, bypass_csp=True), **more)


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    tags = json.dumps(TAGS)
    found = page.evaluate(f"axe.run({{runOnly: {{type: 'tag', values: {tags}}}}}).then(found => found.violations)")
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def is_within_its_width(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize("patient", ["pneumothorax", "effusion", "normal", "no-imaging", "pacs-down"])
def test_the_patients_page(patient: str, opened: Opened) -> None:
    page = opened(patient, ORDERING)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert violations(page) == []
    assert is_within_its_width(page)


def test_a_form_that_was_not_whole(opened: Opened) -> None:
    page = opened("pneumothorax", ORDERING)
    page.get_by_role("button", name="Sign").click()
    expect(page.get_by_role("alert")).to_contain_text("Pneumothorax: choose whether you agree.")
    assert violations(page) == []


def test_no_prescreen_and_a_models_card(opened: Opened, app: App) -> None:
    page = opened("effusion", ORDERING)
    page.get_by_role("link", name="chest-radiograph").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert violations(page) == []
    assert is_within_its_width(page)


@pytest.mark.parametrize(("user", "path"), [(READING, "/smart/worklist"), (AUDITING, "/smart/audit")])
def test_the_rooms(user: str, path: str, opened: Opened, app: App) -> None:
    app.hospital.sign("effusion")
    app.hospital.work()
    page = opened("pneumothorax", user)
    app.go(page, path)
    expect(page.locator("tbody tr").first).to_be_visible()
    assert violations(page) == []
    assert is_within_its_width(page)


@pytest.mark.parametrize("path", ["/smart/launch", "/smart/audit", "/smart/model"])
def test_the_pages_of_errors(path: str, opened: Opened, app: App) -> None:
    page = opened("pneumothorax", ORDERING)
    app.go(page, path)
    expect(page.get_by_text("What to do:")).to_be_visible()
    assert violations(page) == []
