"""The way of a coupon through the production composition, read with other people's clients."""

import json
import struct
import time

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from harness import http
from harness.coupons import create, issue, rows, view
from harness.seonchak import Seonchak, run_command
from harness.servers import SharedServer
from harness.shop import Shop
from harness.wait import eventually

SETTLE_S = 15.0


def wait_persisted(server: Seonchak, coupon: str, sequence: int) -> None:
    eventually(lambda: view(server, coupon)["persisted"] == sequence, f"{sequence} are saved", SETTLE_S)


def read_topic(brokers: str, topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages: list[Message] = []
    deadline = time.monotonic() + SETTLE_S
    while len(messages) < count and time.monotonic() < deadline:
        messages += [m for m in consumer.consume(count, timeout=1.0) if m.error() is None]
    consumer.close()
    return messages


def send(brokers: str, topic: str, *values: str) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    for value in values:
        producer.produce(topic, value=value.encode(), partition=0)
    assert producer.flush(10) == 0


def test_the_message_is_what_the_formats_page_says(
    shop: Shop, kafka_server: SharedServer, topic: str
) -> None:
    server = shop.start()
    create(server, "c-1", 5)
    answer = issue(server, "c-1", "kim@example.com").json()
    (message,) = read_topic(kafka_server.address, topic, 1)
    assert message.key() == b"c-1"
    assert json.loads(message.value()) == {
        "couponId": "c-1",
        "userId": "kim@example.com",
        "sequence": 1,
        "issuedAt": answer["issuedAt"],
        "epoch": 1,
    }
    headers = {name: value.decode() for name, value in message.headers()}
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": "c-1:1:1",
        "ce_source": "/seonchak",
        "ce_type": "coupon.issued",
        "ce_time": answer["issuedAt"],
        "content-type": "application/json",
    }


def test_a_bare_message_gets_its_sequence_from_the_gate(
    shop: Shop, kafka_server: SharedServer, topic: str
) -> None:
    server = shop.start()
    create(server, "1", 2)
    send(kafka_server.address, topic, '{"couponId":1,"userId":42}', '{"couponId":"1","userId":"43"}')
    wait_persisted(server, "1", 2)
    assert rows(shop.database, "1") == {"42": 1, "43": 2}
    again = issue(server, "1", "42")
    assert (again.status, again.json()["sequence"]) == (200, 1)


def test_what_can_never_be_saved_is_dead_lettered_with_its_reason(
    shop: Shop, kafka_server: SharedServer, topic: str
) -> None:
    server = shop.start()
    create(server, "1", 1)
    assert issue(server, "1", "winner").status == 201
    send(
        kafka_server.address,
        topic,
        "not json",
        '{"couponId":1,"userId":7}',
        '{"couponId":"none","userId":"7"}',
        '{"couponId":"none","userId":"7","sequence":1}',
        '{"couponId":"1","userId":"7","sequence":1,"epoch":"1"}',
    )
    letters = read_topic(kafka_server.address, f"{topic}-dlt", 5)
    assert letters[0].value() == b"not json"
    reasons = [dict(letter.headers())["kafka_dlt-exception-message"].decode() for letter in letters]
    assert reasons[1:] == [
        "sold_out",
        "coupon_not_found",
        "coupon_not_found",
        "epoch is not a 64-bit integer",
    ]
    for letter in letters:
        headers = dict(letter.headers())
        assert headers["kafka_dlt-original-topic"].decode() == topic
        assert struct.unpack(">i", headers["kafka_dlt-original-partition"]) == (0,)
        assert struct.unpack(">q", headers["kafka_dlt-original-offset"])[0] >= 0
        assert letter.partition() == 0
    # The pipe is not blocked by them.
    create(server, "2", 1)
    assert issue(server, "2", "next").status == 201
    wait_persisted(server, "2", 1)


