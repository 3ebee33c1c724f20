"""What a run has seen: every answer, every change of a coupon, and what the servers hold at the end.

Times are seconds since 1970 by the machine's clock, which the servers of a run share.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

NO_ANSWER = 0
HELD = ("issued", "already_issued")
REFUSED = ("sold_out", "closed", "not_open")


class Ask(NamedTuple):
    """One request for a coupon. Status 0: no answer came; it may have been decided all the same."""

    coupon: str
    user: str
    server: str
    start: float
    end: float
    status: int
    result: str = ""
    sequence: int = 0
    issued_at: str = ""
    pending: bool = False

    @property
    def held(self) -> bool:
        """The answer says that the user holds the coupon."""
        return self.result in HELD

    @property
    def decided(self) -> bool:
        """The answer says whether the user holds the coupon."""
        return self.result in HELD or self.result in REFUSED


class Change(NamedTuple):
    """A PATCH of the stock, or a close (`stock` is None). Status 0: no answer came."""

    coupon: str
    stock: int | None
    start: float
    end: float
    status: int

    @property
    def done(self) -> bool:
        """It was made for certain, and was in force when it was answered."""
        return self.status == 200

    @property
    def possible(self) -> bool:
        """It was made, or may have been."""
        return not 400 <= self.status < 500


@dataclass(frozen=True)
class Coupon:
    """A coupon as it was created, before the first request."""

    id: str
    stock: int
    ack: str = "gate"


class Row(NamedTuple):
    """A row of user_coupon."""

    coupon: str
    user: str
    sequence: int
    epoch: int
    issued_at: float
    saved_at: float


class Event(NamedTuple):
    """A message of the log, in the order of the log. `written_at`: when its producer made it."""

    coupon: str
    user: str
    sequence: int
    epoch: int
    written_at: float


@dataclass
class View:
    """A coupon as the API shows it when all has drained; -1 where it shows null."""

    stock: int
    issued: int
    published: int
    persisted: int


@dataclass
class Contents:
    """What the servers hold when all has drained. `events` is None for a log that keeps nothing."""

    rows: list[Row] = field(default_factory=list)
    events: list[Event] | None = None
    holders: dict[str, dict[str, int]] | None = None
    outbox_entries: dict[str, int] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)


class FaultSpan(NamedTuple):
    """When a fault was in force, what it struck, and which programs could not tell what they had answered."""

    name: str
    start: float
    end: float
    part: str = ""
    loses_gate: bool = False
    killed: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()


@dataclass
class History:
    """Everything a run has done and seen.

    `gate_lost`: some fault took answered state from the gate. `untold_is_lost`: what the gate decided and
    nobody was told may go, as in a gate that lives in its process. `log_remade`: the topic was deleted.
    `clocks_moved`: times that the servers wrote down prove nothing. `take_overs_s`: how long another took to
    do the work of a process that hung.
    `crashes`: processes that ended in a way no fault made them. `audit`: what `seonchak audit` complained of.
    """

    coupons: list[Coupon]
    asks: list[Ask] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    faults: list[FaultSpan] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    undrained: list[str] = field(default_factory=list)
    audit: list[str] = field(default_factory=list)
    take_overs_s: list[float] = field(default_factory=list)
    gate_lost: bool = False
    untold_is_lost: bool = False
    log_remade: bool = False
    clocks_moved: bool = False
