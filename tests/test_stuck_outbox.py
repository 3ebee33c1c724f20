"""An outbox that its relay cannot serve heals by itself, or shows."""

from harness import coupons
from harness.seonchak import Seonchak
from harness.servers import RedisServer
from harness.shop import Shop
from harness.wait import eventually

SICK, WELL = "sick", "well"
LEASE = f"{{coupon:{SICK}}}:relay"
STUCK_S = 10


def open_both(shop: Shop, redis: RedisServer) -> Seonchak:
    """With all that was issued saved, and no coupon leased."""
    server = shop.start()
    for coupon in (SICK, WELL):
        coupons.create(server, coupon)
        coupons.wait_for_rows(shop.database, coupon, coupons.issue_to(server, coupon, ["first"]))
    eventually(lambda: not redis.client().keys("*:relay"), "the leases are given back")
    return server


def rows(shop: Shop, coupon: str) -> int:
    return len(coupons.rows(shop.database, coupon))


def test_a_lease_without_an_end_keeps_nothing_from_the_log(shop: Shop, own_redis: RedisServer) -> None:
    """As a tool leaves it that copies a Redis and forgets the keys' times to live."""
    server = open_both(shop, own_redis)
    own_redis.client().set(LEASE, "host:1:2")
    coupons.issue_to(server, SICK, ["second"])
    eventually(lambda: rows(shop, SICK) == 2, "the event reaches the store", STUCK_S)


def test_a_coupon_that_no_relay_can_lease_shows_while_others_are_served(
    shop: Shop, own_redis: RedisServer
) -> None:
    server = open_both(shop, own_redis)
    own_redis.client().lpush(LEASE, "foreign")
    coupons.issue_to(server, SICK, ["second"])
    sold = 0

    def told() -> bool:
        nonlocal sold
        sold += 1
        coupons.issue_to(server, WELL, [f"u{sold}"])
        return coupons.readiness(server)[2]["relay"] == "down"

    eventually(told, "/readyz tells of the relay", 3 * STUCK_S)
    assert coupons.readiness(server)[:2] == (200, "degraded")
    assert f"the outbox of coupon {SICK} cannot be used" in server.log_text()
    metrics = server.metrics()
    assert metrics["seonchak_relay_coupons_stuck"] == 1
    assert metrics["seonchak_outbox_age_seconds"] >= STUCK_S
    eventually(lambda: rows(shop, WELL) == sold + 1, "the other coupon is served")
    own_redis.client().delete(LEASE)
    eventually(lambda: rows(shop, SICK) == 2, "it is served once it can be")
    eventually(lambda: coupons.readiness(server)[1] == "ready", "all is well again")
    assert server.metrics()["seonchak_relay_coupons_stuck"] == 0
