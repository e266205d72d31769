"""The page in a real browser: sign, read, accept, launch the app, all at 1280 by 800."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from cds.sandbox.app import create_app
from cds.sandbox.ehr.registration import registration
from cds.sandbox.parts import Sandbox
from tests.sandbox.conftest import add_people
from tests.sandbox.hook_service import HookService
from tests.serving import STOPS_WITHIN_S


@contextmanager
def serving(app: Flask, port: int = 0) -> Iterator[str]:
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(STOPS_WITHIN_S,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox and a service, each on a port of its own."""
    service = HookService()
    with serving(service.app) as service.base:
        placeholder = Flask("placeholder")
        with serving(placeholder) as base_url:
            port = int(base_url.rpartition(":")[2])
        app = create_app(tmp_path_factory.mktemp("sandbox"), base_url, service_url=service.base)
        parts = app.extensions["sandbox"]
        service.trust(registration(parts))
        add_people(parts.records)
        with serving(app, port):
            yield parts
        parts.records.close()
        parts.archive.close()


@pytest.fixture
def page(chromium: Browser, running: Sandbox) -> Iterator[Page]:
    """The patient's chart; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(running.base_url)
    page.get_by_role("link", name="Pat Example").click()
    yield page
    page.close()
    assert complaints == []


def picture(page: Page, name: str) -> None:
    """Keep a picture where one is asked for."""
    if folder := os.environ.get("SIGHTLINE_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_an_order_is_signed_and_a_suggestion_changes_it(page: Page) -> None:
    page.get_by_label("Reason", exact=True).fill("Sudden dyspnoea")
    page.get_by_role("button", name="Sign order").press("Enter")

    critical = page.locator(".card.critical")
    expect(critical.get_by_role("heading")).to_contain_text("Likely pneumothorax")
    expect(critical.locator("td").nth(1)).to_have_text("0.97")
    critical.get_by_role("button", name="Raise the priority to stat").click()

    expect(page.get_by_label("Priority")).to_have_value("stat")
    expect(page.get_by_label("Reason", exact=True)).to_have_value("Sudden dyspnoea")
    expect(page.get_by_role("button", name="Remove the order")).to_be_disabled()
    expect(page.get_by_text("the service answered 200")).to_be_visible()
    picture(page, "page-suggestion")


def test_the_app_opens_beside_the_order_with_its_context(page: Page) -> None:
    page.get_by_role("button", name="Sign order").click()
    page.get_by_role("button", name="See why", exact=True).click()

    expect(page.frame_locator("iframe[name=app]").get_by_role("heading")).to_have_text("p1 because handle-1")
    expect(page.locator(".card.critical")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#panel")).to_be_hidden()


def test_the_app_opens_in_a_tab(page: Page) -> None:
    page.get_by_role("button", name="Sign order").click()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="See why, in a new tab").click()

    expect(opened.value.get_by_role("heading")).to_have_text("p1 because handle-1")


def test_a_report_appears_by_itself(page: Page, running: Sandbox) -> None:
    expect(page.locator("#reports")).to_contain_text("None yet.")
    running.records.create(
        {
            "resourceType": "DiagnosticReport",
            "status": "preliminary",
            "code": {"text": "Imaging prescreen"},
            "subject": {"reference": "Patient/p1"},
            "conclusion": "Likely <b>pneumothorax</b>",
        }
    )

    expect(page.locator("#reports")).to_contain_text("Likely <b>pneumothorax</b>")


def test_nothing_runs_off_the_side(page: Page) -> None:
    page.get_by_role("button", name="Sign order").click()
    expect(page.locator(".card.critical")).to_be_visible()

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), scheme
        picture(page, f"page-{scheme}")
