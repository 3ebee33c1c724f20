"""Which acknowledged coupons docs/guarantees.md allows to be lost. Pure: no I/O.

A coupon that Redis forgot, that had not reached the log, and whose API process died or was cut off at the
same time. Everything else must come back.
"""

from collections import defaultdict
from collections.abc import Iterator

from faults.history import Ask, Contents, FaultSpan, History

# Between the end of a fault and the first answer that proves the recovery over, as the clients see it.
SLACK_S = 1.0
# Until then an event may be on its way from the relay to the broker.
IN_FLIGHT_S = 1.0
ON_THE_WAY = ("worker", "kafka", "link")


class Losses:
    """The allowed losses of one history."""

    def __init__(self, history: History, contents: Contents) -> None:
        self._history = history
        self._stages = {coupon.id: coupon.ack for coupon in history.coupons}
        self._gate_losses = [span for span in history.faults if span.loses_gate]
        self._told: dict[tuple[str, str, int], list[Ask]] = defaultdict(list)
        self._held_from: dict[str, list[float]] = defaultdict(list)
        for ask in history.asks if self._gate_losses else []:
            if ask.held:
                self._told[ask.coupon, ask.user, ask.sequence].append(ask)
                self._held_from[ask.coupon].append(ask.start)
        self._known: dict[tuple[str, str, int], bool] = {}
        self._written: dict[tuple[str, str, int], float] = {}
        for event in contents.events or []:
            self._written.setdefault((event.coupon, event.user, event.sequence), event.written_at)
        self._healed = {
            (coupon.id, loss): self._healed_at(coupon.id, loss)
            for coupon in history.coupons
            for loss in self._gate_losses
        }

    def allowed(self, ask: Ask) -> bool:
        """Whether what this answer said may be gone."""
        claim = (ask.coupon, ask.user, ask.sequence)
        if claim not in self._known:
            self._known[claim] = any(True for _ in self._excuses(ask))
        return self._known[claim]

    def last_loss_ends(self, coupon: str) -> float:
        """When the last recovery of the coupon was over; 0 when its gate was never lost."""
        return max((healed for (name, _), healed in self._healed.items() if name == coupon), default=0.0)

    def _excuses(self, ask: Ask) -> Iterator[FaultSpan]:
        told = self._told.get((ask.coupon, ask.user, ask.sequence), [])
        if any(self._was_safe(one) for one in told):
            return
        for loss in self._gate_losses:
            healed = self._healed[ask.coupon, loss]
            witnesses = [one for one in told if one.start <= healed]
            if not witnesses or self._was_logged(ask, loss, healed):
                continue
            if all(self._was_silenced(one, loss, healed) for one in witnesses):
                yield loss

    def _healed_at(self, coupon: str, loss: FaultSpan) -> float:
        """When a holder was answered who had asked after the fault."""
        after = [start for start in self._held_from[coupon] if start >= loss.end]
        return min(after, default=float("inf")) + SLACK_S

    def _was_safe(self, ask: Ask) -> bool:
        """It was answered once the stage that the coupon's ack names was reached."""
        stage = self._stages.get(ask.coupon, "gate")
        if ask.pending or stage == "gate":
            return False
        return stage == "store" or not self._history.log_remade

    def _was_logged(self, ask: Ask, loss: FaultSpan, healed: float) -> bool:
        """The log had it for certain when the gate was lost."""
        written = self._written.get((ask.coupon, ask.user, ask.sequence))
        if written is None or self._history.clocks_moved or written > loss.start - IN_FLIGHT_S:
            return False
        return not any(
            span.part in ON_THE_WAY and span.start <= healed and span.end >= written - IN_FLIGHT_S
            for span in self._history.faults
        )

    def _was_silenced(self, ask: Ask, loss: FaultSpan, healed: float) -> bool:
        """The process that had answered was killed before the recovery was over, or cut off meanwhile."""
        for span in self._history.faults:
            if span.start > healed or span.end < ask.start:
                continue
            if ask.server in span.killed or (ask.server in span.cut_off and span.end >= loss.start):
                return True
        return False