@pytest.mark.parametrize("ack", ["gate", "log", "store"])
def test_the_answer_comes_when_the_ack_stage_has_the_coupon(
    shop: Shop, kafka_server: SharedServer, topic: str, ack: str
) -> None:
    server = shop.start()
    create(server, "c", 3, ack=ack)
    reply = issue(server, "c", "kim")
    assert (reply.status, reply.json()["result"]) == (201, "issued")
    if ack == "log":
        assert len(read_topic(kafka_server.address, topic, 1)) == 1
    if ack == "store":
        assert rows(shop.database, "c") == {"kim": 1}


def test_roles_split_over_processes(shop: Shop) -> None:
    api = shop.start("api")
    create(api, "waiting", 1, ack="store")
    shop.start("relay")
    shop.start("consumer")
    reply = issue(api, "waiting", "kim")
    assert (reply.status, reply.json()["result"]) == (201, "issued")
    wait_persisted(api, "waiting", 1)


def test_without_a_relay_the_answer_is_pending_after_the_deadline(shop: Shop) -> None:
    api = shop.start("api", "--ack-timeout-ms", "200")
    create(api, "slow", 1, ack="log")
    reply = issue(api, "slow", "kim")
    assert reply.status == 202
    assert reply.json()["state"] == "pending"
    assert reply.json()["sequence"] == 1
    held = http.call(api.address, "GET", "/v1/users/kim/coupons").json()["coupons"]
    assert [(coupon["couponId"], coupon["state"]) for coupon in held] == [("slow", "pending")]
    shop.start("relay,consumer")
    wait_persisted(api, "slow", 1)
    held = http.call(api.address, "GET", "/v1/users/kim/coupons").json()["coupons"]
    assert [(coupon["couponId"], coupon["state"]) for coupon in held] == [("slow", "persisted")]


def test_changes_are_in_force_in_every_api_process(shop: Shop) -> None:
    one, two = shop.start(), shop.start()
    create(one, "c", 1)
    assert issue(two, "c", "a").status == 201
    assert issue(two, "c", "b").json()["code"] == "sold_out"
    raised = http.call(one.address, "PATCH", "/v1/coupons/c", body={"stock": 2})
    assert raised.status == 200, raised.text
    assert issue(two, "c", "b").status == 201
    lowered = http.call(two.address, "PATCH", "/v1/coupons/c", body={"stock": 1})
    assert (lowered.status, lowered.json()["code"]) == (409, "stock_below_issued")
    assert view(one, "c")["stock"] == 2
    assert http.call(two.address, "POST", "/v1/coupons/c/close").status == 200
    assert issue(one, "c", "z").json()["code"] == "closed"
    assert issue(one, "c", "a").json()["result"] == "already_issued"


def test_the_command_line_manages_coupons(shop: Shop) -> None:
    server = shop.start("api,relay,consumer", "--admin-key", "secret")
    target = ["--url", server.url, "--admin-key", "secret"]
    created = run_command("coupon", "create", "--id", "cli", "--name", "By hand", "--stock", "3", *target)
    assert created.returncode == 0, created.stderr
    assert json.loads(created.stdout)["id"] == "cli"
    again = run_command("coupon", "create", "--id", "cli", "--name", "By hand", "--stock", "3", *target)
    assert (again.returncode, json.loads(again.stderr)["code"]) == (1, "coupon_exists")
    assert run_command("coupon", "set", "cli", "--stock", "5", *target).returncode == 0
    assert json.loads(run_command("coupon", "show", "cli", *target).stdout)["stock"] == 5
    listed = json.loads(run_command("coupon", "list", *target).stdout)
    assert [coupon["id"] for coupon in listed["coupons"]] == ["cli"]
    refused = run_command("coupon", "list", "--after", "cli HTTP/1.1&limit=0", *target)
    assert (refused.returncode, json.loads(refused.stderr)["code"]) == (1, "bad_request")
    assert "after must be" in refused.stderr
    assert run_command("coupon", "close", "cli", *target).returncode == 0
    assert issue(server, "cli", "kim").json()["code"] == "closed"
    refused = run_command("coupon", "close", "cli", "--url", server.url, "--admin-key", "wrong")
    assert (refused.returncode, json.loads(refused.stderr)["code"]) == (1, "unauthorized")
