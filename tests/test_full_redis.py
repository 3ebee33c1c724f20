"""A Redis without memory refuses new coupons, and issues again once what it holds is saved."""

from confluent_kafka import Producer
from harness import coupons, http
from harness.recovery import COUPON, Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer, SharedServer
from harness.wait import eventually

STOCK = 1_000_000
BATCH = 1_000
BATCHES_REFUSED = 5
ROOM_BYTES = 2_000_000


def fill(server: Seonchak, redis: RedisServer) -> tuple[int, set[str]]:
    """Issues until Redis has no memory left. Returns how many have it, and what the others were told."""
    client = redis.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM_BYTES)
    users = (f"a-user-with-quite-a-long-name-indeed-{number}" for number in range(STOCK))
    issued, refused_batches = 0, 0
    reasons = set()
    while refused_batches < BATCHES_REFUSED:
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
    coupons.wait_degraded(server, "gate_memory")

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
