"""The last values are at hand, the others are not."""

from __future__ import annotations

from cds.store.recent import Recent


def test_the_one_that_was_not_asked_for_the_longest_goes_first() -> None:
    recent: Recent[int] = Recent(2)
    recent.put(1, "tenant", "a")
    recent.put(2, "tenant", "b")
    assert recent.get("tenant", "a") == 1
    recent.put(3, "tenant", "c")
    assert [recent.get("tenant", key) for key in "abc"] == [1, None, 3]


def test_tenants_share_no_key() -> None:
    recent: Recent[int] = Recent(2)
    recent.put(1, "one", "a")
    assert recent.get("other", "a") is None
