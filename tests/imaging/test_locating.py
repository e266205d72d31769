"""Where a study is, of several PACS: whoever says so first, whatever the others do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import httpx
import pytest

from cds.errors import BadAnswer, Busy, Missing, SightlineError, Unreachable
from cds.imaging.derived import WARNING
from cds.imaging.locating import has_images, locate

from .test_dicomweb import Handler, answering, pacs

A, B, C = "https://a.example/dicom-web", "https://b.example:8443/rs", "https://c.example"
STUDY = "1.2.3"


def saying(**answers: bool | SightlineError) -> Callable[[str], bool]:
    """PACS that answer so, by the first letter of their names."""

    def has_study(root: str) -> bool:
        answer = answers[root.removeprefix("https://")[0]]
        if isinstance(answer, SightlineError):
            raise answer
        return answer

    return has_study


@pytest.fixture
def teardown() -> Iterator[Event]:
    """Set when the test is over."""
    over = Event()
    yield over
    over.set()


def test_it_is_where_it_is_whichever_is_named_first() -> None:
    for roots in ([A, B, C], [C, B, A]):
        located = locate(roots, saying(a=False, b=True, c=False))
        assert (located.root, located.unseen) == (B, ())


def test_a_single_one_is_not_asked() -> None:
    assert locate([A], saying()).root == A


def test_one_that_hangs_is_not_waited_for(teardown: Event) -> None:
    def has_study(root: str) -> bool:
        return root == B or teardown.wait(30)

    assert locate([A, B], has_study).root == B


def test_one_that_failed_costs_nothing_and_is_named() -> None:
    failed = Event()

    def has_study(root: str) -> bool:
        if root == B:
            failed.set()
            raise Unreachable("the PACS did not answer in time")
        failed.wait(10)
        # Nobody is told when a failure has come through; long before this.
        return not Event().wait(0.5)

    located = locate([A, B], has_study)
    assert located.root == A
    assert located.unseen == ("b.example:8443 was not looked into: the PACS did not answer in time",)


def test_where_none_has_it_that_is_said() -> None:
    with pytest.raises(Missing, match=r"^none of the PACS has the study$"):
        locate([A, B], saying(a=False, b=False))


def test_where_one_may_have_it_that_failed_that_is_another_thing() -> None:
    answers = saying(a=Unreachable("the PACS cannot be reached"), b=False, c=BadAnswer("nonsense"))
    with pytest.raises(Unreachable) as raised:
        locate([C, B, A], answers)
    assert str(raised.value) == (
        "no PACS that answered has the study; a.example was not looked into: the PACS cannot be reached; "
        "c.example was not looked into: nonsense"
    )


def test_what_there_was_no_time_for_is_asked_again_later() -> None:
    with pytest.raises(Busy):
        locate([A, B], saying(a=Busy("there is too much to do"), b=False))


def series(modality: str | None = "DX", description: str = "PA") -> dict[str, Any]:
    stated = {"00080060": {"Value": [modality]}} if modality else {}
    return {"0020000E": {"Value": ["1.2.3.1"]}, "0008103E": {"Value": [description]}, **stated}


@pytest.mark.parametrize(
    ("answer", "has"),
    [
        (answering(json=[series("SR"), series("CR")]), True),
        (answering(json=[series(None)]), True),
        (answering(json=[series("SR")]), False),
        (answering(json=[series("DX", WARNING)]), False),
        (answering(json=[]), False),
        (answering(204), False),
        (answering(404), False),
    ],
    ids=["film", "modality unstated", "reports alone", "ours alone", "no series", "204", "404"],
)
def test_a_pacs_has_a_study_where_it_has_its_images(answer: Handler, has: bool) -> None:
    assert has_images(pacs(answer), STUDY, ("DX", "CR")) is has


def test_one_that_does_not_say_is_not_one_without_it() -> None:
    with pytest.raises(BadAnswer):
        has_images(pacs(answering(500)), STUDY, ("DX",))
    with pytest.raises(Unreachable):
        has_images(pacs(_hung), STUDY, ("DX",))


def _hung(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("", request=request)
