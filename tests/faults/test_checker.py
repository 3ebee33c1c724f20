"""The checker finds each kind of breach in a history made by hand, and none where there is none."""

from collections.abc import Callable

import pytest

from faults.checker import RULES, times_to_recover
from faults.history import Change, Coupon, FaultSpan, History, Row, View
from faults.made_history import World, asked, clean


def unanswered(world: World, index: int) -> None:
    an_answer(world, index, status=0, result="", sequence=0, issued_at="")


@pytest.mark.parametrize("ack", ["gate", "log", "store"])
def test_a_clean_run_has_no_breach(ack: str) -> None:
    world = clean(ack)
    assert world.kinds() == set()
    # The embedded composition keeps neither log nor gate.
    world.contents.events = world.contents.holders = None
    assert world.kinds() == set()


def a_row(world: World, index: int, **changes: object) -> None:
    world.contents.rows[index] = world.contents.rows[index]._replace(**changes)  # type: ignore[arg-type]


def an_extra_holder(world: World) -> None:
    world.history.asks.append(asked("gus", "issued", 4, at=15.0))
    world.contents.rows.append(Row("c", "gus", 4, 1, 15.0, 15.1))


def a_stock_that_was_lowered(world: World) -> None:
    world.history.coupons = [Coupon("c", 9)]
    world.history.changes = [Change("c", 2, 5.0, 5.1, 200)]
    world.contents.views = {"c": View(2, 3, 3, 3)}


def a_message(world: World, index: int, **changes: object) -> None:
    assert world.contents.events is not None
    world.contents.events[index] = world.contents.events[index]._replace(**changes)  # type: ignore[arg-type]


def without_messages(world: World, *indexes: int) -> None:
    assert world.contents.events is not None
    world.contents.events = [e for n, e in enumerate(world.contents.events) if n not in indexes]


def messages_in_another_order(world: World) -> None:
    assert world.contents.events is not None
    first, second, third = world.contents.events[2:]
    world.contents.events = [first, third, second]


def an_answer(world: World, index: int, **changes: object) -> None:
    world.history.asks[index] = world.history.asks[index]._replace(**changes)  # type: ignore[arg-type]


def a_late_stage(world: World, ack: str, stage: str) -> None:
    world.history.coupons = [Coupon("c", 3, ack)]
    if stage == "row":
        a_row(world, 0, saved_at=10.2)
    else:
        a_message(world, 0, written_at=10.2)


def a_holder_of_the_gate(world: World, **holders: int) -> None:
    assert world.contents.holders is not None
    world.contents.holders["c"] |= holders


def closed(world: World, start: float, end: float) -> None:
    world.history.changes.append(Change("c", None, start, end, 200))


def a_pending_answer(world: World) -> None:
    a_late_stage(world, "store", "row")
    an_answer(world, 0, pending=True, status=202)


def stock(world: World, number: int, start: float, end: float, status: int = 200) -> None:
    world.history.changes.append(Change("c", number, start, end, status))
    world.contents.views["c"].stock = max(number, 3)


BREACHES: list[tuple[str, Callable[[World], object]]] = [
    ("odd_answer", lambda w: an_answer(w, 4, status=500, result="internal")),
    ("odd_answer", lambda w: an_answer(w, 4, status=404, result="coupon_not_found")),
    ("odd_answer", lambda w: an_answer(w, 0, status=409)),
    ("odd_answer", lambda w: an_answer(w, 0, result="of_another")),
    ("two_sequences", lambda w: an_answer(w, 3, sequence=1)),
    ("two_times", lambda w: an_answer(w, 3, issued_at="later")),
    ("issued_twice", lambda w: an_answer(w, 3, result="issued", status=201)),
    ("shared_sequence", lambda w: an_answer(w, 2, sequence=1)),
    ("over_issued", an_extra_holder),
    ("over_stock", a_stock_that_was_lowered),
    ("lost", lambda w: w.contents.rows.pop()),
    ("lost", lambda w: w.history.asks.append(asked("dan", "issued", 3))),
    ("wrong_row", lambda w: a_row(w, 1, sequence=7)),
    ("two_rows", lambda w: w.contents.rows.append(w.contents.rows[0]._replace(sequence=4))),
    ("invented", lambda w: a_row(w, 2, user="nobody")),
    ("invented", lambda w: a_row(w, 2, issued_at=9.0)),
    ("invented", lambda w: a_message(w, 0, user="nobody")),
    ("invented", lambda w: a_holder_of_the_gate(w, nobody=4)),
    ("shared_row", lambda w: a_row(w, 1, sequence=1)),
    ("row_order", lambda w: a_row(w, 0, issued_at=13.0)),
    ("gap", lambda w: a_row(w, 2, sequence=4)),
    ("event_differs", lambda w: a_message(w, 0, user="bob")),
    ("log_order", messages_in_another_order),
    ("log_gap", lambda w: without_messages(w, 1, 3)),
    ("not_logged", lambda w: without_messages(w, 4)),
    ("false_sold_out", lambda w: an_answer(w, 4, start=11.0, end=11.2)),
    ("false_sold_out", lambda w: stock(w, 4, 19.0, 19.1)),
    ("false_closed", lambda w: an_answer(w, 4, result="closed", status=403)),
    ("issued_after_close", lambda w: closed(w, 11.0, 11.1)),
    ("early_answer", lambda w: a_late_stage(w, "store", "row")),
    ("early_answer", lambda w: a_late_stage(w, "log", "message")),
    ("gate_differs", lambda w: a_holder_of_the_gate(w, eve=4)),
    ("gate_differs", lambda w: a_holder_of_the_gate(w, ann=2)),
    ("outbox_left", lambda w: w.contents.outbox_entries.update(c=1)),
    ("view_differs", lambda w: w.contents.views.update(c=View(3, 2, 3, 3))),
    ("not_healed", lambda w: w.history.undrained.append("c")),
    ("crashed", lambda w: w.history.crashes.append("api-1 ended with -6")),
    ("audit", lambda w: w.history.audit.append("breach lost: coupon c sequence 5")),
]


