"""Coupons ever made cost the live one nothing: it is back at once, and idle ones are left alone."""

import shutil
import time
from dataclasses import dataclass

import psycopg
import pytest
from harness import coupons, http
from harness.closed_coupons import add_closed_coupons
from harness.recovery import Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer
from harness.wait import eventually

LIVE = "live"
LAST = "z"  # in order of id
CLOSED = 10_000
BACK_S = 10.0
WANTED_BACK_S = 5.0
HEARD_S = 1.0  # a change of the database has come to every process by then
FLUSHED = 3_000
FLUSHED_RECOVERED_S = 40.0  # looking at 24 a second it would take 125
SETTLED_S = 25.0
MEASURED_S = 10.0
COMMANDS_PER_S_MAX = 100
COMMITS_PER_S_MAX = 50


@dataclass
class Past:
    """An installation with one live coupon, to which closed ones can be added."""

    sale: Sale
    redis: RedisServer

    def start(self) -> Seonchak:
        server = self.sale.start()
        coupons.create(server, LIVE)
        return server

    def add_closed(self, server: Seonchak, count: int) -> None:
        with self.redis.client() as client:
            add_closed_coupons(self.sale.database, client, server.address, count, LIVE)


@pytest.fixture
def past(sale: Sale, own_redis: RedisServer) -> Past:
    return Past(sale, own_redis)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("emptied", [False, True], ids=["restarted", "emptied"])
def test_the_live_coupon_does_not_wait_for_those_that_are_over(past: Past, emptied: bool) -> None:
    server = past.start()
    issued = coupons.issue_to(server, LIVE, coupons.users("before", 50))
    past.add_closed(server, CLOSED)
    coupons.wait_for_rows(past.sale.database, LIVE, issued)
    past.redis.kill()
    if emptied:
        shutil.rmtree(past.redis.folder / "appendonlydir")
    past.redis.start()
    began = time.monotonic()
    first = coupons.answer(server, LIVE, "before-0", within_s=120)
    took = time.monotonic() - began
    print(f"the live coupon was back after {took:.1f} s")
    assert first.json()["sequence"] == issued["before-0"]
    for user in coupons.users("after", 20):
        issued[user] = coupons.answer(server, LIVE, user).json()["sequence"]
    coupons.wait_for_rows(past.sale.database, LIVE, issued)
    assert took < BACK_S


@pytest.mark.timeout(240)
def test_what_a_flushed_redis_has_lost_is_found_though_nobody_asks(past: Past) -> None:
    server = past.start()
    past.add_closed(server, FLUSHED)
    with past.redis.client() as client:
        client.flushall()  # the server, and its name, stay the same
    eventually(
        lambda: recovered(past.sale) == FLUSHED,
        "every closed coupon has been recovered",
        FLUSHED_RECOVERED_S,
    )


@pytest.mark.timeout(240)
def test_a_shut_coupon_that_users_ask_for_goes_before_all_that_nobody_asks_for(past: Past) -> None:
    server = past.start()
    coupons.create(server, LAST)
    assert http.call(server.address, "POST", f"/v1/coupons/{LAST}/close").status == 200
    past.add_closed(server, CLOSED)
    past.redis.kill()
    past.redis.start()
    eventually(lambda: recovered(past.sale) > 0, "the others are being recovered", BACK_S)
    shut(past.sale.database, LAST)  # as somebody who hung after that
    time.sleep(HEARD_S)
    began = time.monotonic()
    assert coupons.answer(server, LAST, "u", within_s=120).json()["code"] == "closed"
    took = time.monotonic() - began
    print(f"it was back after {took:.1f} s")
    assert recovered(past.sale) < CLOSED
    assert took < WANTED_BACK_S


def shut(database: str, coupon: str) -> None:
    next_revision = "(SELECT max(revision) + 1000 FROM coupon)"  # processes are changing others
    query = f"UPDATE coupon SET epoch = epoch + 1, revision = {next_revision} WHERE id = %s"
    with psycopg.connect(database) as connection:
        connection.execute(query, [coupon])


def recovered(shop: Sale) -> int:
    query = "SELECT count(*) FROM coupon WHERE starts_with(id, 'old-') AND epoch > 1 AND settled = epoch"
    return shop.number(query)


@pytest.mark.timeout(240)
def test_idle_coupons_cost_next_to_nothing(past: Past) -> None:
    server = past.start()
    coupons.issue_to(server, LIVE, coupons.users("u", 10))
    past.add_closed(server, CLOSED)

    def is_idle() -> bool:
        commands, commits = past.redis.commands_run(), commits_of(past.sale)
        time.sleep(MEASURED_S)
        commands_per_s = (past.redis.commands_run() - commands) / MEASURED_S
        commits_per_s = (commits_of(past.sale) - commits) / MEASURED_S
        print(f"idle: {commands_per_s:.0f} commands/s in Redis, {commits_per_s:.0f} commits/s in the store")
        return commands_per_s < COMMANDS_PER_S_MAX and commits_per_s < COMMITS_PER_S_MAX

    eventually(is_idle, "it does next to nothing once it has settled", SETTLED_S)


def commits_of(shop: Sale) -> int:
    return shop.number("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
