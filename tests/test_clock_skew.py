"""Clocks that differ, or jump and come back, cost nobody a coupon."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import KafkaException
from harness import coupons
from harness.kafka_topics import delete_topic
from harness.recovery import COUPON, Sale
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer, create_topic
from harness.skewed_clock import SkewedClock
from harness.wait import POLL_S, eventually

HOUR_S = 3_600.0
# Longer than any filter of holders needs to be made, so that "closed" is told from memory.
GLITCH_S = 3.0
OPEN_AGAIN_S = 2.5


@pytest.fixture
def clock() -> Iterator[SkewedClock]:
    """That of `own_redis`."""
    skewed = SkewedClock()
    yield skewed
    skewed.close()


@pytest.fixture
def own_redis(clock: SkewedClock) -> Iterator[RedisServer]:
    with RedisServer(clock) as server:
        yield server


def refused_from_memory(server: Seonchak) -> float:
    return server.metrics()["seonchak_refused_from_memory_total"]


def ask_until_refused_from_memory(server: Seonchak, code: str) -> None:
    before = refused_from_memory(server)

    def refused() -> bool:
        reply = coupons.issue(server, COUPON, "nobody")
        assert (reply.status, reply.json()["code"]) == (403, code), reply.text
        return refused_from_memory(server) > before

    eventually(refused, f"{code} is told from memory")


@pytest.mark.parametrize("hours", [2, -2], ids=["ahead", "behind"])
def test_a_glitch_of_the_clock_of_redis_does_not_close_a_coupon_for_good(
    sale: Sale, clock: SkewedClock, hours: int
) -> None:
    servers = [sale.start(), sale.start("api")]
    opens, closes = (datetime.now(UTC) + timedelta(hours=by) for by in (-1, 1))
    coupons.create(servers[0], COUPON, opensAt=text(opens), closesAt=text(closes))
    held = {user: coupons.answer(servers[1], COUPON, user).json()["sequence"] for user in ("ann", "bob")}
    clock.set(hours * HOUR_S)
    for server in servers:
        ask_until_refused_from_memory(server, "closed" if hours > 0 else "not_open")
    time.sleep(GLITCH_S)
    clock.set(0)
    for number, server in enumerate(servers):
        user = f"after-{number}"
        eventually(
            lambda server=server, user=user: coupons.issue(server, COUPON, user).status in (200, 201),
            "the coupon is open again",
        )
        held[user] = coupons.answer(server, COUPON, user).json()["sequence"]
    assert sorted(held.values()) == [1, 2, 3, 4]
    coupons.wait_for_rows(sale.database, COUPON, held)


def test_closed_by_a_glitch_is_open_again(sale: Sale, clock: SkewedClock) -> None:
    servers = [sale.start(), sale.start("api")]
    closes = datetime.now(UTC) + timedelta(hours=1)
    coupons.create(servers[0], COUPON, closesAt=text(closes))
    issued = sale.issue_all(servers[0], 0, 5)
    clock.set(2 * HOUR_S)
    glitch_ends = time.monotonic() + GLITCH_S
    for server in servers:
        ask_until_refused_from_memory(server, "closed")
    time.sleep(max(0.0, glitch_ends - time.monotonic()))
    clock.set(0)
    ended = time.monotonic()
    for number, server in enumerate(servers):
        while (reply := sale.issue(server, f"after{number}")).status != 201:
            assert reply.json()["code"] == "closed"
            assert time.monotonic() < ended + OPEN_AGAIN_S
            time.sleep(POLL_S)
        for user, sequence in issued.items():
            assert sale.issue(server, user).json()["sequence"] == sequence


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("hours", [2, -2], ids=["ahead", "behind"])
def test_what_a_deleted_topic_took_along_is_saved_by_a_consumer_whose_clock_is_wrong(
    serve: Serve, sale: Sale, kafka_server: SharedServer, topic: str, hours: int
) -> None:
    issuing = sale.start("api,relay")
    sale.create(issuing)
    issued = sale.issue_all(issuing, 0, 20)
    sale.wait_until(issuing, "published", 20)
    delete_topic(kafka_server.address, topic)
    with contextlib.suppress(KafkaException):  # the relay may have made it anew already
        create_topic(kafka_server.address, topic)
    with contextlib.closing(SkewedClock()) as clock:
        clock.set(hours * HOUR_S)
        serve(*sale.flags, "--roles", "consumer", variables=clock.variables)
        sale.wait_for_rows(issued)
        sale.wait_until(issuing, "persisted", len(issued))
