"""Server-sent events: a page learns that it is no longer what it would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from cds.findings import Missing
from cds.smart.events import OVER, Streams
from cds.smart.refusals import SessionExpired
from tests.prescreens import EFFUSION, prescreen
from tests.smart.conftest import Browser, Kept

SignIn = Callable[[], TestResponse]

LATE = Missing("image", "the image was not scored in time.", late=True)
LATER = "3c4e28ba-2fa1-51d2-883f-0016d3cca427"


@pytest.fixture
def context() -> Iterator[None]:
    with Flask("events").test_request_context():
        yield


def read(streams: Streams, version: Callable[[], str]) -> str:
    return streams(version).get_data(as_text=True)


@pytest.mark.usefixtures("context")
class TestStreams:
    def test_the_version_is_told_at_once_and_again_when_it_changes(self) -> None:
        versions = iter(["1", "1", "2"])

        def version() -> str:
            if (one := next(versions, None)) is None:
                raise SessionExpired("over")
            return one

        told = [line for line in read(Streams(1), version).split("\n") if line.startswith(("event", "data"))]
        assert told == ["event: version", "data: 1", "event: version", "data: 2", "event: over", "data: "]

    def test_the_end_of_the_session_ends_it(self) -> None:
        def version() -> str:
            raise SessionExpired("over")

        assert read(Streams(1), version).endswith(OVER)

    def test_where_there_is_no_room_the_browser_is_told_to_come_back(self) -> None:
        streams = Streams(1, lasts_s=0)
        held = streams._room
        held.acquire()
        assert read(streams, lambda: "1") == "retry: 10000\nevent: version\ndata: 1\n\n"
        held.release()
        assert read(streams, lambda: "1").startswith("retry: 2000\n")


def test_what_followed_a_late_prescreen_is_shown_in_its_place(
    sign_in: SignIn, browser: Browser, kept: Kept
) -> None:
    kept.all[:] = [prescreen(study=None, missing=(LATE,))]
    sign_in()
    page = browser.get("/smart/").text
    assert "<progress" in page
    assert f'data-version="{prescreen().id}.0"' in page
    kept.all.append(replace(prescreen(id=LATER, findings=(EFFUSION,)), missing=()))
    again = browser.get("/smart/", {"prescreen": prescreen().id}).text
    assert f'data-version="{LATER}.0"' in again
    assert "<progress" not in again


def test_a_stranger_gets_none(browser: Browser) -> None:
    assert browser.get("/smart/events").status_code == 401
