"""WCAG 2.2 AA, as far as axe-core sees it, and every control by keyboard, on all pages and in all states.

A state is come to once, and looked at in light and dark, wide and narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cds.settings import PACKAGE_ROOT
from tests.browser.conftest import AUDITING, ORDERING, READING, App
from tests.browser.test_viewer import with_two_studies

AXE = PACKAGE_ROOT / "tests" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE, NARROW = 1280, 400

ALL = {"type": "tag", "values": TAGS}
OF_COLOUR = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
RUN = "only => axe.run({runOnly: only, resultTypes: ['violations']}).then(found => found.violations)"

TABBABLE = """() => {
  const shown = (one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled;
  const kinds = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const all = [...document.querySelectorAll(kinds)];
  const groups = new Set();
  const oneOfAGroup = (one) => one.type !== "radio" || (!groups.has(one.name) && groups.add(one.name));
  window.toReach = all.filter((one) => shown(one) && oneOfAGroup(one));
  window.reached = new Set();
  document.addEventListener("focusin", ({target}) => {
    const drawn = getComputedStyle(target).outlineStyle !== "none";
    if (drawn) window.reached.add(target.type === "radio" ? target.name : target);
  });
  document.activeElement?.blur();
  return window.toReach.length;
}"""
LEFT_OUT = """() => window.toReach.filter((one) => !window.reached.has(one.type === "radio" ? one.name : one))
                                  .map((one) => one.outerHTML.slice(0, 120))"""


def patient(who: str) -> Callable[[App, Page], None]:
    def come(app: App, page: Page) -> None:
        app.enter(page, who, ORDERING)
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    return come


def heat_map(app: App, page: Page) -> None:
    app.enter(page, "pneumothorax", ORDERING)
    page.wait_for_selector("film-viewer[data-shown]")
    page.get_by_label("Heat map").fill("60")


def note_and_two_films(app: App, page: Page) -> None:
    app.enter(page, with_two_studies(app), ORDERING)
    page.wait_for_selector("film-viewer[data-shown]")
    page.locator(".evidence summary").first.click()
    page.locator(".written").wait_for()
    page.get_by_text("Other studies, to compare").click()
    page.get_by_role("link", name="DX of 2026-05-02").click()
    page.wait_for_selector(".beside film-viewer[data-shown]")


def not_whole(app: App, page: Page) -> None:
    app.enter(page, app.hospital.newcomer("pneumothorax"), ORDERING)
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Pneumothorax: choose whether you agree.")


def judged(app: App, page: Page) -> None:
    app.enter(page, app.hospital.newcomer("pneumothorax"), ORDERING)
    group = page.locator("#finding-pneumothorax")
    group.locator("[value=disagree]").check()
    group.get_by_label("Why you disagree").fill("A skin fold.")
    page.get_by_role("button", name="Save without signing").click()
    expect(page.get_by_text("It is not signed.")).to_be_visible()


def signed(app: App, page: Page) -> None:
    app.enter(page, app.hospital.newcomer("pneumothorax"), ORDERING)
    page.locator("[name=verdict-pneumothorax][value=agree]").check()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Signed by Practitioner/")).to_be_visible()


def no_prescreen(app: App, page: Page) -> None:
    app.enter(page, app.hospital.newcomer("normal"), ORDERING, card=False)
    expect(page.get_by_text("No prescreen for this patient yet")).to_be_visible()


def not_scored(app: App, page: Page) -> None:
    app.enter(page, "pneumothorax", ORDERING, card=False, references=("ImagingStudy/elsewhere",))
    expect(page.get_by_text("was not scored")).to_be_visible()


def model_card(app: App, page: Page) -> None:
    app.enter(page, "effusion", ORDERING)
    page.get_by_role("link", name="chest-radiograph").click()
    page.wait_for_url("**/smart/model**")


def part_by_itself(part: str) -> Callable[[App, Page], None]:
    """As a browser without scripts shows it."""

    def come(app: App, page: Page) -> None:
        app.enter(page, "pneumothorax", ORDERING)
        place = page.locator(f"details[data-part*='{part}']").first.get_attribute("data-part")
        app.go(page, str(place))

    return come


def worklist(show: str) -> Callable[[App, Page], None]:
    def come(app: App, page: Page) -> None:
        app.hospital.sign("effusion")
        app.enter(page, "pneumothorax", READING)
        app.go(page, f"/smart/worklist?show={show}")
        expect(page.get_by_text("Median wait")).to_be_visible()

    return come


def audit_trail(app: App, page: Page) -> None:
    app.enter(page, "pneumothorax", AUDITING)
    app.go(page, "/smart/audit")
    expect(page.locator("tbody tr").first).to_be_visible()


def logged_out(app: App, page: Page) -> None:
    app.enter(page, "effusion", ORDERING)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out")).to_be_visible()


def standalone(app: App, page: Page) -> None:
    app.go(page, "/smart/standalone")
    expect(page.get_by_role("link", name="Sandbox EHR").first).to_be_visible()


def refused(path: str) -> Callable[[App, Page], None]:
    def come(app: App, page: Page) -> None:
        app.enter(page, "pneumothorax", ORDERING)
        app.go(page, path)
        expect(page.get_by_text("What to do:")).to_be_visible()

    return come


STATES: Mapping[str, Callable[[App, Page], None]] = {
    "a high finding": patient("pneumothorax"),
    "an uncertain finding": patient("effusion"),
    "no finding": patient("normal"),
    "no imaging": patient("no-imaging"),
    "the PACS down": patient("pacs-down"),
    "a heat map": heat_map,
    "a note and two films": note_and_two_films,
    "a form that was not whole": not_whole,
    "judged": judged,
    "signed": signed,
    "no prescreen": no_prescreen,
    "a study that was not scored": not_scored,
    "a model's card": model_card,
    "a note by itself": part_by_itself("/smart/note"),
    "other studies by themselves": part_by_itself("/smart/studies"),
    "the worklist": worklist("open"),
    "the worklist, done": worklist("done"),
    "the audit trail": audit_trail,
    "logged out": logged_out,
    "standalone": standalone,
    "not a launch": refused("/smart/launch"),
    "another role's page": refused("/smart/audit"),
    "a page that is not there": refused("/smart/model"),
}


@pytest.mark.parametrize("state", STATES)
def test_nobody_is_kept_out(state: str, app: App) -> None:
    if not AXE.exists():
        pytest.skip("run `npm ci` in tests/browser")
    # axe-core is put into the page by the browser, past the policy that keeps everything else out.
    page = app.page(app.window(WIDE, bypass_csp=True))
    STATES[state](app, page)
    page.evaluate(AXE.read_text())
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="light")
        assert violations(page, ALL) == [], width
        # Nothing but colours differs (app.css).
        page.emulate_media(color_scheme="dark")
        assert violations(page, OF_COLOUR) == [], (width, "dark")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
        assert not_reached(page) == [], width


def violations(page: Page, rules: Mapping[str, Any]) -> list[str]:
    """By axe-core, of these of its rules."""
    page.evaluate("scrollTo(0, 0)")
    found = page.evaluate(RUN, rules)
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def not_reached(page: Page) -> list[str]:
    """The controls that the Tab key passes over, or that do not show when they have the focus."""
    left_out: list[str] = [""] * page.evaluate(TABBABLE)
    # Within a date there are several stops.
    for _ in range(3):
        for _ in left_out:
            page.keyboard.press("Tab")
        left_out = page.evaluate(LEFT_OUT)
    return left_out
