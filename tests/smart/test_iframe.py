"""In an iframe of an EHR of another site, behind TLS, in a browser that gives third parties no cookies of before
(checklist, "EHR opens the app in an iframe"; CHIPS, "Cookies Having Independent Partitioned State")."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, FrameLocator, Page, Playwright, expect, sync_playwright

from cds.keys import Keys
from cds.sandbox.app import create_app
from cds.sandbox.clients import sightline
from cds.sandbox.parts import Sandbox
from cds.settings import Settings
from cds.store.database import Database
from cds.store.valkey import Valkey
from tests.chromium import ARGUMENTS, CHROMIUM
from tests.serving import Tls, listening
from tests.smart.conftest import PATIENT, film
from tests.smart.test_whole_launch import Hospital, app

PHASED_OUT = "--test-third-party-cookie-phaseout"
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


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        yield playwright


@contextmanager
def chromium(playwright: Playwright, profile: Path, settings: dict[str, int]) -> Iterator[BrowserContext]:
    """With Chromium's own settings for sites."""
    (profile / "Default").mkdir()
    preferences = {"profile": {"default_content_setting_values": settings}}
    (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=[*ARGUMENTS, PHASED_OUT], ignore_https_errors=True
    )
    yield context
    context.close()


@pytest.fixture(scope="module")
def keeping(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with chromium(playwright, tmp_path_factory.mktemp("keeping"), {}) as context:
        yield context


@pytest.fixture(scope="module")
def blocking(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser that keeps no cookie at all."""
    with chromium(playwright, tmp_path_factory.mktemp("blocking"), {"cookies": BLOCKED}) as context:
        yield context


@pytest.fixture
def page(keeping: BrowserContext) -> Iterator[Page]:
    """A page of a browser that knows no cookie of another test's."""
    keeping.clear_cookies()
    page = keeping.new_page()
    yield page
    page.close()


@pytest.fixture
def blocked(blocking: BrowserContext) -> Iterator[Page]:
    """A page where cookies are blocked."""
    page = blocking.new_page()
    yield page
    page.close()


def framed(page: Page, url: str) -> FrameLocator:
    page.evaluate(
        """url => { const frame = document.createElement("iframe"); frame.name = "app"; frame.src = url;
                    frame.width = 400; frame.height = 700; document.body.append(frame); }""",
        url,
    )
    return page.frame_locator("iframe[name=app]")


def test_its_cookies_are_kept_for_this_ehr_alone(hospital: Hospital, page: Page) -> None:
    page.goto(hospital.sandbox.base_url)
    frame = framed(page, hospital.launch_url(hospital.card()))
    expect(frame.get_by_role("heading", level=1)).to_contain_text("Pneumothorax: high probability")
    ours = [cookie for cookie in page.context.cookies() if "sightline" in cookie["name"]]
    assert {cookie["name"] for cookie in ours} == {"__Host-sightline-launch", "__Host-sightline-session"}
    for cookie in ours:
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "None")
        assert cookie["partitionKey"] == "https://localhost"


def test_one_logs_out_in_it(hospital: Hospital, page: Page) -> None:
    page.goto(hospital.sandbox.base_url)
    frame = framed(page, hospital.launch_url(hospital.card()))
    frame.get_by_role("button", name="Log out").click()
    expect(frame.get_by_role("heading", name="You are logged out")).to_be_visible()


def test_where_cookies_are_blocked_a_page_says_what_to_do(hospital: Hospital, blocked: Page) -> None:
    blocked.goto(hospital.sandbox.base_url)
    asked: list[str] = []
    blocked.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)
    frame = framed(blocked, hospital.launch_url(hospital.card()))
    expect(frame.get_by_role("heading", name="Your browser did not keep our cookie")).to_be_visible()
    expect(frame.get_by_text("Allow cookies for Sightline")).to_be_visible()
    blocked.wait_for_timeout(500)
    # No loop.
    assert [urlsplit(url).path for url in asked] == ["/smart/launch", "/oauth/authorize", "/smart/callback"]


def test_the_way_out_of_it_is_a_window_of_its_own(hospital: Hospital, blocked: Page) -> None:
    blocked.goto(hospital.sandbox.base_url)
    frame = framed(blocked, hospital.launch_url(hospital.card()))
    with blocked.context.expect_page() as opened:
        frame.get_by_role("link", name="Open Sightline in a window of its own").click()
    expect(opened.value.get_by_role("button", name="Allow")).to_be_visible()


def test_nobody_else_may_frame_it(hospital: Hospital, page: Page) -> None:
    stranger = Flask("stranger")
    stranger.add_url_rule("/", "page", lambda: "<!doctype html><title>Another site</title>")
    with listening() as address:
        address.app = stranger
        page.goto(address.base_url)
        framed(page, hospital.launch_url(hospital.card()))
        page.wait_for_event("console", predicate=lambda message: "frame-ancestors" in message.text)
