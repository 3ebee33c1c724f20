"""A Redis without memory refuses new coupons, and issues again once what it holds is saved."""

import time

from confluent_kafka import Producer
from harness import coupons, http
from harness.recovery import COUPON, Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer, SharedServer
from harness.wait import SETTLE_S, eventually

STOCK = 1_000_000
BATCH = 1_000
BATCHES_REFUSED = 5
ROOM_BYTES = 2_000_000


def is_told(server: Seonchak) -> bool:
    """By /readyz, which is 200 all the same."""
    status, words, states = coupons.readiness(server)
    return (status, words, states["gate_memory"]) == (200, "degraded", "down")


def fill(server: Seonchak, redis: RedisServer) -> tuple[int, set[str]]:
    """Issues until Redis has no memory left, and /readyz says so: how many have it, what others are told."""
    client = redis.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM_BYTES)
    users = (f"a-user-with-quite-a-long-name-indeed-{number}" for number in range(STOCK))
    issued, refused_batches = 0, 0
    reasons = set()
    until = time.monotonic() + SETTLE_S
    while refused_batches < BATCHES_REFUSED or not is_told(server):
        assert time.monotonic() < until, "it is not told that Redis is full"
        answers = http.load(server.address, [http.issue(COUPON, next(users)) for _ in range(BATCH)])
        assert {answer.status for answer in answers} <= {201, 503}
        refused = [answer.body["detail"] for answer in answers if answer.status == 503]
        reasons |= {detail.split(":")[0] for detail in refused}
        issued += len(answers) - len(refused)
        refused_batches += bool(refused)
    return issued, reasons


def test_a_full_redis_issues_again_once_its_outbox_is_saved(
    sale: Sale, own_redis: RedisServer, kafka_server: SharedServer, topic: str
) -> None:
    server = sale.start("api")
    coupons.create(server, COUPON, STOCK)
    issued, reasons = fill(server, own_redis)

    producer = Producer({"bootstrap.servers": kafka_server.address})
    producer.produce(topic, value=f'{{"couponId":"{COUPON}","userId":"bare"}}'.encode(), partition=0)
    assert producer.flush(10) == 0
    sale.start("relay,consumer")
    sale.wait_until(server, "persisted", issued)
    assert len(sale.rows()) >= issued
    reply = sale.answer(server, "new")
    assert reply.status == 201, reply.text
    assert reasons == {"outbox_full"}
    eventually(lambda: coupons.readiness(server)[1] == "ready", "it has room again")
    assert "redis has reached its maxmemory" in server.log_text()
