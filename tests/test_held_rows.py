"""Rows of the store that somebody holds, or has deleted, and what must go on beside them."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from harness import http
from harness.proxy import Proxy
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer

SETTLE_S = 20.0

# A saver waits 0.2 s for a row; an operator's change longer; the server ends a silent session after five.
OTHERS_ROWS_S = 12.0
CLOSE_S = 10.0

# A recovery takes about three seconds.
RECOVERED_S = 10.0


@dataclass
class Shop:
    """Coupons "held" and "free" in one partition, and how to start a process that sells them."""

    serve: Serve
    redis: RedisServer
    log: str
    database: str
    group: str

    def start(self, *flags: str, gate: str | None = None) -> Seonchak:
        return self.serve(
            *("--gate", gate or self.redis.address, "--log", self.log),
            *("--store", self.database, "--log-group", self.group, *flags),
        )

    def rows(self, coupon: str) -> int:
        with psycopg.connect(self.database) as connection:
            query = "SELECT count(*) FROM user_coupon WHERE coupon_id = %s"
            return connection.execute(query, [coupon]).fetchone()[0]

    def position(self) -> int:
        with psycopg.connect(self.database) as connection:
            return connection.execute("SELECT coalesce(sum(next_offset), 0) FROM log_position").fetchone()[0]

    def session_holds_a_row(self) -> bool:
        """Whether a process is inside a change of a coupon, between its begin and its commit."""
        with psycopg.connect(self.database) as connection:
            query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name = 'seonchak' AND state = 'idle in transaction'"""
            return connection.execute(query).fetchone()[0] > 0


@pytest.fixture
def shop(serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str) -> Shop:
    return Shop(serve, own_redis, f"kafka://{kafka_server.address}/{topic}", database, topic)


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[Proxy]:
    """Its link "redis" leads to the test's Redis."""
    with Proxy({"redis": own_redis.port}) as started:
        yield started


def create(server: Seonchak, coupon: str) -> None:
    reply = http.call(server.address, "POST", "/v1/coupons", body={"id": coupon, "name": "T", "stock": 1_000})
    assert reply.status == 201, reply.text


def issue(server: Seonchak, coupon: str, user: str) -> int:
    return http.call(server.address, "POST", f"/v1/coupons/{coupon}/issue", {"X-User-Id": user}).status


def issue_both(server: Seonchak, first: int, last: int) -> None:
    for n in range(first, last):
        assert [issue(server, coupon, f"u{n}") for coupon in ("held", "free")] == [201, 201]


def within(limit_s: float, check: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + limit_s
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_a_process_stopped_inside_a_change_holds_up_nothing(shop: Shop, proxy: Proxy) -> None:
    other = shop.start()
    stopped = shop.start("--roles", "api", gate=f"redis://127.0.0.1:{proxy.ports['redis']}/0")
    for coupon in ("held", "free"):
        create(other, coupon)
    issue_both(other, 0, 5)
    within(SETTLE_S, lambda: shop.rows("held") == 5 and shop.rows("free") == 5, "nothing is saved at all")

    proxy.set("redis", "mute")
    target = "/v1/coupons/held"
    change = threading.Thread(
        target=lambda: http.call(stopped.address, "PATCH", target, body={"stock": 500}), daemon=True
    )
    change.start()
    within(SETTLE_S, shop.session_holds_a_row, "the change never began")
    stopped.pause()
    try:
        assert shop.session_holds_a_row(), "it was over before the process was stopped"
        issue_both(other, 5, 10)
        within(OTHERS_ROWS_S, lambda: shop.rows("free") == 10, "another coupon's rows wait for the held one")
        target = "/v1/coupons/held/close"
        within(CLOSE_S, lambda: http.call(other.address, "POST", target).status == 200, "it stays open")
        within(OTHERS_ROWS_S, lambda: shop.rows("held") == 10, "the held coupon's rows stay out")
    finally:
        stopped.resume()


def test_a_held_row_keeps_no_other_coupons_rows_back(shop: Shop) -> None:
    server = shop.start()
    for coupon in ("held", "free"):
        create(server, coupon)
    with psycopg.connect(shop.database) as holder:
        holder.execute("SELECT 1 FROM coupon WHERE id = 'held' FOR UPDATE")
        before = shop.position()
        issue_both(server, 0, 5)
        within(OTHERS_ROWS_S, lambda: shop.rows("free") == 5, "the free coupon's rows wait for the held one")
        assert shop.rows("held") == 0
        assert shop.position() == before, "a crash would lose the held coupon's events"
    within(SETTLE_S, lambda: shop.rows("held") == 5, "the held coupon's rows are lost")
    within(SETTLE_S, lambda: shop.position() == 10, "the position stays behind")


def test_a_deleted_row_keeps_no_other_coupons_rows_back(shop: Shop) -> None:
    server = shop.start()
    for coupon in ("held", "free"):
        create(server, coupon)
    issue_both(server, 0, 1)
    within(SETTLE_S, lambda: shop.rows("held") == 1 and shop.rows("free") == 1, "nothing is saved at all")
    with psycopg.connect(shop.database) as connection:
        connection.execute("DELETE FROM coupon WHERE id = 'held'")
    # The process finds out within some seconds: until then it goes on issuing the deleted one.
    deleted = [issue(server, "held", f"u{n}") for n in range(1, 5)]
    assert set(deleted) <= {201, 404}
    assert [issue(server, "free", f"u{n}") for n in range(1, 5)] == [201] * 4
    within(OTHERS_ROWS_S, lambda: shop.rows("free") == 5, "a deleted coupon stops the others")
    assert shop.rows("held") == 1
    assert server.metrics()["seonchak_consumer_dead_letters_total"] <= deleted.count(201)


def test_held_rows_keep_no_other_coupon_from_its_recovery(shop: Shop) -> None:
    held = [f"a{n}" for n in range(5)]  # their turn is before "free"
    server = shop.start()
    for coupon in (*held, "free"):
        create(server, coupon)
        assert issue(server, coupon, "first") == 201
    within(SETTLE_S, lambda: all(shop.rows(coupon) == 1 for coupon in (*held, "free")), "nothing is saved")
    with psycopg.connect(shop.database) as holder:
        holder.execute("SELECT 1 FROM coupon WHERE id <> 'free' FOR UPDATE")
        shop.redis.client().flushall()
        began = time.monotonic()
        while issue(server, "free", "first") != 200:
            for coupon in held:
                assert issue(server, coupon, "first") == 503
            assert time.monotonic() - began < RECOVERED_S, "the free coupon waits for those that are held"
        holder.rollback()
    for coupon in held:
        within(SETTLE_S, lambda coupon=coupon: issue(server, coupon, "first") == 200, f"{coupon} stays away")
        assert shop.rows(coupon) == 1


def test_reads_of_a_slow_table_take_no_claim_its_freshness(shop: Shop) -> None:
    """In failover mode a claim needs a catalog that is younger than 1.5 s."""
    server = shop.start("--gate-fails-over")
    create(server, "held")
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
