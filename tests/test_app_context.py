"""``appContext`` (CDS Hooks 2.0, "Link"): opaque, signed, expiring."""

from __future__ import annotations

import base64
import uuid

import pytest

from cds.app_context import LIFETIME_S, issue, read
from cds.errors import Forbidden

KEY = b"k" * 32
NOW = 1_700_000_000
PRESCREEN = str(uuid.UUID(int=7))
HANDLE = issue(KEY, PRESCREEN, now=NOW)


def raw(handle: str) -> bytes:
    return base64.urlsafe_b64decode(handle + "=" * (-len(handle) % 4))


def test_it_leads_to_its_prescreen_and_holds_nothing_else() -> None:
    assert read(KEY, HANDLE, now=NOW) == PRESCREEN
    id, expiry, signature = 16, 8, 32
    assert len(raw(HANDLE)) == id + expiry + signature


def test_it_goes_into_a_url_as_it_is() -> None:
    assert HANDLE.replace("-", "").replace("_", "").isalnum()


def test_it_ends_with_its_shift() -> None:
    assert read(KEY, HANDLE, now=NOW + LIFETIME_S) == PRESCREEN
    with pytest.raises(Forbidden, match="expired"):
        read(KEY, HANDLE, now=NOW + LIFETIME_S + 1)


@pytest.mark.parametrize("place", [0, 15, 16, 23, 24, 55])
def test_no_byte_of_it_can_be_changed(place: int) -> None:
    changed = bytearray(raw(HANDLE))
    changed[place] ^= 1
    with pytest.raises(Forbidden):
        read(KEY, base64.urlsafe_b64encode(changed).decode().rstrip("="), now=NOW)


@pytest.mark.parametrize("handle", ["", "x", HANDLE[:-4], HANDLE + "AAAA", "\u00e9" * 75, "a.b.c"])
def test_what_is_none_of_ours(handle: str) -> None:
    with pytest.raises(Forbidden):
        read(KEY, handle, now=NOW)


def test_another_key_signed_none_of_ours() -> None:
    with pytest.raises(Forbidden):
        read(b"other" * 8, HANDLE, now=NOW)
