"""From the order to a final report in the EHR, in the EHR's own window; and a queue with two who read it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from cds.reporting.record import Record
from cds.sandbox.patients import SamplePatient
from cds.sandbox.query import parse
from tests.browser.conftest import ORDERING, READING, App
from tests.hospital import TENANT, Hospital

Resource = dict[str, Any]


def reported(hospital: Hospital, name: str) -> tuple[Resource, list[Resource]]:
    """The report as the EHR has it, and who is said to have made and verified it."""
    patient = f"Patient/{hospital.patient(name).id}"
    prescreen = Record(hospital.database).latest("sandbox", hospital.sandbox.fhir_base, patient)
    assert prescreen is not None
    records = hospital.sandbox.records
    (report,) = records.search(parse("DiagnosticReport", f"identifier={prescreen.id}")).resources
    provenances = records.search(parse("Provenance", f"target=DiagnosticReport/{report['id']}")).resources
    return report, [agent for provenance in provenances for agent in provenance["agent"]]


def test_from_the_order_to_the_final_report(app: App) -> None:
    hospital, page = app.hospital, app.window().new_page()
    page.goto(f"{hospital.sandbox.base_url}/patients/{hospital.patient('pneumonia').id}")
    page.get_by_role("button", name="Sign order").click()
    page.locator(".card").first.wait_for()
    hospital.work()
    page.get_by_role("button", name="See the image, the notes and the reasons", exact=True).first.click()

    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_contain_text("Pneumonia: high probability")
    expect(frame.locator("film-viewer[data-shown]")).to_be_visible()
    expect(frame.get_by_role("heading", name="In the notes")).to_be_visible()
    expect(frame.locator(".evidence q").first).to_be_visible()
    frame.locator(".evidence summary").first.click()
    expect(frame.locator(".written mark.counts").first).to_be_visible()

    for group in frame.locator("tr.high fieldset, tr.review fieldset").all():
        group.locator("[value=agree]").check()
    pneumonia = frame.get_by_role("group", name="Pneumonia")
    pneumonia.get_by_label("Disagree: not present").check()
    pneumonia.get_by_label("Why you disagree").fill("Aspiration, known since May.")
    frame.get_by_label("Comment").fill("Compared with May.")
    frame.get_by_role("button", name="Sign", exact=True).click()
    expect(frame.get_by_text("Final", exact=True)).to_be_visible()
    expect(frame.get_by_text("Disagreed: Aspiration, known since May.")).to_be_hidden()
    expect(frame.get_by_text("Compared with May.")).to_be_visible()

    hospital.work()
    report, agents = reported(hospital, "pneumonia")
    assert report["status"] == "final"
    assert report["resultsInterpreter"][0]["reference"].startswith("Practitioner/")
    assert "Aspiration, known since May." in report["conclusion"]
    assert [agent["who"] for agent in agents if agent["type"]["coding"][0]["code"] == "verifier"] == [
        report["resultsInterpreter"][0]
    ]


def test_what_is_saved_without_signing_is_in_the_ehr_in_the_clinicians_name(app: App) -> None:
    page = app.open(app.hospital.newcomer("pneumothorax"), ORDERING, app.window())
    page.locator("[name=verdict-pneumothorax][value=agree]").check()
    page.get_by_label("Comment").fill("Chest tube is in.")
    page.get_by_role("button", name="Save without signing").click()
    expect(page.get_by_text("You saved this")).to_be_visible()
    app.hospital.work()
    records = app.hospital.sandbox.records
    observations = records.search(parse("Observation", "_count=1000")).resources
    (said,) = [one for one in observations if one.get("valueString") == "Chest tube is in."]
    assert said["performer"] == [{"reference": ORDERING}]
    assert said["component"][0]["valueString"] == "Agrees with the models"
    (report,) = records.search(
        parse("DiagnosticReport", f"identifier={said['focus'][0]['identifier']['value']}")
    ).resources
    assert said["focus"][0]["reference"] == f"DiagnosticReport/{report['id']}"
    assert report["status"] == "preliminary"


def test_two_read_from_one_queue(app: App) -> None:
    """What one claims the other sees at once, and cannot take."""
    patient = app.hospital.newcomer("effusion-j2k")
    app.hospital.sign(patient)
    app.hospital.work()
    windows = [app.open("pneumothorax", READING, app.window()) for _ in range(2)]
    mine, theirs = (row(page, waiting(app.hospital, patient)) for page in windows)
    for page, item in zip(windows, (mine, theirs), strict=True):
        app.go(page, "/smart/worklist")
        expect(item).to_be_visible()
    mine.get_by_role("button", name="Claim").click()
    expect(mine).to_contain_text("me")
    expect(theirs.get_by_role("button", name="Release")).to_be_visible()
    mine.get_by_role("button", name="Done").click()
    expect(theirs).to_have_count(0)


def waiting(hospital: Hospital, patient: SamplePatient) -> str:
    """The prescreen that waits for a reader."""
    found = Record(hospital.database).latest(TENANT, hospital.sandbox.fhir_base, f"Patient/{patient.id}")
    assert found is not None
    return found.id


def row(page: Page, prescreen: str) -> Locator:
    return page.get_by_role("row").filter(has=page.locator(f"a[href*='{prescreen}']"))


def test_by_keyboard_alone(app: App) -> None:
    app.hospital.sign("reassuring")
    app.hospital.work()
    page = app.open("pneumothorax", ORDERING, app.window())
    page.wait_for_selector("film-viewer[data-shown]")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
        if reached[-1] == "Sign":
            break
    for name in ("Fit", "Reset", "brightness", "verdict-pneumothorax", "comment", "Sign"):
        assert name in reached
    page.get_by_role("group", name="Pneumothorax").get_by_label("Agree", exact=False).first.focus()
    page.keyboard.press("Space")
    page.locator("button", has_text="Sign").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Signed by Practitioner/")).to_be_visible()


def test_a_colleagues_signature_appears_by_itself(app: App) -> None:
    app.hospital.sign("worrying")
    app.hospital.work()
    looking, signing = (app.open("effusion", ORDERING, app.window()) for _ in range(2))
    for page in (looking, signing):
        page.wait_for_selector("film-viewer[data-shown]")
    looking.get_by_role("button", name="Invert").click()
    for group in signing.locator("tr.high fieldset, tr.review fieldset").all():
        group.locator("[value=agree]").check()
    signing.get_by_role("button", name="Sign", exact=True).click()
    expect(looking.get_by_text("Signed by Practitioner/")).to_be_visible()
    assert looking.locator("film-viewer").evaluate("viewer => viewer.inverted")


def test_it_prints_without_controls_what_was_said_and_nothing_else(app: App) -> None:
    page = app.open(app.hospital.newcomer("pneumothorax"), ORDERING, app.window())
    said, chosen = page.locator("[name=verdict-pneumothorax]").all()
    said.check()
    page.get_by_role("button", name="Save without signing").click()
    page.wait_for_selector("film-viewer[data-shown]")
    chosen.check()
    page.emulate_media(media="print")
    expect(page.locator(".tools")).to_be_hidden()
    expect(page.locator(".signing")).to_be_hidden()
    expect(page.locator("#finding-pneumothorax .view")).to_have_text("Agreed", use_inner_text=True)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.pdf().startswith(b"%PDF")
