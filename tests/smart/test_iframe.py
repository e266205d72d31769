"""In an iframe of an EHR of another site, behind TLS, in a browser that gives third parties no cookies of before
(checklist, "EHR opens the app in an iframe"; CHIPS, "Cookies Having Independent Partitioned State")."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect, sync_playwright

from cds.keys import Keys
from cds.sandbox.app import create_app
from cds.sandbox.clients import sightline
from cds.sandbox.parts import Sandbox
from cds.settings import Settings
from cds.store.database import Database
from cds.store.valkey import Valkey
from tests.chromium import CHROMIUM
from tests.serving import Tls, listening
from tests.smart.conftest import PATIENT, film
from tests.smart.test_whole_launch import Hospital, app

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--test-third-party-cookie-phaseout"]
BLOCKED = 2
"""Chromium's content setting."""


@pytest.fixture(scope="module")
def hospital(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, valkey: Valkey, database: Database
) -> Iterator[Hospital]:
    """The EHR at ``localhost``, we at ``127.0.0.1``: two sites."""
    home = tmp_path_factory.mktemp("iframe")
    tls = Tls.new(home)
    with (
        listening("localhost", tls) as ehr,
        listening("127.0.0.1", tls) as service,
        httpx.Client(trust_env=False, verify=tls.client) as http,
    ):
        us = replace(sightline(service.base_url), jwks_url="", jwks=keys.signing.published(time.time()))
        ehr.app = create_app(home, ehr.base_url, service_url=service.base_url, clients=[us])
        sandbox: Sandbox = ehr.app.extensions["sandbox"]
        for resource in (PATIENT, {"resourceType": "Practitioner", "id": "u1", "name": [{"family": "Grey"}]}):
            sandbox.records.update(dict(resource))
        sandbox.pacs.store([film()])
        hospital = Hospital(sandbox, ehr.app.extensions["sandbox-oauth"], keys, database, f"tenant-{uuid4()}")
        hospital.prescreened()
        service.app = app(hospital, Settings(public_url=service.base_url), http, valkey)
        yield hospital
        sandbox.records.close()
        sandbox.archive.close()


Open = Callable[[dict[str, int]], BrowserContext]


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Open]:
    """Opens a browser with Chromium's own settings for sites."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    opened: list[BrowserContext] = []
    with sync_playwright() as playwright:

        def open_(settings: dict[str, int]) -> BrowserContext:
            profile = tmp_path / "Default"
            profile.mkdir()
            preferences = {"profile": {"default_content_setting_values": settings}}
            (profile / "Preferences").write_text(json.dumps(preferences))
            opened.append(
                playwright.chromium.launch_persistent_context(
                    tmp_path, executable_path=CHROMIUM, args=ARGUMENTS, ignore_https_errors=True
                )
            )
            return opened[-1]

        yield open_
        for context in opened:
            context.close()


def framed(page: Page, url: str) -> FrameLocator:
    page.evaluate(
        """url => { const frame = document.createElement("iframe"); frame.name = "app"; frame.src = url;
                    frame.width = 400; frame.height = 700; document.body.append(frame); }""",
        url,
    )
    return page.frame_locator("iframe[name=app]")


def test_its_cookies_are_kept_for_this_ehr_alone(hospital: Hospital, chromium: Open) -> None:
    context = chromium({})
    page = context.new_page()
    page.goto(hospital.sandbox.base_url)
    frame = framed(page, hospital.launch_url(hospital.card()))
    expect(frame.get_by_role("heading", level=1)).to_contain_text("Pneumothorax: high probability")
    ours = [cookie for cookie in context.cookies() if "sightline" in cookie["name"]]
    assert {cookie["name"] for cookie in ours} == {"__Host-sightline-launch", "__Host-sightline-session"}
    for cookie in ours:
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "None")
        assert cookie["partitionKey"] == "https://localhost"


def test_one_logs_out_in_it(hospital: Hospital, chromium: Open) -> None:
    page = chromium({}).new_page()
    page.goto(hospital.sandbox.base_url)
    frame = framed(page, hospital.launch_url(hospital.card()))
    frame.get_by_role("button", name="Log out").click()
    expect(frame.get_by_role("heading", name="You are logged out")).to_be_visible()


def test_where_cookies_are_blocked_a_page_says_what_to_do(hospital: Hospital, chromium: Open) -> None:
    page = chromium({"cookies": BLOCKED}).new_page()
    page.goto(hospital.sandbox.base_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)
    frame = framed(page, hospital.launch_url(hospital.card()))
    expect(frame.get_by_role("heading", name="Your browser did not keep our cookie")).to_be_visible()
    expect(frame.get_by_text("Allow cookies for Sightline")).to_be_visible()
    page.wait_for_timeout(500)
    # No loop.
    assert [urlsplit(url).path for url in asked] == ["/smart/launch", "/oauth/authorize", "/smart/callback"]


def test_the_way_out_of_it_is_a_window_of_its_own(hospital: Hospital, chromium: Open) -> None:
    context = chromium({"cookies": BLOCKED})
    page = context.new_page()
    page.goto(hospital.sandbox.base_url)
    frame = framed(page, hospital.launch_url(hospital.card()))
    with context.expect_page() as opened:
        frame.get_by_role("link", name="Open Sightline in a window of its own").click()
    expect(opened.value.get_by_role("button", name="Allow")).to_be_visible()


def test_nobody_else_may_frame_it(hospital: Hospital, chromium: Open) -> None:
    page = chromium({}).new_page()
    stranger = Flask("stranger")
    stranger.add_url_rule("/", "page", lambda: "<!doctype html><title>Another site</title>")
    with listening() as address:
        address.app = stranger
        page.goto(address.base_url)
        framed(page, hospital.launch_url(hospital.card()))
        page.wait_for_event("console", predicate=lambda message: "frame-ancestors" in message.text)
