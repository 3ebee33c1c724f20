"""The checker allows the losses that the guarantees name, and no other."""

from collections.abc import Callable

import pytest

from faults.checker import allowed_losses
from faults.history import Event, FaultSpan
from faults.made_history import TIMES, World, asked, clean

LOST = "cho"
LOSS = FaultSpan("flush-redis", 13.0, 13.5, "redis", loses_gate=True)
KILL = FaultSpan("kill-api", 13.2, 14.0, "api", killed=("api-1",))
CUT = FaultSpan("stall-link", 12.9, 15.0, "link", cut_off=("api-1",))
HEALED = 16.0


def forgotten(*faults: FaultSpan) -> World:
    """The user cho was told, and nothing is left of that; ann was answered once all was well again."""
    world = clean()
    world.history.gate_lost = True
    world.history.faults = list(faults)
    world.contents.rows.pop()
    world.contents.events = [e for e in world.contents.events or [] if e.user != LOST]
    world.contents.holders = {"c": {"ann": 1, "bob": 2}}
    world.contents.views["c"].issued = 2
    world.history.asks = [ask for ask in world.history.asks if ask.user != "dan"]
    world.history.asks.append(asked("ann", "already_issued", at=HEALED))
    return world


@pytest.mark.parametrize("silence", [KILL, CUT, KILL._replace(start=12.4, end=12.8)], ids=lambda s: s.name)
def test_what_only_a_lost_gate_and_a_silenced_process_knew_may_be_lost(silence: FaultSpan) -> None:
    world = forgotten(LOSS, silence)
    assert world.kinds() == set()
    assert allowed_losses(world.history, world.contents) == 1


NO_EXCUSE: dict[str, tuple[FaultSpan, ...]] = {
    "no process was silenced": (LOSS,),
    "another process was killed": (LOSS, KILL._replace(killed=("api-2",))),
    "the process was killed before it had answered": (LOSS, KILL._replace(start=8.0, end=9.0)),
    "the process was killed when all was well": (LOSS, KILL._replace(start=18.0, end=19.0)),
    "the process was back before the gate was lost": (LOSS, CUT._replace(start=12.2, end=12.6)),
    "the gate was lost before": (LOSS._replace(start=5.0, end=6.0), KILL),
    "no gate was lost": (KILL,),
}


@pytest.mark.parametrize("faults", NO_EXCUSE.values(), ids=NO_EXCUSE)
def test_a_loss_without_both_is_a_breach(faults: tuple[FaultSpan, ...]) -> None:
    assert "lost" in forgotten(*faults).kinds()


def test_somebody_told_by_two_processes_is_lost_only_with_both() -> None:
    world = forgotten(LOSS, KILL)
    world.history.asks.append(asked(LOST, "already_issued", at=12.5, server="api-2"))
    assert "lost" in world.kinds()
    world.history.faults.append(KILL._replace(killed=("api-2",)))
    assert world.kinds() == set()


@pytest.mark.parametrize("ack", ["log", "store"])
def test_an_answer_that_waited_for_log_or_store_is_never_lost(ack: str) -> None:
    world = forgotten(LOSS, KILL)
    world.history.coupons = clean(ack).history.coupons
    assert "lost" in world.kinds()
    at = next(n for n, ask in enumerate(world.history.asks) if ask.user == LOST)
    world.history.asks[at] = world.history.asks[at]._replace(pending=True, status=202)
    assert world.kinds() == set()


def logged(world: World) -> None:
    assert world.contents.events is not None
    world.contents.events.append(Event("c", LOST, 3, 1, TIMES[LOST] - 0.05))


def test_what_the_log_had_is_never_lost() -> None:
    world = forgotten(LOSS._replace(start=13.3), KILL)
    logged(world)
    assert "lost" in world.kinds()


@pytest.mark.parametrize("part", ["worker", "kafka", "link"])
def test_what_was_on_its_way_to_the_log_may_be_lost(part: str) -> None:
    world = forgotten(LOSS._replace(start=13.3), KILL, FaultSpan("stop", 12.0, 14.0, part))
    logged(world)
    assert world.kinds() == set()


def again(world: World) -> None:
    """The user cho is given another sequence after the loss, and dan the one that cho had."""
    for user, sequence, at in (("dan", 3, 17.0), (LOST, 4, 17.5)):
        world.history.asks.append(asked(user, "issued", sequence, at=at, issued_at=f"at {user} again"))
        row = world.contents.rows[0]._replace(user=user, sequence=sequence, epoch=2)
        world.contents.rows.append(row._replace(issued_at=at, saved_at=at + 0.1))
        world.contents.events = [
            *(world.contents.events or []),
            Event("c", user, sequence, 2, at + 0.05),
        ]
        world.contents.holders = {"c": {**(world.contents.holders or {})["c"], user: sequence}}
    world.history.coupons = [world.history.coupons[0].__class__("c", 4)]
    world.contents.views["c"].issued = world.contents.views["c"].stock = 4


def test_who_has_lost_a_coupon_may_be_given_another_and_another_the_sequence() -> None:
    world = forgotten(LOSS, KILL)
    again(world)
    assert world.kinds() == set()


def test_without_an_excuse_nobody_is_given_another() -> None:
    world = forgotten(LOSS)
    again(world)
    assert {"two_sequences", "issued_twice", "shared_sequence", "wrong_row"} <= world.kinds()


def test_who_may_have_lost_it_has_taken_stock_all_the_same() -> None:
    world = forgotten(LOSS, KILL)
    world.history.asks = [ask for ask in world.history.asks if ask.user not in ("eve", "fay")]
    world.history.asks.append(asked("dan", "sold_out", at=12.6))
    assert world.kinds() == set()


def move(world: World, index: int, **changes: object) -> None:
    world.contents.rows[index] = world.contents.rows[index]._replace(**changes)  # type: ignore[arg-type]


SPOILT: list[tuple[str, Callable[[World], object]]] = [
    ("row_order", lambda w: move(w, 0, issued_at=13.0)),
    ("gap", lambda w: move(w, 2, sequence=6)),
    ("log_gap", lambda w: w.contents.events.__delitem__(slice(1, 4, 2))),
]


@pytest.mark.parametrize(("kind", "spoil"), SPOILT, ids=[kind for kind, _ in SPOILT])
def test_the_first_epoch_is_judged_where_a_gate_was_lost(kind: str, spoil: Callable[[World], object]) -> None:
    world = clean()
    world.history.gate_lost = True
    world.history.faults = [LOSS]
    assert world.kinds() == set()
    spoil(world)
    assert kind in world.kinds()
    # A later epoch may begin anywhere.
    world.contents.rows = [row._replace(epoch=2) for row in world.contents.rows]
    world.contents.events = [event._replace(epoch=2) for event in world.contents.events or []]
    assert kind not in world.kinds()


def test_what_a_recovery_has_given_back_belongs_to_the_first_epoch() -> None:
    world = clean()
    world.history.gate_lost = True
    world.history.faults = [LOSS]
    move(world, 1, epoch=2)
    assert world.kinds() == set()
    move(world, 1, issued_at=19.0)
    assert "row_order" in world.kinds()


def test_moved_clocks_excuse_times_and_nothing_else() -> None:
    world = clean()
    world.history.clocks_moved = True
    for row in range(3):
        move(world, row, issued_at=-3_600.0 - row)
    assert world.kinds() == set()
    world.contents.rows.pop()
    assert "lost" in world.kinds()
