"""A process none of whose claims can be answered does not say that it is ready."""

import time
from collections.abc import Callable

import psycopg
import pytest
from harness import coupons
from harness.seonchak import Seonchak
from harness.servers import RedisServer
from harness.shop import Shop
from harness.wait import eventually

COUPON = "c"
TOLD_S = 10.0
WATCH_S = 3.0


def open_one(shop: Shop, *flags: str) -> Seonchak:
    """A process that answers users alone."""
    server = shop.start("api", *flags)
    coupons.create(server, COUPON)
    assert coupons.issue(server, COUPON, "first").status == 201
    return server


def is_unavailable(server: Seonchak, part: str) -> bool:
    status, words, states = coupons.readiness(server)
    return (status, words, states[part]) == (503, "unavailable", "down")


def stays_unavailable(server: Seonchak, part: str) -> None:
    """While its claims are refused."""
    until = time.monotonic() + WATCH_S
    while time.monotonic() < until:
        assert coupons.issue(server, COUPON, "refused").status == 503
        assert is_unavailable(server, part), coupons.readiness(server)
        time.sleep(0.2)


def comes_back(server: Seonchak) -> None:
    assert coupons.answer(server, COUPON, "later").status in (200, 201)
    eventually(lambda: coupons.readiness(server)[:2] == (200, "ready"), "it is ready again")


def without_replicas(redis: RedisServer) -> Callable[[], object]:
    """As a master that has lost its replica and must not write alone."""
    redis.client().config_set("min-replicas-to-write", 1)
    return lambda: redis.client().config_set("min-replicas-to-write", 0)


def paused(redis: RedisServer) -> Callable[[], object]:
    """As during a planned failover."""
    redis.client().execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    return lambda: redis.client().execute_command("CLIENT", "UNPAUSE")


def a_replica(redis: RedisServer) -> Callable[[], object]:
    """Of a master that does not exist: it has its data still."""
    redis.client().replicaof("127.0.0.1", "1")
    return lambda: redis.client().replicaof("NO", "ONE")


@pytest.mark.parametrize("takes_no_writes", [without_replicas, paused, a_replica])
def test_a_redis_that_takes_no_writes_is_down(
    shop: Shop, own_redis: RedisServer, takes_no_writes: Callable[[RedisServer], Callable[[], object]]
) -> None:
    server = open_one(shop)
    heal = takes_no_writes(own_redis)
    eventually(lambda: is_unavailable(server, "gate"), "/readyz says so", TOLD_S)
    stays_unavailable(server, "gate")
    heal()
    comes_back(server)


def test_a_full_redis_is_up(shop: Shop, own_redis: RedisServer) -> None:
    """It still answers holders."""
    server = open_one(shop)
    own_redis.client().config_set("maxmemory", 1)
    assert coupons.issue(server, COUPON, "second").json()["detail"].startswith("outbox_full")
    until = time.monotonic() + WATCH_S
    while time.monotonic() < until:
        assert coupons.issue(server, COUPON, "first").status == 200
        assert coupons.readiness(server)[2]["gate"] == "up"
        time.sleep(0.2)


def test_claims_that_need_a_fresh_catalog_need_the_table_of_coupons(shop: Shop) -> None:
    """A gate that can fail over is believed only while the database tells of no other."""
    server = open_one(shop, "--gate-fails-over")
    with psycopg.connect(shop.database) as holder:
        holder.execute("LOCK TABLE coupon IN ACCESS EXCLUSIVE MODE")
        eventually(lambda: is_unavailable(server, "catalog"), "/readyz says so", TOLD_S)
        stays_unavailable(server, "catalog")
        holder.rollback()
    comes_back(server)


def test_others_go_on_without_it(shop: Shop) -> None:
    server = open_one(shop)
    with psycopg.connect(shop.database) as holder:
        holder.execute("LOCK TABLE coupon IN ACCESS EXCLUSIVE MODE")
        coupons.wait_degraded(server, "catalog", TOLD_S)
        assert coupons.issue(server, COUPON, "second").status == 201
        holder.rollback()
    comes_back(server)