@pytest.mark.parametrize(("kind", "breach"), BREACHES)
def test_a_breach_is_found(kind: str, breach: Callable[[World], object]) -> None:
    world = clean()
    breach(world)
    assert kind in world.kinds()


def test_every_kind_that_a_rule_can_find_is_tried() -> None:
    kinds = {
        constant
        for rule in RULES
        for constant in rule.__code__.co_consts
        if isinstance(constant, str) and constant.isidentifier()
    }
    assert {kind for kind, _ in BREACHES} <= kinds
    others = {"already_issued", "sold_out"}
    assert {kind for kind in kinds if "_" in kind} - others <= {kind for kind, _ in BREACHES}


ALLOWED: list[tuple[str, Callable[[World], object]]] = [
    ("a refill asked for after the answer", lambda w: stock(w, 4, 25.0, 25.1)),
    ("a refill under way at the answer", lambda w: stock(w, 4, 20.0, 25.0)),
    ("a refill that may never have been made", lambda w: stock(w, 4, 19.0, 19.1, status=503)),
    ("a lower stock that may have been made", lambda w: stock(w, 2, 10.5, 10.6, status=0)),
    ("a refused change", lambda w: stock(w, 2, 10.5, 10.6, status=409)),
    ("closing after the last was issued", lambda w: closed(w, 13.0, 13.1)),
    ("a user without an answer who has a row after all", lambda w: unanswered(w, 2)),
    ("a pending answer before its stage", a_pending_answer),
    ("a retry that came in before the first was read", lambda w: an_answer(w, 3, start=10.9, end=10.95)),
]


@pytest.mark.parametrize("allowed", [allowed for _, allowed in ALLOWED], ids=[name for name, _ in ALLOWED])
def test_what_the_promises_allow_is_no_breach(allowed: Callable[[World], object]) -> None:
    world = clean()
    allowed(world)
    assert world.kinds() == set()


def a_forgotten_winner(world: World) -> None:
    """Nobody told cho, and the gate has lost that cho won; dan was refused while it knew."""
    world.history.asks.remove(asked("cho"))
    world.contents.rows.pop()
    without_messages(world, 4)
    world.contents.holders = {"c": {"ann": 1, "bob": 2}}
    world.contents.views["c"].issued = 2


def test_a_lost_gate_may_forget_a_winner_whom_nobody_told() -> None:
    world = clean()
    a_forgotten_winner(world)
    assert world.kinds() == {"false_sold_out"}
    world.history.gate_lost = True
    assert world.kinds() == set()


def test_a_lost_gate_is_no_excuse_when_everybody_was_told() -> None:
    world = clean()
    a_forgotten_winner(world)
    world.history.gate_lost = True
    world.history.asks = [ask for ask in world.history.asks if ask.user not in ("eve", "fay")]
    assert world.kinds() == {"false_sold_out"}


def test_time_to_recover_is_from_the_end_of_a_fault_to_the_first_answer_of_the_last_coupon() -> None:
    history = History([Coupon("a", 1), Coupon("b", 1)])
    history.faults = [FaultSpan("kill", 1.0, 2.0), FaultSpan("pause", 5.0, 6.0), FaultSpan("cut", 5.5, 7.0)]
    for coupon, start, end, result in (
        ("a", 1.5, 2.2, "issued"),
        ("a", 2.1, 2.3, "issued"),
        ("b", 2.2, 2.4, "unavailable"),
        ("b", 2.4, 2.6, "sold_out"),
        ("a", 8.0, 8.1, "issued"),
        ("b", 8.0, 8.1, "issued"),
    ):
        history.asks.append(asked("ann", result)._replace(coupon=coupon, start=start, end=end))
    assert times_to_recover(history) == [("kill", pytest.approx(0.6))]
