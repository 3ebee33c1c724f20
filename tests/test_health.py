"""A part that is stuck shows in /readyz and /metrics, and an API process is ready all the same."""

import time

import psycopg
import pytest
from harness import coupons, http
from harness.parts import Parts
from harness.recovery import Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer
from harness.shop import Shop
from harness.wait import eventually

COUPON = "c"
STATE, LEASE = (f"{{coupon:{COUPON}}}:{part}" for part in ("state", "relay"))
STUCK_S = 3.0
TOLD_S = 40.0
TOLD_OF_A_PART_S = 12.0
BEING_ASKED_S = 2.5
READINESS_S = 2.0


def wait_metric(server: Seonchak, name: str, least: float) -> None:
    eventually(lambda: server.metrics().get(name, 0.0) >= least, f"{name} is {least} or more", TOLD_S)


def wait_well(server: Seonchak) -> None:
    eventually(lambda: coupons.readiness(server)[1] == "ready", "all is well again", TOLD_S)


def test_a_healthy_process_tells_of_no_trouble(sale: Sale) -> None:
    server = sale.start()
    coupons.create(server, COUPON)
    issued = coupons.issue_to(server, COUPON, coupons.users("u", 20))
    coupons.wait_for_rows(sale.database, COUPON, issued)
    wait_well(server)
    metrics = server.metrics()
    assert metrics["seonchak_consumer_stalled_seconds"] == 0
    assert metrics["seonchak_recovery_age_seconds"] == 0
    assert metrics["seonchak_outbox_age_seconds"] < STUCK_S
    assert "seonchak_relay_leases" in metrics


def test_a_recovery_that_hangs_shows(sale: Sale, own_redis: RedisServer) -> None:
    """In the process that waits for it, too."""
    servers = [sale.start("api"), sale.start("api")]
    coupons.create(servers[0], COUPON)
    issued = coupons.issue_to(servers[0], COUPON, coupons.users("u", 5))
    assert coupons.answer(servers[1], COUPON, "u-0").status == 200
    own_redis.client().flushall()
    begun = "recovering it"
    hung = eventually(lambda: next((s for s in servers if begun in s.log_text()), None), "nobody recovers")
    hung.pause()
    (other,) = (server for server in servers if server is not hung)
    wait_metric(other, "seonchak_recovery_age_seconds", 1.0)
    coupons.wait_degraded(other, "gate_state", TOLD_S)
    assert coupons.answer(other, COUPON, "u-0").json()["sequence"] == issued["u-0"]
    wait_well(other)
    assert other.metrics()["seonchak_recovery_age_seconds"] == 0


def test_a_consumer_that_stands_still_and_a_relay_that_cannot_lease_show(
    sale: Sale, own_redis: RedisServer
) -> None:
    """At the same time: each is told after ten seconds."""
    server = sale.start()
    coupons.create(server, COUPON)
    with own_redis.client() as client, psycopg.connect(sale.database) as locked:
        locked.execute("LOCK TABLE user_coupon IN ACCESS EXCLUSIVE MODE")
        issued = coupons.issue_to(server, COUPON, coupons.users("u", 20))
        eventually(lambda: coupons.view(server, COUPON)["published"] == 20, "they are in the log")
        client.delete(LEASE)
        client.hset(LEASE, "foreign", "key")
        issued |= coupons.issue_to(server, COUPON, coupons.users("behind", 20))
        wait_metric(server, "seonchak_consumer_stalled_seconds", STUCK_S)
        coupons.wait_degraded(server, "consumer", TOLD_S)
        coupons.wait_degraded(server, "relay", TOLD_S)
        locked.rollback()
        client.delete(LEASE)
    coupons.wait_for_rows(sale.database, COUPON, issued)
    wait_well(server)


@pytest.mark.timeout(180)
def test_an_outbox_that_is_not_emptied_shows(shop_on_parts: Shop, parts: Parts) -> None:
    server = shop_on_parts.start()
    coupons.create(server, COUPON)
    parts.kafka.pause()
    issued = coupons.issue_to(server, COUPON, coupons.users("u", 20))
    wait_metric(server, "seonchak_outbox_age_seconds", STUCK_S)
    coupons.wait_degraded(server, "relay", TOLD_S)
    parts.kafka.resume()
    coupons.wait_for_rows(shop_on_parts.database, COUPON, issued)
    wait_well(server)


def wait_part(server: Seonchak, part: str, state: str) -> None:
    """Until /readyz, which itself never waits, says so of a part."""

    def told() -> bool:
        began = time.monotonic()
        states = coupons.readiness(server)[2]
        assert time.monotonic() - began < READINESS_S
        return states.get(part) == state

    eventually(told, f"/readyz says that {part} is {state}", TOLD_OF_A_PART_S)


@pytest.mark.timeout(180)
def test_a_part_that_hangs_delays_nothing_that_is_said_of_another(shop_on_parts: Shop, parts: Parts) -> None:
    servers = [shop_on_parts.start(), shop_on_parts.start("consumer")]
    for server in servers:
        wait_well(server)
    # Whoever asks PostgreSQL has a connection after this, and waits for an answer on it from then on.
    parts.postgres.pause()
    time.sleep(BEING_ASKED_S)
    parts.postgres.resume()
    for server in servers:
        wait_well(server)
    # While the first is being waited for, the next must be noticed.
    for part in parts.named("postgres,redis,kafka"):
        part.pause()
        time.sleep(BEING_ASKED_S)
    for part in ("gate", "log", "store"):
        for server in servers:
            wait_part(server, part, "down")
    parts.redis.resume()
    for server in servers:
        wait_part(server, "gate", "up")
        assert coupons.readiness(server)[2]["store"] == "down"
    parts.kafka.resume()
    parts.postgres.resume()
    for server in servers:
        wait_well(server)


def test_a_coupon_that_cannot_be_opened_shows(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start()
    with own_redis.client() as client:
        client.set(STATE, "foreign")
        body = {"id": COUPON, "name": "Test", "stock": 10}
        http.call(server.address, "POST", "/v1/coupons", body=body)
        coupons.wait_degraded(server, "coupons", TOLD_S)
        client.delete(STATE)
    assert coupons.answer(server, COUPON, "ann").json()["sequence"] == 1
    wait_well(server)
