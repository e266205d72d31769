"""The whole way in a browser: an order, a card, the app beside it, and what the clinician does with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from tests.hospital import Hospital


def is_fault(message: ConsoleMessage) -> bool:
    """An error of the page's own; what did not load is looked at by its address."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def is_missing(response: Response) -> bool:
    """Whether something is not there that should be; of one patient the PACS has to fail."""
    return response.status >= 400 and "pacs-down" not in response.url


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if is_fault(message) else None)
    page.on("response", lambda response: said.append(response.url) if is_missing(response) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    print(page.inner_text("body"))  # shown where the test fails
    page.close()
    assert said == []


def feedback(hospital: Hospital) -> int:
    with hospital.database.transaction("sandbox") as connection:
        found = connection.execute("SELECT count(*) FROM feedback").fetchone()
    return int(found[0]) if found else 0


def test_from_the_order_to_the_reasons_and_back(page: Page, hospital: Hospital) -> None:
    told_before = feedback(hospital)
    patient = hospital.newcomer("pneumothorax")
    page.goto(hospital.sandbox.base_url)
    page.locator(f"a[href='/patients/{patient.id}']").click()
    page.get_by_role("button", name="Sign order").click()

    card = page.locator("article, .card").filter(has_text="Pneumothorax").first
    expect(card).to_contain_text("critical")
    expect(card).to_contain_text("Not a medical device")

    card.get_by_role("button", name="See the image, the notes and the reasons", exact=True).click()
    app = page.frame_locator("iframe")
    expect(app.get_by_role("heading", name="Pneumothorax: high probability")).to_be_visible()
    expect(app.get_by_text("Tobias Wrenfield")).to_be_visible()
    viewer = app.locator("film-viewer[data-shown]")
    expect(viewer).to_be_visible()
    assert viewer.evaluate("viewer => viewer.film.columns") > 500
    page.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Change to STAT: Chest radiograph, 2 views").click()
    expect(page.get_by_label("Priority")).to_have_value("stat")
    assert feedback(hospital) == told_before + 1


def test_a_duplicate_is_removed(page: Page, hospital: Hospital) -> None:
    told_before = feedback(hospital)
    page.goto(f"{hospital.sandbox.base_url}/patients/{hospital.newcomer('worrying-note').id}")
    page.get_by_role("button", name="Sign order").click()

    card = page.locator(".card").filter(has_text="Possible duplicate")
    expect(card).to_contain_text("chest radiograph of")
    expect(card).to_contain_text("XR CHEST")
    card.get_by_role("button", name="Remove this order").click()
    expect(page.get_by_text("The draft order was removed.")).to_be_visible()
    assert feedback(hospital) == told_before + 1


def test_a_follow_up_is_added(page: Page, hospital: Hospital) -> None:
    told_before = feedback(hospital)
    page.goto(f"{hospital.sandbox.base_url}/patients/{hospital.newcomer('effusion-j2k').id}")
    page.get_by_role("button", name="Sign order").click()

    page.get_by_role("button", name="Add: Ultrasound of the chest").click()
    expect(page.get_by_text("Draft order 2")).to_be_visible()
    expect(page.locator("[name=order-1-code]")).to_have_value("24630-6")
    expect(page.locator("[name=order-1-reason]")).to_have_value("Pleural effusion")
    assert feedback(hospital) == told_before + 1

    page.get_by_role("button", name="Ask again").click()
    expect(page.get_by_role("heading", name="Decision support")).to_be_visible()
    expect(page.get_by_role("button", name="Add: Ultrasound of the chest")).to_have_count(0)
    page.get_by_role("button", name="Finish signing").click()
    expect(page.get_by_text("Signed: ServiceRequest/")).to_be_visible()


def test_every_sample_patient_can_be_signed(page: Page, hospital: Hospital) -> None:
    for patient in hospital.patients.values():
        page.goto(f"{hospital.sandbox.base_url}/patients/{patient.id}")
        page.get_by_role("button", name="Sign order").or_(page.get_by_role("button", name="Ask again")).click()
        expect(page.get_by_role("heading", name="Decision support")).to_be_visible()
        expect(page.get_by_text("Does not conform")).to_have_count(0)
