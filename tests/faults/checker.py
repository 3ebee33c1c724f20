"""Judges a history and the final contents against the promises of docs/guarantees.md. Pure: no I/O.

A request without an answer, or with a 503, may have been decided or not; nothing else is left open.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from faults.case import CLOCK_SLACK_S, Breach, Case
from faults.history import Ask, Contents, History, Row
from faults.order import rows_are_in_order, rows_have_no_gaps, the_log_is_in_order

BREACHES_PER_KIND_MAX = 5
STATUS_OF = {
    "issued": (201, 202),
    "already_issued": (200, 202),
    "sold_out": (409,),
    "closed": (403,),
    "unavailable": (503,),
    "": (0,),
}


Rule = Callable[[Case], Iterable[Breach]]


def check(history: History, contents: Contents) -> list[Breach]:
    """All breaches, at most BREACHES_PER_KIND_MAX of a kind."""
    case = Case(history, contents)
    found: list[Breach] = []
    for rule in RULES:
        count: dict[str, int] = defaultdict(int)
        for breach in rule(case):
            count[breach.kind] += 1
            if count[breach.kind] <= BREACHES_PER_KIND_MAX:
                found.append(breach)
    return found


def answers_are_of_the_api(case: Case) -> Iterator[Breach]:
    """In doubt 503 or nothing; never a 404, a 500, or a status that contradicts its body."""
    known = {coupon.id for coupon in case.history.coupons}
    for ask in case.history.asks:
        if ask.coupon not in known or ask.status not in STATUS_OF.get(ask.result, ()):
            yield Breach("odd_answer", f"{ask}")


def one_per_user(case: Case) -> Iterator[Breach]:
    """A user is told one sequence and one time, and `issued` once, but for what was lost and may be."""
    for coupon, asks in case.asks.items():
        told: dict[str, Ask] = {}
        first: dict[str, Ask] = {}
        rows = {(row.user, row.sequence) for row in case.rows[coupon]}
        for ask in asks:
            if not ask.held or ((ask.user, ask.sequence) not in rows and case.losses.allowed(ask)):
                continue
            known = told.setdefault(ask.user, ask)
            if known.sequence != ask.sequence:
                yield Breach("two_sequences", f"{coupon}: {known} and {ask}")
            elif known.issued_at != ask.issued_at:
                yield Breach("two_times", f"{coupon}: {known} and {ask}")
            if ask.result == "issued" and first.setdefault(ask.user, ask) is not ask:
                yield Breach("issued_twice", f"{coupon}: {first[ask.user]} and {ask}")
        users: dict[int, str] = {}
        for ask in told.values():
            if users.setdefault(ask.sequence, ask.user) != ask.user:
                yield Breach(
                    "shared_sequence", f"{coupon}: {ask.sequence} of {users[ask.sequence]} and {ask}"
                )


def never_over_issued(case: Case) -> Iterator[Breach]:
    """Not more holders than the highest stock there may have been, nor than the stock at the end."""
    for coupon in case.history.coupons:
        holders = len(case.holders(coupon.id))
        highest = max(stock for stock, _, _ in case.stocks(coupon))
        if holders > highest:
            yield Breach("over_issued", f"{coupon.id}: {holders} holders, the stock was {highest} at most")
        view = case.contents.views.get(coupon.id)
        if view is not None and holders > view.stock:
            yield Breach("over_stock", f"{coupon.id}: {holders} holders, the stock is {view.stock}")


def nothing_is_lost(case: Case) -> Iterator[Breach]:
    """Each user that was told to hold a coupon has one row, with the sequence told, or may have lost it."""
    for coupon, asks in case.asks.items():
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in case.rows[coupon]:
            rows[row.user].append(row)
        for user, found in rows.items():
            if len(found) > 1:
                yield Breach("two_rows", f"{coupon}: {user}: {found}")
        missing = set()
        for ask in asks:
            if not ask.held or ask.user in missing:
                continue
            if any(row.sequence == ask.sequence for row in rows[ask.user]) or case.losses.allowed(ask):
                continue
            if not rows[ask.user]:
                missing.add(ask.user)
                yield Breach("lost", f"{ask} has no row")
            else:
                yield Breach("wrong_row", f"{ask}, but {rows[ask.user]}")


def nothing_is_invented(case: Case) -> Iterator[Breach]:
    """Each row, event and holder was asked for before it was made."""
    for coupon in {row.coupon for row in case.contents.rows} | {c.id for c in case.history.coupons}:
        asked: dict[str, float] = {}
        for ask in case.asks.get(coupon, []):
            asked[ask.user] = min(ask.start, asked.get(ask.user, ask.start))
        for row in case.rows[coupon]:
            if row.user not in asked:
                yield Breach("invented", f"{row} was never asked for")
            elif row.issued_at < asked[row.user] - CLOCK_SLACK_S and not case.history.clocks_moved:
                yield Breach("invented", f"{row} is older than the first request, {asked[row.user]}")
        for user in set((case.contents.holders or {}).get(coupon, {})) - set(asked):
            yield Breach("invented", f"{coupon}: the gate holds {user}, who never asked")
    asked_pairs = {(ask.coupon, ask.user) for ask in case.history.asks}
    for event in case.contents.events or []:
        if (event.coupon, event.user) not in asked_pairs:
            yield Breach("invented", f"{event} was never asked for")


def sold_out_is_true(case: Case) -> Iterator[Breach]:
    """`sold_out` only when as many were issued as the least stock that may have been in force.

    A request without an answer may have taken stock that a lost gate has forgotten since.
    """
    for coupon in case.history.coupons:
        issued = sorted(row.issued_at for row in case.rows[coupon.id])
        holders = {row.user for row in case.rows[coupon.id]}
        forgotten: list[float] = []
        if case.history.gate_lost or case.history.untold_is_lost:
            unknown: dict[str, float] = {}
            for ask in case.asks[coupon.id]:
                lost = ask.held and case.losses.allowed(ask)
                if (lost or not ask.decided) and ask.user not in holders:
                    unknown[ask.user] = min(ask.start, unknown.get(ask.user, ask.start))
            forgotten = sorted(unknown.values())
        stocks = list(case.stocks(coupon))
        for ask in case.asks[coupon.id]:
            if ask.result != "sold_out":
                continue
            least = min(stock for stock, start, end in stocks if start <= ask.end and end >= ask.start)
            until = float("inf") if case.history.clocks_moved else ask.end + CLOCK_SLACK_S
            taken = bisect_right(issued, until) + bisect_right(forgotten, ask.end)
            if taken < least:
                yield Breach("false_sold_out", f"{ask}: {taken} were issued of {least} at least")


def closing_is_in_force(case: Case) -> Iterator[Breach]:
    """`closed` only after somebody asked to close; nothing is issued once that is answered."""
    for coupon in case.history.coupons:
        closes = [c for c in case.changes[coupon.id] if c.stock is None and c.possible]
        begun = min((c.start for c in closes), default=float("inf"))
        ended = min((c.end for c in closes if c.done), default=float("inf"))
        for ask in case.asks[coupon.id]:
            if ask.result == "closed" and ask.end < begun:
                yield Breach("false_closed", f"{ask}, closed at {begun}")
        for row in case.rows[coupon.id]:
            if row.issued_at > ended + CLOCK_SLACK_S and not case.history.clocks_moved:
                yield Breach("issued_after_close", f"{row}, closed at {ended}")


def ack_is_kept(case: Case) -> Iterator[Breach]:
    """An answer that is not `pending` came after the stage its coupon's ack names."""
    stages = {coupon.id: coupon.ack for coupon in case.history.coupons}
    saved = {(row.coupon, row.user): row.saved_at for row in case.contents.rows}
    written: dict[tuple[str, str], float] = {}
    for event in case.contents.events or []:
        written.setdefault((event.coupon, event.user), event.written_at)
    for ask in case.history.asks:
        stage = stages.get(ask.coupon, "gate")
        if not ask.held or ask.pending or stage == "gate":
            continue
        known = saved if stage == "store" else written
        unknown = case.contents.events is None or case.history.log_remade or case.history.clocks_moved
        if (stage == "log" and unknown) or case.losses.allowed(ask):
            continue
        reached = known.get((ask.coupon, ask.user))
        if reached is None or reached > ask.end + CLOCK_SLACK_S:
            yield Breach("early_answer", f"{ask}: ack={stage} reached at {reached}")


