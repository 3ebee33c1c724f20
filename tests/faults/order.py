"""The rules on the order of rows and of the log: see checker.py."""

from collections.abc import Iterator
from itertools import pairwise

from faults.case import CLOCK_SLACK_S, Breach, Case
from faults.history import Row


def rows_are_in_order(case: Case) -> Iterator[Breach]:
    """One row a sequence; in the first epoch later sequences are not older."""
    for rows in case.rows.values():
        for before, row in pairwise(sorted(rows, key=lambda row: row.sequence)):
            if before.sequence == row.sequence:
                yield Breach("shared_row", f"{before} and {row}")
        for before, row in pairwise(_first_epoch(case, rows)):
            if before.issued_at > row.issued_at + CLOCK_SLACK_S and not case.history.clocks_moved:
                yield Breach("row_order", f"{before} and {row}")


def rows_have_no_gaps(case: Case) -> Iterator[Breach]:
    """In the first epoch, a sequence without a row was of somebody who may have lost it or was never told."""
    for coupon, all_rows in case.rows.items():
        rows = _first_epoch(case, all_rows)
        if not rows:
            continue
        last = rows[-1].sequence
        missing = set(range(1, last + 1)) - {row.sequence for row in rows}
        untold: set[str] = set()
        if case.history.gate_lost:
            asks = case.asks[coupon]
            missing -= {ask.sequence for ask in asks if ask.held and case.losses.allowed(ask)}
            ends = case.losses.last_loss_ends(coupon)
            untold = {ask.user for ask in asks if not ask.decided and ask.start <= ends}
            untold -= {row.user for row in rows}
        if len(missing) > len(untold):
            some = sorted(missing)[:3]
            yield Breach("gap", f"{coupon}: {len(missing)} sequences up to {last} have no row: {some}")


def _first_epoch(case: Case, rows: list[Row]) -> list[Row]:
    """The rows of the first epoch: those up to its highest sequence.

    What a recovery has given back of it has the recovery's epoch. Without a lost gate there is no other.
    """
    ordered = sorted(rows, key=lambda row: row.sequence)
    if not case.history.gate_lost:
        return ordered
    last = max((row.sequence for row in ordered if row.epoch == 1), default=0)
    return [row for row in ordered if row.sequence <= last]


def the_log_is_in_order(case: Case) -> Iterator[Breach]:
    """Within an epoch the first copy of each event comes in order of sequence, in the first without gaps."""
    if case.contents.events is None:
        return
    seen: dict[tuple[str, int, int], str] = {}
    last: dict[tuple[str, int], int] = {}
    for event in case.contents.events:
        key = (event.coupon, event.epoch, event.sequence)
        if key in seen:
            if seen[key] != event.user:
                yield Breach("event_differs", f"{event}, and {seen[key]} before")
            continue
        seen[key] = event.user
        before = last.get(key[:2])
        if before is not None and event.sequence < before:
            yield Breach("log_order", f"{event} comes after sequence {before}")
        elif (
            before is not None
            and event.sequence != before + 1
            and (event.epoch == 1 or not case.history.gate_lost)
        ):
            yield Breach("log_gap", f"{event} comes after sequence {before}")
        last[key[:2]] = max(event.sequence, before or 0)
    if case.history.log_remade:
        return
    logged = {(coupon, sequence, user) for (coupon, _, sequence), user in seen.items()}
    for row in case.contents.rows:
        if (row.coupon, row.sequence, row.user) not in logged:
            yield Breach("not_logged", f"{row} is not in the log")
