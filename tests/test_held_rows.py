"""Rows of the store that somebody holds, or has deleted, and what must go on beside them."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from harness import coupons, http
from harness.proxy import Proxy
from harness.seonchak import Seonchak
from harness.servers import RedisServer
from harness.shop import Shop
from harness.wait import eventually

SETTLE_S = 20.0

# A saver waits 0.2 s for a row; an operator's change longer; the server ends a silent session after five.
OTHERS_ROWS_S = 12.0
CLOSE_S = 10.0

# A recovery takes about three seconds.
RECOVERED_S = 10.0


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[Proxy]:
    """Its link "redis" leads to the test's Redis."""
    with Proxy({"redis": own_redis.port}) as started:
        yield started


def session_holds_a_row(database: str) -> bool:
    """Whether a process is inside a change of a coupon, between its begin and its commit."""
    with psycopg.connect(database) as connection:
        query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                   AND application_name = 'seonchak' AND state = 'idle in transaction'"""
        return connection.execute(query).fetchone()[0] > 0


def start_with_both(shop: Shop) -> Seonchak:
    """With coupons "held" and "free" in one partition."""
    server = shop.start()
    for coupon in ("held", "free"):
        coupons.create(server, coupon)
    return server


def issue(server: Seonchak, coupon: str, user: str) -> int:
    return coupons.issue(server, coupon, user).status


def issue_both(server: Seonchak, first: int, last: int) -> None:
    for n in range(first, last):
        assert [issue(server, coupon, f"u{n}") for coupon in ("held", "free")] == [201, 201]


def test_a_process_stopped_inside_a_change_holds_up_nothing(shop: Shop, proxy: Proxy) -> None:
    other = start_with_both(shop)
    stopped = replace(shop, gate=f"redis://127.0.0.1:{proxy.ports['redis']}/0").start("api")
    issue_both(other, 0, 5)
    shop.wait_saved(5, "held", "free", within_s=SETTLE_S)

    proxy.set("redis", "mute")
    target = "/v1/coupons/held"
    change = threading.Thread(
        target=lambda: http.call(stopped.address, "PATCH", target, body={"stock": 500}), daemon=True
    )
    change.start()
    eventually(lambda: session_holds_a_row(shop.database), "the change has begun", SETTLE_S)
    stopped.pause()
    try:
        assert session_holds_a_row(shop.database), "it was over before the process was stopped"
        issue_both(other, 5, 10)
        shop.wait_saved(10, "free", within_s=OTHERS_ROWS_S)
        target = "/v1/coupons/held/close"
        eventually(lambda: http.call(other.address, "POST", target).status == 200, "it closes", CLOSE_S)
        shop.wait_saved(10, "held", within_s=OTHERS_ROWS_S)
    finally:
        stopped.resume()


def test_a_held_row_keeps_no_other_coupons_rows_back(shop: Shop) -> None:
    server = start_with_both(shop)
    with psycopg.connect(shop.database) as holder:
        holder.execute("SELECT 1 FROM coupon WHERE id = 'held' FOR UPDATE")
        before = shop.position()
        issue_both(server, 0, 5)
        shop.wait_saved(5, "free", within_s=OTHERS_ROWS_S)
        assert shop.saved("held") == 0
        assert shop.position() == before, "a crash would lose the held coupon's events"
    shop.wait_saved(5, "held", within_s=SETTLE_S)
    eventually(lambda: shop.position() == 10, "the position comes after", SETTLE_S)


def test_a_deleted_row_keeps_no_other_coupons_rows_back(shop: Shop) -> None:
    server = start_with_both(shop)
    issue_both(server, 0, 1)
    shop.wait_saved(1, "held", "free", within_s=SETTLE_S)
    shop.execute("DELETE FROM coupon WHERE id = 'held'")
    # The process finds out within some seconds: until then it goes on issuing the deleted one.
    deleted = [issue(server, "held", f"u{n}") for n in range(1, 5)]
    assert set(deleted) <= {201, 404}
    assert [issue(server, "free", f"u{n}") for n in range(1, 5)] == [201] * 4
    shop.wait_saved(5, "free", within_s=OTHERS_ROWS_S)
    assert shop.saved("held") == 1
    assert server.metrics()["seonchak_consumer_dead_letters_total"] <= deleted.count(201)


def test_held_rows_keep_no_other_coupon_from_its_recovery(shop: Shop) -> None:
    held = [f"a{n}" for n in range(5)]  # their turn is before "free"
    server = shop.start()
    for coupon in (*held, "free"):
        coupons.create(server, coupon)
        assert issue(server, coupon, "first") == 201
    shop.wait_saved(1, *held, "free", within_s=SETTLE_S)
    with psycopg.connect(shop.database) as holder:
        holder.execute("SELECT 1 FROM coupon WHERE id <> 'free' FOR UPDATE")
        shop.forget_gate()
        began = time.monotonic()
        while issue(server, "free", "first") != 200:
            for coupon in held:
                assert issue(server, coupon, "first") == 503
            assert time.monotonic() - began < RECOVERED_S, "the free coupon waits for those that are held"
        holder.rollback()
    for coupon in held:
        assert coupons.answer(server, coupon, "first", SETTLE_S).status == 200
        assert shop.saved(coupon) == 1


def test_reads_of_a_slow_table_take_no_claim_its_freshness(shop: Shop) -> None:
    """In failover mode a claim needs a catalog that is younger than 1.5 s."""
    server = shop.start("api,relay,consumer", "--gate-fails-over")
    coupons.create(server, "held")
    assert issue(server, "held", "first") == 201
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            http.call(server.address, "GET", "/v1/users/first/coupons")

    readers = [threading.Thread(target=read) for _ in range(8)]
    with psycopg.connect(shop.database) as holder:
        holder.execute("LOCK TABLE user_coupon IN ACCESS EXCLUSIVE MODE")
        for reader in readers:
            reader.start()
        answers = []
        until = time.monotonic() + 10
        while time.monotonic() < until:
            answers.append(issue(server, "held", f"u{len(answers)}"))
            time.sleep(0.02)
        holder.rollback()
    stop.set()
    for reader in readers:
        reader.join()
    refused = sum(status != 201 for status in answers)
    assert refused == 0, f"{refused} of {len(answers)} claims were refused"
