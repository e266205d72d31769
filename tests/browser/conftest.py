"""Chromium before the app, as the sandbox EHR opens it for one user or another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from cds.sandbox.patients import SamplePatient
from cds.sandbox.patients.people import EMERGENCY, NURSE, RADIOLOGIST
from tests.hospital import Hospital

ORDERING = f"Practitioner/{EMERGENCY.id}"
READING = f"Practitioner/{RADIOLOGIST.id}"
AUDITING = f"Practitioner/{NURSE.id}"


@dataclass
class App:
    """The app, and who opens it."""

    hospital: Hospital
    browser: Browser
    said: list[str]

    def window(self, width: int = 1280, **options: Any) -> BrowserContext:
        """A browser of one's own: no cookie of another's."""
        return self.browser.new_context(viewport={"width": width, "height": 800}, **options)

    def open(self, who: str | SamplePatient, user: str, window: BrowserContext, **context: Any) -> Page:
        """A page on what the card of the patient's signed order speaks of, or as ``context`` says."""
        page = self.page(window)
        self.enter(page, who, user, **context)
        return page

    def page(self, window: BrowserContext) -> Page:
        """A page of which everything is heard that it complains of."""
        page = window.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        return page

    def enter(self, page: Page, who: str | SamplePatient, user: str, **context: Any) -> None:
        page.goto(self.hospital.launch_url(who, user, **context))

    def go(self, page: Page, path: str) -> None:
        page.goto(f"{self.hospital.settings.base_url}{path}")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.said.append(message.text)


@pytest.fixture
def app(hospital: Hospital, chromium: Browser) -> Iterator[App]:
    """Pages that complain of nothing: no error in a console, of a script or of the policy."""
    said: list[str] = []
    yield App(hospital, chromium, said)
    for context in chromium.contexts:
        context.close()
    assert said == []


@pytest.fixture
def window(app: App) -> BrowserContext:
    return app.window()


OpenAs = Callable[[str, str], Page]
