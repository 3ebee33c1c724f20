"""A coupon whose row somebody holds keeps no operator from changing the others."""

import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from harness import coupons, http
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer

# An operator waits one second for a row, and the machine may be busy.
HELD_S = 5.0
AT_ONCE_S = 1.0
# Without anybody in the way it takes some milliseconds.
OTHERS_S = 1.0

HELD = 4
ASKED_AGAIN = 40


def timed(call: Callable[[], http.Reply]) -> tuple[float, http.Reply]:
    began = time.monotonic()
    reply = call()
    return time.monotonic() - began, reply


def patch(server: Seonchak, coupon: str, stock: int) -> http.Reply:
    return http.call(server.address, "PATCH", f"/v1/coupons/{coupon}", body={"stock": stock})


def close(server: Seonchak, coupon: str) -> http.Reply:
    return http.call(server.address, "POST", f"/v1/coupons/{coupon}/close")


def hold(database: str, prefix: str) -> psycopg.Connection:
    """A transaction that keeps these coupons' rows until it is closed."""
    holder = psycopg.connect(database)
    holder.execute("SELECT 1 FROM coupon WHERE id LIKE %s FOR UPDATE", [f"{prefix}%"])
    return holder


@pytest.fixture
def server(serve: Serve, own_redis: RedisServer, database: str) -> Seonchak:
    started = serve("--gate", own_redis.address, "--store", database)
    for number in range(HELD):
        coupons.create(started, f"held-{number}")
    for name in ("free", "other", "closing"):
        coupons.create(started, name)
    return started


def assert_others_are_changed_at_once(server: Seonchak, turn: int) -> None:
    body = {"id": f"new-{turn}", "name": "New", "stock": 5}
    calls = {
        "PATCH": lambda: patch(server, "free", 900 - turn),
        "PATCH of another": lambda: patch(server, "other", 900 - turn),
        "POST": lambda: http.call(server.address, "POST", "/v1/coupons", body=body),
        "close": lambda: close(server, "closing"),
        "list": lambda: http.call(server.address, "GET", "/v1/coupons"),
    }
    for name, call in calls.items():
        took, reply = timed(call)
        assert reply.status in (200, 201), (name, reply.text)
        assert took < OTHERS_S, f"{name} of a free coupon took {took:.1f} s"


def test_a_change_of_a_held_coupon_says_so_in_time(server: Seonchak, database: str) -> None:
    with hold(database, "held"):
        for call in (lambda: patch(server, "held-0", 10), lambda: close(server, "held-1")):
            took, reply = timed(call)
            assert reply.status == 503, reply.text
            assert took < HELD_S, f"took {took:.1f} s"
            assert reply.headers["retry-after"]
            assert reply.json()["detail"].startswith("row_held"), reply.text
    assert patch(server, "held-0", 10).status == 200
    assert close(server, "held-1").status == 200


def test_changes_of_held_coupons_hold_up_no_others(server: Seonchak, database: str) -> None:
    stop = threading.Event()
    answers: list[tuple[float, http.Reply]] = []

    def ask(number: int) -> None:
        while not stop.is_set():
            answers.append(timed(lambda: patch(server, f"held-{number % HELD}", 10)))

    # More than there are threads for changes, each again and again.
    asking = [threading.Thread(target=ask, args=[number]) for number in range(ASKED_AGAIN)]
    with hold(database, "held"):
        for thread in asking:
            thread.start()
        try:
            time.sleep(0.5)
            for turn in range(4):
                assert_others_are_changed_at_once(server, turn)
        finally:
            stop.set()
            for thread in asking:
                thread.join()
    assert {reply.status for _, reply in answers} == {503}, [reply.text for _, reply in answers[:3]]
    assert all(took < HELD_S for took, _ in answers), max(took for took, _ in answers)
    details = {reply.json()["detail"].split(":")[0] for _, reply in answers}
    assert details == {"row_held", "change_under_way"}, details


def test_a_second_change_of_a_coupon_is_refused_at_once(server: Seonchak, database: str) -> None:
    first: list[http.Reply] = []
    with hold(database, "held-0"):
        changing = threading.Thread(target=lambda: first.append(patch(server, "held-0", 10)))
        changing.start()
        time.sleep(0.3)
        took, second = timed(lambda: patch(server, "held-0", 20))
        changing.join()
    assert first[0].status == 503
    assert (second.status, second.json()["code"]) == (503, "unavailable"), second.text
    assert second.json()["detail"].startswith("change_under_way"), second.text
    assert second.headers["retry-after"]
    assert took < AT_ONCE_S


def test_a_coupon_that_somebody_is_just_inserting_holds_up_no_others(server: Seonchak, database: str) -> None:
    insert = """INSERT INTO coupon (id, name, stock, ack, created_at, revision)
                VALUES ('taken', 'T', 1, 'gate', now(), 1 << 20)"""
    with psycopg.connect(database) as holder:
        holder.execute(insert)
        made = threading.Thread(
            target=lambda: http.call(
                server.address, "POST", "/v1/coupons", body={"id": "taken", "name": "T", "stock": 1}
            )
        )
        made.start()
        time.sleep(0.05)
        assert_others_are_changed_at_once(server, 0)
        made.join()
        holder.rollback()