def parts_agree(case: Case) -> Iterator[Breach]:
    """When all has drained the gate, the store and the API tell the same, and the outbox is empty."""
    for coupon in case.history.coupons:
        rows = {row.user: row.sequence for row in case.rows[coupon.id]}
        if case.contents.holders is not None and case.contents.holders.get(coupon.id, {}) != rows:
            held = case.contents.holders.get(coupon.id, {})
            differing = {user for user in held.keys() | rows.keys() if held.get(user) != rows.get(user)}
            some = {user: (held.get(user), rows.get(user)) for user in sorted(differing)[:3]}
            yield Breach("gate_differs", f"{coupon.id}: {len(differing)} users, (gate, store): {some}")
        if case.contents.outbox_entries.get(coupon.id, 0):
            yield Breach("outbox_left", f"{coupon.id}: {case.contents.outbox_entries[coupon.id]} entries")
        view = case.contents.views.get(coupon.id)
        if view is not None and view.issued != len(rows):
            yield Breach("view_differs", f"{coupon.id}: {view}, {len(rows)} rows")


def it_heals(case: Case) -> Iterator[Breach]:
    """Everything drained in time, no process ended by itself, and the program's own audit is clean."""
    for text in case.history.undrained:
        yield Breach("not_healed", text)
    for text in case.history.crashes:
        yield Breach("crashed", text)
    for text in case.history.audit:
        yield Breach("audit", text)


RULES: list[Rule] = [
    answers_are_of_the_api,
    one_per_user,
    never_over_issued,
    nothing_is_lost,
    nothing_is_invented,
    rows_are_in_order,
    rows_have_no_gaps,
    the_log_is_in_order,
    sold_out_is_true,
    closing_is_in_force,
    ack_is_kept,
    parts_agree,
    it_heals,
]


def allowed_losses(history: History, contents: Contents) -> int:
    """How many users were told to hold a coupon, have no row, and may have lost it."""
    case = Case(history, contents)
    saved = {(row.coupon, row.user) for row in contents.rows}
    return len(
        {
            (ask.coupon, ask.user)
            for ask in history.asks
            if ask.held and (ask.coupon, ask.user) not in saved and case.losses.allowed(ask)
        }
    )


def times_to_recover(history: History) -> list[tuple[str, float]]:
    """For each fault that no other overlaps: seconds from its end until every coupon was answered again."""
    found = []
    decided = {
        coupon.id: sorted((a.start, a.end) for a in history.asks if a.coupon == coupon.id and a.decided)
        for coupon in history.coupons
    }
    spans = sorted(history.faults, key=lambda fault: fault.start)
    for fault in spans:
        firsts = [
            next((end for start, end in answers if start >= fault.end), None) for answers in decided.values()
        ]
        known = [first for first in firsts if first is not None]
        if len(known) < len(firsts):
            continue
        healed = max(known, default=fault.end)
        others = [other for other in spans if other is not fault]
        if not any(other.start < healed and other.end > fault.start for other in others):
            found.append((fault.name, healed - fault.end))
    return found
