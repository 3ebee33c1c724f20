"""A coupon whose keys in Redis are not what they should be stops nobody but itself."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import redis
from confluent_kafka import Producer
from harness import coupons
from harness.recovery import Sale
from harness.seonchak import Seonchak, run_command
from harness.servers import RedisServer, SharedServer
from harness.wait import eventually

SICK, WELL = "sick", "well"
STATE, HOLDERS, OUTBOX = (f"{{coupon:{SICK}}}:{part}" for part in ("state", "holders", "outbox"))


def foreign_text(key: str) -> Callable[[redis.Redis], None]:
    return lambda client: client.set(key, "foo")


def unreadable_sequence(client: redis.Redis) -> None:
    client.hset(STATE, "sequence", "many")


POISONS: dict[str, Callable[[redis.Redis], None]] = {
    "holders": foreign_text(HOLDERS),
    "state": foreign_text(STATE),
    "outbox": foreign_text(OUTBOX),
    "a-number": unreadable_sequence,
}


@pytest.fixture
def ask_by_message(kafka_server: SharedServer, topic: str) -> Callable[[str, str], None]:
    """Puts a bare request on the topic."""

    def send(coupon: str, user: str) -> None:
        producer = Producer({"bootstrap.servers": kafka_server.address})
        value = json.dumps({"couponId": coupon, "userId": user})
        producer.produce(topic, key=coupon, value=value, partition=0)
        assert producer.flush(10) == 0

    return send


@pytest.fixture
def letters(kafka_server: SharedServer, topic: str) -> Callable[[], list[dict[str, Any]]]:
    """Lists the dead letters."""

    def read() -> list[dict[str, Any]]:
        log = ("--log", f"kafka://{kafka_server.address}/{topic}", "--log-group", topic)
        done = run_command("dead-letter", "list", "--json", *log)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["letters"]

    return read


def start_with_both(sale: Sale, roles: str = "api,relay,consumer") -> Seonchak:
    server = sale.start(roles)
    for coupon in (SICK, WELL):
        coupons.create(server, coupon)
    return server


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_a_request_for_an_unusable_coupon_holds_up_no_other(
    sale: Sale,
    own_redis: RedisServer,
    ask_by_message: Callable[[str, str], None],
    letters: Callable[[], list[dict[str, Any]]],
    poison: Callable[[redis.Redis], None],
) -> None:
    server = start_with_both(sale)
    sick = coupons.issue_to(server, SICK, coupons.users("early", 10))
    well = coupons.issue_to(server, WELL, coupons.users("early", 10))
    coupons.wait_for_rows(sale.database, SICK, sick)
    coupons.wait_for_rows(sale.database, WELL, well)
    with own_redis.client() as client:
        poison(client)
    ask_by_message(SICK, "by-message")
    well |= coupons.issue_to(server, WELL, coupons.users("behind", 20))
    coupons.wait_for_rows(sale.database, WELL, well)
    server.kill9()
    server.start()
    well |= {
        user: coupons.answer(server, WELL, user).json()["sequence"] for user in coupons.users("late", 10)
    }
    coupons.wait_for_rows(sale.database, WELL, well)
    # Unless the coupon was mended by a recovery.
    eventually(
        lambda: letters() or "by-message" in coupons.rows(sale.database, SICK),
        "the request for the unusable coupon is a dead letter",
    )
    for letter in letters():
        assert "by-message" in letter["value"]
        assert letter["reason"].startswith("gate_unusable")
    assert sick.items() <= coupons.rows(sale.database, SICK).items()


def test_late_events_of_an_unusable_coupon_hold_up_no_other(sale: Sale, own_redis: RedisServer) -> None:
    server = start_with_both(sale, "api,relay")
    sick = coupons.issue_to(server, SICK, coupons.users("early", 10))
    well = coupons.issue_to(server, WELL, coupons.users("early", 10))
    published = "the log has everything"
    eventually(lambda: published_of(server, SICK) == 10 and published_of(server, WELL) == 10, published)
    own_redis.client().flushall()
    for coupon in (SICK, WELL):
        assert coupons.answer(server, coupon, "early-0").status == 200
    with own_redis.client() as client:
        client.set(HOLDERS, "foo")
    well |= coupons.issue_to(server, WELL, coupons.users("behind", 20))
    # Its first events are of the epoch that was lost.
    consumer = sale.start("consumer")
    coupons.wait_for_rows(sale.database, WELL, well)
    coupons.wait_for_rows(sale.database, SICK, sick)
    eventually(lambda: saved_of(server, WELL) == len(well), "what comes behind the late events is told saved")
    consumer.kill9()
    consumer.start()
    well |= coupons.issue_to(server, WELL, coupons.users("later", 10))
    coupons.wait_for_rows(sale.database, WELL, well)


def test_events_of_a_coupon_whose_row_is_gone_hold_up_no_other(
    sale: Sale, letters: Callable[[], list[dict[str, Any]]]
) -> None:
    server = start_with_both(sale)
    with psycopg.connect(sale.database) as connection:
        connection.execute("DELETE FROM coupon WHERE id = %s", [SICK])
    coupons.issue_to(server, SICK, coupons.users("gone", 5))
    well = coupons.issue_to(server, WELL, coupons.users("behind", 20))
    coupons.wait_for_rows(sale.database, WELL, well)
    eventually(lambda: len(letters()) >= 5, "the events without a coupon are among the dead letters")


def published_of(server: Seonchak, coupon: str) -> int:
    return coupons.view(server, coupon)["published"]


def saved_of(server: Seonchak, coupon: str) -> int:
    return coupons.view(server, coupon)["persisted"]
