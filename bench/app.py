"""``python -m bench.app``: how long a clinician waits, from the click in the EHR to the film and its heat map.

What is measured
    Sightline as it is deployed (:mod:`bench.hospital`), and Debian's Chromium on the same machine. A clinician
    signs an order in the sandbox EHR and opens the app from its card, ROUNDS times; the first is not counted. The
    figure is the median.

    *Page*: from the launch URL to the patient's page with its headline: discovery (kept), authorization, token,
    id_token, the patient read from the EHR, the page. *Image*: from there to the film on the screen, with as many
    pixels as a screen shows; *every pixel*, from the wish for it, the whole film. *Heat map*: from the wish for it
    to the picture, at the first look, when the model computes it, and when it is kept. *Weight*: what the browser
    fetched for the page but the film. *Interactive*: the browser's own ``domInteractive``.

What to make of it
    The browser, the EHR, the PACS and the service share one machine. There is no peer.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from bench.hospital import Hospital, hospital
from bench.report import Row, at_most, device, figure, goals, table, write_json

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
ROUNDS = 8
FILMS: Mapping[str, str] = {"2k JPEG 2000": "effusion-j2k", "1k uncompressed": "pneumothorax"}
"""By kind of film, the sample patient who has one."""
SHOWN = "film-viewer[data-shown]"
WEIGHT = """() => performance.getEntriesByType("resource").filter(one => one.initiatorType !== "fetch")
    .concat(performance.getEntriesByType("navigation")).reduce((sum, one) => sum + one.transferSize, 0) / 1024"""
INTERACTIVE = "() => performance.getEntriesByType('navigation')[0].domInteractive"
LOOK_CLOSELY = "viewer => { viewer.actual(); }"
HEAT = """async (viewer, place) => {
    viewer.querySelector("select").selectedIndex = place;
    const begun = performance.now();
    await viewer.showHeat(0.6);
    return viewer.heat ? performance.now() - begun : null;
}"""
HEAT_AGAIN = """async (viewer) => {
    const begun = performance.now();
    await createImageBitmap(await (await fetch(viewer.heatOf)).blob());
    return performance.now() - begun;
}"""

GOALS: Mapping[str, float] = {"page": 700, "image": 300, "heat map, first look": 300, "heat map, kept": 300}
"""Milliseconds."""

Waits = dict[str, list[float]]


def main() -> None:
    """Exit code 0 whether or not the goals are met: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m bench.app", description="How long a clinician waits.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as home, hospital(Path(home)) as everyone:
        rows = list(measure(everyone, arguments.rounds))
    lines = [[row.name, f"{figure(row.value)} {row.unit}"] for row in rows]
    print(table(["median of what a clinician waits for", "value"], lines), goals(rows), device(), sep="\n\n")
    if arguments.json:
        write_json(arguments.json, rows)


def measure(everyone: Hospital, rounds: int) -> Iterator[Row]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for film, patient in FILMS.items():
            waits: Waits = defaultdict(list)
            for place in range(rounds + 1):
                for name, wait in _look(browser, _launch_url(everyone, patient), place).items():
                    waits[name] += [wait] * (place > 0)
            yield from _rows(film, waits)
        browser.close()


def _look(browser: Browser, launch_url: str, place: int) -> dict[str, float]:
    """One clinician, with a browser that knows nothing of us; ``place`` is that of the finding to explain."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        begun = time.perf_counter()
        page.goto(launch_url, wait_until="commit")
        page.wait_for_selector("h1")
        read = time.perf_counter()
        page.wait_for_selector(SHOWN)
        seen = time.perf_counter()
        waits = {"page": read - begun, "image": seen - read}
        found = {name: 1000 * seconds for name, seconds in waits.items()}
        return found | _more(page, place)


def _more(page: Page, place: int) -> dict[str, float]:
    viewer = page.locator("film-viewer")
    found = {"weight": page.evaluate(WEIGHT), "interactive": page.evaluate(INTERACTIVE)}
    found["heat map, first look"] = viewer.evaluate(HEAT, place)
    found["heat map, kept"] = viewer.evaluate(HEAT_AGAIN)
    if viewer.evaluate("viewer => viewer.film.detail < 1"):
        begun = time.perf_counter()
        viewer.evaluate(LOOK_CLOSELY)
        page.wait_for_selector("film-viewer[data-whole]")
        found["every pixel"] = 1000 * (time.perf_counter() - begun)
    return found


def _rows(film: str, waits: Waits) -> Iterator[Row]:
    for name, values in waits.items():
        value, (unit, limit) = _median(values), _goal(name)
        goal = f"< {limit:.0f} {unit}" if limit else ""
        met = at_most(limit, value) if limit else None
        yield Row(f"{name}, {film}", value, unit, goal=goal, met=met, device=device())


def _goal(name: str) -> tuple[str, float | None]:
    """Its unit, and below what it is to be."""
    if name == "weight":
        return "KB", 300
    return "ms", 1000 if name == "interactive" else GOALS.get(name)


def _median(values: Sequence[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return statistics.median(measured) if measured else None


def _launch_url(everyone: Hospital, patient: str) -> str:
    """Where the EHR sends the browser of a clinician who signs the patient's order and opens the card's app."""
    base = everyone.sandbox.base_url
    with httpx.Client(base_url=base, headers={"Origin": base}, trust_env=False, timeout=30) as ehr:
        desk = re.search(r'action="(/desk/[^"/]+)/sign"', ehr.get(f"/patients/{patient}").text)
        assert desk
        link = None
        while link is None:  # an answer that was late has no card with the app
            advised = ehr.post(f"{desk[1]}/sign", headers={"X-Fragment": "desk"}).raise_for_status().text
            link = re.search(r'formaction="(/desk/[^"]+/launch/\d+)"', advised)
        return unescape(ehr.post(link[1], data={"where": "tab"}).headers["Location"])


if __name__ == "__main__":
    main()
