"""A message so large that it fits the topic and not, with a letter's headers, the dead-letter topic."""

import pytest
from confluent_kafka import Producer
from harness import coupons
from harness.servers import SharedServer
from harness.shop import Shop
from harness.wait import eventually

# Just below the broker's default of 1 MiB + 12.
LARGE = b"x" * (1_048_588 - 250)


def send_foreign(kafka: SharedServer, topic: str, part: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.address, "message.max.bytes": 2_000_000})
    key = LARGE if part == "key" else b"k"
    headers = {"trace": LARGE if part == "headers" else b"abc"}
    producer.produce(topic, key=key, value=b"not json", headers=headers, partition=0)
    assert producer.flush(10) == 0


@pytest.mark.parametrize("part", ["key", "headers"])
def test_it_holds_up_no_other_letter(shop: Shop, kafka_server: SharedServer, topic: str, part: str) -> None:
    server = shop.start()
    coupons.create(server, "c", ack="store")
    assert coupons.issue(server, "c", "first").status == 201
    shop.wait_saved(1, "c")
    shop.execute("ALTER TABLE user_coupon ADD CONSTRAINT none CHECK (user_id <> 'bad') NOT VALID")
    send_foreign(kafka_server, topic, part)
    told = {user: coupons.issue(server, "c", user).status for user in ("bad", "good", "better")}
    assert told == {"bad": 202, "good": 201, "better": 201}
    eventually(lambda: shop.position() == 5, "the position is behind all of them")
    assert server.metrics()["seonchak_consumer_dead_letters_total"] == 2
    assert coupons.view(server, "c")["persisted"] == 4
