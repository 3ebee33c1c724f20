"""A gate that is lost while millions of events are unread comes back without waiting for their readers."""

import json
from dataclasses import replace

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition
from harness import coupons
from harness.record_batch import produce_copies
from harness.recovery import COUPON, Sale
from harness.servers import RedisServer, SharedServer

# More than version 0.1.0 was ready to read.
BACKLOG = 5_020_000
RECOVERED_S = 120.0
KAFKA_TIMEOUT_S = 30.0


def repeat_the_last(brokers: str, topic: str) -> int:
    """Appends BACKLOG copies of the topic's last event, as a relay in trouble might; the end of the log."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "copies", "enable.auto.commit": False})
    try:
        partition = TopicPartition(topic, 0)
        _, end = consumer.get_watermark_offsets(partition, timeout=KAFKA_TIMEOUT_S)
        consumer.assign([TopicPartition(topic, 0, end - 1)])
        last = consumer.poll(KAFKA_TIMEOUT_S)
        assert last is not None
        assert json.loads(last.value())["couponId"] == COUPON
        produce_copies(brokers, topic, BACKLOG, last.key(), last.value(), last.headers())
        return consumer.get_watermark_offsets(partition, timeout=KAFKA_TIMEOUT_S)[1]
    finally:
        consumer.close()


@pytest.mark.timeout(300)
def test_a_lost_gate_does_not_wait_for_a_consumer_with_a_backlog(
    sale: Sale, own_redis: RedisServer, kafka_server: SharedServer, topic: str
) -> None:
    server = sale.start("api,relay")
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    sale.wait_until(server, "published", 20)
    repeat_the_last(kafka_server.address, topic)
    own_redis.client().flushall()
    assert coupons.answer(server, COUPON, "u0", RECOVERED_S).json()["sequence"] == issued["u0"]
    everyone = sale.sell_the_rest(server, issued)
    assert issued.items() <= sale.rows().items(), "what was recovered is settled in the database at once"
    assert len(everyone) == len(set(everyone.values()))


@pytest.mark.timeout(300)
def test_a_lost_gate_does_not_read_again_what_another_group_has_saved(
    sale: Sale, own_redis: RedisServer, kafka_server: SharedServer, topic: str
) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    sale.wait_until(server, "persisted", 20)
    server.stop()
    end = repeat_the_last(kafka_server.address, topic)
    # As if the group had read the copies, which hold nothing new.
    with psycopg.connect(sale.database) as connection:
        moved = connection.execute("UPDATE log_position SET next_offset = %s WHERE topic = %s", [end, topic])
        assert moved.rowcount == 1
    server = replace(sale, group=f"{topic}-renamed").start("api")
    own_redis.client().flushall()
    assert coupons.answer(server, COUPON, "u0", RECOVERED_S).json()["sequence"] == issued["u0"]
    sale.sell_the_rest(server, issued)
