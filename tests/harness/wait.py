"""Waiting for what must become true."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SETTLE_S = 30.0
POLL_S = 0.05


def eventually(check: Callable[[], T], what: str, within_s: float = SETTLE_S) -> T:
    """The first result of `check` that is true. Fails with `what` after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (result := check()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return result
