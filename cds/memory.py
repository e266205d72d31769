"""What a process gives back of the memory that large films took, which the C library would rather keep."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_ARENAS = 1


def give_back_what_is_large(from_bytes: int) -> None:
    """Of what is let go the C library keeps less than ``from_bytes`` at a time, in one arena that threads share.

    To be said before there are threads (glibc; mallopt(3)). Who computes with arrays needs some kept: each that is
    not is fetched anew from the system, page by page.
    """
    with suppress(AttributeError, OSError):  # another C library has ways of its own
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, from_bytes)
        library.mallopt(_M_TRIM_THRESHOLD, 2 * from_bytes)
        library.mallopt(_M_ARENA_MAX, _ARENAS)


def give_back_now() -> None:
    """All that was let go, as after loading: what was read to build something lies between what was built."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
