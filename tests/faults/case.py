"""A history with its indexes, as the rules of the checker read it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from faults.history import Ask, Change, Contents, Coupon, History, Row
from faults.losses import Losses

CLOCK_SLACK_S = 0.002


class Breach(NamedTuple):
    """A broken promise: its kind, a stable word, and the evidence."""

    kind: str
    text: str


class Case:
    """A history with its indexes."""

    def __init__(self, history: History, contents: Contents) -> None:
        self.history = history
        self.contents = contents
        self.asks: dict[str, list[Ask]] = defaultdict(list)
        for ask in history.asks:
            self.asks[ask.coupon].append(ask)
        self.rows: dict[str, list[Row]] = defaultdict(list)
        for row in contents.rows:
            self.rows[row.coupon].append(row)
        self.changes: dict[str, list[Change]] = defaultdict(list)
        for change in sorted(history.changes, key=lambda change: change.start):
            self.changes[change.coupon].append(change)
        self.losses = Losses(history, contents)

    def holders(self, coupon: str) -> set[str]:
        """Every user that any part says to hold the coupon, but for those whose loss is allowed."""
        told = {ask.user for ask in self.asks[coupon] if ask.held and not self.losses.allowed(ask)}
        saved = {row.user for row in self.rows[coupon]}
        return told | saved | set((self.contents.holders or {}).get(coupon, {}))

    def stocks(self, coupon: Coupon) -> Iterator[tuple[int, float, float]]:
        """Each stock that may have been in force, and the longest time it may have been."""
        steps = [(coupon.stock, 0.0, True)]
        steps += [
            (change.stock, change.start, change.done)
            for change in self.changes[coupon.id]
            if change.stock is not None and change.possible
        ]
        ends = [c.end for c in self.changes[coupon.id] if c.stock is not None and c.done]
        for stock, start, _ in steps:
            # It is over for certain when a later change is answered.
            later = [end for end in ends if end > start]
            own = next((c for c in self.changes[coupon.id] if c.start == start and c.done), None)
            if own is not None:
                later = [end for end in later if end > own.end]
            yield stock, start, min(later, default=float("inf"))
