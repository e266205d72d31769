"""The viewer, by mouse and by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

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


def test_where_the_pacs_is_away_it_says_so_and_tries_again(app: App, window: BrowserContext) -> None:
    page = app.open("pneumothorax", ORDERING, window)
    page.wait_for_selector("film-viewer[data-shown]")
    page.route("**/smart/film*", lambda route: route.fulfill(status=502, body="the image cannot be had just now"))
    page.reload()
    page.get_by_text("the image cannot be had just now").wait_for()
    page.unroute("**/smart/film*")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("film-viewer[data-shown]")
