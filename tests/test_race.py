"""The promise itself: many users race for few coupons, and every part tells the same story."""

import contextlib
import itertools
import json
import random
import sqlite3
import threading
import time
from collections import Counter
from http.client import HTTPException
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from harness import coupons, http
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer
from harness.shop import Shop

USERS = 50_000
STOCK = 1_000
SETTLE_S = 20.0
TOLD_BEFORE_KILL = 500
TOLD_WAIT_S = 30.0


def requests_of_a_crowd(coupon: str, users: int, seed: int) -> tuple[list[str], list[bytes]]:
    """Every user asks once, a fifth of them two to five times; in random order."""
    rng = random.Random(seed)
    asking = [f"user-{n}" for n in range(users)]
    asking += [user for user in rng.sample(asking, users // 5) for _ in range(rng.randint(1, 4))]
    rng.shuffle(asking)
    return asking, [http.issue(coupon, user) for user in asking]


def wait_persisted(server: Seonchak, coupon: str, sequences: int) -> dict[str, Any]:
    deadline = time.monotonic() + SETTLE_S
    while (view := coupons.view(server, coupon))["persisted"] < sequences:
        assert time.monotonic() < deadline, view
        time.sleep(0.05)
    return view


def holders_by_answers(asked: list[str], answers: list[http.Answer]) -> dict[str, int]:
    """Who holds which sequence, as the answers tell; fails where two answers disagree."""
    holders: dict[str, int] = {}
    first_answers: Counter[str] = Counter()
    for user, (status, body) in zip(asked, answers, strict=True):
        if status in (200, 201):
            assert body["userId"] == user
            assert holders.setdefault(user, body["sequence"]) == body["sequence"], (user, body)
            first_answers[user] += status == 201
        else:
            assert (status, body["code"]) == (409, "sold_out"), (user, status, body)
    assert all(count == 1 for count in first_answers.values())
    assert first_answers.keys() == holders.keys()
    return holders


def events_in_log(brokers: str, topic: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Key and value of the topic's first `count` messages, as another client reads them."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        events = []
        deadline = time.monotonic() + SETTLE_S
        while len(events) < count and time.monotonic() < deadline:
            for message in consumer.consume(1_000, timeout=1.0):
                assert message.error() is None, message.error()
                events.append((message.key().decode(), json.loads(message.value())))
        events += [(m.key().decode(), json.loads(m.value())) for m in consumer.consume(1, timeout=0.5)]
        return events
    finally:
        consumer.close()


@pytest.mark.timeout(240)
def test_fifty_thousand_users_race_for_a_thousand_coupons(
    serve: Serve, shop: Shop, own_redis: RedisServer, kafka_server: SharedServer, topic: str
) -> None:
    """Two API processes, one Redis, Kafka and PostgreSQL; their roles are those that nobody named."""
    servers = [serve(*shop.flags), serve(*shop.flags)]
    coupon = "race"
    coupons.create(servers[0], coupon, STOCK)
    asked, requests = requests_of_a_crowd(coupon, USERS, seed=1)
    half = len(requests) // 2

    halves: list[list[http.Answer]] = [[], []]

    def send(which: int, part: list[bytes]) -> None:
        halves[which] = http.load(servers[which].address, part, connections=8)

    threads = [
        threading.Thread(target=send, args=(0, requests[:half])),
        threading.Thread(target=send, args=(1, requests[half:])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holders = holders_by_answers(asked, halves[0] + halves[1])

    assert sorted(holders.values()) == list(range(1, STOCK + 1))
    view = wait_persisted(servers[1], coupon, STOCK)
    assert (view["issued"], view["remaining"], view["published"], view["status"]) == (
        STOCK,
        0,
        STOCK,
        "sold_out",
    )

    assert coupons.rows(shop.database, coupon) == holders
    assert shop.saved(coupon) == STOCK

    gate = own_redis.client()
    assert {
        user: int(held.split(":")[0]) for user, held in gate.hgetall(f"{{coupon:{coupon}}}:holders").items()
    } == holders
    assert gate.xlen(f"{{coupon:{coupon}}}:outbox") == 0

    events = events_in_log(kafka_server.address, topic, STOCK)
    assert [value["sequence"] for _, value in events] == list(range(1, STOCK + 1))
    assert {value["userId"]: value["sequence"] for _, value in events} == holders
    assert {key for key, _ in events} == {coupon}


def test_the_embedded_composition_tells_the_same_story_over_a_restart(serve: Serve) -> None:
    """Half the crowd, kill -9, the other half: the file holds exactly what was answered."""
    server = serve("--store", "sqlite:race.db")
    stock = 400
    coupon = "race"
    coupons.create(server, coupon, stock)
    first_asked, first = requests_of_a_crowd(coupon, 300, seed=2)
    before = holders_by_answers(first_asked, http.load(server.address, first))
    assert sorted(before.values()) == list(range(1, 301))

    server.kill9()
    server.restart()
    asked, requests = requests_of_a_crowd(coupon, 2_000, seed=3)
    after = holders_by_answers_with(before, asked, http.load(server.address, requests))
    assert sorted(after.values()) == list(range(1, stock + 1))
    assert before.items() <= after.items()
    view = coupons.view(server, coupon)
    assert (view["issued"], view["persisted"], view["status"]) == (stock, stock, "sold_out")

    server.stop()
    with sqlite3.connect(server.folder / "race.db") as file:
        rows = file.execute("SELECT user_id, sequence FROM user_coupon WHERE coupon_id = 'race'").fetchall()
    assert dict(rows) == after
    assert len(rows) == stock


def test_a_kill_in_the_middle_of_a_crowd_leaves_a_sound_file_with_everyone_told(serve: Serve) -> None:
    server = serve("--store", "sqlite:race.db")
    coupon = "race"
    coupons.create(server, coupon, 1_000_000)
    told: list[dict[str, int]] = [{} for _ in range(8)]

    def ask(which: int) -> None:
        with contextlib.suppress(OSError, HTTPException):
            for number in itertools.count():
                user = f"u{which}-{number}"
                answer = coupons.issue(server, coupon, user)
                if answer.status == 201:
                    told[which][user] = answer.json()["sequence"]

    threads = [threading.Thread(target=ask, args=(which,)) for which in range(len(told))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TOLD_WAIT_S
    while sum(map(len, told)) < TOLD_BEFORE_KILL:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.kill9()
    for thread in threads:
        thread.join()

    everyone = {user: sequence for part in told for user, sequence in part.items()}
    assert len(everyone) >= TOLD_BEFORE_KILL
    with sqlite3.connect(server.folder / "race.db") as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = dict(file.execute("SELECT user_id, sequence FROM user_coupon").fetchall())
    assert everyone.items() <= rows.items()


def holders_by_answers_with(
    known: dict[str, int], asked: list[str], answers: list[http.Answer]
) -> dict[str, int]:
    """As holders_by_answers, when some users already hold a coupon: they only ever get 200."""
    again = [(user, answer) for user, answer in zip(asked, answers, strict=True) if user in known]
    assert all(answer.status == 200 and answer.body["sequence"] == known[user] for user, answer in again)
    others = [(user, answer) for user, answer in zip(asked, answers, strict=True) if user not in known]
    return known | holders_by_answers([user for user, _ in others], [answer for _, answer in others])
