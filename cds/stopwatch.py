"""How long each step took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Stopwatch:
    """Steps by name, in milliseconds; may be used from several threads at once."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.milliseconds[step] = round((time.perf_counter() - started) * 1000, 2)

    def timed(self, step: str, function: Callable[P, T]) -> Callable[P, T]:
        """``function``, timed as ``step``."""

        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            with self(step):
                return function(*args, **kwargs)

        return run
