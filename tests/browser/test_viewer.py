"""The viewer, by mouse and by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from cds.sandbox.patients import SamplePatient
from cds.sandbox.query import parse
from tests.browser.conftest import ORDERING, App

STATE = """viewer => ({scale: viewer.scale, x: viewer.x, y: viewer.y, inverted: viewer.inverted,
                       level: viewer.level, width: viewer.width, fitted: viewer.fitted})"""


@pytest.fixture
def page(app: App, window: BrowserContext) -> Page:
    page = app.open("pneumothorax", ORDERING, window)
    page.wait_for_selector("film-viewer[data-shown]")
    return page


def state(page: Page) -> dict[str, Any]:
    page.evaluate("() => new Promise(requestAnimationFrame)")
    found: dict[str, Any] = page.locator("film-viewer").evaluate(STATE)
    return found


def test_the_film_is_there_whole_and_fits(page: Page) -> None:
    assert page.locator("film-viewer").evaluate("v => [v.film.columns, v.film.rows]") == [1024, 1024]
    assert state(page)["fitted"]
    middle = "c => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0]"
    assert page.locator("canvas").evaluate(middle) > 20


def test_a_drag_changes_the_window_and_with_shift_moves_the_film(page: Page) -> None:
    before = state(page)
    page.locator("canvas").hover(position={"x": 200, "y": 200})
    page.mouse.down()
    page.mouse.move(300, 320)
    page.mouse.up()
    windowed = state(page)
    assert (windowed["level"], windowed["width"]) != (before["level"], before["width"])
    assert windowed["x"] == before["x"]
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(320, 330)
    page.mouse.up()
    page.keyboard.up("Shift")
    moved = state(page)
    assert moved["x"] - before["x"] == pytest.approx(20, abs=1)
    assert moved["level"] == windowed["level"]


def test_the_heat_map_is_laid_over_the_film(page: Page) -> None:
    pixels = "c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
    coloured = f"c => {pixels}.some((red, i, all) => i % 4 == 0 && red != all[i + 2])"
    assert not page.locator("canvas").evaluate(coloured)
    page.get_by_label("Heat map").fill("60")
    page.wait_for_function(f"() => ({coloured})(document.querySelector('film-viewer canvas'))")


def test_where_there_is_no_heat_map_now_the_viewer_says_why(page: Page) -> None:
    def busy(route: Route) -> None:
        route.fulfill(status=503, content_type="text/plain", body="there is too much else to do just now")

    page.route("**/smart/image/overlay/**", busy)
    page.get_by_label("Heat map").fill("60")
    expect(page.locator("film-viewer .status")).to_have_text("No heat map: there is too much else to do just now.")


def test_the_wheel_zooms_where_it_points(page: Page) -> None:
    before = state(page)
    page.locator("canvas").hover(position={"x": 250, "y": 250})
    page.mouse.wheel(0, -400)
    after = state(page)
    assert after["scale"] > 2 * before["scale"]
    under = (250 - before["x"]) / before["scale"]
    assert (250 - after["x"]) / after["scale"] == pytest.approx(under, abs=1)


def test_everything_goes_by_keys(page: Page) -> None:
    canvas = page.locator("canvas")
    canvas.focus()
    begun = state(page)
    for key, name in (
        ("i", "inverted"),
        ("]", "width"),
        (".", "level"),
        ("+", "scale"),
        ("ArrowLeft", "x"),
        ("ArrowUp", "y"),
    ):
        before = state(page)
        canvas.press(key)
        assert state(page)[name] != before[name], key
    canvas.press("1")
    assert state(page)["scale"] == 1
    canvas.press("0")
    assert state(page)["fitted"]
    canvas.press("r")
    assert state(page) == begun


def test_sliders_and_buttons_do_the_same(page: Page) -> None:
    before = state(page)
    page.get_by_label("Contrast").press("ArrowRight")
    assert state(page)["width"] < before["width"]
    page.get_by_label("Brightness").press("ArrowRight")
    assert state(page)["level"] < before["level"]
    invert = page.get_by_role("button", name="Invert")
    invert.click()
    assert state(page)["inverted"]
    assert invert.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Reset").click()
    assert state(page) == before


def test_two_fingers_zoom(app: App) -> None:
    page = app.open("pneumothorax", ORDERING, app.window(400, has_touch=True))
    page.wait_for_selector("film-viewer[data-shown]")
    before = state(page)["scale"]
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *xs: int) -> None:
        points = [{"x": x, "y": 400, "id": place} for place, x in enumerate(xs)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 150, 250)
    touch("touchMove", 100, 300)
    touch("touchEnd")
    assert state(page)["scale"] > 1.5 * before


def away(route: Route) -> None:
    route.fulfill(status=502, content_type="text/plain", body="the image cannot be had just now")


def test_where_the_pacs_is_away_it_says_so_and_tries_again(app: App, window: BrowserContext) -> None:
    page = app.open("pneumothorax", ORDERING, window)
    page.wait_for_selector("film-viewer[data-shown]")
    page.route("**/smart/film/**", away)
    page.reload()
    page.get_by_text("the image cannot be had just now").wait_for()
    page.unroute("**/smart/film/**")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("film-viewer[data-shown]")


def test_looked_at_closely_it_has_every_pixel(app: App, window: BrowserContext) -> None:
    """First as many as a screen shows; then all, through the same window and at the same place."""
    page = app.open("effusion-j2k", ORDERING, window)
    page.wait_for_selector("film-viewer[data-shown]")
    assert page.locator("film-viewer").evaluate("v => [v.film.columns, v.film.detail]") == [2048, 0.5]
    page.locator("canvas").press("i")
    page.locator("canvas").press("1")
    page.wait_for_selector("film-viewer[data-whole]")
    assert state(page)["inverted"]
    assert state(page)["scale"] == 1


def test_another_study_beside_it_moves_along(app: App, window: BrowserContext) -> None:
    page = app.open(with_two_studies(app), ORDERING, window)
    page.wait_for_selector("film-viewer[data-shown]")
    page.get_by_text("Other studies, to compare").click()
    page.get_by_role("link", name="DX of 2026-05-02, Chest PA").click()
    expect(page.locator("film-viewer[data-shown]")).to_have_count(2)
    page.locator("canvas").first.press("+")
    both = page.locator("film-viewer").evaluate_all("vs => vs.map(v => v.view.zoom.toFixed(3))")
    assert both[0] == both[1] != "1.000"
    page.get_by_label("move with the other").uncheck()
    page.locator("canvas").first.press("0")
    assert page.locator("film-viewer").evaluate_all("vs => vs.map(v => v.fitted)") == [True, False]
    page.get_by_role("button", name="Close").click()
    expect(page.locator("film-viewer")).to_have_count(1)


def with_two_studies(app: App) -> SamplePatient:
    """A patient of whom the EHR has a film of last May too."""
    patient = app.hospital.newcomer("pneumothorax")
    records = app.hospital.sandbox.records
    other = app.hospital.patient("normal").id
    (study,) = records.search(parse("ImagingStudy", f"patient=Patient/{other}")).resources
    subject = {"reference": f"Patient/{patient.id}"}
    earlier = {"subject": subject, "started": "2026-05-02T08:00:00Z", "description": "Chest PA"}
    records.create({name: value for name, value in study.items() if name not in ("id", "meta")} | earlier)
    return patient
