"""A clean run, made by hand, for tests of the checker to spoil."""

from dataclasses import dataclass

from faults.checker import check
from faults.history import Ask, Contents, Coupon, Event, History, Row, View

TIMES = {user: 10.0 + n for n, user in enumerate(("ann", "bob", "cho"))}


@dataclass
class World:
    """A clean run of one coupon with a stock of 3, all of it issued to ann, bob and cho."""

    history: History
    contents: Contents

    def kinds(self) -> set[str]:
        """The kinds of breach that are found."""
        return {breach.kind for breach in check(self.history, self.contents)}


def asked(user: str, result: str = "issued", sequence: int = 0, at: float = 0.0, **changes: object) -> Ask:
    """An answer that agrees with the clean run, but for what is given."""
    at = at or TIMES.get(user, 20.0)
    held = result in ("issued", "already_issued")
    status = {"issued": 201, "already_issued": 200, "sold_out": 409, "closed": 403, "": 0}.get(result, 503)
    ask = Ask(
        "c",
        user,
        "api-1",
        at - 0.1,
        at + 0.1,
        status,
        result,
        sequence or (list(TIMES).index(user) + 1 if held else 0),
        f"at {user}" if held else "",
    )
    return ask._replace(**changes)  # type: ignore[arg-type]


def clean(ack: str = "gate") -> World:
    """The clean run: three winners, a retry, a loser, one without an answer, one in doubt."""
    history = History([Coupon("c", 3, ack)])
    history.asks = [
        *(asked(user) for user in TIMES),
        asked("bob", "already_issued", at=21.0),
        asked("dan", "sold_out"),
        asked("eve", ""),
        asked("fay", "unavailable"),
    ]
    rows = [Row("c", user, n, 1, at, at + 0.05) for n, (user, at) in enumerate(TIMES.items(), 1)]
    events = [Event("c", row.user, row.sequence, 1, row.issued_at + 0.02) for row in rows]
    contents = Contents(rows, [*events[:2], *events], {"c": {row.user: row.sequence for row in rows}})
    contents.outbox_entries = {"c": 0}
    contents.views = {"c": View(3, 3, 3, 3)}
    return World(history, contents)
